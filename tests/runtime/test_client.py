import json
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest

from centrex import api
from centrex.base import Refused, Unavailable
from centrex.config.paths import InstancePaths
from centrex.events import Event, Kind, Severity
from centrex.runtime import client as module
from centrex.runtime.client import Client, attach
from centrex.runtime.envelope import ANSWER_LIMIT
from tests.support.engine import Instance, Phone, instance

pytestmark = pytest.mark.wire


@pytest.fixture
async def made(tmp_path: Path) -> AsyncIterator[Instance]:
    async with instance(tmp_path) as one:
        yield one


def paths_in(folder: Path) -> InstancePaths:
    return InstancePaths(instance="odd", config=folder / "c", state=folder, run=folder, log=folder)


async def until(condition: Callable[[], bool]) -> None:
    with anyio.fail_after(20):
        while not condition():  # noqa: ASYNC110 - it is looked at from outside
            await anyio.sleep(0.01)


@asynccontextmanager
async def attached(made: Instance, **how: Any) -> AsyncIterator[Client]:
    client = await attach(made.paths, **how)
    try:
        yield client
    finally:
        await client.close()


async def test_an_instance_is_asked_over_one_connection_again_and_again(made: Instance) -> None:
    async with made.running() as engine, attached(made) as client:
        assert (client.mode, client.read_only, client.paths) == ("attached", False, made.paths)
        assert not client.was_stopped
        for _ in range(20):
            assert (await client.ask("snapshot"))["state"] == "running"
        assert engine.desk._clients == 1
        with pytest.raises(Refused) as caught:
            await client.ask("explain", {"call_id": "nothing"})
        assert caught.value.code == "not-found"


async def test_requests_at_once_take_turns_on_a_few_connections(made: Instance) -> None:
    async with made.running() as engine, attached(made) as client:
        answers = []

        async def ask() -> None:
            answers.append(await client.ask("status"))

        async with anyio.create_task_group() as tasks:
            for _ in range(40):
                tasks.start_soon(ask)
        assert len(answers) == 40
        assert engine.desk._clients <= module.ASKED_AT_ONCE


async def test_the_events_of_a_running_instance_are_followed(made: Instance) -> None:
    with Phone((made.host, made.port)) as phone:
        async with made.running(), attached(made) as client:
            async with client.follow("events", {"kinds": ["registrations"]}) as batches:
                await phone.register()
                batch = await anext(batches)
            assert [row["name"] for row in batch["rows"]] == ["registration.added"]
            assert batch["rows"][0]["aor"] == "sip:1001@voip.test"
            (row,) = (await client.ask("events.recent", {"kinds": ["registrations"]}))["rows"]
            assert row == batch["rows"][0]


async def test_who_only_reads_is_refused_here_and_there(made: Instance) -> None:
    async with made.running(), attached(made, read_only=True) as client:
        for command in ("stop", "bans.release", "nonsense"):
            with pytest.raises(Refused, match="attached for reading only"):
                await client.ask(command)
        client.read_only = False  # a face with a fault of its own: the instance still knows
        with pytest.raises(Refused, match="this connection may only read"):
            await client.ask("stop")
        assert (await client.ask("status"))["state"] == "running"


async def test_an_instance_that_goes_away_is_unavailable(made: Instance) -> None:
    async with made.running() as engine:
        client = await attach(made.paths)
        async with client.follow("events", {"recent": 1}) as batches:
            await anext(batches)
            engine.stopping.set()
            with pytest.raises(Unavailable):
                async for _ in batches:
                    pass
    for _ in range(2):
        with pytest.raises(Unavailable):
            await client.ask("status")
    with pytest.raises(Unavailable, match="no instance is running"):
        await attach(made.paths)


async def test_what_is_given_up_in_the_middle_leaves_nothing_behind(made: Instance) -> None:
    async with made.running() as engine, attached(made) as client:
        with anyio.CancelScope() as scope:
            scope.cancel()
            await client.ask("status")
        assert scope.cancelled_caught
        assert "state" in await client.ask("snapshot")
        assert set(await client.ask("bans")) == {"bans"}
        await client.close()
        await until(lambda: not engine.desk._clients)


async def test_letting_go_ends_the_streams_and_all_further_questions(made: Instance) -> None:
    async with made.running():
        client = await attach(made.paths)
        seen: list[dict[str, Any]] = []

        async def read() -> None:
            async with client.follow("events", {"recent": 1}) as batches:
                async for batch in batches:
                    seen.append(batch)  # noqa: PERF401 - each is looked for as it comes

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(read)
            await until(lambda: bool(seen))
            await client.close()
        assert len(seen) == 1
        with pytest.raises(Unavailable, match="let go of"):
            await client.ask("status")
        with pytest.raises(Unavailable, match="let go of"):
            async with client.follow("events"):
                pass
        assert (await made.ask("status"))["state"] == "running"


async def test_streams_are_bounded_in_number(
    made: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "STREAMS", 1)
    async with made.running(), attached(made) as client:
        async with client.follow("events"):
            with pytest.raises(Refused, match="followed already"):
                async with client.follow("events"):
                    pass
        with pytest.raises(Refused, match="no stream"):
            async with client.follow("nothing"):
                pass
        async with client.follow("events"):
            pass


async def test_a_reader_too_slow_is_told_how_much_it_lost(made: Instance) -> None:
    async with made.running() as engine, attached(made) as client:
        async with client.follow("events", {"kinds": ["errors"]}) as batches:
            for number in range(8_000):
                fields = {"number": number}
                event = Event(Kind.ERRORS, Severity.ERROR, "test.made", fields)
                engine.bus.publish(event)
            batch = await anext(batches)
            lost, last = batch["lost"], -1
            while last < 7_999:
                for row in batch["rows"]:
                    assert row["fields"]["number"] > last
                    last = row["fields"]["number"]
                if last < 7_999:
                    batch = await anext(batches)
        assert lost == 3_000


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (b"", "ended the connection"),
        (b"x" * (ANSWER_LIMIT + 70_000), "not understood"),
        (b"nonsense\n", "not understood"),
    ],
)
async def test_what_is_no_instance_is_unavailable(
    tmp_path: Path, answer: bytes, message: str
) -> None:
    paths = paths_in(tmp_path)
    listener = await anyio.create_unix_listener(paths.control)

    async def reply(stream: anyio.abc.SocketStream) -> None:
        async with stream:
            await stream.receive()
            try:
                await stream.send(answer)
            except anyio.BrokenResourceError:
                return

    async with listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, reply)
        with pytest.raises(Unavailable, match=message):
            await attach(paths)
        tasks.cancel_scope.cancel()


async def test_silence_is_unavailable_after_a_time(tmp_path: Path) -> None:
    paths = paths_in(tmp_path)
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(paths.control))
        silent.listen()
        with pytest.raises(Unavailable, match=r"no answer within 0\.05 s"):
            await attach(paths, patience_s=0.05)


async def test_the_face_sees_it_through_the_api(made: Instance) -> None:
    async with made.running():
        one: api.Instance = await api.attach(made.paths, read_only=True)
        assert (one.mode, one.read_only) == ("attached", True)
        json.dumps(await one.ask("snapshot"))
        with pytest.raises(api.Refused):
            await one.ask("stop")
        await one.close()
