"""All keys of the screen one was on, and its page; every other page is one key away.

A filter looks for words on all pages at once.
"""

from collections.abc import Mapping
from typing import Any, ClassVar, Final

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import ModalScreen, Screen

from tui.commands import COMMANDS
from tui.dialogs import DIALOGS
from tui.filter import Filter
from tui.help import PAGES, Page
from tui.screens.questions import Lines, paragraphs
from tui.widgets.keyline import Foot, KeyLine
from tui.widgets.lines import Line, entitle
from tui.widgets.prompt import Prompt

_DIALOGS: Final = frozenset(dialog.name for dialog in DIALOGS)
_NAMES: Final = {
    "question_mark": "?", "slash": "/", "colon": ":", "enter": "Enter", "escape": "Esc",
    "space": "Space", "tab": "Tab", "pagedown": "PgDn", "pageup": "PgUp", "up": "↑", "down": "↓",
    "left": "←", "right": "→", "home": "Home", "end": "End",
}  # fmt: skip


_MODIFIERS: Final = {"ctrl": "^", "shift": "⇧"}


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
        Binding("slash", "filter", "filter", key_display="/"),
        Binding("escape,q,question_mark", "leave", "close", key_display="Esc"),
        Binding("n,tab", "page(1)", "next page", key_display="n"),
        Binding("N,shift+tab", "page(-1)", "page before", key_display="N"),
    ]

    def __init__(self, page: str, described: Mapping[str, Mapping[str, Any]]) -> None:
        super().__init__()
        self._pages = {**PAGES, **pages_of_settings(described)}
        names = list(self._pages)
        known = page if page in names else "config" if page in _DIALOGS else "main"
        self._at = names.index(known)
        self._keys: list[Line] = []
        self._filter = Filter()

    def compose(self) -> ComposeResult:
        """Make the page."""
        yield Lines()
        with Foot():
            yield Prompt()
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
        lines = self.query_one(Lines)
        if self._filter:
            self._show_found(lines)
            return
        page = list(self._pages.values())[self._at]
        entitle(lines, page.title)
        titles = [one.title for one in self._pages.values()]
        following = titles[(self._at + 1) % len(titles)]
        lines.border_subtitle = f"page {self._at + 1} of {len(titles)} · n: {following}"
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

    def _show_found(self, lines: Lines) -> None:
        """Show what passes the filter, of every page, under the page's title."""
        width = max(20, lines.content_size.width - 3)
        shown: list[Line] = []
        count = 0
        for page in self._pages.values():
            found = [one for one in _paragraphs(page) if self._filter.keeps({"text": one})]
            count += bool(found)
            if found:
                shown += [[(page.title, "title")]] if not shown else [(), [(page.title, "title")]]
            for paragraph in found:
                shown += paragraphs(paragraph, width)
        for title, of in (("Keys", self._keys), ("Commands", _commands())):
            some = [one for one in of if self._filter.keeps({"text": "".join(t for t, _ in one)})]
            if some:
                shown += [(), [(title, "title")], *some]
        entitle(lines, f"/{self._filter.text}")
        lines.border_subtitle = f"{count} of {len(self._pages)} pages"
        lines.show(shown or [[("nothing in the help passes the filter; Esc clears it", "dim")]])

    def action_filter(self) -> None:
        """Let words be typed that are looked for on all pages."""
        self.query_one(Prompt).ask("filter", "/", self._filter.text)

    def on_prompt_typed(self, event: Prompt.Typed) -> None:
        """Filter while it is typed."""
        self._narrow(event.text)

    def on_prompt_entered(self, event: Prompt.Entered) -> None:
        """Keep the filter."""
        self._narrow(event.text)

    def on_prompt_cancelled(self, event: Prompt.Cancelled) -> None:
        """Take the filter away again."""
        self._narrow("")

    def _narrow(self, text: str) -> None:
        self._filter = Filter(text)
        self._show()

    def action_page(self, by: int) -> None:
        """Turn to another page; the filter goes."""
        self._filter = Filter()
        self._at = (self._at + by) % len(self._pages)
        self._show()

    def action_leave(self) -> None:
        """Clear the filter, else close the help."""
        if self._filter:
            self._narrow("")
        else:
            self.dismiss(None)


def _paragraphs(page: Page) -> list[str]:
    lines = page.text.strip().split("\n")
    return [line for line in lines if line.strip() and not line.startswith("# ")]


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


def pages_of_settings(described: Mapping[str, Mapping[str, Any]]) -> dict[str, Page]:
    """Return a page for each tab: what its table's page says, then its keys that this does not tell."""
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
            known = {line.partition(":")[0] for line in text.split("\n")}
            labels = [(str(key.get("label") or key["key"]), key) for key in told["keys"]]
            left = [f"{name}: {key.get('help', '')}" for name, key in labels if name not in known]
            if left:
                texts += ["# Its other settings" if len(left) < len(labels) else "# Its settings"]
                texts += left
        if texts:
            pages[dialog.name] = Page(title=dialog.title, text="\n".join(texts))
    return pages


def _keys(screen: Screen[object]) -> list[Line]:
    by_action: dict[str, tuple[list[str], str]] = {}
    for active in screen.active_bindings.values():
        binding = active.binding
        if binding.action.startswith(("app.", "screen.")) or not binding.description:
            continue
        modifiers, _, key = binding.key.rpartition("+")
        name = _MODIFIERS.get(modifiers, modifiers) + _NAMES.get(key, key)
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
