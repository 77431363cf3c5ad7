"""All subscriptions: how many there may be, when each is told something, and when it ends.

A machine without messages. What changes is marked, and told in turn: at most one NOTIFY of a
subscription is unanswered, at most one is sent in a second, and changes meanwhile are told together.
However much changes, a subscription is marked once, so that a storm takes time but no memory.
"""

import heapq
from collections import deque
from collections.abc import Iterator
from typing import Final

from centrex.base import Instant
from centrex.trace import Rule
from centrex.watching.subscription import LAZILY, NOTHING, SOON, TIMEOUT, Subscription

MOST: Final = 100_000
"""Subscriptions in all."""
MOST_OF_ONE: Final = 500
"""Subscriptions of one login, or of one address where nobody logs in."""
PAUSE_S: Final = 1.0
"""The time between two NOTIFYs of one subscription."""
LAZY_S: Final = 30.0
"""How long it may take until a watcher hears that a contact stays."""
TICK_S: Final = 0.1
"""How often the queue is looked at while somebody stands in it."""
IDLE_S: Final = 1.0
"""How often ends are looked for."""
_AT_ONCE: Final = 200
"""NOTIFYs sent in one tick: what else there is to do is to wait no longer than that."""

DialogKey = tuple[bytes, bytes, bytes]
"""(Call-ID, our tag, their tag)."""


class Notifier:
    """The subscriptions of one engine.

    Args:
        most: How many there may be.
        most_of_one: How many one owner may have.
    """

    def __init__(self, most: int = MOST, most_of_one: int = MOST_OF_ONE) -> None:
        self._most, self._most_of_one = most, most_of_one
        self._table: dict[DialogKey, Subscription] = {}
        self._owners: dict[bytes, int] = {}
        self._queue: deque[Subscription] = deque()
        self._cooling: deque[tuple[Instant, Subscription]] = deque()
        self._later: deque[tuple[Instant, Subscription]] = deque()
        self._ends: dict[int, set[Subscription]] = {}
        self._seconds: list[int] = []

    def __len__(self) -> int:
        return len(self._table)

    def __iter__(self) -> Iterator[Subscription]:
        return iter(tuple(self._table.values()))

    # the table

    def find(self, call_id: bytes, own_tag: bytes, their_tag: bytes) -> Subscription | None:
        """Return the subscription of a dialog."""
        return self._table.get((call_id, own_tag, their_tag))

    def room_for(self, owner: bytes) -> Rule | None:
        """Return which bound keeps an owner from another subscription; None where none does."""
        if len(self._table) >= self._most:
            return Rule.SUBSCRIPTIONS_FULL
        if self._owners.get(owner, 0) >= self._most_of_one:
            return Rule.TOO_MANY_SUBSCRIPTIONS
        return None

    def add(self, sub: Subscription) -> None:
        """Enter a subscription; there is room for it, and `prolong` tells until when."""
        self._table[sub.call_id, sub.own_tag, sub.their_tag] = sub
        self._owners[sub.owner] = self._owners.get(sub.owner, 0) + 1

    def prolong(self, sub: Subscription, expires_at: Instant) -> None:
        """Have a subscription end at another time."""
        sub.expires_at = expires_at
        second = int(expires_at) + 1
        if sub.due != second:
            self._leave(sub)
            self._enter(sub, second)

    def remove(self, sub: Subscription, reason: bytes) -> bool:
        """End a subscription; what is still told of it is its last. False where it has ended."""
        key = (sub.call_id, sub.own_tag, sub.their_tag)
        if self._table.get(key) is not sub:
            return False
        del self._table[key]
        left = self._owners[sub.owner] - 1
        if left:
            self._owners[sub.owner] = left
        else:
            del self._owners[sub.owner]
        self._leave(sub)
        if not self._table:
            self._ends, self._seconds = {}, []
        sub.ending = reason
        return True

    def _enter(self, sub: Subscription, second: int) -> None:
        sub.due = second
        bucket = self._ends.get(second)
        if bucket is None:
            self._ends[second] = {sub}
            heapq.heappush(self._seconds, second)
        else:
            bucket.add(sub)

    def _leave(self, sub: Subscription) -> None:
        # an empty bucket stays until its second comes, as in the registry
        if sub.due:
            self._ends[sub.due].discard(sub)
            sub.due = 0

    # turns

    def touch(self, sub: Subscription, now: Instant, want: int = SOON) -> None:
        """Something is to be told to a subscription's watcher."""
        sub.want = max(sub.want, want)
        self._settle(sub, now)

    def sent(self, sub: Subscription, now: Instant) -> None:
        """A NOTIFY was sent."""
        sub.waits, sub.want = True, NOTHING
        if not sub.cooling:
            sub.cooling = True
            self._cooling.append((now + PAUSE_S, sub))

    def answered(self, sub: Subscription, now: Instant, *, more: bool) -> None:
        """The NOTIFY was answered; `more` where what there was to tell did not fit into it."""
        sub.waits = False
        if more:  # the watcher waits for the rest: its answer sets the pace
            sub.want = SOON
            self._queue_up(sub)
        else:
            self._settle(sub, now)

    def _settle(self, sub: Subscription, now: Instant) -> None:
        if sub.over or sub.waits or sub.queued or (sub.cooling and not sub.ending):
            return
        if sub.want == SOON or sub.ending:
            self._queue_up(sub)
        elif sub.want == LAZILY and not sub.later:
            sub.later = True
            self._later.append((now + LAZY_S, sub))

    def _queue_up(self, sub: Subscription) -> None:
        if not sub.queued:
            sub.queued = True
            self._queue.append(sub)

    def turns(self, now: Instant) -> list[Subscription]:
        """Return whose turn it is, a bounded number of them."""
        while self._cooling and self._cooling[0][0] <= now:
            _, sub = self._cooling.popleft()
            sub.cooling = False
            self._settle(sub, now)
        while self._later and self._later[0][0] <= now:
            _, sub = self._later.popleft()
            sub.later = False
            if sub.want:
                sub.want = SOON
                self._settle(sub, now)
        out: list[Subscription] = []
        queue = self._queue
        while queue and len(out) < _AT_ONCE:
            sub = queue.popleft()
            sub.queued = False
            if not sub.over and not sub.waits and (sub.want or sub.ending):
                out.append(sub)
        return out

    def ended(self, now: Instant) -> list[Subscription]:
        """Take out and return the subscriptions whose time is over."""
        out: list[Subscription] = []
        while self._seconds and self._seconds[0] <= now:
            second = heapq.heappop(self._seconds)
            for sub in self._ends.pop(second):
                sub.due = 0
                out.append(sub)
        for sub in out:
            self.remove(sub, TIMEOUT)
        return out

    @property
    def pause_s(self) -> float | None:
        """After how long `turns` and `ended` want to be called again; None for never."""
        if self._queue or self._cooling:
            return TICK_S
        return IDLE_S if self._table or self._later else None
