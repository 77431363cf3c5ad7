"""The newest events, as the activity log shows them: a ring that forgets the oldest.

It holds plain rows as they came and never more than its bound; what is filtered out is not
copied. It refuses to know how a line is drawn.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, TypeAlias

Event: TypeAlias = Mapping[str, Any]

KINDS: Final = (
    "registrations", "authentication", "calls", "routing", "subscriptions", "media", "network",
    "guard", "plugins", "inet", "database", "sip_summary", "server", "errors",
)  # fmt: skip
"""The kinds of events, in the order of the Event Logging dialog; errors are always shown."""
ALWAYS: Final = frozenset({"errors"})


class Ring:
    """A list of bounded length whose oldest entries go first, each at a constant cost.

    Args:
        limit: The most entries kept.
    """

    def __init__(self, limit: int) -> None:
        self._rows: list[Event] = []
        self._start = 0
        self.limit = max(1, limit)
        self.gone = 0
        """How many entries have been forgotten since the start."""

    def __len__(self) -> int:
        return len(self._rows) - self._start

    def __getitem__(self, index: int) -> Event:
        if not 0 <= index < len(self):
            raise IndexError(index)
        return self._rows[self._start + index]

    def __iter__(self) -> Iterator[Event]:
        for at in range(self._start, len(self._rows)):
            yield self._rows[at]

    def extend(self, rows: Sequence[Event]) -> int:
        """Append rows; return how many of the oldest were forgotten for them."""
        if len(rows) > self.limit:
            self.gone += len(rows) - self.limit
            rows = rows[-self.limit :]
        self._rows += rows
        return self._trim()

    def resize(self, limit: int) -> None:
        """Keep another number of entries from now on."""
        self.limit = max(1, limit)
        self._trim()

    def clear(self) -> None:
        """Forget all."""
        self.gone += len(self)
        self._rows, self._start = [], 0

    def _trim(self) -> int:
        excess = len(self) - self.limit
        if excess <= 0:
            return 0
        self._start += excess
        self.gone += excess
        if self._start > self.limit:
            del self._rows[: self._start]
            self._start = 0
        return excess


class Activity:
    """What came in, and which kinds somebody wants to see.

    Args:
        limit: The most lines kept.
    """

    def __init__(self, limit: int = 5000) -> None:
        self.ring = Ring(limit)
        self.hidden: set[str] = set()
        self.lost = 0
        """Events that the instance had to drop because we read too slowly."""

    def take(self, rows: Iterable[Event], lost: int = 0) -> Sequence[Event]:
        """Keep what a batch brought; return it."""
        batch = list(rows)
        self.ring.extend(batch)
        self.lost += lost
        return batch

    def wants(self, event: Event) -> bool:
        """Return whether an event's kind is switched on."""
        kind = event.get("kind", "")
        return kind not in self.hidden or kind in ALWAYS
