"""Lines of styled runs, and the one place where text becomes what a terminal is sent.

Everything a screen shows of the network passes `Painted.paint`, which escapes it and reads no
markup. It knows styles by name; it refuses to know what a line speaks of.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import ClassVar, Final, TypeAlias

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual.content import Content
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from centrex import api

Run: TypeAlias = tuple[str, str]
"""Text and the name of its style, one of `STYLES` or empty."""
Line: TypeAlias = Sequence[Run]

STYLES: Final = (
    "dim", "strong", "title", "key", "good", "note", "warn", "bad", "info", "cursor", "resting",
)  # fmt: skip
_LONGEST: Final = 4096


def clean(value: object, limit: int = _LONGEST) -> str:
    """Return text in which nothing commands a terminal or hides from its reader."""
    return api.shown(str(value), limit)


def entitle(widget: Widget, text: str) -> None:
    """Put text into a widget's border, cleaned and read as no markup, if it is not there already."""
    title = Content(clean(text, 300))
    if widget.border_title != title.markup:
        widget.border_title = title


def fit(value: object, width: int, *, right: bool = False) -> str:
    """Return cleaned text in exactly `width` cells, cut with `…` or filled with blanks."""
    text = clean(value, max(0, 4 * width))
    taken = cell_len(text)
    if taken > width:
        return set_cell_size(text, width - 1) + "…" if width > 1 else set_cell_size(text, width)
    filling = " " * (width - taken)
    return filling + text if right else text + filling


def cells(line: Line) -> int:
    """Return how many cells a line takes."""
    return sum(cell_len(clean(text)) for text, _ in line)


def wrap(text: str, width: int) -> list[str]:
    """Break cleaned text into lines of at most `width` cells, at blanks where there are any."""
    lines: list[str] = []
    line = ""
    for word in clean(text).split(" "):
        while cell_len(word) > width:
            if line:
                lines.append(line)
                line = ""
            head = set_cell_size(word, width).rstrip()
            lines.append(head)
            word = word[max(1, len(head)) :]
        joined = f"{line} {word}" if line else word
        if cell_len(joined) > width:
            lines.append(line)
            line = word
        else:
            line = joined
    return [*lines, line]


def changed_span(old: Strip, new: Strip) -> tuple[int, int] | None:
    """Return the first cell that differs and how many do, at most; None where none does."""
    if old == new:
        return None
    width = max(old.cell_length, new.cell_length)
    before, after = list(old), list(new)
    left = 0
    for one, other in zip(before, after, strict=False):
        if one != other:
            break
        left += one.cell_length
    right = 0
    for one, other in zip(reversed(before), reversed(after), strict=False):
        if one != other or left + right + one.cell_length > width:
            break
        right += one.cell_length
    if old.cell_length != new.cell_length:
        right = 0
    return left, max(1, width - left - right)


class Painted(Widget):
    """A widget that is painted line by line, in styles known by name."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {f"line--{name}" for name in STYLES}
    DEFAULT_CSS = """
    Painted {
        & .line--dim { color: $text-muted; }
        & .line--strong { text-style: bold; }
        & .line--title { color: $text-primary; text-style: bold; }
        & .line--key { color: $text-accent; text-style: bold; }
        & .line--good { color: $text-success; }
        & .line--note { color: $text-secondary; }
        & .line--warn { color: $text-warning; }
        & .line--bad { color: $text-error; text-style: bold; }
        & .line--info { color: $text-primary; }
        & .line--cursor { background: $primary 45%; text-style: bold; }
        & .line--resting { background: $surface-lighten-2; }
    }
    """

    _styles_by_name: dict[str, Style] | None = None

    def notify_style_update(self) -> None:
        """Forget the styles: the theme or a class has changed."""
        self._styles_by_name = None
        super().notify_style_update()

    def style_named(self, name: str) -> Style:
        """Return the style of a name, upon the widget's own."""
        known = self._styles_by_name
        if known is None:
            known = self._styles_by_name = {"": self.rich_style}
        style = known.get(name)
        if style is None:
            style = self.rich_style
            for part in name.split():
                own = self.get_component_rich_style(f"line--{part}", partial=True)
                whole = self.get_component_rich_style(f"line--{part}")
                style += own.without_color + Style(
                    color=whole.color if own.color else None,  # blended with what is behind it
                    bgcolor=whole.bgcolor if own.bgcolor else None,
                )
            known[name] = style
        return style

    def paint(self, line: Line, width: int, *, upon: str = "", start: int = 0) -> Strip:
        """Return a line as a strip of exactly `width` cells.

        Args:
            line: Its runs; their text is escaped here.
            width: In cells.
            upon: A style laid upon all of them, such as the cursor's.
            start: How many cells are scrolled out at the left.
        """
        segments = [
            Segment(clean(text), self.style_named(f"{name} {upon}".strip()))
            for text, name in line
            if text
        ]
        strip = Strip(segments)
        filling = self.style_named(upon)
        if start:
            strip = strip.crop(start)
        return strip.adjust_cell_length(width, filling)


class Panel(Painted):
    """A few lines that are shown as they are; only cells that change are drawn again."""

    def __init__(
        self,
        *,
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        super().__init__(id=id, classes=classes)
        self._lines: list[Line] = []
        self._drawn: dict[int, Strip] = {}

    @property
    def lines(self) -> list[Line]:
        """What is shown."""
        return self._lines

    def show(self, lines: Iterable[Line]) -> None:
        """Show these lines from now on."""
        before = len(self._lines)
        self._lines = list(lines)
        if (
            len(self._lines) != before
            and self.styles.height is not None
            and self.styles.is_auto_height
        ):
            self.refresh(layout=True)
        redraw_changed(self, self._drawn, self._strip)

    def get_content_height(self, container: object, viewport: object, width: int) -> int:
        """Return the lines there are."""
        return max(1, len(self._lines))

    def _strip(self, y: int) -> Strip:
        line = self._lines[y] if y < len(self._lines) else ()
        return self.paint(line, self.content_size.width)

    def render_line(self, y: int) -> Strip:
        """Paint one line."""
        strip = self._drawn[y] = self._strip(y)
        return strip

    def notify_style_update(self) -> None:
        """Paint anew in the new styles."""
        super().notify_style_update()
        if hasattr(self, "_drawn"):
            self._drawn.clear()


def redraw_changed(
    widget: Widget, drawn: dict[int, Strip], strip_of: Callable[[int], Strip]
) -> None:
    """Have exactly those cells drawn again whose lines differ from what was drawn last."""
    height = widget.size.height
    regions = []
    for y, old in list(drawn.items()):
        if y >= height:
            del drawn[y]
            continue
        span = changed_span(old, strip_of(y))
        if span is not None:
            regions.append(Region(span[0], y, span[1], 1))
    missing = any(y not in drawn for y in range(height))
    if missing:
        widget.refresh()
    elif regions:
        widget.refresh(*regions)
