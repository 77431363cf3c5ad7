import errno
import os
from functools import partial
from pathlib import Path

import pytest

from centrex.registrar.image import HEADER
from centrex.runtime import recovery_file as module
from centrex.runtime.recovery_file import RecoveryFile, keep_copy


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "registrations"


def begun(path: Path, *lines: bytes) -> RecoveryFile:
    """A file that was just made."""
    file = RecoveryFile(path)
    file.begin()
    for line in lines:
        file.grow(line)
    file.commit()
    return file


def lines(path: Path) -> list[bytes]:
    header, *rest = path.read_bytes().splitlines(keepends=True)
    assert header == HEADER
    return rest


class Full:
    """A disk on which no more can be written by some descriptors."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.full: set[str] = set()
        self._write = os.write
        monkeypatch.setattr(os, "write", self.write)

    def write(self, fd: int, data: bytes) -> int:
        if os.readlink(f"/proc/self/fd/{fd}") in self.full:
            raise OSError(errno.ENOSPC, "No space left on device")
        return self._write(fd, data[:2])


@pytest.fixture
def full(monkeypatch: pytest.MonkeyPatch) -> Full:
    return Full(monkeypatch)


def test_nothing_is_open_at_first(path: Path) -> None:
    file = RecoveryFile(path)
    assert not any((file.ready, file.open, file.outgrown, file.unsynced))
    with pytest.raises(OSError, match="not open"):
        file.append(b"a\n")
    file.sync()
    assert not path.exists()


def test_it_is_gone_where_its_name_is_that_of_another_file(path: Path) -> None:
    file = RecoveryFile(path)
    assert not file.is_gone(), "there was none"
    file = begun(path, b"a\n")
    assert not file.is_gone()
    assert file.ready
    path.unlink()
    assert file.is_gone()
    assert not file.ready
    file = begun(path, b"a\n")
    path.with_name("other").write_bytes(b"")
    path.with_name("other").replace(path)
    assert file.is_gone()


def test_a_snapshot_takes_the_place_of_the_file_when_it_is_whole(path: Path) -> None:
    file = begun(path, b"a\n")
    file.begin()
    file.grow(b"b\n")
    assert lines(path) == [b"a\n"]
    file.commit()
    file.sync_folder()
    assert lines(path) == [b"b\n"]
    file.append(b"c\n")
    assert lines(path) == [b"b\n", b"c\n"]
    assert file.unsynced
    file.sync()
    assert not file.unsynced


def test_it_is_written_to_the_end(path: Path, full: Full) -> None:
    begun(path, b"a long line\n").append(b"and another one\n")
    assert lines(path) == [b"a long line\n", b"and another one\n"]


def test_changes_go_to_the_snapshot_that_grows_as_well(path: Path) -> None:
    file = begun(path)
    file.begin()
    file.append(b"a\n")
    file.grow(b"b\n")
    assert lines(path) == [b"a\n"]
    file.commit()
    assert lines(path) == [b"a\n", b"b\n"]


def test_it_has_outgrown_when_changes_take_twice_the_room(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_SMALL", 10)
    file = begun(path, b"x" * 99 + b"\n")
    snapshot = 100 + len(HEADER)
    for _ in range(2):
        file.append(b"y" * (snapshot - 1) + b"\n")
        assert not file.outgrown
    file.append(b"\n")
    assert file.outgrown
    file.begin()
    file.append(b"z\n")
    file.commit()
    assert not file.outgrown


def test_a_little_is_never_outgrown(path: Path) -> None:
    file = begun(path)
    file.append(b"x" * 100_000 + b"\n")
    assert not file.outgrown


def test_after_a_failure_nothing_is_appended_until_there_is_another_file(
    path: Path, full: Full
) -> None:
    file = begun(path, b"a\n")
    full.full = {str(path)}
    with pytest.raises(OSError, match="No space"):
        file.append(b"b\n")
    full.full = set()
    assert not any((file.ready, file.open))
    with pytest.raises(OSError, match="not open"):
        file.append(b"c\n")
    file.begin()
    assert file.open
    file.grow(b"a\n")
    file.append(b"c\n")
    file.commit()
    assert file.ready
    assert lines(path) == [b"a\n", b"c\n"]


def test_a_change_that_only_the_snapshot_holds_is_held(path: Path, full: Full) -> None:
    file = begun(path)
    file.begin()
    full.full = {str(path)}
    file.append(b"a\n")
    assert not file.ready
    file.commit()
    assert file.ready
    assert lines(path) == [b"a\n"]


def test_a_snapshot_without_room_is_given_up_and_the_file_goes_on(path: Path, full: Full) -> None:
    file = begun(path)
    file.begin()
    full.full = {str(path) + ".new"}
    file.append(b"a\n")
    full.full = set()
    for gone in (partial(file.grow, b"b\n"), file.sync_new, file.commit):
        with pytest.raises(OSError, match="given up"):
            gone()
    file.append(b"c\n")
    assert file.ready
    assert lines(path) == [b"a\n", b"c\n"]


def test_where_neither_has_room_it_is_told(path: Path, full: Full) -> None:
    file = begun(path)
    file.begin()
    full.full = {str(path), str(path) + ".new"}
    with pytest.raises(OSError, match="No space"):
        file.append(b"a\n")
    assert not file.open


def test_what_could_not_be_synced_counts_as_lost(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = begun(path)
    file.append(b"a\n")

    def fail(fd: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="Input"):
        file.sync()
    assert not file.ready


def test_a_file_of_another_process_is_gone_on_with(path: Path) -> None:
    path.write_bytes(HEADER + b"a\nto")
    path.chmod(0o644)
    file = RecoveryFile(path)
    file.adopt(len(HEADER) + 2)
    assert file.ready
    assert path.stat().st_mode & 0o777 == 0o600
    file.append(b"b\n")
    assert lines(path) == [b"a\n", b"b\n"]


def test_a_file_with_two_names_is_not(path: Path) -> None:
    path.write_bytes(HEADER)
    os.link(path, path.with_name("copy"))
    file = RecoveryFile(path)
    with pytest.raises(OSError, match="second name"):
        file.adopt(len(HEADER))
    assert not file.ready


def test_a_link_is_not_followed(path: Path) -> None:
    other = path.with_name("other")
    other.write_bytes(HEADER)
    path.symlink_to(other)
    with pytest.raises(OSError, match="Too many levels"):
        RecoveryFile(path).adopt(0)
    assert other.read_bytes() == HEADER


def test_what_is_closed_holds_no_descriptor(path: Path) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    file = begun(path)
    file.begin()
    file.begin()
    file.close()
    file.close()
    assert not file.open
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_only_the_newest_copies_are_kept(path: Path) -> None:
    for number in range(5):
        path.unlink(missing_ok=True)
        path.write_bytes(b"%d" % number)
        copy = keep_copy(path, f"2026010{number}")
        assert copy.read_bytes() == b"%d" % number
    kept = sorted(path.parent.glob("*.damaged"))
    assert [one.read_bytes() for one in kept] == [b"2", b"3", b"4"]
