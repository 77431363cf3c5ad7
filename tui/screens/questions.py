"""Questions and answers that stand before a screen until they are dealt with."""

from collections.abc import Sequence
from typing import ClassVar, Final, Generic, TypeVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input

from tui.widgets.field import Field
from tui.widgets.keyline import KeyLine
from tui.widgets.lines import Line, Panel, entitle, wrap
from tui.widgets.rows import Rows

_T = TypeVar("_T")


ALL: Final = "*"
"""The choice that stands for all others, and beside none."""


class Lines(Rows):
    """Lines to read and scroll through; none of them is chosen.

    Args:
        lines: They.
    """

    DEFAULT_CSS = "Lines { height: auto; max-height: 100%; }"

    def __init__(self, lines: Sequence[Line] = (), *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.lines = list(lines)

    @property
    def has_cursor(self) -> bool:
        """Nothing is chosen."""
        return False

    def show(self, lines: Sequence[Line]) -> None:
        """Show other lines."""
        self.lines = list(lines)
        self.cursor = 0
        self.scroll_to(y=0, animate=False, immediate=True, force=True)
        self.changed()
        self.refresh(layout=True)

    def get_content_height(self, container: object, viewport: object, width: int) -> int:
        """Return how many lines there are."""
        return max(1, len(self.lines))

    def count(self) -> int:
        """Return how many lines there are."""
        return len(self.lines)

    def line(self, index: int) -> Line:
        """Return one."""
        return self.lines[index]

    def action_move(self, by: int) -> None:
        """Scroll by a line."""
        self.scroll_to(y=self.top + by, animate=False, immediate=True, force=True)
        self._drawn.clear()
        self.refresh()

    def action_leaf(self, by: int) -> None:
        """Scroll by a page."""
        self.action_move(by * self.seen)

    def action_edge(self, which: int) -> None:
        """Scroll to the beginning or the end."""
        self.action_move(which * self.count())


class Question(ModalScreen[_T], Generic[_T]):
    """A box before the screen; Escape takes nothing back."""

    DEFAULT_CSS = """
    Question { align: center middle; background: $background 60%; }
    Question > Vertical {
        width: 72; max-width: 96%; height: auto; max-height: 90%;
        border: round $primary; background: $surface; padding: 0 1;
        border-title-color: $text-primary; border-title-style: bold;
    }
    Question Lines { background: $surface; }
    Question Input { margin: 1 0 0 0; }
    Question .-problem { color: $text-error; height: auto; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "cancel", key_display="Esc"),
    ]
    heading = ""

    def compose(self) -> ComposeResult:
        """Make the box."""
        with Vertical() as box:
            entitle(box, self.heading)
            yield from self.body()
        yield KeyLine()

    def body(self) -> ComposeResult:
        """Make what stands in the box."""
        yield Panel()

    def action_leave(self) -> None:
        """Answer nothing."""
        self.dismiss(None)


def paragraphs(text: str, width: int = 66) -> list[Line]:
    """Return text as wrapped lines."""
    lines: list[Line] = []
    for paragraph in text.split("\n"):
        lines += [[(line, "")] for line in wrap(paragraph, width)]
    return lines


def in_full(facts: Sequence[tuple[str, str]], width: int = 64) -> list[Line]:
    """Return names with their values as lines, wrapped, so that nothing of them is cut."""
    room = max((len(name) for name, _ in facts), default=0) + 2
    return [
        [(f"{name if not at else '':<{room}}", "dim"), (part, "")]
        for name, value in facts
        for at, part in enumerate(wrap(value, max(16, width - room)))
    ]


class Confirm(Question[bool]):
    """Yes or no, where yes changes something.

    Args:
        heading: What is to be done.
        text: What that means.
        verb: What the key for yes says.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y,enter", "yes", "yes", key_display="y"),
        Binding("n", "leave", "no"),
    ]

    def __init__(self, heading: str, text: str, *, verb: str = "yes") -> None:
        super().__init__()
        self.heading, self._text, self._verb = heading, text, verb

    def body(self) -> ComposeResult:
        """Make the words and what the keys mean."""
        yield Lines([*paragraphs(self._text), (), self._answers()])

    def _answers(self) -> Line:
        return [("y ", "key"), (f"{self._verb}    ", ""), ("n ", "key"), ("no, leave it", "")]

    def action_yes(self) -> None:
        """Answer yes."""
        self.dismiss(True)

    def action_leave(self) -> None:
        """Answer no."""
        self.dismiss(False)


class Tell(Question[None]):
    """Something to be read, and perhaps copied.

    Args:
        heading: What it is about.
        lines: The text.
        copied: What `y` puts onto the clipboard; nothing if empty.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter,q", "leave", "close", key_display="⏎"),
        Binding("y", "copy", "copy"),
    ]

    def __init__(self, heading: str, lines: Sequence[Line], *, copied: str = "") -> None:
        super().__init__()
        self.heading, self._lines, self._copied = heading, list(lines), copied

    def body(self) -> ComposeResult:
        """Make the lines."""
        yield Lines(self._lines)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer to copy only where there is something."""
        return bool(self._copied) if action == "copy" else True

    def action_copy(self) -> None:
        """Copy the text."""
        self.app.copy_to_clipboard(self._copied)
        self.notify("copied")


class _Choices(Rows):
    DEFAULT_CSS = "_Choices { height: auto; max-height: 16; }"

    def __init__(
        self, names: Sequence[str], chosen: Sequence[str], *, several: bool, ordered: bool
    ) -> None:
        super().__init__()
        self.names, self.several, self.ordered = list(names), several, ordered
        self.picked = [name for name in chosen if name in self.names]
        if chosen and chosen[0] in self.names:
            self.cursor = self.names.index(chosen[0])

    def get_content_height(self, container: object, viewport: object, width: int) -> int:
        """Return how many there are."""
        return max(1, len(self.names))

    def count(self) -> int:
        """Return how many there are."""
        return len(self.names)

    def line(self, index: int) -> Line:
        """Return one with its box."""
        name = self.names[index]
        picked = name in self.picked
        box = ("[✓] " if picked else "[ ] ") if self.several else ("◉ " if picked else "○ ")
        order = ""
        if self.ordered and picked and len(self.picked) > 1:
            order = f"  {self.picked.index(name) + 1}"
        words = "* (all of them)" if name == ALL else name or "(none)"
        return [(box, "good" if picked else "dim"), (words, ""), (order, "dim")]

    def toggle(self) -> None:
        """Pick what is under the cursor, or leave it."""
        name = self.names[self.cursor]
        if not self.several:
            self.picked = [name]
        elif name in self.picked:
            self.picked.remove(name)
        elif name == ALL:
            self.picked = [name]
        else:
            self.picked = [one for one in self.picked if one != ALL]
            self.picked.append(name)
        self.changed()


class Choose(Question[list[str]]):
    """One or several of some names; several keep the order in which they were picked.

    Args:
        heading: Of what.
        names: What may be chosen.
        chosen: What is chosen already.
        several: Whether more than one may be.
        ordered: Whether the order in which they are picked counts, so that it is shown.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "pick", "pick", key_display="␣"),
        Binding("enter", "done", "take", key_display="⏎"),
    ]

    def __init__(
        self,
        heading: str,
        names: Sequence[str],
        chosen: Sequence[str],
        *,
        several: bool,
        ordered: bool = False,
    ) -> None:
        super().__init__()
        self.heading = heading
        self._choices = _Choices(names, chosen, several=several, ordered=ordered)

    def body(self) -> ComposeResult:
        """Make the list."""
        yield self._choices

    def on_rows_moved(self, event: Rows.Moved) -> None:
        """Keep what happens in the list to ourselves."""
        event.stop()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer to pick only where there may be several."""
        return self._choices.several if action == "pick" else True

    def action_pick(self) -> None:
        """Pick or leave the name under the cursor."""
        self._choices.toggle()

    def action_done(self) -> None:
        """Answer with what is picked."""
        if not self._choices.several:
            self._choices.toggle()
        self.dismiss(list(self._choices.picked))


class Enter(Question[str]):
    """One line of text.

    Args:
        heading: What is asked.
        text: What it is for.
        value: What stands there at first.
        hidden: Whether what is typed is shown as dots until a key shows it.
    """

    AUTO_FOCUS: ClassVar[str | None] = "Input"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+t", "reveal(True)", "show", key_display="^t"),
        Binding("ctrl+t", "reveal(False)", "hide", key_display="^t"),
    ]

    def __init__(self, heading: str, text: str, *, value: str = "", hidden: bool = False) -> None:
        super().__init__()
        self.heading, self._text, self._value, self._hidden = heading, text, value, hidden

    def body(self) -> ComposeResult:
        """Make the field."""
        yield Lines(paragraphs(self._text))
        yield Field(self._value, password=self._hidden)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer to show what is typed where it is hidden, and to hide it again."""
        if action != "reveal":
            return True
        return self._hidden and self.query_one(Field).password == parameters[0]

    def action_reveal(self, shown: bool) -> None:
        """Show what is typed, or dots."""
        self.query_one(Field).password = not shown
        self.refresh_bindings()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Answer with what was typed."""
        event.stop()
        self.dismiss(event.value)
