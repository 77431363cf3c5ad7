"""Where an end of a stream really is: learned from what arrives, by rules that keep strangers out.

RFC 7362 describes the technique and its danger: whoever sends first may get the call's audio, or put
his own into it. So an end's packets are taken only from where signalling lets expect them; the best
of such sources wins, holds after a few packets, and gives way only to signalling or to long silence.
Where signalling named an address that can be reached, another port of that host has to wait: behind the
same NAT, or at the same gateway, are others. Pure: times and packets in, verdicts out.
"""

import enum
import ipaddress
from typing import Final, Literal, NamedTuple

from centrex.base import Instant
from centrex.media.terms import Address

LOCK_PACKETS: Final = 5
"""Packets of one source after which it holds: 100 ms of speech."""
MOVED_S: Final = 1.5
"""Silence after which the same stream may go on from another port: a NAT made a new mapping."""
REPLACED_S: Final = 5.0
"""Silence after which another stream may take its place: longer than any pause of a phone that
sends RTP at all, shorter than a person waits."""
CONFIRM_S: Final = 0.15
"""How long another port than the signalled one must go on sending, while that one is silent, before it
is believed: an end that can be reached where it said has begun to send by then."""
POOL_S: Final = 0.5
"""The same for another address than the signalling's: few phones need it, and others are near it."""
YIELD_S: Final = 2.0
"""How long such a port does not hold: the signalled one gets its place as soon as it is heard. The same
goes for where an end was before it said that it has moved."""
CLAIM_S: Final = 1.0
"""How long a source must go on that fits better than the one that holds, until it has the place."""
_POOL_BITS: Final = {4: 24, 6: 64}
"""Within such a network a carrier's NAT may choose another address for media (RFC 6888 §3)."""


class Rank(enum.IntEnum):
    """How well a source fits what signalling said; less is better."""

    SIGNALLED = 0
    SAME_HOST = 1
    SIGNALLING_HOST = 2
    SAME_POOL = 3


_GUESSES: Final = {Rank.SAME_HOST: CONFIRM_S, Rank.SAME_POOL: POOL_S}
"""What is believed only after it went on for so long while nothing better was heard."""


class Verdict(enum.Enum):
    """What becomes of a packet; the value is the name under which it is counted."""

    ACCEPTED = "accepted"
    LEARNED = "learned"
    """Accepted, and its source is where the end is from now on."""
    LOCKED = "locked"
    """Accepted, and its source holds from now on."""
    STRANGER = "unexpected-source"
    RIVAL = "second-source"
    """From where it might come, but another source holds the place."""
    UNSURE = "unconfirmed-source"
    """From where it might come, if the signalled address stays silent: to be judged again once it has."""


class _Candidate(NamedTuple):
    """A source that may turn out to be the end's."""

    source: Address
    stream: int
    since: Instant


class Latch:
    """Learns the source of one end's RTP or RTCP.

    Attributes:
        source: Where its packets come from; None until one was accepted.
        locked: Whether that source holds.
        heard: When it was heard last.
        relearned: How often it moved.
    """

    __slots__ = (
        "_candidate",
        "_count",
        "_former",
        "_holds_from",
        "_host",
        "_natted",
        "_rank",
        "_signalling",
        "_since",
        "_stream",
        "_wanted",
        "heard",
        "locked",
        "relearned",
        "source",
    )

    def __init__(self) -> None:
        self._wanted: Address | None = None
        self._signalling = ""
        self._natted = False
        self._host = ""
        self._rank = Rank.SAME_POOL
        self._stream = self._count = 0
        self._since: Instant = 0.0
        self._holds_from: Instant = 0.0
        self._candidate: _Candidate | None = None
        self._former: Address | None = None
        self.source: Address | None = None
        self.locked = False
        self.heard: Instant = 0.0
        self.relearned = 0

    def expect(
        self, wanted: Address | None, signalling: str, *, natted: bool, now: Instant = 0.0
    ) -> bool:
        """Take in what signalling says; whether that is news, and learning is open again.

        Args:
            wanted: Where the end wants packets; None where that is not known.
            signalling: The address its signalling comes from.
            natted: Whether it is behind NAT.
            now: When it says so; nobody's patience counts from before that.
        """
        if (self._wanted, self._signalling, self._natted) == (wanted, signalling, natted):
            return False
        same = bool(signalling) and signalling == self._signalling
        if wanted is None and same and self.source is not None:
            return False  # a hold by 0.0.0.0 (RFC 3264 §8.4) says nothing of where the end is
        self._wanted, self._signalling, self._natted = wanted, signalling, natted
        self._host = wanted.host if wanted is not None else ""
        self._reopen(now, same=same)
        return True

    def _reopen(self, now: Instant, *, same: bool) -> None:
        """Learn anew where an end is, save one that is where it is signalled.

        Until it is heard there, it may go on sending from where it was (RFC 3264 §8.3.1).

        Args:
            now: The time.
            same: Whether the end's signalling comes from where it came from before.
        """
        source = self.source
        rank = None if source is None else self._rank_of(source.host, source.port)
        self._rank = self._rank if rank is None else rank
        if rank is Rank.SIGNALLED:
            return
        self._since, self._candidate = now, None
        self.locked, self._count = False, 0
        self._former = source if same else None
        self._holds_from = now + YIELD_S
        if self._former is None or rank not in (Rank.SIGNALLING_HOST, Rank.SAME_POOL):
            self.source = None  # else nothing better is known

    def adopt(self, source: Address, now: Instant) -> None:
        """Take up a source that was learned before this process began."""
        self.source, self.locked, self.heard, self._count = source, True, now, LOCK_PACKETS
        self._rank = self._rank_of(source.host, source.port) or Rank.SIGNALLED

    @property
    def expects(self) -> bool:
        """Whether signalling has said anything that a packet's source could fit."""
        return self._wanted is not None or (self._natted and bool(self._signalling))

    @property
    def targets(self) -> tuple[Address, ...]:
        """Where its packets may have to go, the likeliest first; one address once it is learned."""
        if self.source is not None:
            return (self.source,)
        if self._wanted is None:
            return ()
        if not self._natted or not self._signalling or self._signalling == self._host:
            return (self._wanted,)
        public = Address(self._signalling, self._wanted.port)
        # a private address may be another host's on the relay's own network: nothing goes there
        return (public,) if _is_hidden(self._host) else (self._wanted, public)

    @property
    def settled(self) -> bool:
        """Whether it is certain where its packets go: learned, or signalled and not behind NAT."""
        return self.locked or (
            self._wanted is not None and not self._natted and self.source is None
        )

    def consider(self, host: str, port: int, stream: int, now: Instant) -> Verdict:
        """Judge a packet.

        Args:
            host: Its source.
            port: Its source port.
            stream: Its synchronization source; 0 where it is no RTP.
            now: When it came.
        """
        source = self.source
        if source is not None and source.port == port and source.host == host:
            return self._again(stream, now)
        if source is None and now < self._holds_from and self._former == (host, port):
            return Verdict.ACCEPTED
        rank = self._rank_of(host, port)
        if rank is None:
            return Verdict.STRANGER
        moved = source is not None and self._has_moved(host, stream, now)
        if not moved:
            kept = self._kept_out(Address(host, port), rank, stream, now)
            if kept is not None:
                return kept
        if source is not None:
            self.relearned += 1
        self.source, self._rank = Address(host, port), rank
        self._candidate = self._former = None
        self._stream, self._count, self.heard = stream, 1, now
        self._holds_from = now + YIELD_S if rank in _GUESSES and not moved else now
        self.locked = False
        return Verdict.LEARNED

    def _again(self, stream: int, now: Instant) -> Verdict:
        self.heard = now
        if self.locked:
            self._stream = stream
            return Verdict.ACCEPTED
        self._count = self._count + 1 if stream == self._stream else 1
        self._stream = stream
        if self._count < LOCK_PACKETS or now < self._holds_from:
            return Verdict.ACCEPTED
        self.locked = True
        return Verdict.LOCKED

    def _has_moved(self, host: str, stream: int, now: Instant) -> bool:
        """Whether it is the same stream, after a short silence."""
        assert self.source is not None
        same = stream and stream == self._stream and host == self.source.host
        return bool(same) and now - self.heard >= MOVED_S

    def _kept_out(
        self, source: Address, rank: Rank, stream: int, now: Instant
    ) -> Literal[Verdict.RIVAL, Verdict.UNSURE] | None:
        """Return what keeps a source from the place; None where nothing does."""
        better = rank < self._rank and bool(stream or not self._stream)
        if self.source is not None and not self._may_be_replaced(now):
            if not better:  # nor is what only keeps a NAT open, and is no stream
                return Verdict.RIVAL
            if self.locked:
                return None if self._goes_on(source, stream, now, CLAIM_S, 0.0) else Verdict.RIVAL
        quiet_since = 0.0 if better else self.heard
        for_s = _GUESSES.get(rank, 0.0)
        if for_s and not self._goes_on(source, stream, now, for_s, quiet_since):
            return Verdict.UNSURE
        return None

    def _may_be_replaced(self, now: Instant) -> bool:
        """Whether a source that fits no better may have the place: after silence, or after a move."""
        was_there = self.source == self._former and now < self._holds_from
        return was_there or now - self.heard >= REPLACED_S

    def _goes_on(
        self, source: Address, stream: int, now: Instant, for_s: float, after: Instant
    ) -> bool:
        """Whether a source has sent for so long, all of it after some time."""
        before = self._candidate
        if before is not None and before.since >= after:
            since_s = now - before.since
            if before.source != source and since_s < 2 * for_s:
                return False  # one after the other, so that many cannot keep each other out
            if before.source == source and (not stream or before.stream in (stream, 0)):
                return since_s >= for_s
        self._candidate = _Candidate(source, stream, max(now, self._since))
        return False

    def _rank_of(self, host: str, port: int) -> Rank | None:
        wanted = self._wanted
        if wanted is not None and host == wanted.host:
            return Rank.SIGNALLED if port == wanted.port else Rank.SAME_HOST
        if not self._natted or not self._signalling:
            return None
        if host == self._signalling:
            return Rank.SIGNALLING_HOST
        return Rank.SAME_POOL if _is_near(host, self._signalling) else None


def _is_near(host: str, other: str) -> bool:
    first, second = ipaddress.ip_address(host), ipaddress.ip_address(other)
    if first.version != second.version or not second.is_global:
        return False
    shift = first.max_prefixlen - _POOL_BITS[first.version]
    return int(first) >> shift == int(second) >> shift


def _is_hidden(host: str) -> bool:
    return not ipaddress.ip_address(host).is_global
