"""What of a relay is whose: each proxy sees, uses and ends only what is its own.

It knows names, sessions and slots, and neither sockets nor links.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Final

from centrex.base import Instant
from centrex.farm.ledger import Entered, Ledger
from centrex.media.terms import Session, Slot

_LEAST: Final = 2
"""Slots lent at an address at least: those of one call."""
_STEPS: Final = 100
_OVER: Final = 10
_OVER_LEAST: Final = 8
"""So many sessions more than it takes does a relay carry before it refuses one: per cent, and at least."""
_ABSENT_S: Final = 60.0
"""How long what is lent to a proxy stays lent while it is not connected."""


class Custody:
    """The sessions of a relay, and the slots it has lent, by proxy.

    Args:
        proxies: How many proxies there are to share what it has.
        settled_at: From when on it lends, though not all of them have told what they hold: what a
            proxy believes to have must not be lent to another one.

    Attributes:
        proxies: How many proxies there are.
        capacity: How many sessions the relay takes; 0 while that is not known.
        ledger: Where they are written down; None where they are not.
    """

    def __init__(self, *, proxies: int = 1, settled_at: Instant = 0.0) -> None:
        self.proxies, self._settled_at = proxies, settled_at
        self.capacity = 0
        self.ledger: Ledger | None = None
        self._by_name: dict[str, tuple[str, str, Session]] = {}
        self._lent: dict[str, dict[tuple[str, int], Slot]] = {}
        self._lender: dict[tuple[str, int], str] = {}
        self._absent: dict[str, Instant] = {}
        self._draining: set[str] = set()
        self._told: set[str] = set()
        self._waiting: list[Callable[[], None]] = []
        self._expected: dict[str, int] = {}
        self._tell: dict[str, Callable[[int, int], None]] = {}
        self._told_total = 0

    # sessions

    def take(self, owner: str, boot: str, session: Session) -> bool:
        """Note a session; False where the name is another proxy's."""
        known = self._by_name.get(session.id)
        if known is not None and known[0] != owner:
            return False
        self._by_name[session.id] = (owner, boot, session)
        if known is None:
            self._crowd()
        return True

    def restore(self, one: Entered) -> None:
        """Note a session that a former run of the relay has written down."""
        if self.take(one.proxy, one.boot, one.session) and self.ledger is not None:
            self.ledger.put(one.session.id, one.record)

    def forget(self, name: str) -> str:
        """Forget a session; return whose it was, empty for nobody's."""
        known = self._by_name.pop(name, None)
        if known is None:
            return ""
        if self.ledger is not None:
            self.ledger.end(name)
        self._crowd()
        return known[0]

    def owner(self, name: str) -> str:
        """Return whose session it is; empty for nobody's."""
        known = self._by_name.get(name)
        return known[0] if known is not None else ""

    def of(self, owner: str) -> list[tuple[Session, str]]:
        """Return a proxy's sessions, with the run of it that told each last."""
        return [(session, boot) for who, boot, session in self._by_name.values() if who == owner]

    def counts(self) -> Counter[str]:
        """Return how many sessions each proxy has."""
        return Counter(who for who, _, _ in self._by_name.values())

    def __len__(self) -> int:
        return len(self._by_name)

    # how full it is

    def expects(self, proxy: str, count: int) -> None:
        """A proxy has so many calls that ring: they may become sessions."""
        self._expected[proxy] = count
        self._crowd()

    @property
    def expected(self) -> int:
        """How many calls of all proxies ring, as far as they have told."""
        return sum(self._expected.values())

    @property
    def total(self) -> int:
        """How many sessions there are, or may soon be."""
        return len(self._by_name) + self.expected

    @property
    def is_full(self) -> bool:
        """Whether there are as many as the relay takes."""
        return 0 < self.capacity <= self.total

    @property
    def is_overfull(self) -> bool:
        """Whether it holds more sessions than it takes, and more than proxies give it by crossing.

        Each of them may begin calls until it hears of those of the others; these have been answered,
        and would lose their media.
        """
        most = self.capacity + max(self.capacity * _OVER // 100, _OVER_LEAST)
        return self.capacity > 0 and most <= len(self._by_name)

    def _crowd(self) -> None:
        """Tell all proxies how full it is, where they should know: they share what is left."""
        if self.proxies < 2:
            return
        total, told = self.total, self._told_total
        crossed = (total >= self.capacity) != (told >= self.capacity)
        if crossed or abs(total - told) >= step(self.capacity):
            self._told_total = total
            for tell in tuple(self._tell.values()):
                tell(len(self._by_name), self.expected)

    # slots

    def share(self, pairs: int) -> int:
        """Return how many of an address's pairs a proxy may be lent: half of them go round all."""
        return max(pairs // (2 * self.proxies), _LEAST)

    def lend(self, proxy: str, slots: Iterable[Slot]) -> None:
        """Note what is lent to a proxy."""
        lent = self._lent.setdefault(proxy, {})
        for slot in slots:
            lent[slot.host, slot.port] = slot
            self._lender[slot.host, slot.port] = proxy

    def lent(self, proxy: str) -> list[Slot]:
        """Return what is lent to a proxy."""
        return list(self._lent.get(proxy, {}).values())

    def lender(self, host: str, port: int) -> str:
        """Return to whom a slot is lent; empty for nobody."""
        return self._lender.get((host, port), "")

    def use(self, proxy: str, slot: Slot) -> bool:
        """A slot is not lent to a proxy any more; False where it is lent to another one."""
        key = slot.host, slot.port
        if self._lender.get(key, proxy) != proxy:
            return False
        if self._lender.pop(key, None) is not None:
            del self._lent[proxy][key]
        return True

    # proxies that come and go

    def came(self, proxy: str, tell: Callable[[int, int], None]) -> None:
        """A proxy has logged in.

        Args:
            proxy: Its name.
            tell: Tells it how many sessions there are, and how many calls ring.
        """
        self._absent.pop(proxy, None)
        self._tell[proxy] = tell
        tell(len(self._by_name), self.expected)

    def left(self, proxy: str, now: Instant) -> None:
        """A proxy's connection is gone."""
        self._absent[proxy] = now
        self._tell.pop(proxy, None)
        if self._expected.pop(proxy, 0):
            self._crowd()

    def overdue(self, now: Instant) -> list[Slot]:
        """Return what was lent to proxies that are gone for too long; it is lent no longer."""
        gone = [proxy for proxy, since in self._absent.items() if now - since > _ABSENT_S]
        slots = []
        for proxy in gone:
            del self._absent[proxy]
            for key, slot in self._lent.pop(proxy, {}).items():
                del self._lender[key]
                slots.append(slot)
        return slots

    def drain(self, proxy: str, *, on: bool) -> None:
        """A proxy gives the relay no new calls, or some again; remembered for a new run of it."""
        if on:
            self._draining.add(proxy)
        else:
            self._draining.discard(proxy)

    def is_draining(self, proxy: str) -> bool:
        """Whether a proxy gives the relay no new calls."""
        return proxy in self._draining

    # the first moments

    def told(self, proxy: str, now: Instant) -> None:
        """A proxy has told all that it holds."""
        self._told.add(proxy)
        if self._is_settled(now):
            self.settle()

    def when_settled(self, work: Callable[[], None], now: Instant) -> None:
        """Do something once it is known what all proxies hold."""
        if self._is_settled(now):
            work()
        else:
            self._waiting.append(work)

    def settle(self) -> None:
        """Wait for nobody any longer."""
        self._settled_at = 0.0
        waiting, self._waiting = self._waiting, []
        for work in waiting:
            work()

    def _is_settled(self, now: Instant) -> bool:
        return now >= self._settled_at or len(self._told) >= self.proxies


def step(capacity: int) -> int:
    """Return by how many sessions a relay's load must have changed before others are told."""
    return max(capacity // _STEPS, 1)
