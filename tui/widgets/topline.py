"""The head of every screen: which server, which screen, and what is not as usual."""

from typing import Final

from rich.cells import cell_len
from textual import events
from textual.message import Message

from tui.widgets.lines import Panel, Run, cells, fit

PLACES: Final = (
    ("1", "main", "Main"),
    ("2", "config", "Config"),
    ("3", "registrations", "Phones"),
    ("4", "calls", "Calls"),
    ("5", "relays", "Relays"),
    ("6", "bans", "Bans"),
    ("7", "subscriptions", "Watch"),
    ("8", "route", "Route"),
)
"""The screens: key, mode, title."""
_LEAST_NAME: Final = 6
"""Cells that the server's name has at least."""


class TopLine(Panel):
    """One line: name, screens, state."""

    DEFAULT_CSS = "TopLine { height: 1; dock: top; background: $panel; }"

    class Chosen(Message):
        """A screen was clicked."""

        def __init__(self, mode: str) -> None:
            super().__init__()
            self.mode = mode

    def __init__(self, mode: str) -> None:
        super().__init__()
        self._mode = mode
        self._name = ""
        self._marks: tuple[tuple[str, str], ...] = ()
        self._places: list[tuple[int, int, str]] = []

    def take(self, name: str, marks: tuple[tuple[str, str], ...]) -> None:
        """Show the instance's name and what is not as usual, each with its style."""
        self._name, self._marks = name, marks
        self.compose_line()

    def compose_line(self) -> None:
        """Lay it out for the width there is."""
        width = self.size.width
        marks: list[Run] = [(f" {text} ", style) for text, style in self._marks]
        room = width - cells(marks)
        most = max(len(title) for _, _, title in PLACES)
        # where there is little room one blank between two places must do, then shorter titles
        while most > 1 and room - self._taken(most) < _LEAST_NAME + 2:
            most -= 1
        titles = self._taken(most)
        wide = room - titles - len(PLACES) >= min(24, cell_len(self._name or "")) + 2
        name = fit(self._name or "centrex", max(6, min(24, room - titles - 2))).rstrip()
        runs: list[Run] = [(f" {name} ", "strong")]
        at = cells(runs)
        self._places = []
        for key, mode, title in PLACES:
            here = mode == self._mode
            text = f"[{key} {title}]" if here else f" {key} {title[:most]} "
            text = text if wide else f"{text.lstrip()} ".replace("  ", " ")
            if at + len(text) > room:
                text = text[: max(0, room - at)]
            runs.append((text, "title" if here else ""))
            self._places.append((at, at + len(text), mode))
            at += len(text)
        runs.append((" " * max(0, room - at), ""))
        self.show([[*runs, *marks]])

    def _taken(self, most: int) -> int:
        """Return the cells of all places, if titles but this screen's have so many letters at most."""
        letters = sum(len(t) if mode == self._mode else min(most, len(t)) for _, mode, t in PLACES)
        return letters + sum(len(key) + 2 for key, _, _ in PLACES) + 2

    def on_resize(self) -> None:
        """Lay it out anew."""
        self._drawn.clear()
        self.compose_line()

    def on_click(self, event: events.Click) -> None:
        """Go where was clicked."""
        for start, end, mode in self._places:
            if start <= event.x < end:
                self.post_message(self.Chosen(mode))
