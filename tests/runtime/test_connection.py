import contextlib
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest
from anyio.abc import SocketStream

from centrex.base import Flow, Local, LocalError, PeerError, Transport
from centrex.runtime import connection as module
from centrex.runtime.connection import PING, PONG, Connection, StreamLimits, refusal
from centrex.runtime.streams import StreamEdge
from centrex.sip.framing import Frame, Kind
from tests.support.stream_door import Clock, RecordingDoor, edge_for, request, running

pytestmark = pytest.mark.wire

TCP = Transport.TCP
HOST = "127.0.0.1"


@pytest.fixture(params=[True, False], ids=["uvloop", "asyncio"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:
    return "asyncio", {"use_uvloop": request.param}


@pytest.fixture
def door() -> RecordingDoor:
    return RecordingDoor()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@asynccontextmanager
async def connected(edge: StreamEdge) -> AsyncIterator[SocketStream]:
    """Run an edge; gives a client's connection to it."""
    _, port = edge.listen(TCP, HOST, 0)
    async with running(edge), await anyio.connect_tcp(HOST, port) as client:
        yield client


async def until_end(stream: SocketStream) -> bytes:
    data = b""
    try:
        while True:
            data += await stream.receive()
    except (anyio.EndOfStream, anyio.BrokenResourceError):
        return data


async def test_keepalives_are_answered_and_not_passed_on(door: RecordingDoor) -> None:
    async with connected(edge_for(door)) as client:
        await client.send(b"\r\n\r\n")
        assert await client.receive() == b"\r\n"
        await client.send(b"\r\n\r\n" + request() + b"\r\n")
        assert await client.receive() == b"\r\n"
        flow, _ = await door.wait("message")
        assert isinstance(flow.link, Connection)
        assert flow.link.keepalives == 2
    assert door.kinds().count("message") == 1


@pytest.mark.parametrize("size", [1, 7, 100])
async def test_messages_may_come_in_any_pieces(door: RecordingDoor, size: int) -> None:
    wanted = [request(call_id=str(n), body=b"b" * n) for n in range(3)]
    data = b"".join(wanted)
    async with connected(edge_for(door)) as client:
        for start in range(0, len(data), size):
            await client.send(data[start : start + size])
        await door.wait("message", 3)
    assert [detail for kind, _, detail in door.told if kind == "message"] == wanted


async def test_a_message_too_large_is_answered_513_and_the_next_one_is_served(
    door: RecordingDoor,
) -> None:
    edge = edge_for(door, max_message_bytes=500)
    async with connected(edge) as client:
        await client.send(request("MESSAGE", body=b"x" * 1000) + request())
        answer = await client.receive()
        assert answer.startswith(b"SIP/2.0 513 ")
        assert (await door.wait("message"))[1] == request()
        assert edge.drops == {"too-large": 1}


async def test_a_stream_out_of_step_is_answered_400_and_closed(door: RecordingDoor) -> None:
    edge = edge_for(door)
    broken = request().replace(b"Content-Length: 0", b"Content-Length: many")
    async with connected(edge) as client:
        await client.send(request() + broken + request(call_id="after"))
        answer = await until_end(client)
    head, _, rest = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"SIP/2.0 400 ")
    assert b"\r\nTo: <sip:b@voip.test>;tag=" in head
    assert b'\r\nWarning: 399 centrex "' in head
    assert rest == b""
    assert edge.drops == {"out-of-step": 1}
    assert door.kinds() == ["opened", "message", "closed"]


async def test_what_cannot_be_answered_is_only_closed(
    door: RecordingDoor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_LINGER_S", 0.01)
    edge = edge_for(door)
    async with connected(edge) as client:
        await client.send(b"GET / HTTP/1.1\r\nHost: voip.test\r\n\r\n")
        assert await until_end(client) == b""
    assert edge.drops == {"out-of-step": 1}


@pytest.mark.parametrize(
    ("frame", "start"),
    [
        (request("ACK"), b""),
        (b"SIP/2.0 200 OK\r\n\r\n", b""),
        (b"nonsense\r\n\r\n", b""),
        (b"OPTIONS sip:a SIP/2.0\r\n\r\n", b""),
        (request(), b"SIP/2.0 413 "),
    ],
)
def test_a_refusal_is_owed_to_whole_requests_alone(frame: bytes, start: bytes) -> None:
    error = PeerError("too much", rule="test", status=413)
    assert refusal(Frame(Kind.REFUSED, frame, error)).startswith(start)
    assert refusal(Frame(Kind.REFUSED, frame, error))[:1] == start[:1]
    assert refusal(Frame(Kind.REFUSED, frame)) == b""


def test_a_tag_that_is_there_stays_the_only_one() -> None:
    error = PeerError("no", rule="test")
    tagged = request().replace(b"b@voip.test>", b"b@voip.test>;tag=2")
    assert b"To: <sip:b@voip.test>;tag=2\r\n" in refusal(Frame(Kind.REFUSED, tagged, error))


@pytest.mark.parametrize(
    ("sent", "ahead", "reason"),
    [
        (PING + b"OPTIONS sip:a", 16.0, "slow-message"),
        (PING + request() + b"OPTIONS", 16.0, "slow-message"),
        (PING + request(body=b"12345")[:-2], 16.0, "slow-message"),
        (b"\r", 61.0, "silent"),
        (PING, 601.0, "idle"),
        (PING + request(), 601.0, "idle"),
    ],
)
async def test_each_deadline_closes_for_its_own_reason(
    door: RecordingDoor, clock: Clock, sent: bytes, ahead: float, reason: str
) -> None:
    edge = edge_for(door, clock=clock)
    async with connected(edge) as client:
        flow, _ = await door.wait("opened")
        await client.send(sent)
        if sent.startswith(PING):
            assert await client.receive() == PONG
        assert "closed" not in door.kinds()
        clock.ahead = ahead
        await door.wait("closed")
        assert flow.link.sendto(b"late", None) == 0
    assert edge.drops == ({} if reason == "idle" else {reason: 1})
    assert edge.counts[reason] == 1


async def test_a_trickle_does_not_buy_time(door: RecordingDoor, clock: Clock) -> None:
    edge = edge_for(door, clock=clock, max_message_bytes=60_000)
    async with connected(edge) as client:
        with contextlib.suppress(anyio.BrokenResourceError):
            while "closed" not in door.kinds():
                await client.send(b"x")
                clock.ahead += 0.1
    assert edge.drops == {"slow-message": 1}


async def test_who_does_not_read_is_closed_and_others_are_served(
    door: RecordingDoor, clock: Clock
) -> None:
    edge = edge_for(door, clock=clock)
    _, port = edge.listen(TCP, HOST, 0)
    async with running(edge), await anyio.connect_tcp(HOST, port) as good:
        served, _ = await door.wait("opened")
        with socket.socket() as deaf:
            deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            deaf.setblocking(False)
            deaf.connect_ex((HOST, port))
            flow, _ = await door.wait("opened", 2)
            sent = 0
            while flow.link.sendto(b"x" * 50_000, flow.address):
                sent += 1
                assert served.link.sendto(b"y", served.address) == 1
                assert (await good.receive()).strip(b"y") == b""
            assert sent >= 10
            await door.wait("closed")
        assert edge.drops == {"queue-full": 1}
        assert served.open


async def test_who_stops_reading_is_given_up_after_a_while(
    door: RecordingDoor, clock: Clock
) -> None:
    edge = edge_for(door, clock=clock, limits={"queue_bytes": 50_000_000})
    _, port = edge.listen(TCP, HOST, 0)
    with socket.socket() as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.setblocking(False)
        async with running(edge):
            deaf.connect_ex((HOST, port))
            flow, _ = await door.wait("opened")
            flow.link.sendto(b"x" * 20_000_000, flow.address)
            await anyio.wait_all_tasks_blocked()
            clock.ahead = 31.0
            await door.wait("closed")
    assert edge.drops == {"write-stalled": 1}


async def test_a_reset_is_counted(door: RecordingDoor) -> None:
    edge = edge_for(door)
    _, port = edge.listen(TCP, HOST, 0)
    async with running(edge):
        with socket.create_connection((HOST, port)) as rude:
            await door.wait("opened")
            linger = (1).to_bytes(4, "little") + bytes(4)
            rude.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        await door.wait("closed")
    assert edge.drops == {"reset": 1}


async def test_small_messages_leave_in_one_piece_and_in_order(door: RecordingDoor) -> None:
    async with connected(edge_for(door)) as client:
        flow, _ = await door.wait("opened")
        wanted = b""
        for n in range(1000):
            piece = b"%d," % n
            assert flow.link.sendto(piece, flow.address) == len(piece)
            wanted += piece
        got = b""
        while len(got) < len(wanted):
            got += await client.receive()
    assert got == wanted


async def test_too_many_messages_close_as_too_many_octets_do(door: RecordingDoor) -> None:
    edge = edge_for(door, limits={"queue_messages": 3})
    async with connected(edge) as client:
        flow, _ = await door.wait("opened")
        assert [flow.link.sendto(b"x", flow.address) for _ in range(5)] == [1, 1, 1, 0, 0]
        await door.wait("closed")
        assert b"xxxx" not in await until_end(client)
    assert edge.drops == {"queue-full": 1}


async def test_a_message_may_close_its_own_connection(door: RecordingDoor) -> None:
    edge = edge_for(door)

    def hang_up(_data: bytes, flow: Flow) -> None:
        assert isinstance(flow.link, Connection)
        flow.link.close("told-to")

    door.on_message = hang_up
    async with connected(edge) as client:
        await client.send(request() + request())
        await door.wait("closed")
    assert door.kinds() == ["opened", "message", "closed"]
    assert edge.counts["told-to"] == 1


async def test_a_connection_is_not_served_before_it_stands(door: RecordingDoor) -> None:
    link = Connection(
        door, StreamLimits(), max_message_bytes=100, drop=lambda _: None, clock=lambda: 1.0
    )
    link.flow = Flow(TCP, HOST, 1, address=(HOST, 1), link=link, local=Local(TCP, HOST, 2))
    with pytest.raises(LocalError):
        await link.serve()
    link.check(1e9)
    assert link.takes
    link.finish()
    assert link.reason == "stopped"
    assert not link.takes
    await link.release()
