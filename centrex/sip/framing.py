"""Messages out of a stream of bytes, by Content-Length (RFC 3261 §7.5, §18.3; RFC 5626 §3.5.1).

It knows where a message ends and nothing else of what it says. Memory is bounded by the limit and
one read; the frames depend on the bytes alone, never on how they were cut into reads.
"""

import enum
import re
from typing import Final

from centrex.base import PeerError

_END: Final = b"\r\n\r\n"
_LENGTH: Final = re.compile(
    rb"\r\n(?:content-length|l)[ \t]*+:((?:[^\r\n]++|\r\n[ \t])*)", re.IGNORECASE
)
_NUMBER: Final = re.compile(rb"(?:[ \t]|\r\n[ \t])*0*([0-9]{1,10})(?:[ \t]|\r\n[ \t])*")


class Kind(enum.Enum):
    """What a frame is."""

    MESSAGE = "message"
    """One whole message, for `message.parse`."""
    PING = "ping"
    """A double CRLF between messages: to be answered with one CRLF (RFC 5626 §4.4.1)."""
    REFUSED = "refused"
    """The header block of a message that will not be read; `error.status` is the answer it earned."""


class Frame:
    """One thing found in a stream.

    Attributes:
        kind: What it is.
        data: The message with its body; of a refused one its header block with an empty line.
        error: Why it is refused, else None.
    """

    __slots__ = ("data", "error", "kind")

    def __init__(self, kind: Kind, data: bytes, error: PeerError | None = None) -> None:
        self.kind, self.data, self.error = kind, data, error

    def __repr__(self) -> str:
        return f"Frame({self.kind.value}, {self.data!r}, {self.error!r})"


class Framer:
    """Cuts one connection's bytes into frames.

    A message beyond the limit whose length is known is refused with 513, its body skipped, and the
    stream goes on. Where the length is not known (no Content-Length, several, no number, or a header
    block beyond the limit) it is refused, `fault` is set, and whatever follows is ignored: answer,
    then close the connection (RFC 4475 §3.1.2.3, §3.3.9).

    Args:
        limit: The largest message, header block and body together, in bytes.

    Attributes:
        fault: Why the stream can be read no further; None while it can.
        pending: Whether a message has begun and not ended, for a timeout.
    """

    __slots__ = ("_buffer", "_limit", "_need", "_searched", "_skip", "fault")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._buffer = bytearray()
        self._searched = self._need = self._skip = 0
        self.fault: PeerError | None = None

    @property
    def pending(self) -> bool:
        """Whether a message has begun and not ended."""
        return bool(self._buffer.strip(b"\r\n")) or self._skip > 0

    def feed(self, data: bytes) -> list[Frame]:
        """Take what was read; return the frames it completes, in order. Never raises."""
        frames: list[Frame] = []
        if self.fault is not None:
            return frames
        self._buffer += data
        while self._step(frames):
            pass
        if self.fault is not None:
            self._buffer.clear()
        return frames

    def _step(self, frames: list[Frame]) -> bool:
        """Take one thing off the buffer; return whether there may be more."""
        buffer = self._buffer
        if self._skip:
            skipped = min(self._skip, len(buffer))
            del buffer[:skipped]
            self._skip -= skipped
            return skipped > 0
        if self._need:
            return self._take(frames)
        if buffer[:1] == b"\r" or not buffer:
            return self._empty_line(frames)
        end = buffer.find(_END, self._searched, self._limit)
        if end < 0:
            if len(buffer) >= self._limit:
                self._overflow(frames)
            self._searched = max(0, len(buffer) - 3)
            return False
        self._searched = 0
        return self._header(frames, end + 4)

    def _empty_line(self, frames: list[Frame]) -> bool:
        """Skip CRLF before a start line; two in a row are a ping."""
        first = bytes(self._buffer[:4])
        if first == _END:
            frames.append(Frame(Kind.PING, _END))
            del self._buffer[:4]
            return True
        if _END.startswith(first):
            return False
        if first[:2] == b"\r\n":
            del self._buffer[:2]
            return True
        self.fault = PeerError("a stream has a CR that ends no line", rule="RFC 3261 §7.5")
        return False

    def _header(self, frames: list[Frame], end: int) -> bool:
        head = bytes(self._buffer[:end])
        lengths = _LENGTH.findall(head)
        match = _NUMBER.fullmatch(lengths[0]) if len(lengths) == 1 else None
        if match is None:
            self.fault = PeerError(
                "a message on a stream has no valid Content-Length", rule="RFC 3261 §18.3"
            )
            frames.append(Frame(Kind.REFUSED, head, self.fault))
            return False
        need = end + int(match[1])
        if need > self._limit:
            frames.append(Frame(Kind.REFUSED, head, _too_large()))
            self._skip = need
        else:
            self._need = need
        return True

    def _take(self, frames: list[Frame]) -> bool:
        need = self._need
        if len(self._buffer) < need:
            return False
        frames.append(Frame(Kind.MESSAGE, bytes(self._buffer[:need])))
        del self._buffer[:need]
        self._need = 0
        return True

    def _overflow(self, frames: list[Frame]) -> None:
        """Refuse a header block that has no end in sight, by the lines that are whole."""
        self.fault = _too_large()
        whole = self._buffer.rfind(b"\r\n", 0, self._limit)
        if whole > 0:
            frames.append(Frame(Kind.REFUSED, bytes(self._buffer[:whole]) + _END, self.fault))


def _too_large() -> PeerError:
    return PeerError("the message is larger than allowed", rule="RFC 3261 §21.5.11", status=513)
