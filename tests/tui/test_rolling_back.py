import pytest

from tests.support.pretend import Pretend, event
from tests.support.screens import dashboard
from tests.tui.test_configuration import opened

pytestmark = [pytest.mark.anyio, pytest.mark.slow, pytest.mark.timeout(60)]

NOT = "NOT rolled back: /etc/centrex/office.toml was edited since where the change is (auth.realm)"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.mark.parametrize("how", ["answer", "event", "status"])
async def test_changes_that_could_not_be_rolled_back_are_told_until_it_is_read(how: str) -> None:
    instance = Pretend()
    instance.answers["config.rollback"] = lambda _: {"rolled_back": False, "why": NOT}
    async with dashboard(instance) as operator:
        operator.app.await_decision("2026-11-26T09:16:02Z", 60)
        await operator.sees("Rolled back by itself")
        if how == "answer":
            await operator.press("R")
        elif how == "event":
            row = event(9, name="config.not-rolled-back", kind="config", fields={"why": NOT})
            await instance.batches.put({"rows": [row]})
        else:
            instance.status.update(confirm_by="", not_rolled_back=NOT)
            operator.app.feed.look()
        shown = await operator.sees("✗ NOT rolled back: ", "K I have read it")
        assert "Rolled back by itself" not in shown
        assert "✓ " not in shown.replace("✓ on", "")
        await operator.press("4")
        await operator.sees("Calls – ", "✗ NOT rolled back")
        await operator.press("2")
        await operator.sees("Description", "✗ NOT rolled back")
        await operator.press("K")
        await operator.sees_no_more("✗ NOT rolled back")
        operator.app.feed.look()
        await operator.press("4")
        assert "✗ NOT rolled back" not in await operator.sees("Calls – ")


async def test_what_is_so_no_more_is_told_no_more() -> None:
    instance = Pretend()
    instance.status.update(not_rolled_back=NOT)
    async with dashboard(instance) as operator:
        await operator.sees("✗ NOT rolled back")
        operator.app.feed.look()
        await operator.press("4")
        await operator.sees("Calls – ", "✗ NOT rolled back")
        instance.status.update(not_rolled_back="")  # somebody has reloaded
        operator.app.feed.look()
        await operator.sees_no_more("✗ NOT rolled back")
        await operator.press("1")
        assert "✗ NOT rolled back" not in await operator.sees("Settings")


async def test_what_was_rolled_back_is_told_in_the_instances_own_words() -> None:
    instance = Pretend()
    why = "a change was rolled back on request; it is kept in office.toml.rolled-back"
    instance.answers["config.rollback"] = lambda _: {"rolled_back": True, "why": why}
    async with dashboard(instance) as operator:
        operator.app.await_decision("2026-11-26T09:16:02Z", 60)
        await operator.sees("Rolled back by itself")
        await operator.press("R")
        await operator.sees("✓ rolled back: a change was", "office.toml.rolled-back")


async def test_changes_whose_end_is_not_heard_of_are_not_called_rolled_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("tui.app._PATIENCE_S", -100)
    async with dashboard(Pretend()) as operator:
        operator.app.await_decision("2026-11-26T09:16:02Z", 60)
        operator.app.feed.look()
        await operator.sees("✗ the time is over")


async def test_where_nothing_was_to_be_changed_nothing_waits_to_be_kept() -> None:
    instance = Pretend()
    async with dashboard(instance) as operator:
        await opened(operator, "basic")
        await operator.press("tab", "j", "enter", "v")
        await operator.sees("In the file")
        await operator.press("c")
        await operator.sees("✓ applied")
        assert instance.commands("config.apply")[0][1]["confirm_s"] == 60
        assert operator.app.waiting is None
        assert "Rolled back by itself" not in await operator.sees("Description")
