"""The TCP and TLS edge: listens, admits, connects, reuses connections, and ends them all at last.

Knows who may have a connection and which one carries what (RFC 3261 §18, RFC 5923). What happens on
a connection that stands is for `centrex.runtime.connection`; what the messages say is for the core.
"""

import errno
import ipaddress
import logging
import socket
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any, Final, TypeAlias

import anyio
from anyio.abc import SocketAttribute, TaskGroup, TaskStatus
from anyio.streams.tls import TLSAttribute, TLSStream

from centrex.base import ConfigError, Flow, Local, LocalError, Problem, Transport, Unavailable
from centrex.runtime import stream_socket
from centrex.runtime.connection import Connection, Door, StreamLimits
from centrex.runtime.local_address import local_address_for
from centrex.runtime.stream_socket import Listener, in_words
from centrex.runtime.tls import TlsContexts, check_identity

LocalFor: TypeAlias = Callable[[Transport, str, int], Local]
"""Our own address as others should see it, from transport, address on the connection, and the port
we listen on: `Local` itself will do."""

_Key: TypeAlias = tuple[Transport, str, int, str]

_ACCEPTS_AT_ONCE: Final = 64
_BACK_OFF_S: Final = (0.05, 0.1, 0.2, 0.5, 1.0)
_EXHAUSTED: Final = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}
_WILDCARDS: Final = frozenset({"0.0.0.0", "::"})

_log: Final = logging.getLogger(__name__)


class StreamEdge:
    """All our TCP and TLS connections.

    Args:
        door: Told of messages and connections.
        local_for: Makes the address we show on a connection.
        max_message_bytes: The longest message taken.
        tls: The certificates; None where TLS is neither served nor called.
        limits: Every other bound.
        clock: Monotonic seconds.

    Attributes:
        drops: What was refused, cut or lost, by named reason.
        counts: What went well: `accepted`, `connected`, and why connections ended in good order.
    """

    def __init__(
        self,
        door: Door,
        local_for: LocalFor,
        *,
        max_message_bytes: int,
        tls: TlsContexts | None = None,
        limits: StreamLimits | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._door, self._local_for, self._tls = door, local_for, tls
        self._max_message_bytes = max_message_bytes
        self._limits = limits or StreamLimits()
        self._clock = clock
        self._listeners: list[Listener] = []
        self._accepting: dict[Listener, anyio.CancelScope] = {}
        self._doors: TaskGroup | None = None
        self._connections: set[Connection] = set()
        self._per_source: Counter[str] = Counter()
        self._by_remote: dict[_Key, Connection] = {}
        self._handshakes: dict[Connection, None] = {}
        self._tasks: TaskGroup | None = None
        self._stopping = anyio.Event()
        self._empty = anyio.Event()
        self._grace_s = 0.0
        self.drops: dict[str, int] = {}
        self.counts: dict[str, int] = {}

    @property
    def connections(self) -> int:
        """How many connections there are, those under way included."""
        return len(self._connections)

    def listen(
        self, transport: Transport, host: str, port: int, *, reuse_port: bool = False
    ) -> tuple[str, int]:
        """Bind a listening socket, which `run` serves; also while it runs already.

        An IPv6 socket takes no IPv4 (`V6ONLY`).

        Args:
            transport: TCP or TLS.
            host: A numeric address of ours, or `0.0.0.0` or `::`.
            port: The port; 0 for any.
            reuse_port: Whether other processes may listen there too (`SO_REUSEPORT`).

        Returns:
            The address and port it listens on.

        Raises:
            ConfigError: TLS is wanted and there is no certificate.
            Unavailable: The address cannot be had; says why.
        """
        if transport is Transport.TLS and (self._tls is None or self._tls.server is None):
            why = "TLS needs a certificate"
            raise ConfigError((Problem(file="", key="network.tls_certificate", message=why),))
        listener = Listener(transport, host, port, reuse_port=reuse_port)
        self._listeners.append(listener)
        if self._doors is not None:
            self._open_door(self._doors, listener)
        return listener.host, listener.port

    def unlisten(self, transport: Transport, host: str, port: int) -> None:
        """Close the listening socket of an address that is ours no more, and its connections."""
        for listener in [x for x in self._listeners if (x.host, x.port) == (host, port)]:
            if listener.transport is transport:
                self._listeners.remove(listener)
                scope = self._accepting.pop(listener, None)
                if scope is None:
                    listener.sock.close()
                else:
                    scope.cancel()  # `_accept` closes it, when nothing waits for it any more
        for connection in tuple(self._connections):
            flow = connection.flow
            if flow.open and flow.transport is transport and flow.local.host == host:
                connection.close("address-gone")

    def adjust(self, *, keepalive_interval_s: float, max_message_bytes: int) -> None:
        """Take over other settings: the interval at once, the length with new connections."""
        self._max_message_bytes = max_message_bytes
        self._limits = replace(self._limits, keepalive_interval_s=keepalive_interval_s)
        for connection in self._connections:
            connection.adjust(self._limits)

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Serve until `stop` or cancelled; started once it accepts and `open` may be called."""
        try:
            async with anyio.create_task_group() as self._tasks:
                async with anyio.create_task_group() as doors:
                    self._doors = doors
                    for listener in self._listeners:
                        self._open_door(doors, listener)
                    doors.start_soon(self._sweep)
                    task_status.started()
                    await self._stopping.wait()
                    self._doors = None
                    doors.cancel_scope.cancel()
                self._close_listeners()
                await self._finish()
        finally:
            self._tasks = self._doors = None
            self._close_listeners()

    def stop(self, grace_s: float = 2.0) -> None:
        """Accept no more, send what is queued, close every connection; then `run` returns.

        Args:
            grace_s: How long the far sides have to take what is queued.
        """
        self._grace_s = grace_s
        self._stopping.set()

    def close(self) -> None:
        """Close the listening sockets of an edge that never ran; otherwise `run` does."""
        self._close_listeners()

    def open(self, transport: Transport, host: str, port: int, server_name: str = "") -> Flow:
        """Return a flow to a peer: one that stands or is being made, else a new one.

        Sends on a new one are queued until it stands; `failed` tells if that never comes to be.

        Args:
            transport: TCP or TLS.
            host: Numeric, without brackets.
            port: The port.
            server_name: The domain its certificate must bear (TLS; RFC 5922 §7); its address where
                none is given. A TLS connection that the peer opened proves no name, and so is
                reused only where none is given: for a contact that registered over it.

        Raises:
            Unavailable: The edge is stopping.
            LocalError: `run` has not started, or the transport is no stream.
        RFC: 3261 §18.1.1, 5923 §5.
        """
        key = (transport, host, port, server_name if transport is Transport.TLS else "")
        known = self._by_remote.get(key)
        if known is not None and known.takes:
            return known.flow
        if self._stopping.is_set():
            raise Unavailable("the server is stopping")
        if self._tasks is None or transport is Transport.UDP:
            raise LocalError(f"cannot open {transport.value} {host}:{port} here")
        connection = self._connection()
        connection.flow = Flow(
            transport,
            host,
            port,
            address=(host, port),
            link=connection,
            local=self._expected_local(transport, host),
            is_open=False,
        )
        if len(self._connections) >= self._limits.connections:
            connection.close("too-many-connections", lossy=True)
        else:
            self._by_remote[key] = connection
        self._connections.add(connection)
        self._tasks.start_soon(self._contain, self._call, connection, key)
        return connection.flow

    # ------------------------------------------------------------------ connections others open

    def _open_door(self, doors: TaskGroup, listener: Listener) -> None:
        scope = self._accepting[listener] = anyio.CancelScope()
        doors.start_soon(self._accept, listener, scope)

    async def _accept(self, listener: Listener, scope: anyio.CancelScope) -> None:
        try:
            with scope:
                await self._accept_all(listener)
        finally:
            listener.sock.close()

    async def _accept_all(self, listener: Listener) -> None:
        failures = 0
        while True:
            await anyio.wait_readable(listener.sock)
            try:
                for _ in range(_ACCEPTS_AT_ONCE):
                    sock, address = listener.sock.accept()
                    failures = 0
                    self._admit(listener, sock, address)
            except BlockingIOError:
                continue
            except OSError as error:
                self._drop(f"accept-{errno.errorcode.get(error.errno or 0, 'error').lower()}")
                if error.errno in _EXHAUSTED:
                    await anyio.sleep(_BACK_OFF_S[min(failures, len(_BACK_OFF_S) - 1)])
                    failures += 1

    def _admit(self, listener: Listener, sock: socket.socket, address: tuple[Any, ...]) -> None:
        """Begin to serve a connection, or refuse it where a bound is reached."""
        host, port = str(address[0]), int(address[1])
        source = source_of(host)
        refused = self._why_refused(source)
        try:
            ours = str(sock.getsockname()[0])
            sock.setblocking(False)
            stream_socket.set_options(sock)
        except OSError:
            ours, refused = "", "accept-gone"
        if refused or self._tasks is None:
            self._drop(refused or "stopping")
            sock.close()
            return
        connection = self._connection()
        connection.flow = Flow(
            listener.transport,
            host,
            port,
            address=(host, port),
            link=connection,
            local=self._local_for(listener.transport, ours, listener.port),
            inbound=True,
            is_open=False,
        )
        self._connections.add(connection)
        self._per_source[source] += 1
        self._count("accepted")
        self._tasks.start_soon(self._contain, self._answer, connection, sock, source)

    def _why_refused(self, source: str) -> str:
        if len(self._connections) >= self._limits.connections:
            return "too-many-connections"
        if self._per_source[source] >= self._limits.connections_per_source:
            return "too-many-from-source"
        return ""

    async def _answer(self, connection: Connection, sock: socket.socket, source: str) -> None:
        """Live one connection that the far side opened."""
        flow = connection.flow
        key = (flow.transport, flow.host, flow.port, "")
        try:
            with connection.scope:
                connection.stream = await stream_socket.wrap(sock)
                if flow.transport is not Transport.TLS or await self._shake_hands(connection):
                    self._by_remote[key] = connection
                    await self._live(connection)
        except ConnectionAbortedError:
            self._drop("accept-gone")
        finally:
            self._per_source[source] -= 1
            if not self._per_source[source]:
                del self._per_source[source]
            self._forget(connection, key)
            await connection.release()

    async def _shake_hands(self, connection: Connection) -> bool:
        """Put the stream under TLS; returns whether that went well.

        Where too many are under way the oldest goes: an honest one takes milliseconds, so the
        oldest is the likeliest to be somebody who only holds the place.
        """
        if connection.stream is None or self._tls is None:
            return False
        if len(self._handshakes) >= self._limits.handshakes:
            oldest = next(iter(self._handshakes))
            del self._handshakes[oldest]
            oldest.close("handshake-evicted", lossy=True)
        self._handshakes[connection] = None
        try:
            with anyio.fail_after(self._limits.handshake_timeout_s):
                connection.stream = await TLSStream.wrap(
                    connection.stream,
                    server_side=True,
                    ssl_context=self._tls.server,
                    standard_compatible=False,
                )
        except TimeoutError:
            connection.close("handshake-timeout", lossy=True)
        except (OSError, anyio.BrokenResourceError, anyio.EndOfStream):
            connection.close("handshake-failed", lossy=True)
        finally:
            self._handshakes.pop(connection, None)
        return not connection.reason

    # ----------------------------------------------------------------------- connections of ours

    async def _call(self, connection: Connection, key: _Key) -> None:
        """Live one connection that we open."""
        flow = connection.flow
        stood, why = False, ""
        try:
            with connection.scope:
                why = await self._dial(connection, key)
                if connection.stream is not None and not why:
                    ours = connection.stream.extra(SocketAttribute.local_address)
                    flow.local = self._local_on(flow.transport, str(ours[0]))
                    self._count("connected")
                    stood = True
                    await self._live(connection)
        finally:
            why = why or connection.reason or "stopped"
            self._forget(connection, key)
            if not stood:
                self._drop("connect-failed")
                self._door.failed(flow, why)
            await connection.release()

    async def _dial(self, connection: Connection, key: _Key) -> str:
        """Give the connection a stream that stands; returns why that failed, "" where it did not."""
        transport, host, port, server_name = key
        limits = self._limits
        phase_s = limits.connect_timeout_s
        try:
            await anyio.lowlevel.checkpoint()
            with anyio.fail_after(phase_s):
                connection.stream = await stream_socket.connect(host, port)
            if transport is Transport.TLS:
                phase_s = limits.handshake_timeout_s
                with anyio.fail_after(phase_s):
                    await self._verify(connection, server_name or host)
        except TimeoutError as error:
            return error.strerror or f"no answer within {phase_s:g} s"
        except (OSError, Unavailable) as error:
            return in_words(error)
        except (anyio.BrokenResourceError, anyio.EndOfStream):
            return "the far side ended the connection during the TLS handshake"
        return ""

    async def _verify(self, connection: Connection, name: str) -> None:
        """Put the stream under TLS, the far side's certificate verified and its name checked.

        Raises:
            Unavailable: The certificate is another's.
        """
        if connection.stream is None or self._tls is None:
            raise Unavailable("TLS is not set up")
        connection.stream = wrapped = await TLSStream.wrap(
            connection.stream,
            server_side=False,
            hostname=name,
            ssl_context=self._tls.client,
            standard_compatible=False,
        )
        why = check_identity(wrapped.extra(TLSAttribute.ssl_object).getpeercert() or {}, name)
        if why:
            raise Unavailable(why)

    # -------------------------------------------------------------------------------------- both

    def _connection(self) -> Connection:
        return Connection(
            self._door,
            self._limits,
            max_message_bytes=self._max_message_bytes,
            drop=self._drop,
            clock=self._clock,
        )

    async def _contain(self, live: Callable[..., Awaitable[None]], *args: Any) -> None:
        """Keep the failure of one connection from ending the others."""
        try:
            await live(*args)
        except Exception:  # noqa: BLE001 - the door of the task per flow
            self._drop("crashed")
            _log.exception("a connection failed", extra={"flow": args[0].flow.name})

    async def _live(self, connection: Connection) -> None:
        """Carry messages, between telling the door that it stands and that it ended."""
        flow = connection.flow
        flow.open = True
        try:
            self._door.opened(flow)
            await connection.serve()
        finally:
            flow.open = False
            self._count(connection.reason or "ended")
            self._door.closed(flow)

    def _forget(self, connection: Connection, key: _Key) -> None:
        connection.close("ended")
        self._connections.discard(connection)
        if self._by_remote.get(key) is connection:
            del self._by_remote[key]
        if not self._connections and self._stopping.is_set():
            self._empty.set()

    def _local_on(self, transport: Transport, ours: str) -> Local:
        """Return what to show on a connection of ours: where we listen, not where it comes from."""
        fitting = [x for x in self._listeners if x.transport is transport]
        if not fitting:
            return self._local_for(transport, ours, transport.default_port)
        rank = {ours: 0, "::" if ":" in ours else "0.0.0.0": 1}
        best = min(fitting, key=lambda x: (rank.get(x.host, 2), (":" in x.host) != (":" in ours)))
        shown = ours if best.host in _WILDCARDS else best.host
        return self._local_for(transport, shown, best.port)

    def _expected_local(self, transport: Transport, host: str) -> Local:
        """Return what will most likely be shown on a connection that does not stand yet."""
        try:
            ours = local_address_for(host)
        except Unavailable:
            ours = "::1" if ":" in host else "127.0.0.1"  # no route: the connection will fail
        return self._local_on(transport, ours)

    async def _sweep(self) -> None:
        while True:
            await anyio.sleep(self._limits.sweep_interval_s)
            now = self._clock()
            for connection in tuple(self._connections):
                connection.check(now)

    async def _finish(self) -> None:
        for connection in tuple(self._connections):
            connection.finish()
        if self._connections:
            with anyio.move_on_after(self._grace_s):
                await self._empty.wait()
        for connection in tuple(self._connections):
            connection.close("stopped")

    def _close_listeners(self) -> None:
        for listener in self._listeners:
            listener.sock.close()
        self._listeners.clear()
        self._accepting.clear()

    def _drop(self, reason: str) -> None:
        self.drops[reason] = self.drops.get(reason, 0) + 1

    def _count(self, what: str) -> None:
        self.counts[what] = self.counts.get(what, 0) + 1


def source_of(host: str) -> str:
    """Return what counts as one source: an IPv4 address, or the /64 of an IPv6 one."""
    if ":" not in host:
        return host
    return str(ipaddress.IPv6Network((host, 64), strict=False))
