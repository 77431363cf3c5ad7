"""Both ends of a control link joined in memory, a plane that only remembers, an observer that too."""

from collections.abc import Iterable, Sequence
from itertools import count
from typing import Any

from centrex.base import Unavailable
from centrex.farm.custody import Custody
from centrex.farm.farm import Farm
from centrex.farm.proxy_side import ProxySide
from centrex.farm.relay import Relay
from centrex.farm.relay_side import RelaySide
from centrex.media.terms import Address, End, Session, Slot, Stream

SECRET = b"what both know"


class FakePlane:
    """Remembers what it was told; ports from 30000 on, up to a bound."""

    def __init__(self, *hosts: str, pairs: int = 10_000) -> None:
        self.hosts = {host: host for host in hosts or ("198.51.100.1",)}
        self.left = pairs
        self.held: dict[str, Session] = {}
        self.freed: list[Slot] = []
        self.ended: list[str] = []
        self.broken = ""
        self.refused = 0
        self.taken: set[int] = set()
        self.row: dict[str, Any] = {}
        self.pairs = 10_000
        self._ports = count(30000, 2)

    def reserve(self, host: str, port: int) -> Slot | None:
        if port in self.taken or host not in self.hosts:
            return None
        self.taken.add(port)
        return Slot(host, self.hosts[host], port)

    def lease(self, host: str, count: int) -> list[Slot]:
        if not self.left:
            raise Unavailable("no port is left")
        got = min(count, self.left)
        self.left -= got
        free = (port for port in self._ports if port not in self.taken)
        return [Slot(host, self.hosts[host], next(free)) for _ in range(got)]

    def free(self, slots: Iterable[Slot]) -> None:
        self.freed += slots

    def put(self, session: Session) -> None:
        if self.broken:
            raise Unavailable(self.broken)
        known = self.held.get(session.id)
        if known is None or known.revision < session.revision:
            self.held[session.id] = session

    def refuse(self) -> None:
        self.refused += 1

    def end(self, name: str) -> dict[str, Any] | None:
        self.ended.append(name)
        return {"id": name} if self.held.pop(name, None) else None

    def drop(self, name: str) -> None:
        self.end(name)

    def sessions(self, names: Sequence[str] | None = None) -> list[dict[str, Any]]:
        return [{"id": name, **self.row} for name in names or () if name in self.held]


class Ringing:
    """A call that nobody has answered yet."""

    def __init__(self, *held: Slot) -> None:
        self.slots = list(held)


class Watcher:
    """An observer that remembers; adopts what it is told to adopt."""

    def __init__(self) -> None:
        self.seen: list[tuple[Any, ...]] = []
        self.settled: list[str] = []
        self.adopts = False

    def relay_came(self, relay: Relay) -> None:
        self.seen.append(("came", relay.name))

    def relay_settled(self, relay: Relay) -> None:
        self.settled.append(relay.name)

    def relay_left(self, relay: Relay, why: str) -> None:
        self.seen.append(("left", relay.name, why))

    def relay_silent(self, relay: Relay, silent: bool) -> None:
        self.seen.append(("silent" if silent else "heard", relay.name))

    def relay_refused(self, name: str, source: str, why: str) -> None:
        self.seen.append(("refused", name, source, why))

    def session_ended(self, relay: Relay, name: str, why: str, figures: dict[str, Any]) -> None:
        self.seen.append(("ended", relay.name, name, why, figures))

    def notice(self, relay: Relay, session: Session, kind: str, words: str) -> None:
        self.seen.append(("notice", relay.name, session.id, kind, words))

    def adopt(self, relay: Relay, session: Session) -> bool:
        self.seen.append(("adopt", relay.name, session.id))
        return self.adopts


class Wire:
    """One direction of a link."""

    def __init__(self, source: str = "192.0.2.99:40000") -> None:
        self.source = source
        self.lines: list[bytes] = []
        self.hurried: list[bytes] = []
        self.closed = False

    def send(self, line: bytes) -> None:
        assert line.endswith(b"\n")
        assert line.count(b"\n") == 1
        if not self.closed:
            self.lines.append(line)

    def hurry(self) -> None:
        self.hurried += self.lines

    def close(self) -> None:
        self.closed = True


class Joined:
    """A proxy and a relay on one link."""

    def __init__(
        self,
        farm: Farm,
        plane: FakePlane,
        custody: Custody | None = None,
        *,
        name: str = "one",
        secret: bytes = SECRET,
        now: float = 0.0,
        capacity: int = 100,
        proxy: str = "office",
        boot: str = "b1",
        nonces: tuple[str, str] = ("a" * 32, "b" * 32),
    ) -> None:
        self.farm, self.plane, self.now = farm, plane, now
        self.custody = custody if custody is not None else Custody()
        self.custody.capacity = capacity
        self.to_proxy, self.to_relay = Wire(), Wire()
        told = {
            "capacity": capacity,
            "path": "userspace",
            "path_why": "",
            "version": "1",
            "boot": boot,
            "config": "c1",
            "proxies": self.custody.proxies,
        }
        self.relay_side = RelaySide(
            self.to_proxy,
            plane,
            self.custody,
            name=name,
            secret=secret,
            nonce=nonces[0],
            told=told,
            now=now,
        )
        self.proxy_side = ProxySide(
            self.to_relay,
            farm,
            name=proxy,
            secret=SECRET,
            nonce=nonces[1],
            answered=lambda *told: self.answers.append(told),
            now=now,
        )
        self.answers: list[tuple[int, list[Any], list[str]]] = []
        self.seen: list[bytes] = []

    def run(self) -> None:
        """Carry lines both ways until nobody has more to say."""
        while self.to_proxy.lines or self.to_relay.lines:
            for wire, side in (
                (self.to_proxy, self.proxy_side.receive),
                (self.to_relay, self.relay_side.receive),
            ):
                lines, wire.lines = wire.lines, []
                for line in lines:
                    self.seen.append(line)
                    side(line.rstrip(b"\n"), self.now)

    def cut(self, why: str = "cut") -> None:
        """Break the connection; what was not yet carried is lost."""
        self.to_proxy.lines.clear()
        self.to_relay.lines.clear()
        self.proxy_side.closed(why, self.now)
        self.relay_side.closed(self.now)

    @property
    def relay(self) -> Relay:
        found = self.proxy_side.relay
        assert found is not None
        return found


def session(name: str, relay: Relay, *, revision: int = 1, memo: str = "") -> Session:
    """Return a session of one stream on slots of a relay."""
    first, second = relay.slot(4), relay.slot(4)
    assert first is not None
    assert second is not None
    ends = (End(rtp=Address("192.0.2.7", 4000)), End())
    return Session(name, f"call-{name}", revision, True, (Stream((first, second), ends),), memo)
