"""One session as the relay holds it: its ports joined in pairs, and what may be told of it.

It knows which port answers to which; packets pass elsewhere.
"""

from collections.abc import Iterator
from typing import Any

from centrex.base import Instant
from centrex.media.terms import Address, End, Session, Slot
from centrex.media.watch import NAMES, Watch
from centrex.rtp.report import Reported
from centrex.runtime.relay.ports import Pair, Port


class HeldStream:
    """One media line: two pairs of ports, the caller's and the callee's.

    Attributes:
        slots: The slots.
        pairs: Their sockets.
    """

    __slots__ = ("pairs", "slots")

    def __init__(self, slots: tuple[Slot, Slot], pairs: tuple[Pair, Pair], owner: "Held") -> None:
        self.slots, self.pairs = slots, pairs
        for one, other in (pairs, pairs[::-1]):
            one.rtp.peer, one.rtcp.peer = other.rtp, other.rtcp
            one.rtp.owner = one.rtcp.owner = owner

    def ports(self) -> Iterator[Port]:
        """Yield all four."""
        for pair in self.pairs:
            yield pair.rtp
            yield pair.rtcp

    def expect(self, ends: tuple[End, End], now: Instant) -> list[Port]:
        """Take in what signalling says of both ends; return the ports for which that is news."""
        changed = []
        for end, pair in zip(ends, self.pairs, strict=True):
            muxed = end.rtcp is not None and end.rtcp == end.rtp
            pair.rtp.rate = pair.rtcp.rate = end.clock_rate
            if pair.rtp.latch.expect(end.rtp, end.source, natted=end.natted, now=now):
                changed.append(pair.rtp)
            control = None if muxed else end.rtcp
            if pair.rtcp.latch.expect(control, end.source, natted=end.natted, now=now):
                changed.append(pair.rtcp)
        return changed


class Held:
    """One session.

    Attributes:
        session: What the proxy said last.
        seen: What it had said when the session was last looked after.
        streams: Its media lines, None for one that is not relayed.
        watch: Notices what is wrong with it.
        began: When it began.
        primed: How often its unlearned ends were sent something.
    """

    __slots__ = ("began", "primed", "seen", "session", "streams", "watch")

    def __init__(self, session: Session, now: Instant) -> None:
        self.session = session
        self.seen: Session | None = None
        self.streams: list[HeldStream | None] = []
        self.watch = Watch(now)
        self.began = now
        self.primed = 1 << 30

    def ports(self) -> Iterator[Port]:
        """Yield the ports of all its streams."""
        for stream in self.streams:
            if stream is not None:
                yield from stream.ports()

    def described(self) -> Iterator[Port]:
        """Yield the ports of the streams of which both ends are known.

        Before that, a caller's phone might take what it receives for an answer.
        """
        for stream, told in zip(self.streams, self.session.streams, strict=True):
            if stream is None or told is None:
                continue
            if all(end.rtp is not None for end in told.ends):
                yield from stream.ports()

    def pairs(self) -> Iterator[Pair]:
        """Yield the pairs of all its streams."""
        for stream in self.streams:
            if stream is not None:
                yield from stream.pairs

    def heard(self) -> tuple[Instant, Instant]:
        """Return when media of caller and callee were last heard, 0 for never."""
        latest = [0.0, 0.0]
        for stream in self.streams:
            if stream is None:
                continue
            for side, pair in enumerate(stream.pairs):
                latest[side] = max(latest[side], pair.rtp.heard)
        return latest[0], latest[1]

    def displaced(self) -> Iterator[str]:
        """Yield, once, words for each source that was believed and gave way to a better one."""
        for stream in self.streams:
            if stream is None:
                continue
            for name, pair in zip(NAMES, stream.pairs, strict=True):
                latch = pair.rtp.latch
                was, latch.displaced = latch.displaced, None
                if was is not None:
                    yield (
                        f"what was taken for the {name}, at {shown(was)}, gave way to what fits better "
                        "what it said"
                    )

    def name_of(self, pair: Pair) -> str:
        """Return which side an end is on: `caller`, or `callee`."""
        for stream in self.streams:
            if stream is not None and pair in stream.pairs:
                return NAMES[stream.pairs.index(pair)]
        return "somebody"

    def unlearned_sides(self) -> int:
        """Return on how many sides an end is not learned: 0, 1 or 2."""
        waits = [False, False]
        for stream in self.streams:
            if stream is None:
                continue
            for side, pair in enumerate(stream.pairs):
                waits[side] |= pair.rtp.latch.source is None
        return sum(waits)

    def alive(self, heard: tuple[Instant, Instant]) -> tuple[Instant, Instant]:
        """Return when media were last heard, as `heard` does, with RTCP counted as a sign of life."""
        latest = max((port.heard for port in self.ports()), default=0.0)
        return max(heard[0], latest), heard[1]

    def end_at(self, port: Port) -> End:
        """Return what signalling says of the end at a port."""
        for stream, told in zip(self.streams, self.session.streams, strict=True):
            if stream is None or told is None:
                continue
            for side, pair in enumerate(stream.pairs):
                if pair is port.pair:
                    return told.ends[side]
        return End()


def figures(held: Held, now: Instant) -> dict[str, Any]:
    """Return what is known of a session, as plain data."""
    return {
        "id": held.session.id,
        "call_id": held.session.call_id,
        "answered": held.session.answered,
        "seconds": round(now - held.began, 3),
        "one_way": held.watch.one_way,
        "streams": [
            None
            if stream is None or told is None
            else [_end(pair, end) for pair, end in zip(stream.pairs, told.ends, strict=True)]
            for stream, told in zip(held.streams, held.session.streams, strict=True)
        ],
    }


def _end(pair: Pair, end: End) -> dict[str, Any]:
    rtp, rtcp = pair.rtp, pair.rtcp
    drops = dict(rtp.drops)
    for reason, count in rtcp.drops.items():
        drops[reason] = drops.get(reason, 0) + count
    return {
        "port": shown(rtp.address),
        "signalled": shown(end.rtp),
        "learned": shown(rtp.latch.source),
        "locked": rtp.latch.locked,
        "packets": rtp.packets,
        "octets": rtp.octets,
        "sent": rtp.sent,
        "lost": rtp.quality.lost if rtp.quality.whole else None,
        "jitter_ms": round(rtp.quality.jitter_s * 1000, 3) if rtp.quality.whole else None,
        "rtcp_packets": rtcp.packets,
        "reported": _reported(rtp.reported),
        "kernel": rtp.carried,
        "relearned": rtp.latch.relearned,
        "drops": drops,
    }


def _reported(told: Reported) -> dict[str, Any] | None:
    """Return what an end reports of what it receives; None before its first report."""
    if not told.count:
        return None
    return {
        "lost": max(told.lost, 0),  # what came twice may outweigh what did not come
        "lost_percent": round(told.fraction * 100, 1),
        "jitter_ms": round(told.jitter_s * 1000, 3),
        "round_trip_ms": round(told.round_trip_s * 1000, 3) if told.round_trip_s else None,
    }


def shown(address: Address | None) -> str:
    """Return an address for people; empty for none."""
    if address is None:
        return ""
    return (
        f"[{address.host}]:{address.port}"
        if ":" in address.host
        else f"{address.host}:{address.port}"
    )
