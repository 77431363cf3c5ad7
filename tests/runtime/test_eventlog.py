import json
import os
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest

from centrex.events import Event, Kind, Severity
from centrex.runtime import eventlog as module
from centrex.runtime import outlet as outlet_module
from centrex.runtime.bus import Bus, Lost
from centrex.runtime.eventlog import EventLog

STAMP = datetime(2026, 11, 22, 17, 0, tzinfo=UTC)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def wall() -> datetime:
    return STAMP


def call(number: int = 0) -> Event:
    return Event(Kind.CALLS, Severity.INFO, f"call.{number}", {"src": "192.0.2.7:5060"})


def log(bus: Bus, path: Path | str, **options: Any) -> EventLog:
    return EventLog(bus, path=str(path), wall=wall, **{"gather": 0.0} | options)


def names(path: Path) -> list[str]:
    return [text.split()[3] for text in path.read_text().splitlines()]


@asynccontextmanager
async def running(one: EventLog) -> AsyncIterator[None]:
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(one.run)
        yield
        tasks.cancel_scope.cancel()


async def until(condition: Callable[[], bool]) -> None:
    """Let worker threads and tasks go on until something is so."""
    with anyio.fail_after(20):
        while not condition():
            await anyio.to_thread.run_sync(int)


async def test_events_become_lines(tmp_path: Path) -> None:
    path = tmp_path / "events.log"
    bus = Bus(wall=wall)
    one = log(bus, path)
    bus.publish(call(1))
    async with running(one):
        await until(lambda: one.written > 0)
    assert path.read_text() == ("2026-11-22T17:00:00.000Z info  calls call.1 src=192.0.2.7:5060\n")


async def test_what_is_left_is_written_at_the_end_and_nothing_after(tmp_path: Path) -> None:
    path = tmp_path / "events.log"
    bus = Bus(wall=wall)
    one = log(bus, path, gather=60.0, form="json")
    async with running(one):
        for number in range(300):
            bus.publish(call(number))
        await anyio.wait_all_tasks_blocked()
        assert not path.exists()
    records = [json.loads(text) for text in path.read_text().splitlines()]
    assert [record["event"] for record in records] == [f"call.{n}" for n in range(300)]
    bus.publish(call())
    assert bus.wanted == {Kind.ERRORS}


async def test_half_a_queue_is_written_at_once(tmp_path: Path) -> None:
    path = tmp_path / "events.log"
    bus = Bus(wall=wall)
    one = log(bus, path, gather=60.0, limit=100)
    async with running(one):
        for number in range(50):
            bus.publish(call(number))
        await until(lambda: one.written > 0)
    assert len(names(path)) == 50


async def test_what_did_not_fit_is_counted_and_said(tmp_path: Path) -> None:
    path = tmp_path / "events.log"
    bus = Bus(wall=wall)
    one = log(bus, path, limit=10)
    for number in range(25):
        bus.publish(call(number))
    assert await one.flush()
    assert names(path) == ["log.lost", *(f"call.{number}" for number in range(15, 25))]
    assert "log.lost events=15" in path.read_text()
    assert one.lost == 15


async def test_large_amounts_leave_in_several_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_BATCH", 1_000)
    path = tmp_path / "events.log"
    bus = Bus(wall=wall)
    one = log(bus, path)
    for number in range(1_000):
        bus.publish(call(number))
    assert await one.flush()
    assert names(path) == [f"call.{number}" for number in range(1_000)]
    assert one.written == path.stat().st_size


async def test_the_file_is_opened_anew_after_a_rotation(tmp_path: Path) -> None:
    path = tmp_path / "events.log"
    bus = Bus(wall=wall)
    one = log(bus, path)
    bus.publish(call(1))
    await one.flush()
    path.rename(tmp_path / "events.log.1")
    bus.publish(call(2))
    await one.flush()
    one.reopen(str(path), "text", Severity.DEBUG)
    bus.publish(call(3))
    await one.flush()
    assert names(tmp_path / "events.log.1") == ["call.1", "call.2"]
    assert names(path) == ["call.3"]
    one.reopen(str(tmp_path / "other.log"), "json", Severity.DEBUG)
    bus.publish(call(4))
    await one.flush()
    assert json.loads((tmp_path / "other.log").read_text())["event"] == "call.4"


async def test_a_file_that_cannot_be_written_is_said_once_and_nothing_is_torn(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "there" / "events.log"
    path.parent.write_text("in the way")
    bus = Bus(wall=wall)
    watcher = bus.subscribe()
    one = log(bus, path, limit=10)
    for number in range(3):
        bus.publish(call(number))
        assert not await one.flush()
    assert one.failures == 3
    said = [i[1].name for i in watcher.drain() if not isinstance(i, Lost)]
    assert said == ["call.0", "log.failed", "call.1", "call.2"]
    assert len(re.findall("log.failed", capfd.readouterr().err)) == 1
    for number in range(3, 30):  # nothing grows meanwhile but the queue, to its bound
        bus.publish(call(number))
    assert one.complaint.startswith(f"the log {path} cannot be written: ")
    path.parent.unlink()
    assert await one.flush()
    assert not one.complaint
    written = names(path)
    assert written[0] == "call.0"
    assert written[1] == "log.lost"
    assert written[2:] == [f"call.{number}" for number in range(20, 30)]


async def test_a_full_disk_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_RETRY_S", 0.001)
    bus = Bus(wall=wall)
    one = log(bus, "/dev/full")
    bus.publish(call())
    async with running(one):
        await until(lambda: one.failures >= 3)


async def test_a_line_cut_by_a_full_pipe_is_continued(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outlet_module, "_PATIENCE_MS", 1)
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    bus = Bus(wall=wall)
    one = log(bus, fifo)
    for number in range(4_000):
        bus.publish(call(number))
    received = b""
    done = await one.flush()
    assert not done
    while not done:
        received += os.read(reader, 1_000_000)
        done = await one.flush()
    received += os.read(reader, 1_000_000)
    lines = received.decode().splitlines()
    os.close(reader)
    assert [text.split()[3] for text in lines if "log.failed" not in text] == [
        f"call.{number}" for number in range(4_000)
    ]


async def test_a_broken_standard_error_stops_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    monkeypatch.setattr(outlet_module, "_STANDARD_ERROR", writer)
    bus = Bus(wall=wall)
    one = log(bus, "")
    bus.publish(call(1))
    assert not await one.flush()
    for number in range(5):
        bus.publish(call(number))
    assert await one.flush()
    assert one.lost == 7  # all of them, and what was said of the failure
    os.close(writer)
