import contextlib
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest

from centrex.base import Refused
from centrex.runtime import desk as module
from centrex.runtime.desk import Batches, Desk
from centrex.runtime.envelope import LINE_LIMIT, request_line

pytestmark = pytest.mark.wire


class Talk:
    """A client at a desk, by the bytes."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.sock.setblocking(False)
        self._buffer = b""

    async def say(self, line: bytes) -> None:
        await anyio.wait_writable(self.sock)
        self.sock.send(line)

    async def hear(self) -> dict[str, Any]:
        with anyio.fail_after(20):
            while b"\n" not in self._buffer:
                await anyio.wait_readable(self.sock)
                chunk = self.sock.recv(65536)
                if not chunk:
                    raise EOFError
                self._buffer += chunk
        line, _, self._buffer = self._buffer.partition(b"\n")
        answer: dict[str, Any] = json.loads(line)
        return answer


class Counting:
    """A stream of numbers that knows whether it was ended."""

    def __init__(self) -> None:
        self.ended = anyio.Event()

    def __call__(self, params: dict[str, Any]) -> Batches:
        if "odd" in params:
            raise Refused("invalid", "that is odd")
        return self._pour(int(params.get("count", 1_000_000)))

    async def _pour(self, count: int) -> Batches:
        try:
            for number in range(count):
                yield {"rows": [number], "lost": 0}
                await anyio.sleep(0.001)
            raise ZeroDivisionError("a secret")
        finally:
            self.ended.set()


@asynccontextmanager
async def talking(desk: Desk, **how: bool) -> AsyncIterator[Talk]:
    ours, its = socket.socketpair()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(lambda: desk.attend(its, **how))
        with contextlib.closing(ours):
            yield Talk(ours)
        tasks.cancel_scope.cancel()


def make(numbers: Counting | None = None) -> tuple[Desk, list[str]]:
    failures: list[str] = []
    desk = Desk(
        {"look": lambda _: {"seen": True}, "change": lambda _: {"changed": True}},
        lambda command, error: failures.append(f"{command} {type(error).__name__}"),
        streams={"numbers": numbers or Counting()},
        reading={"look"},
    )
    return desk, failures


async def test_a_connection_for_reading_changes_nothing_from_then_on() -> None:
    desk, _ = make()
    async with talking(desk) as talk:
        await talk.say(request_line("change"))
        assert (await talk.hear())["ok"]
        await talk.say(request_line("look", read_only=True))
        assert (await talk.hear())["result"] == {"seen": True}
        await talk.say(request_line("change"))
        error = (await talk.hear())["error"]
        assert (error["code"], "only read" in error["message"]) == ("refused", True)


async def test_a_stream_is_told_to_begin_and_pours_until_its_reader_leaves() -> None:
    numbers = Counting()
    desk, failures = make(numbers)
    async with talking(desk) as talk:
        await talk.say(request_line("numbers", follow=True))
        assert (await talk.hear())["result"] == {"following": "numbers"}
        assert [(await talk.hear())["result"]["rows"] for _ in range(3)] == [[0], [1], [2]]
        await talk.say(request_line("change"))  # is not heard, and does no harm
        assert (await talk.hear())["result"]["rows"] == [3]
        talk.sock.close()
        with anyio.fail_after(20):
            await numbers.ended.wait()
    assert failures == []


async def test_a_reader_that_reads_nothing_is_let_go_of_when_it_leaves() -> None:
    numbers = Counting()
    desk, _ = make(numbers)
    async with talking(desk) as talk:
        await talk.say(request_line("numbers", {"count": 5}, follow=True))
        await talk.hear()
    with anyio.fail_after(20):
        await numbers.ended.wait()


@pytest.mark.parametrize(
    ("name", "params", "code"),
    [("nothing", {}, "not-found"), ("numbers", {"odd": 1}, "invalid")],
)
async def test_a_stream_may_be_refused(name: str, params: dict[str, Any], code: str) -> None:
    desk, failures = make()
    async with talking(desk) as talk:
        await talk.say(request_line(name, params, follow=True))
        assert (await talk.hear())["error"]["code"] == code
        with pytest.raises(EOFError):
            await talk.hear()
    assert failures == []


async def test_a_stream_that_fails_says_so_and_is_told_of() -> None:
    desk, failures = make()
    async with talking(desk) as talk:
        await talk.say(request_line("numbers", {"count": 0}, follow=True))
        await talk.hear()
        error = (await talk.hear())["error"]
    assert error == {"code": "internal", "message": "the command failed: ZeroDivisionError"}
    assert failures == ["numbers ZeroDivisionError"]


async def test_a_face_of_the_same_process_finds_a_place_though_all_are_taken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "CLIENTS", 1)
    desk, _ = make()
    async with talking(desk) as first:
        await first.say(request_line("look"))
        assert (await first.hear())["ok"]
        async with talking(desk) as second:
            assert (await second.hear())["error"]["code"] == "refused"
        async with talking(desk, counted=False) as inside:
            await inside.say(request_line("look"))
            assert (await inside.hear())["ok"]


async def test_a_line_without_end_ends_the_conversation() -> None:
    desk, _ = make()
    async with talking(desk) as talk:

        async def flood() -> None:
            with contextlib.suppress(OSError):
                for _ in range(LINE_LIMIT // 1024 + 2):
                    await talk.say(b"x" * 1024)

        await flood()
        assert (await talk.hear())["error"]["code"] == "invalid"
