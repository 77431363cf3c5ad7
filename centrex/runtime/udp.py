"""The UDP edge: sockets bound, drained in batches, and what the kernel had to drop counted.

anyio's own UDP socket keeps a hundred datagrams and drops the rest unseen, so the sockets are read
directly. Where the event loop offers a reader callback that is used: it costs half of what waiting
for readability anew each time does. A compiled edge that reads and writes many datagrams in one
system call can take this module's place behind the same three functions.
"""

import contextlib
import socket
import struct
from collections.abc import Callable
from time import monotonic
from typing import Any, Final

import anyio
import anyio.lowlevel

from centrex.base import Flow, Unavailable
from centrex.runtime.flows import Locals, UdpPort

_BATCH: Final = 64
_BUSY_S: Final = 0.00004
"""A batch that begins so soon after the last one was waiting: there may be more behind it."""
_BUFFER_OCTETS: Final = 8 * 1024 * 1024
_SO_RXQ_OVFL: Final = 40
_SO_RCVBUFFORCE: Final = 33
_SO_SNDBUFFORCE: Final = 32

Receive = Callable[[bytes, Flow], None]
"""Takes one datagram and the flow it came by."""
_ROOM: Final = 65_536
"""Octets of the longest datagram there can be."""


def bind_udp(host: str, port: int, locals_: Locals) -> UdpPort:
    """Bind a UDP socket with large buffers; one for `::` takes no IPv4.

    Raises:
        Unavailable: The address cannot be had; says why.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_DGRAM)
    try:
        sock.setblocking(False)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        for force, plain in (
            (_SO_RCVBUFFORCE, socket.SO_RCVBUF),
            (_SO_SNDBUFFORCE, socket.SO_SNDBUF),
        ):
            try:
                sock.setsockopt(socket.SOL_SOCKET, force, _BUFFER_OCTETS)
            except OSError:  # not root, or not Linux: as much as the kernel allows
                sock.setsockopt(socket.SOL_SOCKET, plain, _BUFFER_OCTETS)
        with contextlib.suppress(OSError):  # Linux alone tells what it dropped
            sock.setsockopt(socket.SOL_SOCKET, _SO_RXQ_OVFL, 1)
        sock.bind((host, port))
    except OSError as error:
        sock.close()
        raise Unavailable(f"UDP {host} port {port}: {error.strerror or error}") from error
    return UdpPort(sock, locals_)


class UdpEdge:
    """Reads one UDP port.

    Args:
        port: The port.
        receive: Takes each datagram.
        done: Called after each batch: time to carry out what the core decided.
        longest: Octets of the longest datagram of interest; longer ones arrive cut to one more.

    Attributes:
        overflowed: Datagrams the kernel dropped because the socket's buffer was full.
        failures: Reads that ended in an error of the network.
    """

    def __init__(
        self, port: UdpPort, receive: Receive, done: Callable[[], None], longest: Callable[[], int]
    ) -> None:
        self._port, self._receive, self._done, self._longest = port, receive, done, longest
        self._room = memoryview(bytearray(_ROOM))
        self._look_at_drops = True
        self._rested_at = 0.0
        self.overflowed = self.failures = 0

    async def run(self) -> None:
        """Read until cancelled."""
        sock = self._port.sock
        loop: Any = anyio.lowlevel.current_token().native_token
        if not hasattr(loop, "add_reader"):
            while True:
                await anyio.wait_readable(sock)
                self._drain()
        failed: list[Exception] = []
        over = anyio.Event()

        def ready() -> None:
            try:
                self._drain()
            except Exception as error:  # noqa: BLE001 - a door: raised again in the task below
                failed.append(error)
                over.set()

        loop.add_reader(sock.fileno(), ready)
        try:
            await over.wait()
        finally:
            loop.remove_reader(sock.fileno())
        raise failed[0]

    def sample(self) -> None:
        """Have the next datagram read with the kernel's count of drops; to be called each second."""
        self._look_at_drops = True

    def _drain(self) -> None:
        # a buffer for each datagram as long as the longest would be handed back and forth by malloc
        recvfrom_into, room = self._port.sock.recvfrom_into, self._room
        known, make, receive = self._port.by_address.get, self._port.flow, self._receive
        size = self._longest() + 1
        # after a rest there is just one, and to find nothing behind it costs as much as reading it
        batch = _BATCH if monotonic() - self._rested_at < _BUSY_S else 1
        try:
            if self._look_at_drops:
                self._read_with_drops(size)
                batch -= 1
            for _ in range(batch):
                octets, address = recvfrom_into(room, size)
                receive(bytes(room[:octets]), known(address) or make(address))
        except BlockingIOError:
            pass
        except OSError:
            # an ICMP error for something sent earlier, or the interface went down: timers deal with it
            self.failures += 1
        self._done()
        self._rested_at = monotonic()

    def _read_with_drops(self, size: int) -> None:
        data, ancillary, _, address = self._port.sock.recvmsg(size, 64)
        self._look_at_drops = False
        for level, kind, value in ancillary:
            if level == socket.SOL_SOCKET and kind == _SO_RXQ_OVFL:
                self.overflowed = struct.unpack("I", value[:4])[0]
        self._receive(data, self._port.flow(address))

    def close(self) -> None:
        """Close the socket."""
        self._port.sock.close()
