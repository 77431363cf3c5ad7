"""What sequence numbers and arrival times tell of a stream: loss and jitter (RFC 3550 §A.1, A.3, A.8).

Made to cost little: the usual packet, the next one in sequence, needs one comparison, which the
caller makes; jitter is taken from two neighbouring packets in sixteen.
"""

from typing import Final

_HALF: Final = 1 << 15
_MAX_DROPOUT: Final = 3000
_MAX_MISORDER: Final = 100


class Quality:
    """The figures of one synchronization source at a time.

    Attributes:
        next: The sequence number that would be next; -1 before the first packet.
        lost: Packets that were missed, less those that came late or twice.
        jitter_s: Interarrival jitter in seconds.
    """

    __slots__ = ("_arrival", "_rate", "_timestamp", "jitter_s", "lost", "next")

    def __init__(self) -> None:
        self.next = -1
        self.lost = 0
        self.jitter_s = 0.0
        self._arrival = -1.0
        self._timestamp = self._rate = 0

    def out_of_order(self, sequence: int) -> None:
        """Take in a packet that is not the next one."""
        expected = self.next
        self.next = (sequence + 1) & 0xFFFF
        self._arrival = -1.0
        if expected < 0:
            return
        gap = (sequence - expected) & 0xFFFF
        if gap < _MAX_DROPOUT:
            self.lost += gap
        elif gap > 0x10000 - _MAX_MISORDER:
            self.next = expected  # late, or twice
            self.lost -= 1
        # else the source began anew

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
        self.jitter_s += (difference - self.jitter_s) / 16
        self._arrival = -1.0
