"""Before anything is changed: what is wrong, what each edit does, the difference in the file."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from tui.effects import told
from tui.screens.questions import Lines, Question, paragraphs
from tui.widgets.lines import Line, cells, wrap

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
        yield Lines()

    def on_mount(self) -> None:
        """Wrap the words for the box there is."""
        self.call_after_refresh(self._wrap)

    def on_resize(self) -> None:
        """Wrap the words anew."""
        self.call_after_refresh(self._wrap)

    def _wrap(self) -> None:
        lines = self.query_one(Lines)
        lines.show(self._lines(max(20, lines.size.width - 4)))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Nothing is applied that has problems."""
        return action not in ("apply", "confirm") or (self._may_apply and not self.problems)

    def _lines(self, width: int) -> list[Line]:
        lines: list[Line] = []
        for problem in self.problems:
            hint = f" (did you mean {problem['nearest']}?)" if problem.get("nearest") else ""
            where = f"  line {problem['line']}" if problem.get("line") else ""
            lines.append([("✗ ", "bad"), (str(problem.get("key", "")), "strong"), (where, "dim")])
            lines += [
                [("  ", ""), *line]
                for line in paragraphs(f"{problem.get('message', '')}{hint}", width)
            ]
        if self.problems:
            lines += [[("Nothing can be applied until this is put right.", "bad")], ()]
        lines += self._warnings(width)
        if effects := self._effects("effects", width):
            lines += [[("What it does", "title")], *effects]
        if also := self._effects("also", width):
            title = "Also comes in force: it stands in the file already"
            lines += [(), [(title, "title")], *also]
        diff = str(self._preview.get("diff", "")).splitlines()
        lines += [(), [("In the file", "title")]] if diff else []
        for line in diff:
            lines += [[(part, _diff_style(line))] for part in wrap(line, width + 2)]
        return lines

    def _warnings(self, width: int) -> list[Line]:
        """Return what the file would have that is hardly meant so; what is new first."""
        found = list(self._preview.get("warnings", ()))
        fresh = [one for one in found if one.get("fresh")]
        rest = [one for one in found if not one.get("fresh")]
        lines: list[Line] = []
        for heading, warnings, style in (
            ("These edits make odd", fresh, "warn"), ("Odd before, too", rest, "dim")
        ):  # fmt: skip
            lines += [[(heading, "title")]] if warnings else []
            for one in warnings:
                lines.append([("⚠ ", style), (str(one.get("key", "")), "strong")])
                words = str(one.get("message", ""))
                lines += [[("  ", ""), (part, style)] for part in wrap(words, width)]
            lines += [()] if warnings else []
        return lines

    def _effects(self, name: str, width: int) -> list[Line]:
        lines: list[Line] = []
        for effect in told(self._preview.get(name, ())):
            mark = ("↻ ", "warn") if effect.get("effect") == "restart" else ("● ", "good")
            key, change = str(effect["key"]), str(effect["change"])
            if cells([(f"{key}  {change}", "")]) <= width:
                lines.append([mark, (f"{key}  ", "strong"), (change, "")])
            else:
                lines.append([mark, (key, "strong")])
                lines += [[("  ", ""), (part, "")] for part in wrap(change, width)]
            lines += [[("  ", ""), (part, "note")] for part in wrap(str(effect["words"]), width)]
        return lines

    def action_apply(self) -> None:
        """Apply for good."""
        self.dismiss("apply")

    def action_confirm(self) -> None:
        """Apply, and roll back unless confirmed."""
        self.dismiss("confirm")


def _diff_style(line: str) -> str:
    if line.startswith(("+++", "---")):
        return "dim"
    return {"+": "good", "-": "bad", "@": "info"}.get(line[:1], "")
