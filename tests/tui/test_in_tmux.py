"""The program in tmux with two phones: what an operator does on an ordinary day."""

import contextlib
import os
import shlex
import subprocess
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.phones import INCOMING, REGISTERED, UP, Baresip
from tests.support.server import COMMAND, ROOT, CentrexServer

pytestmark = [
    pytest.mark.slow,
    pytest.mark.wire,
    pytest.mark.timeout(180),
    pytest.mark.peer("tmux", "baresip"),
]


class Tmux:
    """A tmux server of its own with one window for each program."""

    def __init__(self, folder: Path) -> None:
        self._socket = str(folder / "tmux")
        self._env = {**os.environ, "TERM": "xterm-256color"}

    def _run(self, *words: str) -> str:
        command = ["tmux", "-f", "/dev/null", "-S", self._socket, *words]
        done = subprocess.run(
            command, env=self._env, cwd=ROOT, check=True, capture_output=True, timeout=20
        )
        return done.stdout.decode()

    def open(self, name: str, command: list[str], size: tuple[int, int]) -> None:
        columns, rows = map(str, size)
        words = " ".join(map(shlex.quote, command))
        line = f"{words}; echo ended with $?; exec sleep 600"
        self._run("new-session", "-d", "-s", name, "-x", columns, "-y", rows, line)

    def press(self, name: str, *keys: str) -> None:
        for key in keys:
            self._run("send-keys", "-t", name, key)
            time.sleep(0.15)

    def type(self, name: str, text: str) -> None:
        self._run("send-keys", "-t", name, "-l", text)

    def screen(self, name: str) -> str:
        return self._run("capture-pane", "-p", "-t", name)

    def sees(self, name: str, *words: str, patience_s: float = 30.0) -> str:
        end = time.monotonic() + patience_s
        shown = ""
        while time.monotonic() < end:
            shown = self.screen(name)
            if all(word in shown for word in words):
                return shown
            time.sleep(0.1)
        raise AssertionError(f"{words} are not on the screen:\n{shown}")

    def sees_one(self, name: str, *words: str, patience_s: float = 30.0) -> str:
        end = time.monotonic() + patience_s
        while time.monotonic() < end:
            shown = self.screen(name)
            for word in words:
                if word in shown:
                    return word
            time.sleep(0.1)
        raise AssertionError(f"none of {words} is on the screen:\n{self.screen(name)}")

    def close(self) -> None:
        with contextlib.suppress(subprocess.CalledProcessError):
            self._run("kill-server")


@pytest.fixture
def tmux(tmp_path: Path) -> Iterator[Tmux]:
    one = Tmux(tmp_path)
    try:
        yield one
    finally:
        one.close()


def program(server: CentrexServer, *words: str) -> list[str]:
    return [
        "env", f"CENTREX_ROOT={server._root.name}", *COMMAND, *words,
        "--config", str(server.config),
    ]  # fmt: skip


def test_two_phones_a_call_its_ladder_a_route_and_good_night(tmp_path: Path, tmux: Tmux) -> None:
    server = CentrexServer(
        tmp_path / "server", users=("1001", "1002"), overrides={"auth.algorithms": ["MD5"]}
    )
    try:
        tmux.open("desk", program(server), (120, 36))
        tmux.sees("desk", "server.started", "in-process")
        with (
            Baresip("1001", server, tmp_path) as caller,
            Baresip("1002", server, tmp_path) as callee,
        ):
            caller.await_(REGISTERED)
            callee.await_(REGISTERED)
            tmux.sees("desk", "registration.added", "now 2")
            tmux.press("desk", "3")
            tmux.sees("desk", "Phones – 2", "1001", "1002", "baresip")
            caller.dial("1002")
            callee.await_(INCOMING)
            tmux.press("desk", "4")
            tmux.sees("desk", "~ ringing")
            callee.accept()
            caller.await_(UP)
            tmux.sees("desk", "● up")
            tmux.press("desk", "Enter")
            tmux.sees("desk", "INVITE 1002", "180", "200", "◆")
            tmux.press("desk", "q")
            tmux.sees("desk", "Stop the server?")
            tmux.press("desk", "n")
            caller.hang_up()
            tmux.press("desk", "Escape")
            tmux.sees("desk", "Calls –")  # or Escape would be one key with the next
            tmux.press("desk", "1")
            tmux.sees("desk", "call.ended")
            # a route, and a call by it
            tmux.press("desk", ":")
            tmux.type("desk", "config routing")
            tmux.press("desk", "Enter")
            tmux.sees("desk", "Routing plans – 0")
            tmux.press("desk", "Tab", "Tab", "a")
            tmux.sees("desk", "A new row")
            tmux.type("desk", "300")
            tmux.press("desk", "Enter", "j", "j")
            tmux.sees("desk", "Tried in this order")
            tmux.press("desk", "Enter")
            tmux.type("desk", "1002")
            tmux.press("desk", "Enter", "s")
            tmux.sees("desk", "Routing plans – 1")
            tmux.press("desk", "v")
            tmux.sees("desk", "In the file")
            tmux.press("desk", "a")
            tmux.sees("desk", "applied")
            caller.dial("300")
            callee.await_(INCOMING)
            callee.accept()
            caller.await_(UP)
            caller.hang_up()
            tmux.press("desk", "4")
            tmux.sees("desk", "no call is in progress")
        tmux.press("desk", "q")
        if tmux.sees_one("desk", "ended with 0", "Stop the server?") == "Stop the server?":
            tmux.press("desk", "y")  # the figures may be those of a second ago, with the call
        tmux.sees("desk", "ended with 0")
        plans = tomllib.loads(server.config.read_text())["routing"]["plans"]
        assert [plan["name"] for plan in plans] == ["300"]
    finally:
        server.kill_relay()
        server._root.cleanup()


def test_two_terminals_on_one_service(tmp_path: Path, tmux: Tmux) -> None:
    with CentrexServer(tmp_path / "server", users=("1001",)) as server:
        tmux.open("one", program(server), (80, 24))
        tmux.open("two", program(server, "attach", "--read-only"), (200, 60))
        tmux.sees("one", "attached", "server.started")
        tmux.sees("two", "read-only", "server.started")
        tmux.press("one", "q")
        tmux.sees("one", "ended with 0")
        tmux.press("two", "q")
        tmux.sees("two", "ended with 0")
        assert server.alive
