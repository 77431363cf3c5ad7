"""Lines over a connection: read with a bound, and written by a queue that never makes anybody wait.

It knows bytes and line ends; what a line says is for the two sides of a link.
"""

from collections.abc import AsyncIterator
from typing import Final

import anyio
from anyio.abc import ByteStream

_READ_OCTETS: Final = 65_536
_QUEUE_OCTETS: Final = 16_777_216
"""What may wait to be written: a relay's whole farm of sessions, told anew."""


class LineTooLong(Exception):
    """A line did not end within its bound."""


class LineLink:
    """One connection.

    Args:
        stream: The connection.
        source: The far side, for people.
        limit: Octets of the longest line.
        gather_s: How long a line may wait for more to be sent with it, where nothing hurries it.
    """

    def __init__(
        self, stream: ByteStream, source: str, limit: int, *, gather_s: float = 0.0
    ) -> None:
        self._stream, self.source, self.limit = stream, source, limit
        self._gather_s = gather_s
        self._queue: list[bytes] = []
        self._octets = 0
        self._wake, self._hurry = anyio.Event(), anyio.Event()
        self.closing = False
        self.overrun = False
        """Whether more waited than may."""
        self.written = anyio.Event()
        """Set once nothing more will be sent."""

    def send(self, line: bytes) -> None:
        """Queue a line; one too many ends the connection."""
        if self.closing:
            return
        self._queue.append(line)
        self._octets += len(line)
        if self._octets > _QUEUE_OCTETS:
            self.overrun = self.closing = True
        self._wake.set()

    def hurry(self) -> None:
        """Have what is queued sent at once."""
        self._hurry.set()

    def close(self) -> None:
        """End the connection once what is queued has been sent."""
        self.closing = True
        self._wake.set()

    async def write(self) -> None:
        """Send what is queued, until the connection is to end."""
        try:
            while not self.overrun:
                if self._queue:
                    if self._gather_s and not self.closing:
                        with anyio.move_on_after(self._gather_s):
                            await self._hurry.wait()
                    self._hurry = anyio.Event()
                    data = b"".join(self._queue)
                    self._queue.clear()
                    self._octets = 0
                    await self._stream.send(data)
                elif self.closing:
                    return
                else:
                    self._wake = anyio.Event()
                    await self._wake.wait()
        finally:
            self.written.set()

    async def lines(self) -> AsyncIterator[bytes]:
        """Yield the lines that come in, without their ends.

        Raises:
            LineTooLong: One does not end within the limit.
        """
        pending = b""
        while True:
            try:
                data = await self._stream.receive(_READ_OCTETS)
            except anyio.EndOfStream:
                return
            pending += data
            if b"\n" in data:
                *complete, pending = pending.split(b"\n")
                for line in complete:
                    yield line
            if len(pending) > self.limit:
                raise LineTooLong
