"""Garbage collection by the clock: never in the middle of a burst of messages, nor just after one.

Nearly everything the engine makes is freed as soon as nobody refers to it; the collector is needed
only for the few cycles that failures leave behind. Left to itself it would walk over every young
object of every call, again and again. So it is switched off. What little a quiet time makes is looked at;
what a busy one leaves is set aside unseen (`gc.freeze`), since looking takes a tenth of a second for some
10,000 calls, and the next call would wait for it. All is looked at after a long quiet, or when far
too much was set aside. Where others share the process and leave their cycles, too, it looks at what is
young in steps too small to be felt, and sets nothing aside. What a busy time has left in the C library's
hands is given back to the system when it is over.
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
_FEW: Final = 10_000
"""Young objects that are looked at in a few milliseconds."""
ALONE: Final = 4_000_000
"""Objects set aside that must be looked at whatever goes on, in a process of the engine's own."""
SHARED: Final = 2_000
"""Young objects in one step where others leave their cycles, too: a millisecond at a time."""
_NEVER: Final = 2**31 - 1
_AGES: Final = 20
"""Steps after which what outlived them is worth a look when it is quiet."""
_EVERY_S: Final = 10
"""Seconds between two looks at what is young."""
_COUNT_S: Final = 3600
"""Seconds between two counts of what was set aside, which takes some milliseconds."""
_OVER_S: Final = 40
"""Quiet seconds after which a busy time counts as over: its transactions are, after 64 x T1."""
_WHOLE_S: Final = 600
"""Quiet seconds after which there is time to look at everything."""

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
        too_many: Objects set aside that must be looked at whatever goes on.
        step: Young objects that are looked at as soon as there are so many; 0 for no steps.
        trim: Gives free memory back to the system, all but so many octets; some milliseconds.
    """

    def __init__(self, trim: Trim | None = None, *, too_many: int = ALONE, step: int = 0) -> None:
        self._too_many, self._step = too_many, step
        self._thresholds = gc.get_threshold()
        self._trim = trim or _trimmer()
        self._messages = self._seconds = 0
        self._quiet_s = _OVER_S
        self._unseen = False
        gc.collect()
        gc.freeze()
        self._known = gc.get_freeze_count()
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
        if self._step:
            self._look_beside_others()
        else:
            self._look()

    def _look_beside_others(self) -> None:
        if self._quiet_s and self._quiet_s % _WHOLE_S == 0:
            gc.collect()
        elif (
            self._quiet_s > _OVER_S and self._seconds % _EVERY_S == 0 and gc.get_count()[1] > _AGES
        ):
            gc.collect(1)

    def _look(self) -> None:
        if (self._quiet_s and self._quiet_s % _WHOLE_S == 0) or self._has_far_too_much():
            self._look_at_all()
        elif self._seconds % _EVERY_S == 0:
            if gc.get_count()[0] > _FEW:
                gc.freeze()
                self._unseen = True
            elif self._quiet_s > _OVER_S:
                gc.collect(0)

    def _has_far_too_much(self) -> bool:
        if self._seconds % _COUNT_S:
            return False
        return gc.get_freeze_count() - self._known > self._too_many

    def _look_at_all(self) -> None:
        """Look at everything, but for what was seen already and set aside for good."""
        if not self._unseen:
            gc.collect()
            return
        gc.unfreeze()
        gc.collect()
        gc.freeze()
        self._unseen, self._known = False, gc.get_freeze_count()

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
