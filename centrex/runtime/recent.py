"""The events of an instance for whoever watches it: the latest ones, and those to come in batches.

An event is remembered as it is, which costs an append; it becomes plain data only for a reader. A
reader that is slow loses the oldest and is told how many. It refuses to know what events mean.
"""

from collections import deque
from collections.abc import Callable, Collection
from datetime import datetime
from typing import Any, Final

import anyio
import anyio.lowlevel

from centrex.base import Refused
from centrex.events import BY_NAME, Event, Field, Kind, Severity
from centrex.events.render import message_text
from centrex.runtime.bus import Bus, Lost, Stamped
from centrex.runtime.desk import Batches
from centrex.runtime.envelope import LINE_LIMIT, Result
from centrex.sip.uri import readable_address

REMEMBERED: Final = 5_000
"""Events kept in memory, and those that may wait for one reader."""
BATCHES_PER_S: Final = 4
_BATCH_ROWS: Final = 500
_ROOM: Final = LINE_LIMIT // 2
_AT_ONCE: Final = 16
"""Rows made before others may run again: a fifth of a millisecond."""
_LONGEST: Final = 1_000
"""Characters shown of one value."""


class Recent:
    """Remembers what happened, and tells it. It listens from the moment it is made.

    Args:
        bus: Where events come from.
        domain: Tells the domain whose users events name.
        changed: Called when somebody begins or ceases to listen.
        least: The least severity that is remembered.
    """

    def __init__(
        self,
        bus: Bus,
        *,
        domain: Callable[[], str],
        changed: Callable[[], None],
        least: Severity = Severity.INFO,
    ) -> None:
        self._bus, self._domain, self._changed = bus, domain, changed
        self._memory = bus.subscribe(limit=REMEMBERED, least=least)

    async def rows(self, params: dict[str, Any]) -> Result:
        """Return the latest events, oldest first: as many as asked for (`limit`) and as fit.

        Params: as those of `stream`, but for `recent`.

        Raises:
            Refused: The parameters are not understood.
        """
        count = _count(params, "limit", REMEMBERED)
        rows: list[dict[str, Any]] = []
        size = 0
        newest = self._newest(count, _kinds(params), _level(params))
        for number, item in enumerate(reversed(newest)):
            row = self._row(item)
            size += _size(row)
            if size > LINE_LIMIT - 1024:
                break
            rows.append(row)
            if number % _AT_ONCE == 0:
                await anyio.lowlevel.checkpoint()
        return {"rows": rows[::-1]}

    def stream(self, params: dict[str, Any]) -> Batches:
        """Give events as they happen, some at a time: `{"rows": …, "lost": …}`.

        Params: `kinds`, all where it is missing; `level`, the least severity; `closely`, kinds of which
        everything is given, and names in `BY_NAME` of events that are; `recent`, how many of those that
        have happened already are given first.

        Raises:
            Refused: The parameters are not understood.
        """
        kinds = _kinds(params)
        wanted = params.get("closely") or []
        by_name = [name for name in BY_NAME if isinstance(wanted, list) and name in wanted]
        if by_name:
            wanted = [name for name in wanted if name not in by_name]
        closely = _kinds({"kinds": wanted})
        return self._batches(kinds, _level(params), closely, by_name, _count(params, "recent", 0))

    async def _batches(
        self,
        kinds: Collection[Kind],
        least: Severity,
        closely: Collection[Kind],
        by_name: Collection[str],
        recent: int,
    ) -> Batches:
        items: deque[Stamped | Lost] = deque(self._newest(recent, kinds, least))
        with self._bus.subscribe(
            kinds, limit=REMEMBERED, least=least, closely=closely, by_name=by_name
        ) as subscription:
            self._changed()
            try:
                while True:
                    if not items:
                        items.extend(await subscription.receive())
                    yield await self._batch(items)
                    await anyio.sleep(1 / BATCHES_PER_S)
                    if len(items) < _BATCH_ROWS:
                        items.extend(subscription.drain())
            finally:
                subscription.close()
                self._changed()

    async def _batch(self, items: deque[Stamped | Lost]) -> Result:
        """Make a batch of the first of what waits."""
        rows: list[dict[str, Any]] = []
        lost = size = 0
        while items and len(rows) < _BATCH_ROWS and size < _ROOM:
            item = items.popleft()
            if isinstance(item, Lost):
                lost += item.count
                continue
            row = self._row(item)
            rows.append(row)
            size += _size(row)
            if len(rows) % _AT_ONCE == 0:
                await anyio.lowlevel.checkpoint()
        return {"rows": rows, "lost": lost}

    def _newest(self, count: int, kinds: Collection[Kind], least: Severity) -> list[Stamped]:
        found = [
            item
            for item in self._memory.newest(REMEMBERED)
            if item[1].kind in kinds and item[1].severity >= least
        ]
        return found[max(len(found) - count, 0) :]

    def _row(self, item: Stamped) -> dict[str, Any]:
        stamp, event = item
        row: dict[str, Any] = {
            "at": _iso(stamp),
            "kind": event.kind.value,
            "severity": event.severity.name.lower(),
            "name": event.name,
            "text": message_text(event),
            "call_id": _plain(event.call_id),
            "fields": {key: _plain(value) for key, value in event.fields.items()},
        }
        if aor := self._aor(event):
            row["aor"] = aor
        return row

    def _aor(self, event: Event) -> str:
        """Return whom an event speaks of, where it names a user of ours."""
        who = event.fields.get("aor") or event.fields.get("user")
        if not who or not isinstance(who, (bytes, str)):
            return ""
        text = str(_plain(who))
        if text.lower().startswith(("sip:", "sips:")):
            return text
        return readable_address(who if isinstance(who, bytes) else who.encode(), self._domain())


def _iso(stamp: datetime) -> str:
    return stamp.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _plain(value: Field) -> Any:
    if isinstance(value, bytes):
        return value[:_LONGEST].decode("utf-8", "backslashreplace")
    if isinstance(value, str):
        return value[:_LONGEST]
    if isinstance(value, float) and value - value != 0:  # infinite or no number: not JSON
        return str(value)
    return value


def _size(row: dict[str, Any]) -> int:
    """Return a bound of the octets a row takes as JSON."""
    text = row["text"]
    values = [*row["fields"].values(), row["call_id"], row.get("aor", "")]
    strings = [value for value in values if isinstance(value, str)]
    return 400 + 2 * len(text) + sum(_octets(value) for value in strings)


def _octets(text: str) -> int:
    return 2 * len(text) if text.isascii() and text.isprintable() else 12 * len(text)


def _kinds(params: dict[str, Any]) -> Collection[Kind]:
    names = params.get("kinds")
    if names is None:
        return frozenset(Kind)
    known = {kind.value: kind for kind in Kind}
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise Refused("invalid", "kinds is a list of names")
    unknown = [name for name in names if name not in known]
    if unknown:
        what = f"there is no kind of events {unknown[0]!r}: {', '.join(known)}"
        raise Refused("invalid", what, {"nearest": list(known)})
    return frozenset(known[name] for name in names)


def _level(params: dict[str, Any]) -> Severity:
    name = params.get("level", "info")
    try:
        return Severity[name.upper()]
    except (KeyError, AttributeError) as error:
        known = ", ".join(one.name.lower() for one in Severity)
        raise Refused("invalid", f"level is one of {known}") from error


def _count(params: dict[str, Any], name: str, default: int) -> int:
    value = params.get(name, default)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise Refused("invalid", f"{name} is a whole number, 0 or more")
    return min(value, REMEMBERED)
