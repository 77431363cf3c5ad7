"""Tables that stay: drawn anew once a second on a terminal; elsewhere a line for each row that is new."""

import json
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import typer

from cli import output

FollowOption = Annotated[
    bool, typer.Option("--follow", "-f", help="Go on showing it, until Ctrl-C.")
]

PAUSE_S = 1.0
"""Seconds between two looks."""
_CLEAR = "\x1b[H\x1b[2J\x1b[3J"

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """How rows of one command are shown."""

    headers: Sequence[str]
    cells: Callable[[Row], Sequence[object]]
    """Makes the cells of a row."""
    empty: str
    """What to say where there are no rows."""
    news: Sequence[str]
    """The keys whose change is worth a line; figures that always change are not among them."""


def show(
    table: Table, rows: Callable[[], Sequence[Row]], *, follow: bool, as_json: bool = False
) -> None:
    """Show a table once, or until interrupted.

    Args:
        table: How it is shown.
        rows: Asks for the rows of this moment.
        follow: Whether to go on.
        as_json: Whether to write each row that is new as a line of JSON instead.
    """
    if not follow:
        _draw(table, rows())
        return
    seen: set[tuple[object, ...]] = set()
    try:
        while True:
            if sys.stdout.isatty() and not as_json:
                listed = rows()
                typer.echo(_CLEAR, nl=False)
                _draw(table, listed)
            else:
                seen = _tell(table, rows(), seen, as_json=as_json)
            time.sleep(PAUSE_S)
    except KeyboardInterrupt:
        return


def _draw(table: Table, rows: Iterable[Row]) -> None:
    output.table(table.headers, (table.cells(row) for row in rows), empty=table.empty)


def _tell(
    table: Table, rows: Iterable[Row], seen: set[tuple[object, ...]], *, as_json: bool
) -> set[tuple[object, ...]]:
    """Write a line for each row not seen before; return what was seen now."""
    now: set[tuple[object, ...]] = set()
    for row in rows:
        mark = tuple(str(row.get(key, "")) for key in table.news)
        now.add(mark)
        if mark in seen:
            continue
        if as_json:
            line_of_json(row)
        else:
            output.say("  ".join(str(cell) for cell in table.cells(row)))
    sys.stdout.flush()
    return now


def line_of_json(value: Any) -> None:
    """Write a value as one line of JSON, pure ASCII, so that nothing in it can act upon a terminal."""
    typer.echo(json.dumps(value).replace("\x7f", "\\u007f"))
