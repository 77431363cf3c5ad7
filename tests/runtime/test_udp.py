import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest

from centrex.base import Flow, Unavailable
from centrex.runtime.flows import Locals
from centrex.runtime.udp import UdpEdge, bind_udp
from tests.support.ports import loopback

pytestmark = pytest.mark.wire


@pytest.fixture(params=[True, False], ids=["uvloop", "asyncio"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:
    return "asyncio", {"use_uvloop": request.param}


def no_locals() -> Locals:
    return Locals(lambda _: "127.0.0.1", lambda _: None)


class Reader:
    """What an edge has read, and how often it came to the end of a batch."""

    def __init__(self, host: str) -> None:
        self.port = bind_udp(host, 0, no_locals())
        self.edge = UdpEdge(self.port, self.take, self.done, lambda: 100)
        self.received: list[tuple[bytes, Flow]] = []
        self.batches: list[int] = []
        self.on_message: Callable[[bytes], None] = lambda _: None
        self._news = anyio.Event()

    def take(self, data: bytes, flow: Flow) -> None:
        self.received.append((data, flow))
        self.on_message(data)

    def done(self) -> None:
        self.batches.append(len(self.received))
        self._news.set()

    async def has(self, count: int) -> None:
        with anyio.fail_after(20):
            while len(self.received) < count:
                self._news = anyio.Event()
                await self._news.wait()


@asynccontextmanager
async def reading(host: str) -> AsyncIterator[tuple[Reader, socket.socket]]:
    """A running edge, and a socket that sends to it."""
    reader = Reader(host)
    family = reader.port.family
    with socket.socket(family, socket.SOCK_DGRAM) as sender:
        sender.bind((host, 0))
        sender.connect((host, reader.port.port))
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(reader.edge.run)
                yield reader, sender
                tasks.cancel_scope.cancel()
        finally:
            reader.edge.close()


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
async def test_datagrams_arrive_with_the_way_they_came(host: str) -> None:
    async with reading(host) as (reader, sender):
        sender.send(b"one")
        await reader.has(1)
        sender.send(b"two")
        await reader.has(2)
        (one, flow), (two, again) = reader.received
        assert (one, two) == (b"one", b"two")
        assert flow is again
        assert (flow.host, flow.port) == sender.getsockname()[:2]
        flow.link.sendto(b"back", flow.address)
        assert sender.recv(100) == b"back"


async def test_a_burst_is_drained_in_bounded_batches() -> None:
    async with reading(loopback()) as (reader, sender):
        for _ in range(300):
            sender.send(b"x")
        await reader.has(300)
        steps = [b - a for a, b in zip([0, *reader.batches], reader.batches, strict=False)]
        assert max(steps) <= 65
        assert sum(steps) == 300


async def test_what_is_too_long_arrives_cut_to_one_octet_more() -> None:
    async with reading(loopback()) as (reader, sender):
        for _ in range(2):  # the first is read with the kernel's counters
            sender.send(b"x" * 5000)
        await reader.has(2)
        assert [len(data) for data, _ in reader.received] == [101, 101]


async def test_what_the_kernel_dropped_is_counted() -> None:
    reader = Reader(loopback())
    reader.port.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.connect((reader.port.host, reader.port.port))
        for _ in range(100):
            sender.send(b"x" * 50)
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(reader.edge.run)
                await reader.has(1)
                with anyio.fail_after(20):
                    while not reader.edge.overflowed:
                        reader.edge.sample()
                        sender.send(b"last")  # the kernel tells with what comes after the loss
                        await anyio.sleep(0.01)
                tasks.cancel_scope.cancel()
        finally:
            reader.edge.close()
    assert reader.edge.overflowed > 0


async def test_a_refused_datagram_ends_nothing() -> None:
    async with reading(loopback()) as (reader, sender):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as gone:
            gone.bind((reader.port.host, 0))
            address = gone.getsockname()
        reader.port.sock.sendto(b"x", address)
        sender.send(b"one")
        await reader.has(1)


async def test_a_failure_of_the_core_is_not_swallowed() -> None:
    def fail(_data: bytes) -> None:
        raise ZeroDivisionError

    async def suffer() -> None:
        async with reading(loopback()) as (reader, sender):
            reader.on_message = fail
            sender.send(b"x")
            await anyio.sleep_forever()

    with pytest.raises(ExceptionGroup) as caught:
        await suffer()
    assert caught.group_contains(ZeroDivisionError)


def test_an_address_that_cannot_be_had_is_told() -> None:
    with pytest.raises(Unavailable, match=r"192\.0\.2\.1"):
        bind_udp("192.0.2.1", 0, no_locals())
    port = bind_udp("127.0.0.1", 0, no_locals())
    try:
        with pytest.raises(Unavailable, match="in use"):
            bind_udp("127.0.0.1", port.port, no_locals())
    finally:
        port.sock.close()
