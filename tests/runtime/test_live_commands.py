import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from centrex.runtime.live_commands import LiveCommands
from tests.support.engine import Instance, Phone, instance

pytestmark = pytest.mark.wire


@pytest.fixture
async def made(tmp_path: Path) -> AsyncIterator[Instance]:
    async with instance(tmp_path) as one:
        yield one


async def test_a_snapshot_tells_the_figures_of_now(made: Instance) -> None:
    with Phone((made.host, made.port)) as phone:
        async with made.running() as engine:
            await phone.register()
            engine.statistics.drop("too-large")
            engine.streams.drops["queue-full"] = 2
            engine.statistics.media_amiss("media-deadlock")
            now = time.monotonic()
            engine.guard.restore([("203.0.113.9", "guessing", now + 60)], now)
            shot = await made.ask("snapshot")
            full = await made.ask("statistics")
    assert shot["state"] == "running"
    assert shot["registrations"] == {"users": 1, "bindings": 1, "peak": 1, "total": 1}
    assert shot["calls"] == {"now": 0, "peak": 0, "total": 0, "failed": 0}
    assert set(shot["rates"]) == {
        "calls_per_s",
        "registers_per_s",
        "messages_in_per_s",
        "messages_out_per_s",
        "calls_per_min",
        "registers_per_min",
    }
    assert shot["rates"]["registers_per_min"] == 1
    assert shot["messages"] == full["messages"] == {"in": 1, "out": 1}
    assert shot["drops"] == full["drops"]
    assert shot["media_amiss"] == full["media_amiss"] == {"media-deadlock": 1}
    assert shot["drops"].items() >= {"too-large": 1, "queue-full": 2}.items()
    assert shot["relays"] == {"available": 0, "known": 0, "sessions": 0, "packets_per_s": 0}
    assert (shot["bans"], shot["subscriptions"], shot["refused_challenges"]) == (1, 0, 0)
    assert (shot["at"][-1], 0 < shot["uptime_s"] < 60) == ("Z", True)


async def test_a_snapshot_is_cheap(made: Instance) -> None:
    async with made.running() as engine:
        commands = LiveCommands(engine)
        best = min(_seconds(commands) for _ in range(20))
    assert best < 0.001


def _seconds(commands: LiveCommands) -> float:
    began = time.thread_time()
    commands.snapshot({})
    return time.thread_time() - began


async def test_subscriptions_can_be_had(made: Instance) -> None:
    async with made.running():
        told = await made.ask("subscriptions")
    assert told == {"available": True, "rows": [], "total": 0, "next": None}
