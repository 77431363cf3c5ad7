"""The items of a list that stand one on a line, with their remarks: put in, taken out, moved, changed.

It goes by the shape of lines alone. It never decides what a value is: whoever edits compares what the
new text says with what it should say.
"""

import re
from dataclasses import dataclass, field
from typing import Final

from centrex.config.layout import TEXT, Layout

_NOTHING: Final = re.compile(r"\s*(#.*)?")
_TABLE: Final = rf"\{{(?:[^{{}}#\"']|{TEXT})*\}}"
_ITEM: Final = re.compile(rf"(\s*)({TEXT}|{_TABLE})(?:\s*(,))?(\s*(?:#.*)?)")
_WHY: Final = "is no list with one item on a line"
_END: Final = re.compile(r"\s*\]\s*(#.*)?")


@dataclass(slots=True)
class _Item:
    indent: str
    value: str
    above: list[str] = field(default_factory=list)
    """Remarks above it."""
    behind: str = ""
    """The remark behind it, with the blanks before."""


class Array:
    """One such list.

    Args:
        text: A TOML text that parses.
        path: The names of its table, and its own.

    Raises:
        ValueError: It is none, or is not laid out so.
    """

    def __init__(self, text: str, path: tuple[str, ...]) -> None:
        self._lines = text.split("\n")
        block = Layout(text).table(path[:-1])
        opening = re.compile(rf"\s*{re.escape(path[-1])}\s*=\s*\[\s*(#.*)?")
        region = range(block.header + 1, block.end) if block else range(0)
        found = [at for at in region if opening.fullmatch(self._lines[at])]
        if len(found) != 1:
            raise ValueError(_WHY)
        self._begin = self._end = found[0] + 1
        self._items: list[_Item] = []
        self._comma = True
        self._read()

    def _read(self) -> None:
        above: list[str] = []
        while not _END.fullmatch(line := self._lines[self._end]):
            self._end += 1
            if item := _ITEM.fullmatch(line):
                self._items.append(_Item(item[1], item[2], above, item[4].rstrip()))
                self._comma, above = bool(item[3]), []
            elif _NOTHING.fullmatch(line):
                above.append(line)
            else:
                raise ValueError(_WHY)
            if self._end == len(self._lines):
                raise ValueError(_WHY)
        self._below = above

    @property
    def text(self) -> str:
        """The text with the items as they are now; the last one has a comma if it had one."""
        lines: list[str] = []
        for number, item in enumerate(self._items, 1):
            comma = "," if self._comma or number < len(self._items) else ""
            lines += [*item.above, f"{item.indent}{item.value}{comma}{item.behind}"]
        return "\n".join(
            [*self._lines[: self._begin], *lines, *self._below, *self._lines[self._end :]]
        )

    def insert(self, index: int, value: str) -> None:
        """Put an item in."""
        self._items.insert(index, _Item(self._items[0].indent if self._items else "    ", value))

    def delete(self, index: int) -> None:
        """Take an item out, with the remarks above and behind it."""
        del self._items[index]

    def move(self, index: int, to: int) -> None:
        """Have an item stand elsewhere, with the remarks above and behind it."""
        self._items.insert(to, self._items.pop(index))

    def replace(self, index: int, value: str) -> None:
        """Have an item be another one; the remarks stay."""
        self._items[index].value = value
