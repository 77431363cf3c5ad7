"""A form as a list: a line for each setting, edited where it stands.

It knows how a value is switched, chosen or typed; it refuses to know where values come from and
what becomes of them.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container
from textual.message import Message
from textual.widgets import Input

from tui.filter import Filter
from tui.screens.free_table import FreeTable
from tui.screens.questions import Choose
from tui.values import MASK, Objection, Spec, as_shown, as_text, parse
from tui.widgets.field import Field
from tui.widgets.lines import Line, Run, fit
from tui.widgets.rows import Rows

LABEL: Final = 24
COLUMNS: Final = ("label", "key", "help")
"""What of a setting a filter looks at, and may name before a colon."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Heading:
    """A line between settings."""

    words: str


def passing(items: Sequence[Spec | Heading], keeps: Filter) -> list[Spec | Heading]:
    """Return the settings that pass a filter, each group of them under its heading."""
    if not keeps:
        return list(items)
    found: list[Spec | Heading] = []
    heading: Heading | None = None
    for item in items:
        if isinstance(item, Heading):
            heading = item
            continue
        texts = {name: str(item.get(name) or "") for name in COLUMNS}
        if keeps.keeps(texts):
            found += [item] if heading is None else [heading, item]
            heading = None
    return found


class FieldRows(Rows):
    """The lines.

    Args:
        value_of: Returns the present value of a key.
        is_changed: Returns whether a key is edited.
        may_change: Returns whether anything may be edited.
    """

    DEFAULT_CSS = "FieldRows { height: 1fr; }"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter,space", "open", "change", key_display="⏎"),
        Binding("u", "undo", "undo"),
        Binding("D", "default", "default"),
    ]

    class Undone(Rows.Moved):
        """The edit of the chosen setting is to be taken back."""

    class Defaulted(Rows.Moved):
        """The chosen setting is to have its default."""

    def __init__(
        self,
        value_of: Callable[[str], Any],
        is_changed: Callable[[str], bool],
        may_change: Callable[[], bool],
        *,
        id: str | None = None,
    ) -> None:
        super().__init__(id=id)
        self._may_change = may_change
        self.items: list[Spec | Heading] = []
        self.all: list[Spec | Heading] = []
        self.filter = Filter()
        self.problems: Mapping[str, str] = {}
        self.in_force: Mapping[str, Any] = {}
        """What runs otherwise than the file says, by key."""
        self.held: Callable[[], bool] = lambda: False
        """Whether a value is being typed, so that its line stays the chosen one."""
        self._value_of, self._is_changed = value_of, is_changed

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer no edit where nothing may be edited."""
        if action in ("open", "undo", "default"):
            return self._may_change()
        return super().check_action(action, parameters)

    def fill(self, items: Sequence[Spec | Heading]) -> None:
        """Show these lines, those that pass the filter."""
        self.all = list(items)
        self.items = passing(self.all, self.filter)
        self._begin()

    def renew(self, items: Sequence[Spec | Heading]) -> None:
        """Show these lines in place of those there were; the chosen one stays so, if it is there."""
        chosen = self.chosen
        self.all = list(items)
        self.items = passing(self.all, self.filter)
        if chosen is None or not self.choose(chosen["key"]):
            self._begin()
        self.changed()

    def _begin(self) -> None:
        """Choose the first setting."""
        self.cursor = next(
            (at for at, item in enumerate(self.items) if not isinstance(item, Heading)), 0
        )
        self.scroll_to(y=0, animate=False, immediate=True, force=True)
        self.changed()

    def narrow(self, text: str) -> None:
        """Show only settings that pass a filter, and the headings above them."""
        self.filter = Filter(text, COLUMNS)
        self.renew(self.all)

    def object_to(self, problems: Mapping[str, str]) -> None:
        """Show what is wrong, at the settings it is wrong with."""
        self.problems = dict(problems)
        self.changed()

    @property
    def chosen(self) -> Spec | None:
        """The setting under the cursor."""
        item = self.items[self.cursor] if self.cursor < len(self.items) else None
        return None if item is None or isinstance(item, Heading) else item

    def choose(self, key: str) -> bool:
        """Put the cursor on a setting; return whether it is here."""
        for at, item in enumerate(self.items):
            if not isinstance(item, Heading) and item["key"] == key:
                self.move_to(at)
                return True
        return False

    def count(self) -> int:
        """Return how many lines there are."""
        return len(self.items)

    def empty(self) -> Line:
        """Say that there is nothing to set, or nothing that passes the filter."""
        if self.filter and self.all:
            return [("no setting here passes the filter; Esc clears it", "dim")]
        return [("nothing to set here; see the list below", "dim")]

    def line(self, index: int) -> Line:
        """Return a setting: label, mark, value, and what is wrong with it."""
        item = self.items[index]
        if isinstance(item, Heading):
            return [(f"{item.words} ", "title")]
        key = item["key"]
        changed, problem = self._is_changed(key), self.problems.get(key, "")
        mark: Run = (
            ("✗ ", "bad")
            if problem
            else ("● ", "warn")
            if changed
            else ("  ", "")
            if item.get("available", True)
            else ("◌ ", "dim")
        )
        shown = as_shown(self._value_of(key), item)
        style = "warn" if changed else "" if item.get("available", True) else "dim"
        runs: list[Run] = [mark, (fit(item.get("label") or key, LABEL) + " ", ""), (shown, style)]
        if problem:
            runs.append((f"  {problem}", "bad"))
        elif key in self.in_force:
            runs.append((f"  ↻ in force: {as_shown(self.in_force[key], item)}", "warn"))
        return runs

    def move_to(self, index: int) -> None:
        """Choose a line, passing over headings."""
        index = self.cursor if self.held() else index
        by = 1 if index >= self.cursor else -1
        index = max(0, min(index, self.count() - 1))
        while 0 <= index < self.count() and isinstance(self.items[index], Heading):
            index += by
        if 0 <= index < self.count():
            super().move_to(index)

    def action_undo(self) -> None:
        """Take the edit back."""
        self.post_message(self.Undone(self))

    def action_default(self) -> None:
        """Go back to the default."""
        self.post_message(self.Defaulted(self))


class Typed(Field):
    """The field a value is typed in; the foot names the key that leaves it, too."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "forget", "leave as it was", key_display="Esc"),
    ]

    class Forgotten(Message):
        """What was typed is to be forgotten."""

    def action_forget(self) -> None:
        """Leave the field with nothing changed."""
        self.post_message(self.Forgotten())


class Form(Container):
    """Lines that can be edited, with the field in which one is typed.

    Args:
        value_of: Returns the present value of a key.
        is_changed: Returns whether a key is edited.
        may_change: Returns whether anything may be edited.
        judge: Returns what is wrong with a value of a key, beyond its form.
    """

    DEFAULT_CSS = """
    Form { layers: lines field; height: 1fr; }
    Form > FieldRows { layer: lines; }
    Form > Input {
        layer: field; position: absolute; display: none; height: 1; border: none; padding: 0;
        background: $primary 60%;
    }
    Form > Input:focus { border: none; }
    Form > Input.-typing { display: block; }
    """

    class Changed(Message):
        """A value was entered."""

        def __init__(self, form: "Form", key: str, value: Any) -> None:
            super().__init__()
            self.form, self.key, self.value = form, key, value

        @property
        def control(self) -> "Form":
            """Which form."""
            return self.form

    class Objected(Message):
        """What is typed cannot be."""

        def __init__(self, key: str, why: str) -> None:
            super().__init__()
            self.key, self.why = key, why

    def __init__(
        self,
        value_of: Callable[[str], Any],
        is_changed: Callable[[str], bool],
        may_change: Callable[[], bool],
        *,
        judge: Callable[[str, Any], str] = lambda key, value: "",
        id: str | None = None,
    ) -> None:
        super().__init__(id=id)
        self._judge = judge
        self.rows = FieldRows(value_of, is_changed, may_change)
        self.rows.held = lambda: self.typing
        self._value_of, self._may_change = value_of, may_change
        self._spec: Spec | None = None
        self._began_with = ""

    def compose(self) -> ComposeResult:
        """Make the lines and the field."""
        yield self.rows
        yield Typed(compact=True, select_on_focus=True)

    def on_mount(self) -> None:
        """Have the field go with its line."""
        self.watch(self.rows, "scroll_y", self._place, init=False)

    def on_resize(self) -> None:
        """Have the field fit in again."""
        self.call_after_refresh(self._place)

    @property
    def field(self) -> Input:
        """Where a value is typed."""
        return self.query_one(Input)

    @property
    def typing(self) -> bool:
        """Whether a value is being typed."""
        return self._spec is not None

    def on_rows_opened(self, event: Rows.Opened) -> None:
        """Change the chosen setting."""
        event.stop()
        spec = self.rows.chosen
        if spec is not None and self._may_change():
            self.edit(spec)

    def edit(self, spec: Spec) -> None:
        """Switch, choose or type a value, whatever it is."""
        key, choices = spec["key"], [str(one) for one in spec.get("choices") or ()]
        value = self._value_of(key)
        if spec.get("type") == "map":
            self._ask_table(spec, value)
        elif spec.get("type") == "boolean" and not spec.get("list"):
            self.post_message(self.Changed(self, key, not value))
        elif choices:
            several = bool(spec.get("list"))
            now = [str(one) for one in value or ()] if several else [str(value)]

            def chosen(picked: list[str] | None) -> None:
                if picked is not None:
                    self.post_message(self.Changed(self, key, picked if several else picked[0]))

            names = choices + [one for one in now if one not in choices and one]
            question = Choose(
                str(spec.get("label") or key), names, now, several=several, ordered=several
            )
            self.app.push_screen(question, chosen)
        else:
            self._type(spec, "" if spec.get("secret") else as_text(value, key))

    def _ask_table(self, spec: Spec, value: Any) -> None:
        def entered(tables: dict[str, Any] | None) -> None:
            if tables is not None:
                self.post_message(self.Changed(self, spec["key"], tables))

        heading = str(spec.get("label") or spec["key"])
        self.app.push_screen(FreeTable(heading, dict(value or {})), entered)

    def _type(self, spec: Spec, text: str) -> None:
        self._spec, self._began_with = spec, text
        field = self.field
        self._place()
        field.password = bool(spec.get("secret"))
        with field.prevent(Input.Changed):
            field.value = text
        field.add_class("-typing")
        field.focus()

    def _place(self) -> None:
        """Put the field upon the value of its setting, wherever that is now."""
        if self._spec is not None:
            x = LABEL + 4
            self.field.styles.offset = (x, self.rows.cursor - self.rows.top)
            self.field.styles.width = max(8, self.size.width - x)

    def _close(self) -> None:
        self.field.remove_class("-typing")
        self._spec = None

    def _leave(self) -> None:
        self._close()
        self.rows.focus()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Judge while it is typed."""
        event.stop()
        if self._spec is None:
            return
        try:
            self._parsed(event.value, self._spec)
        except Objection as error:
            self.post_message(self.Objected(self._spec["key"], str(error)))
        else:
            self.post_message(self.Objected(self._spec["key"], ""))

    def _parsed(self, text: str, spec: Spec) -> Any:
        """Return the value that is typed. Raises `Objection` where it is none."""
        value = parse(text, spec)
        if why := self._judge(spec["key"], value):
            raise Objection(why)
        return value

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Take what was typed, if it can be."""
        event.stop()
        if self.take():
            self.rows.focus()

    def take(self) -> bool:
        """Take what is typed; where it cannot be, leave it open, say why and return False."""
        spec = self._spec
        if spec is None:
            return True
        try:
            value = self._parsed(self.field.value, spec)
        except Objection as error:
            self.post_message(self.Objected(spec["key"], str(error)))
            return False
        self._close()
        if spec.get("list") and self.field.value == self._began_with:
            return True  # a list may be written in several ways; nobody wanted another
        if not (spec.get("secret") and value == MASK):
            self.post_message(self.Changed(self, spec["key"], value))
        return True

    def on_typed_forgotten(self, event: Typed.Forgotten) -> None:
        """Leave the field, with nothing changed."""
        event.stop()
        if self._spec is not None:
            self.post_message(self.Objected(self._spec["key"], ""))
            self._leave()

    def on_descendant_blur(self, event: events.DescendantBlur) -> None:
        """Take what is typed where the keys have gone elsewhere; stay where it cannot be taken.

        A terminal that is no longer looked at ends nothing.
        """
        if self._spec is None or event.widget is not self.field or not self.app.app_focus:
            return
        if self.field.value == self._began_with:
            self.post_message(self.Objected(self._spec["key"], ""))
            self._close()
        elif not self.take():
            self.field.focus()
