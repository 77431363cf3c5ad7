"""Phones that watch, over real sockets, as the screen of the watchers shows them."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from centrex import api
from tests.support.screens import LARGE, Operator, dashboard, text
from tests.support.server import CentrexServer
from tests.support.sipclient import SipClient
from tests.support.sipmessage import token, uri_in
from tui.run import Opener
from tui.screens.subscriptions import SubscriptionsScreen

pytestmark = [pytest.mark.anyio, pytest.mark.slow, pytest.mark.wire, pytest.mark.timeout(60)]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[CentrexServer]:
    one = CentrexServer(
        tmp_path, users=("1001", "1002", "wanda"), overrides={"auth.enabled": False}
    )
    monkeypatch.setenv("CENTREX_ROOT", one._root.name)
    with one:
        yield one


def opener_of(server: CentrexServer) -> Opener:
    return Opener(api.instance_paths("", server.config), None)


class Lamp:
    """A subscription of a phone: it answers each NOTIFY, and counts them."""

    def __init__(self, phone: SipClient, user: str, package: str) -> None:
        self.phone, self.package = phone, package
        self.target = f"sip:{user}@{phone.server.domain}"
        self.to = ""
        self.call_id, self.tag, self.told, self.number = token(), token(), 0, 0

    def subscribe(self, expires: int) -> int:
        self.number += 1
        headers = [
            ("Event", self.package),
            ("Expires", str(expires)),
            ("Contact", f"<{self.phone.contact}>"),
        ]
        answer = self.phone.ask(
            "SUBSCRIBE", self.target, to=self.to, call_id=self.call_id, tag=self.tag, cseq=self.number,
            headers=headers,
        )  # fmt: skip
        if answer.status == 200:
            self.to = answer.get("to")
            self.target = uri_in(answer.get("contact"))
        return answer.status

    def hear(self) -> None:
        notify = self.phone.expect("NOTIFY", call_id=self.call_id)
        self.phone.respond(notify, 200)
        self.told += 1


async def row(operator: Operator, *, notified: int) -> dict[str, object]:
    """Return the only row, once the screen shows that its watcher was told so often."""
    screen = operator.app.view
    assert isinstance(screen, SubscriptionsScreen)
    screen.look()
    await operator.until(lambda: [one["notified"] for one in screen.table.all] == [notified])
    (only,) = screen.table.all
    return dict(only)


async def test_a_phone_that_watches_is_seen_is_told_and_leaves(server: CentrexServer) -> None:
    with SipClient("wanda", server) as wanda, SipClient("1002", server) as watched:
        lamp = Lamp(wanda, "1002", "reg")
        async with dashboard(opener=opener_of(server), size=LARGE) as operator:
            await operator.press("7")
            await operator.sees("Watchers – 0", "nobody watches")
            assert await asyncio.to_thread(lamp.subscribe, 600) == 200
            await asyncio.to_thread(lamp.hear)
            shown = await operator.sees("Watchers – 1", "wanda", "1002@", "reg", "active")
            assert wanda.sent_by in shown
            await row(operator, notified=1)
            await asyncio.to_thread(watched.register)
            await asyncio.to_thread(lamp.hear)
            told = await row(operator, notified=2)
            assert 500 < int(str(told["expires_s"])) <= 600
            assert await asyncio.to_thread(lamp.subscribe, 0) == 200
            await asyncio.to_thread(lamp.hear)
            await operator.sees("Watchers – 0", "nobody watches")
            await operator.app.feed.close()


@pytest.mark.parametrize(
    ("name", "status", "shown"),
    [
        ("w\u202egpj", 200, r"w\u202egpj"),
        ("w%1b%5b2J%e2%80%ae", 200, "w%1b%5b2J%e2%80%ae"),
        ("w\x1b[2J", 400, "nobody watches"),
    ],
)
async def test_a_name_made_to_deceive_does_not(
    server: CentrexServer, name: str, status: int, shown: str
) -> None:
    with SipClient("wanda", server) as wanda:
        wanda.user, wanda.aor = name, f"sip:{name}@{server.domain}"
        lamp = Lamp(wanda, "1002", "dialog")
        assert await asyncio.to_thread(lamp.subscribe, 600) == status
        async with dashboard(opener=opener_of(server), size=LARGE) as operator:
            await operator.press("7")
            await operator.sees("Watchers –", shown)
            assert "\u202e" not in text(operator.app)
            await operator.app.feed.close()
