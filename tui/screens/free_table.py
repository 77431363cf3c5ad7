"""A table whose keys nobody has declared, typed as TOML and checked while it is."""

from collections.abc import Mapping
from typing import Any, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import TextArea

from tui.free_table import as_toml, read
from tui.screens.questions import Confirm, Question
from tui.values import Objection
from tui.widgets.lines import Line, Panel, wrap

_WORDS = (
    "Each plug-in has a table of its own: a line [NAME], and below it key = value. Text stands in "
    'quotation marks; 5, true and ["a", "b"] are what they look like. Remarks in the file stay.'
)


class FreeTable(Question[dict[str, Any]]):
    """Asks for such a table; answers with it, or nothing.

    Args:
        heading: What it is.
        tables: What it holds now.
    """

    DEFAULT_CSS = """
    FreeTable > Vertical { width: 90; height: 86%; }
    FreeTable TextArea {
        height: 1fr; border: none; padding: 0; background: $surface; scrollbar-size-horizontal: 0;
    }
    FreeTable #table-words { height: 5; border-top: solid $primary 60%; background: $surface; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+s,f2", "save", "take it", key_display="^s", priority=True),
        Binding("escape", "leave", "cancel", key_display="Esc", priority=True),
    ]
    AUTO_FOCUS: ClassVar[str | None] = "TextArea"
    page = "plugins"

    def __init__(self, heading: str, tables: Mapping[str, Any]) -> None:
        super().__init__()
        self.heading = heading
        self._text = as_toml(tables)

    def body(self) -> ComposeResult:
        """Make the text and the words below it."""
        yield TextArea(self._text, soft_wrap=True, tab_behavior="focus", compact=True)
        yield Panel(id="table-words")

    def on_mount(self) -> None:
        """Say what is typed how; what is new goes to the end."""
        area = self.query_one(TextArea)
        area.move_cursor(area.document.end)
        self.call_after_refresh(self._judge)

    def on_text_area_changed(self, event: TextArea.Changed) -> None:
        """Judge what is typed."""
        event.stop()
        self._judge()

    def _judge(self) -> dict[str, Any] | None:
        """Say what is wrong, or what there is; return the table where nothing is."""
        panel = self.query_one("#table-words", Panel)
        width = max(20, panel.size.width)
        try:
            tables = read(self.query_one(TextArea).text)
        except Objection as error:
            panel.show([[(line, "bad")] for line in wrap(f"✗ {error}", width)[:4]])
            return None
        names = ", ".join(tables) or "nothing"
        lines: list[Line] = [[(line, "good")] for line in wrap(f"✓ {names}", width)[:1]]
        lines += [[(line, "dim")] for line in wrap(_WORDS, width)]
        panel.show(lines[:4])
        return tables

    def action_save(self) -> None:
        """Answer with the table, if it is one."""
        tables = self._judge()
        if tables is not None:
            self.dismiss(tables)

    def action_leave(self) -> None:
        """Answer nothing; ask first where that would lose something."""
        if self.query_one(TextArea).text == self._text:
            self.dismiss(None)
            return

        def answered(yes: bool | None) -> None:
            if yes:
                self.dismiss(None)

        words = "What was typed here is forgotten; ^s takes it."
        self.app.push_screen(Confirm("Leave this text?", words, verb="forget it"), answered)
