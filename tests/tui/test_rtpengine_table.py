"""rtpengine's instances as a table on the tab of the media, by keys; what is applied is obeyed."""

import socket
import tomllib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from centrex import api
from tests.support.pretend import Pretend
from tests.support.screens import LARGE, SMALL, Operator, dashboard, text
from tests.support.server import CentrexServer
from tests.tui.test_configuration import opened, wishes
from tui.run import Opener
from tui.screens.config import ConfigScreen

pytestmark = [pytest.mark.anyio, pytest.mark.slow, pytest.mark.timeout(90)]
SIZES = pytest.mark.parametrize("size", [SMALL, LARGE], ids=["80x24", "200x60"])
LIST = "media.rtpengine"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def pretended() -> Pretend:
    instance = Pretend()
    instance.opened["values"]["media"]["rtpengine"] = [
        {"address": f"udp:192.0.2.{number}:2223", "enabled": number != 2} for number in (1, 2, 3)
    ]
    return instance


async def at_the_table(operator: Operator) -> ConfigScreen:
    screen = await opened(operator, "media")
    await operator.press("tab", "tab")
    await operator.until(lambda: screen.in_list)
    return screen


def addresses(screen: ConfigScreen) -> list[str]:
    return [str(row["address"]) for row in screen.draft.rows(LIST)]


@SIZES
async def test_the_table_looks_as_it_did(size: tuple[int, int]) -> None:
    async with dashboard(pretended(), size=size) as operator:
        await at_the_table(operator)
        await operator.press("j", "J")
        await operator.sees("rtpengine addresses – 3", "moved", "✗ off")
        await operator.pilot.pause(0.2)
        await operator.matches(f"rtpengine-table-{size[0]}x{size[1]}")


@SIZES
async def test_an_instance_is_added_and_its_address_judged_while_it_is_typed(
    size: tuple[int, int],
) -> None:
    instance = pretended()
    async with dashboard(instance, size=size) as operator:
        screen = await at_the_table(operator)
        await operator.press("a", "192.0.2.9")
        await operator.sees("A new row of rtpengine addresses", "must be udp:host:port")
        await operator.press("enter")
        await operator.sees("must be udp:host:port")
        await operator.press("home", "udp:", "end", ":99999")
        await operator.sees("needs a port from 1 to 65535")
        await operator.press("backspace", "backspace", "enter", "s")
        await operator.until(lambda: len(addresses(screen)) == 4)
        await operator.until(lambda: bool(instance.commands("config.preview")))
        (change,) = wishes(instance, "config.preview")
        assert (change["op"], change["list"]) == ("add", LIST)
        assert change["value"] == {"address": "udp:192.0.2.9:999", "enabled": True}


@SIZES
async def test_instances_are_edited_deleted_moved_switched_doubled_and_brought_back(
    size: tuple[int, int],
) -> None:
    instance = pretended()
    one, two, three = (f"udp:192.0.2.{number}:2223" for number in (1, 2, 3))
    async with dashboard(instance, size=size) as operator:
        screen = await at_the_table(operator)
        await operator.press("space")
        await operator.until(lambda: not screen.draft.rows(LIST)[0]["enabled"])
        await operator.press("J")
        await operator.until(lambda: addresses(screen) == [two, one, three])
        await operator.press("K")
        await operator.until(lambda: addresses(screen) == [one, two, three])
        await operator.press("g", "x")
        await operator.sees("Delete this row?", one)
        await operator.press("y")
        await operator.until(lambda: addresses(screen) == [two, three])
        await operator.press("u")
        await operator.until(lambda: addresses(screen) == [one, two, three])
        await operator.press("g", "c")
        await operator.sees("A row like that one")
        await operator.press("end", *["backspace"] * 4, "2224", "enter", "s")
        await operator.until(lambda: len(addresses(screen)) == 4)
        assert addresses(screen)[1] == "udp:192.0.2.1:2224"
        await operator.press("e")
        await operator.sees("Row 2")
        await operator.press("enter", "udp:[2001:db8::7]:2225", "enter", "s")
        await operator.until(lambda: addresses(screen)[1] == "udp:[2001:db8::7]:2225")
        await operator.press("slash", "2001", "enter")
        await operator.sees("rtpengine addresses – 4", "1 pass /2001")
        assert len(screen.table.shown) == 1


async def test_what_is_wrong_with_an_instance_stands_at_its_row() -> None:
    instance = pretended()
    why = "udp:192.0.2.1:2223 is named twice"
    instance.preview["problems"] = [{"key": f"{LIST}[1]", "message": why}]
    async with dashboard(instance, size=LARGE) as operator:
        await at_the_table(operator)
        await operator.press("space")
        await operator.sees("✗ wrong")
        await operator.press("j")
        await operator.sees(f"✗ {why}")


async def test_the_tab_tells_how_the_relays_are_and_5_leads_to_them() -> None:
    async with dashboard(pretended(), size=LARGE) as operator:
        await opened(operator, "media")
        await operator.sees("5 relays: frankfurt ✗ silent · embedded ● available")
        await operator.press("5")
        await operator.sees("Media relays", "frankfurt")


@pytest.fixture
async def inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[CentrexServer]:
    """A configuration with instances that have remarks, whose engine the dashboard runs itself."""
    server = CentrexServer(tmp_path, users=("1001",))
    monkeypatch.setenv("CENTREX_ROOT", server._root.name)
    try:
        yield server
    finally:
        server._root.cleanup()


def asked(sock: socket.socket) -> bool:
    """Return whether somebody asked something here."""
    try:
        return bool(sock.recv(65_535))
    except BlockingIOError:
        return False


async def are_asked(operator: Operator, *socks: socket.socket) -> None:
    """Wait until each was asked whether it is there."""
    for sock in socks:
        await operator.until(lambda sock=sock: asked(sock), "a question")  # type: ignore[misc]


@pytest.mark.wire
async def test_what_is_applied_stands_in_the_file_and_the_engine_obeys(
    inside: CentrexServer,
) -> None:
    socks = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(3)]
    for sock in socks:
        sock.bind(("127.0.0.1", 0))
        sock.setblocking(False)
    first, second, third = (f"udp:127.0.0.1:{sock.getsockname()[1]}" for sock in socks)
    media = (
        f'\n[media]\nmode = "always"\nbackend = "rtpengine"\nrtpengine = [\n  # the old one\n'
        f'  "{first}",  # cellar\n  # the new one\n  "{second}",  # attic\n]\n'
    )
    told, is_there, rest = inside.config.read_text().partition('\n[media]\nmode = "never"\n')
    assert is_there
    inside.config.write_text(told + media + rest)
    opener = Opener(
        api.instance_paths("", inside.config), lambda: api.ConfigSource(path=inside.config)
    )
    async with dashboard(opener=opener, size=LARGE) as operator:
        await operator.sees("server.started")
        await are_asked(operator, socks[0], socks[1])
        await at_the_table(operator)
        await operator.sees(first, second)
        await operator.press("J", "g", "space", "a", third, "enter", "s")
        await operator.sees("rtpengine addresses – 3")
        await operator.press("v")
        await operator.sees("In the file", f'+  "{third}"')
        assert "✗" not in text(operator.app).partition("Review")[2]
        await operator.press("a")
        await operator.sees("applied")
        await operator.app.feed.close()
    written = inside.config.read_text()
    assert written.startswith(told)
    off = f'{{address = "{second}", enabled = false}}'
    assert (
        f"rtpengine = [\n  # the new one\n  {off},  # attic\n  # the old one\n"
        f'  "{first}",  # cellar\n  "{third}",\n]\n'
    ) in written
    tomllib.loads(written)
    for sock in socks:
        while asked(sock):
            continue
    async with dashboard(opener=opener, size=LARGE) as operator:
        await are_asked(operator, socks[0], socks[2])
        operator.app.go("relays")
        await operator.sees(first, third)
        assert not asked(socks[1])
        assert second not in text(operator.app)
        await operator.app.feed.close()
    for sock in socks:
        sock.close()
