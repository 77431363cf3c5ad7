"""Timers without a heap: one queue for each duration is always in order, so arming is one append.

Nothing is cancelled: an entry that is due is offered to its owner, which ignores it in a state that
no longer waits for it. Whoever arms keeps durations few (RFC 3261 table 4 has about ten).
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from centrex.base import NEVER, Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """The base values of RFC 3261 §17.1.1.1, in seconds; the others derive from them."""

    t1: float = 0.5
    """Round-trip estimate."""
    t2: float = 4.0
    """Longest time between two sendings of a non-INVITE request or an INVITE response."""
    t4: float = 5.0
    """How long a message may live in the network."""

    @property
    def timeout(self) -> float:
        """64 x T1: timers B, D, F, H, J, L and M."""
        return 64 * self.t1


class Timers:
    """Due times by duration. `arm` is O(1); `due` costs one look at each queue.

    Attributes:
        armed: Whether anything was armed since somebody last set this back.
    """

    __slots__ = ("_queues", "armed")

    def __init__(self) -> None:
        self._queues: dict[float, deque[tuple[Instant, Any, int]]] = {}
        self.armed = False

    def arm(self, duration: float, now: Instant, owner: object, what: int) -> None:
        """Have `due` give back `(owner, what)` once `duration` seconds have passed."""
        queue = self._queues.get(duration)
        if queue is None:
            queue = self._queues[duration] = deque()
        queue.append((now + duration, owner, what))
        self.armed = True

    def due(self, now: Instant) -> Iterator[tuple[Any, int]]:
        """Take out what is due, oldest first within each duration."""
        for queue in tuple(self._queues.values()):
            while queue and queue[0][0] <= now:
                _, owner, what = queue.popleft()
                yield owner, what

    @property
    def deadline(self) -> Instant:
        """When the next entry is due; `NEVER` when there is none."""
        return min((queue[0][0] for queue in self._queues.values() if queue), default=NEVER)

    def __len__(self) -> int:
        return sum(map(len, self._queues.values()))
