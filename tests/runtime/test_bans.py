import json
from pathlib import Path
from typing import Any

import anyio
import pytest

from centrex.events import Event
from centrex.guard.guard import Guard
from centrex.runtime.bans import BanFile

SETTINGS: dict[str, Any] = {
    "enabled": True,
    "requests_per_second": 10,
    "burst": 20,
    "ban_seconds": 600,
    "auth_failures_per_minute": 1,
}


class Bans:
    """A guard with its file; monotonic time is `now`, and 1970 was 1,000 s before its zero."""

    def __init__(self, path: Path, **settings: Any) -> None:
        self.now = 100.0
        self.told: list[Event] = []
        self.guard = Guard(**SETTINGS | settings)
        self.file = BanFile(
            path,
            self.guard,
            report=self.told.append,
            now=lambda: self.now,
            utc=lambda: self.now + 1000,
        )

    def ban(self, source: str) -> None:
        for _ in range(2):
            self.guard.auth_failed(source, self.now, proven=True)


async def test_bans_come_back_with_the_time_they_had_left(tmp_path: Path) -> None:
    before = Bans(tmp_path / "bans")
    before.ban("203.0.113.9")
    before.ban("2001:db8::9")
    assert await before.file.flush()
    after = Bans(tmp_path / "bans")
    after.now = 150.0
    assert await after.file.load() == ""
    assert [(ban.source, ban.seconds_left) for ban in after.guard.bans(after.now)] == [
        ("203.0.113.9", 550.0),
        ("2001:db8:0:0::/64", 550.0),
    ]
    assert not after.guard.admit("2001:db8::1", after.now)
    after.now = 700.0
    assert await Bans(tmp_path / "bans").file.load() == ""


async def test_nothing_is_written_unless_something_changed(tmp_path: Path) -> None:
    path = tmp_path / "bans"
    bans = Bans(path)
    assert await bans.file.flush()
    assert not path.exists()
    bans.ban("203.0.113.9")
    await bans.file.flush()
    path.unlink()
    await bans.file.flush()
    assert not path.exists()
    bans.guard.release("203.0.113.9")
    await bans.file.flush()
    assert json.loads(path.read_bytes()) == {"version": 1, "bans": []}


async def test_it_runs_when_it_is_noticed(tmp_path: Path) -> None:
    bans = Bans(tmp_path / "bans")
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(bans.file.run)
        bans.file.notice()
        bans.ban("203.0.113.9")
        bans.file.notice()
        with anyio.fail_after(20):
            while bans.file._written != bans.guard.ban_changes:
                await anyio.lowlevel.checkpoint()
        tasks.cancel_scope.cancel()
    assert b"203.0.113.9" in (tmp_path / "bans").read_bytes()


async def test_a_disk_that_fails_is_told_once_and_again_when_it_works(tmp_path: Path) -> None:
    bans = Bans(tmp_path / "no" / "bans")
    bans.ban("203.0.113.9")
    assert not await bans.file.flush()
    assert not await bans.file.flush()
    assert [event.name for event in bans.told] == ["bans.failed"]
    (tmp_path / "no").mkdir()
    assert await bans.file.flush()
    assert [event.name for event in bans.told] == ["bans.failed", "bans.written"]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"null",
        b'{"version":2,"bans":[]}',
        b'{"version":1,"bans":[{}]}',
        b'{"version":1,"bans":[{"source":"a","reason":"b","until":"soon"}]}',
        b"\xff",
        b"[" * 100_000,
    ],
)
async def test_a_spoilt_file_costs_the_bans_and_nothing_else(
    tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "bans"
    path.write_bytes(content)
    bans = Bans(path)
    assert "cannot be used" in await bans.file.load()
    assert bans.guard.bans(bans.now) == ()


async def test_no_file_is_no_complaint(tmp_path: Path) -> None:
    assert await Bans(tmp_path / "bans").file.load() == ""
