"""The recovery file on disk: appended to, synced, and replaced by a snapshot that grows beside it.

It knows file descriptors, not registrations. Everything here blocks, and is called in a worker
thread: `is_gone`, `sync` and `sync_new` beside anything else, all the rest one call at a time.
"""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from centrex.registrar.image import HEADER

_SMALL: Final = 4_194_304
"""Octets of changes that are read in no time."""
_FACTOR: Final = 2
"""How many times the room of the snapshot changes may take: a new one costs, and so does reading."""
_COPIES: Final = 3


@dataclass(slots=True)
class _Part:
    """An open file: a snapshot, and the changes behind it."""

    fd: int
    snapshot: int = 0
    journal: int = 0


class RecoveryFile:
    """One recovery file, and the snapshot that is to replace it.

    Args:
        path: The file; its folder must exist. The name with `.new` behind it is the snapshot's.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._new_path = path.with_name(path.name + ".new")
        self._file: _Part | None = None
        self._new: _Part | None = None
        self._spoilt = self._unsynced = False

    @property
    def ready(self) -> bool:
        """Whether changes can be appended to a file that holds all earlier ones."""
        return self._file is not None and not self._spoilt

    @property
    def open(self) -> bool:
        """Whether changes can be appended to that, or to a snapshot that grows."""
        return self.ready or self._new is not None

    @property
    def unsynced(self) -> bool:
        """Whether something was appended that a loss of power would take away."""
        return self._unsynced

    @property
    def outgrown(self) -> bool:
        """Whether the changes take so much room that it is time for a new snapshot."""
        file = self._file
        return file is not None and file.journal > max(_FACTOR * file.snapshot, _SMALL)

    def adopt(self, length: int) -> None:
        """Go on with a file that another process left.

        Args:
            length: How much of it is whole lines; the rest is cut off.

        Raises:
            OSError: It cannot be written to, or a copy of it would change with it.
        """
        fd = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            if os.fstat(fd).st_nlink != 1:
                raise OSError(f"{self._path} has a second name")
            os.fchmod(fd, 0o600)
            os.ftruncate(fd, length)
        except BaseException:
            os.close(fd)
            raise
        # How much of it a snapshot would need nobody knows: all counts as changes.
        self._file, self._unsynced = _Part(fd, journal=length), True

    def append(self, line: bytes) -> None:
        """Write a line of changes: to the file, and to the snapshot that grows.

        Raises:
            OSError: Neither holds it; nothing more is appended until there is another file.
        """
        self._unsynced = True
        failure: OSError | None = None
        held = False
        if self._file is not None and not self._spoilt:
            try:
                _write(self._file.fd, line)
                self._file.journal += len(line)
                held = True
            except OSError as error:
                self._spoilt, failure = True, error
        if self._new is not None:
            try:
                _write(self._new.fd, line)
                self._new.journal += len(line)
                held = True
            except OSError as error:
                self.drop_new()
                failure = error
        if not held:
            raise failure or OSError(f"{self._path} is not open")

    def sync(self) -> None:
        """Make sure that what was appended survives a loss of power.

        Raises:
            OSError: Perhaps it does not; nothing more is appended until there is another file.
        """
        if self._file is None:
            return
        self._unsynced = False
        try:
            os.fsync(self._file.fd)
        except OSError:
            self._spoilt = True
            raise

    def is_gone(self) -> bool:
        """Whether the open file is no longer the one of its name; then nothing more is appended to it."""
        file = self._file
        if file is not None and not self._spoilt:
            try:
                named = os.stat(self._path, follow_symlinks=False)
            except OSError:
                self._spoilt = True  # whoever starts next would not find it either
            else:
                self._spoilt = not os.path.samestat(named, os.fstat(file.fd))
        return file is not None and self._spoilt

    def begin(self) -> None:
        """Start a new snapshot beside the file."""
        self.drop_new()
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
        self._new = _Part(os.open(self._new_path, flags, 0o600))
        os.fchmod(self._new.fd, 0o600)
        self.grow(HEADER)

    def grow(self, line: bytes) -> None:
        """Write a line of the new snapshot."""
        _write(self._begun.fd, line)
        self._begun.snapshot += len(line)

    def sync_new(self) -> None:
        """Make sure that the new snapshot survives a loss of power."""
        os.fsync(self._begun.fd)

    def commit(self) -> None:
        """Put the new snapshot in the place of the file."""
        new = self._begun
        os.replace(self._new_path, self._path)
        self._new = None
        self.close()
        self._file = new

    def sync_folder(self) -> None:
        """Make sure that a loss of power does not bring the former file back."""
        folder = os.open(self._path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def drop_new(self) -> None:
        """Give up the new snapshot, if there is one; it is left aside."""
        new, self._new = self._new, None
        if new is not None:
            os.close(new.fd)

    def close(self) -> None:
        """Close whatever is open."""
        self.drop_new()
        file, self._file, self._spoilt = self._file, None, False
        if file is not None:
            os.close(file.fd)

    @property
    def _begun(self) -> _Part:
        if self._new is None:
            raise OSError(f"{self._new_path} was given up: it could not be written to")
        return self._new


def keep_copy(path: Path, stamp: str) -> Path:
    """Keep a file under a dated name, and of such copies only the newest few.

    Args:
        path: The file.
        stamp: The date, in a form that sorts.

    Raises:
        OSError: It could not be kept.
    """
    copy = path.with_name(f"{path.name}.{stamp}.damaged")
    copy.unlink(missing_ok=True)
    try:
        # A link is enough: a new snapshot replaces the name and leaves the content alone.
        os.link(path, copy, follow_symlinks=False)
    except OSError:
        shutil.copy2(path, copy)
    for old in sorted(path.parent.glob(f"{path.name}.*.damaged"))[:-_COPIES]:
        old.unlink(missing_ok=True)
    return copy


def _write(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]
