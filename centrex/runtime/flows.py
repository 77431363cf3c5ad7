"""The paths out of this server: UDP flows by remote address, connections by way of the streams.

It implements what the core asks for (`centrex.proxy.flows.Flows`), and remembers for a while which
peers took no TCP when a request was too large for UDP.
"""

import socket
from collections.abc import Callable, Collection, Iterable
from collections.abc import Set as AbstractSet
from typing import Any, Final

from centrex.base import Flow, Local, Transport, Unavailable
from centrex.base.instant import Instant
from centrex.runtime.streams import StreamEdge

_BOUND: Final = 100_000
_NO_TCP_S: Final = 300.0
_WILDCARDS: Final = ("0.0.0.0", "::")


class Locals:
    """Our addresses as others see them: one object for each, made when first seen.

    Args:
        towards: Tells which address of ours the kernel would use towards a remote one.
        seen: Told of each new address.
    """

    def __init__(self, towards: Callable[[str], str], seen: Callable[[Local], None]) -> None:
        self._towards, self._seen = towards, seen
        self._known: dict[tuple[Transport, str, int], Local] = {}

    def get(self, transport: Transport, host: str, port: int) -> Local:
        """Return the object of an address."""
        key = (transport, host, port)
        known = self._known.get(key)
        if known is None:
            known = self._known[key] = Local(transport, host, port)
            self._seen(known)
        return known

    def facing(self, transport: Transport, bound: str, port: int, remote: str) -> Local:
        """Return the address a remote host sees of a socket bound to `bound`.

        Where there is no way to it just now, the loop-back address: sending will fail, or find its
        way when there is one again.
        """
        if bound not in _WILDCARDS:
            return self.get(transport, bound, port)
        try:
            host = self._towards(remote)
        except Unavailable:
            host = "::1" if ":" in bound else "127.0.0.1"
        return self.get(transport, host, port)


class UdpPort:
    """One UDP socket, and the flows that lead out of it.

    Attributes:
        sock: The socket.
        family: Its address family.
        host: The address it is bound to.
        port: Its port.
        by_address: The flows by remote address, as the socket tells it; one object for ever.
    """

    __slots__ = ("_locals", "by_address", "family", "host", "port", "sock")

    def __init__(self, sock: socket.socket, locals_: Locals) -> None:
        self.sock = sock
        self.family = sock.family
        self.host, self.port = sock.getsockname()[:2]
        self._locals = locals_
        self.by_address: dict[Any, Flow] = {}

    def flow(self, address: Any) -> Flow:
        """Return the flow to a remote address as the socket tells it."""
        flow = self.by_address.get(address)
        return flow if flow is not None else self._make(address)

    def move(self, sock: socket.socket) -> socket.socket:
        """Go on with another socket of the same family; return the old one, still open.

        Every flow that was made here leads out of the new one from now on, with its address.
        """
        old, self.sock = self.sock, sock
        self.host, self.port = sock.getsockname()[:2]
        self.adopt(self.by_address.values(), old)
        return old

    def adopt(self, flows: Iterable[Flow], old: socket.socket) -> None:
        """Lead flows of an old socket out of the present one; others are left alone."""
        for flow in flows:
            if flow.link is old:
                flow.link = self.sock
                flow.local = self._facing(flow.host)

    def readdress(self, vanished: AbstractSet[str]) -> None:
        """Show other addresses on flows whose own are no longer this machine's."""
        if self.host in _WILDCARDS:
            for flow in self.by_address.values():
                if flow.local.host in vanished:
                    flow.local = self._facing(flow.host)

    def _facing(self, remote: str) -> Local:
        return self._locals.facing(Transport.UDP, self.host, self.port, remote)

    def _make(self, address: Any) -> Flow:
        if len(self.by_address) >= _BOUND:
            self.by_address.clear()
        host, port = address[0], address[1]
        flow = Flow(
            Transport.UDP, host, port, address=address, link=self.sock, local=self._facing(host)
        )
        self.by_address[address] = flow
        return flow


class FlowTable:
    """All ways out.

    Args:
        streams: Opens connections.
        listens: The transports we listen on.
        versions: The IP versions we listen on.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        streams: StreamEdge,
        listens: AbstractSet[Transport],
        versions: Collection[int],
        clock: Callable[[], Instant],
    ) -> None:
        self._streams, self._listens, self._clock = streams, listens, clock
        self._versions = frozenset(versions)
        self.ports: list[UdpPort] = []
        self._connections: dict[tuple[Transport, str, int], Flow] = {}
        self._no_tcp: dict[tuple[str, int], Instant] = {}
        self._udp_flows: dict[tuple[str, int], Flow] = {}
        self._tried: set[Flow] = set()

    def reach(
        self, transport: Transport, host: str, port: int, server_name: str = ""
    ) -> Flow | None:
        """See `centrex.proxy.flows.Flows`."""
        if transport is Transport.UDP:
            return self._udp(host, port)
        version = 6 if ":" in host else 4
        if transport not in self._listens or version not in self._versions or not 0 < port < 65536:
            return None
        try:
            return self._streams.open(transport, host, port, server_name)
        except Unavailable:
            return None

    def find(self, transport: Transport, host: str, port: int) -> Flow | None:
        """See `centrex.proxy.flows.Flows`."""
        if transport is Transport.UDP:
            return self._udp(host, port)
        return self._connections.get((transport, host, port))

    def larger(self, flow: Flow) -> Flow | None:
        """See `centrex.proxy.flows.Flows`."""
        until = self._no_tcp.get((flow.host, flow.port))
        if until is not None:
            if until > self._clock():
                return None
            del self._no_tcp[flow.host, flow.port]
        stream = self.reach(Transport.TCP, flow.host, flow.port)
        if stream is not None and not stream.open:
            self._tried.add(stream)
        return stream

    def opened(self, flow: Flow) -> None:
        """A connection stands."""
        self._tried.discard(flow)
        self._connections[flow.transport, flow.host, flow.port] = flow

    def closed(self, flow: Flow) -> None:
        """A connection has ended, or never came to be."""
        if flow in self._tried:
            self._tried.discard(flow)
            if len(self._no_tcp) >= _BOUND:
                self._no_tcp.clear()
            self._no_tcp[flow.host, flow.port] = self._clock() + _NO_TCP_S
        key = (flow.transport, flow.host, flow.port)
        if self._connections.get(key) is flow:
            del self._connections[key]

    def _udp(self, host: str, port: int) -> Flow | None:
        known = self._udp_flows.get((host, port))
        if known is not None:
            return known
        if not 0 < port < 65536:
            return None
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        fitting = [one for one in self.ports if one.family == family]
        if not fitting:
            return None
        address = (host, port, 0, 0) if family == socket.AF_INET6 else (host, port)
        best = max(fitting, key=lambda one: _alike(one.host, host))
        if len(self._udp_flows) >= _BOUND:
            self._udp_flows.clear()
        flow = self._udp_flows[host, port] = best.flow(address)
        return flow


def _alike(ours: str, theirs: str) -> int:
    """Return how many leading characters two addresses share: the nearer network is taken."""
    count = 0
    for mine, other in zip(ours, theirs, strict=False):
        if mine != other:
            break
        count += 1
    return count
