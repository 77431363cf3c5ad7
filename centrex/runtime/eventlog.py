"""The event log: the bus's events as lines in a file or on standard error.

It knows how to write without anybody waiting for it: events gather for half a second, are
made lines a few at a time, and leave in one write from a worker thread. While the disk is slow or
full the bus's queue holds what fits; what did not fit is counted, and said in the log. It refuses
to know what events mean; how they look is `centrex.events.render`'s.
"""

import os
from collections import deque
from collections.abc import Callable
from datetime import datetime
from typing import Final, Literal, TypeAlias

import anyio
import anyio.lowlevel
import anyio.to_thread

from centrex.events import Event, Kind, Severity
from centrex.events.render import as_json, as_text
from centrex.runtime.bus import Bus, Lost, Stamped, utc_now
from centrex.runtime.outlet import Outlet

Format: TypeAlias = Literal["text", "json"]

_AT_ONCE: Final = 128
"""Lines made before others may run again: well under a millisecond."""
_BATCH: Final = 256 * 1024
"""Octets after which a batch is written, though more lines wait."""
_RETRY_S: Final = 1.0
_FAREWELL_S: Final = 2.0
"""How long the end waits for a reader or a disk."""


class EventLog:
    """Writes what happens. It listens from the moment it is made; `run` does the writing.

    Args:
        bus: Where events come from.
        path: The file (`[events] file`); empty for standard error.
        form: How lines look (`[events] format`).
        least: The least severity written (`[events] level`).
        gather: Seconds that lines are collected for.
        limit: Events that may wait; beyond, the oldest are lost.
        console: Whether standard error is there to be written to; otherwise nothing is.
        wall: Tells the time of day.

    Attributes:
        written: Octets written.
        lost: Events that nobody will read: overtaken by newer ones, or their reader is gone.
        failures: Writes that failed.
        complaint: Why the file cannot be written now, in words; empty where it can.
    """

    def __init__(
        self,
        bus: Bus,
        *,
        path: str = "",
        form: Format = "text",
        least: Severity = Severity.INFO,
        gather: float = 0.5,
        limit: int = 8192,
        console: bool = True,
        wall: Callable[[], datetime] = utc_now,
    ) -> None:
        self._bus, self._wall, self._gather, self._limit = bus, wall, gather, limit
        self._console = console
        self._subscription = bus.subscribe(limit=limit, least=least)
        self._items: deque[Stamped | Lost] = deque()
        self._rest = bytearray()
        self._outlet = Outlet(path or self._nowhere())
        self._next: Outlet | None = None
        self._render = _renderer(form)
        self.complaint = ""
        self.written = self.lost = self.failures = 0

    def reopen(self, path: str, form: Format, least: Severity) -> None:
        """Open the file anew with the next line, or another one; after a reload or a rotation."""
        self._subscription.least = least
        self._next = Outlet(path or self._nowhere())
        self._render = _renderer(form)

    def _nowhere(self) -> str:
        """Return the path that stands for none."""
        return "" if self._console else os.devnull

    async def run(self) -> None:
        """Write until cancelled, and then what is left, for two seconds at most."""
        try:
            while True:
                await self._subscription.wait()
                with anyio.move_on_after(self._gather):
                    await self._subscription.wait(self._limit // 2)
                if not await self.flush():
                    await anyio.sleep(_RETRY_S)
        finally:
            self._subscription.close()
            with anyio.move_on_after(_FAREWELL_S, shield=True):
                await self.flush()
                await anyio.to_thread.run_sync(self._outlet.close)

    async def flush(self) -> bool:
        """Write what is there now; False where some of it has to wait."""
        if self._next is not None:
            await anyio.to_thread.run_sync(self._outlet.close)
            self._outlet, self._next = self._next, None
            self.complaint = ""
        if self._rest and not await self._write():
            return False
        self._items.extend(self._subscription.drain())
        while self._items:
            while self._items and len(self._rest) < _BATCH:
                self._lines(min(_AT_ONCE, len(self._items)))
                await anyio.lowlevel.checkpoint()
            if not await self._write():
                return False
        return True

    def _lines(self, count: int) -> None:
        """Make that many waiting events lines."""
        lines = []
        for _ in range(count):
            item = self._items.popleft()
            if isinstance(item, Lost):
                self.lost += item.count
                item = (self._wall(), _lost(item.count))
            lines.append(self._render(item[1], item[0]))
        lines.append("")
        self._rest += "\n".join(lines).encode("utf-8", "backslashreplace")

    async def _write(self) -> bool:
        if self._outlet.gone:
            self.lost += self._rest.count(b"\n")
            self._rest.clear()
            return True
        taken, error = await anyio.to_thread.run_sync(self._outlet.write, bytes(self._rest))
        self.written += taken
        del self._rest[:taken]
        if error is None:
            self.complaint = ""
            return True
        self.failures += 1
        if not self.complaint:
            why = error.strerror or str(error)
            self.complaint = (
                f"the log {self._outlet.path or '(standard error)'} cannot be written: {why}"
            )
            await self._complain(error)
        return False

    async def _complain(self, error: OSError) -> None:
        """Say once that the log cannot be written: to those who listen, and on standard error."""
        fields = {"file": self._outlet.path, "why": error.strerror or str(error)}
        event = Event(Kind.ERRORS, Severity.ERROR, "log.failed", fields)
        self._bus.publish(event)
        if self._outlet.path and self._console:
            line = as_text(event, self._wall()) + "\n"
            await anyio.to_thread.run_sync(Outlet("").write, line.encode())


def _renderer(form: Format) -> Callable[[Event, datetime], str]:
    return as_json if form == "json" else as_text


def _lost(count: int) -> Event:
    return Event(Kind.SERVER, Severity.WARNING, "log.lost", {"events": count})
