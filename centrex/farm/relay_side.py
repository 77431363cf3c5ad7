"""The relay's end of one control link: proves who it is, then does what the proxy says.

A machine fed with lines. What carries packets is behind `Plane`; a relay that serves several proxies
has one of these for each, and one `Custody` that knows whose session is whose.
"""

import enum
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, Protocol

from centrex.base import Instant, PeerError, Unavailable
from centrex.farm import wire
from centrex.farm.login import check_name, check_nonce, is_proof, proof
from centrex.farm.relay import Link
from centrex.media.terms import Session, Slot

_HELD_ROWS: Final = 100
_LEASE_MOST: Final = 4096
_FIGURES_MOST: Final = 200
_MISSED: Final = 3


class Plane(Protocol):
    """What carries the packets."""

    @property
    def hosts(self) -> Mapping[str, str]:
        """Each address, and what the far side is told in its place."""

    def lease(self, host: str, count: int) -> Sequence[Slot]:
        """Open ports; raises `Unavailable` where none can be had."""

    def free(self, slots: Iterable[Slot]) -> None:
        """Close ports that serve no session."""

    def put(self, session: Session) -> None:
        """Take in a session; raises `Unavailable` where a port of it cannot be had."""

    def end(self, name: str) -> dict[str, Any] | None:
        """End a session; returns its figures."""

    def sessions(self, names: Sequence[str] | None = None) -> list[dict[str, Any]]:
        """Return the figures of sessions."""


class Custody:
    """Whose sessions a relay carries: each proxy sees and ends only its own."""

    __slots__ = ("_by_name",)

    def __init__(self) -> None:
        self._by_name: dict[str, tuple[str, str, Session]] = {}

    def take(self, owner: str, boot: str, session: Session) -> bool:
        """Note a session; False where the name is another proxy's."""
        known = self._by_name.get(session.id)
        if known is not None and known[0] != owner:
            return False
        self._by_name[session.id] = (owner, boot, session)
        return True

    def forget(self, name: str) -> str:
        """Forget a session; return whose it was, empty for nobody's."""
        known = self._by_name.pop(name, None)
        return known[0] if known is not None else ""

    def owner(self, name: str) -> str:
        """Return whose session it is; empty for nobody's."""
        known = self._by_name.get(name)
        return known[0] if known is not None else ""

    def of(self, owner: str) -> list[tuple[Session, str]]:
        """Return a proxy's sessions, with the run of it that told each last."""
        return [(session, boot) for who, boot, session in self._by_name.values() if who == owner]

    def __len__(self) -> int:
        return len(self._by_name)


class LinkState(enum.Enum):
    """How far the link has come."""

    GREETING = "greeting"
    PROVING = "proving"
    UP = "up"
    REFUSED = "refused"


class RelaySide:
    """One connection to a proxy.

    Args:
        link: The connection.
        plane: Carries the packets.
        custody: Whose sessions are whose.
        name: The relay's name.
        secret: What the proxy knows too.
        nonce: Fresh for this connection.
        told: What the relay says of itself: `capacity`, `path`, `path_why`, `version`, `boot`.
        now: The time.

    Attributes:
        state: How far it has come.
        why: Why it was refused.
        proxy: The proxy's name, once it has proved itself.
        heartbeat_s: Seconds between signs of life.
        draining: Whether the proxy gives it no new calls.
        heard: When the proxy was heard last.
    """

    def __init__(
        self,
        link: Link,
        plane: Plane,
        custody: Custody,
        *,
        name: str,
        secret: bytes,
        nonce: str,
        told: Mapping[str, Any],
        now: Instant,
    ) -> None:
        self._link, self._plane, self._custody = link, plane, custody
        self._name, self._secret, self._nonce, self._told = name, secret, nonce, told
        self._boot = ""
        self._leased: dict[tuple[str, int], Slot] = {}
        self.state, self.why, self.proxy = LinkState.GREETING, "", ""
        self.heartbeat_s = 5.0
        self.draining = False
        self.heard = now
        link.send(wire.encode("hello", v=wire.VERSION, name=name, nonce=nonce))

    def receive(self, line: bytes, now: Instant) -> None:
        """Take in a line.

        Raises:
            PeerError: It breaks the protocol; the connection is of no more use.
        """
        message = wire.decode(line)
        self.heard = now
        if self.state is LinkState.REFUSED:
            return
        if message["t"] == "refused":
            self.state, self.why = LinkState.REFUSED, wire.text(message, "why", longest=1024)
        elif self.state is LinkState.GREETING:
            self._prove(message)
        elif self.state is LinkState.PROVING:
            self._welcome(message)
        elif self.state is LinkState.UP:
            self._handle(message)

    def is_dead(self, now: Instant) -> bool:
        """Whether the proxy has been silent for too long."""
        return now - self.heard > self.heartbeat_s * _MISSED

    def closed(self) -> None:
        """The connection is gone: ports that were leased and not used are free again."""
        self._plane.free(self._leased.values())
        self._leased.clear()

    def beat(self, figures: Mapping[str, Any]) -> None:
        """Give a sign of life, with figures."""
        if self.state is LinkState.UP:
            self._link.send(wire.encode("beat", **figures))

    def rehosted(self) -> None:
        """Tell that the plane has other addresses; what was leased at those that went is free."""
        hosts = self._plane.hosts
        gone = [slot for slot in self._leased.values() if slot.host not in hosts]
        for slot in gone:
            del self._leased[slot.host, slot.port]
        self._plane.free(gone)
        if self.state is LinkState.UP:
            self._link.send(wire.encode("hosts", hosts=_rows(hosts)))

    def notice(self, name: str, kind: str, words: str, figures: dict[str, Any] | None) -> None:
        """Tell what became of a session, if it is this proxy's."""
        if self.state is not LinkState.UP or self._custody.owner(name) != self.proxy:
            return
        if kind == "ended":
            self._link.send(wire.encode("ended", id=name, why=words, figures=figures or {}))
        else:
            self._link.send(wire.encode("notice", id=name, kind=kind, words=words))

    def _prove(self, message: wire.Message) -> None:
        if message["t"] != "challenge":
            raise PeerError("a proxy answers with a challenge", rule="media relay link")
        name = check_name(wire.text(message, "proxy"))
        nonce = check_nonce(wire.text(message, "nonce"))
        proxy, relay = (name, nonce), (self._name, self._nonce)
        expected = proof(self._secret, "proxy", proxy, relay)
        if not is_proof(wire.text(message, "proof"), expected):
            self.state, self.why = LinkState.REFUSED, "the proxy has another secret"
            self._link.send(wire.encode("refused", why="your proof is wrong"))
            self._link.close()
            return
        self.proxy = name
        self.state = LinkState.PROVING
        said = proof(self._secret, "relay", proxy, relay)
        hosts = _rows(self._plane.hosts)
        self._link.send(wire.encode("login", proof=said, hosts=hosts, **self._told))

    def _welcome(self, message: wire.Message) -> None:
        if message["t"] != "welcome":
            raise PeerError("a proxy welcomes who has logged in", rule="media relay link")
        self.heartbeat_s = float(wire.number(message, "heartbeat", most=300)) or 5.0
        self._boot = wire.text(message, "boot")
        self.state = LinkState.UP
        held = self._custody.of(self.proxy)
        batches = [held[at : at + _HELD_ROWS] for at in range(0, len(held), _HELD_ROWS)] or [[]]
        for number, batch in enumerate(batches, 1):
            rows = [[wire.from_session(session), boot] for session, boot in batch]
            self._link.send(wire.encode("held", rows=rows, last=number == len(batches)))

    def _handle(self, message: wire.Message) -> None:
        kind = message["t"]
        if kind == "put":
            self._put(wire.to_session(message.get("session")))
        elif kind == "end":
            self._end(wire.text(message, "id"))
        elif kind == "lease":
            self._lease(wire.text(message, "host"), wire.number(message, "count", most=_LEASE_MOST))
        elif kind == "drain":
            self.draining = message.get("on") is True
        elif kind == "sessions":
            names = [name for name in wire.rows(message, "ids", most=_FIGURES_MOST)]
            mine = [name for name in names if self._custody.owner(str(name)) == self.proxy]
            rows = self._plane.sessions(mine)
            self._link.send(wire.encode("sessions", ask=wire.number(message, "ask"), rows=rows))

    def _put(self, session: Session) -> None:
        if not self._custody.take(self.proxy, self._boot, session):
            raise PeerError("that session is another proxy's", rule="media relay link")
        for stream in session.streams:
            for slot in stream.slots if stream is not None else ():
                self._leased.pop((slot.host, slot.port), None)
        try:
            self._plane.put(session)
        except Unavailable as error:
            self._custody.forget(session.id)
            self._link.send(wire.encode("ended", id=session.id, why=str(error), figures={}))

    def _end(self, name: str) -> None:
        if self._custody.owner(name) == self.proxy:
            self._custody.forget(name)
            self._plane.end(name)

    def _lease(self, host: str, count: int) -> None:
        try:
            slots = self._plane.lease(host, count)
        except Unavailable:
            slots = ()
        for slot in slots:
            self._leased[slot.host, slot.port] = slot
        ports = [slot.port for slot in slots]
        self._link.send(wire.encode("leased", host=host, ports=ports, wanted=count))


def _rows(hosts: Mapping[str, str]) -> list[list[str]]:
    return [[host, shown] for host, shown in hosts.items()]
