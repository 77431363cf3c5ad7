"""Ticks that epoll tells of, by a timerfd(2): Python has it in 3.13 and later only.

A wait with a time-out sets a timer of the processor and takes it back each time, which a virtual
machine has to ask its host for, twice a packet; one timer that repeats by itself costs nothing between.
"""

import ctypes
import os
import struct
import sys
from typing import Final

_libc: Final = ctypes.CDLL(None, use_errno=True)
_MONOTONIC: Final = 1
_OCTETS: Final = 8


class Ticks:
    """A descriptor that can be read once in a while.

    Attributes:
        number: The descriptor.

    Raises:
        OSError: The system gives no more descriptors.
    """

    __slots__ = ("_every_s", "number")

    def __init__(self) -> None:
        self.number: int = _libc.timerfd_create(_MONOTONIC, os.O_NONBLOCK | os.O_CLOEXEC)
        if self.number < 0:
            _fail()
        self._every_s = 0.0

    def every(self, seconds: float) -> None:
        """Tick so often from now on; where it does already, that goes on undisturbed."""
        if seconds == self._every_s:
            return
        whole, part = divmod(round(seconds * 1_000_000_000), 1_000_000_000)
        if _libc.timerfd_settime(
            self.number, 0, struct.pack("@4l", whole, part, whole, part), None
        ):
            _fail()
        self._every_s = seconds

    def take(self) -> int:
        """Return how many ticks there were since the last time."""
        try:
            return int.from_bytes(os.read(self.number, _OCTETS), sys.byteorder)
        except BlockingIOError:
            return 0

    def close(self) -> None:
        """Tick no more."""
        os.close(self.number)


def _fail() -> None:
    number = ctypes.get_errno()
    raise OSError(number, os.strerror(number))
