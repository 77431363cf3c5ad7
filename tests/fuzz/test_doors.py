"""Whatever is said at the other doors: no fault inside, one answer each, and nothing is left."""

import xml.etree.ElementTree as ET
from pathlib import Path

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from centrex import api
from centrex.base import Refused
from centrex.runtime.http_server import HttpServer
from centrex.runtime.phonebook import Entry, pages
from tests.fuzz.run import internal_errors
from tests.support.fuzz_doors import ControlFuzz
from tests.support.fuzz_plane import PlaneFuzz
from tests.support.planes import World
from tests.support.server import CentrexServer
from tests.support.wire import control


@pytest.mark.timeout(120)
@pytest.mark.parametrize("seed", [1, 2])
def test_whatever_is_said_on_the_control_socket(tmp_path: Path, seed: int) -> None:
    with CentrexServer(tmp_path, users=["user1"]) as server:
        with pytest.raises(Refused) as refused:
            control(server, "no such command")
        known = str(refused.value).partition(": ")[2].split(", ")
        commands = [command for command in known if command != "stop"]
        assert len(commands) > 20
        root = {"CENTREX_ROOT": server._root.name}
        paths = api.instance_paths("", server.config, env=root)
        fuzz = ControlFuzz(paths.control, commands, seed)
        fuzz.run(2500)
        assert control(server, "status")["state"] == "running"
        assert fuzz.answers["result"] > 100, fuzz.answers
        assert fuzz.answers["invalid"] > 100, fuzz.answers
        assert internal_errors(server.log.read_text(errors="replace").splitlines()) == ()


@pytest.mark.parametrize("in_kernel", [False, True])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_whatever_a_relay_is_told_and_sent(seed: int, in_kernel: bool) -> None:
    world = World()
    try:
        fuzz = PlaneFuzz(world, seed, in_kernel=in_kernel)
        fuzz.run(1500)
        assert fuzz.counts["not put"] < fuzz.counts["_change"]
        fuzz.rest()
    finally:
        world.close()


heads = st.lists(
    st.binary(max_size=20)
    | st.sampled_from(
        [b"GET ", b"HEAD ", b"/yealink.xml", b"/cisco.xml?q=", b"/phonebook.json?q=%ff%00", b" HTTP/1.1",
         b"http://", b"\r\n", b"\r\n\r\n", b"%", b"&q=" * 20, b"q" * 9000, b"\xed\xa0\x80", b"?q=\x85"]
    ),
    max_size=12,
).map(b"".join)  # fmt: skip


@given(heads)
def test_whatever_is_asked_of_the_phone_book(head: bytes) -> None:
    book = [Entry("1001", "Ada <\x1b> \u2028", "", here=True)]
    server = HttpServer(pages(lambda: lambda: book), "the phone book")
    page = anyio.run(server.reply, head)
    assert page.status in {200, 400, 404, 405, 431}
    if page.status == 200 and page.kind.startswith("text/xml"):
        ET.fromstring(page.body)
