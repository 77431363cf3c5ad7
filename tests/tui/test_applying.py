import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from centrex import api
from tests.support.pretend import Pretend
from tests.support.screens import Operator, dashboard
from tests.tui.test_configuration import opened, wishes
from tui.screens.config import ConfigScreen
from tui.screens.item import ItemScreen

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(60)]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def _file_now_has(instance: Pretend, params: dict[str, Any]) -> dict[str, Any]:
    """Write the changes, as far as these tests make any, as an instance does."""
    values = instance.opened["values"]
    for change in params["changes"]:
        if change["op"] == "set":
            table, key = change["key"].split(".")
            values[table][key] = change["value"]
        elif change["op"] == "delete":
            table, key = change["list"].split(".")
            del values[table][key][change["index"]]
    instance.opened["fingerprint"] = "f2"
    return {**instance.applied, "fingerprint": "f2"}


@asynccontextmanager
async def _applying(
    instance: Pretend, tab: str, *edit: str
) -> AsyncIterator[tuple[Operator, ConfigScreen]]:
    """An edit that is being applied, and is once `config.apply` need not wait any more."""
    instance.answers["config.apply"] = lambda params: _file_now_has(instance, params)
    instance.waits["config.apply"] = asyncio.Event()
    async with dashboard(instance) as operator:
        screen = await opened(operator, tab)
        await operator.press(*edit, "v")
        await operator.sees("In the file")
        await operator.press("a")
        await operator.until(lambda: bool(instance.commands("config.apply")))
        yield operator, screen


async def test_what_is_edited_while_edits_are_applied_stays_and_is_applied_next() -> None:
    instance = Pretend()
    async with _applying(instance, "basic", "tab", "j", "enter") as (operator, screen):
        await operator.press("j", "enter")
        await operator.sees("being applied")
        assert [one["key"] for one in screen.draft.changes()] == ["basic.confirm_exit"]
        instance.waits["config.apply"].set()
        await operator.sees("✓ applied", "● ")
        await operator.sees_no_more("being applied")
        assert [one["key"] for one in screen.draft.changes()] == ["basic.confirm_exit"]
        assert screen.draft.value("basic.start_engine") is False
        assert not screen.draft.is_changed("basic.start_engine")
        await operator.press("v")
        await operator.sees("In the file")
        await operator.press("a")
        await operator.until(lambda: len(instance.commands("config.apply")) == 2)
        assert instance.commands("config.apply")[-1][1]["fingerprint"] == "f2"
        assert [one["key"] for one in wishes(instance)] == ["basic.confirm_exit"]


async def test_what_is_put_back_while_it_is_applied_is_an_edit_of_its_own() -> None:
    instance = Pretend()
    async with _applying(instance, "basic", "tab", "j", "enter") as (operator, screen):
        await operator.press("enter")
        instance.waits["config.apply"].set()
        await operator.sees("✓ applied", "● ")
        assert screen.draft.changes() == [{"op": "set", "key": "basic.start_engine", "value": True}]


async def test_rows_edited_while_a_row_goes_are_the_right_ones() -> None:
    instance = Pretend()
    async with _applying(instance, "routing", "tab", "tab", "x", "y") as (operator, screen):
        await operator.press("j", "space")  # the plan 200, the second now, was switched off
        instance.waits["config.apply"].set()
        await operator.sees("✓ applied")
        await operator.until(lambda: len(screen.draft.saved_rows("routing.plans")) == 2)
        assert screen.draft.changes() == [
            {"op": "update", "list": "routing.plans", "index": 1, "value": {"enabled": True}}
        ]


async def test_edits_that_are_refused_come_back_beside_those_made_meanwhile() -> None:
    instance = Pretend()
    async with _applying(instance, "basic", "tab", "j", "enter") as (operator, screen):

        def refuse(params: dict[str, Any]) -> dict[str, Any]:
            raise api.Refused("refused", "a change waits to be confirmed", {})

        instance.answers["config.apply"] = refuse
        await operator.press("j", "enter")
        instance.waits["config.apply"].set()
        await operator.sees("✗ a change waits")
        keys = {one["key"] for one in screen.draft.changes()}
        assert keys == {"basic.start_engine", "basic.confirm_exit"}
        assert screen.going is None


async def test_nothing_is_reviewed_while_edits_are_applied() -> None:
    """The passwords that come with the answer would be lost."""
    instance = Pretend()
    instance.applied["passwords"] = {"1001": "Kx7-made-up"}
    async with _applying(instance, "auth", "tab", "tab", "p", "enter") as (operator, screen):
        await operator.press("space", "v")
        await operator.sees("✗ the edits before are still")
        instance.waits["config.apply"].set()
        await operator.sees("Kx7-made-up")
        await operator.press("enter")
        assert [one["op"] for one in screen.draft.changes()] == ["update"]


async def test_leaving_while_edits_are_applied_asks() -> None:
    instance = Pretend()
    async with _applying(instance, "basic", "tab", "j", "enter") as (operator, _):
        await operator.press("q")
        await operator.sees("Leave without them?")


async def test_nothing_is_applied_that_was_not_reviewed() -> None:
    instance = Pretend()
    instance.waits["config.preview"] = asyncio.Event()
    async with dashboard(instance) as operator:
        screen = await opened(operator, "basic")
        await operator.press("tab", "j", "enter", "v")
        screen.draft.set("basic.confirm_exit", False)  # after the question, before the answer
        instance.waits["config.preview"].set()
        await operator.sees("In the file")
        await operator.press("a")
        await operator.sees("something was edited meanwhile")
        assert not instance.commands("config.apply")
        await operator.sees("In the file")
        await operator.press("a")
        await operator.until(lambda: bool(instance.commands("config.apply")))
        assert len(wishes(instance)) == 2


async def test_the_file_is_read_again_only_where_it_is_another_one() -> None:
    instance = Pretend()
    async with dashboard(instance) as operator:
        screen = await opened(operator, "basic")
        told = instance.opened
        told["seen"] = "f1.1"
        instance.answers["config.open"] = lambda params: (
            {"same": True, "seen": told["seen"]} if params.get("unless") == told["seen"] else told
        )
        before = len(instance.commands("config.open"))
        operator.app.feed.look()
        await operator.until(lambda: len(instance.commands("config.open")) > before)
        await operator.sees("Description")
        assert screen.draft.value("network.domain") == "example.com"
        told["values"]["network"]["domain"], told["fingerprint"] = "example.org", "f2"
        told["seen"] = "f2.1"
        operator.app.feed.look()
        await operator.until(lambda: screen.draft.value("network.domain") == "example.org")


async def test_the_file_as_it_is_after_applying_is_what_it_is_compared_with_later() -> None:
    instance = Pretend()
    told = instance.opened
    told["seen"] = "f1.1"
    instance.answers["config.open"] = lambda params: (
        {"same": True, "seen": told["seen"]} if params.get("unless") == told["seen"] else told
    )
    async with _applying(instance, "basic", "tab", "j", "enter") as (operator, screen):
        told["seen"] = "f2.2"
        instance.waits["config.apply"].set()
        await operator.until(lambda: screen.draft.fingerprint == "f2")
        told["values"]["basic"]["start_engine"] = True  # somebody puts the file back as it was
        told["fingerprint"], told["seen"] = "f1", "f1.1"
        operator.app.feed.look()
        await operator.until(lambda: screen.draft.fingerprint == "f1")
        assert screen.draft.value("basic.start_engine") is True


async def test_what_could_not_be_read_while_the_engine_started_is_read_then() -> None:
    instance = Pretend()
    ready = instance.answers["config.describe"]

    def starting(_: object) -> dict[str, Any]:
        raise api.Unavailable("it is starting")

    instance.answers["config.describe"] = starting
    async with dashboard(instance) as operator:
        await operator.press("2")
        await operator.sees("✗ it is starting")
        instance.answers["config.describe"] = ready
        operator.app.feed.look()
        await operator.sees("Description")
        await operator.sees_no_more("it is starting")


@pytest.mark.parametrize("asked", ["x", "e", "c"])
async def test_the_file_is_not_read_anew_behind_a_question(asked: str) -> None:
    instance = Pretend()
    async with dashboard(instance) as operator:
        screen = await opened(operator, "routing")
        await operator.press("tab", "tab", "j", asked)  # the plan with the pattern
        await operator.until(lambda: operator.app.screen is not screen)
        plans = instance.opened["values"]["routing"]["plans"]
        plans.insert(0, {**plans[0], "name": "50"})
        instance.opened["fingerprint"] = "f2"
        looked = len(instance.commands("status"))
        operator.app.feed.look()
        await operator.until(lambda: len(instance.commands("status")) > looked)
        await operator.pilot.pause(0.2)
        assert screen.draft.fingerprint == "f1"
        await operator.press(
            *{"x": ("y",), "e": ("G", "enter", "other", "enter", "s"), "c": ("escape", "s")}[asked]
        )
        await operator.until(lambda: operator.app.screen is screen)
        (change,) = screen.draft.changes()
        assert change.get("index", change.get("at", 0)) == {"x": 1, "e": 1, "c": 2}[asked]
        assert screen.draft.fingerprint == "f1"  # which the instance will not take for its own


async def test_a_row_that_is_another_one_meanwhile_is_left_alone() -> None:
    instance = Pretend()
    async with dashboard(instance) as operator:
        screen = await opened(operator, "routing")
        await operator.press("tab", "tab", "G", "e")
        await operator.until(lambda: isinstance(operator.app.screen, ItemScreen))
        screen.draft.delete("routing.plans", 0)
        await operator.press("s")
        await operator.sees("the list was changed meanwhile")
        assert [one["op"] for one in screen.draft.changes()] == ["delete"]
