"""rtpengine's sockets: what the network says of them ends no server. The rest is in `peer/test_rtpengine`."""

import contextlib
import errno
import socket
from pathlib import Path

import anyio
import pytest

from centrex.farm import rtpengines
from centrex.farm.bencode import encode
from centrex.farm.rtpengines import State
from centrex.runtime import rtpengine
from centrex.runtime.rtpengine import RtpengineMedia
from tests.support.engine import instance
from tests.support.ports import free_port, loopback

pytestmark = pytest.mark.wire


class Unlucky(socket.socket):
    """A socket to which the network says that no way leads there."""

    def recv(self, *_: object) -> bytes:
        super().recv(2048)
        raise OSError(errno.EHOSTUNREACH, "no route to host")


async def test_no_way_to_it_is_no_end_of_the_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as there:
        there.bind(("127.0.0.1", 0))

        async def connect(_: str) -> socket.socket:
            sock = Unlucky(socket.AF_INET, socket.SOCK_DGRAM)
            sock.setblocking(False)
            sock.connect(there.getsockname())
            there.sendto(b"anything", sock.getsockname())
            return sock

        monkeypatch.setattr(rtpengine, "_connect", connect)
        settings = {
            "media.mode": "always",
            "media.backend": "rtpengine",
            "media.rtpengine": ["udp:127.0.0.1:9"],
        }
        async with instance(tmp_path, settings) as made, made.running() as engine:
            assert isinstance(engine.media, RtpengineMedia)
            (one,) = engine.media.rtpengines
            with anyio.fail_after(20):
                while one.state is not State.GONE:  # noqa: ASYNC110 - nothing tells of it
                    await anyio.sleep(0.01)
            assert (await made.ask("status"))["state"] == "running"


@pytest.mark.parametrize("backend", ["relay", "rtpengine"])
async def test_what_cannot_be_started_late_is_told(tmp_path: Path, backend: str) -> None:
    """Relaying is switched on by a reload, and the port is taken, or the name is none."""
    port = free_port("127.0.0.1")
    settings = {
        "media.mode": "never",
        "media.backend": backend,
        "media.embedded": False,
        "media.secret": "a secret of some length",
        "media.control_port": port,
        "media.rtpengine": ["udp:nowhere.invalid:2223"],
    }
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as taken:
        taken.bind(("127.0.0.1", port))
        taken.listen()
        async with instance(tmp_path, settings) as made, made.running():
            made.write(**{"media.mode": "always"})
            await made.ask("reload")
            with anyio.fail_after(20):
                while "media.unavailable" not in made.log:  # noqa: ASYNC110 - a file
                    await anyio.sleep(0.05)
            assert (await made.ask("status"))["state"] == "running"


@pytest.mark.parametrize("last", ["answers late", "is silent"])
async def test_the_start_waits_until_of_each_it_is_known_whether_it_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, last: str
) -> None:
    """A call that goes on is at one of them: it is not to be taken for none of theirs."""
    monkeypatch.setattr(rtpengine, "_ARRIVAL_S", 20.0)
    if last == "answers late":
        monkeypatch.setattr(rtpengines, "_WAITS_S", (20.0,))

    async def serve(sock: socket.socket, after_s: float) -> None:
        while True:
            await anyio.wait_readable(sock)
            data, source = sock.recvfrom(4096)
            await anyio.sleep(after_s)
            sock.sendto(data.partition(b" ")[0] + b" " + encode({"result": "ok"}), source)

    with contextlib.ExitStack() as stack:
        socks = [
            stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) for _ in range(2)
        ]
        for sock in socks:
            sock.setblocking(False)
            sock.bind((loopback(), 0))
        settings = {
            "media.mode": "always",
            "media.backend": "rtpengine",
            "media.rtpengine": ["udp:{}:{}".format(*sock.getsockname()) for sock in socks],
        }
        async with anyio.create_task_group() as tasks, instance(tmp_path, settings) as made:
            tasks.start_soon(serve, socks[0], 0.0)
            if last == "answers late":
                tasks.start_soon(serve, socks[1], 0.3)
            async with made.running() as engine:
                assert isinstance(engine.media, RtpengineMedia)
                states = [one.state for one in engine.media.rtpengines]
                assert State.UNKNOWN not in states
                assert states[1] is (State.AVAILABLE if last == "answers late" else State.GONE)
            tasks.cancel_scope.cancel()
