"""The first messages of calls that wait until a relay has ports again, and for how long they may.

In a rush of calls all ports that were leased ahead are used up for a moment. It knows how many may wait;
whether there is anything to wait for, it is told.
"""

from collections import deque
from typing import Final, NamedTuple

from centrex.base import Instant
from centrex.proxy.context import Branch

PATIENCE_S: Final = 0.5
"""How long the first message of a call may wait for ports to be leased."""
MOST: Final = 2000
"""Messages that may wait."""


class Waiting(NamedTuple):
    """The first message of a call."""

    branch: Branch
    token: bytes
    """The branch parameter of our Via in it."""
    data: bytes
    until: Instant
    """How long it may wait."""


class Rush:
    """The messages that wait, in the order they came."""

    def __init__(self) -> None:
        self._waiting: deque[Waiting] = deque()

    def __len__(self) -> int:
        return len(self._waiting)

    def may_wait(self, one: Waiting, now: Instant) -> bool:
        """Whether a message may wait, or wait on."""
        return now < one.until and len(self._waiting) < MOST

    def add(self, one: Waiting) -> None:
        """Let a message wait that may."""
        self._waiting.append(one)

    def take(self) -> deque[Waiting]:
        """Return all messages, which wait no longer."""
        waiting, self._waiting = self._waiting, deque()
        return waiting
