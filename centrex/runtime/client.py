"""A running instance as a face sees it: asked, followed, and let go of; asynchronous.

A few connections carry all requests, one at a time each, and every stream has its own. An instance
that goes away is `Unavailable`; nothing is asked a second time by itself. It knows the envelope, and
refuses to know what a command means.
"""

import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Final, Literal, TypeAlias

import anyio

from centrex.base import Refused, Unavailable
from centrex.config.paths import InstancePaths
from centrex.runtime.control import why_unreachable
from centrex.runtime.envelope import ANSWER_LIMIT, Result, read_answer, request_line
from centrex.runtime.reading import READING

ASKED_AT_ONCE: Final = 4
"""Connections for requests; further ones wait for their turn."""
STREAMS: Final = 8
"""Streams followed at once."""
_PATIENCE_S: Final = 10.0
_CHUNK: Final = 65536
_ENDED: Final = "the instance has ended the connection"

Connect: TypeAlias = Callable[[], Awaitable[socket.socket]]


class Client:
    """An instance that may be asked from one event loop.

    Args:
        paths: Where the instance's files are.
        connect: Opens a conversation with it; raises `Unavailable`.
        mode: Whether it runs in this process.
        read_only: Whether to change nothing.
        patience_s: How long an answer may take, in seconds.
    """

    def __init__(
        self,
        paths: InstancePaths,
        connect: Connect,
        *,
        mode: Literal["in-process", "attached"],
        read_only: bool = False,
        patience_s: float = _PATIENCE_S,
    ) -> None:
        self.paths, self.mode, self.read_only = paths, mode, read_only
        self._connect, self._patience_s = connect, patience_s
        self._idle: list[_Conversation] = []
        self._open: set[_Conversation] = set()
        self._turns: anyio.Semaphore | None = None
        self._streams = 0
        self._closed = False

    @property
    def runs(self) -> bool:
        """Whether it has not ended, as far as that is known: it was not let go of."""
        return not self._closed

    @property
    def was_stopped(self) -> bool:
        """Whether it has ended because it was told to: of another process nobody knows."""
        return False

    async def ask(self, command: str, params: Mapping[str, Any] | None = None) -> Result:
        """Have a command carried out and return its result.

        Raises:
            Refused: The instance will not; or it would change something, and may not.
            Unavailable: It is not there any more, or does not answer in time.
        """
        if self.read_only and command not in READING:
            raise Refused("refused", f"{command}: attached for reading only")
        if self._turns is None:
            self._turns = anyio.Semaphore(ASKED_AT_ONCE)
        async with self._turns:
            line = request_line(command, params, read_only=self.read_only)
            return read_answer(await self._exchange(line))

    async def _exchange(self, line: bytes) -> bytes:
        self._require_open()
        try:
            with anyio.fail_after(self._patience_s):
                conversation = self._idle.pop() if self._idle else await self._begin()
                answered = False
                try:
                    await conversation.send(line)
                    answer = await conversation.line()
                    answered = not self._closed
                finally:
                    # what was given up in the middle has an answer under way that nobody wants
                    if answered:
                        self._idle.append(conversation)
                    else:
                        self._end(conversation)
        except TimeoutError as error:
            raise Unavailable(f"no answer within {self._patience_s:g} s") from error
        return answer

    def follow(
        self, stream: str, params: Mapping[str, Any] | None = None
    ) -> AbstractAsyncContextManager[AsyncIterator[Result]]:
        """Follow a stream: batches of rows, until the block is left or the instance is let go of.

        Raises:
            Refused: The instance will not, or too many streams are followed.
            Unavailable: It is not there any more.
        """
        return self._follow(stream, params)

    @asynccontextmanager
    async def _follow(
        self, stream: str, params: Mapping[str, Any] | None
    ) -> AsyncIterator[AsyncIterator[Result]]:
        self._require_open()
        if self._streams >= STREAMS:
            raise Refused("refused", f"{STREAMS} streams are followed already")
        self._streams += 1
        try:
            conversation = await self._begin()
            try:
                await conversation.send(
                    request_line(stream, params, follow=True, read_only=self.read_only)
                )
                read_answer(await conversation.line())
                yield self._batches(conversation)
            finally:
                self._end(conversation)
        finally:
            self._streams -= 1

    async def _batches(self, conversation: "_Conversation") -> AsyncIterator[Result]:
        while True:
            try:
                line = await conversation.line()
            except Unavailable:
                if self._closed:
                    return
                raise
            yield read_answer(line)

    async def close(self) -> None:
        """Let go of the instance; streams that are followed end."""
        self._closed = True
        self._idle.clear()
        for conversation in tuple(self._open):
            self._end(conversation)

    def _require_open(self) -> None:
        if self._closed:
            raise Unavailable("the instance was let go of")

    async def _begin(self) -> "_Conversation":
        conversation = _Conversation(await self._connect())
        if self._closed:
            conversation.close()
            self._require_open()
        self._open.add(conversation)
        return conversation

    def _end(self, conversation: "_Conversation") -> None:
        self._open.discard(conversation)
        conversation.close()


class _Conversation:
    """One connection, read and written by one task."""

    __slots__ = ("_buffer", "_socket")

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._buffer = bytearray()

    async def send(self, line: bytes) -> None:
        left = memoryview(line)
        while left:
            try:
                left = left[self._socket.send(left) :]
            except BlockingIOError:
                await self._wait(anyio.wait_writable)
            except OSError as error:
                raise Unavailable(_ENDED) from error

    async def line(self) -> bytes:
        """Return the next line that comes."""
        while True:
            end = self._buffer.find(b"\n")
            if end >= 0:
                line = bytes(self._buffer[:end])
                del self._buffer[: end + 1]
                return line
            if len(self._buffer) > ANSWER_LIMIT:
                raise Unavailable("the instance answered in a way that is not understood")
            await self._wait(anyio.wait_readable)
            try:
                chunk = self._socket.recv(_CHUNK)
            except BlockingIOError:
                continue
            except OSError as error:
                raise Unavailable(_ENDED) from error
            if not chunk:
                raise Unavailable(_ENDED)
            self._buffer += chunk

    async def _wait(self, until: Callable[[socket.socket], Awaitable[None]]) -> None:
        try:
            await until(self._socket)
        except (anyio.ClosedResourceError, OSError, ValueError) as error:
            raise Unavailable(_ENDED) from error

    def close(self) -> None:
        """Hang up; whoever waits on it is told."""
        if self._socket.fileno() >= 0:
            with contextlib.suppress(RuntimeError):  # no loop runs here any more
                anyio.notify_closing(self._socket)
            self._socket.close()


async def attach(
    paths: InstancePaths, *, read_only: bool = False, patience_s: float = _PATIENCE_S
) -> Client:
    """Return a running instance, over its control socket.

    Args:
        paths: Which instance.
        read_only: Whether to change nothing; the instance sees to that, too.
        patience_s: How long an answer may take, in seconds.

    Raises:
        Unavailable: None runs, or we may not ask it.
    """

    async def connect() -> socket.socket:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        sock.setblocking(False)
        try:
            sock.connect(str(paths.control))
        except BlockingIOError as error:
            sock.close()
            raise Unavailable(f"{paths.control}: too many wait to be heard") from error
        except OSError as error:
            sock.close()
            raise Unavailable(why_unreachable(paths.control, error)) from error
        return sock

    client = Client(paths, connect, mode="attached", read_only=read_only, patience_s=patience_s)
    try:
        await client.ask("snapshot")
    except BaseException:
        await client.close()
        raise
    return client
