import json
import time
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from centrex.base import Refused
from centrex.events import Event, Kind, Severity
from centrex.events.render import as_text
from centrex.runtime import recent as module
from centrex.runtime.bus import Bus
from centrex.runtime.envelope import LINE_LIMIT
from centrex.runtime.recent import REMEMBERED, Recent


class World:
    def __init__(self) -> None:
        self.bus = Bus()
        self.heeded = 0
        self.recent = Recent(self.bus, domain=lambda: "voip.test", changed=self._heed)

    def _heed(self) -> None:
        self.heeded += 1

    def happen(
        self,
        name: str = "call.ended",
        kind: Kind = Kind.CALLS,
        severity: Severity = Severity.INFO,
        call_id: bytes = b"c@x",
        **fields: Any,
    ) -> Event:
        event = Event(kind, severity, name, fields, call_id)
        self.bus.publish(event)
        return event

    async def names(self, **params: Any) -> list[str]:
        return [row["name"] for row in (await self.recent.rows(params))["rows"]]


@pytest.fixture
def world() -> World:
    return World()


async def test_a_row_is_plain_and_says_what_the_log_says(world: World) -> None:
    fields: dict[str, Any] = {
        "src": "192.0.2.7:5060",
        "user": b"1001",
        "contact": b"sip:\xff\x1b[2J",
    }
    event = world.happen("registration.added", Kind.REGISTRATIONS, **fields)
    (row,) = (await world.recent.rows({}))["rows"]
    assert (row["kind"], row["severity"], row["call_id"]) == ("registrations", "info", "c@x")
    assert row["aor"] == "sip:1001@voip.test"
    world.happen("registration.added", Kind.REGISTRATIONS, user=b"a@b")
    assert (await world.recent.rows({}))["rows"][-1]["aor"] == "sip:a%40b@voip.test"
    assert row["fields"]["contact"] == "sip:\\xff\x1b[2J"
    assert len(row["at"]) == len("2026-11-22T17:34:23.123Z")
    line = as_text(event, world.recent._memory.newest(2)[0][0])
    assert line == f"{row['at']} info  registrations {row['text']}"
    json.dumps(row, allow_nan=False)


async def test_the_latest_are_remembered_oldest_first_and_may_be_read_again(world: World) -> None:
    for number in range(REMEMBERED + 10):
        world.happen(f"e{number}")
    assert await world.names(limit=2) == [f"e{REMEMBERED + 8}", f"e{REMEMBERED + 9}"]
    assert await world.names(limit=2) == [f"e{REMEMBERED + 8}", f"e{REMEMBERED + 9}"]
    everything = await world.names()
    assert (everything[-1], len(everything)) == (f"e{REMEMBERED + 9}", len(set(everything)))


async def test_kinds_are_picked_before_they_are_counted(world: World) -> None:
    for number in range(5):
        world.happen(f"c{number}")
        world.happen(f"g{number}", Kind.GUARD)
    assert await world.names(kinds=["calls"], limit=2) == ["c3", "c4"]
    assert await world.names(kinds=[]) == []


async def test_as_many_as_fit_into_an_answer(world: World) -> None:
    for number in range(REMEMBERED):
        world.happen(f"e{number}", text=b"\xff\x01" * 500)
    result = await world.recent.rows({})
    assert result["rows"][-1]["name"] == f"e{REMEMBERED - 1}"
    assert 0 < len(json.dumps(result)) < LINE_LIMIT


@pytest.mark.parametrize(
    "params",
    [
        {"kinds": "calls"},
        {"kinds": [3]},
        {"kinds": ["call"]},
        {"limit": -1},
        {"limit": True},
        {"limit": "5"},
    ],
)
async def test_what_is_not_understood_is_refused(world: World, params: dict[str, Any]) -> None:
    with pytest.raises(Refused):
        await world.recent.rows(params)
    with pytest.raises(Refused):
        world.recent.stream({**params, "recent": params.get("limit", 0)})


@pytest.mark.parametrize("level", ["loud", 3, ""])
async def test_a_level_that_is_none_is_refused(world: World, level: Any) -> None:
    with pytest.raises(Refused, match="level is one of"):
        world.recent.stream({"level": level})


async def test_a_stream_begins_with_what_was_asked_for_and_goes_on(world: World) -> None:
    for number in range(5):
        world.happen(f"e{number}")
    async with aclosing(world.recent.stream({"recent": 2})) as batches:
        first = await anext(batches)
        assert [row["name"] for row in first["rows"]] == ["e3", "e4"]
        assert first["lost"] == 0
        assert world.heeded == 1
        world.happen("e5")
        assert [row["name"] for row in (await anext(batches))["rows"]] == ["e5"]
    assert world.heeded == 2
    assert len(world.bus._subscriptions) == 1


async def test_there_are_at_most_four_batches_in_a_second(world: World) -> None:
    batches = 0

    async def read(stream: AsyncIterator[dict[str, Any]]) -> None:
        nonlocal batches
        async for _ in stream:
            batches += 1

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(read, world.recent.stream({"recent": 1}))
        began = time.monotonic()
        with anyio.move_on_after(0.6):
            while True:
                world.happen("e")
                await anyio.sleep(0.005)
        took_s = time.monotonic() - began
        tasks.cancel_scope.cancel()
    assert 1 <= batches <= 2 + 4 * took_s, "the first comes at once"


async def test_a_slow_reader_loses_the_oldest_and_is_told(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "REMEMBERED", 10)
    async with aclosing(world.recent.stream({})) as batches:

        async def happen() -> None:
            while world.heeded == 0:
                await anyio.lowlevel.checkpoint()
            for number in range(25):
                world.happen(f"e{number}")

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(happen)
            batch = await anext(batches)
        assert batch["lost"] == 15
        assert [row["name"] for row in batch["rows"]] == [f"e{n}" for n in range(15, 25)]


async def test_details_reach_only_who_asks_for_them(world: World) -> None:
    assert world.bus.details == frozenset()
    async with aclosing(world.recent.stream({"level": "debug", "kinds": ["calls"]})) as batches:
        async with anyio.create_task_group() as tasks:

            async def happen() -> None:
                while not world.heeded:
                    await anyio.lowlevel.checkpoint()
                assert world.bus.details == {Kind.CALLS}
                world.happen("call.started", severity=Severity.DEBUG)

            tasks.start_soon(happen)
            batch = await anext(batches)
        assert batch["rows"][0]["severity"] == "debug"
    assert await world.names() == []


async def test_refused_registrations_are_given_by_name_without_every_renewal(world: World) -> None:
    wanted = {"closely": ["calls", "registration.refused"]}
    async with aclosing(world.recent.stream(wanted)) as batches:
        async with anyio.create_task_group() as tasks:

            async def happen() -> None:
                while not world.heeded:
                    await anyio.lowlevel.checkpoint()
                assert world.bus.details == {Kind.CALLS, Kind.REGISTRATIONS}
                for name in ("registration.refreshed", "registration.refused"):
                    world.happen(name, kind=Kind.REGISTRATIONS, severity=Severity.DEBUG)
                world.happen("call.refused", severity=Severity.DEBUG)

            tasks.start_soon(happen)
            batch = await anext(batches)
        assert [row["name"] for row in batch["rows"]] == ["registration.refused", "call.refused"]
    with pytest.raises(Refused, match="there is no kind"):
        world.recent.stream({"closely": ["registration.added"]})
