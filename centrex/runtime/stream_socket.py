"""TCP sockets as the stream edge wants them: bound, connected, wrapped, and ended.

Knows socket options and the ways sockets fail. It knows nothing of SIP, of limits, or of whom to
talk to.
"""

import contextlib
import errno
import os
import socket
import ssl
from typing import Final

import anyio
from anyio.abc import ByteStream, SocketStream
from anyio.streams.tls import TLSStream

from centrex.base import Transport, Unavailable

_BACKLOG: Final = 1024
_FAREWELL_S: Final = 0.5
_OPTIONS: Final = (
    (socket.IPPROTO_TCP, "TCP_NODELAY", 1),
    (socket.SOL_SOCKET, "SO_KEEPALIVE", 1),
    (socket.IPPROTO_TCP, "TCP_KEEPIDLE", 120),
    (socket.IPPROTO_TCP, "TCP_KEEPINTVL", 20),
    (socket.IPPROTO_TCP, "TCP_KEEPCNT", 3),
    (socket.IPPROTO_TCP, "TCP_USER_TIMEOUT", 60_000),
)
"""No delay for small messages; a peer that vanished is noticed in one to three minutes."""


class Listener:
    """A listening socket.

    Attributes:
        transport: What is spoken on it.
        host: The address it is bound to.
        port: Its port.
    """

    __slots__ = ("host", "port", "sock", "transport")

    def __init__(self, transport: Transport, host: str, port: int, *, reuse_port: bool) -> None:
        self.transport = transport
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.sock = socket.socket(family, socket.SOCK_STREAM)
        try:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                self.sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            if reuse_port:
                self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            self.sock.setblocking(False)
            self.sock.bind((host, port))
            self.sock.listen(_BACKLOG)
        except (OSError, OverflowError) as error:
            self.sock.close()
            name = f"{transport.value.lower()} {host}:{port}"
            raise Unavailable(f"cannot listen on {name}: {in_words(error)}") from error
        self.host: str
        self.port: int
        self.host, self.port = self.sock.getsockname()[:2]


async def connect(host: str, port: int) -> SocketStream:
    """Connect to a numeric address; however it ends, no socket is left over.

    Raises:
        OSError: It cannot be done.
    """
    sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        set_options(sock)
        failure = sock.connect_ex((host, port))
        if failure == errno.EINPROGRESS:
            await anyio.wait_writable(sock)
            failure = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if failure:
            raise OSError(failure, os.strerror(failure))
    except BaseException:
        sock.close()
        raise
    return await wrap(sock)


async def wrap(sock: socket.socket) -> SocketStream:
    """Make a stream of a connected socket and take it over.

    Raises:
        OSError: The far side has gone already.
    """
    # Not to be cancelled half-way: socket and transport would both close the same descriptor.
    try:
        with anyio.CancelScope(shield=True):
            stream = await SocketStream.from_socket(sock)
    except (OSError, ValueError) as error:
        sock.close()
        raise ConnectionAbortedError(errno.ECONNABORTED, "the far side has gone") from error
    return stream


async def end_writing(stream: ByteStream) -> None:
    """Say that no more will come; under TLS the TCP connection beneath says it."""
    bottom = stream.transport_stream if isinstance(stream, TLSStream) else stream
    if isinstance(bottom, SocketStream):
        await bottom.send_eof()


async def release(stream: ByteStream, *, polite: bool) -> None:
    """Close a stream, whatever state it is in.

    Args:
        stream: The stream; nobody may be using it any more.
        polite: Whether to take leave in TLS first, for half a second at most.
    """
    with anyio.CancelScope(shield=True):
        if polite and isinstance(stream, TLSStream):
            # Where the far side went first there is nobody left to be polite to.
            gone = (anyio.BrokenResourceError, anyio.EndOfStream, OSError)
            with anyio.move_on_after(_FAREWELL_S), contextlib.suppress(*gone):
                await stream.unwrap()
        await anyio.aclose_forcefully(stream)


def set_options(sock: socket.socket) -> None:
    """Set what every connection of ours has, as far as the system knows it."""
    for level, name, value in _OPTIONS:
        option = getattr(socket, name, None)
        if option is not None:
            sock.setsockopt(level, option, value)


def in_words(error: Exception) -> str:
    """Return why a connection failed, for an operator."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the far side's certificate cannot be trusted: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return f"TLS: {(error.reason or 'failed').replace('_', ' ').lower()}"
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
