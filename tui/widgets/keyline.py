"""The foot of every screen: the keys that work now, and always how to get help."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from textual import events
from textual.containers import Vertical
from textual.screen import Screen

from tui.widgets.lines import Line, Panel, Run

_GLYPHS: Final = {
    "question_mark": "?", "slash": "/", "colon": ":", "enter": "⏎", "escape": "Esc", "tab": "⇥",
    "space": "␣",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class _Key:
    glyph: str
    words: str
    key: str
    enabled: bool
    action: str


class Foot(Vertical):
    """The last lines of a screen: what is being typed, and the keys below it."""

    DEFAULT_CSS = """
    Foot { dock: bottom; height: auto; }
    Foot > KeyLine { dock: none; }
    """


class KeyLine(Panel):
    """One line of keys; a click is as good as the key."""

    DEFAULT_CSS = """
    KeyLine { height: 1; dock: bottom; background: $panel; }
    """
    _LAST: Final = ("help", "quit")
    _COMMON: Final = (
        "filter",
        "order(1)",
        "columns",
        "copy",
        "write",
        "command",
        "leave",
        "escape",
    )
    """Keys that nearly every screen has: they come after its own."""

    def __init__(self) -> None:
        super().__init__()
        self._places: list[tuple[int, int, str]] = []

    def on_mount(self) -> None:
        """Follow what the focus makes of the keys."""
        self.screen.bindings_updated_signal.subscribe(self, self._changed)
        self.call_after_refresh(self.compose_line)

    def _changed(self, screen: Screen[object]) -> None:
        if self.is_attached and screen is self.screen:
            self.call_after_refresh(self.compose_line)

    def on_resize(self) -> None:
        """Show as many keys as fit."""
        self._drawn.clear()
        self.compose_line()

    def _keys(self) -> Iterator[_Key]:
        seen = set()
        for active in self.screen.active_bindings.values():
            binding = active.binding
            if not binding.show or binding.action in seen or self._is_text(binding.key):
                continue
            seen.add(binding.action)
            glyph = binding.key_display or _GLYPHS.get(binding.key, binding.key)
            yield _Key(
                glyph=glyph.replace("ctrl+", "^"),
                words=binding.description,
                key=binding.key,
                enabled=active.enabled,
                action=binding.action,
            )

    def _is_text(self, key: str) -> bool:
        """Return whether a key writes where something is typed; Textual itself thinks of letters only."""
        glyph, focused = _GLYPHS.get(key, ""), self.screen.focused
        written = glyph if len(glyph) == 1 and glyph.isascii() else " " if key == "space" else ""
        return bool(written and focused is not None and focused.check_consume_key(key, written))

    def compose_line(self) -> None:
        """Write the keys of this moment."""
        if not self.is_attached:
            return
        keys = list(self._keys())
        ending = [key for key in keys if key.action in self._LAST]
        keys = sorted(
            (key for key in keys if key.action not in self._LAST),
            key=lambda key: self._COMMON.index(key.action) if key.action in self._COMMON else -1,
        )
        width = self.size.width
        room = width - sum(self._taken(key) for key in ending)
        runs: list[Run] = []
        self._places, at = [], 0
        for key in keys:
            if at + self._taken(key) > room:
                break
            at = self._add(runs, key, at)
        filling = room - at
        runs.append((" " * filling, ""))
        at += filling
        for key in ending:
            at = self._add(runs, key, at)
        line: Line = runs
        self.show([line])

    @staticmethod
    def _taken(key: _Key) -> int:
        return len(key.glyph) + len(key.words) + 3

    def _add(self, runs: list[Run], key: _Key, at: int) -> int:
        runs += [
            (f" {key.glyph}", "key" if key.enabled else "dim"),
            (f" {key.words} ", "" if key.enabled else "dim"),
        ]
        end = at + self._taken(key)
        if key.enabled:
            self._places.append((at, end, key.key))
        return end

    def on_click(self, event: events.Click) -> None:
        """Do what the key does."""
        for start, end, key in self._places:
            if start <= event.x < end:
                self.app.simulate_key(key)
                return
