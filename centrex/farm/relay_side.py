"""The relay's end of one control link: proves who it is, then does what the proxy says.

A machine fed with lines. What carries packets is behind `Plane`; a relay that serves several proxies
has one of these for each, and one `Custody` that knows whose session is whose.
"""

import enum
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, Protocol

from centrex.base import Instant, PeerError, Unavailable
from centrex.farm import wire
from centrex.farm.custody import Custody
from centrex.farm.ledger import heading, record_of
from centrex.farm.login import check_name, check_nonce, is_proof, proof
from centrex.farm.relay import Link
from centrex.media.terms import Session, Slot

_HELD_ROWS: Final = 100
_LEASE_MOST: Final = 4096
_KEPT_MOST: Final = 32_768
"""Pairs of ports of an address that a proxy may hold: all there are."""
_FIGURES_MOST: Final = 200
_MISSED: Final = 3
_FULL: Final = "it carries as many calls as it may ({})"


class Plane(Protocol):
    """What carries the packets."""

    @property
    def hosts(self) -> Mapping[str, str]:
        """Each address, and what the far side is told in its place."""

    def lease(self, host: str, count: int) -> Sequence[Slot]:
        """Open ports; raises `Unavailable` where none can be had."""

    @property
    def pairs(self) -> int:
        """How many pairs of ports each address has."""

    def reserve(self, host: str, port: int) -> Slot | None:
        """Open a certain pair of ports; None where it cannot be had."""

    def free(self, slots: Iterable[Slot]) -> None:
        """Close ports that serve no session."""

    def put(self, session: Session) -> None:
        """Take in a session; raises `Unavailable` where a port of it cannot be had."""

    def refuse(self) -> None:
        """Count a session that cannot be served."""

    def end(self, name: str) -> dict[str, Any] | None:
        """End a session; returns its figures."""

    def drop(self, name: str) -> None:
        """End a session, whose figures nobody wants."""

    def sessions(self, names: Sequence[str] | None = None) -> list[dict[str, Any]]:
        """Return the figures of sessions."""


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
        again: Has the relay started anew, with its configuration as it is by then; None where this
            proxy has no say in that.

    Attributes:
        state: How far it has come.
        why: Why it was refused.
        proxy: The proxy's name, once it has proved itself.
        heartbeat_s: Seconds between signs of life.
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
        again: Callable[[], None] | None = None,
    ) -> None:
        self._link, self._plane, self._custody = link, plane, custody
        self._name, self._secret, self._nonce, self._told = name, secret, nonce, told
        self._again = again
        self._boot = ""
        self._head = b""
        self.state, self.why, self.proxy = LinkState.GREETING, "", ""
        self.heartbeat_s = 5.0
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
            self._handle(message, line, now)

    @property
    def draining(self) -> bool:
        """Whether the proxy gives the relay no new calls."""
        return self._custody.is_draining(self.proxy)

    def is_dead(self, now: Instant) -> bool:
        """Whether the proxy has been silent for too long."""
        return now - self.heard > self.heartbeat_s * _MISSED

    def closed(self, now: Instant) -> None:
        """The connection is gone; what was leased stays so for a while, in case the proxy comes back."""
        if self.state is LinkState.UP:
            self.state = LinkState.GREETING
            self._custody.left(self.proxy, now)

    def beat(self, figures: Mapping[str, Any]) -> None:
        """Give a sign of life, with figures."""
        if self.state is LinkState.UP:
            self._link.send(wire.encode("beat", **figures))

    def rehosted(self) -> None:
        """Tell that the plane has other addresses; what was leased at those that went is free."""
        hosts = self._plane.hosts
        lent = self._custody.lent(self.proxy)
        self._give_up([slot for slot in lent if slot.host not in hosts])
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

    def _tell_room(self, sessions: int, expected: int) -> None:
        """Tell how full the relay is; not where no other proxy can fill it."""
        if self._custody.proxies > 1:
            self._link.send(wire.encode("room", sessions=sessions, expected=expected))

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
        told = {**self._told, "draining": self.draining}
        self._link.send(wire.encode("login", proof=said, hosts=hosts, **told))

    def _welcome(self, message: wire.Message) -> None:
        if message["t"] != "welcome":
            raise PeerError("a proxy welcomes who has logged in", rule="media relay link")
        self.heartbeat_s = float(wire.number(message, "heartbeat", most=300)) or 5.0
        self._boot = wire.text(message, "boot")
        self._head = heading(self.proxy, self._boot)
        self.state = LinkState.UP
        self._custody.came(self.proxy, self._tell_room)
        held = self._custody.of(self.proxy)
        rows = ([session, boot] for session, boot in held)
        parts = list(wire.in_parts(rows, _HELD_ROWS)) or [[]]
        for number, part in enumerate(parts, 1):
            self._link.send(wire.encode("held", rows=part, last=number == len(parts)))

    def _handle(self, message: wire.Message, line: bytes, now: Instant) -> None:
        kind = message["t"]
        if kind == "put":
            self._put(wire.to_session(message.get("session")), line)
        elif kind == "end":
            self._end(wire.text(message, "id"))
        elif kind == "lease":
            host, count = (
                wire.text(message, "host"),
                wire.number(message, "count", most=_LEASE_MOST),
            )
            self._custody.when_settled(lambda: self._lease(host, count), now)
        elif kind == "keep":
            self._keep(message.get("ports"), now)
        elif kind == "expects":
            self._custody.expects(self.proxy, wire.number(message, "count", most=1_000_000))
        elif kind == "drain":
            self._custody.drain(self.proxy, on=message.get("on") is True)
        elif kind == "again" and self._again is not None:
            self._again()
        elif kind == "sessions":
            names = [name for name in wire.rows(message, "ids", most=_FIGURES_MOST)]
            mine = [name for name in names if self._custody.owner(str(name)) == self.proxy]
            rows = self._plane.sessions(mine)
            part = next(wire.in_parts(rows, _FIGURES_MOST), [])
            left = [row["id"] for row in rows[len(part) :]]  # is asked for again
            ask = wire.number(message, "ask")
            self._link.send(wire.encode("sessions", ask=ask, rows=part, left=left))

    def _put(self, session: Session, line: bytes) -> None:
        custody = self._custody
        slots = [slot for stream in session.streams if stream is not None for slot in stream.slots]
        # one whose ports are not lent is told again, to a relay that was started anew
        begins = not custody.owner(session.id) and any(
            custody.lender(slot.host, slot.port) == self.proxy for slot in slots
        )
        too_many = begins and custody.is_overfull
        if not custody.take(self.proxy, self._boot, session):
            raise PeerError("that session is another proxy's", rule="media relay link")
        try:
            for slot in slots:
                if not custody.use(self.proxy, slot):
                    self._plane.refuse()
                    raise Unavailable(f"port {slot.port} of {slot.host} is lent to another proxy")
            if too_many:
                self._plane.refuse()
                raise Unavailable(_FULL.format(custody.capacity))
            self._plane.put(session)
        except Unavailable as error:
            mine = [slot for slot in slots if not self._custody.lender(slot.host, slot.port)]
            self._plane.free(mine)
            self._custody.forget(session.id)
            told = self._plane.end(session.id) or {}  # as it stood before, if it did
            self._link.send(wire.encode("ended", id=session.id, why=str(error), figures=told))
            return
        if self._custody.ledger is not None:
            self._custody.ledger.put(session.id, record_of(self._head, line))

    def _end(self, name: str) -> None:
        if self._custody.owner(name) == self.proxy:
            self._custody.forget(name)
            self._plane.drop(name)

    def _lease(self, host: str, count: int) -> None:
        """Lend ports: no more than leaves as many to others, and to the calls that begin."""
        most = self._custody.share(self._plane.pairs)
        lent = sum(slot.host == host for slot in self._custody.lent(self.proxy))
        slots: Sequence[Slot] = ()
        why = ""
        try:
            if self._custody.is_full:
                why = _FULL.format(self._custody.capacity)
            elif count and lent < most:
                slots = self._plane.lease(host, min(count, most - lent))
                why = "" if slots else f"the relay has no port left at {host}"
        except Unavailable as error:
            why = str(error)
        self._custody.lend(self.proxy, slots)
        ports = [slot.port for slot in slots]
        self._link.send(
            wire.encode("leased", host=host, ports=ports, wanted=count, most=most, why=why[:200])
        )

    def _keep(self, ports: object, now: Instant) -> None:
        """What the proxy holds of what was lent to it stays lent; what it does not is free again."""
        if not isinstance(ports, dict):
            raise PeerError("what is to be kept is malformed", rule="media relay link")
        wanted = {
            (slot.host, slot.port)
            for host in ports
            for port in wire.rows(ports, host, most=_KEPT_MOST)
            for slot in (wire.to_slot([host, host, port]),)
        }
        lent = self._custody.lent(self.proxy)
        self._give_up([slot for slot in lent if (slot.host, slot.port) not in wanted])
        for host, port in wanted - {(slot.host, slot.port) for slot in lent}:
            if not self._custody.lender(host, port):
                slot = self._plane.reserve(host, port)
                self._custody.lend(self.proxy, [slot] if slot is not None else [])
        self._custody.told(self.proxy, now)

    def _give_up(self, slots: Sequence[Slot]) -> None:
        for slot in slots:
            self._custody.use(self.proxy, slot)
        self._plane.free(slots)


def _rows(hosts: Mapping[str, str]) -> list[list[str]]:
    return [[host, shown] for host, shown in hosts.items()]
