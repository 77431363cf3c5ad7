"""The configuration: a tab for each dialog, edits collected, reviewed, applied, confirmed."""

from collections.abc import Mapping
from typing import Any, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container, Horizontal, Vertical
from textual.worker import Worker

from centrex import api
from tui.dialogs import DIALOGS, Dialog, find
from tui.draft import CREDENTIALS, Draft
from tui.screens.applying import Applying
from tui.screens.config_lists import ListEditing
from tui.screens.relays import state_of
from tui.screens.view import View
from tui.values import Spec, explained
from tui.widgets.fields import FieldRows, Form, Heading, passing
from tui.widgets.lines import Line, Panel, Run, cells, wrap
from tui.widgets.prompt import Prompt
from tui.widgets.rows import Rows
from tui.widgets.table import Table
from tui.work import begin

_BESIDE_A_LIST = 9
"""Lines that settings take at most above a list."""


class Tabs(Rows):
    """The dialogs, one under the other, each with a mark for what is up with it."""

    DEFAULT_CSS = "Tabs { width: 29; height: 100%; border-right: solid $primary 60%; }"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "open", "settings", key_display="⏎"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self.marks: dict[str, tuple[str, str]] = {}

    def count(self) -> int:
        """Return how many there are."""
        return len(DIALOGS)

    def line(self, index: int) -> Line:
        """Return a dialog's title, and whether it is edited, wrong, or of a later version."""
        dialog = DIALOGS[index]
        mark, style = self.marks.get(dialog.name, (" ", ""))
        return [(f"{dialog.title:<25}", ""), (mark, style)]


class ConfigScreen(Applying, ListEditing, View):
    """The thirteen dialogs."""

    mode = page = "config"
    changing = frozenset(
        {"apply", "undo_all", "add", "delete", "duplicate", "shift", "switch_row", "password"}
    )
    DEFAULT_CSS = """
    ConfigScreen #banner { height: auto; padding: 0 1; }
    ConfigScreen #list-frame {
        height: 1fr; border-top: solid $primary 60%; border-title-color: $text-primary;
        display: none;
    }
    ConfigScreen #list-frame.-there { display: block; }
    ConfigScreen #detail { height: 7; border-top: solid $primary 60%; padding: 0 1; }
    ConfigScreen Form.-none { display: none; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("t", "test_route", "test"),
        Binding("tab", "further(1)", "next part", show=False),
        Binding("shift+tab", "further(-1)", "part before", show=False),
        Binding("right_square_bracket", "dialog(1)", "next tab", key_display="]", show=False),
        Binding("left_square_bracket", "dialog(-1)", "tab before", key_display="[", show=False),
    ]

    def __init__(self) -> None:
        super().__init__()
        self.described: dict[str, dict[str, Any]] = {}
        self.draft = Draft({})
        self.dialog = DIALOGS[0]
        self.preview: dict[str, Any] = {}
        self._why = ""
        self._loaded = False
        self._reading: Worker[None] | None = None

    def body(self) -> ComposeResult:
        """Make the tabs at the left, the chosen one at the right."""
        with Horizontal():
            yield Tabs()
            with Vertical():
                yield Panel(id="banner")
                yield Form(
                    self._value_of,
                    self._is_edited,
                    lambda: self.dashboard.may_change,
                )
                with Container(id="list-frame"):
                    yield self.make_table()
                yield Panel(id="detail")

    def _value_of(self, key: str) -> Any:
        return self.draft.value(key)

    def _is_edited(self, key: str) -> bool:
        return self.draft.is_changed(key)

    def on_mount(self) -> None:
        """Begin with the first tab."""
        self.tabs.focus()

    @property
    def tabs(self) -> Tabs:
        """The dialogs."""
        return self.query_one(Tabs)

    @property
    def form(self) -> Form:
        """The settings of the chosen dialog."""
        return self.query_one(Form)

    # -- what the instance says --------------------------------------------------------------

    def resumed(self) -> None:
        """Read the file anew, unless there are edits."""
        if not self._loaded or self._is_untouched:
            self.dashboard.keys.wait_for(self._read())

    def _read(self) -> Worker[None]:
        """Read the file anew, unless that is being done."""
        if self._reading is None or self._reading.is_finished:
            self._reading = begin(self, self._load)
        return self._reading

    @property
    def _is_untouched(self) -> bool:
        return not len(self.draft) and self.going is None

    async def _load(self) -> None:
        ask = self.dashboard.feed.ask
        try:
            if not self.described:
                told = await ask("config.describe")
                self.described = {one["table"]: one for one in told["tables"]}
                self.dashboard.described = self.described
            # to read thousands of rows is work: not while the file is what it was
            known = {"unless": self.seen} if self.seen and not self._why else {}
            opened = await ask("config.open", known)
        except (api.Unavailable, api.Refused) as error:
            self._why = str(error)
            self._banner()
            return
        if not self.is_made:
            return
        self._why = ""
        self._loaded = True
        if opened.get("same"):
            return
        if self._is_untouched:
            self.draft, self.preview = Draft(opened), {}
            self.seen = str(opened.get("seen", ""))
        self.show_dialog(self.dialog)

    def happened(self, batch: object) -> None:
        """The file may have been changed by others; edits are only compared when applied."""

    def facts(self) -> None:
        """Read the file anew where it was changed and nothing is edited here, or could not be read.

        What a question or a form is about must stay where it is meanwhile.
        """
        if self.app.screen is self and (not self._loaded or self._is_untouched):
            self._read()
        if self.is_made and self.dialog.name == "media":
            self._banner()

    # -- showing -----------------------------------------------------------------------------

    def specs(self, dialog: Dialog) -> list[Spec | Heading]:
        """Return the settings of a dialog, groups of them under headings."""
        items: list[Spec | Heading] = []
        group = ""
        for table in dialog.tables:
            told = self.described.get(table)
            if told is None:
                continue
            if table != dialog.name:
                items.append(Heading(words=str(told.get("title", table))))
            for spec in told["keys"]:
                if spec.get("group", "") != group:
                    group = str(spec.get("group", ""))
                    words = dict(told.get("groups", {})).get(group, group)
                    items.append(
                        Heading(words=words.partition(",")[0].partition(". ")[0].rstrip("."))
                    )
                items.append(self._with_themes(spec) if spec["key"] == "basic.theme" else spec)
        return items

    def _with_themes(self, spec: Spec) -> Spec:
        """Return the choice of a theme with those there are, which only we know."""
        return {**spec, "choices": ["", *sorted(self.app.available_themes)]}

    def lists_of(self, dialog: Dialog) -> list[Mapping[str, Any]]:
        """Return the lists of a dialog."""
        told = self.described.get(dialog.name, {})
        own = told.get("list")
        return list(told.get("lists") or ([own] if own else ()))

    def show_dialog(self, dialog: Dialog) -> None:
        """Show one dialog."""
        turned = dialog is not self.dialog
        if turned and self.form.typing and not self.form.take():
            self.tabs.move_to(DIALOGS.index(self.dialog))
            self.form.field.focus()  # what is typed there is wrong, and not to be lost
            return
        self.dialog = dialog
        self.refresh_bindings()
        self.page = dialog.name
        items = self.specs(dialog)
        self.form.rows.in_force = self.draft.in_force
        self.form.set_class(not items, "-none")
        listed = bool(self.lists_of(dialog))
        self.form.styles.height = min(len(items) + 1, _BESIDE_A_LIST) if listed else "1fr"
        if turned or not self.form.rows.all:
            self.form.rows.fill(items)
        else:
            self.form.rows.renew(items)
        self._object()
        self.show_lists(self.lists_of(dialog), renew=turned)
        self._banner()
        self._mark()
        self._explain()
        if self.tabs.cursor != DIALOGS.index(dialog):
            self.tabs.move_to(DIALOGS.index(dialog))

    def _banner(self) -> None:
        told = self.described.get(self.dialog.name, {})
        lines: list[Line] = [[(self.dialog.title, "title")]]
        if found := self._found():
            lines.append([(found, "warn")])
        if self.dialog.name == "media":
            lines.append(self._relays())
        if self._why:
            lines.append([(f"✗ {self._why}", "bad")])
        elif told and not told.get("available", True):
            width = max(20, self.query_one("#banner").size.width - 2)
            words = (
                "◌ This part of the server comes with a later version. What you set is checked "
                "and kept in the file, and has no effect until then."
            )
            lines += [[(line, "warn")] for line in wrap(words, width)]
        if self.going is not None:
            lines.append([("◌ what was edited before is being applied", "note")])
        if self.dashboard.read_only:
            lines.append([("read-only: nothing can be changed here", "warn")])
        self.query_one("#banner", Panel).show(lines)

    def _relays(self) -> Line:
        """Return how the relays are, those that do not serve first, and the key that leads to them."""
        runs: list[Run] = [("5 ", "key"), ("relays: ", "dim")]
        relays = sorted(self.dashboard.relays, key=lambda one: one["state"] == "available")
        if not relays:
            return [*runs, ("none has logged in", "warn")]
        room = self.query_one("#banner").size.width
        for number, relay in enumerate(relays):
            words, style = state_of(relay)
            part = [(" · " * bool(number), "dim"), (f"{relay['name']} {words}", style)]
            rest = (f" · {len(relays) - number} more", "dim")
            is_last = number == len(relays) - 1
            if number and cells([*runs, *part]) + (not is_last) * len(rest[0]) > room:
                return [*runs, rest]
            runs += part
        return runs

    def _found(self) -> str:
        """Return how many settings and rows pass the filter, here and in all; nothing without one."""
        keeps = self.form.rows.filter
        if not keeps:
            return ""
        here, everywhere = self._passing(self.dialog), sum(map(self._passing, DIALOGS))
        return f"{here} of {everywhere} settings and rows pass /{keeps.text}"

    def _passing(self, dialog: Dialog) -> int:
        found = passing(self.specs(dialog), self.form.rows.filter)
        settings = sum(not isinstance(one, Heading) for one in found)
        keeps = self.form.rows.filter
        return settings + sum(self.rows_passing(one, keeps) for one in self.lists_of(dialog))

    def _mark(self) -> None:
        """Put the marks at the tabs: wrong, edited, found, not in force, later; the first counts."""
        self.dashboard.draft = self.draft if self.going is None else self.going
        wrong = {str(problem.get("key", "")) for problem in self.preview.get("problems", ())}
        for dialog in DIALOGS:
            told = self.described.get(dialog.name, {})
            names = [f"{table}." for table in dialog.tables]
            mark = (" ", "") if told.get("available", True) else ("◌", "dim")
            if any(key.startswith(name) for key in self.draft.in_force for name in names):
                mark = ("↻", "warn")
            if self.form.rows.filter and self._passing(dialog):
                mark = ("/", "key")
            if self._edits(dialog):
                mark = ("●", "warn")
            if any(key.startswith(name) for key in wrong for name in names):
                mark = ("✗", "bad")
            self.tabs.marks[dialog.name] = mark
        self.tabs.changed()

    def _edits(self, dialog: Dialog) -> int:
        specs = [one for one in self.specs(dialog) if not isinstance(one, Heading)]
        count = sum(self.draft.is_changed(spec["key"]) for spec in specs)
        return count + sum(self.draft.touched(str(one["key"])) for one in self.lists_of(dialog))

    def _object(self) -> None:
        problems = {
            str(one.get("key", "")): str(one.get("message", ""))
            for one in self.preview.get("problems", ())
        }
        self.form.rows.object_to(problems)
        self.show_list_problems(problems)

    def _explain(self) -> None:
        panel = self.query_one("#detail", Panel)
        width = max(20, panel.size.width - 2)
        lines: list[Line] = []
        spec = self.form.rows.chosen
        if self.in_list:
            lines = self.list_words(width)
        elif self.tabs.has_focus or spec is None:
            told = self.described.get(self.dialog.name, {})
            summary = wrap(str(told.get("summary") or ""), width)
            lines = [[(line, "")] for line in summary[:3]]
            lines.append([("⏎ ", "key"), ("to the settings   ", "dim"), ("? ", "key"),
                          ("what they mean", "dim")])  # fmt: skip
        else:
            words, known, effect = explained(spec)
            problem = self.form.rows.problems.get(spec["key"], "")
            lines = [[(line, "")] for line in wrap(words, width)[:2]]
            lines += [[(line, "dim")] for line in wrap(known, width)[:2]]
            lines += [[(line, "note")] for line in wrap(effect, width)[:2]]
            if problem:
                lines = [[(f"✗ {problem}", "bad")], *lines]
            elif spec["key"] in self.draft.in_force:
                words = f"↻ what is in force differs from the file {self._how_long(spec)}"
                lines = [[(line, "warn")] for line in wrap(words, width)] + lines
            elif self.draft.origin(spec["key"]) == "--set":
                lines.append([("overruled on the command line (--set)", "warn")])
        panel.show(lines[:6])

    def _how_long(self, spec: Spec) -> str:
        """Say when what the file says comes in force."""
        return "until a restart" if spec.get("effect") == "restart" else "until it is reloaded"

    def on_resize(self) -> None:
        """Wrap the words anew."""
        self.call_after_refresh(self._banner)
        self.call_after_refresh(self._explain)

    # -- moving about ------------------------------------------------------------------------

    def on_rows_moved(self, event: Rows.Moved) -> None:
        """Show the dialog, or explain the setting."""
        if isinstance(event.rows, Tabs):
            self.show_dialog(DIALOGS[event.rows.cursor])
        else:
            self._explain()

    def on_rows_opened(self, event: Rows.Opened) -> None:
        """Go to the settings of a dialog, or edit a row."""
        if isinstance(event.rows, Tabs):
            self.action_further(1)
        elif isinstance(event.rows, Table):
            self.action_edit()

    def on_rows_beyond(self, event: Rows.Beyond) -> None:
        """Go from the tabs to the settings at their right, and back."""
        if event.by > 0 and isinstance(event.rows, Tabs):
            self.action_further(1)
        elif event.by < 0 and not isinstance(event.rows, Tabs):
            self.set_focus(self.tabs)

    def on_descendant_focus(self) -> None:
        """Explain what has the keys now."""
        if self.is_mounted and self.query("#detail"):
            self._explain()

    def action_further(self, by: int) -> None:
        """Go to the next part of the screen: tabs, settings, list."""
        parts: list[Rows] = [self.tabs]
        if self.form.rows.count():
            parts.append(self.form.rows)
        if self.list_spec:
            parts.append(self.table)
        at = next((index for index, part in enumerate(parts) if part.has_focus), 0)
        self.set_focus(parts[(at + by) % len(parts)])

    def action_dialog(self, by: int) -> None:
        """Go to the next dialog."""
        self.show_dialog(DIALOGS[(DIALOGS.index(self.dialog) + by) % len(DIALOGS)])

    def action_escape(self) -> None:
        """Clear the filter, else go back to the tabs."""
        if self.filter_text():
            self._narrow_all("")
        else:
            self.set_focus(self.tabs)

    def narrow(self, text: str) -> None:
        """Filter the settings and the list; a dialog's name leads to it."""
        dialog = find(text)
        if self.prompt.has_class("-asking") or dialog is None:
            self._narrow_all(text)
            return
        self.set_focus(self.tabs)
        self.show_dialog(dialog)

    def on_prompt_typed(self, event: Any) -> None:
        """Filter while it is typed."""
        event.prevent_default()
        if event.purpose == "filter":
            self._narrow_all(event.text)

    def on_prompt_entered(self, event: Prompt.Entered) -> None:
        """Keep the filter, even where it is a dialog's name."""
        if event.purpose == "filter":
            event.prevent_default()
            self._narrow_all(event.text)

    def _narrow_all(self, text: str) -> None:
        """Filter the settings and the rows of the list, on this tab and the others."""
        self.form.rows.narrow(text)
        self.narrow_list(text)
        self._banner()
        self._mark()
        self._explain()

    def filter_text(self) -> str:
        """Return the filter in force."""
        return self.form.rows.filter.text

    def action_filter(self) -> None:
        """Search the settings and the list; what is looked at has the keys afterwards."""
        if self.tabs.has_focus:
            self.set_focus(self.table if self.list_spec else self.form.rows)
        super().action_filter()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer the tester where plans are; `K` is the reminder's while there is one."""
        reminded = self.dashboard.waiting is not None or self.dashboard.amiss
        if action == "shift" and parameters == (-1,) and reminded:
            return False
        if action == "test_route":
            return self.dialog.name == "routing"
        return super().check_action(action, parameters)

    def action_test_route(self) -> None:
        """Test the chosen plan, or any number, with the edits there are."""
        row = self.table.chosen if self.list_name == "routing.plans" else None
        self.dashboard.go("route", str(row.get("name") or "") if row else "")

    # -- editing -----------------------------------------------------------------------------

    def edited(self) -> None:
        """Show what has been edited, and have it judged."""
        self.form.rows.changed()
        self.fill_list()
        self._banner()
        self._mark()
        self._explain()
        begin(self, self.judge, only="judge")

    def judged(self) -> None:
        """Show what is wrong with the edits, at the fields, the rows and the tabs."""
        self._object()
        self._mark()
        self._explain()

    def show_again(self) -> None:
        """Show the dialog as it is in the file now."""
        self.show_dialog(self.dialog)

    def on_form_changed(self, event: Form.Changed) -> None:
        """Collect an edit."""
        self.draft.set(event.key, event.value)
        self.edited()

    def on_form_objected(self, event: Form.Objected) -> None:
        """Say what is wrong with what is being typed."""
        problems = {**self.form.rows.problems}
        problems.pop(event.key, None)
        if event.why:
            problems[event.key] = event.why
        self.form.rows.object_to(problems)
        self._explain()

    def on_field_rows_undone(self, event: FieldRows.Undone) -> None:
        """Take one edit back."""
        spec = self.form.rows.chosen
        if spec is not None:
            self.draft.revert(spec["key"])
            self.edited()

    def on_field_rows_defaulted(self, event: FieldRows.Defaulted) -> None:
        """Go back to a default."""
        spec = self.form.rows.chosen
        if spec is not None and not spec.get("required") and self.dashboard.may_change:
            self.draft.unset(spec["key"], spec.get("default"))
            self.edited()

    @property
    def in_credentials(self) -> bool:
        """Whether the list shown is that of the logins."""
        return self.list_name == CREDENTIALS
