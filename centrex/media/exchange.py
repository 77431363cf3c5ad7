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
from typing import Final, NamedTuple

from centrex.base import PeerError
from centrex.media.pending import Pending
from centrex.media.terms import Session, Slot
from centrex.media.ways import (
    CALLEE,
    CALLER,
    GONE,
    NONE,
    NOTHING,
    UNSAID,
    Before,
    Both,
    Early,
    Family,
    Line,
    Side,
    Way,
    line_of,
    other_side,
    to_stream,
    untold,
)
from centrex.media.whereabouts import end_of, is_numeric, names, odd_lines
from centrex.sdp import DECLINED, Description, Media, Place, rewrite

__all__ = [
    "CALLEE",
    "CALLER",
    "NOWHERE",
    "Exchange",
    "Family",
    "NoSlot",
    "Side",
    "Where",
    "family_of",
    "family_of_media",
    "restored",
]

_MOST_EARLY: Final = 16
"""Dialogs before the answer whose descriptions are kept, for whichever of them answers."""
_LATEST: Final = 0xFFFFFFFF
_NO_WAY: Final = Way(4)
"""What was described last while nothing was; it is only read."""


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

    Attributes:
        unused: Slots that were taken in vain: the relay had not enough of them; see `spare`.
    """

    __slots__ = (
        "_changed",
        "_early",
        "_last",
        "_last_memo",
        "_latest",
        "_pending",
        "_slot",
        "_ways",
        "answered",
        "call_id",
        "callee_tag",
        "caller_tag",
        "ended",
        "later",
        "name",
        "revision",
        "unused",
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
        self.answered = self.ended = False
        self.revision = self.later = 0  # see `Orphan`
        self._slot = slot
        self.unused: list[Slot] = []
        self._ways: dict[Family, Way] = {}
        self._latest = _NO_WAY
        self._early: Early = {}
        self._pending: Pending | None = None
        self._last: Session | None = None
        self._last_memo: list[object] = []
        self._changed = False

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
        if self.ended or not ways:
            return []
        first = next(iter(ways.values()))
        way, said = self._early.get(callee_tag) or (ways.get(family, first), [])
        if self._early and way.heard != callee_tag:
            way.hear(said)
        self._early = {}
        if len(ways) == 1:
            return []
        vain = [slot for one in self._all_ways() if one is not way for slot in one.slots]
        self._ways = {way.family: way}
        return untold(vain, self._last)

    def share(self, family: Family) -> Family:
        """Have those who are called by an IP version served by the other one's lines; return that."""
        other: Family = 4 if family == 6 else 6
        self._ways[family] = self._ways.get(other) or Way(other)
        self._ways.setdefault(other, self._ways[family])
        return other

    def _way_of(self, callee: Where) -> Way:
        """Return the way to a callee: after the answer there is one."""
        ways = self._ways
        if self.answered and ways:
            return next(iter(ways.values()))
        family = family_of(callee.local)
        if family not in ways:
            ways[family] = Way(family)
        return ways[family]

    def _all_ways(self) -> Iterable[Way]:
        """Return the ways there are, each once."""
        return dict.fromkeys(self._ways.values())

    def is_foreign(self, tag: bytes) -> bool:
        """Whether a dialog is of somebody who was called too, but did not get the call.

        Args:
            tag: The tag of whoever was called; empty where it is not known.
        """
        return self.answered and tag != self.callee_tag and bool(tag and self.callee_tag)

    def has_passed(self, sdp: Description) -> bool:
        """Whether a description names ports of ours: its call has come back to us, by another proxy."""
        ports = [media.port for media in sdp.media]
        for way in self._ways.values():
            for line in way.lines:
                if line is None:
                    continue
                for slot in line.slots:
                    if slot.port in ports and names(sdp, slot):
                        return True
        return False

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
        called, but did not get the call, is rewritten and not noted; nor is what comes after its end.

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
        if self.ended or (self.answered and self.is_foreign(tag)):
            return rewrite(
                sdp, [_stand_in(way, *one, side) for one in enumerate(sdp.media)], self.later
            )
        self._changed, self._latest = True, way
        if answers:
            self._answer_pending(way, other_side(side))
        odd = odd_lines(sdp)
        aside = way.aside if answers else odd
        fresh, lacking = self._serve_all(way, aside, sdp, side, here, there, answers=answers)
        if lacking:
            self._lack(way, fresh, whole=whole)
        if self.answered and not answers:
            way.offered(side, sdp.media)
        way.declined = way.declined | lacking if answers else lacking
        way.aside = aside
        way.unfit = odd - aside - way.declined
        way.serve(fresh, side)
        places: list[Place | None] = []
        for number, media in enumerate(sdp.media):
            line = fresh[number]
            alone = number in aside
            places.append(
                None if line is None else self._note(line, media, side, here, alone=alone)
            )
        for line in way.lines[len(fresh) :]:
            if line is not None:
                line.ends[side] = UNSAID
        if side == CALLEE and not self.answered:
            self._keep(way, tag)
        gone = way.declined | way.unfit
        if gone:
            places = [DECLINED if number in gone else place for number, place in enumerate(places)]
        return rewrite(sdp, places, self.later)

    def _answer_pending(self, way: Way, offerer: Side) -> None:
        """What a side has offered is answered."""
        pending = self._pending
        if pending is not None:
            pending.answer(offerer)
        if way.former and (pending is None or not pending.has(offerer)):
            way.let_go(offerer)

    @property
    def is_whole(self) -> bool:
        """Whether all lines of the last offer are relayed, and all of its answer."""
        latest = self._latest
        return not (latest.declined or latest.aside or latest.unfit)

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
        way: Way,
        aside: frozenset[int],
        sdp: Description,
        side: Side,
        here: Where,
        there: Where,
        *,
        answers: bool,
    ) -> tuple[list[Line | None], frozenset[int]]:
        """Return the line that serves each media line, and the numbers of those that none can."""
        known = way.lines
        fresh: list[Line | None] = []
        lacking = NONE
        declined = way.declined if answers else NONE
        for number, media in enumerate(sdp.media):
            if number in declined:
                fresh.append(None)
                continue
            line = known[number] if number < len(known) else None
            if media.port and not media.why_not and number not in aside:
                if line is None:
                    line = self._serve(way, media, side, here, there)
                    if line is None:
                        lacking |= {number}
                elif way.told and not answers and _has_moved(line, media, side, here):
                    line = self._serve(way, media, side, here, there) or line
            fresh.append(line)
        return fresh, lacking

    def _lack(self, way: Way, fresh: list[Line | None], *, whole: bool) -> None:
        """The relay lacks ports for some lines: others go on without them.

        Raises:
            NoSlot: All are wanted, or none is relayed yet on that way.
        """
        known = way.lines
        if not whole and any(known):
            return
        self.unused += [
            slot for line in fresh if line is not None and line not in known for slot in line.slots
        ]
        raise NoSlot

    def _serve(self, way: Way, media: Media, side: Side, here: Where, there: Where) -> Line | None:
        """Return a line that serves a media line; None where the relay lacks ports for it."""
        mine = self._slot(family_of_media(media.host, here), here.local)
        far = way.family if side == CALLER else family_of(there.local)
        other = self._slot(far, there.local)
        if mine is None or other is None:
            self.unused += [slot for slot in (mine, other) if slot is not None]
            return None
        return Line((mine, other) if side == CALLER else (other, mine))

    def _note(
        self, line: Line, media: Media, side: Side, here: Where, *, alone: bool
    ) -> Place | None:
        """Note what one line says; return what stands in its place."""
        line.muxes[side] = media.rtcp_mux
        if not media.port or media.why_not or alone:
            line.ends[side] = GONE
            return None
        line.ends[side] = end_of(media, here.source, natted=here.natted)
        return _place(line, media, side)

    def _keep(self, way: Way, tag: bytes) -> None:
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

    def save(self, side: Side, *, update: bool = False) -> None:
        """Remember how things stand, in case the offer that comes now is refused (RFC 3264 §8).

        The other side may have one of its own pending (RFC 3261 §14.2): each comes to its own end.

        Args:
            side: Whose request it belongs to.
            update: Whether that is an UPDATE.
        """
        if self._pending is None:
            self._pending = Pending()
        self._pending.add((side, update), self._before)

    def settle(self, side: Side, *, update: bool = False) -> None:
        """The offer was accepted: what it said is how things stand."""
        pending = self._pending
        if pending is None or (side, update) not in pending:
            return
        for way in self._all_ways():
            way.let_go(side)
        pending.accept((side, update), self._before)
        self._changed = True

    def revert(self, side: Side, *, update: bool = False) -> None:
        """The offer was refused: things stand as before, but for what else was offered since."""
        pending = self._pending
        if pending is None or (side, update) not in pending:
            return
        refused = pending.refuse((side, update))
        if refused is None:
            return
        self._changed = True
        (stood, early), only = refused
        if only is None:
            self._early = early
        for way in self._all_ways():
            if not pending.has(side):
                way.let_go(side, back=True)
            way.stand(stood.get(way, NOTHING), only)

    def _before(self) -> Before:
        return {way: way.stands for way in self._all_ways()}, self._early.copy()

    def _all_lines(self) -> Iterable[Line | None]:
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
        return self.carries is None

    @property
    def carries(self) -> bool | None:
        """Whether there is anything for a relay to do: both ends of a line are known, or it was told.

        None where no media line is relayed yet.
        """
        some: bool | None = None
        for way in self._ways.values():
            for line in way.lines:
                if line is None:
                    continue
                if self.revision or self.answered:
                    return True
                caller, callee = line.ends
                if caller.rtp and callee.rtp:
                    return True
                some = False
        return some

    @property
    def slots(self) -> list[Slot]:
        """The slots of all its lines."""
        return [slot for way in self._all_ways() for slot in way.slots]

    @property
    def untold(self) -> list[Slot]:
        """Those of them that the relay was not told of."""
        return untold(self.slots, self._last)

    def spare(self) -> list[Slot]:
        """Return slots that were taken in vain, once: the relay had not enough of them."""
        spare, self.unused = self.unused, []
        return spare

    def _standing_lines(self) -> list[tuple[tuple[Slot, Slot], Both] | None]:
        """Return the slots of each line, and what holds of it.

        While an offer is open, its sender sends from where it was (RFC 3264 §8.3.1); lines that it adds
        are there already, so that their ports are held.
        """
        standing: list[tuple[tuple[Slot, Slot], Both] | None] = []
        before = [] if self._pending is None else list(self._pending.stood())
        for way in self._all_ways():
            lines = [None if line is None else (line.slots, line.said) for line in way.lines]
            for side, (stood, _) in before:
                for number, (line, said) in enumerate(
                    zip(lines, stood.get(way, NOTHING).lines, strict=False)
                ):
                    if line is not None and said is not None and number not in way.former:
                        (ends, muxes), (was, had) = line[1], said
                        ends[side], muxes[side] = was[side], had[side]
            standing += lines
            standing += [(line.slots, line.said) for _, line in way.former.values()]
        return standing

    def session(self) -> Session | None:
        """Return what the relay is to be told, or None where it has been told already."""
        if not self._changed:
            return None
        self._changed = False
        if self.answered and not self._pending:
            self._vacate()
        standing = self._standing_lines()
        streams = tuple(None if one is None else to_stream(*one) for one in standing)
        memo = self._memo([None if one is None else one[1][1] for one in standing])
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
        call_id, words = self.call_id.decode("latin-1"), json.dumps(memo)
        self._last = Session(self.name, call_id, self.revision, self.answered, streams, words)
        return self._last

    def _vacate(self) -> None:
        """All is settled: what serves lines that are declined is free for other calls.

        The relay frees what it is told of no more, and the others are as they were leased. A line that
        is taken up again gets other ports (RFC 3264 §8.3.1).
        """
        for way in self._all_ways():
            self.unused += untold(way.vacate(), self._last)

    def _memo(self, muxes: list[list[bool] | None]) -> list[object]:
        tags = [tag.decode("latin-1") for tag in (self.caller_tag, self.callee_tag)]
        return [*tags, muxes, self.later] if self.later else [*tags, muxes]


def restored(session: Session, slot: Callable[[Family, str], Slot | None]) -> Exchange:
    """Return the exchange of a session that a relay still holds after we were started again.

    Raises:
        PeerError: It is not one of ours.
    """
    try:
        caller, callee, muxes, *rest = json.loads(session.memo)
        (later,) = rest or (0,)
        if type(later) is not int or not 0 <= later <= _LATEST:
            raise TypeError(later)
        call_id, tags = session.call_id.encode("latin-1"), (caller.encode("latin-1"), callee)
        exchange = Exchange(session.id, call_id, tags[0], slot)
        exchange.callee_tag = callee.encode("latin-1")
        told = [stream.slots for stream in session.streams if stream is not None]
        way = Way(family_of(told[0][CALLEE].host) if told else 4)
        for stream, pair in zip(session.streams, muxes, strict=True):
            way.lines.append(None if stream is None else line_of(stream, pair))
        way.told, exchange._ways[way.family] = True, way
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise PeerError("the session is not one of ours", rule="media relay link") from error
    exchange.answered, exchange.revision = session.answered, session.revision
    exchange.later = later
    exchange._last, exchange._last_memo = session, exchange._memo(muxes)
    return exchange


def _has_moved(line: Line, media: Media, side: Side, here: Where) -> bool:
    """Whether a side wants its media at an address that the port facing it cannot send to."""
    family = family_of(line.slots[side].host)
    return not media.is_held and family_of_media(media.host, here) != family


def _stand_in(way: Way, number: int, media: Media, side: Side) -> Place | None:
    """Return what stands in a line's place of which nothing is noted."""
    if media.why_not:
        return None
    line = way.lines[number] if number < len(way.lines) else None
    return DECLINED if line is None else _place(line, media, side)


def _place(line: Line, media: Media, side: Side) -> Place:
    """Return what a line of one side says to the other: the slot that faces it."""
    facing = line.slots[1 - side]
    together = media.rtcp_mux and media.rtcp_port == media.port
    return Place(facing.shown, facing.port, facing.port + (not together))


def family_of_media(host: str, here: Where) -> Family:
    """Return the IP version of a media line's address; where that is a name, its side's own."""
    return family_of(host if is_numeric(host) else here.local)
