"""The dashboard on a real engine, inside and attached: what is shown is what is, and what is set is obeyed."""

import asyncio
import tomllib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from centrex import api
from tests.support.screens import LARGE, Operator, dashboard, text
from tests.support.server import CentrexServer
from tests.support.sipclient import SipClient
from tui.run import Opener

pytestmark = [pytest.mark.anyio, pytest.mark.slow, pytest.mark.wire, pytest.mark.timeout(90)]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def paths_of(server: CentrexServer, monkeypatch: pytest.MonkeyPatch) -> api.InstancePaths:
    monkeypatch.setenv("CENTREX_ROOT", server._root.name)
    return api.instance_paths("", server.config)


@pytest.fixture
async def inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[CentrexServer]:
    """A configuration whose engine the dashboard runs itself."""
    server = CentrexServer(tmp_path, users=("1001", "1002"))
    written = server.config.read_text()
    server.config.write_text("# ours, not to be lost\n" + written)
    paths_of(server, monkeypatch)
    try:
        yield server
    finally:
        server._root.cleanup()


def opener_of(server: CentrexServer) -> Opener:
    paths = api.instance_paths("", server.config)
    return Opener(paths, lambda: api.ConfigSource(path=server.config))


async def leave(operator: Operator) -> None:
    """Close the dashboard as an operator does."""
    await operator.app.feed.close()


async def type_into(operator: Operator, text_typed: str) -> None:
    await operator.press(text_typed, "enter")


async def test_a_login_made_here_may_register_and_is_seen(inside: CentrexServer) -> None:
    async with dashboard(opener=opener_of(inside), size=LARGE) as operator:
        await operator.sees("in-process", "server.started")
        await operator.press("colon")
        await type_into(operator, "config auth")
        await operator.sees("Logins – 2")
        await operator.press("tab", "tab", "a", "1003", "enter", "s")
        await operator.sees("Password of 1003")
        await operator.press("enter")
        await operator.sees("Logins – 3")
        await operator.press("v")
        await operator.sees("In the file", '+login = "1003"')
        assert "✗" not in text(operator.app).partition("In the file")[0].partition("Review")[2]
        await operator.press("a")
        await operator.sees("shown only now")
        await operator.press("y", "enter")
        login, _, password = operator.app.clipboard.strip().partition("\t")
        assert login == "1003"
        with SipClient("1003", inside, password=password) as phone:
            answer = await asyncio.to_thread(phone.register)
            assert answer.status == 200
            await operator.press("3")
            await operator.sees("1003", phone.sent_by)
            await operator.press("d", "y")
            await operator.sees("removed 1", "no phone is registered")
        await leave(operator)
    told = inside.config.read_text()
    assert told.startswith("# ours, not to be lost\n")
    assert [row["login"] for row in tomllib.loads(told)["auth"]["credentials"]][-1] == "1003"
    assert password not in told


async def test_a_route_made_here_leads_calls_and_the_ladder_shows_them(
    inside: CentrexServer,
) -> None:
    async with dashboard(opener=opener_of(inside), size=LARGE) as operator:
        await operator.sees("server.started")
        operator.app.obey("config routing")
        await operator.sees("Routing plans – 0")
        await operator.press("tab", "tab", "a", "300", "enter")
        screen = operator.app.screen
        await operator.press("j")
        while screen.query_one("FieldRows").chosen["key"] != "destinations":  # type: ignore[attr-defined]
            await operator.press("j")
        await operator.press("enter", "1002", "enter", "s")
        await operator.sees("Routing plans – 1")
        await operator.press("v")
        await operator.sees("In the file")
        await operator.press("a")
        await operator.sees("applied")
        with SipClient("1001", inside) as caller, SipClient("1002", inside) as callee:

            def call() -> str:
                caller.register()
                callee.register()
                going = caller.invite("300")
                coming = callee.incoming()
                coming.respond(180)
                coming.answer()
                going.ack(going.expect(200))
                return going.call_id

            call_id = await asyncio.to_thread(call)
            await operator.press("4")
            await operator.sees("● up", "1001", "300")
            await operator.press("enter")
            await operator.sees("INVITE 300", "180 Ringing", "200 OK", "◆", call_id)
            await operator.press("escape")
            await operator.sees("● up")
            await operator.press("e", "y")
            await operator.sees("no call is in progress")
            await asyncio.to_thread(callee.expect, "BYE")
        await leave(operator)


async def test_what_is_not_confirmed_is_rolled_back(
    inside: CentrexServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tui.screens.applying.CONFIRM_S", 2)
    before = inside.config.read_text()
    async with dashboard(opener=opener_of(inside)) as operator:
        await operator.sees("server.started")
        operator.app.obey("config timeouts")
        await operator.sees("Call Processing Timeouts", "s")
        await operator.sees("20 s")
        await operator.press("tab", "enter", "33", "enter")
        await operator.sees("33 s")
        await operator.press("v")
        await operator.sees("In the file", "33")
        await operator.press("c")
        await operator.until(lambda: inside.config.read_text() != before)
        await operator.sees("rolled back")
        await operator.until(lambda: inside.config.read_text() == before, patience_s=15)
        await leave(operator)


async def test_some_thousand_rows_are_shown_and_stop_nothing(inside: CentrexServer) -> None:
    async with dashboard(opener=opener_of(inside)) as operator:
        await operator.sees("server.started")
        rows = "".join(f'[[directory.entries]]\nname = "n{at}"\n' for at in range(4000))
        inside.config.write_text(inside.config.read_text() + rows)
        changed = await operator.app.feed.ask("reload")
        assert len(changed["changed"]) >= 4000
        operator.app.feed.look()
        operator.app.obey("config directory")
        await operator.sees("4000", "n0", patience_s=30)
        events = await operator.app.feed.ask("events.recent", {"limit": 1000})
        names = [row["name"] for row in events["rows"]]
        assert "server.reloaded" in names
        assert names.count("server.started") == 1
        assert "server.stopping" not in names
        await leave(operator)


async def test_a_service_is_watched_and_changed_by_two_and_stopped_by_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with CentrexServer(tmp_path, users=("1001", "1002")) as server:
        paths = paths_of(server, monkeypatch)
        other = await api.attach(paths)
        async with dashboard(opener=Opener(paths, None)) as operator:
            await operator.sees("attached", "server.started")
            with SipClient("1001", server) as phone:
                await asyncio.to_thread(phone.register)
            await operator.sees("registration.added")
            recent = await other.ask("events.recent", {"limit": 10})
            assert recent["rows"][-1]["name"] == "registration.added"
            # both edit; the second to apply is told
            operator.app.obey("config timeouts")
            await operator.sees("20 s")
            await operator.press("tab", "enter", "40", "enter")
            await operator.sees("40 s")
            seen = (await other.ask("config.open"))["fingerprint"]
            theirs = {"op": "set", "key": "timeouts.rollover", "value": 25}
            await other.ask("config.apply", {"fingerprint": seen, "changes": [theirs]})
            await operator.press("v")
            await operator.sees("was changed by somebody else meanwhile")
            await operator.press("enter")
            await operator.sees("In the file", "40")
            await operator.press("a")
            await operator.sees("applied")
            await leave(operator)
        await other.close()
        assert server.alive
        assert tomllib.loads(server.config.read_text())["timeouts"]["rollover"] == 40


async def test_a_service_that_ends_is_not_replaced_and_found_again_when_it_is_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with CentrexServer(tmp_path, users=("1001",)) as server:
        paths = paths_of(server, monkeypatch)
        opener = Opener(paths, lambda: api.ConfigSource(path=server.config))
        async with dashboard(opener=opener) as operator:
            await operator.sees("attached")
            await asyncio.to_thread(server.stop)
            await operator.sees("✗ away")
            await asyncio.to_thread(server.start)
            await operator.sees_no_more("✗ away", patience_s=20)
            assert operator.app.is_remote
            await leave(operator)


async def test_an_engine_that_was_stopped_stays_so_until_somebody_starts_it(
    inside: CentrexServer,
) -> None:
    paths = api.instance_paths("", inside.config)
    async with dashboard(opener=opener_of(inside)) as operator:
        await operator.sees("server.started")
        await asyncio.to_thread(api.call, paths, "stop")
        await operator.sees("The server was stopped", patience_s=20)
        assert api.is_lock_free(paths)
        await operator.press("r")
        await operator.sees_no_more("The server was stopped", patience_s=20)
        await operator.sees("in-process")
        assert not api.is_lock_free(paths)
        await leave(operator)


async def test_an_engine_that_cannot_start_says_why(inside: CentrexServer) -> None:
    inside.config.write_text("[network]\ndomian = 'x'\n")
    async with dashboard(opener=opener_of(inside), begun="There is no server to show") as operator:
        await operator.sees("did you mean network.domain?")


async def test_the_engine_waits_where_the_settings_say_so(inside: CentrexServer) -> None:
    inside.config.write_text(
        inside.config.read_text().replace("[basic]", "[basic]\nstart_engine = false")
    )
    async with dashboard(opener=opener_of(inside), begun="The server is not started") as operator:
        await operator.press("r")
        await operator.sees("server.started")
        await leave(operator)
