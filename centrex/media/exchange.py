"""The session descriptions of one call as they pass: each side's addresses noted, ours put in their place.

A description tells where its side wants to receive, and leaves with the slot of the relay that faces
the other side. Several who are called may describe themselves before one of them answers; from then
on only that one counts. It knows which slots serve which media line and what the relay is to be told;
it refuses to know messages, relays, or whether a call needs any of this.
"""

import ipaddress
import json
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from typing import Final, Literal, NamedTuple, TypeAlias

from centrex.base import PeerError
from centrex.media.terms import Address, End, Session, Slot, Stream
from centrex.sdp import DECLINED, Description, Media, Place, rewrite

Side: TypeAlias = Literal[0, 1]
"""`CALLER` or `CALLEE`, also the index of a side's slot and end in a `Stream`."""
Family: TypeAlias = Literal[4, 6]

_BROADCAST: Final = "255.255.255.255"
_NONE: Final[frozenset[int]] = frozenset()
_MOST_EARLY: Final = 16
"""Dialogs before the answer whose descriptions are kept, for whichever of them answers."""
CALLER: Final[Side] = 0
CALLEE: Final[Side] = 1


class Where(NamedTuple):
    """How one side is reached, as its signalling shows."""

    source: str
    """The address its messages come from; empty where another proxy stands between."""
    local: str
    """Our own address on that side."""
    natted: bool
    """Whether it is behind NAT."""


NOWHERE: Final = Where("", "", False)


class NoSlot(Exception):
    """The relay has no port left of the kind that is needed."""


class _Line:
    """One media line: its slots, and what each side said of it last."""

    __slots__ = ("ends", "muxes", "slots")

    def __init__(self, slots: tuple[Slot, Slot]) -> None:
        self.slots = slots
        self.ends: list[End] = [End(), End()]
        self.muxes = [False, False]

    def stream(self) -> Stream:
        """Return it in the relay's words."""
        ends = self.ends
        if all(self.muxes):  # RFC 5761 §5.1.1: only where both sides say so
            ends = [replace(end, rtcp=end.rtp) for end in ends]
        return Stream(self.slots, (ends[0], ends[1]))

    def hear(self, said: "_Said | None") -> None:
        """Put what somebody else who was called has said in place of what the callee said."""
        self.ends[CALLEE], self.muxes[CALLEE] = said or (End(), False)


_Said: TypeAlias = tuple[End, bool]
"""What the callee said of a line: its end, and whether it has RTCP on one port."""
_Early: TypeAlias = dict[bytes, list[_Said | None]]
"""What each that was called has said of each line, by its tag."""
_Before: TypeAlias = tuple[list[tuple[list[End], list[bool]] | None], _Early, bytes]


def family_of(host: str) -> Family:
    """Return the IP version of a numeric address."""
    return 6 if ":" in host else 4


class Exchange:
    """The media of one call, through one relay.

    Args:
        name: The session's name, unique among all proxies.
        call_id: The Call-ID.
        caller_tag: The caller's tag.
        slot: Takes a slot of the relay: IP version, and the address of ours to prefer.
    """

    __slots__ = (
        "_changed",
        "_declined",
        "_early",
        "_heard",
        "_last",
        "_last_memo",
        "_lines",
        "_saved",
        "_slot",
        "_spare",
        "answered",
        "call_id",
        "callee_tag",
        "caller_tag",
        "name",
        "revision",
    )

    def __init__(
        self,
        name: str,
        call_id: bytes,
        caller_tag: bytes,
        slot: Callable[[Family, str], Slot | None],
    ) -> None:
        self.name, self.call_id, self.caller_tag = name, call_id, caller_tag
        self.callee_tag = b""
        self.answered = False
        self.revision = 0
        self._slot = slot
        self._spare: list[Slot] = []
        self._lines: list[_Line | None] = []
        self._declined = _NONE
        self._early: _Early = {}
        self._heard = b""
        self._saved: _Before | None = None
        self._last: Session | None = None
        self._last_memo: list[object] = []
        self._changed = False

    def take_from(self, slot: Callable[[Family, str], Slot | None]) -> None:
        """Take slots of another relay from now on; only while none was taken."""
        self._slot = slot

    def answer(self, callee_tag: bytes) -> None:
        """The callee picked up: of what all who were called have said, its own counts."""
        self.answered, self.callee_tag, self._changed = True, callee_tag, True
        if not self._early:
            return
        if self._heard != callee_tag:
            said = self._early.get(callee_tag, [])
            for number, line in enumerate(self._lines):
                if line is not None:
                    line.hear(said[number] if number < len(said) else None)
        self._early = {}

    def is_foreign(self, tag: bytes) -> bool:
        """Whether a dialog is of somebody who was called too, but did not get the call.

        Args:
            tag: The tag of whoever was called; empty where it is not known.
        """
        return self.answered and tag != self.callee_tag and bool(tag and self.callee_tag)

    def side_of(self, from_tag: bytes, to_tag: bytes) -> Side | None:
        """Return which side sent a request with these tags; None where it is of another dialog."""
        if from_tag == self.caller_tag:
            return CALLER
        return CALLEE if to_tag == self.caller_tag else None

    def describe(
        self,
        side: Side,
        sdp: Description,
        here: Where,
        there: Where,
        *,
        tag: bytes = b"",
        answers: bool = False,
        whole: bool = False,
    ) -> bytes:
        """Note what a side says, and return its description as the other side is to see it.

        A line that the relay has no ports for is declined, once others are relayed: the far side
        sees port 0, and its answer gets port 0 too (RFC 3264 §6, §8.2). What somebody says who was
        called, but did not get the call, is rewritten and not noted.

        Args:
            side: Whose description it is.
            sdp: The description.
            here: How that side is reached.
            there: How the other one is.
            tag: The tag of the dialog's callee; empty while there is none.
            answers: Whether it answers an offer, rather than being one.
            whole: Whether it is refused if the relay cannot serve all of its lines.

        Raises:
            NoSlot: The relay cannot serve it; nothing was noted.
        """
        if self.answered and self.is_foreign(tag):
            return rewrite(sdp, [self._stand_in(*one, side) for one in enumerate(sdp.media)])
        self._changed = True
        fresh, lacking = self._serve_all(sdp, side, here, there, answers=answers)
        if lacking:
            self._lack(fresh, whole=whole)
        self._declined = self._declined | lacking if answers else lacking
        self._lines[: len(fresh)] = fresh
        places = [
            None if line is None else self._note(line, media, side, here)
            for line, media in zip(fresh, sdp.media, strict=True)
        ]
        for line in self._lines[len(fresh) :]:
            if line is not None:
                line.ends[side] = End()
        if side == CALLEE and not self.answered:
            self._keep(tag)
        if self._declined:
            places = [
                DECLINED if number in self._declined else place
                for number, place in enumerate(places)
            ]
        return rewrite(sdp, places)

    @property
    def declined(self) -> frozenset[int]:
        """The numbers of lines of the last offer that the relay had no ports for."""
        return self._declined

    def _serve_all(
        self, sdp: Description, side: Side, here: Where, there: Where, *, answers: bool
    ) -> tuple[list[_Line | None], frozenset[int]]:
        """Return the line that serves each media line, and the numbers of those that none can."""
        known = self._lines
        fresh: list[_Line | None] = []
        lacking = _NONE
        declined = self._declined if answers else _NONE
        for number, media in enumerate(sdp.media):
            if number in declined:
                fresh.append(None)
                continue
            line = known[number] if number < len(known) else None
            if line is None and media.port and media.relayable:
                line = self._serve(media, side, here, there)
                if line is None:
                    lacking |= {number}
            elif media.port and not media.relayable:
                line = None
            fresh.append(line)
        return fresh, lacking

    def _lack(self, fresh: list[_Line | None], *, whole: bool) -> None:
        """The relay lacks ports for some lines: others go on without them.

        Raises:
            NoSlot: All are wanted, or none is relayed yet.
        """
        if not whole and not self.is_empty:
            return
        known = self._lines
        self._spare += [
            slot for line in fresh if line is not None and line not in known for slot in line.slots
        ]
        raise NoSlot

    def _serve(self, media: Media, side: Side, here: Where, there: Where) -> _Line | None:
        """Return a line that serves a media line; None where the relay lacks ports for it."""
        mine = self._slot(family_of_media(media.host, here), here.local)
        other = self._slot(family_of(there.local), there.local)
        if mine is None or other is None:
            self._spare += [slot for slot in (mine, other) if slot is not None]
            return None
        return _Line((mine, other) if side == CALLER else (other, mine))

    def _note(self, line: _Line, media: Media, side: Side, here: Where) -> Place | None:
        """Note what one line says; return what stands in its place."""
        line.muxes[side] = media.rtcp_mux
        if not media.port:  # declined (RFC 3264 §6), or taken out of the call (§8.2)
            line.ends[side] = End(sends=False, receives=False)
            return None
        line.ends[side] = _end(media, here)
        return _place(line, media, side)

    def _stand_in(self, number: int, media: Media, side: Side) -> Place | None:
        """Return what stands in a line's place of which nothing is noted."""
        if not media.relayable:
            return None
        line = self._lines[number] if number < len(self._lines) else None
        return DECLINED if line is None else _place(line, media, side)

    def _keep(self, tag: bytes) -> None:
        """Keep what somebody who was called says, in case it is the one who answers."""
        early = self._early
        if tag not in early and len(early) >= _MOST_EARLY:
            del early[next(iter(early))]
        early[tag] = [
            None if line is None else (line.ends[CALLEE], line.muxes[CALLEE])
            for line in self._lines
        ]
        self._heard = tag

    def forget(self) -> None:
        """Forget what the callee said: another target is tried in its place.

        Whoever was given up may still answer; what each has said is kept for that.
        """
        self._changed, self._heard = True, b""
        for line in self._lines:
            if line is not None:
                line.hear(None)

    def save(self) -> None:
        """Remember how things stand, in case the offer that comes now is refused (RFC 3264 §8)."""
        if self._saved is None:
            lines = [
                None if line is None else (line.ends.copy(), line.muxes.copy())
                for line in self._lines
            ]
            self._saved = lines, self._early.copy(), self._heard

    def settle(self) -> None:
        """The offer was accepted: what it said is how things stand."""
        self._saved = None

    def revert(self) -> None:
        """The offer was refused: things stand as before."""
        saved, self._saved = self._saved, None
        if saved is None:
            return
        self._changed = True
        before, self._early, self._heard = saved
        for number, line in enumerate(self._lines):
            if line is not None:
                said = before[number] if number < len(before) else None
                line.ends, line.muxes = said or ([End(), End()], [False, False])

    @property
    def is_silent(self) -> bool:
        """Whether neither side has described anything that holds."""
        return not any(end.rtp or end.source for line in self._lines if line for end in line.ends)

    @property
    def is_empty(self) -> bool:
        """Whether no media line is relayed yet."""
        return not any(self._lines)

    @property
    def carries(self) -> bool:
        """Whether there is anything for a relay to do: both ends of a line are known, or it was told."""
        return (
            self.revision > 0
            or self.answered
            or any(line is not None and all(end.rtp for end in line.ends) for line in self._lines)
        )

    @property
    def slots(self) -> list[Slot]:
        """The slots of all its lines."""
        return [slot for line in self._lines if line is not None for slot in line.slots]

    def spare(self) -> list[Slot]:
        """Return slots that were taken in vain, once: the relay had not enough of them."""
        spare, self._spare = self._spare, []
        return spare

    def session(self) -> Session | None:
        """Return what the relay is to be told, or None where it has been told already."""
        if not self._changed:
            return None
        self._changed = False
        streams = tuple(None if line is None else line.stream() for line in self._lines)
        last, memo = self._last, self._memo()
        if (
            last is not None
            and last.answered == self.answered
            and last.streams == streams
            and self._last_memo == memo
        ):
            return None
        self.revision += 1
        self._last_memo = memo
        self._last = Session(
            self.name,
            self.call_id.decode("latin-1"),
            self.revision,
            self.answered,
            streams,
            json.dumps(memo),
        )
        return self._last

    def _memo(self) -> list[object]:
        tags = [tag.decode("latin-1") for tag in (self.caller_tag, self.callee_tag)]
        return [*tags, [None if line is None else line.muxes.copy() for line in self._lines]]


def restored(session: Session, slot: Callable[[Family, str], Slot | None]) -> Exchange:
    """Return the exchange of a session that a relay still holds after we were started again.

    Raises:
        PeerError: It is not one of ours.
    """
    try:
        caller, callee, muxes = json.loads(session.memo)
        call_id, tags = session.call_id.encode("latin-1"), (caller.encode("latin-1"), callee)
        exchange = Exchange(session.id, call_id, tags[0], slot)
        exchange.callee_tag = callee.encode("latin-1")
        for stream, pair in zip(session.streams, muxes, strict=True):
            exchange._lines.append(None if stream is None else _line(stream, pair))
    except (ValueError, TypeError, AttributeError) as error:
        raise PeerError("the session is not one of ours", rule="media relay link") from error
    exchange.answered, exchange.revision = session.answered, session.revision
    exchange._last, exchange._last_memo = session, exchange._memo()
    return exchange


def _line(stream: Stream, muxes: object) -> _Line:
    line = _Line(stream.slots)
    if not isinstance(muxes, list) or [type(one) for one in muxes] != [bool, bool]:
        raise TypeError(muxes)
    line.ends, line.muxes = list(stream.ends), muxes
    return line


def _place(line: _Line, media: Media, side: Side) -> Place:
    """Return what a line of one side says to the other: the slot that faces it."""
    facing = line.slots[1 - side]
    together = media.rtcp_mux and media.rtcp_port == media.port
    return Place(facing.shown, facing.port, facing.port + (not together))


def family_of_media(host: str, here: Where) -> Family:
    """Return the IP version of a media line's address; where that is a name, its side's own."""
    return family_of(host if _is_numeric(host) else here.local)


def _end(media: Media, here: Where) -> End:
    """Return what a media line says of the side it comes from."""
    rtp = rtcp = None
    if _may_name(media.host, here.source):
        rtp = Address(media.host, media.port)
        control = media.rtcp_host or media.host
        if not _may_name(control, here.source):
            control = media.host
        rtcp = Address(control, media.rtcp_port or 0)
        if not rtcp.port:
            rtcp = Address(rtcp.host, min(media.port + 1, 65535))
    return End(
        rtp=rtp,
        rtcp=rtcp,
        source=here.source,
        natted=here.natted or is_hidden(media.host, here.source),
        sends=media.sends,
        receives=media.receives,
        payload=media.payload,
        clock_rate=media.clock_rate,
    )


def is_hidden(host: str, source: str) -> bool:
    """Whether a described address is one that the outside cannot reach, unlike the sender's own.

    Args:
        host: The address of a media line; a name where it is not numeric.
        source: Where its message came from; empty where that says nothing.
    """
    if not source or host == source:
        return False
    return not _is_numeric(host) or (is_private(host) and not is_private(source))


@lru_cache(4096)
def is_private(host: str) -> bool:
    """Whether a numeric address is of a private network, a carrier's NAT (RFC 6598) or link-local."""
    address = ipaddress.ip_address(host)
    return not address.is_global and not address.is_loopback and not address.is_unspecified


@lru_cache(4096)
def _is_numeric(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


@lru_cache(4096)
def _may_name(host: str, source: str) -> bool:
    """Whether an end may want its media there: at one host, and at ours only if it is on ours.

    Args:
        host: The address it names.
        source: Where its message came from; empty where that says nothing.
    """
    if not _is_numeric(host):
        return False
    address = ipaddress.ip_address(host)
    if address.is_loopback:
        return _is_numeric(source) and ipaddress.ip_address(source).is_loopback
    return not (address.is_multicast or address.is_unspecified or host == _BROADCAST)
