"""The engine's own relay: started, started again, found again, ended."""

import os
import signal
import stat
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import anyio
import pytest
from anyio.abc import TaskGroup

from centrex.events import Event
from centrex.runtime.embedded import EmbeddedRelay, why_anew, write_config
from centrex.runtime.lock import holder_of, is_free

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

CHILD = """
import sys, time
from pathlib import Path
from centrex.runtime.lock import InstanceLock
config, lock = sys.argv[2], sys.argv[4]
if config.endswith("broken.toml"):
    sys.exit("no such address\\n here")
sys.stderr.write("2026-11-22T17:34:23.123Z unix:/x: logged in at one\\n")
sys.stderr.flush()
with InstanceLock(Path(lock)):
    time.sleep(60)
"""
COMMAND = (sys.executable, "-c", CHILD)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def until(condition: Callable[[], bool]) -> None:
    with anyio.fail_after(20):
        while not condition():  # noqa: ASYNC110 - another process has no event
            await anyio.sleep(0.01)


def named(events: list[Event], name: str) -> list[Event]:
    return [event for event in events if event.name == name]


async def started(tasks: TaskGroup, folder: Path, events: list[Event]) -> EmbeddedRelay:
    relay = EmbeddedRelay(folder / "relay.toml", folder / "lock", events.append, command=COMMAND)
    tasks.start_soon(relay.run)
    await until(lambda: not is_free(folder / "lock") and holder_of(folder / "lock") > 0)
    return relay


@pytest.mark.parametrize(
    ("config", "version", "why"),
    [
        ("c", "1", ""),
        ("", "1", ""),
        ("d", "1", "its settings have changed"),
        ("c", "0.9", "it is of version 0.9"),
    ],
)
def test_one_that_outlived_its_engine_begins_anew_where_something_has_changed(
    config: str, version: str, why: str
) -> None:
    """An upgrade, too: it had gone on with the old code for as long as it carried calls."""
    assert why_anew({"config": config, "version": version}, "c", "1") == why


async def test_one_that_dies_is_started_again(tmp_path: Path) -> None:
    events: list[Event] = []
    async with anyio.create_task_group() as tasks:
        relay = await started(tasks, tmp_path, events)
        first = holder_of(tmp_path / "lock")
        os.kill(first, signal.SIGKILL)
        await until(lambda: holder_of(tmp_path / "lock") not in (0, first))
        (died,) = named(events, "relay.died")
        assert died.fields["code"] == -signal.SIGKILL
        assert died.fields["why"] == "killed by SIGKILL"
        await relay.end()
        tasks.cancel_scope.cancel()
    assert is_free(tmp_path / "lock")
    assert relay.starts == 2
    assert len(named(events, "relay.died")) == 1, "an end that was wanted is no death"


async def test_one_that_outlived_its_engine_is_left_to_work(tmp_path: Path) -> None:
    async with anyio.create_task_group() as tasks:
        await started(tasks, tmp_path, [])
        tasks.cancel_scope.cancel()
    survivor = holder_of(tmp_path / "lock")
    assert not is_free(tmp_path / "lock")
    async with anyio.create_task_group() as tasks:
        events: list[Event] = []
        relay = await started(tasks, tmp_path, events)
        await anyio.sleep(0.3)
        assert holder_of(tmp_path / "lock") == survivor
        assert relay.starts == 0
        os.kill(survivor, signal.SIGKILL)
        await until(lambda: relay.starts == 1)
        await until(lambda: holder_of(tmp_path / "lock") not in (0, survivor))
        await relay.end()
        tasks.cancel_scope.cancel()
    assert is_free(tmp_path / "lock")


async def test_one_that_cannot_start_says_why(tmp_path: Path) -> None:
    events: list[Event] = []
    relay = EmbeddedRelay(
        tmp_path / "broken.toml", tmp_path / "lock", events.append, command=COMMAND
    )
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(relay.run)
        await until(lambda: len(named(events, "relay.died")) >= 2)
        tasks.cancel_scope.cancel()
    died = named(events, "relay.died")[0]
    assert died.fields["code"] == 1
    assert died.fields["why"] == "no such address here"


async def test_a_command_that_is_not_there(tmp_path: Path) -> None:
    events: list[Event] = []
    relay = EmbeddedRelay(
        tmp_path / "r.toml", tmp_path / "lock", events.append, command=("/nowhere/relay",)
    )
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(relay.run)
        await until(lambda: bool(named(events, "relay.start-failed")))
        tasks.cancel_scope.cancel()


def test_the_configuration_is_for_nobody_else(tmp_path: Path) -> None:
    path = tmp_path / "relay.toml"
    path.write_text("old")
    path.chmod(0o644)
    write_config(path, {"name": "local", "proxies": [{"address": "unix:/x", "secret": "s"}]})
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert tomllib.loads(path.read_text())["proxies"][0]["secret"] == "s"
