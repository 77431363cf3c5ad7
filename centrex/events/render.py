r"""An event as one line, for people and `grep` (`as_text`) or for programs (`as_json`).

It knows how to write what strangers sent so that nobody is deceived: one event is one line, no
untrusted text leaves its quotation marks, and `src=` stands in a text line at most once: right
after the event's name, where a ban tool looks for it. It refuses to know where lines go.
"""

import json
import re
from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from typing import Final

from centrex.base.untrusted import shown
from centrex.events.event import Event, Field, Kind, Severity

_LIMIT: Final = 200
"""Characters shown of one value."""
_BARE: Final = re.compile(r"[A-Za-z0-9_.:/\[\]@+-]+").fullmatch
_SOURCE: Final = re.compile("src=", re.IGNORECASE)
_QUOTES: Final = '"\\'
_PLAIN: Final = bytes(octet for octet in range(0x20, 0x7F) if octet not in b'"\\=')
"""Octets that stand in quotation marks as they are, wherever they stand."""
_WORD: Final[Mapping[Severity, str]] = {
    Severity.DEBUG: "debug",
    Severity.INFO: "info ",
    Severity.NOTICE: "note ",
    Severity.WARNING: "warn ",
    Severity.ERROR: "error",
}
_HEADS: Final = 512
"""Names of events whose beginning of a line is kept; there are not as many."""


def as_text(event: Event, stamp: datetime) -> str:
    r"""Return the event as one line without its line feed.

    Such as `2026-11-22T17:34:23.123Z info  calls call.answered src=192.0.2.7:5060 from="1001"`:
    time, severity, kind, name, `src=`, the other fields in their order, `call-id=`. Bytes are
    always quoted; a string of ours only where it holds more than letters, digits and `_.:/[]@+-`.
    In quotation marks `"` is written `\x22`, a backslash `\x5c`, and `src=` as `src\x3d`.

    Args:
        event: What happened.
        stamp: When, as an aware `datetime` in UTC.
    """
    head = _heads.get(event.name)
    if head is None or head[0] is not event.kind or head[1] is not event.severity:
        head = _head(event)
    return _time(stamp) + head[2] + _facts(event)


def message_text(event: Event) -> str:
    """Return what `as_text` writes behind time, severity and kind: the name and the facts."""
    return event.name + _facts(event)


def _facts(event: Event) -> str:
    line = ""
    fields = event.fields
    source = fields.get("src")
    if source is not None:
        line += " src=" + _value(source)
    for key, value in fields.items():
        if key != "src":
            line += _key(key) + _value(value)
    if event.call_id:
        line += " call-id=" + _value(event.call_id)
    return line


def as_json(event: Event, stamp: datetime) -> str:
    """Return the event as one JSON object on one line, without its line feed.

    Keys: `at` (ISO-8601 UTC), `severity`, `kind`, `event`, `src` where known, `fields` (an object
    of the others) and `call_id` where known. Text is escaped as for a terminal before it is
    escaped for JSON, so that what a program prints of it is harmless too.

    Args:
        event: What happened.
        stamp: When, as an aware `datetime` in UTC.
    """
    record: dict[str, object] = {
        "at": _time(stamp)[:-1],
        "severity": event.severity.name.lower(),
        "kind": event.kind.value,
        "event": shown(event.name, _LIMIT),
    }
    if "src" in event.fields:
        record["src"] = _plain(event.fields["src"])
    record["fields"] = {
        shown(key, _LIMIT): _plain(value) for key, value in event.fields.items() if key != "src"
    }
    if event.call_id:
        record["call_id"] = shown(event.call_id, _LIMIT)
    return json.dumps(record, ensure_ascii=False, separators=(",", ":"))


_heads: dict[str, tuple[Kind, Severity, str]] = {}


def _head(event: Event) -> tuple[Kind, Severity, str]:
    """Make severity, kind and name of an event, and keep them: enums are slow to look up."""
    if len(_heads) >= _HEADS:
        _heads.clear()
    text = f"{_WORD[event.severity]} {event.kind.value} {event.name}"
    head = _heads[event.name] = event.kind, event.severity, text
    return head


def _time(stamp: datetime) -> str:
    minute = _minute(stamp.year, stamp.month, stamp.day, stamp.hour, stamp.minute)
    return "%s%02d.%03dZ " % (minute, stamp.second, stamp.microsecond // 1000)  # noqa: UP031 (faster)


@lru_cache(maxsize=4)
def _minute(year: int, month: int, day: int, hour: int, minute: int) -> str:
    return f"{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:"


@lru_cache(maxsize=256)
def _key(key: str) -> str:
    name = key.replace("_", "-")
    if not _BARE(name) or name.lower().endswith("src"):
        name = re.sub(r"[^A-Za-z0-9.-]", "-", name) + "-"
    return f" {name}="


def _value(value: Field) -> str:
    if isinstance(value, bytes):
        if len(value) <= _LIMIT and not value.translate(None, _PLAIN):
            return f'"{value.decode("ascii")}"'
        return _quoted(value)
    if isinstance(value, str):
        return value if len(value) <= _LIMIT and _BARE(value) else _quoted(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _quoted(value: bytes | str) -> str:
    text = shown(value, _LIMIT, also=_QUOTES)
    if "=" in text:
        text = _SOURCE.sub(r"src\\x3d", text)
    return f'"{text}"'


def _plain(value: Field) -> object:
    if isinstance(value, (bytes, str)):
        return shown(value, _LIMIT)
    if isinstance(value, float) and value - value != 0:  # infinite or no number: not JSON
        return str(value)
    return value
