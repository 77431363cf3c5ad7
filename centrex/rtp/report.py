"""RTCP's reports: what an end says of the stream it receives, and how long the way to it is.

A relay sees the reports of both ends pass. Loss and jitter stand in them; the time to one end and back
follows from when a sender report went there and when its echo came (RFC 3550 §6.4.1), without anybody's
clock but ours. What is encrypted or malformed tells nothing and is left alone.
"""

from collections import deque
from typing import Final, NamedTuple

from centrex.base import Instant

_SENDER: Final = 200
_RECEIVER: Final = 201
_BLOCK: Final = 24
_MOST_PACKETS: Final = 32
"""Packets in one datagram; more is nobody's honest report."""
_REMEMBERED: Final = 8
"""Sender reports whose echo is waited for: 40 s of them."""
_LONGEST_S: Final = 60.0
_DELAY_PER_S: Final = 65_536


class Block(NamedTuple):
    """One reception report block."""

    source: int
    """Of which synchronization source it tells."""
    fraction: float
    """The share of packets lost since the report before, 0 to 1."""
    lost: int
    """Packets lost in all; less than 0 where more came than were sent."""
    jitter: int
    """Interarrival jitter in ticks of the RTP timestamps."""
    last: int
    """The middle 32 bits of the NTP timestamp of the last sender report it has got; 0 for none."""
    delay_s: float
    """Seconds between that and this report."""


class Reports(NamedTuple):
    """What one datagram reports."""

    stamp: int
    """The middle 32 bits of the NTP timestamp of a sender report in it; 0 where there is none."""
    blocks: tuple[Block, ...]


def read_reports(data: bytes | bytearray | memoryview, length: int) -> Reports | None:
    """Read the reports in a datagram of RTCP, compound or not (RFC 3550 §6.1, RFC 5506).

    Args:
        data: The datagram at its beginning.
        length: Its octets.

    Returns:
        None where it is no RTCP to its last octet: malformed, or encrypted (RFC 3711 §3.4 appends
        to it what no clear packet would fit around).
    """
    stamp, at = 0, 0
    blocks: list[Block] = []
    for _ in range(_MOST_PACKETS):
        if at + 8 > length or data[at] >> 6 != 2 or not 192 <= data[at + 1] <= 223:
            return None
        end = at + 4 + 4 * (data[at + 2] << 8 | data[at + 3])
        first = at + {_SENDER: 28, _RECEIVER: 8}.get(data[at + 1], 0)
        count = data[at] & 0x1F if first > at else 0
        if end > length or first + count * _BLOCK > end:
            return None
        if data[at + 1] == _SENDER:
            stamp = int.from_bytes(data[at + 10 : at + 14], "big")
        blocks += [_block(data, first + number * _BLOCK) for number in range(count)]
        if end == length:
            return Reports(stamp, tuple(blocks))
        at = end
    return None


def _block(data: bytes | bytearray | memoryview, at: int) -> Block:
    def word(number: int) -> int:
        return int.from_bytes(data[at + 4 * number : at + 4 * number + 4], "big")

    lost = word(1) & 0xFFFFFF
    return Block(
        source=word(0),
        fraction=data[at + 4] / 256,
        lost=lost - (1 << 24) if lost >= 1 << 23 else lost,
        jitter=word(3),
        last=word(4),
        delay_s=word(5) / _DELAY_PER_S,
    )


class Reported:
    """What one end has reported of what it receives.

    Attributes:
        count: How many reports it gave.
        lost: Packets it has missed in all, by its last report.
        fraction: The share of packets it missed between its last two reports.
        jitter_s: The jitter it saw, in seconds.
        round_trip_s: From here to it and back, in seconds; 0 while that is not known.
    """

    __slots__ = ("_sent", "count", "fraction", "jitter_s", "lost", "round_trip_s")

    def __init__(self) -> None:
        self.count = self.lost = 0
        self.fraction = self.jitter_s = self.round_trip_s = 0.0
        self._sent: deque[tuple[int, Instant]] = deque(maxlen=_REMEMBERED)

    def passes_to(self, stamp: int, now: Instant) -> None:
        """Note that a sender report goes to this end.

        Args:
            stamp: The middle 32 bits of its NTP timestamp; 0 tells nothing.
            now: When it goes.
        """
        if stamp:
            self._sent.append((stamp, now))

    def take_in(self, block: Block, clock_rate: int, now: Instant) -> None:
        """Take in what this end reports.

        Args:
            block: Its report.
            clock_rate: Ticks per second of the timestamps of what it receives.
            now: When it came.
        """
        self.count += 1
        self.lost, self.fraction = block.lost, block.fraction
        self.jitter_s = block.jitter / clock_rate
        for stamp, sent in self._sent:
            passed_s = now - sent - block.delay_s
            if stamp == block.last and -0.001 < passed_s < _LONGEST_S:
                self.round_trip_s = max(passed_s, 0.0)
