"""The recovery file: registrations on disk, so that phones stay reachable after a crash.

When to write, and what: changes are appended soon after they were made, and synced at intervals;
when they outgrow the snapshot before them, a new one is made while they go on being appended. The
loop only hands over values that never change; they are made into lines, and written, in a worker
thread. What a line looks like is for `centrex.registrar.image`, the file for
`centrex.runtime.recovery_file`; who is registered, for the registry.
"""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Final, TypeAlias, TypeVar

import anyio
import anyio.lowlevel
import anyio.to_thread

from centrex.base import Instant
from centrex.events import Event, Kind, Severity
from centrex.registrar.binding import Binding
from centrex.registrar.image import FlowOf, Image, read, revive, write_line
from centrex.registrar.registry import Registry
from centrex.runtime.garbage import uncollected
from centrex.runtime.recovery_file import RecoveryFile, keep_copy

_SHARE: Final = 0.25
"""The share of an interval after which changes are written; the rest is for the writing."""
_WRITE_PAUSE_S: Final = 0.05
"""The least time between two writes, of which each costs as much as a registration."""
_SYNC_PAUSE_S: Final = 1.0
"""The least time between two syncs, which cost more."""
_LINE: Final = 50
"""Users in a line, which are lost together where the disk spoils it."""
_PIECE: Final = 150
"""Users whose lines are made without giving way: about half a millisecond."""
_GIVE_WAY_S: Final = 0.0002
"""How long the interpreter is left to the loop then; it would not notice less."""
_CHUNK: Final = 600
"""Users of a snapshot written in one go, while changes wait."""

_T = TypeVar("_T")
_Users: TypeAlias = Iterable[tuple[bytes, tuple[Binding, ...]]]


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
        changes: Write and sync as soon as that many changes wait (`registrar.recovery_changes`).
        interval_s: Sync at least so often, and write in time for that
            (`registrar.recovery_interval`).
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
        self._file = RecoveryFile(path)
        # One thread writes, and another may sync meanwhile, which can take long.
        self._limiter = anyio.CapacityLimiter(2)
        self._writing, self._settling = anyio.Lock(), anyio.Lock()
        self._write_now, self._settle_now = anyio.Event(), anyio.Event()
        self._owed, self._why = False, ""

    @property
    def complaint(self) -> str:
        """Why the file cannot be written now, in words; empty where it can."""
        if not self._why:
            return ""
        return (
            f"registrations are not written to {self._path}: {self._why}; after a restart phones "
            "are reached only when they have registered anew"
        )

    def adjust(self, *, changes: int, interval_s: float) -> None:
        """Change when to write; another interval begins at once, with what waits written first."""
        if interval_s != self._interval_s:
            self._write_now.set()
        self._changes, self._interval_s = changes, interval_s

    def notice(self) -> None:
        """Look whether enough changes wait; to be called after changes, costs next to nothing."""
        if self._registry.pending >= self._changes and not self._why:
            self._write_now.set()

    async def run(self) -> None:
        """Write when it is due, until cancelled; then `flush` writes the rest."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._keep_writing)
            tasks.start_soon(self._keep_settling)

    async def flush(self) -> bool:
        """Write all that waits, and return whether it is on disk now. A failure is reported once."""
        await self._write()
        return await self._settle()

    async def close(self) -> None:
        """Write the rest and close the file."""
        await self.flush()
        await self._off_thread(self._file.close)

    async def load(self, flow_of: FlowOf) -> Loaded:
        """Read the file into the registry; what is damaged is kept in a dated copy, never fatal.

        A file that had to be left is written anew at once, so that all further changes can be
        appended.

        Args:
            flow_of: Finds a UDP path again; for a connection, which is gone, it answers None.
        """
        warnings: list[str] = []
        with uncollected():
            image = await self._off_thread(lambda: self._read(warnings))
            users = bindings = expired = 0
            now, utc = self._now(), self._utc()
            for number, (user, rows) in enumerate(image.users.items(), 1):
                if number % _CHUNK == 0:
                    await anyio.lowlevel.checkpoint()
                alive, ended = revive(rows, now, utc, flow_of)
                expired += ended
                if alive:
                    self._registry.restore(user.encode("latin-1"), alive)
                    users, bindings = users + 1, bindings + len(alive)
        if self._owed:
            await self._settle()
        return Loaded(users=users, bindings=bindings, expired=expired, warnings=tuple(warnings))

    def _read(self, warnings: list[str]) -> Image:
        try:
            with self._path.open("rb") as file:
                image = read(file)
        except FileNotFoundError:
            return Image()
        except OSError as error:
            warnings.append(f"{self._path} cannot be read: {error}; starting without it")
            image = Image()
        else:
            warnings += _complaints(self._path, image)
            if image.known and not image.damaged:
                self._adopt(image.length)
                return image
        self._owed = True
        stamp = datetime.fromtimestamp(self._utc(), UTC).strftime("%Y%m%dT%H%M%SZ")
        try:
            warnings.append(f"a copy is kept as {keep_copy(self._path, stamp)}")
        except OSError as error:
            warnings.append(f"no copy of it could be kept: {error}")
        return image

    def _adopt(self, length: int) -> None:
        try:
            self._file.adopt(length)
        except OSError:
            self._owed = True  # another file takes its place

    # writing: what makes changes survive the process

    async def _keep_writing(self) -> None:
        began, pause = anyio.current_time(), 0.0
        while True:
            with anyio.CancelScope(deadline=began + self._interval_s * _SHARE):
                await self._write_now.wait()
                await anyio.sleep_until(began + pause)
            began, pause = anyio.current_time(), _WRITE_PAUSE_S
            asked, self._write_now = self._write_now.is_set(), anyio.Event()
            await self._write()
            stuck = self._registry.pending and not self._file.open
            if asked or (stuck and not self._why):
                self._settle_now.set()

    async def _write(self) -> None:
        """Append what waits; where there is no file for it, it goes on waiting for `_settle`."""
        async with self._writing:
            if not self._registry.pending or not self._file.open:
                return
            changes = self._registry.take_changes()
            try:
                with anyio.CancelScope(shield=True):
                    await self._off_thread(partial(self._put, changes.items(), self._file.append))
            except OSError as error:
                # The changes taken are nowhere now: only a whole image holds them.
                self._owed = True
                self._tell("recovery.failed", Severity.ERROR, _in_words(error))

    def _put(self, users: _Users, put: Callable[[bytes], None]) -> None:
        """Make lines of users and write them: in the worker thread, which gives way now and then."""
        rest = iter(users)
        while piece := list(islice(rest, _PIECE)):
            now, utc = self._now(), self._utc()
            lines = [
                write_line(piece[start : start + _LINE], now, utc)
                for start in range(0, len(piece), _LINE)
            ]
            put(b"".join(lines))
            time.sleep(_GIVE_WAY_S)

    # settling: what makes changes survive a loss of power, and keeps the file small

    async def _keep_settling(self) -> None:
        began, pause = anyio.current_time(), 0.0
        while True:
            with anyio.CancelScope(deadline=began + self._interval_s):
                await self._settle_now.wait()
                await anyio.sleep_until(began + pause)
            began, pause = anyio.current_time(), _SYNC_PAUSE_S
            self._settle_now = anyio.Event()
            await self._settle()

    async def _settle(self) -> bool:
        """Sync what was appended, or put a new snapshot in the place of the file if it is time."""
        async with self._settling:
            file = self._file
            gone = await self._off_thread(file.is_gone)
            waiting = gone or self._owed or self._registry.pending > 0
            whole = file.outgrown or (waiting and not file.ready)
            if not whole and not file.unsynced:
                return True
            try:
                if whole:
                    await self._renew()
                else:
                    await self._off_thread(file.sync)
            except OSError as error:
                self._owed = not file.ready
                self._tell("recovery.failed", Severity.ERROR, _in_words(error))
                return False
            self._tell("recovery.written", Severity.NOTICE, "")
            return True

    async def _renew(self) -> None:
        """Write a whole image beside the file and put it in its place.

        Changes that come meanwhile are appended to both. A piece of the snapshot says how its users
        are when it is written, so what stands further down is never older.
        """
        file = self._file
        try:
            async with self._writing:
                users = self._registry.names()
                if not file.ready:
                    self._owed = True
                    self._registry.take_changes()
                await self._off_thread(file.begin)
            for start in range(0, len(users), _CHUNK):
                async with self._writing:
                    held = [
                        (one, self._registry.held(one)) for one in users[start : start + _CHUNK]
                    ]
                    alive = [one for one in held if one[1]]
                    await self._off_thread(partial(self._put, alive, file.grow))
            await self._off_thread(file.sync_new)
            async with self._writing:
                await self._off_thread(file.commit)
                self._owed = False
            await self._off_thread(file.sync_folder)
        finally:
            with anyio.CancelScope(shield=True):
                async with self._writing:
                    await self._off_thread(file.drop_new)

    async def _off_thread(self, work: Callable[[], _T]) -> _T:
        return await anyio.to_thread.run_sync(work, limiter=self._limiter)

    def _tell(self, name: str, severity: Severity, why: str) -> None:
        before, self._why = self._why, why
        if bool(why) is not bool(before):
            fields = {"file": str(self._path), "why": why}
            self._report(Event(Kind.ERRORS, severity, name, fields))


def _in_words(error: OSError) -> str:
    return error.strerror or str(error)


def _complaints(path: Path, image: Image) -> list[str]:
    if not image.known:
        return [f"{path} is no recovery file of this version; starting without it"]
    found = []
    if image.damaged:
        found.append(f"{path} has {image.damaged} damaged lines; the others are used")
    if image.torn:
        found.append(f"the last line of {path} was cut off, as after a crash; it is left out")
    return found
