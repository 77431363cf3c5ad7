"""Figures, spans and addresses as an operator reads them at a glance."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any, Final

_BARS: Final = "▁▂▃▄▅▆▇█"


def span(seconds: float) -> str:
    """Return seconds as `2 d 03:04:05`."""
    minutes, second = divmod(int(max(0, seconds)), 60)
    hours, minute = divmod(minutes, 60)
    days, hour = divmod(hours, 24)
    return (f"{days} d " if days else "") + f"{hour:02}:{minute:02}:{second:02}"


def figure(number: float) -> str:
    """Return a count in at most six cells: `999`, `12.3k`, `4.5M`."""
    if number != int(number) and abs(number) < 1000:
        return f"{number:.1f}"
    for unit, least, size in (("G", 999_950_000, 1e9), ("M", 999_950, 1e6), ("k", 10_000, 1e3)):
        if abs(number) >= least:
            return f"{number / size:.1f}{unit}"
    return str(int(number))


def many(number: int, word: str) -> str:
    """Return a count with its word: `1 phone`, `2 phones`."""
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


def bars(values: Sequence[float], width: int) -> str:
    """Return the newest values as a sparkline of `width` cells, from 0 to the highest."""
    newest = list(values)[-width:]
    highest = max(newest, default=0)
    if highest <= 0:
        return (_BARS[0] * len(newest)).rjust(width)
    steps = len(_BARS) - 1
    return "".join(
        _BARS[min(steps, int(value / highest * steps + (0.999 if value > 0 else 0)))]
        for value in newest
    ).rjust(width)


def tall_bars(values: Sequence[float], width: int, height: int) -> list[str]:
    """Return the newest values as bars of several lines, the uppermost line first."""
    newest = list(values)[-width:]
    highest = max(newest, default=0) or 1
    eighths = [round(value / highest * height * 8) for value in newest]
    lines = []
    for level in range(height - 1, -1, -1):
        line = ""
        for value in eighths:
            part = min(8, max(0, value - level * 8))
            line += " " if part == 0 else _BARS[part - 1]
        lines.append(line.rjust(width))
    lines[-1] = lines[-1].replace(" ", _BARS[0]) if len(newest) == width else lines[-1]
    return lines


@lru_cache(4096)
def clock(at: str) -> str:
    """Return the time of day of an ISO-8601 moment where its reader is, to the millisecond."""
    moment = _here(at)
    return f"{moment:%H:%M:%S}.{moment.microsecond // 1000:03}" if moment else at[:12]


def day_and_time(at: str) -> str:
    """Return an ISO-8601 moment as its reader's calendar and clock have it, to the second."""
    moment = _here(at)
    return f"{moment:%Y-%m-%d %H:%M:%S}" if moment else at


def _here(at: str) -> datetime | None:
    try:
        return datetime.fromisoformat(at).astimezone()
    except ValueError:
        return None


def listener(row: Mapping[str, Any]) -> str:
    """Return where a listener listens, as `udp [::1]:5060`."""
    host = str(row.get("host", ""))
    bracketed = f"[{host}]" if ":" in host else host
    return f"{row.get('transport', '')} {bracketed}:{row.get('port', '')}"


def listeners(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return where a server listens, transports of one address together: `udp/tcp 192.0.2.1:5060`."""
    at: dict[str, list[str]] = {}
    for row in rows:
        transport, _, where = listener(row).partition(" ")
        at.setdefault(where, []).append(transport)
    return ", ".join(f"{'/'.join(transports)} {where}" for where, transports in at.items())


def person(uri: str) -> str:
    """Return the part of a SIP URI or From value that people call by: `1001`, or all of it."""
    text = uri.strip()
    if "<" in text and ">" in text:
        text = text.partition("<")[2].partition(">")[0]
    scheme, _, rest = text.partition(":")
    if scheme.lower() in ("sip", "sips") and rest:
        return rest.partition("@")[0] if "@" in rest else rest
    return text
