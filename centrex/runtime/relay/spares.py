"""Pairs of ports whose call has ended, kept open for calls to come: opening costs more than a call's rest.

A pair rests first, so that the last packets of its call find nobody. Which of the rested ones is taken
is drawn, as a new one would be. It knows pairs and times, and opens and closes nothing.
"""

from collections import deque
from collections.abc import Callable, Iterator
from typing import Final

from centrex.base import Instant
from centrex.runtime.relay.ports import Pair

_REST_S: Final = 2.0
_KEPT_S: Final = 60.0
"""How long a pair that nobody needs stays open."""
_MOST: Final = 4096


class Spares:
    """The pairs of one relay that serve nobody and are lent to nobody.

    Args:
        draw: Returns a random number below its argument.
    """

    def __init__(self, draw: Callable[[int], int]) -> None:
        self._draw = draw
        self._resting: deque[tuple[Instant, Pair]] = deque()
        self._rested: dict[str, list[tuple[Instant, Pair]]] = {}
        self._gone: set[Pair] = set()
        """Those among them that were taken out again by their number."""
        self._count = 0

    def __len__(self) -> int:
        return self._count

    @property
    def is_full(self) -> bool:
        """Whether no more are kept."""
        return self._count >= _MOST

    def put(self, pair: Pair, now: Instant) -> None:
        """Keep a pair whose call has ended."""
        pair.spare = True
        self._resting.append((now, pair))
        self._count += 1

    def take(self, host: str, now: Instant, *, hurry: bool = False) -> Pair | None:
        """Return one of an address that has rested; None where there is none.

        Args:
            host: The address.
            now: The time.
            hurry: Whether one will do that has not rested, since no other port is left.
        """
        self._wake(now - _REST_S * (not hurry))
        rested = self._rested.get(host)
        while rested:
            at = self._draw(len(rested))
            rested[at], rested[-1] = rested[-1], rested[at]
            pair = rested.pop()[1]
            if self._is_here(pair):
                self._forget(pair)
                return pair
        return None

    def claim(self, pair: Pair) -> None:
        """Take a certain one out."""
        self._forget(pair)
        self._gone.add(pair)

    def overdue(self, now: Instant) -> Iterator[Pair]:
        """Take out and return those that nobody has needed for long."""
        self._wake(now - _REST_S)
        for host, rested in self._rested.items():
            kept = []
            for since, pair in rested:
                if not self._is_here(pair):
                    continue
                if now - since > _KEPT_S:
                    self._forget(pair)
                    yield pair
                else:
                    kept.append((since, pair))
            self._rested[host] = kept

    def _wake(self, since: Instant) -> None:
        """Those that rest since then have rested."""
        while self._resting and self._resting[0][0] <= since:
            began, pair = self._resting.popleft()
            if self._is_here(pair):
                self._rested.setdefault(pair.slot.host, []).append((began, pair))

    def _is_here(self, pair: Pair) -> bool:
        """Whether a pair was not taken out by its number; it is met only once more."""
        if pair not in self._gone:
            return True
        self._gone.discard(pair)
        return False

    def _forget(self, pair: Pair) -> None:
        pair.spare = False
        self._count -= 1
