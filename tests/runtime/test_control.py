import json
import os
import socket
import stat
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest

from centrex.base import ConfigError, Problem, Unavailable
from centrex.runtime import control, desk
from centrex.runtime.control import ANSWER_LIMIT, LINE_LIMIT, CommandRefused, call, follow, serve
from centrex.runtime.desk import Desk
from centrex.runtime.lock import InstanceLock

pytestmark = pytest.mark.wire


@pytest.fixture(params=[True, False], ids=["uvloop", "asyncio"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:
    return "asyncio", {"use_uvloop": request.param}


@pytest.fixture
def lock(tmp_path: Path) -> Iterator[InstanceLock]:
    with InstanceLock(tmp_path / "lock") as held:
        yield held


def echo(params: dict[str, Any]) -> dict[str, Any]:
    return {"echo": params}


async def echo_later(params: dict[str, Any]) -> dict[str, Any]:
    await anyio.lowlevel.checkpoint()
    return {"later": params}


async def three(_params: dict[str, Any]) -> AsyncGenerator[dict[str, Any], None]:
    for number in (1, 2, 3):
        yield {"rows": [number]}


def failing(error: Exception) -> Callable[[dict[str, Any]], dict[str, Any]]:
    def handler(_params: dict[str, Any]) -> dict[str, Any]:
        raise error

    return handler


PROBLEM = Problem(file="a.toml", key="network.prot", message="unknown", nearest="network.port")
HANDLERS: dict[str, control.Handler] = {
    "echo": echo,
    "later": echo_later,
    "missing": failing(CommandRefused("not-found", "no such call", {"nearest": ["a@b"]})),
    "config": failing(ConfigError((PROBLEM,))),
    "away": failing(Unavailable("the store is away")),
    "bug": failing(ZeroDivisionError("secret detail")),
    "odd": lambda _: {"odd": object()},
    "long": lambda _: {"long": "x" * ANSWER_LIMIT},
}
NOBODY = Desk({}, lambda *_: None)


@asynccontextmanager
async def serving(
    path: Path, lock: InstanceLock
) -> AsyncIterator[list[tuple[str, type[Exception]]]]:
    failures: list[tuple[str, type[Exception]]] = []

    async def run(*, task_status: Any) -> None:
        desk = Desk(
            HANDLERS,
            lambda command, error: failures.append((command, type(error))),
            streams={"three": three},
        )
        await serve(path, desk, lock=lock, task_status=task_status)

    async with anyio.create_task_group() as tasks:
        await tasks.start(run)
        yield failures
        tasks.cancel_scope.cancel()


def ask(path: Path, command: str, params: dict[str, Any] | None = None) -> Awaitable[Any]:
    return anyio.to_thread.run_sync(call, path, command, params)


async def raw(path: Path, data: bytes, lines: int = 1) -> list[dict[str, Any]]:
    """Send bytes as they are; returns that many lines of the answer, or all until the end."""
    received = bytearray()
    async with await anyio.connect_unix(path) as stream:
        await stream.send(data)
        while received.count(b"\n") < lines:
            received += await stream.receive()
    return [json.loads(line) for line in received.splitlines()]


async def test_handlers_answer_at_once_or_later(tmp_path: Path, lock: InstanceLock) -> None:
    path = tmp_path / "control"
    async with serving(path, lock):
        assert stat.S_IMODE(path.stat().st_mode) == 0o660
        assert await ask(path, "echo", {"a": "ü\n"}) == {"echo": {"a": "ü\n"}}
        assert await ask(path, "later") == {"later": {}}
    assert not path.exists()
    assert sorted(os.listdir(tmp_path)) == ["lock"]


@pytest.mark.parametrize(
    ("command", "code", "message", "detail"),
    [
        ("missing", "not-found", "no such call", {"nearest": ["a@b"]}),
        ("nonsense", "not-found", "there is no command 'nonsense'", {}),
        ("away", "unavailable", "the store is away", {}),
        ("bug", "internal", "the command failed: ZeroDivisionError", {}),
        ("odd", "internal", "the command failed: TypeError", {}),
        ("long", "refused", "the answer is too long for one line; ask for less", {}),
        (
            "config",
            "invalid",
            "a.toml: network.prot: unknown",
            {
                "problems": [
                    {
                        "file": "a.toml",
                        "key": "network.prot",
                        "message": "unknown",
                        "nearest": "network.port",
                        "line": 0,
                    }
                ]
            },
        ),
    ],
)
async def test_each_failure_has_its_code(
    lock: InstanceLock, command: str, code: str, message: str, detail: dict[str, Any]
) -> None:
    path = lock.path.with_name("control")
    async with serving(path, lock) as failures:
        with pytest.raises(CommandRefused) as refused:
            await ask(path, command)
        assert refused.value.code == code
        assert refused.value.message.startswith(message)
        assert refused.value.detail == detail
        assert [name for name, _ in failures] == ([command] if code == "internal" else [])
        assert await ask(path, "echo") == {"echo": {}}


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b"nonsense", "the line is not JSON"),
        (b"\xff\xfe", "the line is not JSON"),
        (b"[" * 100_000, "the line is not JSON"),
        (b"[1]", "the line is not an object with a command"),
        (b'{"v":1,"command":7}', "the line is not an object with a command"),
        (b'{"v":2,"id":3,"command":"echo"}', "this instance speaks version 1 of the protocol"),
        (b'{"v":1,"id":3,"command":"echo","params":[1]}', "params is not an object"),
        (b'{"v":1,"id":[],"command":"echo"}', "id is neither a number nor a string"),
    ],
)
async def test_a_line_that_is_no_request_is_invalid(
    tmp_path: Path, lock: InstanceLock, line: bytes, message: str
) -> None:
    path = tmp_path / "control"
    async with serving(path, lock):
        (answer,) = await raw(path, line + b"\n")
    assert answer == {
        "v": 1,
        "id": None,
        "ok": False,
        "error": {"code": "invalid", "message": message},
    }


async def test_several_requests_on_one_connection_keep_their_order(
    tmp_path: Path, lock: InstanceLock
) -> None:
    path = tmp_path / "control"
    async with serving(path, lock):
        lines = b'\n{"v":1,"id":1,"command":"later"}\r\n{"v":1,"id":"b","command":"echo"}\n'
        answers = await raw(path, lines, 2)
    assert [(a["id"], a["ok"]) for a in answers] == [(1, True), ("b", True)]


async def test_a_line_without_an_end_is_cut_off(tmp_path: Path, lock: InstanceLock) -> None:
    path = tmp_path / "control"
    async with serving(path, lock), await anyio.connect_unix(path) as stream:
        await stream.send(b"x" * (LINE_LIMIT + 1))
        assert json.loads(await stream.receive())["error"]["code"] == "invalid"
        with pytest.raises((anyio.EndOfStream, anyio.BrokenResourceError)):
            await stream.receive()


async def test_clients_are_served_at_once_up_to_a_bound(
    tmp_path: Path, lock: InstanceLock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(desk, "CLIENTS", 2)
    path = tmp_path / "control"
    line = b'{"v":1,"command":"echo"}\n'
    async with (
        serving(path, lock),
        await anyio.connect_unix(path) as first,
        await anyio.connect_unix(path) as second,
    ):
        for stream in (first, second, first):
            await stream.send(line)
            assert json.loads(await stream.receive())["ok"]
        async with await anyio.connect_unix(path) as third:
            assert json.loads(await third.receive())["error"]["code"] == "refused"
        await first.send(line)
        assert json.loads(await first.receive())["ok"]


async def test_a_client_that_leaves_in_the_middle_harms_nobody(
    tmp_path: Path, lock: InstanceLock
) -> None:
    path = tmp_path / "control"
    async with serving(path, lock) as failures:
        async with await anyio.connect_unix(path) as stream:
            await stream.send(b'{"v":1,')
        async with await anyio.connect_unix(path) as stream:
            await stream.send(b'{"v":1,"command":"later"}\n')
        assert await ask(path, "echo") == {"echo": {}}
    assert failures == []


async def test_a_stream_is_followed_until_the_instance_goes(
    tmp_path: Path, lock: InstanceLock
) -> None:
    path = tmp_path / "control"
    batches: list[dict[str, Any]] = []

    def read() -> None:
        batches.extend(follow(path, "three"))

    async with serving(path, lock):
        with pytest.raises(Unavailable, match="ended the connection"):
            await anyio.to_thread.run_sync(read)
        with pytest.raises(CommandRefused, match="no stream"):
            await anyio.to_thread.run_sync(lambda: next(follow(path, "none")))
    assert batches == [{"rows": [1]}, {"rows": [2]}, {"rows": [3]}]
    with pytest.raises(Unavailable, match="no instance is running"):
        await anyio.to_thread.run_sync(lambda: next(follow(path, "three")))


async def test_a_stale_socket_is_replaced_by_the_holder_of_the_lock(
    tmp_path: Path, lock: InstanceLock
) -> None:
    path = tmp_path / "control"
    with socket.socket(socket.AF_UNIX) as old:
        old.bind(str(path))
    async with serving(path, lock):
        assert await ask(path, "echo") == {"echo": {}}


async def test_without_the_lock_the_socket_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "control"
    path.touch()
    with pytest.raises(Unavailable, match="belongs to whoever holds"):
        await serve(path, NOBODY, lock=InstanceLock(tmp_path / "lock"))
    assert path.exists()


@pytest.mark.parametrize(
    ("name", "message"), [("x" * 120, "too long"), ("missing/control", "cannot make the control")]
)
async def test_a_place_that_cannot_be_used_is_told_in_words(
    tmp_path: Path, lock: InstanceLock, name: str, message: str
) -> None:
    with pytest.raises(Unavailable, match=message):
        await serve(tmp_path / name, NOBODY, lock=lock)


def test_nobody_there_is_unavailable(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="no instance is running"):
        call(tmp_path / "none", "status")
    with socket.socket(socket.AF_UNIX) as old:
        old.bind(str(tmp_path / "stale"))
    with pytest.raises(Unavailable, match="no instance is running"):
        call(tmp_path / "stale", "status")


def test_no_answer_in_time_is_unavailable(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(tmp_path / "silent"))
        silent.listen()
        with pytest.raises(Unavailable, match=r"no answer within 0\.05 s"):
            call(tmp_path / "silent", "status", timeout_s=0.05)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (b"", "ended the connection without an answer"),
        (b"nonsense\n", "not understood"),
        (b"[]\n", "not understood"),
        (b'{"ok":true}\n', "not understood"),
        (b'{"ok":false,"error":{}}\n', "not understood"),
    ],
)
async def test_an_answer_that_is_none_is_unavailable(
    tmp_path: Path, answer: bytes, message: str
) -> None:
    path = tmp_path / "odd"
    listener = await anyio.create_unix_listener(path)

    async def reply(stream: anyio.abc.SocketStream) -> None:
        async with stream:
            await stream.receive()
            if answer:
                await stream.send(answer)

    async with listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, reply)
        with pytest.raises(Unavailable, match=message):
            await ask(path, "status")
        tasks.cancel_scope.cancel()
