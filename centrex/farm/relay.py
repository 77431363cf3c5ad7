"""One relay as the proxy knows it: what it said of itself, what it carries, what was leased ahead.

It decides which slots a call gets and when more are to be leased; whom a call goes to is for `farm`.
"""

import enum
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, Final, Literal, Protocol

from centrex.base import Instant
from centrex.farm.wire import encode
from centrex.media.terms import Session, Slot

_LEAST: Final = 512
"""Slots leased ahead at an address that is in use: 128 calls may begin while the next ones come, at
thousands a second."""
_UNUSED: Final = 64
"""Slots at one of many addresses, until it is used."""
_MANY: Final = 2
_LOST_S: Final = 30.0
"""Seconds without a connection after which calls do not wait for a relay to come back."""
_MOST: Final = 2048


class Link(Protocol):
    """A connection to a relay: takes whole lines and never waits."""

    @property
    def source(self) -> str:
        """Where the relay connects from."""

    def send(self, line: bytes) -> None:
        """Queue a line; one that cannot be queued ends the connection."""

    def close(self) -> None:
        """End the connection once what is queued has been sent."""


class RelayState(enum.Enum):
    """How a relay is."""

    AVAILABLE = "available"
    DRAINING = "draining"
    SILENT = "silent"
    """It missed heartbeats, though its connection stands."""
    GONE = "gone"
    REFUSED = "refused"
    """It could not log in."""


class _Stock:
    """Slots at one address of a relay, leased ahead."""

    __slots__ = ("asked", "batch", "host", "rushed", "slots")

    def __init__(self, host: str, batch: int) -> None:
        self.host = host
        self.slots: deque[Slot] = deque()
        self.batch, self.asked = batch, 0
        self.rushed = False


class Relay:
    """One relay.

    Attributes:
        name: Its name.
        link: Its connection; None while there is none.
        state: How it is, draining and silence aside.
        why: What there is to say about that.
        draining: Whether it is to get no new calls.
        capacity: How many sessions it takes.
        sessions: What it carries for us, by name.
        expected: Sessions it was not told of yet, since there is nothing to carry before somebody
            answers: by name, what to ask for them, and the number of the login that leased their ports.
        told: What it said of itself at its login.
        beat: What its last heartbeat said.
        heard: When it was heard last.
        since: When it came, or left.
    """

    def __init__(self, name: str, now: Instant) -> None:
        self.name = name
        self.link: Link | None = None
        self.state, self.why = RelayState.GONE, ""
        self.draining = False
        self.capacity = 1
        self.sessions: dict[str, Session] = {}
        self.expected: dict[str, tuple[Callable[[], Session | None], int]] = {}
        self.told: dict[str, Any] = {}
        self.beat: dict[str, Any] = {}
        self.heard = self.since = now
        self.turn = 0
        self._stocks: dict[str, _Stock] = {}
        self._logins = 0

    @property
    def count(self) -> int:
        """Return how many sessions it carries, or is about to carry."""
        return len(self.sessions) + len(self.expected)

    @property
    def load(self) -> float:
        """Return which share of its capacity is in use."""
        return self.count / self.capacity

    @property
    def takes_calls(self) -> bool:
        """Whether it may get a new call."""
        return self._is_willing and self.is_stocked

    def has(self, family: Literal[4, 6]) -> bool:
        """Whether a port of that IP version is leased ahead."""
        return any(
            stock.slots and (":" in host) == (family == 6) for host, stock in self._stocks.items()
        )

    def speaks(self, family: Literal[4, 6]) -> bool:
        """Whether it has an address of that IP version, and is there."""
        return self._is_willing and any((":" in host) == (family == 6) for host in self._stocks)

    def is_lost(self, now: Instant) -> bool:
        """Whether it has been gone for so long that nobody waits for it any more."""
        return self.link is None and now - self.since > _LOST_S

    @property
    def expects_ports(self) -> bool:
        """Whether it would take a call as soon as the ports come that are being leased."""
        return self._is_willing and any(stock.asked for stock in self._stocks.values())

    @property
    def _is_willing(self) -> bool:
        return (
            self.state is RelayState.AVAILABLE and not self.draining and self.count < self.capacity
        )

    @property
    def is_stocked(self) -> bool:
        """Whether any port of it is leased ahead."""
        return any(stock.slots for stock in self._stocks.values())

    def came(self, link: Link, hosts: list[str], now: Instant) -> None:
        """It has logged in: nothing is leased yet."""
        self.link, self.state, self.why = link, RelayState.AVAILABLE, ""
        self.heard = self.since = now
        self._logins += 1
        self._stocks.clear()
        self.rehosted(hosts)

    def rehosted(self, hosts: list[str]) -> None:
        """It has these addresses now; what was leased at others is gone."""
        batch = _LEAST if len(hosts) <= _MANY else _UNUSED
        before = self._stocks
        self._stocks = {host: before.get(host) or _Stock(host, batch) for host in hosts}
        for host, stock in self._stocks.items():
            if host not in before:
                self._refill(stock)

    def left(self, why: str, now: Instant) -> None:
        """Its connection is gone, and with it what was leased."""
        self.link, self.state, self.why, self.since = None, RelayState.GONE, why, now
        self._stocks.clear()

    def send(self, kind: str, **fields: Any) -> None:
        """Send it a message, if it is there."""
        if self.link is not None:
            self.link.send(encode(kind, **fields))

    def slot(self, family: Literal[4, 6], near: str = "") -> Slot | None:
        """Take a slot that was leased ahead.

        Args:
            family: Its IP version.
            near: The address to prefer, if the relay has it.
        """
        stock = self._stocks.get(near)
        if stock is not None and stock.slots and (":" in near) == (family == 6):
            return self._take(stock)
        for host, other in self._stocks.items():
            if other.slots and (":" in host) == (family == 6):
                return self._take(other)
        for host, other in self._stocks.items():
            other.rushed |= (":" in host) == (family == 6)
        return None

    def expect(self, name: str, tell: Callable[[], Session | None]) -> None:
        """It is going to carry a session, with slots that were taken just now.

        Args:
            name: The session's name.
            tell: Returns the session as it is by then.
        """
        if name not in self.expected:
            self.expected[name] = tell, self._logins

    def forgo(self, name: str, slots: Iterable[Slot]) -> None:
        """It is not going to carry a session that was expected; what it took is leased still.

        Unless it has logged in again meanwhile: then nothing is.
        """
        _, login = self.expected.pop(name, (None, 0))
        if login == self._logins:
            self.give_back(slots)

    def give_back(self, slots: Iterable[Slot]) -> None:
        """Take slots back that were taken just now."""
        for slot in slots:
            stock = self._stocks.get(slot.host)
            if stock is not None:
                stock.slots.append(slot)

    def _take(self, stock: _Stock) -> Slot:
        slot = stock.slots.popleft()
        stock.batch = max(stock.batch, _LEAST)
        if len(stock.slots) + stock.asked < stock.batch // 2:
            self._refill(stock)
        return slot

    def _refill(self, stock: _Stock) -> None:
        """Lease as many as make the batch full."""
        count = stock.batch - len(stock.slots) - stock.asked
        if count > 0:
            stock.asked += count
            self.send("lease", host=stock.host, count=count)

    def leased(self, host: str, slots: list[Slot], wanted: int) -> None:
        """What was asked for has come, or less of it."""
        stock = self._stocks.get(host)
        if stock is None:
            return
        stock.asked = max(stock.asked - wanted, 0)
        if stock.rushed and len(slots) == wanted:
            stock.batch = min(stock.batch * 2, _MOST)
        stock.rushed = False
        stock.slots += slots

    def settle(self) -> None:
        """Once a second: ask again where a lease brought nothing, and want less after a rush."""
        for stock in self._stocks.values():
            if stock.batch > _LEAST and len(stock.slots) >= stock.batch:
                stock.batch = max(stock.batch // 2, _LEAST)
            if not stock.asked and len(stock.slots) < stock.batch // 2:
                self._refill(stock)
