"""The file in which sessions outlive a relay: written, read, and given up where that fails."""

import os
import time
from pathlib import Path

import pytest

from centrex.farm.ledger import Ledger, heading, record_of
from centrex.farm.wire import encode
from centrex.media.terms import Session
from centrex.runtime.relay.ledger_file import LedgerFile


def record(name: str, *, long: int = 0) -> bytes:
    told = encode("put", session=Session(name, "c" * (long or 1), 1))
    return record_of(heading("office", "b1"), told)


class World:
    def __init__(self, folder: Path) -> None:
        self.path = folder / "relay.calls"
        self.said: list[str] = []
        self.ledger = Ledger()
        self.file = LedgerFile(self.path, self.ledger, self.said.append)

    def left(self) -> list[str]:
        """What the next relay finds."""
        return [one.session.id for one in World(self.path.parent).file.left()]


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_what_is_written_is_there_for_the_next(world: World) -> None:
    assert world.left() == []
    world.ledger.put("s1", record("s1"))
    world.file.begin()
    assert world.path.stat().st_mode & 0o777 == 0o600
    world.ledger.put("s2", record("s2"))
    assert world.left() == ["s1"]
    world.file.flush()
    world.file.flush()
    assert world.left() == ["s1", "s2"]
    world.ledger.end("s1")
    world.file.close(keep=True)
    assert world.left() == ["s2"]


def test_an_orderly_end_leaves_nothing(world: World) -> None:
    world.file.begin()
    world.file.close(keep=False)
    assert not list(world.path.parent.iterdir())
    world.file.close(keep=False)


def test_it_is_made_anew_now_and_then(world: World) -> None:
    world.file.begin()
    for _ in range(300):
        world.ledger.put("s", record("s", long=10_000))
        world.file.flush()
    assert world.path.stat().st_size < 2_000_000
    assert world.left() == ["s"]
    assert not world.said


def test_an_old_one_is_of_no_use(world: World) -> None:
    world.ledger.put("s", record("s"))
    world.file.begin()
    old = time.time() - 4000
    os.utime(world.path, (old, old))
    assert world.left() == []
    world.file.flush()
    assert world.left() == ["s"], "whoever runs keeps it young"


def test_where_it_cannot_be_written_it_goes(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is out of date would bring calls back that are over."""
    world.ledger.put("s", record("s"))
    world.file.begin()

    def write(descriptor: int, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", write)
    world.ledger.put("s2", record("s2"))
    world.file.flush()
    assert world.said == [
        f"{world.path}: No space left on device; its calls end if it is killed",
    ]
    assert not world.path.exists()
    monkeypatch.undo()
    world.ledger.put("s3", record("s3"))
    world.file.flush()
    assert not world.path.exists(), "said once, and over"
    world.file.close(keep=True)


def test_where_there_is_no_folder(tmp_path: Path) -> None:
    world = World(tmp_path / "nowhere")
    assert world.left() == []
    world.file.begin()
    assert len(world.said) == 1
    world.file.flush()


def test_one_that_cannot_be_read(world: World) -> None:
    world.path.mkdir()
    assert world.file.left() == []
    assert len(world.said) == 1
