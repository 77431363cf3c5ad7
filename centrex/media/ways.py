"""The media lines of one call on their way through the relay: what each side said of them, now and before.

It knows no descriptions and decides nothing; see `exchange`.
"""

from collections.abc import Iterable
from itertools import zip_longest
from typing import Final, Literal, NamedTuple, TypeAlias

from centrex.media.terms import End, Session, Slot, Stream
from centrex.sdp import Media

Side: TypeAlias = Literal[0, 1]
"""`CALLER` or `CALLEE`, also the index of a side's slot and end in a `Stream`."""
Family: TypeAlias = Literal[4, 6]

NONE: Final[frozenset[int]] = frozenset()
CALLER: Final[Side] = 0
CALLEE: Final[Side] = 1
UNSAID: Final = End()
"""What a side says of a line before it has described it."""
GONE: Final = End(sends=False, receives=False)
"""What it says of one that it declines (RFC 3264 §6), or takes out of the call (§8.2)."""


class Line:
    """One media line: its slots, and what each side said of it last."""

    __slots__ = ("ends", "muxes", "slots")

    def __init__(self, slots: tuple[Slot, Slot]) -> None:
        self.slots = slots
        self.ends: list[End] = [UNSAID, UNSAID]
        self.muxes = [False, False]

    @property
    def said(self) -> "Both":
        """What both sides said of it."""
        return self.ends.copy(), self.muxes.copy()

    @property
    def is_vacant(self) -> bool:
        """Whether a side has declined it, or neither says anything of it."""
        first, second = self.ends
        return first is GONE or second is GONE or (first is UNSAID and second is UNSAID)

    def stand(self, said: "Both | None", sides: Iterable[Side]) -> None:
        """Put what sides said before in place of what they say now."""
        ends, muxes = said or ([UNSAID, UNSAID], [False, False])
        for side in sides:
            self.ends[side], self.muxes[side] = ends[side], muxes[side]

    def hear(self, said: "Said | None") -> None:
        """Put what somebody else who was called has said in place of what the callee said."""
        self.ends[CALLEE], self.muxes[CALLEE] = said or (UNSAID, False)


Said: TypeAlias = tuple[End, bool]
"""What the callee said of a line: its end, and whether it has RTCP on one port."""


class Way:
    """The lines that serve those who are called by one IP version.

    Attributes:
        family: That version.
        lines: The line that serves each media line; None where none does.
        aside: The numbers of lines of its last offer that no relay can carry.
        declined: The numbers of those that the relay had no ports for.
        heard: The tag of whoever was called and described itself last.
        told: Whether the relay knows of it.
        unfit: The numbers of lines of its last answer that no relay can carry.
        former: What served lines, by their numbers, until a side offered an address of another IP
            version: whose offer that is, and the line. It serves on until that offer is settled.
    """

    __slots__ = ("aside", "declined", "family", "former", "heard", "lines", "told", "unfit")

    def __init__(self, family: Family) -> None:
        self.family = family
        self.lines: list[Line | None] = []
        self.aside = self.declined = self.unfit = NONE
        self.heard = b""
        self.told = False
        self.former: dict[int, tuple[Side, Line]] = {}

    def serve(self, fresh: "list[Line | None]", side: Side) -> None:
        """Have lines serve what a side describes; one in another's place knows what the other side said."""
        for number, (old, new) in enumerate(zip(self.lines, fresh, strict=False)):
            if old is not None and new is not None and old is not new:
                other = other_side(side)
                new.ends[other], new.muxes[other] = old.ends[other], old.muxes[other]
                self.former.setdefault(number, (side, old))
        self.lines[: len(fresh)] = fresh

    def let_go(self, side: Side, *, back: bool = False) -> None:
        """A side's offer is settled: what served before it does so no longer; or again, if it was refused."""
        for number, (whose, line) in tuple(self.former.items()):
            if whose == side:
                del self.former[number]
                if back:
                    self.lines[number] = line

    @property
    def slots(self) -> list[Slot]:
        """The slots of its lines."""
        return [slot for line in self.lines if line is not None for slot in line.slots]

    def offered(self, side: Side, medias: Iterable[Media]) -> None:
        """A side offers lines anew: the other one may take what it has declined before."""
        other = other_side(side)
        for line, media in zip(self.lines, medias, strict=False):
            if line is not None and media.port and line.ends[other] is GONE:
                line.ends[other] = UNSAID

    def vacate(self) -> list[Slot]:
        """Let go of the lines that serve nothing; one is kept if all are like that: the call goes on.

        Returns:
            Their slots.
        """
        lines = self.lines
        vacant = [number for number, line in enumerate(lines) if line and line.is_vacant]
        if not vacant:
            return []
        if len(vacant) == sum(line is not None for line in lines):
            del vacant[0]
        slots: list[Slot] = []
        for number in vacant:
            line, lines[number] = lines[number], None
            slots += line.slots if line is not None else ()
        return slots

    @property
    def stands(self) -> "Stood":
        """How it stands now."""
        lines = [None if line is None else line.said for line in self.lines]
        return Stood(lines, self.heard, self.aside, self.declined)

    def stand(self, stood: "Stood", side: Side | None) -> None:
        """Have it stand as before; lines that there were none of then stay, and nothing is said of them.

        Args:
            stood: How it stood.
            side: Whose words alone are taken back; None for all.
        """
        if side is None:
            self.heard, self.aside, self.declined = stood.heard, stood.aside, stood.declined
        for line, said in zip_longest(self.lines, stood.lines[: len(self.lines)]):
            if line is not None:
                line.stand(said, (CALLER, CALLEE) if side is None else (side,))

    def hear(self, said: "list[Said | None]") -> None:
        """Put what somebody else who was called has said in place of what the callee said."""
        for number, line in enumerate(self.lines):
            if line is not None:
                line.hear(said[number] if number < len(said) else None)


Early: TypeAlias = dict[bytes, tuple[Way, list[Said | None]]]
"""The way of each that was called, and what it has said of each line, by its tag."""
Both: TypeAlias = tuple[list[End], list[bool]]
"""What both sides said of a line: their ends, and whether they have RTCP on one port."""


class Stood(NamedTuple):
    """How a way stood before an offer."""

    lines: list[Both | None]
    """What both sides said of each line."""
    heard: bytes
    aside: frozenset[int]
    declined: frozenset[int]


NOTHING: Final = Stood([], b"", NONE, NONE)
"""How a way stood before there was one."""
Before: TypeAlias = tuple[dict[Way, Stood], Early]
"""How all stood before an offer."""


def other_side(side: Side) -> Side:
    """Return the other side."""
    return CALLEE if side == CALLER else CALLER


def to_stream(slots: tuple[Slot, Slot], said: Both) -> Stream:
    """Return a line in the relay's words."""
    ends, muxes = said
    if all(muxes):  # RFC 5761 §5.1.1: only where both sides say so
        ends = [end._replace(rtcp=end.rtp) for end in ends]
    return Stream(slots, (ends[0], ends[1]))


def line_of(stream: Stream, muxes: object) -> Line:
    """Return the line that the relay knows by such a stream.

    Args:
        stream: The stream.
        muxes: Whether each side has RTCP on one port.

    Raises:
        TypeError: That is not what it should be.
    """
    line = Line(stream.slots)
    if not isinstance(muxes, list) or [type(one) for one in muxes] != [bool, bool]:
        raise TypeError(muxes)
    line.ends, line.muxes = [GONE if end == GONE else end for end in stream.ends], muxes
    return line


def untold(slots: list[Slot], session: Session | None) -> list[Slot]:
    """Return those slots that the relay does not know of, if that session is what it was told last."""
    if not slots or session is None:
        return slots
    told = {slot for one in session.streams if one is not None for slot in one.slots}
    return [slot for slot in slots if slot not in told]
