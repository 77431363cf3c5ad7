"""A table of live rows: sorted, filtered, with columns of choice, and kept still while it is read.

Rows come whole, as often as they like; the chosen row stays chosen by its key. It knows columns;
it refuses to know where rows come from.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, TypeAlias

from rich.cells import cell_len
from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message

from tui.filter import Filter
from tui.widgets.lines import Line, Run, clean, fit
from tui.widgets.rows import Rows

Row: TypeAlias = Mapping[str, Any]
_DROPPED = 2
"""The weight from which on a column is left out where there is no room even for its least."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column: what it is called, what it shows, how it sorts."""

    name: str
    """How filters and settings call it."""
    title: str
    text: Callable[[Row], str]
    sort: Callable[[Row], Any] | None = None
    """What it sorts by, where that is not its text."""
    style: Callable[[Row], str] | None = None
    least: int = 4
    """The fewest cells it takes."""
    most: int = 40
    right: bool = False
    shown: bool = True
    """Whether it is there unless somebody chooses otherwise."""
    weight: int = 1
    """How soon it gives way where there is no room: 0 last."""


class Table(Rows):
    """Rows in columns.

    Args:
        columns: In their order.
        key: What a row is known by.
        nothing: What is said where there are no rows.
        sort: The column sorted by at first; empty for the order the rows came in.
    """

    heads = 1
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "open", "open", key_display="⏎"),
        Binding("o", "order(1)", "order"),
        Binding("O", "reverse", "reverse", show=False),
    ]

    class Filtered(Message):
        """Another number of rows is seen."""

    class Arranged(Message):
        """Somebody chose other columns, or another order."""

    def __init__(
        self,
        columns: Sequence[Column],
        *,
        key: Callable[[Row], Any],
        nothing: str,
        sort: str = "",
        id: str | None = None,
    ) -> None:
        super().__init__(id=id)
        self.columns = tuple(columns)
        self.chosen_columns = {column.name for column in columns if column.shown}
        self.nothing = nothing
        self.sorted_by, self.descending = sort, False
        self.filter = Filter()
        self.may_open: Callable[[], bool] = lambda: True
        """Returns whether a row can be opened."""
        self.ordered = False
        """Whether the order the rows came in means something, so that there is a way back to it."""
        self._key = key
        self._picked = False
        self._all: list[Row] = []
        self._seen: list[Row] = []
        self._widths: dict[str, int] = {}

    @property
    def all(self) -> Sequence[Row]:
        """All rows, whether seen or not."""
        return self._all

    @property
    def shown(self) -> Sequence[Row]:
        """The rows that pass the filter, in the order they are seen."""
        return self._seen

    @property
    def chosen(self) -> Row | None:
        """The row under the cursor."""
        return self._seen[self.cursor] if self.cursor < len(self._seen) else None

    def fill(self, rows: Sequence[Row]) -> None:
        """Show these rows from now on; whichever was chosen stays so."""
        self._all = list(rows)
        self._arrange(follow=self._picked)

    def narrow(self, text: str) -> None:
        """Show only rows that pass a filter."""
        self.filter = Filter(text, tuple(column.name for column in self.columns))
        self._arrange()

    def choose(self, key: Any) -> bool:
        """Put the cursor on the row with a key; return whether it is there."""
        for index, row in enumerate(self._seen):
            if self._key(row) == key:
                self.move_to(index)
                return True
        return False

    def move_to(self, index: int) -> None:
        """Choose a row; who goes to the first one sees whichever is the first, from then on."""
        self._picked = index > 0
        super().move_to(index)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer to open a row only where that does something."""
        return self.may_open() if action == "open" else super().check_action(action, parameters)

    def as_it_came(self) -> None:
        """Show the rows in their own order again."""
        self.sorted_by, self.descending = "", False
        self._arrange()

    def set_columns(self, names: set[str]) -> None:
        """Show these columns from now on."""
        self.chosen_columns = set(names) or {self.columns[0].name}
        self._measure()
        self.changed()
        self.post_message(self.Arranged())

    def look_as(self, columns: Iterable[str], sort: str, descending: bool) -> None:
        """Show columns and order as they were chosen before; names that are none are left out."""
        known = {column.name for column in self.columns}
        self.chosen_columns = known & set(columns) or self.chosen_columns
        if sort in known:
            self.sorted_by, self.descending = sort, descending
        self._arrange()

    def texts(self, row: Row) -> dict[str, str]:
        """Return a row's text in each column."""
        return {column.name: column.text(row) for column in self.columns}

    def as_text(self, rows: Sequence[Row]) -> str:
        """Return rows as plain lines under their titles, columns by tabs, nothing dangerous."""
        columns = [column for column in self.columns if column.name in self.chosen_columns]
        lines = ["\t".join(column.title for column in columns)]
        lines += ["\t".join(clean(column.text(row)) for column in columns) for row in rows]
        return "\n".join(lines) + "\n"

    def _arrange(self, *, follow: bool = True) -> None:
        """Lay the rows out; the chosen one stays so, or the first one where nobody chose another."""
        was = self._key(self.chosen) if follow and self.chosen is not None else None
        before, place = len(self._seen), self.cursor - self.top
        rows = self._all
        if self.filter:
            rows = [row for row in rows if self.filter.keeps(self.texts(row))]
        column = next((one for one in self.columns if one.name == self.sorted_by), None)
        if column is not None:
            rows = sorted(rows, key=column.sort or column.text, reverse=self.descending)
        self._seen = list(rows)
        self._measure()
        if was is not None and not (
            self.cursor < len(rows) and self._key(rows[self.cursor]) == was
        ):
            places = (index for index, row in enumerate(rows) if self._key(row) == was)
            self.cursor = next(places, self.cursor)
        self.cursor = self.cursor if follow else 0
        self._picked = self._picked or self.cursor > 0
        self.changed()
        if 0 <= place < self.seen and not 0 <= self.cursor - self.top < self.seen:
            self.scroll_to(y=max(0, self.cursor - place), animate=False, immediate=True, force=True)
            self.changed()
        if before != len(self._seen):
            self.post_message(self.Filtered())

    def _measure(self) -> None:
        """Give each column the width its texts need, as far as there is room."""
        columns = [one for one in self.columns if one.name in self.chosen_columns]
        sample = self._seen[:200]
        widths = {}
        for column in columns:
            widest = max((cell_len(clean(column.text(row))) for row in sample), default=0)
            widths[column.name] = max(self._least(column), min(column.most, widest))
        while len(columns) > 1 and self._excess({c.name: self._least(c) for c in columns}) > 0:
            last = max(columns, key=lambda one: one.weight)
            if last.weight < _DROPPED:
                break
            columns.remove(last)
            del widths[last.name]
        excess = self._excess(widths)
        for column in sorted(columns, key=lambda one: -one.weight):
            if excess <= 0:
                break
            taken = min(widths[column.name] - self._least(column), excess)
            widths[column.name] -= taken
            excess -= taken
        if excess < 0 and columns:
            last = next((one for one in reversed(columns) if not one.right), columns[-1])
            widths[last.name] -= excess  # what belongs together stays side by side
        self._widths = widths

    @staticmethod
    def _least(column: Column) -> int:
        return max(column.least, len(column.title) + 1)

    def _excess(self, widths: Mapping[str, int]) -> int:
        """Return by how many cells these widths are too wide."""
        return sum(widths.values()) + 2 * (len(widths) - 1) - (self.size.width - 1)

    def count(self) -> int:
        """Return how many rows are seen."""
        return len(self._seen)

    def empty(self) -> Line:
        """Say that there is nothing, or nothing that passes the filter."""
        if self._all:
            return [(f"none of {len(self._all)} passes the filter; Esc clears it", "dim")]
        return [(self.nothing, "dim")]

    def head(self, index: int) -> Line:
        """Return the titles; the one sorted by has an arrow."""
        runs: list[Run] = [(" ", "")]
        for column in self.columns:
            if column.name not in self._widths:
                continue
            arrow = ("▼" if self.descending else "▲") if column.name == self.sorted_by else ""
            text = fit(column.title + arrow, self._widths[column.name], right=column.right)
            runs += [(text, "title"), ("  ", "")]
        return runs

    def line(self, index: int) -> Line:
        """Return a row's cells."""
        row = self._seen[index]
        runs: list[Run] = []
        for column in self.columns:
            if column.name not in self._widths:
                continue
            text = fit(column.text(row), self._widths[column.name], right=column.right)
            runs += [(text, column.style(row) if column.style else ""), ("  ", "")]
        return runs

    def action_order(self, by: int) -> None:
        """Sort by the next column."""
        names = [one.name for one in self.columns if one.name in self._widths]
        if self.ordered:
            names = ["", *names]
        at = names.index(self.sorted_by) if self.sorted_by in names else -1
        self._sort_by(names[(at + by) % len(names)])

    def action_reverse(self) -> None:
        """Turn the order around."""
        self.descending = not self.descending
        self._arrange()
        self.post_message(self.Arranged())

    def _sort_by(self, name: str) -> None:
        if self.ordered and name == self.sorted_by and self.descending:
            self.sorted_by, self.descending = "", False
        elif name == self.sorted_by:
            self.descending = not self.descending
        else:
            self.sorted_by, self.descending = name, False
        self._arrange()
        self.post_message(self.Arranged())

    def on_click(self, event: events.Click) -> None:
        """Sort by the column whose title was clicked, or choose the row."""
        if event.y >= self.heads:
            return  # the row is chosen by `Rows.on_click`, which is called next
        event.prevent_default()
        at = 1 - self.sideways
        for column in self.columns:
            width = self._widths.get(column.name)
            if width is None:
                continue
            if at <= event.x < at + width + 2:
                self._sort_by(column.name)
                return
            at += width + 2

    def on_resize(self) -> None:
        """Share the new width among the columns."""
        self._measure()
