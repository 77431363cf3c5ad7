"""The line above the keys where commands, filters and file names are typed."""

from collections.abc import Sequence

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal
from textual.message import Message
from textual.suggester import SuggestFromList
from textual.widget import Widget
from textual.widgets import Input, Static

from tui.widgets.field import Field


class Prompt(Horizontal):
    """Hidden until something is to be typed."""

    DEFAULT_CSS = """
    Prompt { height: 1; display: none; background: $surface; }
    Prompt.-asking { display: block; }
    Prompt > Static { width: auto; color: $text-accent; text-style: bold; }
    Prompt > Input { width: 1fr; border: none; height: 1; padding: 0; background: $surface; }
    Prompt > Input:focus { border: none; }
    """
    BINDINGS = [  # noqa: RUF012 - Textual's own form
        Binding("escape", "cancel", "cancel", show=True, key_display="Esc"),
    ]

    class Typed(Message):
        """The text has changed."""

        def __init__(self, purpose: str, text: str) -> None:
            super().__init__()
            self.purpose, self.text = purpose, text

    class Entered(Typed):
        """Enter was pressed."""

    class Cancelled(Typed):
        """Escape was pressed."""

    def __init__(self) -> None:
        super().__init__()
        self.purpose = ""
        self._back: Widget | None = None

    def compose(self) -> ComposeResult:
        """Make the label and the field."""
        yield Static("", markup=False)
        yield Field(select_on_focus=False, compact=True)

    def ask(
        self,
        purpose: str,
        label: str,
        text: str = "",
        *,
        choices: Sequence[str] = (),
    ) -> None:
        """Let something be typed.

        Args:
            purpose: What the messages will be known by.
            label: What stands before the field.
            text: What stands in it at first.
            choices: What may be completed.
        """
        self._back = self.screen.focused
        self.purpose = purpose
        self.query_one(Static).update(label)
        field = self.query_one(Input)
        field.suggester = SuggestFromList(choices, case_sensitive=False) if choices else None
        with field.prevent(Input.Changed):
            field.value = text
        field.cursor_position = len(text)
        self.add_class("-asking")
        field.focus()

    def leave(self) -> None:
        """Hide again."""
        self.remove_class("-asking")
        if self._back is not None and self._back.is_attached:
            self._back.focus()
        self._back = None

    def on_input_changed(self, event: Input.Changed) -> None:
        """Pass on what is being typed."""
        event.stop()
        self.post_message(self.Typed(self.purpose, event.value))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Pass on what was typed."""
        event.stop()
        self.leave()
        self.post_message(self.Entered(self.purpose, event.value))

    def action_cancel(self) -> None:
        """Take nothing."""
        text = self.query_one(Input).value
        self.leave()
        self.post_message(self.Cancelled(self.purpose, text))
