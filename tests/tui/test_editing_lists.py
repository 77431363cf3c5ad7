from typing import Any

import pytest

from tests.support.pretend import Pretend
from tests.support.screens import Operator, dashboard
from tests.tui.test_configuration import opened, wishes
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
        await operator.sees("1002 (15 s) rings 15 s", "300 (expand) goes by the plan of 300")
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
