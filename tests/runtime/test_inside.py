import os
import subprocess
import sys
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import anyio.to_thread
import pytest

from centrex import api
from centrex.base import ConfigError, Unavailable
from centrex.config.load import ConfigSource
from centrex.runtime.client import attach
from centrex.runtime.inside import SWITCH_S, Inside, run_inside
from tests.support.engine import Instance, Phone, instance

pytestmark = pytest.mark.wire


@pytest.fixture
async def made(tmp_path: Path) -> AsyncIterator[Instance]:
    async with instance(tmp_path, {"basic.state_dir": str(tmp_path / "state")}) as one:
        yield one


def start(made: Instance) -> Inside:
    source = ConfigSource(path=made.file)
    return run_inside(source.load(), source, made.paths)


async def ended(inside: Inside) -> None:
    with anyio.fail_after(20):
        while inside.runs:  # noqa: ASYNC110 - it is looked at from outside
            await anyio.sleep(0.01)


async def test_the_engine_serves_beside_its_face(made: Instance) -> None:
    before = sys.getswitchinterval()
    inside = await anyio.to_thread.run_sync(start, made)
    try:
        assert (inside.mode, inside.read_only) == ("in-process", False)
        assert abs(sys.getswitchinterval() - SWITCH_S) < 1e-9
        assert (await inside.ask("status"))["pid"] == os.getpid()
        with Phone((made.host, made.port)) as phone:
            async with inside.follow("events", {"kinds": ["registrations"]}) as batches:
                assert b" 200 OK" in await phone.register()
                assert (await anext(batches))["rows"][0]["name"] == "registration.added"
        # from outside, too
        other = await attach(made.paths)
        assert (await other.ask("snapshot"))["registrations"]["bindings"] == 1
        await other.close()
        with pytest.raises(api.Refused):
            await inside.ask("nonsense")
    finally:
        await inside.close()
    assert not inside.runs
    assert sys.getswitchinterval() == before
    assert "registration.added" in made.log
    assert "server.stopped" in made.log
    assert not made.paths.control.exists()
    with pytest.raises(Unavailable, match="let go of"):
        await inside.ask("status")


async def test_what_is_wrong_at_the_start_is_told_to_who_started_it(made: Instance) -> None:
    async with made.running():
        threads = threading.active_count()
        before = sys.getswitchinterval()
        with pytest.raises(Unavailable, match="already running"):
            await anyio.to_thread.run_sync(start, made)
        assert sys.getswitchinterval() == before
        assert threading.active_count() <= threads + 1  # one of anyio's workers
    made.write(events__level="loud")
    with pytest.raises(ConfigError, match="level"):
        api.run_inside(ConfigSource(path=made.file))


async def test_one_that_we_closed_may_be_started_again(made: Instance) -> None:
    inside = await anyio.to_thread.run_sync(start, made)
    for _ in range(2):
        await inside.close()
        assert not inside.was_stopped


async def test_an_engine_stopped_from_outside_is_gone(made: Instance) -> None:
    inside = await anyio.to_thread.run_sync(start, made)
    assert not inside.was_stopped
    await made.ask("stop", grace_s=0)
    await ended(inside)
    assert inside.was_stopped
    with pytest.raises(Unavailable, match="the engine has ended"):
        await inside.ask("status")
    await inside.close()


async def test_an_engine_that_fails_says_by_what(
    made: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    inside = await anyio.to_thread.run_sync(start, made)
    engine = inside._engine
    assert engine is not None

    async def fail() -> None:
        raise ZeroDivisionError("a fault")

    monkeypatch.setattr(engine, "_stop", fail)
    await made.ask("stop")
    await ended(inside)
    assert not inside.was_stopped
    with pytest.raises(Unavailable, match="the engine has failed"):
        await inside.ask("status")
    with pytest.raises(BaseExceptionGroup) as caught:
        await inside.close()
    assert caught.group_contains(ZeroDivisionError)


SCRIPT = """
import sys
from pathlib import Path
from centrex import api
one = api.run_inside(api.ConfigSource(path=Path(sys.argv[1])), "test")
print(one.mode, flush=True)
"""


@pytest.mark.slow
async def test_nothing_is_left_of_a_process_that_ends_without_a_word(
    made: Instance, tmp_path: Path
) -> None:
    made.write(events__file="")
    environment = {
        **os.environ,
        "XDG_RUNTIME_DIR": made.paths.run.as_posix(),
        "HOME": str(tmp_path),
    }
    done = await anyio.to_thread.run_sync(
        lambda: subprocess.run(
            [sys.executable, "-c", SCRIPT, str(made.file)],
            capture_output=True,
            timeout=25,
            check=True,
            env=environment,
        )
    )
    assert done.stdout == b"in-process\n"
    assert done.stderr == b""  # nothing is written where a dashboard stands
