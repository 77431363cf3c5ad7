"""Both real ends of the control link, over TCP and over a Unix socket."""

import errno
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import anyio
import pytest
from anyio.abc import ByteStream

from centrex.base import Unavailable
from centrex.farm.custody import Custody
from centrex.farm.farm import Farm
from centrex.runtime.farm_server import FarmServer
from centrex.runtime.relay.link import ProxyLink, why_unreached
from tests.support.farmlink import SECRET, FakePlane, Watcher, session
from tests.support.ports import free_port, loopback

pytestmark = [pytest.mark.anyio, pytest.mark.wire]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def until(condition: Callable[[], bool]) -> None:
    with anyio.fail_after(20):
        while not condition():  # noqa: ASYNC110 - the far side has no event
            await anyio.sleep(0.01)


async def ended(stream: ByteStream) -> None:
    """Wait for the far side to end a connection."""
    with anyio.fail_after(20), suppress(anyio.EndOfStream, anyio.BrokenResourceError):
        while True:
            await stream.receive()


class Office:
    """A proxy's side."""

    def __init__(self, boot: str = "boot-1") -> None:
        self.watcher = Watcher()
        self.farm = Farm(self.watcher, heartbeat_s=1.0, boot=boot)
        self.changes = 0
        self.server = FarmServer(self.farm, name="office", changed=self._changed)

    def _changed(self) -> None:
        self.changes += 1

    @asynccontextmanager
    async def listening(
        self, *, path: Path | None = None, address: tuple[str, int] | None = None
    ) -> AsyncIterator[None]:
        async with anyio.create_task_group() as tasks:
            await tasks.start(
                lambda *, task_status: self.server.serve(
                    SECRET, path=path, address=address, task_status=task_status
                )
            )
            yield
            tasks.cancel_scope.cancel()


def link(plane: FakePlane, address: str, port: int, custody: Custody, said: list[str],
         secret: bytes = SECRET, name: str = "one") -> ProxyLink:  # fmt: skip
    return ProxyLink(
        address,
        port,
        secret,
        name=name,
        plane=plane,
        custody=custody,
        told=lambda: {
            "capacity": 10, "path": "userspace", "path_why": "", "version": "1", "boot": "b",
            "config": "c",
        },
        beat=lambda: {"sessions": len(plane.held), "cpu_ms": int(time.process_time() * 1000)},
        report=said.append,
        again=lambda: said.append("again"),
    )  # fmt: skip


@pytest.mark.parametrize("kind", ["tcp", "unix"])
async def test_a_call_is_told_and_ended(tmp_path: Path, kind: str) -> None:
    office, plane = Office(), FakePlane()
    host = loopback()
    port = free_port(host)
    path = tmp_path / "s"
    address = f"unix:{path}" if kind == "unix" else host
    listening = office.listening(
        path=path if kind == "unix" else None, address=(host, port) if kind == "tcp" else None
    )
    async with listening, anyio.create_task_group() as tasks:
        tasks.start_soon(link(plane, address, port, Custody(), []).run)
        await until(lambda: office.farm.open(0.0) is not None)
        relay = office.farm.open(0.0)
        assert relay is not None
        await until(lambda: relay.slot(4) is not None)
        office.farm.put(relay, session("s", relay), 0.0)
        await until(lambda: "s" in plane.held)
        assert await office.server.ask(relay, ["s", "t"]) == [{"id": "s"}]
        office.farm.end(relay, "s", "hung up", 0.0)
        await until(lambda: not plane.held)
        await until(lambda: bool(relay.beat))
        assert (relay.told["source"] == "this machine") is (kind == "unix")
        if kind == "unix":
            assert path.stat().st_mode & 0o777 == 0o600
        assert office.changes
        tasks.cancel_scope.cancel()
    assert office.farm.open(0.0) is None
    gone = office.farm.get("one")
    assert gone is not None
    with pytest.raises(Unavailable, match="is not there"):
        await office.server.ask(gone, ["s"])


async def test_more_figures_than_fit_a_line_come_all_the_same(tmp_path: Path) -> None:
    office, plane, path = Office(), FakePlane(), tmp_path / "s"
    names = [f"s{number}" for number in range(60)]
    async with office.listening(path=path), anyio.create_task_group() as tasks:
        tasks.start_soon(link(plane, f"unix:{path}", 0, Custody(), []).run)
        await until(lambda: office.farm.open(0.0) is not None)
        relay = office.farm.open(0.0)
        assert relay is not None
        for name in names:
            office.farm.put(relay, session(name, relay), 0.0)
        await until(lambda: len(plane.held) == 60)
        plane.row = {"streams": "x" * 30_000}
        rows = await office.server.ask(relay, [*names, "unknown"])
        assert [row["id"] for row in rows] == names
        tasks.cancel_scope.cancel()


async def test_many_relays_of_one_host_are_no_strangers(tmp_path: Path) -> None:
    office, path, more = Office(), tmp_path / "s", 20
    async with office.listening(path=path), anyio.create_task_group() as tasks:
        for number in range(more):
            one = link(FakePlane(), f"unix:{path}", 0, Custody(), [], name=f"relay-{number}")
            tasks.start_soon(one.run)
            await until(lambda number=number: office.farm.get(f"relay-{number}") is not None)  # type: ignore[misc]
        assert all(relay.link is not None for relay in office.farm)
        tasks.cancel_scope.cancel()
    assert not office.server._strangers


async def test_a_proxy_that_was_started_anew_is_found_soon(tmp_path: Path) -> None:
    plane, custody, said = FakePlane(), Custody(), list[str]()
    path = tmp_path / "s"
    first, second = Office("boot-1"), Office("boot-2")
    second.watcher.adopts = True
    async with anyio.create_task_group() as tasks:
        kept = link(plane, f"unix:{path}", 0, custody, said)
        tasks.start_soon(kept.run)
        async with first.listening(path=path):
            await until(lambda: first.farm.open(0.0) is not None)
            relay = first.farm.open(0.0)
            assert relay is not None
            await until(lambda: relay.slot(4) is not None)
            first.farm.put(relay, session("s", relay), 0.0)
            await until(lambda: "s" in plane.held)
        await until(lambda: not kept.is_up)
        began = time.monotonic()
        async with second.listening(path=path):
            await until(lambda: ("adopt", "one", "s") in second.watcher.seen)
            assert time.monotonic() - began < 4.0, "who has been away for long is tried each 5 s"
            assert kept.is_up
        tasks.cancel_scope.cancel()
    assert "s" in plane.held
    assert "cannot be reached" in said[0]
    assert len(said) < 8, "the same is not said again and again"


async def test_why_a_proxy_is_not_reached_is_told() -> None:
    """Of a name, for each of its addresses; what to look at, where nothing listens."""
    host, said = loopback(), list[str]()
    port = free_port(host)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(link(FakePlane(), host, port, Custody(), said).run)
        await until(lambda: bool(said))
        tasks.cancel_scope.cancel()
    assert said == [
        f"{host}:{port}: cannot be reached: Connection refused (does a server run there, with its "
        "media.secret and media.control_address?)"
    ]
    several = OSError("All connection attempts failed")
    refused, away = ConnectionRefusedError(errno.ECONNREFUSED, ""), OSError(errno.EHOSTUNREACH, "")
    several.__cause__ = ExceptionGroup("several", [away, refused, OSError(errno.EHOSTUNREACH, "")])
    assert why_unreached(several).startswith(
        "No route to host, Connection refused (does a server run"
    )
    assert why_unreached(away) == "No route to host"
    assert why_unreached(socket.gaierror(-2, "Name or service not known")).startswith("Name or")
    assert why_unreached(OSError("odd")) == "odd"


async def test_another_secret_is_refused_and_both_say_so(tmp_path: Path) -> None:
    office, said = Office(), list[str]()
    path = tmp_path / "s"
    async with office.listening(path=path), anyio.create_task_group() as tasks:
        wrong = link(FakePlane(), f"unix:{path}", 0, Custody(), said, secret=b"wrong")
        tasks.start_soon(wrong.run)
        await until(lambda: bool(said) and bool(office.watcher.seen))
        assert said == [f"unix:{path}: refused: the proxy has another secret"]
        assert office.watcher.seen[0][0] == "refused"
        assert office.server.failures == 1
        tasks.cancel_scope.cancel()


async def test_strangers_are_cut(tmp_path: Path) -> None:
    office = Office()
    path = tmp_path / "s"
    async with office.listening(path=path):
        for said in (b"GET / HTTP/1.0\r\n\r\n", b'{"t":"hello"}\n', b"x" * 100_000):
            async with await anyio.connect_unix(path) as stream:
                await stream.send(said)
                await ended(stream)
        assert office.server.failures == 3
        streams = [await anyio.connect_unix(path) for _ in range(17)]
        await ended(streams[-1])
        for stream in streams:
            await stream.aclose()


async def test_a_port_that_is_taken() -> None:
    host = loopback()
    port = free_port(host)
    office = Office()
    async with office.listening(address=(host, port)):
        with pytest.raises(BaseExceptionGroup) as caught:
            async with Office().listening(address=(host, port)):
                pass
        assert caught.group_contains(Unavailable, match=f"log in at {host}:{port}")
