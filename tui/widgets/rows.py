"""A list of lines with a cursor: what the log, the tables, the forms and the ladder have in common.

Only lines in sight are ever made, so that ten thousand of them cost what thirty do. It knows the
keys and the mouse; it refuses to know what its lines mean.
"""

from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from tui.widgets.lines import Line, Painted, cells, redraw_changed

_SIDEWAYS = 8
_WHEEL = 3


class Rows(Painted, ScrollView, can_focus=True):
    """Lines of which one is chosen. Subclasses give `count` and `line`."""

    DEFAULT_CSS = """
    Rows { height: 1fr; scrollbar-size-vertical: 1; scrollbar-size-horizontal: 0; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j,down", "move(1)", "down", show=False),
        Binding("k,up", "move(-1)", "up", show=False),
        Binding("g,home", "edge(-1)", "first", show=False),
        Binding("G,end", "edge(1)", "last", show=False),
        Binding("ctrl+d,pagedown", "leaf(1)", "page down", show=False),
        Binding("ctrl+u,pageup", "leaf(-1)", "page up", show=False),
        Binding("l,right", "sideways(1)", "right", show=False),
        Binding("h,left", "sideways(-1)", "left", show=False),
    ]

    class Moved(Message):
        """Another line is chosen."""

        def __init__(self, rows: "Rows") -> None:
            super().__init__()
            self.rows = rows

        @property
        def control(self) -> "Rows":
            """Whose line."""
            return self.rows

    class Opened(Moved):
        """The chosen line is to be opened: Enter, or a click upon it."""

    class Beyond(Moved):
        """The keys lead further to the left or right than there is anything."""

        def __init__(self, rows: "Rows", by: int) -> None:
            super().__init__(rows)
            self.by = by

    heads = 0
    """Lines at the top that stay where they are."""
    sideways = 0
    """Cells scrolled out at the left."""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self.cursor = 0
        self._drawn: dict[int, Strip] = {}

    def count(self) -> int:
        """Return how many lines there are."""
        raise NotImplementedError

    def line(self, index: int) -> Line:
        """Return one of them."""
        raise NotImplementedError

    def head(self, index: int) -> Line:
        """Return one of the lines that stay at the top."""
        return ()

    def empty(self) -> Line:
        """Return what is said where there are no lines."""
        return ()

    @property
    def has_cursor(self) -> bool:
        """Whether a line is marked as chosen."""
        return True

    @property
    def top(self) -> int:
        """The first line in sight."""
        return round(self.scroll_offset.y)

    @property
    def seen(self) -> int:
        """How many lines are in sight at once."""
        return max(1, self.size.height - self.heads)

    def changed(self) -> None:
        """Look at all lines anew; only cells that differ are drawn."""
        total = self.count()
        size = Size(max(1, self.size.width), total + self.heads)
        if size != self.virtual_size:
            self.virtual_size = size
        self.cursor = max(0, min(self.cursor, total - 1))
        redraw_changed(self, self._drawn, self._strip)

    def _strip(self, y: int) -> Strip:
        width = self.size.width
        if y < self.heads:
            return self.paint(self.head(y), width, start=self.sideways)
        total = self.count()
        if not total and y == self.heads:
            return self.paint([("  ", ""), *self.empty()], width)
        index = y - self.heads + self.top
        if index >= total:
            return self.paint((), width)
        chosen = self.has_cursor and index == self.cursor
        upon = ("cursor" if self.has_focus else "resting") if chosen else ""
        mark = (("›" if self.has_focus else "·") if chosen else " ", "key" if chosen else "")
        line = [mark, *self.line(index)]
        if more := self._more(y, index, total):
            rest = self.paint([(more, "dim")], 2, upon=upon)
            return Strip.join(
                [self.paint(line, max(0, width - 2), upon=upon, start=self.sideways), rest]
            )
        return self.paint(line, width, upon=upon, start=self.sideways)

    def _more(self, y: int, index: int, total: int) -> str:
        """Return what tells, at the end of a line, that there are others above or below."""
        if self.seen < 2:
            return ""
        if y == self.heads and index > 0:
            return " ▲"
        return " ▼" if y == self.size.height - 1 and index < total - 1 else ""

    def render_line(self, y: int) -> Strip:
        """Paint one line."""
        strip = self._drawn[y] = self._strip(y)
        return strip

    def notify_style_update(self) -> None:
        """Paint anew in the new styles."""
        super().notify_style_update()
        if hasattr(self, "_drawn"):
            self._drawn.clear()

    def move_to(self, index: int) -> None:
        """Choose a line and bring it into sight."""
        index = max(0, min(index, self.count() - 1))
        moved = index != self.cursor
        self.cursor = index
        if index < self.top:
            self.scroll_to(y=index, animate=False, immediate=True, force=True)
        elif index >= self.top + self.seen:
            self.scroll_to(y=index - self.seen + 1, animate=False, immediate=True, force=True)
        self.changed()
        if moved:
            self.post_message(self.Moved(self))

    def action_move(self, by: int) -> None:
        """Choose the line below or above."""
        self.move_to(self.cursor + by)

    def action_edge(self, which: int) -> None:
        """Choose the first or the last line."""
        self.move_to(0 if which < 0 else self.count() - 1)

    def action_leaf(self, by: int) -> None:
        """Move by a page."""
        self.move_to(self.cursor + by * self.seen)

    def action_sideways(self, by: int) -> None:
        """Scroll long lines to the left or the right, no further than the longest in sight."""
        lines = [self.head(at) for at in range(self.heads)]
        lines += [self.line(at) for at in range(self.top, min(self.top + self.seen, self.count()))]
        longest = max((cells(line) for line in lines), default=0) + 1  # the mark before it
        room = max(0, longest - self.size.width)
        before, self.sideways = self.sideways, max(0, min(self.sideways + by * _SIDEWAYS, room))
        if self.sideways == before:
            self.post_message(self.Beyond(self, by))
        self.changed()

    def action_open(self) -> None:
        """Tell that the chosen line is to be opened."""
        if self.count():
            self.post_message(self.Opened(self))

    def row_at(self, y: int) -> int | None:
        """Return the line at a height of the widget; None where there is none."""
        index = y - self.heads + self.top
        return index if y >= self.heads and index < self.count() else None

    def on_click(self, event: events.Click) -> None:
        """Choose the line that was clicked; open it on the second click."""
        index = self.row_at(event.y)
        if index is None:
            return
        if event.chain > 1 and index == self.cursor:
            self.action_open()
        else:
            self.move_to(index)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """Go on, as the wheel does."""
        event.stop()
        self.action_move(_WHEEL)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """Go back, as the wheel does."""
        event.stop()
        self.action_move(-_WHEEL)

    def on_focus(self) -> None:
        """Show where the cursor is."""
        self.changed()

    def on_blur(self) -> None:
        """Show that keys go elsewhere."""
        self.changed()

    def on_resize(self) -> None:
        """Fit the lines into the new size; the chosen one stays in sight."""
        self._drawn.clear()
        if self.has_cursor and self.count():
            self.move_to(self.cursor)
        else:
            self.changed()
        self.refresh()
