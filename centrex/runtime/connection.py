"""One TCP or TLS connection: a bounded write queue, a reader that frames, and its deadlines.

Knows how to carry whole messages over a stream that stands, and when to give it up: idle, stalled,
too slow, out of step, too far behind. Who may connect, whom we connect to and which connection is
reused is for `centrex.runtime.streams`.
"""

import os
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

import anyio
from anyio.abc import ByteStream

from centrex.base import Flow, LocalError, PeerError
from centrex.runtime import stream_socket
from centrex.sip.framing import Frame, Framer, Kind
from centrex.sip.message import can_be_answered, parse
from centrex.sip.names import TO
from centrex.sip.response import build_response

PING: Final = b"\r\n\r\n"
"""What we send to keep a connection of ours alive (RFC 5626 §3.5.1)."""
PONG: Final = b"\r\n"
_CHUNK: Final = 65536
_LINGER_S: Final = 1.0
"""How long we go on reading after a final answer, so that the peer can read it before a reset."""

_POLITE: Final = frozenset({"idle", "stopped"})

Count = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamLimits:
    """Every bound of the stream edge; 0 switches a time off where that is said."""

    queue_bytes: int = 524_288
    """Unsent bytes of one connection; beyond, it is closed."""
    queue_messages: int = 1024
    """Unsent messages of one connection; beyond, it is closed."""
    connections: int = 10_000
    """Connections in all, both directions."""
    connections_per_source: int = 1024
    """Connections that one IPv4 address or one IPv6 /64 may open."""
    handshakes: int = 128
    """TLS handshakes under way that others began; one more evicts the oldest."""
    connect_timeout_s: float = 4.0
    """Until a connection of ours stands; short, so that UDP can still be tried."""
    handshake_timeout_s: float = 10.0
    """Until a TLS handshake is done."""
    idle_timeout_s: float = 600.0
    """Without a message or a keep-alive of the far side."""
    message_timeout_s: float = 15.0
    """From the first octet of a message to its last."""
    first_message_timeout_s: float = 60.0
    """From the opening by the far side to its first message or keep-alive."""
    stall_timeout_s: float = 30.0
    """Until the far side takes what we are sending."""
    keepalive_interval_s: float = 25.0
    """Between keep-alives on connections we opened; 0 sends none."""
    sweep_interval_s: float = 1.0
    """Between two looks at all these times."""


class Door(Protocol):
    """What a connection tells: the core, or a list in a test. All calls are from the loop's thread.

    None of them is made from within `Connection.sendto` or `StreamEdge.open`. For each flow there
    is either one `failed`, or one `opened` and later one `closed`.
    """

    def receive(self, data: bytes, flow: Flow) -> None:
        """Take one whole message."""

    def opened(self, flow: Flow) -> None:
        """A connection stands, whoever opened it; `flow.open` and `flow.local` hold."""

    def failed(self, flow: Flow, why: str) -> None:
        """A connection of ours could not be made; nothing of what was queued has been sent."""

    def closed(self, flow: Flow) -> None:
        """A connection that stood has ended; what is still queued is lost."""


class Connection:
    """The link of one stream flow.

    Args:
        door: Told of each message.
        limits: The bounds.
        max_message_bytes: The longest message taken.
        drop: Counts a named reason for which something was cut or lost.
        clock: Monotonic seconds.

    Attributes:
        flow: Set by the maker, once, before anything else happens.
        scope: Cancelled by `close`; the maker runs everything about this connection inside.
        stream: The stream, from the moment there is one; `release` closes it.
        reason: Why it was closed; "" while it was not.
        keepalives: Keep-alives of the far side answered.
    """

    __slots__ = (
        "_born",
        "_clock",
        "_door",
        "_drop",
        "_finishing",
        "_framer",
        "_limits",
        "_message_began",
        "_queue",
        "_queued_bytes",
        "_sent_at",
        "_spoken",
        "_stands",
        "_touched_at",
        "_wake",
        "_writing_since",
        "flow",
        "keepalives",
        "reason",
        "scope",
        "stream",
    )

    flow: Flow

    def __init__(
        self,
        door: Door,
        limits: StreamLimits,
        *,
        max_message_bytes: int,
        drop: Count,
        clock: Callable[[], float],
    ) -> None:
        self._door, self._limits, self._drop, self._clock = door, limits, drop, clock
        self._framer = Framer(max_message_bytes)
        self._queue: deque[bytes] = deque()
        self._queued_bytes = 0
        self._wake: anyio.Event | None = None
        self._finishing = self._spoken = self._stands = False
        self._born = self._touched_at = self._sent_at = clock()
        self._message_began = self._writing_since = 0.0
        self.scope = anyio.CancelScope()
        self.stream: ByteStream | None = None
        self.reason = ""
        self.keepalives = 0

    @property
    def takes(self) -> bool:
        """Whether it still takes messages to send."""
        return not self.reason and not self._finishing

    def sendto(self, data: bytes, _address: object = None, /) -> int:
        """Queue a message without waiting; returns its length, or 0 where the connection is lost.

        A full queue closes the connection: the far side does not read, and a gap in a stream of
        messages helps nobody.
        """
        if self.reason or self._finishing:
            return 0
        limits = self._limits
        if (
            self._queued_bytes + len(data) > limits.queue_bytes
            or len(self._queue) >= limits.queue_messages
        ):
            self.close("queue-full", lossy=True)
            return 0
        self._queue.append(data)
        self._queued_bytes += len(data)
        if self._wake is not None:
            self._wake.set()
        return len(data)

    def close(self, reason: str, *, lossy: bool = False) -> None:
        """End the connection now, for a named reason; the first reason stays.

        Args:
            reason: Its name.
            lossy: Whether to count it as a drop.
        """
        if not self.reason:
            self.reason = reason
            if lossy:
                self._drop(reason)
            self.scope.cancel()

    def adjust(self, limits: StreamLimits) -> None:
        """Keep other bounds from now on."""
        self._limits = limits

    def finish(self) -> None:
        """Take no more, send what is queued, then close; a connection not yet made ends at once."""
        if not self._stands:
            self.close("stopped")
        self._finishing = True
        if self._wake is not None:
            self._wake.set()

    async def serve(self) -> None:
        """Carry messages both ways until either side ends it; `close` ends it from here.

        Raises:
            LocalError: There is no stream yet.
        """
        stream = self.stream
        if stream is None:
            raise LocalError("a connection is served before it stands")
        self._stands = True
        self._born = self._touched_at = self._sent_at = self._clock()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._write, stream)
            await self._read(stream)

    async def release(self) -> None:
        """Close the stream, if there ever was one."""
        if self.stream is not None:
            await stream_socket.release(self.stream, polite=self.reason in _POLITE)
            self.stream = None

    def check(self, now: float) -> None:
        """Close the connection where a deadline has passed; send a keep-alive where one is due."""
        if not self._stands or self.reason:
            return
        limits = self._limits
        if self._message_began and now - self._message_began > limits.message_timeout_s:
            self.close("slow-message", lossy=True)
        elif self._writing_since and now - self._writing_since > limits.stall_timeout_s:
            self.close("write-stalled", lossy=True)
        elif now - self._touched_at > limits.idle_timeout_s:
            self.close("idle")
        elif self.flow.inbound:
            if not self._spoken and now - self._born > limits.first_message_timeout_s:
                self.close("silent", lossy=True)
        elif 0 < limits.keepalive_interval_s <= now - self._sent_at:
            self._sent_at = now
            self.sendto(PING)

    async def _read(self, stream: ByteStream) -> None:
        try:
            while not self.reason and self._framer.fault is None:
                self._take(await stream.receive(_CHUNK))
            await self._part(stream)
        except anyio.EndOfStream:
            self.close("closed-by-peer")
        except (anyio.BrokenResourceError, anyio.BusyResourceError, OSError):
            self.close("reset", lossy=True)

    def _take(self, data: bytes) -> None:
        """Feed the framer and hand on what became whole."""
        now, framer = self._clock(), self._framer
        frames = framer.feed(data)
        if frames:
            self._touched_at = now
            self._spoken = True
            self._message_began = 0.0
        if not framer.pending:
            self._message_began = 0.0
        elif not self._message_began:
            self._message_began = now
        for frame in frames:
            if frame.kind is Kind.MESSAGE:
                self._door.receive(frame.data, self.flow)
            elif frame.kind is Kind.PING:
                self.keepalives += 1
                self.sendto(PONG)
            else:
                self._refuse(frame)
            if self.reason:
                return

    def _refuse(self, frame: Frame) -> None:
        if self._framer.fault is None:
            self._drop("too-large")
        answer = refusal(frame)
        if answer:
            self.sendto(answer)

    async def _part(self, stream: ByteStream) -> None:
        """Let the answer to a stream out of step reach the far side, then close it."""
        self._finishing = True
        if self._wake is not None:
            self._wake.set()
        with anyio.move_on_after(_LINGER_S):
            try:
                while True:
                    await stream.receive(_CHUNK)
            except (anyio.EndOfStream, anyio.BrokenResourceError, OSError):
                pass  # the far side has seen the end, which is all we waited for
        self.close("out-of-step", lossy=True)

    async def _write(self, stream: ByteStream) -> None:
        try:
            while self._queue or not self._finishing:
                if self._queue:
                    await self._send(stream)
                else:
                    self._wake = anyio.Event()
                    await self._wake.wait()
                    self._wake = None
            if self._framer.fault is None:
                self.close("stopped")
            else:
                await stream_socket.end_writing(stream)
        except (anyio.BrokenResourceError, anyio.BusyResourceError, OSError):
            self.close("reset", lossy=True)

    async def _send(self, stream: ByteStream) -> None:
        """Send what is queued, in one piece up to a bound."""
        queue = self._queue
        piece = queue.popleft()
        if queue and len(piece) < _CHUNK:
            pieces, size = [piece], len(piece)
            while queue and size + len(queue[0]) <= _CHUNK:
                pieces.append(queue.popleft())
                size += len(pieces[-1])
            piece = b"".join(pieces)
        self._writing_since = self._clock()
        await stream.send(piece)
        self._writing_since = 0.0
        self._sent_at = self._clock()
        self._queued_bytes -= len(piece)


def refusal(frame: Frame) -> bytes:
    """Return the answer a refused frame has earned; b"" where none can be built or none is owed.

    RFC: 3261 §8.2.6; §18.3 (400 for a stream request without Content-Length), §21.5.11 (513).
    """
    if frame.error is None:
        return b""
    try:
        request = parse(frame.data)
    except PeerError:
        return b""
    if not can_be_answered(request):
        return b""
    tagged = b"tag=" in request.value(TO).rpartition(b">")[2].lower()
    return build_response(
        request,
        frame.error.status,
        to_tag=b"" if tagged else os.urandom(8).hex().encode(),
        extra=(b'Warning: 399 centrex "%b"' % str(frame.error).encode(),),
    )
