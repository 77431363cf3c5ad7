"""The bans on disk, so that a restart lets nobody back in whom the guard has shut out.

One small JSON file in the state folder, replaced whole by a worker thread when bans have changed.
Who is banned is for the guard; times in the file are UTC.
"""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import anyio

from centrex.base import Instant
from centrex.events import Event
from centrex.guard.guard import Guard
from centrex.runtime.kept_file import UNREADABLE, KeptFile

VERSION: Final = 1
_PAUSE_S: Final = 1.0
_RETRY_S: Final = 15.0
_LONGEST: Final = 8 * 1024 * 1024


class BanFile:
    """Keeps a guard's bans.

    Args:
        path: The file; its folder must exist when it is used.
        guard: Whose bans.
        report: Takes the event when writing begins to fail, and when it works again.
        now: Tells monotonic seconds.
        utc: Tells seconds since 1970.
    """

    def __init__(
        self,
        path: Path,
        guard: Guard,
        *,
        report: Callable[[Event], None],
        now: Callable[[], Instant] = time.monotonic,
        utc: Callable[[], float] = time.time,
    ) -> None:
        self._file = KeptFile(path, "bans", version=VERSION, longest=_LONGEST, report=report)
        self._guard, self._now, self._utc = guard, now, utc
        self._written = guard.ban_changes
        self._wake = anyio.Event()
        self._turn = anyio.Lock()

    async def load(self) -> str:
        """Put the bans of the file back; return what is wrong with it, "" where nothing is."""
        try:
            rows = _rows(await self._file.read())
        except FileNotFoundError:
            return ""
        except UNREADABLE as error:
            return f"{self._file.path} cannot be used ({error}): no earlier ban stands"
        ahead = self._now() - self._utc()
        self._guard.restore(
            [(source, reason, until + ahead) for source, reason, until in rows], self._now()
        )
        self._written = self._guard.ban_changes
        return ""

    def notice(self) -> None:
        """Look whether bans have changed; costs next to nothing."""
        if self._guard.ban_changes != self._written:
            self._wake.set()

    async def run(self) -> None:
        """Write when bans have changed, at most once a second, until cancelled; then `flush`."""
        while True:
            with anyio.move_on_after(_RETRY_S):  # the last attempt may have failed
                await self._wake.wait()
            self._wake = anyio.Event()
            await anyio.sleep(_PAUSE_S if await self.flush() else _RETRY_S)

    async def flush(self) -> bool:
        """Write the bans if they have changed; return whether they are on disk now."""
        async with self._turn:
            changes = self._guard.ban_changes
            if changes == self._written:
                return True
            bans, ahead = self._guard.bans(self._now()), self._utc() - self._now()
            if not await self._file.write(lambda: _render(bans, ahead)):
                return False
            self._written = changes
            return True


def _rows(held: dict[str, Any]) -> list[tuple[str, str, float]]:
    return [(str(row["source"]), str(row["reason"]), float(row["until"])) for row in held["bans"]]


def _render(bans: Any, ahead: float) -> bytes:
    rows = [
        {"source": ban.source, "reason": ban.reason, "until": round(ban.until + ahead, 3)}
        for ban in bans
    ]
    return json.dumps({"version": VERSION, "bans": rows}, indent=1).encode() + b"\n"
