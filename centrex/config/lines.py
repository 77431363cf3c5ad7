"""Where in a TOML text a key stands.

`tomllib` tells no line numbers, so this reads the text's headers and assignments by their shape
alone. It never decides what a value is; a key it cannot find gets the line of its table.
"""

import re
from collections.abc import Iterator
from typing import Final

from centrex.config.keys import Path

_NAME: Final = r"""(?:"[^"]*"|'[^']*'|[A-Za-z0-9_-]+)"""
_DOTTED: Final = rf"{_NAME}(?:\s*\.\s*{_NAME})*"
_HEADER: Final = re.compile(rf"\s*(\[\[?)\s*({_DOTTED})\s*\]\]?\s*(?:#.*)?$")
_ASSIGNMENT: Final = re.compile(rf"\s*({_DOTTED})\s*=")
_PIECE: Final = re.compile(_NAME)


def _parts(dotted: str) -> tuple[str, ...]:
    return tuple(piece.strip("\"'") for piece in _PIECE.findall(dotted))


def outside_strings(text: str) -> Iterator[tuple[int, str]]:
    """Yield the numbered lines that are no continuation of a multi-line string."""
    inside = ""
    for number, line in enumerate(text.split("\n"), 1):
        if not inside:
            yield number, line
        for quotes in ('"""', "'''"):
            if inside in ("", quotes) and line.count(quotes) % 2:
                inside = "" if inside else quotes
                break


def header_of(line: str) -> tuple[tuple[str, ...], bool] | None:
    """Return the names in a `[table]` or `[[row]]` line and whether it is a row; else nothing."""
    header = _HEADER.match(line)
    return (_parts(header[2]), header[1] == "[[") if header else None


class Lines:
    """The line of every key and table of one TOML text.

    Args:
        text: The TOML text, whether it parses or not.
    """

    __slots__ = ("_at", "_rows")

    def __init__(self, text: str) -> None:
        self._at: dict[Path, int] = {}
        self._rows: dict[tuple[str, ...], int] = {}
        table: Path = ()
        for number, line in outside_strings(text):
            if header := header_of(line):
                table = self._table(header[0], is_row=header[1])
                self._at.setdefault(table, number)
            elif assignment := _ASSIGNMENT.match(line):
                self._at.setdefault((*table, *_parts(assignment[1])), number)

    def _table(self, names: tuple[str, ...], *, is_row: bool) -> Path:
        if is_row:
            self._rows[names] = self._rows.get(names, -1) + 1
        path: list[str | int] = []
        for depth, name in enumerate(names, 1):
            path.append(name)
            if (row := self._rows.get(names[:depth])) is not None:
                path.append(row)
        return tuple(path)

    def of(self, path: Path) -> int:
        """Return the line of a key, of the table it belongs to, or 0."""
        while path:
            if line := self._at.get(path):
                return line
            path = path[:-1]
        return 0
