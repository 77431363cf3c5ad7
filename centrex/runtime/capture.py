"""The latest messages that passed, for whoever looks at a call: in and out, TLS too, as they were.

It is on the way of every message, so it keeps what is there already: one append for each message
that came, with what left because of it. Whose call a message is, is found out for a reader. It is
bounded by number and by octets; the oldest go first.
"""

from collections import deque
from collections.abc import Iterator
from itertools import chain
from operator import itemgetter
from typing import Final, NamedTuple, TypeAlias

import anyio.lowlevel

from centrex.base import Flow, Instant, PeerError
from centrex.proxy.hang_up import NOWHERE
from centrex.sip.message import parse
from centrex.sip.names import CALL_ID

MOMENTS: Final = 30_000
"""Messages received that are kept, each with what was sent because of it."""
OCTETS: Final = 32 * 1024 * 1024
CHUNK: Final = 512
"""Moments that are counted and let go of at once."""
_AT_ONCE: Final = 500
"""Moments searched before others may run again: well under a millisecond."""

Moment: TypeAlias = tuple[Instant, Flow | None, bytes, tuple[tuple[Flow, bytes], ...]]
"""When; by which flow what came, none where time alone did it; what was sent then."""

_came = itemgetter(2)
_went = itemgetter(3)
_data = itemgetter(1)


class Passed(NamedTuple):
    """One message that came or left."""

    at: Instant
    flow: Flow
    data: bytes
    incoming: bool


class Capture:
    """Keeps messages.

    Args:
        moments: How many moments are kept, a chunk more at most.
        octets: How many octets of messages, a chunk more at most.

    Attributes:
        young: Where the newest moments are appended; `fold` it once it holds a chunk.
    """

    __slots__ = ("_chunks", "_moments", "_octets", "_octets_kept", "young")

    def __init__(self, moments: int = MOMENTS, octets: int = OCTETS) -> None:
        self._moments, self._octets = moments, octets
        self.young: list[Moment] = []
        self._chunks: deque[tuple[int, list[Moment]]] = deque()
        self._octets_kept = 0

    def fold(self) -> None:
        """Count what is young among the rest, and let go of what is too old."""
        young = self.young
        sent = chain.from_iterable(map(_went, young))
        octets = sum(map(len, map(_came, young))) + sum(map(len, map(_data, sent)))
        self._chunks.append((octets, young.copy()))
        young.clear()
        self._octets_kept += octets
        most = self._moments // CHUNK
        while len(self._chunks) > most or (self._octets_kept > self._octets and self._chunks):
            self._octets_kept -= self._chunks.popleft()[0]

    @property
    def oldest(self) -> Instant | None:
        """When the oldest of what is kept passed; None where nothing has."""
        first = self._chunks[0][1] if self._chunks else self.young
        return first[0][0] if first else None

    async def of(self, call_id: bytes) -> list[Passed]:
        """Return what is kept of a call or a registration, in order."""
        moments = [*chain.from_iterable(chunk for _, chunk in self._chunks), *self.young]
        found: list[Passed] = []
        for start in range(0, len(moments), _AT_ONCE):
            for moment in moments[start : start + _AT_ONCE]:
                found += [one for one in _messages(moment) if call_id in one.data]
            await anyio.lowlevel.checkpoint()
        return [one for one in found if _is_of(call_id, one.data)]

    def __len__(self) -> int:
        return sum(len(chunk) for _, chunk in self._chunks) + len(self.young)


def _messages(moment: Moment) -> Iterator[Passed]:
    at, flow, came, sent = moment
    if flow is not None:
        yield Passed(at, flow, came, True)
    for to, data in sent:
        if to.link is not NOWHERE:
            yield Passed(at, to, data, False)


def _is_of(call_id: bytes, data: bytes) -> bool:
    try:
        return parse(data).value(CALL_ID) == call_id
    except PeerError:
        return False
