"""A screen that is one live table: asked for once a second while it is in sight, and acted upon."""

import time
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, ClassVar, Final

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container
from textual.worker import Worker

from centrex import api
from tui.memory import Arranged
from tui.screens.questions import Choose, Confirm, Tell, in_full
from tui.screens.view import View
from tui.widgets.lines import entitle
from tui.widgets.rows import Rows
from tui.widgets.table import Column, Row, Table
from tui.work import begin

PAGE: Final = 500
MOST: Final = 5000
"""Rows shown at most; who looks for one among more asks for it by its name."""
_SHARE: Final = 5.0
"""How many times longer than a listing takes the next one waits, so that none is ever a burden."""


class _Frame(Container):
    DEFAULT_CSS = """
    _Frame {
        height: 1fr; border-top: solid $primary 60%; border-title-color: $text-primary;
        border-title-style: bold;
    }
    """


class LiveScreen(View):
    """One table.

    Subclasses say what it is called, its columns, and the command that lists its rows.
    """

    title_words = ""
    command = ""
    rows_key = ""
    columns: ClassVar[tuple[Column, ...]] = ()
    key_names: Sequence[str] = ()
    nothing = ""
    sort = ""
    paged = False
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("c", "columns", "columns"),
        Binding("i", "in_full", "in full", show=False),
        Binding("r", "again", "refresh", show=False),
    ]

    def __init__(self) -> None:
        super().__init__()
        self.total = 0
        self._why = ""
        self._asked_at = -1e9
        self._took_s = 0.0
        self._asking: Worker[None] | None = None

    def body(self) -> ComposeResult:
        """Make the table."""
        with _Frame(id="frame"):
            yield Table(
                self.columns,
                key=lambda row: tuple(row.get(name) for name in self.key_names),
                nothing=self.nothing,
                sort=self.sort,
                id="table",
            )

    def on_mount(self) -> None:
        """The table has the keys, and looks as it did last."""
        self.table.may_open = lambda: self.table.count() > 0
        self.table.focus()
        known = self.dashboard.memory.table(self.mode)
        self.table.look_as(known.columns, known.sort, known.descending)
        self.name_frame()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer nothing that would be done to the chosen row where there is none."""
        if action in self.changing and (not self.is_made or self.table.chosen is None):
            return False
        return super().check_action(action, parameters)

    @property
    def table(self) -> Table:
        """The table."""
        return self.query_one(Table)

    def params(self) -> dict[str, Any]:
        """Return what the listing is asked for."""
        return {}

    def rows_of(self, answer: Mapping[str, Any]) -> Sequence[Row]:
        """Return the rows of an answer."""
        return list(answer.get(self.rows_key, ()))

    def resumed(self) -> None:
        """Look at once."""
        self.look()
        if self._asking is not None:
            self.dashboard.keys.wait_for(self._asking)

    def figures(self, values: Mapping[str, Any]) -> None:
        """Look again, as a second has passed, unless looking is dear."""
        if self.is_current and time.monotonic() - self._asked_at >= _SHARE * self._took_s:
            self.look()

    def look(self) -> None:
        """Ask for the rows, unless that is being done."""
        if self.is_made and (self._asking is None or self._asking.is_finished):
            self._asking = begin(self, self._list)

    async def _list(self) -> None:
        began = self._asked_at = time.monotonic()
        try:
            rows = await self._rows()
        except (api.Unavailable, api.Refused) as error:
            self._why = str(error)
        else:
            self._why = ""
            if not self.is_made:
                return  # the screen has gone meanwhile
            self.table.fill(rows)
        self._took_s = time.monotonic() - began
        self._asked_at = time.monotonic()
        if not self.is_made:
            return
        self.name_frame()
        self.refresh_bindings()

    async def _rows(self) -> Sequence[Row]:
        ask = self.dashboard.feed.ask
        if not self.paged:
            rows = self.rows_of(await ask(self.command, self.params()))
            self.total = len(rows)
            return rows
        found: list[Row] = []
        offset: int | None = 0
        while offset is not None and len(found) < MOST:
            answer = await ask(self.command, {**self.params(), "offset": offset, "limit": PAGE})
            found += self.rows_of(answer)
            self.total = int(answer.get("total", len(found)))
            offset = answer.get("next")
        return found

    def name_frame(self) -> None:
        """Tell how many there are, and how many are seen."""
        table = self.table
        seen, held = len(table.shown), len(table.all)
        parts = [f"{self.title_words} – {self.total}"]
        if held < self.total:
            parts.append(f"the first {held}; {self.hint_for_more()}")
        if table.filter:
            parts.append(f"{seen} pass the filter {table.filter.text}")
        if self._why:
            parts.append(f"{'…' if self.dashboard.feed.starting else '✗'} {self._why}")
        entitle(self.query_one("#frame"), " · ".join(parts))

    def hint_for_more(self) -> str:
        """Return how to see what does not fit."""
        return "filter on the server's side with centrex"

    def on_table_filtered(self) -> None:
        """Tell how many are seen now."""
        self.name_frame()

    def on_table_arranged(self) -> None:
        """Remember how the table is looked at."""
        table = self.table
        chosen = [column.name for column in self.columns if column.name in table.chosen_columns]
        usual = [column.name for column in self.columns if column.shown]
        self.dashboard.remember(
            self.mode,
            Arranged(
                columns=() if chosen == usual else tuple(chosen),
                sort=table.sorted_by,
                descending=table.descending,
            ),
        )

    def filter_text(self) -> str:
        """Return the filter in force."""
        return self.table.filter.text

    def narrow(self, text: str) -> None:
        """Filter the table."""
        self.table.narrow(text)
        self.name_frame()
        self.refresh_bindings()

    def chosen_text(self) -> str:
        """Return the chosen row."""
        row = self.table.chosen
        return self.table.as_text([row]).partition("\n")[2].rstrip("\n") if row else ""

    def all_text(self) -> str:
        """Return the rows that pass the filter."""
        return self.table.as_text(self.table.shown)

    def action_again(self) -> None:
        """Look now."""
        self.look()

    def action_columns(self) -> None:
        """Choose the columns."""
        table = self.table
        titles = {column.title: column.name for column in self.columns}
        now = [column.title for column in self.columns if column.name in table.chosen_columns]

        def chosen(picked: list[str] | None) -> None:
            if picked:
                table.set_columns({titles[title] for title in picked})

        self.app.push_screen(Choose("Columns", list(titles), now, several=True), chosen)

    def on_rows_opened(self, event: Rows.Opened) -> None:
        """Open the chosen row."""
        row = self.table.chosen
        if row is not None:
            self.open(row)

    def open(self, row: Row) -> None:
        """Open a row: show it in full where there is nothing more to it."""
        self.show_in_full(row)

    def action_in_full(self) -> None:
        """Show the chosen row with all its columns, uncut."""
        row = self.chosen_or_say()
        if row is not None:
            self.show_in_full(row)

    def show_in_full(self, row: Row) -> None:
        """Show a row with all its columns, uncut."""
        facts = [(column.title, column.text(row)) for column in self.columns]
        text = "".join(f"{name}\t{value}\n" for name, value in facts)
        self.app.push_screen(Tell(self.title_words, in_full(facts), copied=text))

    def sure(self, heading: str, text: str, verb: str, command: str, **params: Any) -> None:
        """Carry out a command after a yes, and look again."""

        def answered(yes: bool | None) -> None:
            if yes:
                begin(self, partial(self._carry_out, command, params))

        self.app.push_screen(Confirm(heading, text, verb=verb), answered)

    async def _carry_out(self, command: str, params: Mapping[str, Any]) -> None:
        answer = await self.dashboard.ask(command, params)
        if answer is not None:
            self.dashboard.say(self.done_words(command, params, answer))
            self.look()

    def done_words(self, command: str, params: Mapping[str, Any], answer: Mapping[str, Any]) -> str:
        """Return what to say when a command was carried out."""
        return "done"

    def chosen_or_say(self) -> Row | None:
        """Return the chosen row, or say that there is none."""
        row = self.table.chosen
        if row is None:
            self.dashboard.say("nothing is chosen", bad=True)
        return row
