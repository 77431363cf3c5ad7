"""Pages over HTTP: what each request gets, and that nobody keeps anybody out."""

import itertools
import threading
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from types import SimpleNamespace

import anyio
import pytest

from centrex.base import Unavailable
from centrex.runtime import http_server as module
from centrex.runtime.http_server import REQUEST_OCTETS, Asked, HttpServer, Page, Pages, plain
from tests.support.http import GET, talk
from tests.support.ports import free_port, loopback
from tests.support.stream_door import Clock

pytestmark = pytest.mark.wire
OTHER = "127.66.6.6"
"""Whoever means no good."""


def one_page(asked: Asked) -> Page:
    return plain(200, f"one{asked.wanted}") if asked.path == "/metrics" else plain(404, "nothing")


@asynccontextmanager
async def serving(pages: Pages = one_page, **how: float) -> AsyncIterator[tuple[str, int]]:
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

    def slow(asked: Asked) -> Page:
        time.sleep(0.05)
        made.append(time.monotonic())
        return plain(200, "slow")

    async with serving(slow) as address, anyio.create_task_group() as tasks:
        for _ in range(3):
            tasks.start_soon(talk, address, GET)
    assert len(made) == 3
    # four times 0.05 s of rest, and the page; timers count milliseconds
    assert all(later - former >= 0.24 for former, later in itertools.pairwise(made))


async def test_a_page_may_be_made_in_a_thread_of_its_own() -> None:
    made_by: list[int] = []

    def make() -> Page:
        made_by.append(threading.get_ident())
        return plain(200, "made")

    async with serving(lambda asked: make, fresh_s=60) as address:
        for _ in range(2):
            assert (await talk(address, GET)).endswith(b"\r\n\r\nmade\n")
    assert len(made_by) == 1
    assert made_by != [threading.get_ident()]


async def test_a_fresh_page_is_not_made_again(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []

    def page(asked: Asked) -> Page:
        made.append(asked.wanted)
        return plain(200, asked.wanted)

    clock = Clock()
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=clock))
    server = HttpServer(page, "figures", fresh_s=60)
    for _ in range(3):
        assert (await server.reply(GET)).status == 200
    assert (await server.reply(GET.replace(b"/metrics", b"/metrics?q=b"))).body == b"b\n"
    assert made == ["", "b"]
    clock.ahead = 61.0
    await server.reply(GET)
    assert made == ["", "b", ""]


async def test_pages_that_are_kept_are_few() -> None:
    server = HttpServer(one_page, "figures", fresh_s=60)
    for number in range(50):
        await server.reply(b"GET /metrics?q=%d HTTP/1.1\r\n\r\n" % number)
    assert len(server._kept) == 8


@pytest.mark.parametrize(
    ("request_", "asked"),
    [
        (
            b"GET /a%20b?q=x+y&start=32 HTTP/1.1\r\n\r\n",
            Asked("/a b", "x y", 32, "http://127.0.0.1:8080"),
        ),
        (
            b"GET / HTTP/1.1\r\nHost: pbx.example:81\r\n\r\n",
            Asked("/", base="http://pbx.example:81"),
        ),
        (
            b"GET / HTTP/1.1\r\nhost:[2001:db8::1]:81\r\n\r\n",
            Asked("/", base="http://[2001:db8::1]:81"),
        ),
        # some phones leave the port out, whichever it was
        (b"GET / HTTP/1.1\r\nHost: 192.0.2.1\r\n\r\n", Asked("/", base="http://192.0.2.1:8080")),
        (b"GET / HTTP/1.1\r\nHost: [::1]\r\n\r\n", Asked("/", base="http://[::1]:8080")),
        (
            b"GET http://a:1/b HTTP/1.1\r\nHost: c:2\r\n\r\n",
            Asked("/b", base="http://a:1"),
        ),
        (b'GET / HTTP/1.1\r\nHost: a"><script>\r\n\r\n', Asked("/", base="http://127.0.0.1:8080")),
        (b"GET / HTTP/1.1\r\nHost: a@b\r\n\r\n", Asked("/", base="http://127.0.0.1:8080")),
        (b"GET / HTTP/1.1\r\nX: y\r\n\r\nHost: a\r\n", Asked("/", base="http://127.0.0.1:8080")),
    ],
)
async def test_what_is_asked_is_read(request_: bytes, asked: Asked) -> None:
    seen: list[Asked] = []

    def page(one: Asked) -> Page:
        seen.append(one)
        return plain(200, "fine")

    await HttpServer(page, "figures").reply(request_, ("127.0.0.1", 8080))
    assert seen == [asked]


@pytest.mark.parametrize("start", [b"x", b"-1", b"1e3", b"9" * 20, "²".encode(), b"%C2%B2"])
async def test_a_start_that_is_no_number_is_refused(start: bytes) -> None:
    request = b"GET /metrics?start=" + start + b" HTTP/1.1\r\n\r\n"
    assert (await HttpServer(one_page, "figures").reply(request)).status == 400


async def test_links_lead_to_where_the_server_was_reached() -> None:
    async with serving(lambda asked: plain(200, asked.base)) as (host, port):
        assert (await talk((host, port), GET)).endswith(b"\r\n\r\nhttp://x:%d\n" % port)
        answer = await talk((host, port), b"GET / HTTP/1.0\r\n\r\n")
        assert answer.endswith(f"\r\n\r\nhttp://{host}:{port}\n".encode())


async def test_an_address_that_is_taken_is_unavailable() -> None:
    async with serving() as address:
        with pytest.raises(Unavailable, match="cannot serve figures"):
            await HttpServer(one_page, "figures").serve("{}:{}".format(*address))
