"""What tests over real sockets need besides `server` and `sipclient`: IPv6, control, live changes."""

import contextlib
import copy
import select
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import tomlkit

from centrex import api
from tests.support.server import CentrexServer
from tests.support.sipclient import Call, Incoming, SipClient
from tests.support.sipmessage import Message

_T = TypeVar("_T")


class Datagrams6:
    """UDP over IPv6: one datagram, one message."""

    def __init__(self, server: tuple[str, int]) -> None:
        self._socket = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        self._socket.bind(("::1", 0))
        self._server = server
        self.local: tuple[str, int] = ("::1", int(self._socket.getsockname()[1]))

    def send(self, data: bytes) -> None:
        """Send one message."""
        self._socket.sendto(data, self._server)

    def receive(self, timeout: float) -> list[bytes]:
        """Return the message that came within a time, if any."""
        self._socket.settimeout(max(timeout, 0.0001))
        try:
            return [self._socket.recv(65535)]
        except TimeoutError:
            return []

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()


def has_ipv6() -> bool:
    """Whether this machine has an IPv6 loopback."""
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


class Six(SipClient):
    """A phone that speaks IPv6 to a server on `::1`."""

    def __init__(self, user: str, server: CentrexServer, *, transport: str = "udp") -> None:
        there = copy.copy(server)
        there.host = "::1"
        host = "" if transport == "udp" else "::1"
        super().__init__(user, there, transport=transport, host=host)
        if transport == "udp":
            self.link.close()
            self.link = Datagrams6(("::1", server.port))

    @property
    def sent_by(self) -> str:
        """Its own `[host]:port`."""
        return f"[{self.link.local[0]}]:{self.link.local[1]}"


def control(server: CentrexServer, command: str, **params: Any) -> dict[str, Any]:
    """Have a running server carry out a command, by its control socket."""
    paths = api.instance_paths("", server.config, env={"CENTREX_ROOT": server._root.name})
    return api.call(paths, command, params)


def change(server: CentrexServer, **values: object) -> None:
    """Write values into the configuration file; `network__aliases` stands for `network.aliases`."""
    document: Any = tomlkit.parse(server.config.read_text(encoding="utf-8"))
    for key, value in values.items():
        *tables, last = key.split("__")
        table = document
        for name in tables:
            table = table.setdefault(name, {})
        table[last] = value
    server.config.write_text(tomlkit.dumps(document), encoding="utf-8")


def drops(server: CentrexServer, reason: str) -> int:
    """Return how many messages or connections were dropped for a reason."""
    return int(control(server, "statistics")["drops"].get(reason, 0))


@contextlib.contextmanager
def meanwhile(what: Callable[[], _T]) -> Iterator[None]:
    """Do something in another thread, and see that it has been done at the end."""
    with ThreadPoolExecutor(1) as pool:
        job = pool.submit(what)
        yield
        job.result()


def connect(caller: SipClient, callee: SipClient) -> tuple[Call, Incoming]:
    """Have one phone call another until both talk."""
    call = caller.invite(callee.user)
    incoming = callee.incoming()
    incoming.respond(180)
    call.expect(180)
    incoming.answer()
    call.answered()
    incoming.expect("ACK")
    return call, incoming


def hang_up(call: Call, incoming: Incoming) -> None:
    """Have the caller hang up."""
    bye = call.bye_sent()
    incoming.ended()
    assert call.final(bye).status == 200


def ended_by_callee(call: Call, incoming: Incoming) -> None:
    """Have the callee hang up."""

    def answer() -> None:
        call.client.respond(call.client.expect("BYE", call_id=call.call_id), 200)

    with meanwhile(answer):
        assert incoming.bye().status == 200


def ping(client: SipClient, uri: str = "") -> Message:
    """Ask the server itself for a sign of life."""
    return client.transact(client.request("OPTIONS", uri or f"sip:{client.server.domain}"))


def flood(client: SipClient, messages: int) -> tuple[int, float]:
    """Send pings as fast as can be, until each is answered or dropped by the guard.

    Returns:
        How many are answered, and the seconds it took at most.
    """
    client.inbox.clear()
    before, began = drops(client.server, "guard-limited"), time.monotonic()
    for _ in range(messages):
        client.send(client.request("OPTIONS", f"sip:{client.server.domain}"))
        client.receive(0.0001)

    def answered() -> int:
        while client.receive(0.0001):
            pass
        return sum(message.status == 200 for message in client.inbox)

    until(lambda: answered() + drops(client.server, "guard-limited") - before >= messages)
    return answered(), time.monotonic() - began


@contextlib.contextmanager
def reloaded(server: CentrexServer, **values: object) -> Iterator[dict[str, Any]]:
    """Have a server take over other settings for a while; gives what it says of them."""
    before = server.config.read_text(encoding="utf-8")
    change(server, **values)
    try:
        yield control(server, "reload")
    finally:
        server.config.write_text(before, encoding="utf-8")
        control(server, "reload")


def until(what: Callable[[], _T], *, timeout: float = 20.0) -> _T:
    """Ask until the answer is true; return it."""
    end = time.monotonic() + timeout
    while not (answer := what()):
        assert time.monotonic() < end, f"not within {timeout} s"
        select.select([], [], [], 0.02)
    return answer


def stocked(server: CentrexServer, *names: str) -> None:
    """Wait until relays have told, by a heartbeat, that ports of theirs are leased ahead."""

    def leased() -> bool:
        told = {row["name"]: row["figures"] for row in control(server, "relays")["relays"]}
        return all(told.get(name, {}).get("ports_leased", 0) for name in names)

    until(leased)


def lines_since(server: CentrexServer, mark: int) -> list[str]:
    """Return the lines logged since a length of the log, once all of them are there."""
    control(server, "reload")

    def written() -> list[str]:
        lines = server.log.read_bytes()[mark:].decode().splitlines()
        return lines if any("server.reloaded" in line for line in lines) else []

    return until(written)
