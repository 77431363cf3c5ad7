"""The lists of the configuration as tables: rows added, edited, deleted, moved, switched, found."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Final

from textual.binding import Binding, BindingType
from textual.containers import Container
from textual.widget import Widget

from centrex import api
from tui.draft import Draft
from tui.filter import Filter
from tui.screens.item import ItemScreen, Judge
from tui.screens.questions import Choose, Confirm, Enter
from tui.values import Spec, as_text
from tui.widgets.lines import Line, entitle, wrap
from tui.widgets.table import Column, Row, Table

if TYPE_CHECKING:
    from tui.app import Dashboard

_HASHES: Final = ("ha1_md5", "ha1_sha256")
_MARKS: Final[Mapping[str, tuple[str, str]]] = {
    "new": ("+ new", "good"), "changed": ("● changed", "warn"), "moved": ("↕ moved", "warn"),
    "password": ("● password", "warn"), "new password": ("+ new", "good"),
    "wrong": ("✗ wrong", "bad"),
}  # fmt: skip


def _cell(spec: Spec) -> Any:
    def text(row: Row) -> str:
        value = row.get(spec["key"], spec.get("default"))
        if isinstance(value, bool):
            return "✓" if value else "✗ off"
        if spec.get("secret"):
            return "set" if value else "–"
        return as_text(value, str(spec["key"]))

    return text


def _called(row: Row, index: int) -> str:
    names = (row.get(key) for key in ("login", "name", "pattern", "address"))
    return str(next(filter(None, names), index + 1))


def columns_of(specs: list[Spec]) -> list[Column]:
    """Return a table's columns for the keys of a list: what names a row first."""
    order = {
        "login": 0, "name": 0, "address": 0, "enabled": 0, "pattern": 1, "destinations": 1, "display": 2, "users": 2,
        "company": 4, "note": 5,
    }  # fmt: skip
    ranked = sorted(specs, key=lambda spec: order.get(spec["key"], 3))
    columns = [
        Column(
            name=str(spec["key"]),
            title=str(spec.get("label") or spec["key"]),
            text=_cell(spec),
            style=lambda row: "" if row.get("enabled", True) else "dim",
            weight=order.get(spec["key"], 3),
            least=3,
        )
        for spec in ranked
        if spec["key"] not in _HASHES
    ]
    columns.append(
        Column(
            name="edit", title="Edit", weight=0,
            text=lambda row: _MARKS.get(str(row.get("_mark", "")), ("", ""))[0],
            style=lambda row: _MARKS.get(str(row.get("_mark", "")), ("", ""))[1],
        )
    )  # fmt: skip
    return columns


class ListEditing(Widget):
    """The part of the configuration screen that edits a list."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("a", "add", "add"),
        Binding("e", "edit", "edit", show=False),
        Binding("x,delete", "delete", "delete", key_display="x"),
        Binding("c", "duplicate", "duplicate", show=False),
        Binding("J", "shift(1)", "move down", show=False),
        Binding("K", "shift(-1)", "move up", show=False),
        Binding("space", "switch_row", "on/off", key_display="␣"),
        Binding("p", "password", "password"),
        Binding("u", "undo_row", "undo", show=False),
        Binding("L", "list", "next list", show=False),
    ]
    draft: Draft
    list_spec: Mapping[str, Any] | None = None
    _lists: Sequence[Mapping[str, Any]] = ()
    _row_problems: Mapping[str, str] = {}

    if TYPE_CHECKING:

        @property
        def dashboard(self) -> Dashboard:
            """The application."""

        @property
        def in_credentials(self) -> bool:
            """Whether the list shown is that of the logins."""

        def edited(self) -> None:
            """Show what has been edited."""

        def filter_text(self) -> str:
            """Return the filter in force."""

    def make_table(self) -> Table:
        """Make the table; its columns come with the list."""
        table = Table((), key=lambda row: row.get("_index"), nothing="the list is empty; a adds")
        table.may_open = lambda: self.dashboard.may_change
        table.ordered = True
        return table

    @property
    def table(self) -> Table:
        """The table."""
        return self.query_one(Table)

    @property
    def list_name(self) -> str:
        """The key of the list shown, or nothing."""
        return str(self.list_spec["key"]) if self.list_spec else ""

    @property
    def in_list(self) -> bool:
        """Whether the table has the keys."""
        return bool(self.list_spec) and self.table.has_focus

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer the keys of a list where there is one, and has the focus."""
        if action in ("add", "edit", "delete", "duplicate", "shift", "switch_row", "undo_row"):
            if not self.dashboard.may_change or not self.list_spec:
                return False
            if action != "add" and not self.in_list:
                return False
        elif action == "list":
            return len(self._lists) > 1
        elif action == "password" and not (
            self.dashboard.may_change and self.in_credentials and self.in_list
        ):
            return False
        elif action in ("copy", "copy_all", "write"):
            return bool(self.list_spec)
        return super().check_action(action, parameters)

    # -- showing -----------------------------------------------------------------------------

    def show_lists(self, specs: Sequence[Mapping[str, Any]], *, renew: bool) -> None:
        """Show the first of a dialog's lists, or the one that is shown already."""
        self._lists = list(specs)
        names = [one["key"] for one in specs]
        at = names.index(self.list_name) if self.list_name in names and not renew else 0
        self.show_list(specs[at] if specs else None, renew=renew)

    def action_list(self) -> None:
        """Show the next list of the dialog."""
        names = [one["key"] for one in self._lists]
        at = names.index(self.list_name) if self.list_name in names else -1
        self.show_list(self._lists[(at + 1) % len(self._lists)], renew=True)
        self.edited()
        self.table.focus()

    def show_list(self, spec: Mapping[str, Any] | None, *, renew: bool) -> None:
        """Show a list, or none."""
        changed = renew or (spec or {}).get("key") != (self.list_spec or {}).get("key")
        self.list_spec = spec
        self.query_one("#list-frame").set_class(bool(spec), "-there")
        if spec and changed:
            table = self.table
            table.columns = tuple(columns_of(list(spec["columns"])))
            table.chosen_columns = {column.name for column in table.columns}
            table.cursor = 0
            table.as_it_came()
            table.narrow(self.filter_text())
        self.fill_list()
        self.refresh_bindings()

    def fill_list(self) -> None:
        """Show the rows as they would be."""
        if not self.list_spec:
            return
        rows = self.draft.rows(self.list_name)
        for index, row in enumerate(rows):
            row["_index"] = index
            if any(key.startswith(f"{self.list_name}[{index}]") for key in self._row_problems):
                row["_mark"] = "wrong"
        self.table.fill(rows)
        words = str(self.list_spec.get("label") or self.list_name)
        frame = self.query_one("#list-frame", Container)
        found = f" · {self.table.count()} pass /{self.table.filter.text}" * bool(self.table.filter)
        others = [str(one.get("label") or one["key"]) for one in self._lists]
        others = [label for label in others if label != words]
        more = f" · L: {', '.join(others)}" if others else ""
        if self.in_credentials and (file := self.draft.value("auth.credentials_file")):
            more = f" · and those of {file}{more}"
        order = " · sorted: not the file's order" if self.table.sorted_by else ""
        stale = " · ↻ not in force yet" if self.list_name in self.draft.in_force else ""
        entitle(frame, f"{words} – {len(rows)}{found}{order}{stale}{more}")

    def rows_passing(self, spec: Mapping[str, Any], keeps: Filter) -> int:
        """Return how many rows of a list pass a filter."""
        columns = columns_of(list(spec["columns"]))
        rows = self.draft.rows(str(spec["key"]))
        return sum(keeps.keeps({one.name: one.text(row) for one in columns}) for row in rows)

    def show_list_problems(self, problems: Mapping[str, str]) -> None:
        """Mark rows that are wrong; what is wrong is said when they are chosen."""
        before, self._row_problems = self._row_problems, dict(problems)
        if before != self._row_problems:
            self.fill_list()

    def list_words(self, width: int) -> list[Line]:
        """Return what is to be said of the chosen row."""
        spec, row = self.list_spec, self.table.chosen
        lines: list[Line] = [
            [(line, "")] for line in wrap(str((spec or {}).get("help", "")), width)[:1]
        ]
        at = f"{self.list_name}[{row['_index']}]" if row else self.list_name
        problems = [
            f"{key.removeprefix(at).lstrip('.')}: {why}".removeprefix(": ")
            for key, why in self._row_problems.items()
            if key.startswith(at)
        ]
        lines += [[(f"✗ {line}", "bad")] for words in problems for line in wrap(words, width - 2)]
        if not self.dashboard.may_change:
            return lines
        keys = "a add · e edit · x delete · c duplicate · J K move · ␣ on/off · u undo"
        more = " · p password" if self.in_credentials else ""
        lines += [[(line, "dim")] for line in wrap(keys + more, width)]
        return lines

    def narrow_list(self, text: str) -> None:
        """Show only rows that pass."""
        self.table.narrow(text)
        self.fill_list()

    def chosen_text(self) -> str:
        """Return the chosen row."""
        row = self.table.chosen
        return self.table.as_text([row]).partition("\n")[2].rstrip("\n") if row else ""

    def all_text(self) -> str:
        """Return the rows that pass the filter."""
        return self.table.as_text(self.table.shown)

    # -- editing -----------------------------------------------------------------------------

    def _specs(self) -> list[Spec]:
        specs = list(self.list_spec["columns"]) if self.list_spec else []
        return [spec for spec in specs if spec["key"] not in _HASHES]

    def _judge(self) -> Judge:
        """Return who says what is wrong with a row of this list by itself."""
        return partial(api.objections, self.list_name)

    def _chosen_index(self) -> int | None:
        row = self.table.chosen
        return None if row is None else int(row["_index"])

    def _is_still_there(self, name: str, index: int, row: Row) -> bool:
        """Return whether a row is where it was when it was asked about; say so if not."""
        rows = self.draft.rows(name)
        if index < len(rows) and _called(rows[index], index) == _called(row, index):
            return True
        self.dashboard.say("the list was changed meanwhile: nothing is taken over", bad=True)
        return False

    def action_add(self) -> None:
        """Add a row; a login gets a password with it."""
        name = self.list_name

        def entered(row: dict[str, Any] | None) -> None:
            if row is None:
                return
            if self.in_credentials:
                self._add_login(row)
                return
            self.draft.add(name, row)
            self._done(len(self.draft.rows(name)) - 1)

        heading = f"A new row of {(self.list_spec or {}).get('label') or name}"
        screen = ItemScreen(
            heading, self._specs(), {}, fresh=True, judge=self._judge(), check=self._taken_login
        )
        self.app.push_screen(screen, entered)

    def _taken_login(self, row: Mapping[str, Any], index: int = -1) -> dict[str, str]:
        """Object to a login that another row has already."""
        if not self.in_credentials:
            return {}
        rows = self.draft.rows(self.list_name)
        others = [one.get("login") for at, one in enumerate(rows) if at != index]
        login = row.get("login")
        return {"login": f"there is a login {login} already"} if login in others else {}

    def _add_login(self, row: Mapping[str, Any]) -> None:
        login = str(row["login"])
        if taken := self._taken_login(row):
            self.dashboard.say(taken["login"], bad=True)
            return

        def known(password: str | None) -> None:
            self.draft.add(self.list_name, dict(row))
            self.draft.password(login, password)
            index = len(self.draft.rows(self.list_name)) - 1
            self._done(index)

        self._ask_password(login, known)

    def _rename_login(self, index: int, row: Row, changed: dict[str, Any]) -> None:
        """Take a row whose login is another one: it needs a password, for the hashes hold the name."""
        login, name = str(changed["login"]), self.list_name

        def known(password: str | None) -> None:
            if self._is_still_there(name, index, row):
                self.draft.update(name, index, changed)
                self.draft.password(login, password)
                self._done(index)

        self._ask_password(login, known, why=f": that of {row['login']} does not fit it")

    def _ask_password(self, login: str, known: Any, why: str = "") -> None:
        made, typed = "make one up (shown once, after applying)", "type one"

        def entered(text: str | None) -> None:
            if text:
                known(text)

        def picked(names: list[str] | None) -> None:
            if names == [made]:
                known(None)
            elif names == [typed]:
                words = "It is not shown later; ^t shows it while you type."
                self.app.push_screen(Enter(f"Password of {login}", words, hidden=True), entered)

        question = Choose(f"Password of {login}{why}", [made, typed], [made], several=False)
        self.app.push_screen(question, picked)

    def action_password(self) -> None:
        """Give a login another password."""
        row = self.table.chosen
        if row is None:
            return
        login, index = str(row["login"]), int(row["_index"])

        def known(password: str | None) -> None:
            self.draft.password(login, password)
            self._done(index)

        self._ask_password(login, known)

    def action_edit(self) -> None:
        """Edit the chosen row."""
        row, index = self.table.chosen, self._chosen_index()
        if row is None or index is None or not self.dashboard.may_change:
            return
        name = self.list_name

        def entered(changed: dict[str, Any] | None) -> None:
            if changed is None or not self._is_still_there(name, index, row):
                return
            if self.in_credentials and changed["login"] != row["login"]:
                self._rename_login(index, row, changed)
                return
            self.draft.update(name, index, changed)
            self._done(index)

        check = partial(self._taken_login, index=index)
        self.app.push_screen(
            ItemScreen(f"Row {index + 1}", self._specs(), row, judge=self._judge(), check=check),
            entered,
        )

    def action_delete(self) -> None:
        """Delete the chosen row, after a yes."""
        row, index = self.table.chosen, self._chosen_index()
        if row is None or index is None:
            return
        name = self.list_name

        def answered(yes: bool | None) -> None:
            if yes and self._is_still_there(name, index, row):
                self.draft.delete(name, index)
                self._done(min(index, len(self.draft.rows(name)) - 1))

        text = (
            f"{_called(row, index)} goes when the edits are applied; until then u brings it back."
        )
        self.app.push_screen(Confirm("Delete this row?", text, verb="delete"), answered)

    def action_duplicate(self) -> None:
        """Add a row like the chosen one, to be edited."""
        row, index = self.table.chosen, self._chosen_index()
        if row is None or index is None:
            return
        name = self.list_name
        same = {key: value for key, value in row.items() if not key.startswith("_")}

        def entered(changed: dict[str, Any] | None) -> None:
            if changed is None:
                return
            if self.in_credentials:
                self._add_login(changed)
                return
            self.draft.add(name, changed, place=index + 1)
            self._done(index + 1)

        screen = ItemScreen(
            "A row like that one",
            self._specs(),
            same,
            fresh=True,
            judge=self._judge(),
            check=self._taken_login,
        )
        self.app.push_screen(screen, entered)

    def action_shift(self, by: int) -> None:
        """Move the chosen row down or up."""
        index = self._chosen_index()
        if self.table.sorted_by or self.table.filter:
            way = "Esc clears the filter" if self.table.filter else "o goes on to the file's order"
            self.dashboard.say(f"rows are moved in the order of the file: {way}", bad=True)
            return
        if index is not None and self.draft.move(self.list_name, index, index + by):
            self._done(index + by)

    def action_switch_row(self) -> None:
        """Enable or disable the chosen row."""
        row, index = self.table.chosen, self._chosen_index()
        if (
            row is not None
            and index is not None
            and "enabled" in {spec["key"] for spec in self._specs()}
        ):
            self.draft.update(self.list_name, index, {"enabled": not row.get("enabled", True)})
            self._done(index)

    def action_undo_row(self) -> None:
        """Take the last edit of the list back."""
        if self.draft.undo(self.list_name):
            self._done(self.table.cursor)

    def _done(self, index: int) -> None:
        self.edited()
        self.table.choose(index)
        self.table.focus()
