"""All subscriptions: how many there may be, when each is told something, and when it ends.

A machine without messages. What changes is marked, and told in turn: at most one NOTIFY of a
subscription is unanswered, at most one is sent in a second, and changes meanwhile are told together.
However much changes, a subscription is marked once, so that a storm takes time but no memory. Those of
the whole domain, whose documents are long, come after all others, wait the longer the more they are, and
together have a bounded number of octets unanswered.
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
"""Subscriptions of one login, or of one address where nobody logs in; of each user who shares either."""
PAUSE_S: Final = 1.0
"""The time between two NOTIFYs of one subscription."""
LAZY_S: Final = 30.0
"""How long it may take until a watcher hears that a contact stays."""
DOMAIN_A_SECOND: Final = 1000
"""Watchers of the domain that are told in a second, by and large: with more of them each waits longer."""
MOST_UNDER_WAY: Final = 64_000_000
"""Octets of unanswered NOTIFYs beyond which no watcher of the domain has his turn."""
TICK_S: Final = 0.1
"""How often the queue is looked at while somebody stands in it."""
IDLE_S: Final = 1.0
"""How often ends are looked for."""
_AT_ONCE: Final = 200
"""NOTIFYs sent in one tick: what else there is to do is to wait no longer than that."""
_OCTETS_AT_ONCE: Final = 5_000_000
"""Octets of them, beyond which no watcher of the domain has his turn."""

DialogKey = tuple[bytes, bytes, bytes]
"""(Call-ID, our tag, their tag)."""


class Notifier:
    """The subscriptions of one engine.

    Args:
        most: How many there may be.
        most_of_one: How many one owner may have.

    Attributes:
        under_way: Octets of the NOTIFYs that are not answered.
        of_domain: How many watch the whole domain.
        changes: How often subscriptions have begun, gone on or ended.
    """

    def __init__(self, most: int = MOST, most_of_one: int = MOST_OF_ONE) -> None:
        self._most, self._most_of_one = most, most_of_one
        self._table: dict[DialogKey, Subscription] = {}
        self._owners: dict[bytes, int] = {}
        self._queue: deque[Subscription] = deque()
        self._far_queue: deque[Subscription] = deque()
        self._cooling: deque[tuple[Instant, Subscription]] = deque()
        self._far_cooling: deque[tuple[Instant, Subscription]] = deque()
        self._spent = self.under_way = self.of_domain = self.changes = 0
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
        self.of_domain += not sub.user
        self.changes += 1

    def prolong(self, sub: Subscription, expires_at: Instant) -> None:
        """Have a subscription end at another time."""
        sub.expires_at = expires_at
        self.changes += 1
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
        self.of_domain -= not sub.user
        self.changes += 1
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

    def sent(self, sub: Subscription, now: Instant, octets: int = 0) -> None:
        """A NOTIFY was sent, of so many octets."""
        sub.waits, sub.want = True, NOTHING
        self.under_way += octets - sub.octets
        self._spent += octets
        sub.octets = octets
        if not sub.cooling:
            sub.cooling = True
            if sub.user:
                self._cooling.append((now + PAUSE_S, sub))
            else:
                self._far_cooling.append((now + self.domain_pause_s, sub))

    @property
    def domain_pause_s(self) -> float:
        """The time between two NOTIFYs to a watcher of the domain."""
        return max(PAUSE_S, self.of_domain / DOMAIN_A_SECOND)

    @property
    def waiting(self) -> int:
        """How many watchers of the domain wait for their turn."""
        return len(self._far_queue)

    def answered(self, sub: Subscription, now: Instant, *, more: bool) -> None:
        """The NOTIFY was answered; `more` where what there was to tell did not fit into it."""
        sub.waits = False
        self.release(sub)
        if more:  # the watcher waits for the rest: its answer sets the pace
            sub.want = SOON
            self._queue_up(sub)
        else:
            self._settle(sub, now)

    def release(self, sub: Subscription) -> None:
        """Nothing of a subscription is under way any more."""
        self.under_way -= sub.octets
        sub.octets = 0

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
            (self._queue if sub.user else self._far_queue).append(sub)

    def turns(self, now: Instant) -> Iterator[Subscription]:
        """Yield whose turn it is, a bounded number of them; each is told before the next is asked for."""
        self._spent = 0
        for cooling in (self._cooling, self._far_cooling):
            while cooling and cooling[0][0] <= now:
                _, sub = cooling.popleft()
                sub.cooling = False
                self._settle(sub, now)
        while self._later and self._later[0][0] <= now:
            _, sub = self._later.popleft()
            sub.later = False
            if sub.want:
                sub.want = SOON
                self._settle(sub, now)
        left = _AT_ONCE
        for queue in (self._queue, self._far_queue):
            while queue and left and (queue is self._queue or self._has_room):
                sub = queue.popleft()
                sub.queued = False
                if not sub.over and not sub.waits and (sub.want or sub.ending):
                    left -= 1
                    yield sub

    @property
    def _has_room(self) -> bool:
        return self._spent < _OCTETS_AT_ONCE and self.under_way < MOST_UNDER_WAY

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
        if self._queue or self._cooling or self._far_queue or self._far_cooling:
            return TICK_S
        return IDLE_S if self._table or self._later else None
