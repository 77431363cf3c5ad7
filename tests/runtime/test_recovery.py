# ruff: noqa: ASYNC240 - the files are what is tested, and nothing else runs meanwhile
import itertools
import os
import random
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

import anyio
import pytest

from centrex.base import Flow, Transport
from centrex.events import Event
from centrex.registrar import image
from centrex.registrar.binding import Binding, Change, ChangeKind
from centrex.registrar.registry import Registry
from centrex.runtime import recovery as module
from centrex.runtime import recovery_file as file_module
from centrex.runtime.recovery import Recovery
from tests.support.registering import flow_from

ROOT = Path(__file__).parents[2]
FLOW = flow_from("192.0.2.7")
UTC = 1_700_000_000.0


def flow_of(transport: str, host: str, port: int, local: str) -> Flow | None:
    return FLOW if transport == "UDP" else None


def add(registry: Registry, user: bytes, expires_at: float = 4600.0, flow: Flow = FLOW) -> None:
    one = Binding(
        b"sip:%b@192.0.2.7" % user,
        b"",
        q=1000,
        expires_at=expires_at,
        call_id=b"c",
        cseq=1,
        flow=flow,
        registered_at=1000.0,
    )
    registry.put(user, (one,), [Change(ChangeKind.ADDED, one, None)])


class Site:
    """A registry with its recovery file, at a fixed time."""

    def __init__(self, path: Path, *, later: float = 0.0, changes: int = 100) -> None:
        self.registry = Registry()
        self.events: list[Event] = []
        self.recovery = Recovery(
            path,
            self.registry,
            changes=changes,
            interval_s=3600.0,
            report=self.events.append,
            now=lambda: 1000.0 if not later else 10.0,
            utc=lambda: UTC + later,
        )

    def names(self) -> list[bytes]:
        return sorted(self.registry.names())


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "registrations.recovery"


async def test_what_was_written_comes_back(path: Path) -> None:
    site = Site(path)
    add(site.registry, b"1001")
    add(site.registry, b"1002", flow=flow_from("192.0.2.8", transport=Transport.TCP))
    add(site.registry, b"1003", expires_at=1060.0)
    assert await site.recovery.flush()
    await site.recovery.close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600

    back = Site(path, later=60.0)
    loaded = await back.recovery.load(flow_of)
    assert (loaded.users, loaded.bindings, loaded.expired, loaded.warnings) == (2, 2, 1, ())
    (one,) = back.registry.lookup(b"1001", 10.0)
    assert one.flow is FLOW
    assert one.expires_at == pytest.approx(10.0 + 3540)
    assert back.registry.lookup(b"1002", 10.0)[0].flow is None
    assert back.registry.pending == 0


async def test_changes_are_appended_and_removals_are_kept(path: Path) -> None:
    site = Site(path)
    for user in (b"a", b"b", b"c"):
        add(site.registry, user)
    await site.recovery.flush()
    before = path.read_bytes()
    add(site.registry, b"d")
    site.registry.remove(b"b")
    await site.recovery.flush()
    assert path.read_bytes().startswith(before)
    assert not path.with_name(path.name + ".new").exists()
    back = Site(path)
    await back.recovery.load(flow_of)
    assert back.names() == [b"a", b"c", b"d"]


async def test_nothing_is_written_where_nothing_changed(path: Path) -> None:
    site = Site(path)
    assert await site.recovery.flush()
    assert not path.exists()
    assert (await site.recovery.load(flow_of)).warnings == ()


async def test_a_journal_that_outgrows_the_snapshot_is_replaced(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file_module, "_SMALL", 2000)
    site = Site(path)
    sizes = []
    for number in range(100):
        add(site.registry, b"%d" % (number % 5))
        await site.recovery.flush()
        sizes.append(path.stat().st_size)
    assert max(sizes) < 5000
    assert any(later < earlier for earlier, later in itertools.pairwise(sizes))
    back = Site(path)
    await back.recovery.load(flow_of)
    assert len(back.names()) == 5


async def test_it_is_written_when_enough_changes_wait(path: Path) -> None:
    site = Site(path, changes=3)
    async with anyio.create_task_group() as group:
        group.start_soon(site.recovery.run)
        for user in (b"a", b"b"):
            add(site.registry, user)
            site.recovery.notice()
        await anyio.wait_all_tasks_blocked()
        assert not path.exists()
        add(site.registry, b"c")
        site.recovery.notice()
        with anyio.fail_after(20):
            while not path.exists():
                await anyio.lowlevel.checkpoint()
        add(site.registry, b"d")
        group.cancel_scope.cancel()
    await site.recovery.close()
    back = Site(path)
    await back.recovery.load(flow_of)
    assert back.names() == [b"a", b"b", b"c", b"d"]


class Disk:
    """Syncs that take until they are let go."""

    def __init__(self) -> None:
        self._free = threading.Event()
        self.asked = 0

    def sync(self, fd: int) -> None:
        self.asked += 1
        assert self._free.wait(10)

    def let_go(self) -> None:
        self._free.set()


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[Disk]:
    slow = Disk()
    monkeypatch.setattr(os, "fsync", slow.sync)
    yield slow
    slow.let_go()


async def until(done: Callable[[], object]) -> None:
    with anyio.fail_after(20):
        while not done():  # noqa: ASYNC110 - it waits for another thread
            await anyio.sleep(0.001)


def on_disk(path: Path) -> list[str]:
    """The users that a server started now would know."""
    with path.open("rb") as file:
        found = image.read(file)
    assert found.known
    assert not found.damaged
    return sorted(found.users)


def _stands(path: Path, users: list[str]) -> bool:
    return on_disk(path) == users


async def test_changes_are_written_in_a_share_of_the_interval_and_synced_after_it(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[list[str]] = []
    site = Site(path)
    add(site.registry, b"a")
    await site.recovery.flush()
    monkeypatch.setattr(os, "fsync", lambda fd: synced.append(on_disk(path)))
    monkeypatch.setattr(module, "_SHARE", 0.001)
    monkeypatch.setattr(module, "_SYNC_PAUSE_S", 0.0)
    site.recovery.adjust(changes=1000, interval_s=5.0)
    async with anyio.create_task_group() as group:
        group.start_soon(site.recovery.run)
        await anyio.wait_all_tasks_blocked()
        add(site.registry, b"b")
        await until(lambda: on_disk(path) == ["a", "b"])
        assert not synced
        site.recovery.adjust(changes=1000, interval_s=0.05)
        add(site.registry, b"c")
        await until(lambda: ["a", "b", "c"] in synced)
        group.cancel_scope.cancel()


async def test_the_first_changes_make_the_file_in_the_same_time(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_SHARE", 1e-6)
    site = Site(path)
    add(site.registry, b"a")
    async with anyio.create_task_group() as group:
        group.start_soon(site.recovery.run)
        await until(path.exists)
        group.cancel_scope.cancel()


async def test_enough_changes_are_synced_but_not_all_the_time(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[list[str]] = []
    site = Site(path, changes=1)
    add(site.registry, b"a")
    await site.recovery.flush()
    monkeypatch.setattr(os, "fsync", lambda fd: synced.append(on_disk(path)))
    async with anyio.create_task_group() as group:
        group.start_soon(site.recovery.run)
        for known in ("ab", "abc", "abcd"):
            add(site.registry, known[-1].encode())
            site.recovery.notice()
            await until(partial(_stands, path, list(known)))
            await until(lambda: synced)
        assert len(synced) == 1
        group.cancel_scope.cancel()


async def test_a_slow_disk_keeps_no_change_from_being_written(path: Path, disk: Disk) -> None:
    site = Site(path)
    site.recovery.adjust(changes=1000, interval_s=0.004)
    async with anyio.create_task_group() as group:
        group.start_soon(site.recovery.run)
        disk.let_go()
        add(site.registry, b"a")
        await until(path.exists)
        disk._free.clear()
        asked = disk.asked
        add(site.registry, b"b")
        await until(lambda: disk.asked > asked)
        add(site.registry, b"c")
        await until(lambda: on_disk(path) == ["a", "b", "c"])
        disk.let_go()
        group.cancel_scope.cancel()


async def test_changes_are_written_while_a_snapshot_grows_and_stand_in_it(
    path: Path, monkeypatch: pytest.MonkeyPatch, disk: Disk
) -> None:
    disk.let_go()
    site = Site(path)
    for user in (b"a", b"b", b"c"):
        add(site.registry, user)
    await site.recovery.flush()
    monkeypatch.setattr(file_module, "_SMALL", 0)
    monkeypatch.setattr(file_module, "_FACTOR", 0)
    disk._free.clear()
    add(site.registry, b"d")
    async with anyio.create_task_group() as group:
        group.start_soon(site.recovery.flush)
        asked = disk.asked
        await until(lambda: disk.asked > asked)
        old, new = path.read_bytes(), path.with_name(path.name + ".new")
        add(site.registry, b"e")
        site.registry.remove(b"b")
        group.start_soon(site.recovery.flush)
        await until(lambda: on_disk(path) == on_disk(new) == ["a", "c", "d", "e"])
        assert path.read_bytes().startswith(old)
        disk.let_go()
    assert not new.exists()
    assert on_disk(path) == ["a", "c", "d", "e"]


async def test_lines_are_made_in_another_thread(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: list[int] = []

    def write_line(
        users: Sequence[tuple[bytes, Sequence[Binding]]], now: float, utc: float
    ) -> bytes:
        threads.append(threading.get_ident())
        assert len(users) <= 50, "the loop waits while a line is made"
        return image.write_line(users, now, utc)

    monkeypatch.setattr(module, "write_line", write_line)
    site = Site(path)
    for _ in range(2):
        for number in range(120):
            add(site.registry, b"%d" % number)
        await site.recovery.flush()
    assert len(threads) == 6
    assert threading.get_ident() not in threads


async def test_after_a_start_changes_are_appended_to_what_was_there(path: Path) -> None:
    site = Site(path)
    add(site.registry, b"a")
    await site.recovery.flush()
    before = path.read_bytes()
    path.write_bytes(before + b"torn")
    back = Site(path)
    await back.recovery.load(flow_of)
    assert path.read_bytes() == before
    add(back.registry, b"b")
    await back.recovery.flush()
    assert path.read_bytes().startswith(before)
    assert on_disk(path) == ["a", "b"]


async def test_a_copy_that_is_a_link_is_left_alone(path: Path) -> None:
    site = Site(path)
    add(site.registry, b"a")
    await site.recovery.flush()
    before = path.read_bytes()
    copy = path.with_name("copy")
    os.link(path, copy)
    back = Site(path)
    assert (await back.recovery.load(flow_of)).warnings == ()
    add(back.registry, b"b")
    await back.recovery.flush()
    assert copy.read_bytes() == before
    assert on_disk(path) == ["a", "b"]


async def test_a_snapshot_that_fails_leaves_the_file_in_use(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = Site(path)
    add(site.registry, b"a")
    await site.recovery.flush()
    add(site.registry, b"b")
    with monkeypatch.context() as broken:
        broken.setattr(file_module, "_SMALL", 0)
        broken.setattr(file_module, "_FACTOR", 0)
        broken.setattr(
            file_module.RecoveryFile,
            "grow",
            lambda self, line: (_ for _ in ()).throw(OSError("full")),
        )
        assert not await site.recovery.flush()
        add(site.registry, b"c")
        assert not await site.recovery.flush()
    assert [event.name for event in site.events] == ["recovery.failed"]
    assert on_disk(path) == ["a", "b", "c"]
    add(site.registry, b"d")
    assert await site.recovery.flush()
    assert [event.name for event in site.events] == ["recovery.failed", "recovery.written"]
    assert on_disk(path) == ["a", "b", "c", "d"]


@pytest.mark.parametrize(("seed", "failing"), [(1, 0.0), (2, 0.0), (3, 0.1), (4, 0.3)])
async def test_after_each_flush_the_file_is_the_registry(
    path: Path, monkeypatch: pytest.MonkeyPatch, seed: int, failing: float
) -> None:
    """Whatever happens to snapshots meanwhile."""
    chance = random.Random(seed)
    grow = file_module.RecoveryFile.grow

    def perhaps(file: file_module.RecoveryFile, line: bytes) -> None:
        if chance.random() < failing:
            raise OSError("disk full")
        grow(file, line)

    monkeypatch.setattr(file_module, "_SMALL", 1000)
    monkeypatch.setattr(module, "_CHUNK", 3)
    monkeypatch.setattr(module, "_SYNC_PAUSE_S", 0.0)
    site = Site(path)
    add(site.registry, b"0")
    site.recovery.adjust(changes=4, interval_s=0.001)
    assert await site.recovery.flush()
    monkeypatch.setattr(file_module.RecoveryFile, "grow", perhaps)
    async with anyio.create_task_group() as group:
        group.start_soon(site.recovery.run)
        for _ in range(300):
            user = b"%d" % chance.randrange(30)
            if chance.random() < 0.7:
                add(site.registry, user)
            else:
                site.registry.remove(user)
            site.recovery.notice()
            if chance.random() < 0.3:
                await anyio.lowlevel.checkpoint()
            if chance.random() < 0.1:
                assert await site.recovery.flush() or failing
                assert on_disk(path) == sorted(user.decode() for user in site.registry.names())
        group.cancel_scope.cancel()
    await site.recovery.close()
    assert on_disk(path) == sorted(user.decode() for user in site.registry.names())
    assert bool(site.events) == bool(failing)


async def test_it_is_written_at_intervals(path: Path) -> None:
    site = Site(path)
    site.recovery.adjust(changes=1000, interval_s=0.001)
    add(site.registry, b"a")
    async with anyio.create_task_group() as group:
        group.start_soon(site.recovery.run)
        with anyio.fail_after(20):
            while not path.exists():
                await anyio.lowlevel.checkpoint()
        group.cancel_scope.cancel()


async def test_a_write_that_was_cancelled_is_made_good(path: Path) -> None:
    site = Site(path)
    add(site.registry, b"a")
    await site.recovery.flush()
    for number in range(2000):
        add(site.registry, b"%d" % number)
    with anyio.CancelScope() as scope:
        scope.cancel()
        await site.recovery.flush()
    assert scope.cancelled_caught
    await site.recovery.close()
    back = Site(path)
    assert (await back.recovery.load(flow_of)).users == 2001


async def test_a_failure_is_told_once_and_made_good(path: Path) -> None:
    site = Site(path / "x")
    add(site.registry, b"a")
    assert not await site.recovery.flush()
    add(site.registry, b"b")
    assert not await site.recovery.flush()
    assert [event.name for event in site.events] == ["recovery.failed"]
    told = f"registrations are not written to {path / 'x'}: No such file or directory; "
    assert site.recovery.complaint.startswith(told)
    path.mkdir()
    assert await site.recovery.flush()
    assert site.recovery.complaint == ""
    assert [event.name for event in site.events] == ["recovery.failed", "recovery.written"]
    back = Site(path / "x")
    await back.recovery.load(flow_of)
    assert back.names() == [b"a", b"b"]


async def test_a_file_whose_folder_is_gone_is_a_failure_though_nothing_changes(path: Path) -> None:
    path.mkdir()
    site = Site(path / "x")
    add(site.registry, b"a")
    assert await site.recovery.flush()
    path.rename(path.with_name("elsewhere"))
    assert not await site.recovery.flush()
    assert "No such file or directory" in site.recovery.complaint
    path.mkdir()
    assert await site.recovery.flush()
    assert site.recovery.complaint == ""
    assert on_disk(path / "x") == ["a"]


async def test_a_file_that_somebody_deleted_is_written_anew(path: Path) -> None:
    site = Site(path)
    add(site.registry, b"a")
    await site.recovery.flush()
    path.unlink()
    assert await site.recovery.flush()
    assert on_disk(path) == ["a"]
    path.with_name("other").write_bytes(b"")
    path.with_name("other").replace(path)
    assert await site.recovery.flush()
    assert on_disk(path) == ["a"]
    assert site.events == []


@pytest.mark.parametrize("call", ["write", "fsync"])
async def test_a_failure_while_appending_is_made_good(
    path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    site = Site(path)
    add(site.registry, b"a")
    await site.recovery.flush()
    spoilt = path.stat().st_ino
    add(site.registry, b"b")
    with monkeypatch.context() as broken:
        broken.setattr(os, call, lambda *arguments: (_ for _ in ()).throw(OSError("disk full")))
        assert not await site.recovery.flush()
        assert not await site.recovery.flush()
    assert await site.recovery.flush()
    assert path.stat().st_ino != spoilt
    assert on_disk(path) == ["a", "b"]
    assert [event.name for event in site.events] == ["recovery.failed", "recovery.written"]


async def test_a_torn_tail_is_left_out_and_reported(path: Path) -> None:
    site = Site(path)
    add(site.registry, b"a")
    await site.recovery.flush()
    add(site.registry, b"b")
    await site.recovery.flush()
    path.write_bytes(path.read_bytes()[:-5])
    back = Site(path)
    loaded = await back.recovery.load(flow_of)
    assert back.names() == [b"a"]
    assert len(loaded.warnings) == 1
    # The next write leaves a whole file again, even if no phone has changed.
    assert await back.recovery.flush()
    again = Site(path)
    assert (await again.recovery.load(flow_of)).warnings == ()
    assert again.names() == [b"a"]


async def test_a_damaged_line_is_kept_in_a_copy_and_the_rest_is_used(path: Path) -> None:
    site = Site(path)
    for user in (b"a", b"b", b"c"):
        add(site.registry, user)
        await site.recovery.flush()
    data = path.read_bytes().replace(b'"sip:b@', b'"sip:B@')
    path.write_bytes(data)
    back = Site(path)
    loaded = await back.recovery.load(flow_of)
    assert back.names() == [b"a", b"c"]
    assert len(loaded.warnings) == 2
    assert on_disk(path) == ["a", "c"], "the first change could not be appended"
    (copy,) = path.parent.glob("*.damaged")
    assert copy.read_bytes() == data
    assert copy.name == "registrations.recovery.20231114T221320Z.damaged"


async def test_another_file_is_kept_and_we_start_empty(path: Path) -> None:
    for number in range(6):
        path.write_bytes(b"centrex-recovery 99\n%d" % number)
        site = Site(path, later=1.0 + number)
        loaded = await site.recovery.load(flow_of)
        assert (loaded.users, len(loaded.warnings)) == (0, 2)
        await site.recovery.flush()
    copies = sorted(path.parent.glob("*.damaged"))
    assert [copy.read_bytes()[-1:] for copy in copies] == [b"3", b"4", b"5"]


async def test_a_file_that_cannot_be_read_is_a_warning(path: Path) -> None:
    path.mkdir()
    loaded = await Site(path).recovery.load(flow_of)
    assert loaded.users == 0
    assert len(loaded.warnings) == 2


CHILD = f"""
import importlib.util, sys, anyio
from pathlib import Path
spec = importlib.util.spec_from_file_location("child", {__file__!r})
child = importlib.util.module_from_spec(spec)
spec.loader.exec_module(child)
child.file_module._SMALL = 3000

async def main():
    site = child.Site(Path(sys.argv[1]))
    for number in range(1_000_000):
        child.add(site.registry, b"%d" % number)
        await site.recovery.flush()
        print(number, flush=True)

anyio.run(main)
"""
"""Registers one user after the other, and tells of each one that is on disk."""


@pytest.mark.parametrize("lines", [1, 7, 40])
def test_what_was_written_survives_a_kill(path: Path, lines: int) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", CHILD, str(path)],
        stdout=subprocess.PIPE,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    ) as child:
        assert child.stdout is not None
        told = [int(child.stdout.readline()) for _ in range(lines)]
        os.kill(child.pid, signal.SIGKILL)
        told += [int(line) for line in child.stdout if line.endswith(b"\n")]
    site = Site(path)
    loaded = anyio.run(site.recovery.load, flow_of)
    assert set(site.names()) >= {b"%d" % number for number in told}
    assert not list(path.parent.glob("*.damaged")), loaded.warnings
