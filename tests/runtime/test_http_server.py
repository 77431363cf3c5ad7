"""Pages over HTTP: what each request gets, and that nobody keeps anybody out."""

import itertools
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager

import anyio
import pytest

from centrex.base import Unavailable
from centrex.runtime import http_server as module
from centrex.runtime.http_server import REQUEST_OCTETS, HttpServer, Page, plain
from tests.support.http import GET, talk
from tests.support.ports import free_port, loopback

pytestmark = pytest.mark.wire
OTHER = "127.66.6.6"
"""Whoever means no good."""


def one_page(path: str, wanted: str) -> Page:
    return plain(200, f"one{wanted}") if path == "/metrics" else plain(404, "nothing")


@asynccontextmanager
async def serving(
    pages: Callable[[str, str], Page] = one_page, **how: float
) -> AsyncIterator[tuple[str, int]]:
    address = loopback(), free_port()
    async with anyio.create_task_group() as tasks:
        await tasks.start(HttpServer(pages, "figures", **how).serve, "{}:{}".format(*address))
        yield address
        tasks.cancel_scope.cancel()


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET /metrics?x=1 HTTP/1.0\r\n\r\n", 200),
        (b"GET http://10.0.0.1:8080/metrics HTTP/1.1\r\n\r\n", 200),
        (b"\r\n\r\nGET /metrics HTTP/1.1\r\n\r\n", 200),
        (b"GET / HTTP/1.1\r\n\r\n", 404),
        (b"GET http://10.0.0.1 HTTP/1.1\r\n\r\n", 404),
        (b"GET /../metrics HTTP/1.1\r\n\r\n", 404),
        (b"POST /metrics HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello", 405),
        (b"nonsense\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\r\n\r\n", 400),
        (b"GET /metrics HTTP/1.1\r\nX: " + b"x" * REQUEST_OCTETS, 431),
    ],
)
async def test_each_request_gets_what_it_has_earned(request_: bytes, status: int) -> None:
    async with serving() as address:
        answer = await talk(address, request_)
    assert answer.startswith(b"HTTP/1.1 %d " % status)
    assert answer.endswith(b"\r\n\r\none\n") == (status == 200)
    assert (b"\r\nAllow: GET, HEAD\r\n" in answer) == (status == 405)


async def test_a_head_has_no_body() -> None:
    async with serving() as address:
        answer = await talk(address, b"HEAD /metr", b"ics HTTP/1.1\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200 OK")
    assert answer.endswith(b"\r\n\r\n")


async def test_who_says_nothing_is_let_go_of() -> None:
    async with serving(patience_s=0.05) as address:
        assert await talk(address, b"GET ") == b""
        assert await talk(address) == b""


async def test_all_phones_may_ask_at_once() -> None:
    answers: list[bytes] = []

    async def ask(address: tuple[str, int]) -> None:
        answers.append(await talk(address, GET))

    async with serving() as address, anyio.create_task_group() as tasks:
        for _ in range(100):
            tasks.start_soon(ask, address)
    assert len(answers) == 100
    assert all(one.startswith(b"HTTP/1.1 200") for one in answers)


async def test_who_holds_connections_keeps_nobody_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CONNECTIONS", 4)
    async with serving() as address, AsyncExitStack() as stack:
        patient = await stack.enter_async_context(await anyio.connect_tcp(*address))
        await patient.send(b"GET ")
        for _ in range(9):
            idle = await anyio.connect_tcp(*address, local_host=OTHER)
            await idle.send(b"GET ")
            await stack.enter_async_context(idle)
        assert (await talk(address, GET)).startswith(b"HTTP/1.1 200")
        await patient.send(GET.removeprefix(b"GET "))
        assert (await patient.receive()).startswith(b"HTTP/1.1 200"), "it has but one"


async def test_between_two_pages_calls_go_on() -> None:
    made: list[float] = []

    def slow(path: str, wanted: str) -> Page:
        time.sleep(0.05)
        made.append(time.monotonic())
        return plain(200, "slow")

    async with serving(slow) as address, anyio.create_task_group() as tasks:
        for _ in range(3):
            tasks.start_soon(talk, address, GET)
    assert len(made) == 3
    assert all(later - former >= 0.25 for former, later in itertools.pairwise(made))


async def test_a_fresh_page_is_not_made_again() -> None:
    asked: list[str] = []

    def page(path: str, wanted: str) -> Page:
        asked.append(wanted)
        return plain(200, wanted)

    async with serving(page, fresh_s=0.3) as address:
        for _ in range(3):
            assert (await talk(address, GET)).startswith(b"HTTP/1.1 200")
        other = GET.replace(b"/metrics", b"/metrics?q=b")
        assert (await talk(address, other)).endswith(b"\r\n\r\nb\n")
        assert asked == ["", "b"]
        await anyio.sleep(0.35)
        await talk(address, GET)
        assert asked == ["", "b", ""]


async def test_pages_that_are_kept_are_few() -> None:
    server = HttpServer(one_page, "figures", fresh_s=60)
    for number in range(50):
        server.reply(b"GET /metrics?q=%d HTTP/1.1\r\n\r\n" % number)
    assert len(server._kept) == 8


async def test_an_address_that_is_taken_is_unavailable() -> None:
    async with serving() as address:
        with pytest.raises(Unavailable, match="cannot serve figures"):
            await HttpServer(one_page, "figures").serve("{}:{}".format(*address))
