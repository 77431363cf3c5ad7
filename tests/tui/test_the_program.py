"""The program as installed, in a terminal of its own: it starts, costs little, ends cleanly."""

import os
import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.server import COMMAND, CentrexServer, cpu_s
from tests.support.terminal import Terminal

pytestmark = [pytest.mark.slow, pytest.mark.wire, pytest.mark.timeout(120)]

SCREEN_LEFT = b"\x1b[?1049l"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[CentrexServer]:
    one = CentrexServer(tmp_path, users=("1001",))
    try:
        yield one
    finally:
        if one.alive:
            one.stop()
        one.kill_relay()
        one._root.cleanup()


def opened(server: CentrexServer, *words: str, **env: str) -> Terminal:
    return Terminal(
        [*COMMAND, *words, "--config", str(server.config)],
        env={"CENTREX_ROOT": server._root.name, **env},
    )


def test_it_starts_with_the_engine_inside_shows_it_and_ends_with_it(server: CentrexServer) -> None:
    with opened(server) as terminal:
        terminal.sees("Statistics", "server.started", "in-process")
        assert server.status()["state"] == "running"
        terminal.press("q")
        assert terminal.ends() == 0
        assert SCREEN_LEFT in terminal.output
    code, _, _ = server.command("status")
    assert code == 3


def test_it_attaches_to_the_one_that_runs_and_stops_nothing(server: CentrexServer) -> None:
    server.start()
    with opened(server) as first, opened(server, "attach", "--read-only") as second:
        first.sees("server.started", "attached")
        second.sees("server.started", "read-only")
        first.press("q")
        assert first.ends() == 0
        second.press(":", "q", "enter")
        assert second.ends() == 0
    assert server.alive


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_it_ends_by_a_signal_and_leaves_the_terminal_as_it_was(
    server: CentrexServer, number: signal.Signals
) -> None:
    with opened(server) as terminal:
        terminal.sees("server.started")
        os.kill(terminal.pid, number)
        assert terminal.ends() == 0
        assert SCREEN_LEFT in terminal.output
    assert server.command("status")[0] == 3


@pytest.mark.parametrize("told", [True, False], ids=["SIGHUP", "untold"])
@pytest.mark.parametrize("keys", [(), ("2",), (":", "config auth", "enter")], ids=" ".join)
def test_it_ends_when_its_terminal_is_taken_away(
    server: CentrexServer, keys: tuple[str, ...], *, told: bool
) -> None:
    """Whoever draws must not wait for a terminal that takes nothing any more."""
    with opened(server) as terminal:
        terminal.sees("server.started")
        terminal.press(*keys)
        terminal.hang_up()
        if told:
            os.kill(terminal.pid, signal.SIGHUP)
        terminal.ends(20.0)
    assert server.command("status")[0] == 3


def test_the_first_paint_and_an_idle_minute_cost_little(server: CentrexServer) -> None:
    server.start()
    with opened(server, "attach") as terminal:
        terminal.sees("Statistics")
        assert cpu_s(terminal.pid) <= 1.0  # of its own time, whatever else the machine does
        terminal.sees("server.started")
        terminal.read(2.0)
        began, spent = time.monotonic(), cpu_s(terminal.pid)
        while time.monotonic() - began < 6.0:
            terminal.read(0.5)
        share = (cpu_s(terminal.pid) - spent) / (time.monotonic() - began)
        assert share <= 0.03
        terminal.press("q")
        terminal.ends()


def test_without_colours_there_are_none(server: CentrexServer) -> None:
    with opened(server, NO_COLOR="1", COLORTERM="truecolor") as terminal:
        terminal.sees("server.started")
        terminal.press("3", "2")
        terminal.rests()
        terminal.press("q")
        terminal.ends()
    styles = {
        part for one in re.findall(rb"\x1b\[([\d;]*)m", terminal.output) for part in one.split(b";")
    }
    assert b"7" in styles, "what is chosen is reversed"
    colours = {*range(30, 39), *range(40, 49), *range(90, 98), *range(100, 108)}
    assert not {one for one in styles if one and int(one) in colours}
