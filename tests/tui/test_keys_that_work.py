import re

import pytest

from tests.support.pretend import Pretend
from tests.support.screens import dashboard, lines, text
from tests.tui.test_configuration import opened
from tui.screens.bans import BansScreen

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(60)]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def test_open_is_not_named_where_there_is_nothing_to_open() -> None:
    async with dashboard(Pretend()) as operator:
        await operator.press("7")
        await operator.sees("Watchers –", "o order")
        assert "⏎" not in lines(operator.app)[-1]
        for key in ("4", "6"):
            await operator.press(key)
            await operator.sees("⏎ open")


async def test_a_read_only_dashboard_names_no_key_that_edits() -> None:
    async with dashboard(Pretend("attached", read_only=True), read_only=True) as operator:
        screen = await opened(operator, "routing")
        await operator.press("tab")
        await operator.until(lambda: "review" in lines(operator.app)[-1])
        foot = lines(operator.app)[-1]
        assert not [one for one in ("change", "undo", "default", "a add") if one in foot]
        screen.set_focus(screen.table)
        await operator.pilot.pause(0.2)
        foot = lines(operator.app)[-1]
        assert not [one for one in ("⏎", "a add", "x delete", "on/off") if one in foot]
        await operator.press("3")
        await operator.sees("Phones –")
        assert "d remove" not in lines(operator.app)[-1]
        operator.app.open_call("call-1@192.0.2.7")
        await operator.sees("INVITE 1002", "P pcapng")
        assert "end call" not in lines(operator.app)[-1]


async def test_nothing_is_offered_to_be_done_to_no_row() -> None:
    instance = Pretend()
    instance.calls, instance.bans = [], []
    async with dashboard(instance) as operator:
        for key, title, offer in (("4", "Calls – 0", "e end"), ("6", "Bans – 0", "d release")):
            await operator.press(key)
            await operator.sees(title, "c columns")
            assert offer not in lines(operator.app)[-1]
        await operator.press("3")
        await operator.sees("Phones – 3", "d remove")
        await operator.press("slash", *"nonsense", "enter")
        await operator.sees_no_more("d remove")
        await operator.press("escape")
        await operator.sees("d remove")


async def test_keys_that_would_be_typed_are_not_offered() -> None:
    async with dashboard(Pretend()) as operator:
        await opened(operator, "routing")
        await operator.press("tab", "tab", "enter")
        await operator.sees("Row 1", "s take it")
        await operator.press("enter")
        await operator.sees("⏎ take it", "Esc leave as it was", "^s take the row")
        assert " s take it" not in lines(operator.app)[-1]


async def test_a_password_can_be_looked_at_while_it_is_typed() -> None:
    async with dashboard(Pretend()) as operator:
        await opened(operator, "auth")
        await operator.press("tab", "tab", "p")
        await operator.sees("Password of 1001")
        await operator.press("j", "enter")
        await operator.sees("Password of 1001", "^t show")
        await operator.press(*"s3cret")
        assert "s3cret" not in text(operator.app)
        await operator.press("ctrl+t")
        await operator.sees("s3cret", "^t hide")
        await operator.press("ctrl+t")
        await operator.sees_no_more("s3cret")


async def test_lines_are_pushed_no_further_than_they_are_long() -> None:
    async with dashboard(Pretend()) as operator:
        await operator.press("6")
        await operator.sees("Bans –")
        screen = operator.app.screen
        assert isinstance(screen, BansScreen)
        await operator.press(*["l"] * 30)
        assert screen.table.sideways < 16
        await operator.press("h", "h", "h")
        assert screen.table.sideways == 0


async def test_left_and_right_lead_between_the_tabs_and_the_settings() -> None:
    async with dashboard(Pretend()) as operator:
        screen = await opened(operator, "basic")
        assert screen.tabs.has_focus
        await operator.press("l")
        assert screen.form.rows.has_focus
        await operator.press("left")
        assert screen.tabs.has_focus
        await operator.press("right")
        assert screen.form.rows.has_focus


async def test_numbers_stand_only_where_the_order_counts() -> None:
    async with dashboard(Pretend()) as operator:
        await operator.press("3", "c")
        shown = await operator.sees("Columns", "[✓] Contact")
        assert not [row for row in shown.splitlines() if re.search(r"\[✓\].*\d", row)]
        await operator.press("escape")
        await opened(operator, "network")
        await operator.press("tab", "j", "j", "j", "j", "enter")
        shown = await operator.sees("[✓] udp", "[✓] tcp")
        assert re.search(r"\[✓\] udp +1", shown)
