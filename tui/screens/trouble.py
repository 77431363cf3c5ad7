"""What stands in place of the dashboard where no instance can be reached or started."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, cast

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import Screen

from tui.screens.questions import Lines, paragraphs
from tui.widgets.keyline import KeyLine
from tui.widgets.lines import Line

if TYPE_CHECKING:
    from tui.app import Dashboard


class TroubleScreen(Screen[None]):
    """Says what is wrong, all of it, and how to go on.

    Args:
        why: In words.
        problems: Of the configuration, if that is why.
        final: Whether it is tried again only when somebody says so.
    """

    DEFAULT_CSS = """
    TroubleScreen { align: center middle; }
    TroubleScreen > Vertical {
        width: 90; max-width: 96%; height: auto; max-height: 90%; border: round $error;
        padding: 1 2; border-title-color: $text-error; border-title-style: bold;
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("r", "again", "try again"),
    ]
    page = "trouble"

    def __init__(self, why: str, problems: Sequence[Mapping[str, Any]], *, final: bool) -> None:
        super().__init__()
        self._told = self._lines(why, problems, final=final)

    def compose(self) -> ComposeResult:
        """Make the box."""
        with Vertical() as box:
            box.border_title = "✗ There is no server to show"
            yield Lines(self._told)
        yield KeyLine()

    def take(self, why: str, problems: Sequence[Mapping[str, Any]], *, final: bool) -> None:
        """Say something else."""
        self._told = self._lines(why, problems, final=final)
        self.query_one(Lines).show(self._told)

    @staticmethod
    def _lines(why: str, problems: Sequence[Mapping[str, Any]], *, final: bool) -> list[Line]:
        lines: list[Line] = [[(part, "strong") for part, _ in line] for line in paragraphs(why, 80)]
        for problem in problems:
            hint = f" (did you mean {problem['nearest']}?)" if problem.get("nearest") else ""
            where = f"{problem.get('file', '')}:{problem.get('line') or ''}"
            lines += [(), [(f"{problem.get('key', '')}", "key"), (f"  {where}", "dim")]]
            lines += paragraphs(f"{problem.get('message', '')}{hint}", 80)
        ending = "r tries again" if final else "It is tried again by itself; r does so at once"
        return [*lines, (), [(f"{ending}, q quits.", "dim")]]

    def action_again(self) -> None:
        """Try again."""
        cast("Dashboard", self.app).feed.retry()
