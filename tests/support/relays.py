"""A farm of relays without a network: what the core asks of it, and descriptions to be relayed."""

from collections.abc import Collection, Iterable, Sequence
from itertools import count

from centrex.farm.relay import Unsaid
from centrex.media.exchange import Exchange, Family
from centrex.media.terms import Session, Slot
from centrex.proxy.carried import Farm
from centrex.proxy.media_path import Mode
from centrex.proxy.relaying import Relaying
from centrex.sdp import Description, Media, parse
from tests.support.proxy import Proxy


class FakeRelay:
    """One relay: two addresses of each family, ports from 30000 on, up to a bound."""

    def __init__(self, name: str = "relay", *, hosts: tuple[str, ...] = (), slots: int = 1000):
        self.name, self.left = name, slots
        self.lost = False
        self.given: set[Slot] = set()
        self.hosts = hosts or ("198.51.100.1", "2001:db8:5::1")
        self._ports = count(30000, 2)

    def slot(self, family: Family, near: str = "") -> Slot | None:
        fitting = [host for host in self.hosts if (":" in host) == (family == 6)]
        if not self.left or not fitting:
            return None
        self.left -= 1
        host = near if near in fitting else fitting[0]
        slot = Slot(host, host, next(self._ports))
        self.given.add(slot)
        return slot

    def speaks(self, family: Family) -> bool:
        return any((":" in host) == (family == 6) for host in self.hosts)

    def is_lost(self, now: float) -> bool:
        return self.lost


class FakeFarm:
    """Remembers what it was told."""

    def __init__(self, *relays: FakeRelay) -> None:
        self.relays = list(relays)
        self.sessions: dict[str, Session] = {}
        self.told: list[Session] = []
        self.ended: list[tuple[str, str]] = []
        self.expected: dict[str, Unsaid] = {}
        self.returned: list[Slot] = []
        self.expects_ports = False

    def open(
        self, now: float, families: Sequence[Family] = (), tried: Collection[str] = ()
    ) -> FakeRelay | None:
        for one in self.relays:
            if one.name not in tried and not one.lost and all(map(one.speaks, families)):
                return one
        return None

    def lacks(self, families: Sequence[Family]) -> Family | None:
        missing = (one for one in families if not any(relay.speaks(one) for relay in self.relays))
        return next(missing, None) if self.relays else None

    def put(self, relay: object, session: Session, now: float) -> None:
        self.expected.pop(session.id, None)
        self.sessions[session.id] = session
        self.told.append(session)

    def end(self, relay: object, name: str, reason: str, now: float) -> None:
        del self.sessions[name]
        self.ended.append((name, reason))

    def expect(self, relay: object, name: str, unsaid: Unsaid) -> None:
        self.expected[name] = unsaid

    def forgo(self, relay: object, name: str) -> None:
        unsaid = self.expected.pop(name, None)
        if unsaid is not None:
            self.returned += unsaid.slots

    def give_back(self, relay: object, slots: Iterable[Slot]) -> None:
        self.returned += slots

    @property
    def only(self) -> Session:
        """The only session; one that is only expected is asked for, as after a login."""
        for name, unsaid in self.expected.items():
            assert isinstance(unsaid, Exchange)
            session = unsaid.session()
            assert session is not None
            self.sessions[name] = session
        self.expected.clear()
        (session,) = self.sessions.values()
        return session


def relayed(
    proxy: Proxy, *relays: FakeRelay, mode: Mode = "always", refuse: bool = False
) -> FakeFarm:
    """Give a proxy's core a farm."""
    farm = FakeFarm(*(relays or (FakeRelay(),)))
    checked: Farm = farm
    proxy.core.relaying = Relaying(checked, mode=mode, refuse=refuse)
    return farm


def offer(host: str, port: int, *more: str, session: str = "") -> str:
    """Return a description of one audio line; `more` are further lines."""
    family = "IP6" if ":" in host else "IP4"
    lines = [
        "v=0",
        f"o=- 1 1 IN {family} {host}",
        "s=-",
        f"c=IN {family} {session or host}",
        "t=0 0",
        f"m=audio {port} RTP/AVP 8 0 101",
        "a=rtpmap:8 PCMA/8000",
        *more,
    ]
    return "".join(f"{line}\r\n" for line in lines)


def described(data: bytes) -> Description:
    """Return the description in a message, whose length must be as the message says."""
    head, _, body = data.partition(b"\r\n\r\n")
    (length,) = [line for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")]
    assert int(length.split(b":")[1]) == len(body)
    return parse(body)


def line(data: bytes, number: int = 0) -> Media:
    """Return one media line of the description in a message."""
    return described(data).media[number]
