"""What every screen of the dashboard shares: its head, its foot, its prompt, its place in help."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, cast

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen

from tui.widgets.keyline import Foot, KeyLine
from tui.widgets.prompt import Prompt
from tui.widgets.topline import TopLine

if TYPE_CHECKING:
    from tui.app import Dashboard


class View(Screen[None]):
    """A screen of its own, reached by a number."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "filter", "filter", key_display="/"),
        Binding("y", "copy", "copy"),
        Binding("Y", "copy_all", "copy all", show=False),
        Binding("w", "write", "write"),
        Binding("escape", "escape", "back", show=False),
    ]
    mode = ""
    page = ""
    """Its page in the help."""
    changing: ClassVar[frozenset[str]] = frozenset()
    """Actions that change something, which a read-only dashboard does not offer."""
    filtered: ClassVar[bool] = True

    @property
    def dashboard(self) -> "Dashboard":
        """The application."""
        return cast("Dashboard", self.app)

    @property
    def is_current(self) -> bool:
        """Whether it is what keys go to: behind a question it rests, which none of its cells shows."""
        return self.is_attached and self.app.screen is self

    def compose(self) -> ComposeResult:
        """Make head, body and foot."""
        yield TopLine(self.mode)
        yield from self.body()
        with Foot():
            yield Prompt()
            yield KeyLine()

    def body(self) -> ComposeResult:
        """Make what is between head and foot."""
        raise NotImplementedError

    @property
    def is_made(self) -> bool:
        """Whether all parts of the screen are there; it may come into sight before that."""
        return self.is_attached and bool(self.query(KeyLine))

    def on_mount(self) -> None:
        """Show how things are."""
        self.call_after_refresh(self.on_screen_resume)

    def on_screen_resume(self) -> None:
        """Show what has happened meanwhile."""
        if self.is_made:
            self.show_state()
            self.resumed()

    def resumed(self) -> None:
        """Come back into sight."""

    def show_state(self) -> None:
        """Show in the head whether all is as usual."""
        for line in self.query(TopLine):
            line.take(self.dashboard.instance_name, self.dashboard.marks())

    def figures(self, values: Mapping[str, Any]) -> None:
        """Take a snapshot."""

    def facts(self) -> None:
        """Take what changes seldom, which the application holds."""

    def happened(self, batch: Sequence[Mapping[str, Any]]) -> None:
        """Take a batch of events."""

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer nothing that changes something where nothing may be, nor what this screen cannot."""
        if action in self.changing and not self.dashboard.may_change:
            return False
        if action == "filter":
            return self.filtered
        if action in ("copy", "copy_all"):
            return bool(self.filtered)
        if action == "write":
            return bool(self.filtered)
        return True

    @property
    def prompt(self) -> Prompt:
        """Where things are typed."""
        return self.query_one(Prompt)

    def action_filter(self) -> None:
        """Let a filter be typed."""
        self.prompt.ask("filter", "/", self.filter_text())

    def filter_text(self) -> str:
        """Return the filter in force."""
        return ""

    def narrow(self, text: str) -> None:
        """Filter."""

    def action_escape(self) -> None:
        """Clear the filter."""
        if self.filter_text():
            self.narrow("")

    def on_prompt_typed(self, event: Prompt.Typed) -> None:
        """Filter while it is typed."""
        if event.purpose == "filter":
            self.narrow(event.text)

    def on_prompt_entered(self, event: Prompt.Entered) -> None:
        """Do what was typed."""
        if event.purpose == "command":
            self.dashboard.obey(event.text)
        elif event.purpose == "filter":
            self.narrow(event.text)
        elif event.purpose == "write":
            self.dashboard.write_file(event.text, self.all_text())

    def on_prompt_cancelled(self, event: Prompt.Cancelled) -> None:
        """Take the filter away again."""
        if event.purpose == "filter":
            self.narrow("")

    def on_top_line_chosen(self, event: TopLine.Chosen) -> None:
        """Go to the screen that was clicked."""
        self.dashboard.go(event.mode)

    def chosen_text(self) -> str:
        """Return the chosen line as text."""
        return ""

    def all_text(self) -> str:
        """Return all that passes the filter as text."""
        return ""

    def action_copy(self) -> None:
        """Copy the chosen line to the clipboard (OSC 52)."""
        self.dashboard.copy(self.chosen_text())

    def action_copy_all(self) -> None:
        """Copy all lines that pass the filter to the clipboard."""
        self.dashboard.copy(self.all_text())

    def action_write(self) -> None:
        """Write all lines that pass the filter to a file."""
        self.prompt.ask("write", "write to: ", self.dashboard.file_name(self.mode))
