"""The latest messages that passed, for whoever looks at a call: in and out, TLS too, as they were.

It is on the way of every message, so it costs one append for each that came, of what is there already;
some dozens at a time are then packed into few pieces of memory. That is nothing to a server that is
not busy, and felt by one that is: under load it rests, unless somebody watches. Whose call a message
is, is found out for a reader. It is bounded by number and by octets; the oldest go first.
"""

import math
from array import array
from collections import deque
from collections.abc import Iterator, Sequence
from itertools import chain
from operator import itemgetter
from typing import Final, NamedTuple, TypeAlias

import anyio.lowlevel

from centrex.base import Flow, Instant, PeerError
from centrex.proxy.leg import NOWHERE
from centrex.sip.message import parse
from centrex.sip.names import CALL_ID

MOMENTS: Final = 30_000
"""Messages received that are kept, each with what was sent because of it."""
OCTETS: Final = 32 * 1024 * 1024
CHUNK: Final = 64
"""Moments that are packed, and let go of, at once."""
BUSY_PER_S: Final = 1_000.0
"""Messages received in a second from which on it rests, where nobody watches."""
WATCHED_S: Final = 60.0
"""How long somebody who asked counts as watching."""
_AT_ONCE: Final = 16
"""Chunks searched before others may run again: well under a millisecond."""

Moment: TypeAlias = tuple[Instant, Flow | None, bytes, tuple[tuple[Flow, bytes], ...]]
"""When; by which flow what came, none where time alone did it; what was sent then."""

_when = itemgetter(0)
_by = itemgetter(1)
_came = itemgetter(2)
_went = itemgetter(3)
_to = itemgetter(0)
_data = itemgetter(1)


class Passed(NamedTuple):
    """One message that came or left."""

    at: Instant
    flow: Flow
    data: bytes
    incoming: bool


class _Chunk:
    """Moments packed: what came one after the other, and likewise what was sent."""

    __slots__ = (
        "came",
        "came_lengths",
        "counts",
        "flows",
        "octets",
        "sent",
        "sent_lengths",
        "times",
        "to",
    )

    def __init__(self, moments: Sequence[Moment]) -> None:
        self.times = array("d", map(_when, moments))
        self.flows = list(map(_by, moments))
        came = list(map(_came, moments))
        self.came, self.came_lengths = b"".join(came), array("I", map(len, came))
        went = list(map(_went, moments))
        self.counts = array("I", map(len, went))
        pairs = list(chain.from_iterable(went))
        self.to = list(map(_to, pairs))
        sent = list(map(_data, pairs))
        self.sent, self.sent_lengths = b"".join(sent), array("I", map(len, sent))
        self.octets = len(self.came) + len(self.sent)

    def __len__(self) -> int:
        return len(self.times)

    def of(self, call_id: bytes) -> list[Passed]:
        """Return the messages that contain a Call-ID, in order."""
        if call_id not in self.came and call_id not in self.sent:
            return []
        return [one for one in self._messages() if call_id in one.data]

    def _messages(self) -> Iterator[Passed]:
        came = sent = number = 0
        for at, flow, octets, count in zip(
            self.times, self.flows, self.came_lengths, self.counts, strict=True
        ):
            if flow is not None:
                yield Passed(at, flow, self.came[came : came + octets], True)
            came += octets
            for _ in range(count):
                to, octets = self.to[number], self.sent_lengths[number]
                if to.link is not NOWHERE:
                    yield Passed(at, to, self.sent[sent : sent + octets], False)
                sent += octets
                number += 1


class Capture:
    """Keeps messages.

    Args:
        moments: How many moments are kept, a chunk more at most.
        octets: How many octets of messages, a chunk more at most.

    Attributes:
        young: Where the newest moments are appended; `fold` it once it holds a chunk.
        on: Whether anything is to be kept now.
    """

    __slots__ = ("_chunks", "_moments", "_octets", "_octets_kept", "_watched_until", "on", "young")

    def __init__(self, moments: int = MOMENTS, octets: int = OCTETS) -> None:
        self._moments, self._octets = moments, octets
        self.young: list[Moment] = []
        self._chunks: deque[_Chunk] = deque()
        self._octets_kept = 0
        self._watched_until = -math.inf
        self.on = True

    def watch(self, now: Instant) -> None:
        """Somebody looks at what passes: all is kept for a while."""
        self._watched_until, self.on = now + WATCHED_S, True

    def consider(self, messages_s: float, now: Instant) -> None:
        """See whether to go on keeping; to be called once a second.

        Args:
            messages_s: How many messages are received in a second.
            now: The present moment.
        """
        self.on = messages_s < BUSY_PER_S or now < self._watched_until

    def fold(self) -> None:
        """Pack what is young, and let go of what is too old."""
        chunk = _Chunk(self.young)
        self.young.clear()
        self._chunks.append(chunk)
        self._octets_kept += chunk.octets
        most = self._moments // CHUNK
        while len(self._chunks) > most or (self._octets_kept > self._octets and self._chunks):
            self._octets_kept -= self._chunks.popleft().octets

    async def of(self, call_id: bytes) -> list[Passed]:
        """Return what is kept of a call or a registration, in order."""
        found: list[Passed] = []
        for number, chunk in enumerate((*self._chunks, _Chunk(self.young))):
            found += chunk.of(call_id)
            if number % _AT_ONCE == 0:
                await anyio.lowlevel.checkpoint()
        return [one for one in found if _is_of(call_id, one.data)]

    def __len__(self) -> int:
        return sum(map(len, self._chunks)) + len(self.young)


def _is_of(call_id: bytes, data: bytes) -> bool:
    try:
        return parse(data).value(CALL_ID) == call_id
    except PeerError:
        return False
