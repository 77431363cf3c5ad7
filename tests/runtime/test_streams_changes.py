import socket
from typing import Any

import anyio
import pytest

from centrex.base import Transport
from tests.support.stream_door import Clock, RecordingDoor, edge_for, request, running

pytestmark = pytest.mark.wire

TCP, TLS = Transport.TCP, Transport.TLS
HOST = "127.0.0.1"


@pytest.fixture(params=[True, False], ids=["uvloop", "asyncio"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:
    return "asyncio", {"use_uvloop": request.param}


@pytest.fixture
def door() -> RecordingDoor:
    return RecordingDoor()


async def test_a_listener_may_come_and_go_while_others_stay(door: RecordingDoor) -> None:
    edge = edge_for(door)
    _, stays = edge.listen(TCP, HOST, 0)
    async with running(edge):
        host, port = edge.listen(TCP, "127.0.0.2", 0)
        async with await anyio.connect_tcp(HOST, stays) as one:
            async with await anyio.connect_tcp(host, port) as other:
                await door.wait("opened", 2)
                edge.unlisten(TCP, host, port)
                await door.wait("closed")
                with pytest.raises((anyio.EndOfStream, anyio.BrokenResourceError)):
                    await other.receive()
            await one.send(request())
            await door.wait("message")
        with pytest.raises(OSError, match=r"."):
            await anyio.connect_tcp(host, port)
        edge.listen(TCP, host, port)
        async with await anyio.connect_tcp(host, port):
            await door.wait("opened", 3)
    assert edge.counts["address-gone"] == 1


async def test_a_listener_may_go_before_anything_runs(door: RecordingDoor) -> None:
    edge = edge_for(door)
    host, port = edge.listen(TCP, HOST, 0)
    edge.unlisten(TLS, host, port)
    edge.unlisten(TCP, host, port)
    with socket.socket() as sock:
        sock.bind((host, port))


async def test_a_keepalive_interval_that_changes_reaches_what_stands(door: RecordingDoor) -> None:
    clock = Clock()
    edge = edge_for(door, clock=clock, limits={"keepalive_interval_s": 0.0})
    with socket.create_server((HOST, 0)) as server:
        async with running(edge):
            edge.open(TCP, HOST, server.getsockname()[1])
            await door.wait("opened")
            edge.adjust(keepalive_interval_s=5.0, max_message_bytes=3000)
            clock.ahead = 6.0
            far, _ = server.accept()
            with far:
                far.setblocking(False)
                await anyio.wait_readable(far)
                assert far.recv(10) == b"\r\n\r\n"
