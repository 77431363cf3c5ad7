"""The session descriptions of one call as they pass: each side's addresses noted, ours put in their place.

A description tells where its side wants to receive, and leaves with the slot of the relay that faces
the other side. Several who are called may describe themselves before one of them answers; from then
on only that one counts. Where some of them speak IPv4 and others IPv6, there is one way through the
relay for each: other slots, side by side until the answer. It knows which slots serve which media line
and what the relay is to be told; it refuses to know messages, relays, or whether a call needs any of
this.
"""

import json
from collections.abc import Callable, Iterable
from dataclasses import replace
from itertools import zip_longest
from typing import Final, Literal, NamedTuple, TypeAlias

from centrex.base import PeerError
from centrex.media.terms import End, Session, Slot, Stream
from centrex.media.whereabouts import end_of, is_numeric
from centrex.sdp import DECLINED, Description, Media, Place, rewrite

Side: TypeAlias = Literal[0, 1]
"""`CALLER` or `CALLEE`, also the index of a side's slot and end in a `Stream`."""
Family: TypeAlias = Literal[4, 6]

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

    def hear(self, said: "_Said | None") -> None:
        """Put what somebody else who was called has said in place of what the callee said."""
        self.ends[CALLEE], self.muxes[CALLEE] = said or (End(), False)


_Said: TypeAlias = tuple[End, bool]
"""What the callee said of a line: its end, and whether it has RTCP on one port."""


class _Way:
    """The lines that serve those who are called by one IP version.

    Attributes:
        family: That version.
        lines: The line that serves each media line; None where none does.
        aside: The numbers of lines of its last offer that no relay can carry.
        declined: The numbers of those that the relay had no ports for.
        heard: The tag of whoever was called and described itself last.
        told: Whether the relay knows of it.
        unfit: The numbers of lines of its last answer that no relay can carry.
    """

    __slots__ = ("aside", "declined", "family", "heard", "lines", "told", "unfit")

    def __init__(self, family: Family) -> None:
        self.family = family
        self.lines: list[_Line | None] = []
        self.aside = self.declined = self.unfit = _NONE
        self.heard = b""
        self.told = False

    @property
    def slots(self) -> list[Slot]:
        """The slots of its lines."""
        return [slot for line in self.lines if line is not None for slot in line.slots]

    def hear(self, said: "list[_Said | None]") -> None:
        """Put what somebody else who was called has said in place of what the callee said."""
        for number, line in enumerate(self.lines):
            if line is not None:
                line.hear(said[number] if number < len(said) else None)


_Early: TypeAlias = dict[bytes, tuple[_Way, list[_Said | None]]]
"""The way of each that was called, and what it has said of each line, by its tag."""
_Both: TypeAlias = tuple[list[End], list[bool]]
"""What both sides said of a line: their ends, and whether they have RTCP on one port."""
_Stood: TypeAlias = tuple[list[_Both | None], bytes]
"""What both sides said of each line of a way, and who was heard last."""


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
        "_early",
        "_is_open",
        "_last",
        "_last_memo",
        "_latest",
        "_saved",
        "_slot",
        "_spare",
        "_ways",
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
        self._ways: dict[Family, _Way] = {}
        self._latest = _Way(4)
        self._early: _Early = {}
        self._saved: tuple[dict[_Way, _Stood], _Early] | None = None
        self._last: Session | None = None
        self._last_memo: list[object] = []
        self._changed = self._is_open = False

    def take_from(self, slot: Callable[[Family, str], Slot | None]) -> None:
        """Take slots of another relay from now on; only while none was taken."""
        self._slot = slot
        self._ways.clear()

    def answer(self, callee_tag: bytes, family: Family) -> list[Slot]:
        """The callee picked up: of what all who were called have said, its own counts.

        Args:
            callee_tag: Its tag.
            family: The IP version it is reached by.

        Returns:
            Slots of which the relay was not told, and which are of no use any more.
        """
        self.answered, self.callee_tag, self._changed = True, callee_tag, True
        ways = self._ways
        if not ways:
            return []
        first = next(iter(ways.values()))
        way, said = self._early.get(callee_tag) or (ways.get(family, first), [])
        if self._early and way.heard != callee_tag:
            way.hear(said)
        self._early = {}
        if len(ways) == 1:
            return []
        vain = [one for one in self._all_ways() if one is not way and not one.told]
        self._ways = {way.family: way}
        return [slot for one in vain for slot in one.slots]

    def share(self, family: Family) -> Family:
        """Have those who are called by an IP version served by the other one's lines; return that."""
        other: Family = 4 if family == 6 else 6
        self._ways[family] = self._ways.get(other) or _Way(other)
        self._ways.setdefault(other, self._ways[family])
        return other

    def _way_of(self, callee: Where) -> _Way:
        """Return the way to a callee: after the answer there is one."""
        ways = self._ways
        if self.answered and ways:
            (way,) = ways.values()
            return way
        family = family_of(callee.local)
        if family not in ways:
            ways[family] = _Way(family)
        return ways[family]

    def _all_ways(self) -> Iterable[_Way]:
        """Return the ways there are, each once."""
        return dict.fromkeys(self._ways.values())

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

        An offered line that no relay can carry is left alone, and so is its answer; an answer that none
        can carry is declined, for the other side was shown the relay.

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
        way = self._way_of(there if side == CALLER else here)
        if self.answered and self.is_foreign(tag):
            return rewrite(sdp, [_stand_in(way, *one, side) for one in enumerate(sdp.media)])
        self._changed, self._latest = True, way
        self._is_open = self._is_open and not answers
        odd = frozenset(n for n, media in enumerate(sdp.media) if media.port and media.why_not)
        aside = way.aside if answers else odd
        fresh, lacking = self._serve_all(way, aside, sdp, side, here, there, answers=answers)
        if lacking:
            self._lack(way, fresh, whole=whole)
        way.declined = way.declined | lacking if answers else lacking
        way.aside = aside
        way.unfit = odd - aside - way.declined
        way.lines[: len(fresh)] = fresh
        places = [
            None if line is None else self._note(line, media, side, here, alone=number in aside)
            for number, (line, media) in enumerate(zip(fresh, sdp.media, strict=True))
        ]
        for line in way.lines[len(fresh) :]:
            if line is not None:
                line.ends[side] = End()
        if side == CALLEE and not self.answered:
            self._keep(way, tag)
        gone = way.declined | way.unfit
        if gone:
            places = [DECLINED if number in gone else place for number, place in enumerate(places)]
        return rewrite(sdp, places)

    @property
    def declined(self) -> frozenset[int]:
        """The numbers of lines of the last offer that the relay had no ports for."""
        return self._latest.declined

    @property
    def aside(self) -> frozenset[int]:
        """The numbers of lines of the last offer that no relay can carry: they are left alone."""
        return self._latest.aside

    @property
    def unfit(self) -> frozenset[int]:
        """The numbers of lines of the last answer that no relay can carry, though the offer's can be."""
        return self._latest.unfit

    def _serve_all(
        self,
        way: _Way,
        aside: frozenset[int],
        sdp: Description,
        side: Side,
        here: Where,
        there: Where,
        *,
        answers: bool,
    ) -> tuple[list[_Line | None], frozenset[int]]:
        """Return the line that serves each media line, and the numbers of those that none can."""
        known = way.lines
        fresh: list[_Line | None] = []
        lacking = _NONE
        declined = way.declined if answers else _NONE
        for number, media in enumerate(sdp.media):
            if number in declined:
                fresh.append(None)
                continue
            line = known[number] if number < len(known) else None
            if line is None and media.port and not media.why_not and number not in aside:
                line = self._serve(way, media, side, here, there)
                if line is None:
                    lacking |= {number}
            fresh.append(line)
        return fresh, lacking

    def _lack(self, way: _Way, fresh: list[_Line | None], *, whole: bool) -> None:
        """The relay lacks ports for some lines: others go on without them.

        Raises:
            NoSlot: All are wanted, or none is relayed yet on that way.
        """
        known = way.lines
        if not whole and any(known):
            return
        self._spare += [
            slot for line in fresh if line is not None and line not in known for slot in line.slots
        ]
        raise NoSlot

    def _serve(
        self, way: _Way, media: Media, side: Side, here: Where, there: Where
    ) -> _Line | None:
        """Return a line that serves a media line; None where the relay lacks ports for it."""
        mine = self._slot(family_of_media(media.host, here), here.local)
        far = way.family if side == CALLER else family_of(there.local)
        other = self._slot(far, there.local)
        if mine is None or other is None:
            self._spare += [slot for slot in (mine, other) if slot is not None]
            return None
        return _Line((mine, other) if side == CALLER else (other, mine))

    def _note(
        self, line: _Line, media: Media, side: Side, here: Where, *, alone: bool
    ) -> Place | None:
        """Note what one line says; return what stands in its place."""
        line.muxes[side] = media.rtcp_mux
        if (
            not media.port or media.why_not or alone
        ):  # declined (RFC 3264 §6), or taken out of the call (§8.2)
            line.ends[side] = End(sends=False, receives=False)
            return None
        line.ends[side] = end_of(media, here.source, natted=here.natted)
        return _place(line, media, side)

    def _keep(self, way: _Way, tag: bytes) -> None:
        """Keep what somebody who was called says, in case it is the one who answers."""
        early = self._early
        if tag not in early and len(early) >= _MOST_EARLY:
            del early[next(iter(early))]
        said = [
            None if line is None else (line.ends[CALLEE], line.muxes[CALLEE]) for line in way.lines
        ]
        early[tag] = way, said
        way.heard = tag

    def forget(self) -> None:
        """Forget what the callee said: another target is tried in its place.

        Whoever was given up may still answer; what each has said is kept for that.
        """
        self._changed = True
        for way in self._all_ways():
            way.heard = b""
            way.hear([])

    def save(self) -> None:
        """Remember how things stand, in case the offer that comes now is refused (RFC 3264 §8)."""
        self._is_open = True
        if self._saved is None:
            self._saved = {way: _standing(way) for way in self._all_ways()}, self._early.copy()

    def settle(self) -> None:
        """The offer was accepted: what it said is how things stand."""
        if self._saved is not None:
            self._saved, self._is_open, self._changed = None, False, True

    def revert(self) -> None:
        """The offer was refused: things stand as before."""
        saved, self._saved, self._is_open = self._saved, None, False
        if saved is None:
            return
        self._changed = True
        before, self._early = saved
        for way in self._all_ways():
            said, way.heard = before.get(way, ([], b""))
            for number, line in enumerate(way.lines):
                if line is not None:
                    one = said[number] if number < len(said) else None
                    line.ends, line.muxes = one or ([End(), End()], [False, False])

    def _all_lines(self) -> Iterable[_Line | None]:
        """Return the lines of all ways."""
        return [line for way in self._all_ways() for line in way.lines]

    @property
    def is_silent(self) -> bool:
        """Whether neither side has described anything that holds."""
        lines = self._all_lines()
        return not any(end.rtp or end.source for line in lines if line for end in line.ends)

    @property
    def is_empty(self) -> bool:
        """Whether no media line is relayed yet."""
        return not any(any(way.lines) for way in self._ways.values())

    @property
    def carries(self) -> bool:
        """Whether there is anything for a relay to do: both ends of a line are known, or it was told."""
        return (
            self.revision > 0
            or self.answered
            or any(
                line is not None and all(end.rtp for end in line.ends) for line in self._all_lines()
            )
        )

    @property
    def slots(self) -> list[Slot]:
        """The slots of all its lines."""
        return [slot for way in self._all_ways() for slot in way.slots]

    def spare(self) -> list[Slot]:
        """Return slots that were taken in vain, once: the relay had not enough of them."""
        spare, self._spare = self._spare, []
        return spare

    def _standing_lines(self) -> list[tuple[tuple[Slot, Slot], _Both] | None]:
        """Return the slots of each line, and what holds of it.

        While an offer is open, its sender sends from where it was (RFC 3264 §8.3.1); lines that it adds
        are there already, so that their ports are held.
        """
        before = self._saved[0] if self._saved is not None and self._is_open else {}
        standing: list[tuple[tuple[Slot, Slot], _Both] | None] = []
        for way in self._all_ways():
            stood = before[way][0] if way in before else []
            for line, both in zip_longest(way.lines, stood[: len(way.lines)]):
                now = None if line is None else (line.slots, both or (line.ends, line.muxes))
                standing.append(now)
        return standing

    def session(self) -> Session | None:
        """Return what the relay is to be told, or None where it has been told already."""
        if not self._changed:
            return None
        self._changed = False
        standing = self._standing_lines()
        streams = tuple(None if one is None else _stream(*one) for one in standing)
        memo = self._memo([None if one is None else one[1][1].copy() for one in standing])
        last = self._last
        if (
            last is not None
            and last.answered == self.answered
            and last.streams == streams
            and self._last_memo == memo
        ):
            return None
        self.revision += 1
        for way in self._ways.values():
            way.told = True
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

    def _memo(self, muxes: list[list[bool] | None]) -> list[object]:
        tags = [tag.decode("latin-1") for tag in (self.caller_tag, self.callee_tag)]
        return [*tags, muxes]


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
        told = [stream.slots for stream in session.streams if stream is not None]
        way = _Way(family_of(told[0][CALLEE].host) if told else 4)
        for stream, pair in zip(session.streams, muxes, strict=True):
            way.lines.append(None if stream is None else _line(stream, pair))
        way.told, exchange._ways[way.family] = True, way
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise PeerError("the session is not one of ours", rule="media relay link") from error
    exchange.answered, exchange.revision = session.answered, session.revision
    exchange._last, exchange._last_memo = session, exchange._memo(muxes)
    return exchange


def _stream(slots: tuple[Slot, Slot], said: _Both) -> Stream:
    """Return a line in the relay's words."""
    ends, muxes = said
    if all(muxes):  # RFC 5761 §5.1.1: only where both sides say so
        ends = [replace(end, rtcp=end.rtp) for end in ends]
    return Stream(slots, (ends[0], ends[1]))


def _line(stream: Stream, muxes: object) -> _Line:
    line = _Line(stream.slots)
    if not isinstance(muxes, list) or [type(one) for one in muxes] != [bool, bool]:
        raise TypeError(muxes)
    line.ends, line.muxes = list(stream.ends), muxes
    return line


def _standing(way: _Way) -> _Stood:
    """Return how things stand on a way."""
    lines = [None if line is None else (line.ends.copy(), line.muxes.copy()) for line in way.lines]
    return lines, way.heard


def _stand_in(way: _Way, number: int, media: Media, side: Side) -> Place | None:
    """Return what stands in a line's place of which nothing is noted."""
    if media.why_not:
        return None
    line = way.lines[number] if number < len(way.lines) else None
    return DECLINED if line is None else _place(line, media, side)


def _place(line: _Line, media: Media, side: Side) -> Place:
    """Return what a line of one side says to the other: the slot that faces it."""
    facing = line.slots[1 - side]
    together = media.rtcp_mux and media.rtcp_port == media.port
    return Place(facing.shown, facing.port, facing.port + (not together))


def family_of_media(host: str, here: Where) -> Family:
    """Return the IP version of a media line's address; where that is a name, its side's own."""
    return family_of(host if is_numeric(host) else here.local)
