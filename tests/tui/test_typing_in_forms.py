import pytest
from textual import events

from tests.support.pretend import Pretend
from tests.support.screens import Operator, dashboard, lines
from tests.tui.test_configuration import opened, wishes
from tests.tui.test_editing_lists import field
from tests.tui.test_scrolling import turn
from tui.screens.config import ConfigScreen
from tui.screens.item import ItemScreen
from tui.widgets.fields import Form

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(60)]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def _typing_a_port(operator: Operator, text: str) -> ConfigScreen:
    screen = await opened(operator, "network")
    await operator.press("tab", "j", "j", "j", "enter", text)
    return screen


async def test_tab_takes_what_is_typed() -> None:
    instance = Pretend()
    async with dashboard(instance) as operator:
        await _typing_a_port(operator, "5070")
        await operator.press("tab")
        await operator.sees("● Server port", "5070")
        assert wishes(instance, "config.preview")[0]["value"] == 5070


async def test_a_click_takes_what_is_typed() -> None:
    instance = Pretend()
    async with dashboard(instance) as operator:
        screen = await _typing_a_port(operator, "5070")
        await operator.pilot.click(screen.tabs, offset=(3, 0))
        await operator.until(lambda: bool(instance.commands("config.preview")))
        assert wishes(instance, "config.preview")[0]["value"] == 5070
        assert screen.dialog.name == "basic"


async def test_what_cannot_be_stays_open_with_its_error() -> None:
    instance = Pretend()
    async with dashboard(instance) as operator:
        screen = await _typing_a_port(operator, "99999")
        await operator.press("tab")
        await operator.sees("must be between 0 and 65535", "99999")
        await operator.pilot.click(screen.tabs, offset=(3, 0))
        await operator.sees("must be between 0 and 65535", "99999")
        assert screen.dialog.name == "network"
        assert screen.query_one(Form).field.has_focus
        await operator.press("escape")
        await operator.sees_no_more("must be between")
        assert not instance.commands("config.preview")


async def test_the_foot_names_the_keys_that_end_typing() -> None:
    async with dashboard(Pretend()) as operator:
        await _typing_a_port(operator, "5070")
        await operator.until(lambda: "⏎ take it" in lines(operator.app)[-1])
        assert "Esc leave as it was" in lines(operator.app)[-1]


async def test_a_row_that_was_filled_in_is_not_left_without_asking() -> None:
    async with dashboard(Pretend()) as operator:
        await opened(operator, "routing")
        await operator.press("tab", "a", "escape", "escape")
        await operator.until(lambda: not isinstance(operator.app.screen, ItemScreen))
        await operator.press("a", "300", "enter", "escape")
        await operator.sees("Leave this row?")
        await operator.press("n")
        await operator.sees("300")
        await operator.press("escape", "y")
        await operator.until(lambda: isinstance(operator.app.screen, ConfigScreen))


async def test_a_row_is_taken_with_what_is_being_typed() -> None:
    async with dashboard(Pretend()) as operator:
        screen = await opened(operator, "routing")
        await operator.press("tab", "a", "300", "ctrl+s")
        await operator.until(lambda: operator.app.screen is screen)
        assert screen.draft.rows("routing.plans")[-1]["name"] == "300"


@pytest.mark.parametrize("burst", [["ctrl+u", "2", "5"], ["end", *["backspace"] * 4, "2", "5"]])
async def test_keys_that_come_all_at_once_are_all_taken(burst: list[str]) -> None:
    """A slow line gathers them; the terminal's reader passes them on in one go."""
    instance = Pretend()
    async with dashboard(instance) as operator:
        screen = await opened(operator, "network")
        await operator.press("tab", "j", "j", "j", "enter")
        for key in (*burst, "enter"):
            operator.app.post_message(events.Key(key, key if len(key) == 1 else None))
        await operator.until(lambda: bool(instance.commands("config.preview")))
        assert wishes(instance, "config.preview")[0]["value"] == 25
        assert not screen.query_one(Form).typing


async def test_a_row_is_judged_at_the_field_while_it_is_typed() -> None:
    instance = Pretend()
    async with dashboard(instance) as operator:
        await opened(operator, "directory")
        await operator.press("tab", "tab", "a", "ada", "enter")
        await field(operator, "contact")
        await operator.press("enter", "ada@example.com")
        await operator.sees("✗ has not the right form")
        await operator.press("enter")
        await operator.sees("✗ has not the right form")
        await operator.press("home", "sip:", "enter")
        await operator.sees_no_more("✗")
        await operator.press("s")
        await operator.until(lambda: bool(instance.commands("config.preview")))


async def test_what_is_wrong_with_a_row_as_a_whole_is_told_in_its_form() -> None:
    instance = Pretend()
    async with dashboard(instance) as operator:
        await opened(operator, "routing")
        await operator.press("tab", "tab", "a", "300", "enter")
        await field(operator, "pattern")
        await operator.press("enter", "(", "enter")
        await operator.sees("✗ is no pattern of RE2")
        await operator.press("end", "backspace", "9.", "enter", "s")
        await operator.sees("✗ needs either a name or a pattern, and not both")
        assert not instance.commands("config.preview")


async def test_the_field_stays_upon_its_setting_whatever_moves() -> None:
    instance = Pretend()
    async with dashboard(instance) as operator:
        screen = await opened(operator, "events")
        await operator.press("tab", *["j"] * 12, "enter", "/var/log/x")
        await operator.sees("Event file               /var/log/x")
        await operator.pilot.resize_terminal(100, 15)
        await operator.sees("Event file               /var/log/x")
        await operator.press("y")
        await operator.sees("Event file               /var/log/xy")
        rows = screen.form.rows
        await turn(operator, rows, events.MouseScrollUp, 3)
        await operator.pilot.resize_terminal(80, 24)
        await operator.sees("Event file               /var/log/xy")
        await operator.press("enter")
        await operator.sees("● Event file               /var/log/xy")
        assert rows.chosen is not None
        assert rows.chosen["key"] == "events.file"
