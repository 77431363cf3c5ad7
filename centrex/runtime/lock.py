"""One process per instance: an advisory lock on a file that holds the owner's process id.

Knows `flock` and how to name the process that is in the way. It does not know what an instance is,
and never removes the file: a removed lock file can be locked twice.
"""

import fcntl
import os
from pathlib import Path
from types import TracebackType
from typing import Self

from centrex.base import Unavailable


class AlreadyRunning(Unavailable):
    """Another process holds the lock; `pid` is its process id, 0 where the file does not tell."""

    def __init__(self, path: Path, pid: int) -> None:
        owner = f"process {pid}" if pid else "another process"
        super().__init__(f"this instance is already running: {owner} holds {path}")
        self.path, self.pid = path, pid


class InstanceLock:
    """The lock of one instance; held until `release`, or until the process ends however it ends.

    Args:
        path: The lock file, made where it is missing; its folder must exist.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self._descriptor = -1

    @property
    def held(self) -> bool:
        """Whether this object holds the lock."""
        return self._descriptor >= 0

    def acquire(self) -> None:
        """Take the lock without waiting, and write our process id into the file.

        Raises:
            AlreadyRunning: Another process, or another object of this one, holds it.
            Unavailable: The file cannot be opened or written; says why.
        """
        if self.held:
            return
        try:
            descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise Unavailable(f"cannot open the lock file {self.path}: {error.strerror}") from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        except BlockingIOError as error:
            pid = _pid_in(os.pread(descriptor, 32, 0))
            os.close(descriptor)
            raise AlreadyRunning(self.path, pid) from error
        except OSError as error:
            os.close(descriptor)
            raise Unavailable(f"cannot lock {self.path}: {error.strerror}") from error
        self._descriptor = descriptor

    def release(self) -> None:
        """Give the lock back; harmless where it is not held."""
        if self._descriptor >= 0:
            descriptor, self._descriptor = self._descriptor, -1
            os.ftruncate(descriptor, 0)
            os.close(descriptor)

    def __enter__(self) -> Self:
        self.acquire()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        self.release()


def is_free(path: Path | str) -> bool:
    """Return whether nobody holds a lock; also where its file is missing.

    Raises:
        Unavailable: The file cannot be read; says why.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return True
    except OSError as error:
        raise Unavailable(f"cannot read the lock file {path}: {error.strerror}") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        raise Unavailable(f"cannot look at the lock file {path}: {error.strerror}") from error
    finally:
        os.close(descriptor)
    return True


def holder_of(path: Path | str) -> int:
    """Return the process id that a lock file names, or 0; says nothing about whether it still runs."""
    try:
        return _pid_in(Path(path).read_bytes()[:32])
    except OSError:
        return 0


def _pid_in(content: bytes) -> int:
    digits = content.strip()
    return int(digits) if digits.isdigit() else 0
