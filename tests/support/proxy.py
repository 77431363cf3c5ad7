"""A whole core without a socket: wired as the engine does it, with flows that only remember."""

import hashlib
from collections.abc import Callable, Iterable
from typing import Any

from centrex.auth import ALGORITHMS, Gate, Login, Logins, Nonces, Window, ha1
from centrex.base import Flow, Ids, Local, Transport
from centrex.base.networks import Networks
from centrex.events.statistics import Statistics
from centrex.guard.guard import Guard
from centrex.nat import RouteTokens
from centrex.proxy.access import Access
from centrex.proxy.core import Core
from centrex.proxy.patience import Patience
from centrex.registrar.register import Options
from centrex.registrar.registry import Registry
from centrex.routing.ours import Ours
from centrex.sip.message import Message, parse
from centrex.trace import Journal
from centrex.transaction import Timing

DOMAIN = "example.com"
HERE = "192.0.2.1"


class NoLink:
    """A link that takes nothing: tests read the core's `sends` instead."""

    def sendto(self, data: bytes, address: Any, /) -> int:
        raise AssertionError("the core never sends by itself")


class FakeFlows:
    """Flows by remote address; connections are made `open` or not by the test."""

    def __init__(self) -> None:
        self.locals = {
            transport: Local(transport, HERE, transport.default_port) for transport in Transport
        }
        self.known: dict[tuple[Transport, str, int], Flow] = {}
        self.no_tcp: set[tuple[str, int]] = set()
        self.unreachable: set[str] = set()

    def get(self, host: str, port: int, transport: Transport = Transport.UDP) -> Flow:
        key = (transport, host, port)
        if key not in self.known:
            self.known[key] = Flow(
                transport,
                host,
                port,
                address=(host, port),
                link=NoLink(),
                local=self.locals[transport],
            )
        return self.known[key]

    def reach(
        self, transport: Transport, host: str, port: int, server_name: str = ""
    ) -> Flow | None:
        return None if host in self.unreachable else self.get(host, port, transport)

    def find(self, transport: Transport, host: str, port: int) -> Flow | None:
        if transport is Transport.UDP:
            return self.get(host, port)
        return self.known.get((transport, host, port))

    def larger(self, flow: Flow) -> Flow | None:
        if (flow.host, flow.port) in self.no_tcp:
            return None
        return self.get(flow.host, flow.port, Transport.TCP)


def seeded(seed: bytes = b"seed") -> Callable[[int], bytes]:
    """Return a source of bytes that look random and are the same each time."""
    count = 0

    def draw(octets: int) -> bytes:
        nonlocal count
        out = b""
        while len(out) < octets:
            out += hashlib.sha256(seed + count.to_bytes(8, "big")).digest()
            count += 1
        return out[:octets]

    return draw


class Proxy:
    """A core and its world."""

    def __init__(
        self,
        *,
        auth: bool = False,
        users: Iterable[str] = (),
        logins: Iterable[Login] = (),
        methods: Iterable[str] = ("*",),
        trusted: Iterable[str] = (),
        match_user: bool = True,
        patience: Patience | None = None,
        options: Options | None = None,
        max_message: int = 8192,
        run: bytes = b"00000000",
    ) -> None:
        self.now = 1000.0
        self.flows = FakeFlows()
        self.registry = Registry()
        self.journal = Journal()
        self.statistics = Statistics(self.now)
        known = {user.encode() for user in users}
        records = list(logins) or [login(user) for user in users]
        nonces, window = Nonces(b"n" * 32, 300, realm=DOMAIN.encode()), Window(300)
        self.gate = Gate(
            DOMAIN.encode(),
            tuple(ALGORITHMS[name] for name in (b"sha-256", b"md5")),
            Logins(records),
            nonces,
            window,
            login_must_match_user=match_user,
        )
        self.core = Core(
            ours=Ours((DOMAIN,), self.flows.locals.values()),
            flows=self.flows,
            registry=self.registry,
            registrar_name=b"registrar",
            registrar_options=options or Options(),
            access=Access(
                enabled=auth,
                methods=methods,
                gate=self.gate,
                trusted=Networks(trusted),
                match_user=match_user,
                case_sensitive=False,
            ),
            knows_user=lambda user: user.lower() in known,
            guard=Guard(
                enabled=True,
                requests_per_second=1e6,
                burst=1e6,
                ban_seconds=60,
                auth_failures_per_minute=1000,
                drops=self.statistics.drops,
            ),
            route_tokens=RouteTokens(b"k" * 32, run),
            ids=Ids(seeded()),
            journal=self.journal,
            statistics=self.statistics,
            timing=Timing(),
            patience=patience or Patience(),
            max_message=max_message,
        )
        self.core.watchers.configure(DOMAIN.encode(), {}, self.now)

    def receive(self, data: bytes, source: Flow) -> list[tuple[Flow, bytes]]:
        """Feed a message; return what leaves because of it."""
        self.core.receive(data, source, self.now)
        return self.taken()

    def taken(self) -> list[tuple[Flow, bytes]]:
        """Return what has been sent since, and forget it."""
        out = list(self.core.sends)
        self.core.sends.clear()
        if self.core.relaying is not None:
            self.core.relaying.tell(self.now)
        return out

    def advance(self, seconds: float) -> list[tuple[Flow, bytes]]:
        """Let time pass, in steps as the engine does; return all that leaves."""
        end = self.now + seconds
        out: list[tuple[Flow, bytes]] = []
        while self.core.deadline <= end:
            self.now = max(self.now, self.core.deadline)
            self.core.expire(self.now)
            out += self.taken()
        self.now = end
        return out

    def register(self, user: str, flow: Flow, contact: str = "", extra: str = "") -> Message:
        """Register a user from a flow; return the response."""
        contact = contact or f"sip:{user}@{flow.host}:{flow.port}"
        ((_, data),) = self.receive(
            request(
                "REGISTER",
                f"sip:{DOMAIN}",
                flow,
                sender=user,
                target=f"sip:{user}@{DOMAIN}",
                extra=f"Contact: <{contact}>\n{extra}",
                call_id=f"reg-{user}-{flow.host}-{flow.port}",
            ),
            flow,
        )
        return parse(data)


def login(user: str, password: str = "secret") -> Login:
    """Return a login that knows both algorithms."""
    hashes = [
        ha1(user.encode(), DOMAIN.encode(), password.encode(), ALGORITHMS[name])
        for name in (b"md5", b"sha-256")
    ]
    return Login(user.encode(), hashes[0], hashes[1])


_count = 0


def request(
    method: str,
    uri: str,
    flow: Flow,
    *,
    sender: str = "alice",
    target: str = "",
    call_id: str = "call-1",
    cseq: int = 1,
    branch: str = "",
    from_tag: str = "a",
    to_tag: str = "",
    extra: str = "",
    body: str = "",
    hops: int | None = 70,
    via: str = "",
) -> bytes:
    """Build a request as a phone at `flow` would send it. `extra` holds whole lines."""
    global _count  # noqa: PLW0603 - branches only have to differ
    _count += 1
    branch = branch or f"z9hG4bKt{_count}"
    tag = f";tag={to_tag}" if to_tag else ""
    where = f"[{flow.host}]" if ":" in flow.host else flow.host
    lines = [
        f"{method} {uri} SIP/2.0",
        via or f"Via: SIP/2.0/{flow.transport.value} {where}:{flow.port};branch={branch};rport",
        *([] if hops is None else [f"Max-Forwards: {hops}"]),
        f"From: <sip:{sender}@{DOMAIN}>;tag={from_tag}",
        f"To: <{target or uri}>{tag}",
        f"Call-ID: {call_id}",
        f"CSeq: {cseq} {method}",
        *[line for line in extra.splitlines() if line],
        f"Content-Length: {len(body)}",
        "",
        body,
    ]
    return "\r\n".join(lines).encode()


def respond(
    data: bytes,
    status: int,
    reason: str = "OK",
    *,
    to_tag: str = "b",
    extra: str = "",
    body: str = "",
) -> bytes:
    """Build the response of whoever got a request."""
    message = parse(data)
    lines = [f"SIP/2.0 {status} {reason}".encode()]
    for line in message.lines[1:]:
        name = line.partition(b":")[0].lower()
        if name in (b"via", b"from", b"call-id", b"cseq", b"record-route"):
            lines.append(line)
        elif name == b"to":
            tagged = b";tag=" in line or status == 100
            lines.append(line if tagged else line + b";tag=" + to_tag.encode())
    lines += [line.encode() for line in extra.splitlines() if line]
    lines += [b"Content-Length: %d" % len(body), b"", body.encode()]
    return b"\r\n".join(lines)
