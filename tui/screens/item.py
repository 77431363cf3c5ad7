"""One row of a list, edited in a form of its own; what is wrong stands at its keys."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, TypeAlias

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.message import Message

from tui.screens.questions import Confirm, Question
from tui.values import Spec, explained
from tui.widgets.fields import FieldRows, Form
from tui.widgets.lines import Line, Panel, wrap
from tui.widgets.rows import Rows

Judge: TypeAlias = Callable[[Mapping[str, Any]], Mapping[str, str]]


class ItemScreen(Question[dict[str, Any]]):
    """Asks for a row; answers with its keys, or nothing.

    Args:
        heading: What is edited.
        specs: Its keys.
        row: Their present values.
        fresh: Whether it is a new one.
        judge: Says what is wrong with a row, or with some keys of one, by key.
        check: Says what is wrong with a row among the others, by key.
    """

    DEFAULT_CSS = """
    ItemScreen > Vertical { width: 84; height: auto; }
    ItemScreen Form { height: 12; background: $surface; }
    ItemScreen FieldRows { background: $surface; }
    ItemScreen #item-words { height: 5; border-top: solid $primary 60%; background: $surface; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("s,ctrl+s", "save", "take it", key_display="s"),
        Binding("ctrl+s", "save_typed", "take the row", key_display="^s"),
        Binding("escape", "leave", "cancel", key_display="Esc"),
    ]
    page = "config"

    class Save(Message):
        """The row is to be taken, now that what was typed has been."""

    def __init__(
        self,
        heading: str,
        specs: Sequence[Spec],
        row: Mapping[str, Any],
        *,
        fresh: bool = False,
        judge: Judge = lambda row: {},
        check: Judge = lambda row: {},
    ) -> None:
        super().__init__()
        self.heading = heading
        self._specs = list(specs)
        self._was = {spec["key"]: row.get(spec["key"], spec.get("default")) for spec in specs}
        self._now = dict(self._was)
        self._fresh, self._judge, self._check = fresh, judge, check

    def body(self) -> ComposeResult:
        """Make the form and the words below it."""
        yield Form(self._now.get, self._is_changed, lambda: True, judge=self._objection)
        yield Panel(id="item-words")

    def on_mount(self) -> None:
        """Show the keys; a new row begins with its first."""
        form = self.query_one(Form)
        form.styles.height = min(14, len(self._specs) + 1)
        form.rows.fill(self._specs)
        form.rows.focus()
        self._explain()
        if self._fresh:
            self.call_after_refresh(form.edit, self._specs[0])

    def _objection(self, key: str, value: Any) -> str:
        """Return what is wrong with a value; what is empty may only be lacking yet."""
        return "" if value in ("", []) else self._judge({key: value}).get(key, "")

    def _is_changed(self, key: str) -> bool:
        return self._now.get(key) != self._was.get(key)

    def _explain(self) -> None:
        rows = self.query_one(FieldRows)
        spec = rows.chosen
        if spec is None:
            return
        wrong = rows.problems.get(spec["key"], "")
        words, facts, effect = explained(spec)
        width = max(20, self.size.width * 96 // 100 - 8) if self.size.width < 88 else 78
        lines: list[Line] = [[(f"✗ {wrong}", "bad")]] if wrong else []
        lines += [[(line, "")] for line in wrap(words, width)[:2]]
        lines += [[(line, "dim")] for line in wrap(facts, width)[:1]]
        lines += [[(line, "note")] for line in wrap(effect, width)[:1]]
        self.query_one("#item-words", Panel).show(lines[:4])

    def on_rows_moved(self, event: Rows.Moved) -> None:
        """Explain the key under the cursor."""
        event.stop()
        self._explain()

    def on_form_changed(self, event: Form.Changed) -> None:
        """Take a value."""
        event.stop()
        self._now[event.key] = event.value
        rows = self.query_one(FieldRows)
        rows.problems = {k: v for k, v in rows.problems.items() if k != event.key}
        rows.changed()
        self._explain()

    def on_form_objected(self, event: Form.Objected) -> None:
        """Show what is wrong with what is typed."""
        event.stop()
        rows = self.query_one(FieldRows)
        rows.object_to({event.key: event.why} if event.why else {})
        self._explain()

    def on_field_rows_undone(self, event: FieldRows.Undone) -> None:
        """Take the edit of a key back."""
        event.stop()
        self._back(self._was)

    def on_field_rows_defaulted(self, event: FieldRows.Defaulted) -> None:
        """Give a key its default."""
        event.stop()
        self._back({spec["key"]: spec.get("default") for spec in self._specs})

    def _back(self, values: Mapping[str, Any]) -> None:
        rows = self.query_one(FieldRows)
        if rows.chosen is not None:
            self._now[rows.chosen["key"]] = values.get(rows.chosen["key"])
            rows.changed()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer the keys that take the row: a letter where none is typed, else one that is no text."""
        if action in ("save", "save_typed") and self.is_mounted:
            return self.query_one(Form).typing is (action == "save_typed")
        return True

    def action_save_typed(self) -> None:
        """Take what is being typed, and the row with it."""
        self.action_save()

    def action_save(self) -> None:
        """Answer with the row, if what must be there is."""
        form = self.query_one(Form)
        if form.typing:
            if form.take():
                form.rows.focus()
                form.post_message(self.Save())  # comes here after the value
            return
        missing = [
            spec for spec in self._specs
            if spec.get("required") and self._now.get(spec["key"]) in (None, "", [])
        ]  # fmt: skip
        wrong: Mapping[str, str] = {spec["key"]: "is required" for spec in missing}
        wrong = wrong or self._judged() or self._check(self._now)
        if wrong:
            rows = self.query_one(FieldRows)
            rows.object_to(wrong)
            rows.choose(next(iter(wrong)))
            self._explain()
            return
        self.dismiss({key: value for key, value in self._now.items() if value is not None})

    def _judged(self) -> dict[str, str]:
        """Return what is wrong, by key; what is wrong with the row as a whole, at its first one."""
        row = {key: value for key, value in self._now.items() if value is not None}
        keys = [spec["key"] for spec in self._specs]
        told = self._judge(row)
        return {key if key in keys else keys[0]: why for key, why in told.items()}

    def on_item_screen_save(self, event: Save) -> None:
        """Answer with the row."""
        event.stop()
        self.action_save()

    def action_leave(self) -> None:
        """Answer nothing; ask first where that would lose something."""
        if not any(self._is_changed(spec["key"]) for spec in self._specs):
            self.dismiss(None)
            return
        text = "What was filled in here is forgotten; s takes it."

        def answered(yes: bool | None) -> None:
            if yes:
                self.dismiss(None)

        self.app.push_screen(Confirm("Leave this row?", text, verb="forget it"), answered)
