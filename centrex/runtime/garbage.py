"""Garbage collection by the clock: never in the middle of a burst of messages.

Nearly everything the engine makes is freed as soon as nobody refers to it; the collector is needed
only for the few cycles that failures leave behind. Left to itself it would walk over every young
object of every call, again and again. So it is switched off, and looks around when little is going
on, or when it has waited for too long. Where others share the process and leave their cycles, too, it
looks at what is young in steps too small to be felt. What a busy time has left in the C library's hands
is given back to the system when it is over.
"""

import ctypes
import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Final

import anyio

from centrex.events.statistics import Statistics

_QUIET: Final = 50
"""Messages in a second below which there is time to look around."""
_SOME: Final = 20_000
"""Young objects worth a look."""
ALONE: Final = 4_000_000
"""Young objects that must be looked at whatever goes on, in a process of the engine's own."""
SHARED: Final = 2_000
"""Young objects in one step where others leave their cycles, too: a millisecond at a time."""
_NEVER: Final = 2**31 - 1
_AGES: Final = 20
"""Steps after which what outlived them is worth a look when it is quiet."""
_EVERY_S: Final = 10
"""Seconds between two looks at what is young."""
_WHOLE_S: Final = 600
"""Seconds between two looks at everything."""
_OVER_S: Final = 3
"""Quiet seconds after which a busy time counts as over."""

Trim = Callable[[int], object]


def _trimmer() -> Trim:
    """Return the C library's `malloc_trim`, or what does nothing where it has none (musl)."""
    with suppress(OSError, AttributeError):
        trim: Trim = ctypes.CDLL(None).malloc_trim
        return trim
    return lambda _: None


class Collector:
    """Collects when there is time; made when everything long-lived is there.

    Args:
        too_many: Young objects that must be looked at whatever goes on.
        step: Young objects that are looked at as soon as there are so many; 0 for no steps.
        trim: Gives free memory back to the system, all but so many octets; some milliseconds.
    """

    def __init__(self, trim: Trim | None = None, *, too_many: int = ALONE, step: int = 0) -> None:
        self._too_many, self._step = too_many, step
        self._thresholds = gc.get_threshold()
        self._trim = trim or _trimmer()
        self._messages = self._seconds = 0
        self._quiet_s = _OVER_S
        self._whole_due = False
        gc.collect()
        gc.freeze()
        if step:
            gc.set_threshold(step, _NEVER, _NEVER)
        else:
            gc.disable()

    def each_second(self, messages: int) -> None:
        """Look around if it is time.

        Args:
            messages: How many messages were received since the start.
        """
        self._seconds += 1
        quiet = messages - self._messages < _QUIET
        self._messages = messages
        self._quiet_s = self._quiet_s + 1 if quiet else 0
        if self._quiet_s == _OVER_S:
            self._trim(0)
        young = gc.get_count()[0]
        if self._seconds % _WHOLE_S == 0:
            self._whole_due = True
        if quiet and self._whole_due:
            self._whole_due = False
            gc.collect()
        elif young > self._too_many or (quiet and young > _SOME and self._seconds % _EVERY_S == 0):
            gc.collect(0)
        elif quiet and self._step and gc.get_count()[1] > _AGES and self._seconds % _EVERY_S == 0:
            gc.collect(1)

    async def run(self, statistics: Statistics) -> None:
        """Look each second whether there is time, until cancelled; leave the process as it was."""
        try:
            while True:
                await anyio.sleep(1.0)
                self.each_second(statistics.messages_in)
        finally:
            gc.unfreeze()
            gc.set_threshold(*self._thresholds)
            gc.enable()


@contextmanager
def uncollected() -> Iterator[None]:
    """Keep the collector from walking, again and again, over something large that only grows."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()
