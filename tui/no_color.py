"""A screen without colours: the terminal's own two, and reversed where a colour would say "here".

Textual's own answer to NO_COLOR are greys upon a dark ground, which are colours, too: on a light
terminal they make a dark screen.
"""

from functools import lru_cache
from typing import Final

from rich.segment import Segment
from rich.style import Style
from textual.color import Color
from textual.filter import LineFilter

_LIT: Final = 0x60
"""From which brightness on (0 to 255) a ground is one that marks: all others are darker in the theme."""
_BRIGHT: Final = 0xC0
"""From which on it is the cursor of a field, which may stand in a marked one."""


class Plain(LineFilter):
    """Takes the colours of the dark theme away."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """Return the segments of a line without colours.

        Args:
            segments: They.
            background: The ground of the widget, which does not matter here.
        """
        in_marked = any(_LIT <= _brightness(style) < _BRIGHT for _, style, _ in segments)
        return [
            Segment(text, style and _plain(style, in_marked=in_marked), control)
            for text, style, control in segments
        ]


def _brightness(style: Style | None) -> int:
    if style is None or style.bgcolor is None or style.bgcolor.is_default:
        return 0
    return max(style.bgcolor.get_truecolor())


@lru_cache(1024)
def _plain(style: Style, *, in_marked: bool) -> Style:
    """Return a style without colours; a cursor in a marked field stands out by not being reversed."""
    brightness = _brightness(style)
    marked = brightness >= _LIT and not (brightness >= _BRIGHT and in_marked)
    return style.without_color + Style(reverse=marked != bool(style.reverse))
