"""Where tables and rows stand in a TOML text, and how a row is put in, taken out or moved as lines.

It goes by the shape of lines alone, so that remarks stay with the row they stand above. It never
decides what a value is: whoever edits compares what the new text says with what it should say.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from centrex.config.lines import header_of, outside_strings

_NOTHING: Final = re.compile(r"\s*(#.*)?$")
_REMARK: Final = re.compile(r"\s*#")
_LEFT_OUT: Final = re.compile(r"\s*#\s?[A-Za-z0-9_-]+\s*=")
"""A key that is commented out, and so no remark on what follows."""
TEXT: Final = r"""(?!\"{3}|'{3})(?:"(?:[^"\\]|\\.)*"|'[^']*')"""
"""A text in one line."""
VALUE: Final = rf"""(?:{TEXT}|[^\s#"'\[\]{{}},]+|\[(?:[^\[\]#"'{{}}]|{TEXT})*\])"""
"""A value in one line: a text, a number or a word, or a flat list of them."""


@dataclass(frozen=True, slots=True)
class Header:
    """One `[table]` or `[[row]]` line."""

    at: int
    """Its line, counted from 0."""
    names: tuple[str, ...]
    is_row: bool


@dataclass(frozen=True, slots=True)
class Block:
    """The lines of a table or a row: from the remarks above it to its last value."""

    start: int
    """Its first line, counted from 0: a remark that belongs to it, or its header."""
    header: int
    last: int
    """The last line that holds a value of its own, or the header where none does."""
    end: int
    """The line behind it: what follows is blank, a remark, or somebody else's."""


class Layout:
    """The lines of a TOML text, by table and row.

    Args:
        text: A text that parses.
    """

    def __init__(self, text: str) -> None:
        self._lines = [f"{line}\n" for line in text.split("\n")]
        if self._lines[-1] == "\n":
            self._lines.pop()
        self._headers = tuple(self._find())

    def _find(self) -> Iterator[Header]:
        for number, line in outside_strings("".join(self._lines)):
            if found := header_of(line):
                yield Header(number - 1, *found)

    @property
    def text(self) -> str:
        """The text, whose last line ends as all others do."""
        return "".join(self._lines)

    def table(self, names: tuple[str, ...]) -> Block | None:
        """Return where a table stands, or nothing where it has no header of its own."""
        for index, header in enumerate(self._headers):
            if header.names == names and not header.is_row:
                return self._block(index)
        return None

    def rows(self, names: tuple[str, ...]) -> tuple[Block, ...]:
        """Return where the rows of a list stand, those that have a header of their own."""
        return tuple(
            self._block(index)
            for index, header in enumerate(self._headers)
            if header.names == names and header.is_row
        )

    def _block(self, index: int) -> Block:
        header = self._headers[index]
        region = self._region(index, nested=header.is_row)
        own = self._region(index, nested=False)
        end = region
        while end > header.at + 1 and _NOTHING.match(self._lines[end - 1]):
            end -= 1
        while end < region and _REMARK.match(self._lines[end]):
            end += 1
        last = own - 1
        while last > header.at and _NOTHING.match(self._lines[last]):
            last -= 1
        return Block(self._first(index), header.at, last, end)

    def _region(self, index: int, *, nested: bool) -> int:
        """Return where the next table begins, its remarks included; its own may be left out."""
        names = self._headers[index].names
        for following in range(index + 1, len(self._headers)):
            other = self._headers[following].names
            if not (nested and len(other) > len(names) and other[: len(names)] == names):
                return self._first(following)
        return len(self._lines)

    def _first(self, index: int) -> int:
        """Return the first of the remarks right above a header, or the header itself.

        Remarks right below another header are that one's.
        """
        at = self._headers[index].at
        start = at
        while start > 0 and _REMARK.match(self._lines[start - 1]):
            start -= 1
        above = self._headers[index - 1].at if index else -1
        return at if index and start == above + 1 else start

    def _put(self, at: int, lines: list[str]) -> None:
        """Put lines in, with a blank one before and behind where there is something."""
        if at > 0 and self._lines[at - 1].strip():
            lines = ["\n", *lines]
        if at < len(self._lines) and self._lines[at].strip():
            lines = [*lines, "\n"]
        self._lines[at:at] = lines
        self._headers = tuple(self._find())

    def _take(self, block: Block) -> list[str]:
        """Take a block out, and the blank lines that parted it from the next."""
        lines = self._lines[block.start : block.end]
        end = block.end
        while end < len(self._lines) and not self._lines[end].strip():
            end += 1
        start = block.start
        if end == len(self._lines):  # nothing follows, so that nothing has to be parted
            while start > 0 and not self._lines[start - 1].strip():
                start -= 1
        del self._lines[start:end]
        self._headers = tuple(self._find())
        return lines

    def assign(self, block: Block, line: str) -> None:
        """Put an assignment behind the last one of a table or row."""
        self._lines.insert(block.last + 1, line)
        self._headers = tuple(self._find())

    def replace(self, block: Block, name: str, line: str) -> bool:
        """Put another assignment in the place of a key's, or none; the remark behind it stays.

        Returns:
            Whether the key stood there, once, in a line of a simple form.
        """
        found = self._assignment(block, name)
        if found is None:
            return False
        at, match = found
        if line:
            self._lines[at] = f"{match[1]}{line.rstrip()}{match[2]}\n"
        else:
            del self._lines[at]
        self._headers = tuple(self._find())
        return True

    def has_remark(self, block: Block, name: str) -> bool:
        """Return whether a remark stands right above a key, or behind it."""
        found = self._assignment(block, name)
        if found is None:
            return False
        at, match = found
        above = self._lines[at - 1]
        return "#" in match[2] or bool(_REMARK.match(above) and not _LEFT_OUT.match(above))

    def _assignment(self, block: Block, name: str) -> tuple[int, re.Match[str]] | None:
        """Return the line where a key stands, once and in a simple form, and what is around it."""
        pattern = re.compile(rf"(\s*){re.escape(name)}\s*=\s*{VALUE}(\s*(?:#.*)?)\n")
        found = [
            (at, match)
            for at in range(block.header + 1, block.last + 1)
            if (match := pattern.fullmatch(self._lines[at]))
        ]
        return found[0] if len(found) == 1 else None

    def insert(self, names: tuple[str, ...], at: int, lines: list[str]) -> None:
        """Put a row in; the first one behind its table, or at the end.

        Args:
            names: The list, such as `("auth", "credentials")`.
            at: Which row it will be, from 0 to their number.
            lines: Its lines, header and all.
        """
        rows = self.rows(names)
        if at < len(rows):
            self._put(rows[at].start, lines)
        elif rows:
            self._put(rows[-1].end, lines)
        else:
            table = self.table(names[:-1])
            self._put(table.end if table else len(self._lines), lines)

    def delete(self, names: tuple[str, ...], index: int) -> None:
        """Take a row out, with the remarks above it. Raises `IndexError`."""
        self._take(self.rows(names)[index])

    def move(self, names: tuple[str, ...], index: int, to: int) -> None:
        """Have a row stand elsewhere, with the remarks above it. Raises `IndexError`."""
        lines = self._take(self.rows(names)[index])
        self.insert(names, to, lines)
