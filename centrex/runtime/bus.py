"""The bus: takes what happened, stamps it with the time of day, hands it to whoever listens.

It knows which kinds of events anybody wants, and keeps a bounded queue for each listener: a slow
one loses the oldest events and is told how many, and never slows a call. It refuses to know what
events mean and how they are written.
"""

import logging
import threading
from collections import deque
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from types import TracebackType
from typing import Final, TypeAlias

import anyio

from centrex.events import BY_NAME, Event, Field, Kind, Severity

_ALWAYS: Final = frozenset({Kind.ERRORS, Kind.SERVER})
"""The kinds that have no switch in `[events]`."""
_FOREIGN: Final = 1_000
"""Events from other threads kept until the bus's own thread comes by."""


def utc_now() -> datetime:
    """Return the time of day, aware, in UTC."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Lost:
    """Stands in a subscription where events are missing."""

    count: int
    """How many were lost at this place."""


Stamped: TypeAlias = tuple[datetime, Event]
"""When, as an aware `datetime` in UTC, and what."""


class Subscription:
    """What one listener has still to read: bounded, the oldest goes first.

    Made by `Bus.subscribe`; `close` it, or use it in a `with` statement.

    Attributes:
        kinds: The kinds that are heard.
        closely: Those of them of which everything is heard, however slight.
        by_name: The events that are heard however slight they are.
    """

    __slots__ = (
        "_bus", "_least", "_limit", "_lost", "_queue", "_wake", "_wake_at", "by_name", "closely",
        "kinds",
    )  # fmt: skip

    def __init__(
        self,
        bus: "Bus",
        kinds: frozenset[Kind],
        limit: int,
        least: Severity,
        closely: frozenset[Kind] = frozenset(),
        by_name: frozenset[str] = frozenset(),
    ) -> None:
        self._bus, self.kinds, self._limit, self._least = bus, kinds, limit, least
        self.closely, self.by_name = kinds & closely, by_name
        self._queue: deque[Stamped] = deque()
        self._lost = 0
        self._wake: anyio.Event | None = None
        self._wake_at = 1

    def drain(self) -> list[Stamped | Lost]:
        """Return all there is, without waiting; begins with `Lost` where events are missing."""
        items: list[Stamped | Lost] = [Lost(self._lost)] if self._lost else []
        items.extend(self._queue)
        self._queue.clear()
        self._lost = 0
        return items

    def newest(self, count: int) -> list[Stamped]:
        """Return the newest of what is there, oldest first, and leave it there."""
        return list(islice(reversed(self._queue), count))[::-1]

    async def wait(self, count: int = 1) -> None:
        """Wait until at least `count` events are there (at most as many as the queue holds)."""
        count = min(count, self._limit)
        while len(self._queue) < count:
            self._wake, self._wake_at = anyio.Event(), count
            try:
                await self._wake.wait()
            finally:
                self._wake = None

    @property
    def least(self) -> Severity:
        """The least severity that is heard."""
        return self._least

    @least.setter
    def least(self, severity: Severity) -> None:
        self._least = severity
        self._bus.reckon()

    async def receive(self) -> list[Stamped | Lost]:
        """Wait until there is something, and return all of it."""
        await self.wait()
        return self.drain()

    def close(self) -> None:
        """Listen no longer."""
        self._bus.unsubscribe(self)

    def __len__(self) -> int:
        return len(self._queue)

    def __enter__(self) -> "Subscription":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def offer(self, item: Stamped) -> None:
        """Take an event; the bus calls this."""
        queue = self._queue
        if len(queue) >= self._limit:
            queue.popleft()
            self._lost += 1
        queue.append(item)
        if self._wake is not None and len(queue) >= self._wake_at:
            self._wake.set()


class Bus:
    """Hands events to subscriptions. It belongs to the thread that made it.

    Args:
        enabled: The kinds switched on in `[events]`.
        wall: Tells the time of day.

    Attributes:
        wanted: The kinds worth making events of: switched on, and somebody listens. Read it, or
            `wants`, before an event is built. Errors are always in it, whatever their kind.
        details: Those of them of which also what is of severity DEBUG is listened to.
        counts: How many events were handed on, by kind.
        lost_foreign: Events of other threads that were lost because the bus did not come by.
    """

    __slots__ = (
        "_enabled",
        "_foreign",
        "_subscriptions",
        "_thread",
        "_wall",
        "counts",
        "details",
        "lost_foreign",
        "wanted",
    )

    def __init__(
        self, enabled: Collection[Kind] = tuple(Kind), wall: Callable[[], datetime] = utc_now
    ) -> None:
        self._wall = wall
        self._thread = threading.get_ident()
        self._foreign: deque[Event] = deque()
        self._subscriptions: tuple[Subscription, ...] = ()
        self.lost_foreign = 0
        self.counts: dict[Kind, int] = {}
        self.enable(enabled)

    def enable(self, kinds: Collection[Kind]) -> None:
        """Switch kinds on, and all others off; errors and the server's own cannot be."""
        self._enabled = _ALWAYS.union(kinds)
        self.reckon()

    def wants(self, kind: Kind) -> bool:
        """Return whether anybody would read an event of this kind."""
        return kind in self.wanted

    def publish(self, event: Event) -> None:
        """Stamp an event and hand it to those who listen for its kind. Only for the bus's thread."""
        if self._foreign:
            self.collect()
        self._hand(event)

    def post(self, event: Event) -> None:
        """Publish from any thread; from another than the bus's own with the next event or `collect`."""
        if threading.get_ident() == self._thread:
            self.publish(event)
        elif len(self._foreign) >= _FOREIGN:
            self.lost_foreign += 1
        else:
            self._foreign.append(event)

    def collect(self) -> None:
        """Publish what other threads have posted; to be called once a second."""
        for _ in range(len(self._foreign)):
            self._hand(self._foreign.popleft())

    def subscribe(
        self,
        kinds: Collection[Kind] = tuple(Kind),
        *,
        limit: int = 5_000,
        least: Severity = Severity.DEBUG,
        closely: Collection[Kind] = (),
        by_name: Collection[str] = (),
    ) -> Subscription:
        """Listen for some kinds from a severity on, with a queue of that many events.

        Of the kinds in `closely`, and of the events in `by_name` (of `BY_NAME`), all are heard.
        """
        subscription = Subscription(
            self, frozenset(kinds), limit, least, frozenset(closely), frozenset(by_name)
        )
        self._subscriptions = (*self._subscriptions, subscription)
        self.reckon()
        return subscription

    def unsubscribe(self, subscription: Subscription) -> None:
        """Listen no longer; does nothing the second time."""
        self._subscriptions = tuple(one for one in self._subscriptions if one is not subscription)
        self.reckon()

    def _hand(self, event: Event) -> None:
        if event.kind in self.wanted or event.severity >= Severity.ERROR:
            item = (self._wall(), event)
            self.counts[event.kind] = self.counts.get(event.kind, 0) + 1
            for subscription in self._subscriptions:
                if event.kind in subscription.kinds and (
                    event.severity >= subscription.least
                    or event.kind in subscription.closely
                    or event.name in subscription.by_name
                ):
                    subscription.offer(item)

    def reckon(self) -> None:
        """See anew what is worth making events of."""
        heard = frozenset[Kind]().union(*(one.kinds for one in self._subscriptions))
        self.wanted = (self._enabled & heard) | {Kind.ERRORS}
        closely = [
            one.kinds
            if one.least <= Severity.DEBUG
            else one.closely.union(BY_NAME[name] for name in one.by_name)
            for one in self._subscriptions
        ]
        self.details = self._enabled & frozenset[Kind]().union(*closely)


_LEVELS: Final = (
    (logging.ERROR, Severity.ERROR),
    (logging.WARNING, Severity.WARNING),
    (logging.INFO, Severity.INFO),
)


class LogHandler(logging.Handler):
    """Brings what libraries log onto the bus, as events named `library.message`.

    Args:
        post: Takes an event from any thread: `Bus.post`.
        level: The least level that is brought.
    """

    def __init__(self, post: Callable[[Event], None], level: int = logging.WARNING) -> None:
        super().__init__(level)
        self._post = post

    def emit(self, record: logging.LogRecord) -> None:
        """Make the record an event; of an exception only its class and text go with it."""
        severity = next(
            (ours for level, ours in _LEVELS if record.levelno >= level), Severity.DEBUG
        )
        kind = Kind.ERRORS if severity is Severity.ERROR else Kind.SERVER
        try:
            message = record.getMessage()
        except (TypeError, ValueError, KeyError):  # its arguments do not fit its format
            message = str(record.msg)
        fields: dict[str, Field] = {"logger": record.name, "message": message}
        if record.exc_info and record.exc_info[1] is not None:
            error = record.exc_info[1]
            fields["error"] = f"{type(error).__name__}: {error}"
        self._post(Event(kind, severity, "library.message", fields))
