"""The journal: what was decided for each Call-ID, in order, for a bounded number of them.

It knows nothing of what the rules mean; `centrex.trace.explain` puts them into words.
"""

from collections import deque
from collections.abc import Sequence
from typing import Any, Final, TypeAlias

_BEGINNING: Final = 10

Decision: TypeAlias = tuple[Any, ...]
"""`(now, rule, *facts)`."""


class Journal:
    """Decisions by Call-ID. One append per decision; the oldest Call-ID goes first when full.

    Args:
        stories: How many Call-IDs are kept.
        decisions: How many decisions are kept of one Call-ID: its first ones and the newest.
    """

    __slots__ = ("_decisions", "_order", "_stories", "_tales", "dropped")

    def __init__(self, stories: int = 10_000, decisions: int = 100) -> None:
        self._stories, self._decisions = stories, decisions
        self._tales: dict[bytes, list[Decision]] = {}
        # a dictionary's first key is slow to find once many before it were deleted
        self._order: deque[bytes] = deque()
        self.dropped = 0

    def note(self, call_id: bytes, decision: Decision) -> None:
        """Append `(now, rule, *facts)` to what is known of a Call-ID."""
        self.open(call_id).append(decision)

    def open(self, call_id: bytes) -> list[Decision]:
        """Return the list to append the decisions for one request to.

        It is bounded whenever it is opened, so a request may append only a few.
        """
        tale = self._tales.get(call_id)
        if tale is None:
            if len(self._tales) >= self._stories:
                del self._tales[self._order.popleft()]
            tale = self._tales[call_id] = []
            self._order.append(call_id)
        elif len(tale) >= self._decisions:
            surplus = len(tale) - self._decisions + 1
            del tale[_BEGINNING : _BEGINNING + surplus]
            self.dropped += surplus
        return tale

    def story(self, call_id: bytes) -> Sequence[Decision]:
        """Return the decisions for a Call-ID in order; empty when it is not (or no longer) known."""
        return tuple(self._tales.get(call_id, ()))

    def call_ids(self, containing: bytes = b"", limit: int = 20) -> Sequence[bytes]:
        """Return the newest Call-IDs that contain some bytes, newest first."""
        found = []
        for call_id in reversed(self._tales):
            if containing in call_id:
                found.append(call_id)
                if len(found) >= limit:
                    break
        return tuple(found)

    def __len__(self) -> int:
        return len(self._tales)
