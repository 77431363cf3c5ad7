"""The public address, by each means, from servers of our own."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from centrex.config.later import WanSettings
from centrex.runtime.relay import wan as wan_module
from centrex.runtime.relay.wan import WanAddress
from tests.support.ports import loopback
from tests.support.stun_server import StunServer

pytestmark = [pytest.mark.wire, pytest.mark.anyio]


async def look(**settings: Any) -> tuple[str, list[str]]:
    """Look once; return what was found, and what was said."""
    said: list[str] = []
    wan = WanAddress(WanSettings.model_validate({"enabled": True, **settings}), said.append)
    await wan.look()
    return wan.address, said


async def test_one_that_never_changes() -> None:
    found = await look(method="static", address="203.0.113.5")
    assert found == ("203.0.113.5", ["the public address is 203.0.113.5, by static"])


async def test_by_a_name() -> None:
    assert (await look(method="dns", host="localhost"))[0] == "127.0.0.1"
    address, (words,) = await look(method="dns", host="nobody.invalid")
    assert not address
    assert "is not found: nobody.invalid" in words


@pytest.fixture
def stun() -> Iterator[StunServer]:
    with StunServer(loopback(), "203.0.113.7") as server:
        yield server


async def test_by_stun(stun: StunServer) -> None:
    assert (await look(stun_servers=(stun.place,)))[0] == "203.0.113.7"
    assert stun.asked == 1


async def test_a_stun_server_that_is_silent_is_asked_again_and_then_the_next_one(
    stun: StunServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wan_module, "_REPEATS_S", (0.01, 0.01))
    with StunServer(loopback()) as silent:
        assert (await look(stun_servers=(silent.place, stun.place)))[0] == "203.0.113.7"
        assert silent.asked == 2
        address, (words,) = await look(stun_servers=(silent.place,))
    assert not address
    assert words.endswith(f"is not found: {silent.place}: no answer")


async def test_what_was_found_stays_where_nobody_tells_and_is_said_once(
    stun: StunServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wan_module, "_REPEATS_S", (0.01,))
    said: list[str] = []
    wan = WanAddress(WanSettings(enabled=True, stun_servers=(stun.place,)), said.append)
    await wan.look()
    stun.address = ""
    for _ in range(2):
        await wan.look()
    assert wan.address == "203.0.113.7"
    stun.address = "203.0.113.8"
    await wan.look()
    assert wan.address == "203.0.113.8"
    assert [words.split(",")[0] for words in said] == [
        "the public address is 203.0.113.7",
        f"the public address is not found: {stun.place}: no answer",
        "the public address is 203.0.113.8",
    ]


class Page(BaseHTTPRequestHandler):
    """A router's page, for who logs in."""

    def do_GET(self) -> None:
        right = self.headers.get("Authorization") == "Basic YWRtaW46c2VjcmV0"
        body = b"LAN 192.168.1.1, WAN: 203.0.113.9 (v1.2.3.400)"
        self.send_response(200 if right else 401)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def page() -> Iterator[str]:
    server = HTTPServer((loopback(), 0), Page)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield "http://{}:{}/".format(*server.server_address[:2])
    server.shutdown()
    thread.join()
    server.server_close()


async def test_by_a_web_page(page: str) -> None:
    login = {"method": "http", "url": page, "url_user": "admin", "url_secret": "secret"}
    assert (await look(**login))[0] == "192.168.1.1"
    assert (await look(**login, pattern=r"WAN: ([\d.]+)"))[0] == "203.0.113.9"
    assert (await look(**login, pattern=r"203\.[\d.]+"))[0] == "203.0.113.9"
    for more, why in (
        ({"pattern": "DSL"}, "shows no address"),
        ({"pattern": "(v1)"}, "'v1' is no IPv4 address"),
        ({"url_secret": "guessed"}, "Unauthorized"),
        ({"url": "http://nobody.invalid/"}, "http://nobody.invalid/: Name or service not known"),
        ({"url": "http://127.0.0.1:1/"}, "Connection refused"),
        ({"url": "http://[::1"}, "Invalid IPv6 URL"),
    ):
        address, (words,) = await look(**{**login, **more})
        assert (address, why in words) == ("", True), words


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"method": "dns", "host": 70 * "ä"}, "ä: is no host name"),
        ({"stun_servers": ("nobody.invalid",)}, "nobody.invalid: Name or service not known"),
        ({"stun_servers": ("127.0.0.1:1",)}, "127.0.0.1:1: "),
    ],
)
async def test_no_mistake_ends_the_relay(
    settings: dict[str, Any], why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wan_module, "_REPEATS_S", (0.01,))
    address, (words,) = await look(**settings)
    assert (address, why in words) == ("", True), words


@pytest.mark.parametrize("nobody", ["0.0.0.0", "224.0.0.1", "255.255.255.255"])
async def test_what_can_be_nobody_s_is_not_told(nobody: str) -> None:
    address, (words,) = await look(method="static", address=nobody)
    assert (address, "nobody's" in words) == ("", True)


async def test_who_takes_too_long_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wan_module, "PATIENCE_S", 0.05)
    with StunServer(loopback()) as silent:
        address, (words,) = await look(stun_servers=(silent.place,))
    assert (address, "no answer for 0.05 s" in words) == ("", True)
