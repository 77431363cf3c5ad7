"""The subscriptions on disk, so that watchers are told on after a crash without having to ask again.

One JSON file in the state folder, replaced whole by a worker thread when subscriptions have begun, gone on
or ended; the more there are, the longer is the pause. An orderly stop ends them all, and empties it. What
a row holds is for `watching.image`; who is told what after a start, for `proxy.watchers`.
"""

import json
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import anyio
import anyio.lowlevel
import anyio.to_thread

from centrex.base import Instant
from centrex.events import Event, Kind, Severity
from centrex.runtime.atomic_file import replace_file
from centrex.watching.image import FlowOf, revive, row
from centrex.watching.subscription import Subscription

if TYPE_CHECKING:
    from centrex.proxy.watchers import Watchers

VERSION: Final = 1
PAUSE_S: Final = 5.0
"""The least time between two writes."""
_EACH_S: Final = 0.002
"""By how much each subscription lengthens it."""
_PIECE: Final = 50
"""Rows made without giving way."""
_LONGEST: Final = 256 * 1024 * 1024


class WatchFile:
    """Keeps the subscriptions of one core.

    Args:
        path: The file; its folder must exist when it is used.
        watchers: Tells the watchers there are.
        report: Takes the event when writing begins to fail, and when it works again.
        now: Tells monotonic seconds.
        utc: Tells seconds since 1970.
    """

    def __init__(
        self,
        path: Path,
        watchers: Callable[[], "Watchers"],
        *,
        report: Callable[[Event], None],
        now: Callable[[], Instant] = time.monotonic,
        utc: Callable[[], float] = time.time,
    ) -> None:
        self._path, self._watchers, self._report = path, watchers, report
        self._now, self._utc = now, utc
        self._written = 0
        self._turn = anyio.Lock()
        self._failing = False

    async def load(self, flow_of: FlowOf) -> tuple[int, str]:
        """Have the watchers of the file told on.

        Returns:
            How many there are, and what is wrong with the file, "" where nothing is.
        """
        try:
            written, rows = await anyio.to_thread.run_sync(self._read)
            subs = await self._revived(written, rows, flow_of)
        except FileNotFoundError:
            return 0, ""
        except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
            return 0, f"{self._path} cannot be used ({error}): watchers have to subscribe anew"
        return self._watchers().resume(subs, self._now()), ""

    async def _revived(
        self, written: float, rows: Iterable[Any], flow_of: FlowOf
    ) -> list[Subscription]:
        utc, now = self._utc(), self._now()
        found = []
        for number, one in enumerate(rows):
            sub = revive(one, utc - written, now, utc - now, flow_of)
            if sub is not None:
                found.append(sub)
            if number % _PIECE == 0:
                await anyio.lowlevel.checkpoint()
        return found

    async def run(self) -> None:
        """Write when subscriptions have changed, until cancelled; then `flush`."""
        while True:
            await anyio.sleep(PAUSE_S + _EACH_S * len(self._watchers()))
            await self.flush()

    async def flush(self) -> bool:
        """Write the subscriptions if they have changed; return whether they are on disk now."""
        async with self._turn:
            notifier = self._watchers().notifier
            changes = notifier.changes
            if changes == self._written:
                return True
            ahead = self._utc() - self._now()
            head = f'{{"version": {VERSION}, "written": {self._utc():.3f}, "subscriptions": ['
            rows: list[str] = []
            for number, sub in enumerate(notifier):
                rows.append(json.dumps(row(sub, ahead)))
                if number % _PIECE == 0:
                    await anyio.lowlevel.checkpoint()
            data = (head + ",\n".join(rows) + "]}\n").encode()
            try:
                await anyio.to_thread.run_sync(lambda: replace_file(self._path, data))
            except OSError as error:
                self._tell("subscriptions.failed", Severity.ERROR, str(error))
                return False
            self._written = changes
            self._tell("subscriptions.written", Severity.NOTICE, "")
            return True

    def _read(self) -> tuple[float, list[Any]]:
        with self._path.open("rb") as file:
            held = json.loads(file.read(_LONGEST))
        if held["version"] != VERSION:
            raise ValueError(f"it is of version {held['version']}")
        return float(held["written"]), list(held["subscriptions"])

    def _tell(self, name: str, severity: Severity, why: str) -> None:
        failing = bool(why)
        if failing is not self._failing:
            self._failing = failing
            fields = {"file": str(self._path), "why": why}
            self._report(Event(Kind.ERRORS, severity, name, fields))
