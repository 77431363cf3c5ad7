"""What is out of sight is told, reached by the wheel, and costs nothing while a question stands before it."""

from typing import Any

import pytest
from textual import events
from textual.widget import Widget

from tests.support.pretend import Pretend, event
from tests.support.screens import Operator, dashboard, lines
from tui.screens.questions import Lines
from tui.widgets.activity_log import ActivityLog
from tui.widgets.table import Table

pytestmark = [pytest.mark.anyio, pytest.mark.slow, pytest.mark.timeout(60)]


def with_plans(count: int) -> Pretend:
    """An instance with so many plans."""
    instance = Pretend()
    plans = instance.opened["values"]["routing"]["plans"]
    plans[:] = [{**plans[0], "name": f"n{number:02}"} for number in range(count)]
    return instance


def happens(instance: Pretend, *numbers: int) -> None:
    rows = [event(number, text=f"event.{number} ") for number in numbers]
    instance.batches.put_nowait({"rows": rows, "lost": 0})


async def turn(
    operator: Operator, widget: Widget, kind: type[events.MouseEvent], times: int
) -> None:
    """Turn the wheel over a widget."""
    region = widget.region
    for _ in range(times):
        x, y = region.x + 2, region.y + 1
        operator.app.post_message(
            kind(None, x, y, 0, 0, 0, shift=False, meta=False, ctrl=False, screen_x=x, screen_y=y)
        )
        await operator.pilot.pause()


async def plans_of(operator: Operator) -> Table:
    """Open the tab of the plans; return their list."""
    await operator.press("2")
    await operator.sees("Description")
    operator.app.obey("config routing")
    await operator.sees("n00")
    return operator.app.screen.query_one(Table)


async def test_the_wheel_turns_pages_to_read() -> None:
    async with dashboard(Pretend()) as operator:
        await operator.press("question_mark")
        page = operator.app.screen.query_one(Lines)
        await operator.sees("▼")
        await turn(operator, page, events.MouseScrollDown, 2)
        assert page.top == 6
        await operator.sees("▲")
        await turn(operator, page, events.MouseScrollUp, 3)
        assert page.top == 0


async def test_the_wheel_moves_along_lists_and_the_log() -> None:
    instance = with_plans(40)
    async with dashboard(instance) as operator:
        log = operator.app.screen.query_one(ActivityLog)
        happens(instance, *range(60))
        await operator.sees("event.59")
        await turn(operator, log, events.MouseScrollUp, 20)
        assert not log.following
        assert log.cursor < 5
        await operator.sees("▼")
        table = await plans_of(operator)
        await turn(operator, table, events.MouseScrollDown, 12)
        assert table.cursor == 36
        await operator.sees("n36", "▲")


async def test_the_chosen_line_stays_in_sight_when_there_is_less_room() -> None:
    async with dashboard(with_plans(20), size=(80, 40)) as operator:
        (await plans_of(operator)).focus()
        await operator.press("G")
        await operator.sees("n19")
        await operator.pilot.resize_terminal(80, 24)
        await operator.sees("n19")


async def test_nothing_is_drawn_behind_a_question(monkeypatch: pytest.MonkeyPatch) -> None:
    instance = Pretend()
    async with dashboard(instance) as operator:
        await operator.press("question_mark")
        await operator.sees("Esc")
        drawn: list[Any] = []
        monkeypatch.setattr(operator.app, "_display", lambda *what: drawn.append(what))
        for number in range(8):
            happens(instance, number)
            await operator.pilot.pause(0.1)
        assert len(drawn) <= 2
        monkeypatch.undo()
        await operator.press("escape")
        await operator.sees("event.7")
        assert not [line for line in lines(operator.app) if "Esc" in line]
