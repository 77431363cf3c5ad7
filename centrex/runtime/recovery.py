"""The recovery file: registrations on disk, so that phones stay reachable after a crash.

One file: a snapshot, and behind it a line for each batch of changes; when the changes outgrow the
snapshot a new one takes its place, by a rename. Rendering is done in small pieces on the event
loop, files are touched in one worker thread. What a line looks like is for
`centrex.registrar.image`; who is registered, for the registry.
"""

import os
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, TypeVar

import anyio
import anyio.lowlevel
import anyio.to_thread

from centrex.base import Instant
from centrex.events import Event, Kind, Severity
from centrex.registrar.image import HEADER, FlowOf, Image, read, revive, write_line
from centrex.registrar.registry import Registry

_PIECE: Final = 50
_BLOCK: Final = 262_144
_SMALL: Final = 1_048_576
_COPIES: Final = 3

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """What a recovery file gave back."""

    users: int = 0
    """Users who are registered again."""
    bindings: int = 0
    """Their bindings."""
    expired: int = 0
    """Bindings that expired while nobody looked."""
    warnings: tuple[str, ...] = ()
    """What was wrong with the file, in words; empty is well."""


class Recovery:
    """Keeps a registry's recovery file.

    Args:
        path: The file; its folder must exist. The name with endings is used for copies beside it.
        registry: Made with `feed=True`.
        changes: Write as soon as that many changes wait (`registrar.recovery_changes`).
        interval_s: Write at least so often while any wait (`registrar.recovery_interval`).
        report: Takes the event when writing begins to fail, and when it works again.
        now: Tells monotonic seconds.
        utc: Tells seconds since 1970.
    """

    def __init__(
        self,
        path: Path,
        registry: Registry,
        *,
        changes: int,
        interval_s: float,
        report: Callable[[Event], None],
        now: Callable[[], Instant] = time.monotonic,
        utc: Callable[[], float] = time.time,
    ) -> None:
        self._path, self._registry, self._report = path, registry, report
        self._changes, self._interval_s = changes, interval_s
        self._now, self._utc = now, utc
        self._file = _File(path)
        self._limiter = anyio.CapacityLimiter(1)
        self._turn = anyio.Lock()
        self._wake = anyio.Event()
        self._owed = self._failing = False

    def adjust(self, *, changes: int, interval_s: float) -> None:
        """Change when to write; another interval begins at once, with what waits written first."""
        if interval_s != self._interval_s:
            self._wake.set()
        self._changes, self._interval_s = changes, interval_s

    def notice(self) -> None:
        """Look whether enough changes wait; to be called after changes, costs next to nothing."""
        if self._registry.pending >= self._changes and not self._failing:
            self._wake.set()

    async def run(self) -> None:
        """Write when it is due, until cancelled; then `flush` writes the rest."""
        while True:
            with anyio.move_on_after(self._interval_s):
                await self._wake.wait()
            self._wake = anyio.Event()
            if self._registry.pending or self._owed:
                await self.flush()

    async def flush(self) -> bool:
        """Write all that waits, and return whether it is on disk now. A failure is reported once."""
        async with self._turn:
            if not (self._registry.pending or self._owed):
                return True
            whole = self._owed or not self._file.ready or self._file.outgrown
            # Until it is done the changes taken are nowhere: only a whole image would hold them.
            self._owed = True
            try:
                await (self._write_whole() if whole else self._write_changes())
            except OSError as error:
                self._tell("recovery.failed", Severity.ERROR, str(error))
                return False
            self._owed = False
            self._tell("recovery.written", Severity.NOTICE, "")
            return True

    async def close(self) -> None:
        """Write the rest and close the file."""
        await self.flush()
        await self._off_thread(self._file.close)

    async def load(self, flow_of: FlowOf) -> Loaded:
        """Read the file into the registry; what is damaged is kept in a dated copy, never fatal.

        Args:
            flow_of: Finds a UDP path again; for a connection, which is gone, it answers None.
        """
        warnings: list[str] = []
        image = await self._off_thread(lambda: self._read(warnings))
        users = bindings = expired = 0
        now, utc = self._now(), self._utc()
        for number, (user, rows) in enumerate(image.users.items()):
            if number % _PIECE == 0:
                await anyio.lowlevel.checkpoint()
            alive, ended = revive(rows, now, utc, flow_of)
            expired += ended
            if alive:
                self._registry.restore(user.encode("latin-1"), alive)
                users, bindings = users + 1, bindings + len(alive)
        self._owed = bool(warnings)
        return Loaded(users=users, bindings=bindings, expired=expired, warnings=tuple(warnings))

    def _read(self, warnings: list[str]) -> Image:
        try:
            image = read(self._path.read_bytes())
        except FileNotFoundError:
            return Image()
        except OSError as error:
            warnings.append(f"{self._path} cannot be read: {error}; starting without it")
            image = Image()
        else:
            warnings += _complaints(self._path, image)
            if image.known and not image.damaged:
                return image
        stamp = datetime.fromtimestamp(self._utc(), UTC).strftime("%Y%m%dT%H%M%SZ")
        try:
            warnings.append(f"a copy is kept as {_keep_copy(self._path, stamp)}")
        except OSError as error:
            warnings.append(f"no copy of it could be kept: {error}")
        return image

    async def _write_whole(self) -> None:
        users = self._registry.names()
        self._registry.take_changes()
        await self._off_thread(self._file.begin)
        await self._write(users, gone=False)
        await self._off_thread(self._file.commit)

    async def _write_changes(self) -> None:
        await self._write(self._registry.take_changes(), gone=True)
        await self._off_thread(self._file.sync)

    async def _write(self, users: list[bytes], *, gone: bool) -> None:
        """Render users as they are now and write them, with those who have no bindings or without."""
        held, block = self._registry.held, bytearray()
        for start in range(0, len(users), _PIECE):
            piece = [(user, held(user)) for user in users[start : start + _PIECE]]
            if not gone:
                piece = [one for one in piece if one[1]]
            block += write_line(piece, self._now(), self._utc())
            if len(block) >= _BLOCK:
                await self._write_block(bytes(block))
                block.clear()
            else:
                await anyio.lowlevel.checkpoint()
        if block:
            await self._write_block(bytes(block))

    async def _write_block(self, block: bytes) -> None:
        await self._off_thread(lambda: self._file.write(block))

    async def _off_thread(self, work: Callable[[], _T]) -> _T:
        return await anyio.to_thread.run_sync(work, limiter=self._limiter)

    def _tell(self, name: str, severity: Severity, why: str) -> None:
        failing = bool(why)
        if failing is not self._failing:
            self._failing = failing
            fields = {"file": str(self._path), "why": why}
            self._report(Event(Kind.ERRORS, severity, name, fields))


class _File:
    """The file itself: written only in the worker thread, one call at a time."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._new = path.with_name(path.name + ".new")
        self._fd = self._new_fd = -1
        self._snapshot = self._journal = 0

    @property
    def ready(self) -> bool:
        """Whether changes can be appended to a snapshot of ours."""
        return self._fd >= 0

    @property
    def outgrown(self) -> bool:
        """Whether the changes take more room than a new snapshot would."""
        return self._journal > max(self._snapshot, _SMALL)

    def begin(self) -> None:
        """Start a new snapshot beside the file."""
        self._drop_new()
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
        self._new_fd = os.open(self._new, flags, 0o600)
        os.fchmod(self._new_fd, 0o600)
        self._snapshot = 0
        self.write(HEADER)

    def write(self, data: bytes) -> None:
        """Write to the new snapshot if there is one, else behind the present one."""
        fd = self._new_fd
        if fd >= 0:
            self._snapshot += len(data)
        else:
            fd = self._fd
            self._journal += len(data)
        view = memoryview(data)
        while view:
            view = view[os.write(fd, view) :]

    def sync(self) -> None:
        """Make sure that what was appended is on disk."""
        os.fsync(self._fd)

    def commit(self) -> None:
        """Put the new snapshot in the place of the file."""
        os.fsync(self._new_fd)
        os.replace(self._new, self._path)
        folder = os.open(self._path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
        self.close_old()
        self._fd, self._new_fd, self._journal = self._new_fd, -1, 0

    def close(self) -> None:
        """Close whatever is open; a snapshot that was not committed is left aside."""
        self._drop_new()
        self.close_old()

    def close_old(self) -> None:
        """Close the present file."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _drop_new(self) -> None:
        if self._new_fd >= 0:
            os.close(self._new_fd)
            self._new_fd = -1


def _complaints(path: Path, image: Image) -> list[str]:
    if not image.known:
        return [f"{path} is no recovery file of this version; starting without it"]
    found = []
    if image.damaged:
        found.append(f"{path} has {image.damaged} damaged lines; the others are used")
    if image.torn:
        found.append(f"the last line of {path} was cut off, as after a crash; it is left out")
    return found


def _keep_copy(path: Path, stamp: str) -> Path:
    """Keep the file under a dated name, and of such copies only the newest few."""
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
