"""All keys of the screen one was on, and its page; every other page is one key away."""

from collections.abc import Mapping
from typing import Any, ClassVar, Final

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import ModalScreen, Screen

from tui.commands import COMMANDS
from tui.dialogs import DIALOGS
from tui.help import PAGES, Page
from tui.screens.questions import Lines, paragraphs
from tui.widgets.keyline import KeyLine
from tui.widgets.lines import Line, entitle

_DIALOGS: Final = frozenset(dialog.name for dialog in DIALOGS)
_NAMES: Final = {
    "question_mark": "?", "slash": "/", "colon": ":", "enter": "Enter", "escape": "Esc",
    "space": "Space", "tab": "Tab", "pagedown": "PgDn", "pageup": "PgUp",
}  # fmt: skip


class HelpScreen(ModalScreen[None]):
    """The help.

    Args:
        page: The page to begin with.
        described: The configuration's tables, as `config.describe` tells them.
    """

    DEFAULT_CSS = """
    HelpScreen { align: center middle; background: $background 60%; }
    HelpScreen > Lines {
        width: 90; max-width: 100%; height: 92%; max-height: 92%; border: round $primary;
        background: $surface; border-title-color: $text-primary; border-title-style: bold;
        border-subtitle-color: $text-muted; padding: 0 1;
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,question_mark", "leave", "close", key_display="Esc"),
        Binding("n,tab", "page(1)", "next page", key_display="n"),
        Binding("N,shift+tab", "page(-1)", "page before", key_display="N"),
    ]

    def __init__(self, page: str, described: Mapping[str, Mapping[str, Any]]) -> None:
        super().__init__()
        self._pages = {**PAGES, **_of_settings(described)}
        names = list(self._pages)
        known = page if page in names else "config" if page in _DIALOGS else "main"
        self._at = names.index(known)
        self._keys: list[Line] = []

    def compose(self) -> ComposeResult:
        """Make the page."""
        yield Lines()
        yield KeyLine()

    def on_mount(self) -> None:
        """Look which keys the screen below has."""
        below = self.app.screen_stack[-2] if len(self.app.screen_stack) > 1 else None
        if below is not None:
            self._keys = _keys(below)
        self.query_one(Lines).focus()
        self.call_after_refresh(self._show)

    def on_resize(self) -> None:
        """Wrap the text anew."""
        self.call_after_refresh(self._show)

    def _show(self) -> None:
        page = list(self._pages.values())[self._at]
        lines = self.query_one(Lines)
        entitle(lines, page.title)
        lines.border_subtitle = f"page {self._at + 1} of {len(self._pages)}"
        width = max(20, lines.content_size.width - 3)
        shown: list[Line] = []
        for paragraph in page.text.strip().split("\n"):
            if paragraph.startswith("# "):
                shown.append([(paragraph[2:], "title")])
            else:
                shown += paragraphs(paragraph, width)
        shown += [(), [("Keys on the screen you came from", "title")], *self._keys]
        shown += [(), [("Commands after :", "title")], *_commands()]
        lines.show(shown)

    def action_page(self, by: int) -> None:
        """Turn to another page."""
        self._at = (self._at + by) % len(self._pages)
        self._show()

    def action_leave(self) -> None:
        """Close the help."""
        self.dismiss(None)


def unfolded(text: str) -> str:
    """Return a text whose paragraphs are a line each, so that they fit any width; what is indented stays."""
    lines: list[str] = []
    for line in text.split("\n"):
        plain = bool(line) and not line.startswith((" ", "# "))
        if plain and lines and lines[-1] and not lines[-1].startswith((" ", "# ")):
            lines[-1] += f" {line}"
        else:
            lines.append(line)
    return "\n".join(lines)


def _of_settings(described: Mapping[str, Mapping[str, Any]]) -> dict[str, Page]:
    """Return a page for each tab: what its table's page says, then each of its keys."""
    pages = {}
    for dialog in DIALOGS:
        texts = []
        for table in dialog.tables:
            told = described.get(table)
            if told is None:
                continue
            title, _, text = str(told.get("help", "")).partition("\n")
            text = unfolded(text)
            texts.append(text if table == dialog.name else f"# {title}\n{text}")
            texts.append("# Its settings")
            texts += [
                f"{key.get('label') or key['key']}: {key.get('help', '')}" for key in told["keys"]
            ]
        if texts:
            pages[dialog.name] = Page(title=dialog.title, text="\n".join(texts))
    return pages


def _keys(screen: Screen[object]) -> list[Line]:
    by_action: dict[str, tuple[list[str], str]] = {}
    for active in screen.active_bindings.values():
        binding = active.binding
        if binding.action.startswith(("app.", "screen.")) or not binding.description:
            continue
        name = _NAMES.get(binding.key, binding.key)
        by_action.setdefault(binding.action, ([], binding.description))[0].append(name)
    return [
        [(f"  {' '.join(names):<18}", "key"), (words, "")] for names, words in by_action.values()
    ]


def _commands() -> list[Line]:
    return [
        [
            (f"  :{command.name + ' ' + command.takes:<18}", "key"),
            (command.words, ""),
            (
                f"  also {', '.join(':' + one for one in command.aliases)}" * bool(command.aliases),
                "dim",
            ),
        ]
        for command in COMMANDS
    ]
