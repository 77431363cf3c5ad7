"""The desk of an instance: has commands carried out, and streams poured, for whoever is connected.

It knows the envelope and nothing of any command: those are the handlers it is given. It bounds what
each client can hold, and answers a client that asked to change nothing with exactly that.
"""

import contextlib
import inspect
import socket
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Iterator, Mapping
from dataclasses import asdict
from typing import Any, Final, TypeAlias

import anyio

from centrex.base import ConfigError, Refused, Unavailable
from centrex.runtime.envelope import LINE_LIMIT, Result, error_line, read_request, result_line

CLIENTS: Final = 32
"""Clients served at once; the next is refused."""
_CHUNK: Final = 65536

Handler: TypeAlias = Callable[[dict[str, Any]], Awaitable[Result] | Result]
Batches: TypeAlias = AsyncGenerator[Result, None]
Stream: TypeAlias = Callable[[dict[str, Any]], Batches]
Failed: TypeAlias = Callable[[str, Exception], None]
"""Told of a command and the unexpected failure of its handler; "" where accepting failed."""


class Desk:
    """Answers clients, each in turn and all at once.

    Args:
        handlers: What each command does: its `params` in, its `result` out. A handler refuses with
            `Refused`, `ConfigError` or `Unavailable`; anything else is an internal failure.
        failed: Told of internal failures.
        streams: What pours each stream: its `params` in, and batches until nobody reads on. It
            refuses what handlers refuse, and before it gives anything.
        reading: The commands that change nothing, and so may be used by who is to change nothing.
        watched: Told when a client begins to follow a stream while none did, and when the last one
            leaves; who is not counted is not meant.
    """

    def __init__(
        self,
        handlers: Mapping[str, Handler],
        failed: Failed,
        *,
        streams: Mapping[str, Stream] | None = None,
        reading: Collection[str] = (),
        watched: Callable[[bool], None] = lambda _: None,
    ) -> None:
        self._handlers, self.failed = handlers, failed
        self._streams, self._reading = dict(streams or {}), frozenset(reading)
        self._watched = watched
        self._clients = self._followers = 0

    async def attend(self, sock: socket.socket, *, counted: bool = True) -> None:
        """Serve one client until it leaves or breaks the protocol; closes the socket.

        Args:
            sock: Its end of the conversation.
            counted: Whether it is one of the clients that are bounded in number.
        """
        self._clients += counted
        try:
            sock.setblocking(False)
            if counted and self._clients > CLIENTS:
                await _send(sock, error_line(None, "refused", f"{CLIENTS} clients are connected"))
            else:
                await self._converse(sock, counted=counted)
        except OSError:
            return  # the client has left, in the middle of something or not
        finally:
            self._clients -= counted
            sock.close()

    async def _converse(self, sock: socket.socket, *, counted: bool) -> None:
        buffer = bytearray()
        read_only = False
        while True:
            line, end, rest = buffer.partition(b"\n")
            if len(line) > LINE_LIMIT:
                why = f"a line is longer than {LINE_LIMIT} octets"
                await _send(sock, error_line(None, "invalid", why))
                return
            if end:
                buffer = rest
                if not line.strip():
                    continue
                try:
                    request = read_request(bytes(line))
                except Refused as error:
                    await _send(sock, error_line(None, error.code, error.message))
                    continue
                read_only = read_only or request.get("read_only") is True
                if "follow" in request:
                    with self._followed(counted=counted):
                        await self._pour(sock, request)
                    return
                await _send(sock, await self._reply(request, read_only=read_only))
                continue
            chunk = await _receive(sock)
            if not chunk:
                return
            buffer += chunk

    async def _reply(self, request: dict[str, Any], *, read_only: bool) -> bytes:
        """Return the line that answers a request."""
        ident, command = request.get("id"), request["command"]
        try:
            handler = self._handlers.get(command)
            if handler is None:
                known = ", ".join(sorted(self._handlers))
                raise Refused("not-found", f"there is no command {command!r}: {known}")
            if read_only and command not in self._reading:
                raise Refused("refused", f"{command}: this connection may only read")
            result = handler(request.get("params") or {})
            if inspect.isawaitable(result):
                result = await result
            return result_line(ident, result)
        except Exception as error:  # noqa: BLE001 - one failing command must not end the instance
            return self._told(ident, command, error)

    @contextlib.contextmanager
    def _followed(self, *, counted: bool) -> Iterator[None]:
        self._followers += counted
        if counted and self._followers == 1:
            self._watched(True)
        try:
            yield
        finally:
            self._followers -= counted
            if counted and not self._followers:
                self._watched(False)

    async def _pour(self, sock: socket.socket, request: dict[str, Any]) -> None:
        """Send a stream until the client leaves; nothing it may still say is heard."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_until_gone, sock, tasks.cancel_scope)
            with contextlib.suppress(OSError):
                await self._batches(sock, request)
            tasks.cancel_scope.cancel()

    async def _batches(self, sock: socket.socket, request: dict[str, Any]) -> None:
        ident, name = request.get("id"), request["follow"]
        try:
            stream = self._streams.get(name)
            if stream is None:
                known = ", ".join(sorted(self._streams))
                raise Refused("not-found", f"there is no stream {name!r}: {known}")
            async with contextlib.aclosing(stream(request.get("params") or {})) as batches:
                await _send(sock, result_line(ident, {"following": name}))
                async for batch in batches:
                    await _send(sock, result_line(ident, batch))
        except OSError:
            raise
        except Exception as error:  # noqa: BLE001 - as in `_reply`
            await _send(sock, self._told(ident, name, error))

    def _told(self, ident: Any, command: str, error: Exception) -> bytes:
        """Return the line that tells of a failure."""
        match error:
            case Refused():
                return error_line(ident, error.code, error.message, error.detail)
            case ConfigError():
                problems = [asdict(problem) for problem in error.problems]
                return error_line(ident, "invalid", str(error), {"problems": problems})
            case Unavailable():
                return error_line(ident, "unavailable", str(error))
            case _:
                self.failed(command, error)
                return error_line(ident, "internal", f"the command failed: {type(error).__name__}")


async def _until_gone(sock: socket.socket, scope: anyio.CancelScope) -> None:
    with contextlib.suppress(OSError):
        while await _receive(sock):
            pass
    scope.cancel()


async def _receive(sock: socket.socket) -> bytes:
    """Return what has come, waiting for something; nothing at the end."""
    while True:
        await anyio.wait_readable(sock)
        with contextlib.suppress(BlockingIOError):
            return sock.recv(_CHUNK)


async def _send(sock: socket.socket, line: bytes) -> None:
    left = memoryview(line)
    while left:
        try:
            left = left[sock.send(left) :]
        except BlockingIOError:
            await anyio.wait_writable(sock)
