"""What would become of a call, as lines: the plans looked at, and when each destination rings.

It knows the answer to `route.test`; it refuses to know who asked.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from tui.widgets.lines import Line, fit, wrap

_TICKS: Final = (1, 2, 5, 10, 15, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200)
_TO: Final = 22
"""Cells of a destination's name."""
_LEAST: Final = 24
"""Cells of the time-line at least."""
_TICK_CELLS: Final = 9
"""Cells between two times on it at least."""


def answer_lines(answer: Mapping[str, Any], width: int, edits: int = 0) -> list[Line]:
    """Return an answer as lines.

    Args:
        answer: The answer to `route.test`.
        width: In cells.
        edits: How many edits that are not applied it counts in.
    """
    steps = list(answer.get("steps", ()))
    reached = any(step["uris"] for step in steps)
    outcome = str(answer.get("outcome", ""))
    lines: list[Line] = [
        [("✓ " if reached else "✗ ", "good" if reached else "bad"), (words, "strong")]
        if not number
        else [("  ", ""), (words, "strong")]
        for number, words in enumerate(wrap(outcome, width - 3))
    ]
    by = "by the phones that are registered now" if answer.get("live") else "by the file alone"
    counted = f", with {edits} edit{'s' * (edits != 1)} not yet applied" if edits else ""
    at, zone = answer.get("at", ""), answer.get("zone")
    when = f"{at} ({zone})" if zone else at
    about = f"{answer.get('number', '')} at {when}, {by}{counted}"
    lines += [[("  ", ""), (words, "dim")] for words in wrap(about, width - 3)]
    lines += [[], [("Plans looked at", "title")], *_plans(answer, width)]
    lines += [[], *_timeline(steps, float(answer.get("seconds", 0)), width)]
    return lines


def _plans(answer: Mapping[str, Any], width: int) -> Iterator[Line]:
    looked = list(answer.get("looked", ()))
    if not looked:
        yield [("  there is no plan for it; the user's own phones ring", "")]
    for one in looked:
        decides = bool(one["decides"])
        mark = ("› " if decides else "· ", "key" if decides else "dim")
        head = f"{int(one['number']):>3}  {fit(one['key'], _TO)}  "
        for number, words in enumerate(wrap(str(one["why"]), max(20, width - len(head) - 3))):
            first = not number
            yield [
                mark if first else ("  ", ""),
                (head if first else " " * len(head), "strong" if decides else ""),
                (words, "" if decides else "dim"),
            ]


def _timeline(steps: Sequence[Mapping[str, Any]], total: float, width: int) -> Iterator[Line]:
    left = 5 + _TO + 2
    room = max(_LEAST, width - left - 12)
    yield [("Who rings when".ljust(left), "title"), (scale(total, room), "dim")]
    if not steps:
        yield [("  nobody", "")]
    for number, step in enumerate(steps, 1):
        uris = [str(uri) for uri in step["uris"]]
        head = f"{number:>3}  {fit(step['to'], _TO)}  "
        if not uris or not step["ring_s"]:
            for at, words in enumerate(wrap(f"✗ {step['why']}", max(20, width - len(head) - 2))):
                yield [(head if not at else " " * len(head), "dim"), (words, "warn")]
            continue
        begins, rings = float(step["from_s"]), float(step["ring_s"])
        span = f" {begins:g}–{begins + rings:g} s"
        yield [(head, ""), (bar(begins, rings, total, room), "good"), (span, "")]
        gone = frozenset(step.get("gone") or ())
        for uri in uris:
            told = f"{uri} does not answer" if uri in gone else uri
            for at, words in enumerate(wrap(told, max(20, width - 10))):
                yield [
                    ("     → " if not at else "       ", "dim"),
                    (words, "warn" if uri in gone else "note"),
                ]
        if step["why"]:
            for words in wrap(str(step["why"]), max(20, width - 10)):
                yield [("       ", ""), (words, "dim")]


def bar(begins: float, rings: float, total: float, room: int) -> str:
    """Return one destination's stretch of the time-line: what is left of it is empty."""
    if total <= 0:
        return "█".ljust(room)
    start = min(room - 1, round(begins / total * room))
    end = max(start + 1, min(room, round((begins + rings) / total * room)))
    return ("·" * start + "█" * (end - start)).ljust(room)


def scale(total: float, room: int) -> str:
    """Return the time-line's own line: seconds, evenly spaced, none cut."""
    if total <= 0:
        return ""
    most = max(1, room // _TICK_CELLS)
    every = next((one for one in _TICKS if total / one <= most), max(total, 1))
    line = ""
    at = 0.0
    while at <= total:
        place = round(at / total * room)
        mark = f"{at:g} s" if not at else f"{at:g}"
        if place + len(mark) > room:
            break
        line = line.ljust(place) + mark
        at += every
    return line.ljust(room)
