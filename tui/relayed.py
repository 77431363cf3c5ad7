"""What a relay says of a call that it carries, in words."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from tui.widgets.lines import Line, wrap
from tui.words import span

_SIDES: Final = ("caller", "callee")
_INDENT: Final = "   "


def call_lines(row: Mapping[str, Any], width: int) -> list[Line]:
    """Return lines about one call, whatever of it is known to whoever relays it.

    Args:
        row: As `relays.calls` lists it.
        width: Cells of a line.
    """
    lines: list[Line] = [
        [("● ", "good"), (str(row.get("call_id") or row.get("id") or "?"), "strong")]
    ]
    seconds = row.get("seconds")
    words = "answered" if row.get("answered") else "not answered yet"
    if isinstance(seconds, int | float):
        words += f", for {span(seconds)}"
    lines.append([(f"{_INDENT}{words}", "dim")])
    if silent := row.get("one_way"):
        lines.append([(f"{_INDENT}✗ the {silent} is not heard", "bad")])
    streams = row.get("streams") or ()
    for number, stream in enumerate(streams, 1):
        if stream is None:
            continue
        if len(streams) > 1:
            lines.append([(f"{_INDENT}stream {number}", "dim")])
        for side, end in zip(_SIDES, stream, strict=False):
            lines += _end_lines(side, end, width)
    return lines


def _end_lines(side: str, end: Mapping[str, Any], width: int) -> Iterator[Line]:
    name = f"{_INDENT}{side}  "
    parts = wrap(", ".join(_words(end)), max(16, width - len(name)))
    for at, part in enumerate(parts):
        yield [(" " * len(name) if at else name, "dim"), (part, "")]


def _words(end: Mapping[str, Any]) -> Sequence[str]:
    """Return what is known of one end, each in a few words."""
    learned, signalled = end.get("learned"), end.get("signalled") or "nothing"
    told = [f"heard at {learned}" if learned else f"not heard yet, says {signalled}"]
    told.append(f"{end.get('packets', 0)} packets")
    if end.get("lost") is not None:
        told.append(f"{end['lost']} lost")
    if end.get("jitter_ms") is not None:
        told.append(f"jitter {end['jitter_ms']:.1f} ms")
    told.append("through the kernel" if end.get("kernel") else "by the relay's own process")
    if report := end.get("reported"):
        told.append(f"it reports {report['lost']} lost")
        told.append(f"jitter {report['jitter_ms']:.1f} ms")
        if report.get("round_trip_ms") is not None:
            told.append(f"{report['round_trip_ms']:.1f} ms there and back")
    drops = {why: count for why, count in (end.get("drops") or {}).items() if count}
    if drops:
        told.append(f"{sum(drops.values())} dropped ({', '.join(drops)})")
    return told
