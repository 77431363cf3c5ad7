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

from centrex.base import Instant
from centrex.events import Event
from centrex.runtime.kept_file import UNREADABLE, KeptFile
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
        self._file = KeptFile(
            path, "subscriptions", version=VERSION, longest=_LONGEST, report=report
        )
        self._watchers, self._now, self._utc = watchers, now, utc
        self._written = 0
        self._turn = anyio.Lock()

    async def load(self, flow_of: FlowOf) -> tuple[int, str]:
        """Have the watchers of the file told on.

        Returns:
            How many there are, and what is wrong with the file, "" where nothing is.
        """
        try:
            held = await self._file.read()
            written, rows = float(held["written"]), list(held["subscriptions"])
            subs = await self._revived(written, rows, flow_of)
        except FileNotFoundError:
            return 0, ""
        except UNREADABLE as error:
            return 0, f"{self._file.path} cannot be used ({error}): watchers have to subscribe anew"
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
            if not await self._file.write(lambda: data):
                return False
            self._written = changes
            return True
