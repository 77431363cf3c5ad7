import errno
import os
import stat
from pathlib import Path

import pytest

from centrex.runtime import outlet as module
from centrex.runtime.outlet import Outlet


def test_a_file_is_made_with_its_folders_and_appended_to(tmp_path: Path) -> None:
    path = tmp_path / "log" / "centrex" / "events.log"
    before = os.umask(0)
    try:
        outlet = Outlet(str(path))
        assert outlet.write(b"one\n") == (4, None)
    finally:
        os.umask(before)
    assert outlet.write(b"two\n") == (4, None)
    outlet.close()
    assert outlet.write(b"three\n") == (6, None)
    outlet.close()
    assert path.read_bytes() == b"one\ntwo\nthree\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o750


def test_a_file_that_cannot_be_had_is_an_answer(tmp_path: Path) -> None:
    outlet = Outlet(str(tmp_path))
    taken, error = outlet.write(b"one\n")
    assert taken == 0
    assert error is not None
    assert error.errno == errno.EISDIR
    assert not outlet.gone


def test_a_full_disk_keeps_what_was_not_taken() -> None:
    outlet = Outlet("/dev/full")
    taken, error = outlet.write(b"one\n")
    outlet.close()
    assert taken == 0
    assert error is not None
    assert error.errno == errno.ENOSPC


def test_a_pipe_nobody_reads_does_not_block(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_PATIENCE_MS", 1)
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    outlet = Outlet(str(fifo))
    taken, error = outlet.write(b"x" * 1_000_000)
    assert 0 < taken < 1_000_000
    assert isinstance(error, BlockingIOError)
    received = 0
    while received < taken:
        received += len(os.read(reader, 65536))
    assert outlet.write(b"more")[0] == 4
    outlet.close()
    os.close(reader)


def test_standard_error_that_is_broken_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    monkeypatch.setattr(module, "_STANDARD_ERROR", writer)
    outlet = Outlet("")
    taken, error = outlet.write(b"one\n")
    assert taken == 0
    assert isinstance(error, BrokenPipeError)
    assert outlet.gone
    outlet.close()
    os.close(writer)


def test_standard_error_is_never_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    reader, writer = os.pipe()
    monkeypatch.setattr(module, "_STANDARD_ERROR", writer)
    outlet = Outlet("")
    assert outlet.write(b"one\n") == (4, None)
    outlet.close()
    assert outlet.write(b"two\n") == (4, None)
    os.close(writer)
    assert os.read(reader, 100) == b"one\ntwo\n"
    os.close(reader)
