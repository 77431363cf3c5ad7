"""The offers of one call that are neither accepted nor refused yet, and how things stood before each.

Each side may have one in a re-INVITE, and one in an UPDATE within that (RFC 6141 §3.1, RFC 3311 §5.1). It
knows nothing of descriptions, nor of what stands.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple, TypeAlias

from centrex.media.ways import Before, Side

Offer: TypeAlias = tuple[Side, bool]
"""Whose it is, and whether it came in an UPDATE."""


class Refused(NamedTuple):
    """What becomes of an offer that was refused."""

    before: Before
    """How things stood before it."""
    only: Side | None
    """Whose words alone are taken back; None for all."""


class Pending:
    """Those offers, in the order they came."""

    __slots__ = ("_before", "_open")

    def __init__(self) -> None:
        self._before: dict[Offer, Before] = {}
        self._open: set[Offer] = set()

    def __contains__(self, offer: Offer) -> bool:
        return offer in self._before

    def __bool__(self) -> bool:
        return bool(self._before)

    def has(self, side: Side) -> bool:
        """Whether a side has one."""
        return any(one[0] == side for one in self._before)

    def add(self, offer: Offer, now: Callable[[], Before]) -> None:
        """One comes; `now` tells how things stand."""
        self._open.add(offer)
        if offer not in self._before:
            self._before[offer] = now()

    def answer(self, side: Side) -> None:
        """What a side has offered was answered, though it may yet be refused."""
        self._open = {one for one in self._open if one[0] != side}

    def stood(self) -> Iterator[tuple[Side, Before]]:
        """Yield how things stood for the sender of each that was not answered: the first one last."""
        for offer in reversed(self._before):
            if offer in self._open:
                yield offer[0], self._before[offer]

    def accept(self, offer: Offer, now: Callable[[], Before]) -> None:
        """One was accepted, and holds whatever becomes of what it came within (RFC 6141 §3.2).

        Args:
            offer: It.
            now: Tells how things stand.
        """
        for one in self._until(offer):
            if one[0] == offer[0]:
                self._drop(one)
            else:
                self._before[one] = now()
        self._drop(offer)

    def refuse(self, offer: Offer) -> Refused | None:
        """One was refused; return what is taken back of it.

        None where its sender has made another one since, which stands in its place.
        """
        later = list(self._before)[len(self._until(offer)) + 1 :]
        before = self._drop(offer)
        if later:
            self._before[later[0]] = before
        if any(one[0] == offer[0] for one in later):
            return None
        return Refused(before, offer[0] if later else None)

    def _until(self, offer: Offer) -> list[Offer]:
        """Return those that came before one."""
        order = list(self._before)
        return order[: order.index(offer)]

    def _drop(self, offer: Offer) -> Before:
        self._open.discard(offer)
        return self._before.pop(offer)
