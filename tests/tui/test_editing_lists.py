from typing import Any

import pytest

from tests.support.pretend import Pretend
from tests.support.screens import Operator, dashboard, lines
from tests.tui.test_configuration import opened, wishes
from tui.draft import CREDENTIALS, Draft
from tui.screens.item import ItemScreen
from tui.widgets.fields import FieldRows

pytestmark = [pytest.mark.anyio, pytest.mark.slow, pytest.mark.timeout(60)]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def plans(instance: Pretend) -> list[dict[str, Any]]:
    """Return the plans there are, with every key a row has."""
    rows: list[dict[str, Any]] = instance.opened["values"]["routing"]["plans"]
    for row in rows:
        row.setdefault("times", [])
        row.setdefault("strangers", False)
    return rows


async def field(operator: Operator, key: str) -> None:
    """Put the cursor of the row's form on a key."""
    screen = operator.app.screen
    assert isinstance(screen, ItemScreen)
    screen.query_one(FieldRows).choose(key)
    await operator.pilot.pause()


async def test_times_with_commas_stay_what_was_typed() -> None:
    instance = Pretend()
    plans(instance)
    async with dashboard(instance, size=(200, 60)) as operator:
        await opened(operator, "routing")
        await operator.press("tab", "tab", "g", "enter")
        await operator.sees("Row 1")
        await field(operator, "times")
        await operator.sees("Put ; between several")
        await operator.press("enter", "mon,wed 08:00-12:00; sat", "enter", "s")
        await operator.until(lambda: bool(instance.commands("config.preview")))
        update = wishes(instance, "config.preview")[0]
        assert update["value"] == {"times": ["mon,wed 08:00-12:00", "sat"]}
        await operator.sees("mon,wed 08:00-12:00; sat")


async def test_destinations_keep_how_they_ring_and_expand() -> None:
    instance = Pretend()
    steps: list[Any] = [{"to": "zz9", "ring": 5, "expand": True}, {"to": "1002", "expand": True}]
    plans(instance)[0]["destinations"] = [*steps, "1001"]
    async with dashboard(instance, size=(200, 60)) as operator:
        await opened(operator, "routing")
        await operator.sees("zz9 (5 s, expand), 1002 (expand), 1001")
        await operator.press("tab", "tab", "g", "enter")
        await operator.sees("Row 1")
        await field(operator, "destinations")
        await operator.sees("1002 (15 s) rings 15 s", "300 (expand) takes its plan")
        await operator.press("enter", "enter", "s")
        await operator.until(lambda: not isinstance(operator.app.screen, ItemScreen))
        assert not instance.commands("config.preview"), "nothing was changed"
        await operator.press("enter")
        await operator.sees("Row 1")
        await field(operator, "destinations")
        await operator.press("enter", "end", ', { to = "sales", ring = 9 }', "enter", "s")
        await operator.until(lambda: bool(instance.commands("config.preview")))
        value = wishes(instance, "config.preview")[0]["value"]
        assert value == {"destinations": [*steps, "1001", {"to": "sales", "ring": 9}]}


async def test_a_renamed_login_gets_a_password_of_its_own() -> None:
    instance = Pretend()
    async with dashboard(instance) as operator:
        screen = await opened(operator, "auth")
        await operator.press("tab", "tab", "j", "enter")
        await operator.sees("Row 2")
        await operator.press("enter", "1009", "enter", "s")
        await operator.sees("Password of 1009: that of 1002 does not fit it")
        await operator.press("escape")
        await operator.until(lambda: operator.app.screen is screen)
        assert not len(screen.draft), "a login without a password is not taken over"
        await operator.press("enter", "enter", "1009", "enter", "s")
        await operator.sees("Password of 1009")
        await operator.press("enter")
        await operator.until(lambda: len(screen.draft) == 2)
        update, password = screen.draft.changes()
        assert update["value"] == {"login": "1009"}
        assert (password["op"], password["login"]) == ("password", "1009")
        await operator.press("u")
        assert not len(screen.draft)


async def test_a_login_that_exists_is_objected_to_where_it_is_typed() -> None:
    async with dashboard(Pretend()) as operator:
        await opened(operator, "auth")
        await operator.press("tab", "tab", "c", "1002", "enter", "s")
        await operator.sees("A row like that one", "there is a login 1002 already")
        await operator.press("enter", "1003", "enter", "s")
        await operator.sees("Password of 1003")


def test_a_new_login_that_is_renamed_keeps_no_password_of_its_first_name() -> None:
    draft = Draft({"values": {"auth": {"credentials": []}}})
    draft.add(CREDENTIALS, {"login": "1003"})
    draft.password("1003", None)
    draft.update(CREDENTIALS, 0, {"login": "1004"})
    draft.password("1004", None)
    assert [one.get("login") for one in draft.changes() if one["op"] == "password"] == ["1004"]


async def test_a_list_goes_back_to_the_order_of_the_file() -> None:
    instance = Pretend()
    rows = [{"name": name, "enabled": True, "note": ""} for name in ("c", "a", "b")]
    instance.opened["values"]["directory"]["entries"] = rows
    async with dashboard(instance) as operator:
        screen = await opened(operator, "directory")

        def names() -> list[str]:
            return [row["name"] for row in screen.table.shown]

        screen.table.focus()
        await operator.press("o")
        assert names() == ["a", "b", "c"]
        await operator.sees("sorted: not the file's order")
        await operator.press("g", "J")
        await operator.sees("file: o goes on to the file's order")
        assert not len(screen.draft)
        presses = 0
        while screen.table.sorted_by:
            before = screen.table.sorted_by
            await operator.press("o")
            assert screen.table.sorted_by != before
            presses += 1
        assert presses == len(screen.table._widths), "no press for a column that is not seen"
        assert names() == ["c", "a", "b"]
        await operator.sees_no_more("not the file's order")
        await operator.press("o", "O")
        await opened(operator, "routing")
        assert not screen.table.sorted_by, "each list begins with its own order"


async def test_no_row_is_moved_past_others_that_the_filter_hides() -> None:
    instance = Pretend()
    async with dashboard(instance) as operator:
        screen = await opened(operator, "routing")
        screen.table.focus()
        await operator.press("slash", "Outside", "enter")
        await operator.sees("1 pass")
        await operator.press("K")
        await operator.sees("Esc clears the filter")
        assert not len(screen.draft)


async def test_the_chosen_row_stays_in_sight_when_the_reminder_comes() -> None:
    instance = Pretend()
    logins = instance.opened["values"]["auth"]["credentials"]
    logins.append({**logins[0], "login": "1003"})
    async with dashboard(instance) as operator:
        screen = await opened(operator, "auth")
        screen.table.focus()
        await operator.press("G")
        await operator.sees("›1003")
        operator.app.await_decision("2026-11-26T09:16:02Z", 60)
        await operator.sees("Rolled back by itself", "›1003")
        await operator.press("g")
        await operator.sees("›1001")


async def test_a_row_that_is_wrong_is_marked_in_the_list() -> None:
    instance = Pretend()
    instance.preview["problems"] = [
        {"key": "routing.plans[1].times", "message": "cannot be understood", "nearest": ""}
    ]
    async with dashboard(instance) as operator:
        screen = await opened(operator, "routing")
        screen.table.focus()
        await operator.press("g", "space")
        await operator.sees("✗ wrong")
        marks = [row.get("_mark") for row in screen.table.shown]
        assert marks == ["changed", "wrong", None]
        await operator.press("v")
        shown = await operator.sees("Nothing can be applied", "Esc back")
        assert "c apply and confirm" not in shown


async def test_the_filter_counts_rows_and_marks_their_tabs() -> None:
    async with dashboard(Pretend()) as operator:
        await opened(operator, "directory")
        await operator.press("slash", "Outside", "enter")
        await operator.sees("0 of 2 settings and rows pass /Outside", "Call Routing             /")


async def test_the_foot_of_a_row_names_keys_that_work_while_it_is_typed() -> None:
    async with dashboard(Pretend()) as operator:
        await opened(operator, "routing")
        await operator.press("tab", "tab", "g", "enter")
        await operator.until(lambda: "s take it" in lines(operator.app)[-1])
        assert "^s" not in lines(operator.app)[-1]
        await operator.press("enter")
        await operator.until(lambda: "^s take the row" in lines(operator.app)[-1])
        assert " s take it" not in lines(operator.app)[-1]
        await operator.press("ctrl+s")
        await operator.until(lambda: not isinstance(operator.app.screen, ItemScreen))


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
