import os
import subprocess
import sys
from pathlib import Path

import pytest

from centrex.base import Unavailable
from centrex.runtime.lock import AlreadyRunning, InstanceLock, holder_of, is_free


def test_the_lock_names_its_holder_while_held(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    assert holder_of(path) == 0
    with InstanceLock(path) as lock:
        assert lock.held
        assert holder_of(path) == os.getpid()
        lock.acquire()
        with pytest.raises(AlreadyRunning, match=f"process {os.getpid()} holds") as refused:
            InstanceLock(path).acquire()
        assert refused.value.pid == os.getpid()
    assert not lock.held
    assert holder_of(path) == 0
    lock.release()
    with InstanceLock(path):
        pass


def test_one_can_look_whether_it_is_free(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    assert is_free(path)
    assert not path.exists()
    with InstanceLock(path):
        assert not is_free(path)
        assert holder_of(path) == os.getpid()
    assert is_free(path)
    with pytest.raises(Unavailable, match="cannot read the lock file"):
        is_free(tmp_path / "lock" / "lock")


def test_a_lock_file_left_over_stands_in_nobodys_way(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    path.write_text("999999999 and some more text than the new process id has\n")
    with InstanceLock(path):
        assert path.read_text() == f"{os.getpid()}\n"


def test_a_file_without_a_number_names_nobody(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with InstanceLock(path):
        path.write_bytes(b"\xff\x00")
        with pytest.raises(AlreadyRunning, match="another process") as refused:
            InstanceLock(path).acquire()
    assert refused.value.pid == 0


@pytest.mark.parametrize("name", ["missing/lock", "."])
def test_a_place_that_cannot_be_used_is_told_in_words(tmp_path: Path, name: str) -> None:
    with pytest.raises(Unavailable, match="cannot open the lock file"):
        InstanceLock(tmp_path / name).acquire()


@pytest.mark.slow
def test_the_lock_ends_with_its_process_however_that_ends(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    program = (
        "import sys; from centrex.runtime.lock import InstanceLock;"
        "InstanceLock(sys.argv[1]).acquire(); print('held', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"held\n"
        with pytest.raises(AlreadyRunning) as refused:
            InstanceLock(path).acquire()
        assert refused.value.pid == other.pid
        other.kill()
    with InstanceLock(path):
        pass
