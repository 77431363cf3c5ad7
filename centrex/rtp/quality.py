"""What sequence numbers and arrival times tell of a stream: loss and jitter (RFC 3550 §A.1, A.3, A.8).

Made to cost little: the usual packet, the next one in sequence, needs one comparison, which the
caller makes; jitter is taken from two neighbouring packets in 64. So the source of a packet is
looked at only where its number is not the next one, as it is not when another source begins.
"""

from typing import Final, NamedTuple

_MAX_DROPOUT: Final = 3000
_MAX_MISORDER: Final = 100
_STEADY: Final = 16
"""So many differences are averaged alike, as few as they may be; later ones count for one in so many (§A.8)."""
_SOURCES: Final = 4
"""Sources of one end whose numbers are followed; of one that goes its loss is kept."""


class _Source(NamedTuple):
    """How far a source that is not heard just now has come."""

    next: int
    lost: int
    jitter_s: float
    measured: int


class Quality:
    """The figures of one end: of the source that is heard, and the loss of those before it.

    Attributes:
        next: The sequence number that would be next; -1 before the first packet.
        jitter_s: Interarrival jitter of the source that is heard, in seconds.
        whole: Whether somebody has looked at the numbers of all packets; if not, loss and jitter are not known.
    """

    __slots__ = (
        "_arrival",
        "_bad",
        "_beside",
        "_lost",
        "_measured",
        "_others",
        "_past",
        "_rate",
        "_source",
        "_timestamp",
        "jitter_s",
        "next",
        "whole",
    )

    def __init__(self) -> None:
        self.next = -1
        self.jitter_s = 0.0
        self.whole = True
        self._source = self._bad = -1
        self._lost = self._past = self._beside = self._measured = 0
        self._others: dict[int, _Source] | None = None
        self._arrival = -1.0
        self._timestamp = self._rate = 0

    @property
    def lost(self) -> int:
        """Packets missed, of all sources: of each, less those that came late or twice; never below 0."""
        others = self._others.values() if self._others else ()
        missed = max(self._lost, 0) + sum(max(one.lost, 0) for one in others)
        return max(self._past + missed, 0)

    def out_of_order(self, sequence: int, source: int) -> None:
        """Take in a packet that is not the next one.

        Args:
            sequence: Its sequence number.
            source: Its synchronization source.
        """
        self._arrival = -1.0
        if source != self._source:
            self._change(source)
        expected = self.next
        gap = (sequence - expected) & 0xFFFF
        if expected < 0 or sequence == self._bad:
            pass  # it begins, or began anew with the packet before
        elif gap < _MAX_DROPOUT:
            self._lost += gap
        elif gap > 0x10000 - _MAX_MISORDER:
            self._lost -= 1  # late, or twice
            return
        else:
            self._bad = (sequence + 1) & 0xFFFF
            return
        self._bad = -1
        self.next = (sequence + 1) & 0xFFFF

    def _change(self, source: int) -> None:
        """Another source is heard: one from before, or a new one."""
        before, self._source, self._bad = self._source, source, -1
        if before < 0:
            return
        if self._others is None:
            self._others = {}
        others = self._others
        others[before] = _Source(self.next, self._lost, self.jitter_s, self._measured)
        known = others.pop(source, None)
        if len(others) >= _SOURCES:
            self._past += max(others.pop(next(iter(others))).lost, 0)
        self.next, self._lost, self.jitter_s, self._measured = known or (-1, 0, 0.0, 0)

    def carried(self, lost: int, jitter_s: float) -> None:
        """Take over what somebody else has counted of the stream since the last time.

        Args:
            lost: How much more was missed.
            jitter_s: The jitter now; 0 where it is not known.
        """
        came = min(max(lost, 0), self._beside)
        self._past += lost - came
        # where nothing was missed, it has carried nothing since, or never saw the gap
        self._beside = self._beside - came if lost > 0 else 0
        if jitter_s:
            self.jitter_s, self._measured = jitter_s, _STEADY

    def beside(self) -> None:
        """Take in a packet of a stream that somebody else counts, who is going to miss it."""
        self._beside += 1

    def resume(self) -> None:
        """The packets since the last one passed elsewhere: the next one leaves no gap."""
        self.next = self._bad = -1
        self._arrival = -1.0

    def sample(self, timestamp: int, arrival: float, rate: int) -> None:
        """Take in the first of two neighbouring packets."""
        self._timestamp, self._arrival, self._rate = timestamp, arrival, rate

    def compare(self, timestamp: int, arrival: float) -> None:
        """Take in the second of them.

        Args:
            timestamp: Its RTP timestamp.
            arrival: When it came, in seconds.
        """
        if self._arrival < 0 or not self._rate:
            return
        passed = (timestamp - self._timestamp) & 0xFFFFFFFF
        if passed >= 1 << 31:
            passed -= 1 << 32
        difference = abs((arrival - self._arrival) - passed / self._rate)
        if self._measured < _STEADY:
            self._measured += 1
        self.jitter_s += (difference - self.jitter_s) / self._measured
        self._arrival = -1.0
