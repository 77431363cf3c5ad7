"""The sockets an instance listens on: bound at the start, moved when an address changes, closed.

Knows which transports go to which port, and which addresses become ours by it. What arrives goes
to the hands; when an address has changed is found out elsewhere.
"""

import socket
from collections.abc import Callable, Iterable, Sequence
from collections.abc import Set as AbstractSet

import anyio
from anyio.abc import TaskGroup

from centrex.base import Flow, Local, Transport, Unavailable
from centrex.config.network import NetworkSettings
from centrex.routing.ours import Ours
from centrex.runtime.flows import FlowTable, Locals, UdpPort
from centrex.runtime.monitor import WILDCARDS
from centrex.runtime.streams import StreamEdge
from centrex.runtime.udp import Receive, UdpEdge, bind_udp


class Edges:
    """All sockets of one instance.

    Args:
        listens: The transports wanted.
        locals_: Makes our addresses.
        ours: Is told of addresses that have no name of their own.
        flows: Sends by the UDP ports.
        streams: Serves TCP and TLS.

    Attributes:
        listeners: Transport, address and port of each socket.
        udp: The readers of the UDP sockets.
    """

    def __init__(
        self,
        listens: AbstractSet[Transport],
        locals_: Locals,
        ours: Ours,
        flows: FlowTable,
        streams: StreamEdge,
    ) -> None:
        self._listens, self._locals, self._ours = listens, locals_, ours
        self._flows, self._streams = flows, streams
        self._tasks: TaskGroup | None = None
        self._running: dict[UdpPort, anyio.CancelScope] = {}
        self._edge_of: dict[UdpPort, UdpEdge] = {}
        self.listeners: list[tuple[Transport, str, int]] = []

    @property
    def udp(self) -> Iterable[UdpEdge]:
        """The readers of the UDP sockets."""
        return self._edge_of.values()

    def bind(
        self,
        hosts: Sequence[str],
        network: NetworkSettings,
        receive: Receive,
        done: Callable[[], None],
        longest: Callable[[], int],
    ) -> None:
        """Bind everything.

        Args:
            hosts: The addresses.
            network: The ports.
            receive: Takes each datagram and the flow it came by.
            done: Called after each batch of datagrams.
            longest: Octets of the longest datagram of interest.

        Raises:
            ConfigError: TLS is wanted and there is no certificate.
            Unavailable: An address cannot be had.
        """
        for host in hosts:
            port = network.port
            if Transport.UDP in self._listens:
                udp = bind_udp(host, port, self._locals)
                self._flows.ports.append(udp)
                self._edge_of[udp] = UdpEdge(udp, receive, done, longest)
                port = udp.port
                self._listening(Transport.UDP, host, port)
            if Transport.TCP in self._listens:
                self._listening(Transport.TCP, *self._streams.listen(Transport.TCP, host, port))
            if Transport.TLS in self._listens:
                bound = self._streams.listen(Transport.TLS, host, network.tls_port)
                self._listening(Transport.TLS, *bound)

    def start(self, tasks: TaskGroup) -> None:
        """Read the UDP sockets; the streams are run by themselves."""
        self._tasks = tasks
        for port in self._edge_of:
            self._read(tasks, port)

    def names(self) -> list[str]:
        """Return where we listen, for people."""
        return [
            f"{transport.value.lower()} {f'[{host}]' if ':' in host else host}:{port}"
            for transport, host, port in self.listeners
        ]

    def move(self, old: str, new: str, known: Iterable[Flow]) -> None:
        """Listen on a new address instead of an old one; flows over UDP follow.

        Args:
            old: The address that is gone.
            new: The address in its place.
            known: Flows that are in use and may be older than what the ports remember.

        Raises:
            Unavailable: The new address cannot be had; then nothing has changed.
        """
        going = [one for one in self.listeners if one[1] == old]
        fresh = self._bind_instead(new, going)
        for port in self._edge_of:
            if port.host == old and (sock := fresh.pop(port.port, None)) is not None:
                was = port.move(sock)
                port.adopt(known, was)
                if self._tasks is None:
                    was.close()
                else:
                    self._running[port].cancel()  # the reader closes it, when it has let go
                    self._read(self._tasks, port)
        for transport, host, number in going:
            if transport is not Transport.UDP:
                self._streams.unlisten(transport, host, number)
            self.listeners.remove((transport, host, number))
            self._listening(transport, new, number)

    def readdress(self, vanished: AbstractSet[str]) -> None:
        """Show addresses that exist on the flows of sockets bound to all of them."""
        for port in self._edge_of:
            port.readdress(vanished)

    def close(self) -> None:
        """Close the UDP sockets, as far as no reader has done so."""
        for port in self._edge_of:
            port.sock.close()

    def _bind_instead(
        self, new: str, going: Sequence[tuple[Transport, str, int]]
    ) -> dict[int, socket.socket]:
        """Bind the new address like the old one; return the UDP sockets by port."""
        fresh: dict[int, socket.socket] = {}
        bound: list[tuple[Transport, int]] = []
        try:
            for transport, _, number in going:
                if transport is Transport.UDP:
                    fresh[number] = bind_udp(new, number, self._locals).sock
                else:
                    self._streams.listen(transport, new, number)
                    bound.append((transport, number))
        except Unavailable:
            for sock in fresh.values():
                sock.close()
            for transport, number in bound:
                self._streams.unlisten(transport, new, number)
            raise
        return fresh

    def _listening(self, transport: Transport, host: str, port: int) -> None:
        self.listeners.append((transport, host, port))
        if host not in WILDCARDS:
            self._locals.get(transport, host, port)
        else:
            self._ours.add(Local(transport, "localhost", port))

    def _read(self, tasks: TaskGroup, port: UdpPort) -> None:
        scope = self._running[port] = anyio.CancelScope()
        tasks.start_soon(self._read_until_moved, self._edge_of[port], port.sock, scope)

    @staticmethod
    async def _read_until_moved(
        edge: UdpEdge, sock: socket.socket, scope: anyio.CancelScope
    ) -> None:
        try:
            with scope:
                await edge.run()
        finally:
            sock.close()
