import os
import socket
from collections.abc import Iterator
from pathlib import Path

import anyio
import pytest

from centrex.base import Unavailable
from centrex.runtime.notify import Notifier, tell_ready


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[tuple[socket.socket, str]]:
    """A service manager's end of the notify socket, and its address."""
    path = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(path)
        sock.setblocking(False)
        yield sock, path


def test_each_state_is_one_datagram(manager: tuple[socket.socket, str]) -> None:
    sock, path = manager
    notifier = Notifier({"NOTIFY_SOCKET": path}, monotonic_ns=lambda: 5_000_001_999)
    assert notifier.enabled
    assert notifier.ready("answering on\n5060")
    assert notifier.reloading()
    assert notifier.stopping()
    assert notifier.alive()
    assert [sock.recv(200) for _ in range(4)] == [
        b"READY=1\nSTATUS=answering on 5060",
        b"RELOADING=1\nMONOTONIC_USEC=5000001",
        b"STOPPING=1",
        b"WATCHDOG=1",
    ]
    assert notifier.lost == 0


def test_the_abstract_namespace_is_understood() -> None:
    name = f"centrex-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind("\0" + name)
        assert Notifier({"NOTIFY_SOCKET": "@" + name}).ready()
        assert sock.recv(200) == b"READY=1"


@pytest.mark.parametrize("given", ["", "relative", "vsock:2:1234"])
def test_without_a_manager_nothing_is_sent(given: str) -> None:
    notifier = Notifier({"NOTIFY_SOCKET": given})
    assert not notifier.enabled
    assert not notifier.ready()
    assert notifier.lost == 0


def test_a_manager_that_has_gone_is_counted(tmp_path: Path) -> None:
    notifier = Notifier({"NOTIFY_SOCKET": str(tmp_path / "gone")})
    assert not notifier.ready()
    assert notifier.lost == 1


@pytest.mark.parametrize(
    ("environ", "interval"),
    [
        ({}, 0.0),
        ({"WATCHDOG_USEC": "30000000"}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, 0.0),
        ({"WATCHDOG_USEC": "soon"}, 0.0),
    ],
)
def test_the_watchdog_interval_is_ours_alone(environ: dict[str, str], interval: float) -> None:
    assert Notifier(environ).watchdog_interval_s == interval


async def test_the_watchdog_is_fed_until_cancelled(manager: tuple[socket.socket, str]) -> None:
    sock, path = manager
    notifier = Notifier({"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "2000"})
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(notifier.watchdog)
        for _ in range(3):
            await anyio.wait_readable(sock)
            assert sock.recv(200) == b"WATCHDOG=1"
        tasks.cancel_scope.cancel()


async def test_without_a_watchdog_there_is_nothing_to_do() -> None:
    await Notifier({}).watchdog()


def test_the_ready_line_is_followed_by_the_end() -> None:
    reader, writer = os.pipe()
    tell_ready(writer)
    with open(reader, "rb") as file:
        assert file.read() == b"ready\n"


def test_a_descriptor_that_is_none_is_told_in_words() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    os.close(writer)
    with pytest.raises(Unavailable, match=f"cannot tell descriptor {writer}"):
        tell_ready(writer)
