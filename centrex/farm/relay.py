"""One relay as the proxy knows it: what it said of itself, what it carries, what was leased ahead.

It decides which slots a call gets and when more are to be leased; whom a call goes to is for `farm`.
"""

import enum
import ipaddress
from collections import deque
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any, Final, Literal, Protocol

from centrex.base import Instant
from centrex.farm.custody import step
from centrex.farm.wire import encode
from centrex.media.terms import Session, Slot

_LEAST: Final = 512
"""Slots leased ahead at an address that is in use: 128 calls may begin while the next ones come, at
thousands a second."""
_UNUSED: Final = 64
"""Slots at one of many addresses, until it is used."""
_MANY: Final = 2
_LOST_S: Final = 30.0
"""Seconds without a connection, or of silence on it, after which calls do not wait for a relay to come
back."""
_MOST: Final = 2048
_CROWDED: Final = 0.9
"""The load from which on other proxies are to know of each call at once."""
_FEW: Final = 4
"""Slots of a call with voice and video: with fewer, more are leased at once."""


class Link(Protocol):
    """A connection to a relay: takes whole lines and never waits."""

    @property
    def source(self) -> str:
        """Where the relay connects from."""

    def send(self, line: bytes) -> None:
        """Queue a line; one that cannot be queued ends the connection."""

    def hurry(self) -> None:
        """Have what is queued sent at once, rather than with what may follow."""

    def close(self) -> None:
        """End the connection once what is queued has been sent."""


class Unsaid(Protocol):
    """A session that a relay was not told of yet."""

    @property
    def slots(self) -> list[Slot]:
        """The slots it has taken."""


class RelayState(enum.Enum):
    """How a relay is."""

    AVAILABLE = "available"
    DRAINING = "draining"
    """Told of one that is available and to get no new calls."""
    SILENT = "silent"
    """It missed heartbeats, though its connection stands."""
    GONE = "gone"
    REFUSED = "refused"
    """It could not log in."""


class _Stock:
    """Slots at one address of a relay, leased ahead.

    Attributes:
        host: The address.
        slots: The slots.
        batch: How many there are to be.
        most: How many the relay lends.
        asked: How many were asked for, and have not come yet.
        rushed: Whether there was none when one was wanted.
        again: Whether ports became free after they were asked for.
        why: Why the last lease brought nothing.
    """

    __slots__ = ("again", "asked", "batch", "host", "most", "rushed", "slots", "why")

    def __init__(self, host: str, batch: int) -> None:
        self.host = host
        self.slots: deque[Slot] = deque()
        self.batch, self.most, self.asked = batch, _MOST, 0
        self.rushed = self.again = False
        self.why = ""

    @property
    def lacks(self) -> int:
        """Return how many are to be leased; 0 while there are enough."""
        batch, most = self.batch, self.most
        whole = batch if batch < most else most
        there = len(self.slots) + self.asked
        if there >= whole:
            return 0
        return whole - there if there < max(whole // 2, min(_FEW, whole)) else 0


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
            answers.
        foreign: Sessions it carries for other proxies, or is about to, as far as it has told.
        is_shared: Whether it serves other proxies too.
        told_expected: How many expected sessions it knows of.
        told: What it said of itself at its login.
        beat: What its last heartbeat said.
        heard: When it was heard last.
        since: When it came, fell silent, or left.
    """

    def __init__(self, name: str, now: Instant) -> None:
        self.name = name
        self.link: Link | None = None
        self.state, self.why = RelayState.GONE, ""
        self.draining = False
        self.capacity = 1
        self.sessions: dict[str, Session] = {}
        self.expected: dict[str, Unsaid] = {}
        self.foreign = self.told_expected = 0
        self.is_shared = False
        self.told: dict[str, Any] = {}
        self.beat: dict[str, Any] = {}
        self.heard = self.since = now
        self.turn = 0
        self._home = ""
        self._stocks: dict[str, _Stock] = {}
        self._ways: dict[tuple[Literal[4, 6], str], list[_Stock]] = {}

    @property
    def count(self) -> int:
        """Return how many sessions it carries, or is about to carry."""
        return len(self.sessions) + len(self.expected)

    @property
    def load(self) -> float:
        """Return which share of its capacity is in use."""
        return (self.count + self.foreign) / self.capacity

    def room_for(self, families: Sequence[Literal[4, 6]]) -> float:
        """Return its load if it may get a new call, and has ports leased ahead; 1 if not.

        Args:
            families: The IP versions of which it must have ports; none for any.
        """
        if self.state is not RelayState.AVAILABLE or self.draining:
            return 1.0
        for family in families:
            for host, stock in self._stocks.items():
                if stock.slots and (":" in host) == (family == 6):
                    break
            else:
                return 1.0
        if not families and not self.is_stocked:
            return 1.0
        return (len(self.sessions) + len(self.expected) + self.foreign) / self.capacity

    def speaks(self, family: Literal[4, 6]) -> bool:
        """Whether it has an address of that IP version."""
        return any((":" in host) == (family == 6) for host in self._stocks)

    def is_lost(self, now: Instant) -> bool:
        """Whether it has been gone for so long that nobody waits for it any more."""
        away = self.link is None or self.state is RelayState.SILENT
        return away and now - self.since > _LOST_S

    @property
    def expects_ports(self) -> bool:
        """Whether it would take a call as soon as the ports come that are being leased."""
        return self.is_willing and any(stock.asked for stock in self._stocks.values())

    @property
    def is_willing(self) -> bool:
        """Whether it would take a new call, if it has ports."""
        return self.state is RelayState.AVAILABLE and not self.draining and self.load < 1

    @property
    def is_stocked(self) -> bool:
        """Whether any port of it is leased ahead."""
        return any(stock.slots for stock in self._stocks.values())

    @property
    def shortage(self) -> str:
        """Return why there is no port for a call; empty while there is one, or one is to come."""
        if self.is_stocked or self.link is None:
            return ""
        stocks = self._stocks.values()
        if any(stock.asked for stock in stocks):
            return ""
        return next((stock.why for stock in stocks if stock.why), "no port is left")

    def came(self, link: Link, hosts: list[str], now: Instant, *, anew: bool) -> None:
        """It has logged in; what was leased before is leased still, unless it was started anew."""
        self.link, self.state, self.why = link, RelayState.AVAILABLE, ""
        self.heard = self.since = now
        self._home = link.source.rpartition(":")[0]
        if anew:
            self._stocks.clear()
        for stock in self._stocks.values():
            stock.asked = 0
        self._settle_at(hosts)

    def keep(self) -> None:
        """Tell it what is to stay leased, now that it knows its sessions, and lease what lacks.

        Before, other calls might get the ports of those that it is not told of yet.
        """
        held = [slot for stock in self._stocks.values() for slot in stock.slots]
        held += [slot for unsaid in self.expected.values() for slot in unsaid.slots]
        ports: dict[str, list[int]] = {}
        for slot in held:
            ports.setdefault(slot.host, []).append(slot.port)
        self.send("keep", ports=ports)
        self.told_expected = 0
        self.tell_expected()
        self.top_up()

    def rehosted(self, hosts: list[str]) -> None:
        """It has these addresses now; what was leased at others is gone."""
        self._settle_at(hosts)
        self.top_up()

    def _settle_at(self, hosts: list[str]) -> None:
        if _reach(self._home) in (_Reach.SITE, _Reach.WORLD):
            # it is on another machine, or speaks as if it were: its loopback is nobody else's
            hosts = [host for host in hosts if _reach(host) is not _Reach.MACHINE]
        batch = _LEAST if len(hosts) <= _MANY else _UNUSED
        before = self._stocks
        self._stocks = {host: before.get(host) or _Stock(host, batch) for host in hosts}
        self._ways.clear()

    def left(self, why: str, now: Instant) -> None:
        """Its connection is gone; whether what was leased is gone, too, its next login tells."""
        if self.state is not RelayState.SILENT:  # that one was gone before
            self.since = now
        self.link, self.state, self.why = None, RelayState.GONE, why

    def send(self, kind: str, **fields: Any) -> None:
        """Send it a message, if it is there."""
        if self.link is not None:
            self.link.send(encode(kind, **fields))

    def hurry(self) -> None:
        """Have it told at once what it was sent."""
        if self.link is not None:
            self.link.hurry()

    def slot(self, family: Literal[4, 6], near: str = "") -> Slot | None:
        """Take a slot that was leased ahead.

        Args:
            family: Its IP version.
            near: The address of this proxy that the end speaks to: the relay's is the same, if it has
                that; or else one of its network; or else the one by which the relay reaches this proxy;
                or else one that leads as far. To an end on this machine, and to no other, it is a
                loopback address.
        """
        way = self._ways.get((family, near))
        if way is None:
            way = self._ways[family, near] = self._way(family, near)
        for stock in way:
            if stock.slots:
                slot = stock.slots.popleft()
                stock.batch = max(stock.batch, _LEAST)
                if len(stock.slots) < stock.batch >> 1:
                    self._refill(stock)
                return slot
        for stock in way:
            stock.rushed = True
        return None

    def _way(self, family: Literal[4, 6], near: str) -> list[_Stock]:
        """Return the stocks of an IP version that may serve an end, the best first."""
        found = [stock for host, stock in self._stocks.items() if (":" in host) == (family == 6)]
        local = _reach(near) is _Reach.MACHINE
        able = [stock for stock in found if (_reach(stock.host) is _Reach.MACHINE) == local]
        return sorted(
            able or found,
            key=lambda one: (
                one.host != near,
                _network(one.host) != _network(near),
                one.host != self._home,
                _reach(one.host) is not _reach(near),
            ),
        )

    def forgo(self, name: str) -> None:
        """It is not going to carry a session that was expected; what it took is leased still."""
        unsaid = self.expected.pop(name, None)
        if unsaid is not None:
            self.give_back(unsaid.slots)
            self.tell_expected()

    def tell_expected(self) -> None:
        """Tell it how many sessions are expected, for other proxies' sake; not each little change."""
        if not self.is_shared:
            return
        count = len(self.expected)
        if abs(count - self.told_expected) >= step(self.capacity):
            self.told_expected = count
            self.send("expects", count=count)
            if self.load > _CROWDED:
                self.hurry()

    def give_back(self, slots: Iterable[Slot]) -> None:
        """Take slots back that are leased still."""
        for slot in slots:
            stock = self._stocks.get(slot.host)
            if stock is not None:
                stock.slots.append(slot)

    def top_up(self) -> None:
        """Lease what lacks: now, and once more if what is on its way was too little."""
        for stock in self._stocks.values():
            stock.again = stock.asked > 0
            self._refill(stock)

    def _refill(self, stock: _Stock) -> None:
        """Lease as many as make the batch full, if it is less than half full."""
        count = stock.lacks
        if count > 0 and self.link is not None:
            stock.asked += count
            self.send("lease", host=stock.host, count=count)

    def leased(
        self, host: str, slots: list[Slot], wanted: int, *, most: int = _MOST, why: str = ""
    ) -> None:
        """What was asked for has come, or less of it.

        Args:
            host: At which address.
            slots: What has come.
            wanted: How many were asked for.
            most: How many it lends at that address.
            why: Why nothing has come.
        """
        stock = self._stocks.get(host)
        if stock is None:
            return
        stock.asked = max(stock.asked - wanted, 0)
        stock.most, stock.why = min(most, _MOST), why
        if stock.rushed and len(slots) == wanted:
            stock.batch = min(stock.batch * 2, _MOST)
        stock.rushed = False
        stock.slots += slots
        if stock.again and not stock.asked:
            stock.again = False
            self._refill(stock)

    def settle(self) -> None:
        """Once a second: ask again where a lease brought nothing, and want less after a rush."""
        for stock in self._stocks.values():
            if stock.batch > _LEAST and len(stock.slots) >= stock.batch:
                stock.batch = max(stock.batch // 2, _LEAST)
            if not stock.asked:
                self._refill(stock)


class _Reach(enum.Enum):
    """From how far an address can be reached."""

    UNKNOWN, MACHINE, SITE, WORLD = range(4)


@lru_cache(256)
def _reach(host: str) -> _Reach:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return _Reach.UNKNOWN
    if address.is_loopback:
        return _Reach.MACHINE
    return _Reach.WORLD if address.is_global else _Reach.SITE


@lru_cache(256)
def _network(host: str) -> str:
    """Return the network that an address is most likely of: its /24, or /64 of IPv6."""
    if _reach(host) is _Reach.UNKNOWN:
        return host
    length = 64 if ":" in host else 24
    return str(ipaddress.ip_network(f"{host.partition('%')[0]}/{length}", strict=False))
