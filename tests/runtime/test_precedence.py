"""Calls go first while somebody watches, where the system lets them."""

import errno
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import anyio.to_thread
import pytest

from centrex.runtime.precedence import NICE, Precedence
from centrex.runtime.relay import plane
from tests.support.engine import instance
from tests.support.planes import World
from tests.support.server import COMMAND, CentrexServer
from tests.support.wire import until

_GROUP = Path("/proc/self/autogroup")
AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="takes the right to a nice value below 0")
_IN_A_SESSION = """
import json, os, sys, time
from pathlib import Path
from centrex.runtime.precedence import Precedence
group = Path(sys.argv[1])
told = []
def tell():
    told.append([os.getpriority(os.PRIO_PROCESS, 0), group.read_text()])
precedence = Precedence(group)
tell()
for step in sys.argv[2:]:
    time.sleep(0.2) if step == "rest" else getattr(precedence, step)()
    tell()
print(json.dumps(told))
"""


def steps(group: Path, *names: str, within: tuple[str, ...] = (), **how: Any) -> list[list[Any]]:
    """Return the nice values of a process and its session, at first and after each step."""
    command = [*within, sys.executable, "-c", _IN_A_SESSION, str(group), *names]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=20, **how)
    told: list[list[Any]] = json.loads(done.stdout)
    return told


@AS_ROOT
def test_both_are_raised_and_put_back(tmp_path: Path) -> None:
    group = tmp_path / "autogroup"
    group.write_text("/autogroup-12 nice 3")
    found = steps(group, "take", "take", "give_back", "give_back", start_new_session=True)
    nice = found[0][0]
    assert [own for own, _ in found] == [nice, NICE, NICE, nice, nice]
    assert [of for _, of in found] == ["/autogroup-12 nice 3", "-10", "-10", "3", "3"]


@AS_ROOT
def test_the_session_of_a_shell_is_left_alone(tmp_path: Path) -> None:
    group = tmp_path / "autogroup"
    group.write_text("/autogroup-12 nice 0")
    found = steps(group, "take", "give_back")
    assert found[1] == [NICE, "/autogroup-12 nice 0"]
    assert found[2][0] == found[0][0]


@AS_ROOT
def test_who_goes_first_already_is_not_held_back(tmp_path: Path) -> None:
    group = tmp_path / "autogroup"
    group.write_text("/autogroup-12 nice -15")
    before = os.getpriority(os.PRIO_PROCESS, 0)
    command = [
        "nice",
        "-n",
        str(-12 - before),
        sys.executable,
        "-c",
        _IN_A_SESSION,
        str(group),
        "take",
    ]
    done = subprocess.run(
        command, capture_output=True, text=True, check=True, timeout=20, start_new_session=True
    )
    assert {tuple(one) for one in json.loads(done.stdout)} == {(-12, "/autogroup-12 nice -15")}


@AS_ROOT
@pytest.mark.skipif(
    not (_GROUP.exists() and shutil.which("setpriv")), reason="takes sessions that are scheduled"
)
def test_a_session_is_put_back_however_soon() -> None:
    """Whoever is not all of root may change one in a tenth of a second, system-wide."""
    found = steps(
        _GROUP, "take", "give_back", *("rest", "insist") * 5,
        within=("setpriv", "--bounding-set", "-all,+sys_nice", "--inh-caps", "-all"),
        start_new_session=True,
    )  # fmt: skip
    nice = [of.rpartition(" ")[2].strip() for _, of in found]
    assert nice[-1] == nice[0] != str(NICE)


@pytest.fixture
def puts_off(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Whether the system puts off what is asked of it: it does."""
    real, later = Path.write_text, [True]

    def write(path: Path, text: str, **more: Any) -> int:
        if later[0] and path.name == "autogroup":
            raise BlockingIOError(errno.EAGAIN, "later")
        return real(path, text, **more)

    monkeypatch.setattr(os, "setpriority", lambda *_: None)
    monkeypatch.setattr(os, "getsid", lambda _: os.getpid())
    monkeypatch.setattr(Path, "write_text", write)
    return later


@pytest.fixture
def group(tmp_path: Path) -> Path:
    path = tmp_path / "autogroup"
    path.write_bytes(b"/autogroup-12 nice 3")
    return path


def test_what_the_system_puts_off_is_asked_for_again(group: Path, puts_off: list[bool]) -> None:
    precedence = Precedence(group)
    precedence.insist()
    precedence.take()
    assert precedence.state == "raised", "it is going to be"
    precedence.insist()
    assert group.read_text() == "/autogroup-12 nice 3"
    puts_off[0] = False
    precedence.insist()
    assert group.read_text() == "-10"
    puts_off[0] = True
    precedence.give_back()
    precedence.take()
    precedence.give_back()
    puts_off[0] = False
    precedence.insist()
    assert group.read_text() == "3", "as it was at first"


def test_a_relay_asks_again(
    group: Path, puts_off: list[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plane, "Precedence", lambda: Precedence(group))
    world = World()
    made = world.plane()
    until(lambda: made._precedence.state == "raised", timeout=10)
    puts_off[0] = False
    until(lambda: group.read_text() == "-10", timeout=10)
    world.close()


@pytest.mark.wire
async def test_a_server_asks_again(tmp_path: Path, group: Path, puts_off: list[bool]) -> None:
    async with instance(tmp_path, {}) as made, made.running() as engine:
        engine.precedence = Precedence(group)
        engine._watched(True)
        puts_off[0] = False
        await anyio.to_thread.run_sync(until, lambda: group.read_text() == "-10")


def test_a_kernel_without_sessions_of_their_own(tmp_path: Path) -> None:
    precedence = Precedence(tmp_path / "missing")
    nice = os.getpriority(os.PRIO_PROCESS, 0)
    precedence.take()
    if os.geteuid() == 0:
        assert os.getpriority(os.PRIO_PROCESS, 0) == min(nice, NICE)
    precedence.give_back()
    assert os.getpriority(os.PRIO_PROCESS, 0) == nice


def test_without_the_right_all_stays_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: Any) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "setpriority", refused)
    monkeypatch.setattr(os, "getsid", lambda _: os.getpid())
    precedence = Precedence(tmp_path / "autogroup")
    (tmp_path / "autogroup").write_text("/autogroup-12 nice 0")
    (tmp_path / "autogroup").chmod(0o400)
    monkeypatch.setattr(Path, "write_text", refused)
    assert Precedence(tmp_path).state == ""
    precedence.take()
    precedence.give_back()
    assert (tmp_path / "autogroup").read_text() == "/autogroup-12 nice 0"
    assert precedence.state == "refused"


@pytest.mark.wire
async def test_that_the_right_is_lacking_is_told_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: Any) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "setpriority", refused)
    monkeypatch.setattr(os, "getpriority", lambda *_: 0)
    async with instance(tmp_path, {}) as made, made.running() as engine:
        assert (await made.ask("status"))["precedence"] == ""
        for begins in (True, False, True, False):
            engine._watched(begins)
        assert (await made.ask("status"))["precedence"] == "refused"
    assert made.log.count("server.no-precedence") == 1
    assert "LimitNICE=-10" in made.log


@AS_ROOT
@pytest.mark.wire
@pytest.mark.timeout(90)
def test_a_server_goes_first_while_somebody_follows(tmp_path: Path) -> None:
    def nice(pid: int) -> int:
        return os.getpriority(os.PRIO_PROCESS, pid)

    with CentrexServer(tmp_path) as server:
        before = nice(server.pid)
        assert server.command("status")[0] == 0
        assert nice(server.pid) == before, "to ask is not to watch"
        command = [*COMMAND, "--config", str(server.config), "log", "--follow"]
        follower = subprocess.Popen(
            command,
            stdout=subprocess.DEVNULL,
            env={**os.environ, "CENTREX_ROOT": server._root.name},
        )
        try:
            until(lambda: nice(server.pid) == NICE, timeout=20)
        finally:
            follower.terminate()
            follower.wait(10)
        until(lambda: nice(server.pid) == before)
