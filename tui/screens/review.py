"""Before anything is changed: what is wrong, what each edit does, the difference in the file."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.timer import Timer

from tui.screens.questions import Lines, Question, paragraphs
from tui.values import EFFECTS, as_text
from tui.widgets.lines import Line

CONFIRM_S = 60
"""How long applied changes wait for a confirmation before they are rolled back."""


class Review(Question[Literal["apply", "confirm"]]):
    """Shows what `config.preview` says; answers how to apply, or not at all.

    Args:
        preview: The answer.
        file: The file's name.
        may_apply: Whether applying is offered.
    """

    DEFAULT_CSS = """
    Review > Vertical { width: 110; height: 90%; }
    Review Lines { height: 1fr; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("a", "apply", "apply"),
        Binding("c", "confirm", "apply and confirm"),
        Binding("escape,q", "leave", "back", key_display="Esc"),
    ]
    heading = "Review"
    page = "config"

    def __init__(self, preview: Mapping[str, Any], file: str, *, may_apply: bool = True) -> None:
        super().__init__()
        self._preview = preview
        self._may_apply = may_apply
        self.heading = f"Review – {file}"

    @property
    def problems(self) -> Sequence[Mapping[str, Any]]:
        """What stands against applying."""
        return list(self._preview.get("problems", ()))

    def body(self) -> ComposeResult:
        """Make the lines."""
        yield Lines(self._lines())

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Nothing is applied that has problems."""
        if action in ("apply", "confirm") and (self.problems or not self._may_apply):
            return None
        return True

    def _lines(self) -> list[Line]:
        lines: list[Line] = []
        for problem in self.problems:
            hint = f" (did you mean {problem['nearest']}?)" if problem.get("nearest") else ""
            lines.append([("✗ ", "bad"), (str(problem.get("key", "")), "strong")])
            lines += [
                [("  ", ""), *line]
                for line in paragraphs(f"{problem.get('message', '')}{hint}", 100)
            ]
        if self.problems:
            lines += [[("Nothing can be applied until this is put right.", "bad")], ()]
        lines += self._effects()
        lines += [(), [("In the file", "title")]]
        for line in str(self._preview.get("diff", "")).splitlines():
            lines.append([(line, _diff_style(line))])
        return lines

    def _effects(self) -> list[Line]:
        effects = list(self._preview.get("effects", ()))
        lines: list[Line] = [[("What it does", "title")]] if effects else []
        for effect in effects:
            words = effect.get("words") or EFFECTS.get(str(effect.get("effect")), "")
            mark = ("↻ ", "warn") if effect.get("effect") == "restart" else ("● ", "good")
            old, new = as_text(effect.get("old")), as_text(effect.get("new"))
            lines.append(
                [
                    mark,
                    (f"{effect.get('key', '')}  ", "strong"),
                    (f"{old or '(none)'} → {new or '(none)'}", ""),
                ]
            )
            lines += [[("  ", ""), (part, "note")] for part in _wrapped(str(words))]
        return lines

    def action_apply(self) -> None:
        """Apply for good."""
        self.dismiss("apply")

    def action_confirm(self) -> None:
        """Apply, and roll back unless confirmed."""
        self.dismiss("confirm")


def _wrapped(text: str) -> list[str]:
    return ["".join(part for part, _ in line) for line in paragraphs(text, 100)]


def _diff_style(line: str) -> str:
    if line.startswith(("+++", "---")):
        return "dim"
    return {"+": "good", "-": "bad", "@": "info"}.get(line[:1], "")


class Countdown(Question[bool]):
    """Changes are in force, and go unless they are kept; True keeps, False rolls back at once.

    Args:
        seconds: How long they stay.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y,enter", "keep", "keep them", key_display="y"),
        Binding("r", "leave", "roll back now"),
        Binding("escape", "stay", "", show=False),
    ]
    heading = "Keep these changes?"
    page = "config"

    def __init__(self, seconds: int) -> None:
        super().__init__()
        self.left = seconds
        self._of = max(1, seconds)
        self._timer: Timer | None = None

    def body(self) -> ComposeResult:
        """Make the words and the bar."""
        yield Lines(self._lines())

    def on_mount(self) -> None:
        """Count."""
        self._timer = self.set_interval(1.0, self._count)

    def _count(self) -> None:
        self.left -= 1
        if self.left <= 0:
            self.dismiss(None)
            return
        lines = self.query_one(Lines)
        lines.lines = self._lines()
        lines.changed()

    def _lines(self) -> list[Line]:
        full = round(60 * self.left / self._of)
        return [
            *paragraphs("The changes are in force. Try whether all is well: whether phones "
                        "register, whether you still reach the server."),
            (),
            [("Rolled back by itself in ", ""), (f"{self.left} s", "warn")],
            [("█" * full, "warn"), ("░" * (60 - full), "dim")],
            (),
            [("y ", "key"), ("keep them    ", ""), ("r ", "key"), ("roll back now", "")],
        ]  # fmt: skip

    def action_keep(self) -> None:
        """Keep."""
        self.dismiss(True)

    def action_leave(self) -> None:
        """Roll back."""
        self.dismiss(False)

    def action_stay(self) -> None:
        """Escape decides nothing here."""
