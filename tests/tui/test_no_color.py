import pytest
from rich.segment import Segment
from rich.style import Style
from textual.color import Color

from tests.support.pretend import Pretend
from tests.support.screens import dashboard
from tui.no_color import Plain

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(60)]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def plain(*styles: str) -> list[Style]:
    segments = [Segment("x", Style.parse(style)) for style in styles]
    told = [style for _, style, _ in Plain().apply(segments, Color(0, 0, 0))]
    assert None not in told
    return [style for style in told if style is not None]


def test_nothing_of_a_colour_is_left() -> None:
    for style in plain("bold #e0e0e0 on #121212", "red on #242f38", "italic on #114670", "blue"):
        assert (style.color, style.bgcolor) == (None, None)


def test_what_a_ground_marks_is_reversed() -> None:
    usual, panel, cursor = plain("on #121212", "on #242f38", "bold on #114670")
    assert [one.reverse for one in (usual, panel, cursor)] == [False, False, True]
    assert cursor.bold


def test_the_cursor_of_a_field_is_seen_in_a_marked_field_and_elsewhere() -> None:
    assert [one.reverse for one in plain("on #0d548b", "#121212 on #e0e0e0")] == [True, False]
    assert [one.reverse for one in plain("on #121212", "#121212 on #e0e0e0")] == [False, True]


@pytest.mark.parametrize("theme", ["", "textual-light"])
async def test_the_chosen_row_is_reversed_whatever_the_theme(
    theme: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    instance = Pretend()
    instance.values = {"basic.theme": {"value": theme, "origin": "file"}}
    async with dashboard(instance) as operator:
        await operator.press("3")
        await operator.sees("Phones – 3")
        rows = [list(strip) for strip in operator.app.screen._compositor.render_strips()]
        styles = [[one.style for one in row if one.style and one.text.strip()] for row in rows]
        coloured = [one for row in styles for one in row if one.color or one.bgcolor]
        assert not coloured
        reversed_rows = [at for at, row in enumerate(styles) if any(one.reverse for one in row)]
        (chosen,) = reversed_rows
        assert "1001" in "".join(one.text for one in rows[chosen])
