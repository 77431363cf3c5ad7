"""The proxy's end of one control link: login first, then what the relay has to say.

A machine fed with lines; it answers by its link. Whoever has not logged in may say little, and not
for long.
"""

import itertools
from collections.abc import Callable
from typing import Any, Final

from centrex.base import Instant, PeerError
from centrex.farm import wire
from centrex.farm.farm import Farm
from centrex.farm.login import check_name, check_nonce, is_proof, proof
from centrex.farm.relay import Link, Relay
from centrex.media.terms import Session

LOGIN_S: Final = 5.0
"""How long a login may take."""
_MAX_HOSTS: Final = 64
_HELD_MOST: Final = 200
"""Sessions in one message of those a relay holds."""
_WRONG: Final = "it does not know the secret"


class ProxySide:
    """One connection that a relay opened.

    Args:
        link: The connection.
        farm: The relays.
        name: The proxy's own name, the same after a restart.
        secret: What a relay must know.
        nonce: Fresh for this connection.
        answered: Takes the figures that were asked for, by the number of the question, and the
            names of sessions whose figures had no room.
        now: The time.
    """

    def __init__(
        self,
        link: Link,
        farm: Farm,
        *,
        name: str,
        secret: bytes,
        nonce: str,
        answered: Callable[[int, list[Any], list[str]], None],
        now: Instant,
    ) -> None:
        self._link, self._farm, self._name = link, farm, name
        self._secret, self._nonce, self._answered = secret, nonce, answered
        self._began = now
        self._peer = self._peer_nonce = ""
        self._held: dict[str, tuple[Session, str]] = {}
        self.relay: Relay | None = None
        """The relay, once it is logged in."""
        self.refusal = ""
        """Why it was refused; empty where it was not."""

    def receive(self, line: bytes, now: Instant) -> None:
        """Take in a line.

        Raises:
            PeerError: It breaks the protocol; the connection is of no more use.
        """
        message = wire.decode(line)
        if self.relay is not None:
            self._handle(self.relay, message, now)
        elif not self._peer:
            self._greet(message, now)
        else:
            self._admit(message, now)

    def is_late(self, now: Instant) -> bool:
        """Whether the login takes too long."""
        return self.relay is None and now - self._began > LOGIN_S

    def closed(self, why: str, now: Instant) -> None:
        """The connection is gone."""
        if self.relay is not None:
            self._farm.left(self.relay, self._link, why, now)

    def _greet(self, message: wire.Message, now: Instant) -> None:
        if message["t"] != "hello":
            raise PeerError("a relay begins with its name", rule="media relay link")
        name = check_name(wire.text(message, "name"))
        version = wire.number(message, "v")
        self._peer_nonce = check_nonce(wire.text(message, "nonce"))
        self._peer = name
        if version != wire.VERSION:
            self._refuse(f"it speaks version {version} of the link, not {wire.VERSION}", now)
            return
        said = proof(self._secret, "proxy", self._ours(), self._theirs())
        self._link.send(
            wire.encode(
                "challenge", v=wire.VERSION, proxy=self._name, nonce=self._nonce, proof=said
            )
        )

    def _ours(self) -> tuple[str, str]:
        return self._name, self._nonce

    def _theirs(self) -> tuple[str, str]:
        return self._peer, self._peer_nonce

    def _admit(self, message: wire.Message, now: Instant) -> None:
        if self.refusal:
            return
        if message["t"] == "refused":  # the relay finds our own proof wrong: the secrets differ
            self._refuse(_WRONG, now)
            return
        expected = proof(self._secret, "relay", self._ours(), self._theirs())
        if message["t"] != "login" or not is_proof(wire.text(message, "proof"), expected):
            self._refuse(_WRONG, now)
            return
        told = _told(message, self._link.source)
        why = self._farm.may_come(self._peer, now)
        if why:
            self._refuse(why, now)
            return
        self._link.send(
            wire.encode("welcome", heartbeat=int(self._farm.heartbeat_s), boot=self._farm.boot)
        )
        self.relay = self._farm.came(self._peer, self._link, told, now)

    def _refuse(self, why: str, now: Instant) -> None:
        self.refusal = why
        self._farm.refused(self._peer, self._link.source, why, now)
        self._link.send(wire.encode("refused", why=why))
        self._link.close()

    # once it is logged in

    def _handle(self, relay: Relay, message: wire.Message, now: Instant) -> None:
        relay.heard = now
        kind = message["t"]
        if kind == "leased":
            host = wire.text(message, "host")
            ports = wire.rows(message, "ports", most=4096)
            shown = relay.told["hosts"].get(host, "")
            slots = [wire.to_slot([host, shown, port]) for port in ports] if shown else []
            relay.leased(
                host,
                slots,
                wire.number(message, "wanted"),
                most=wire.number(message, "most", default=len(slots)),
                why=wire.text(message, "why", default=""),
            )
        elif kind == "hosts":
            relay.told["hosts"] = _hosts(message)
            relay.rehosted(list(relay.told["hosts"]))
        elif kind == "beat":
            self._farm.heard(relay, _beat(message), now)
            self._link.send(wire.encode("beat"))
        elif kind == "room":
            self._farm.crowded(
                relay, wire.number(message, "sessions"), wire.number(message, "expected")
            )
        elif kind == "ended":
            figures = message.get("figures")
            self._farm.ended(
                relay,
                wire.text(message, "id"),
                wire.text(message, "why"),
                figures if isinstance(figures, dict) else {},
            )
        elif kind == "notice":
            name, what = wire.text(message, "id"), wire.text(message, "kind")
            self._farm.noticed(relay, name, what, wire.text(message, "words"))
        elif kind == "held":
            self._hold(relay, message, now)
        elif kind == "sessions":
            left = wire.rows(message, "left", most=1000) if "left" in message else []
            rows = wire.rows(message, "rows", most=1000)
            self._answered(wire.number(message, "ask"), rows, list(map(str, left)))

    def _hold(self, relay: Relay, message: wire.Message, now: Instant) -> None:
        for row in wire.rows(message, "rows", most=_HELD_MOST):
            if not isinstance(row, list) or len(row) != 2 or not isinstance(row[1], str):
                raise PeerError("what a relay holds is malformed", rule="media relay link")
            session = wire.to_session(row[0])
            self._held[session.id] = (session, row[1])
        if message.get("last") is True:
            held, self._held = self._held, {}
            self._farm.holds(relay, held, now)


def _told(message: wire.Message, source: str) -> dict[str, Any]:
    """Return what a relay says of itself, checked."""
    return {
        "hosts": _hosts(message),
        "capacity": wire.number(message, "capacity", most=1_000_000),
        "path": wire.text(message, "path"),
        "path_why": wire.text(message, "path_why", longest=1024),
        "version": wire.text(message, "version"),
        "boot": wire.text(message, "boot"),
        "config": wire.text(message, "config", default=""),
        "draining": message.get("draining") is True,
        "proxies": wire.number(message, "proxies", default=1),
        "source": source,
    }


def _hosts(message: wire.Message) -> dict[str, str]:
    """Return a relay's addresses, and what is told in place of each."""
    hosts: dict[str, str] = {}
    for row in wire.rows(message, "hosts", most=_MAX_HOSTS):
        slot = wire.to_slot([*row, 1] if isinstance(row, list) else row)
        hosts[slot.host] = slot.shown
    return hosts


_BEAT: Final = (
    "sessions", "expected", "peak", "total", "packets", "octets", "packets_per_s", "octets_per_s",
    "packets_out", "octets_out", "packets_out_per_s", "octets_out_per_s", "dropped", "relearned",
    "unlearned", "unlearned_one", "unlearned_both", "carried", "ports_used", "ports_leased",
    "ports_spare", "ports_free", "refused", "cpu_ms", "kernel_failures",
)  # fmt: skip
_MAX_REASONS: Final = 64
_MAX_PROXIES: Final = 64


def _beat(message: wire.Message) -> dict[str, Any]:
    """Return what a heartbeat tells; what an older relay does not tell is 0."""
    beat: dict[str, Any] = {name: wire.number(message, name, default=0) for name in _BEAT}
    drops = message.get("drops")
    counted = drops.items() if isinstance(drops, dict) else ()
    beat["drops"] = {
        reason[:64]: count
        for reason, count in itertools.islice(counted, _MAX_REASONS)
        if type(count) is int and count >= 0
    }
    proxies = wire.rows(message, "proxies", most=4096) if "proxies" in message else []
    beat["proxies"] = [_proxy(row) for row in proxies[:_MAX_PROXIES]]
    return beat


def _proxy(row: Any) -> dict[str, Any]:
    """Return what a relay says of one of its proxies."""
    if not isinstance(row, list) or [type(value) for value in row] != [str, bool, int]:
        raise PeerError("what a relay says of its proxies is malformed", rule="media relay link")
    name, connected, sessions = row
    return {"name": name[:256], "connected": connected, "sessions": max(sessions, 0)}
