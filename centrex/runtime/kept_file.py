"""A small JSON file that is replaced whole by a worker thread; who fails to write it says so once.

What it holds is for whoever keeps it.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import anyio.to_thread

from centrex.events import Event, Kind, Severity
from centrex.runtime.atomic_file import replace_file

UNREADABLE: Final = (OSError, ValueError, KeyError, TypeError, RecursionError)
"""What is raised where a file, or what it holds, cannot be used."""


class KeptFile:
    """One file.

    Args:
        path: Where; its folder must exist when it is used.
        name: What it holds: the first word of the events.
        version: Of its format.
        longest: Octets that are read of it.
        report: Takes the event when writing begins to fail, and when it works again.
    """

    def __init__(
        self,
        path: Path,
        name: str,
        *,
        version: int,
        longest: int,
        report: Callable[[Event], None],
    ) -> None:
        self.path = path
        self._name, self._version, self._longest = name, version, longest
        self._report = report
        self._failing = False

    async def read(self) -> dict[str, Any]:
        """Return what it holds.

        Raises:
            FileNotFoundError: There is none.
            OSError: It cannot be read.
            ValueError: It is no JSON, or of another version; KeyError and TypeError likewise.
        """
        return await anyio.to_thread.run_sync(self._read)

    def _read(self) -> dict[str, Any]:
        with self.path.open("rb") as file:
            held = json.loads(file.read(self._longest))
        if held["version"] != self._version:
            raise ValueError(f"it is of version {held['version']}")
        return dict(held)

    async def write(self, make: Callable[[], bytes]) -> bool:
        """Put in its place what `make` returns, called in the worker; whether it is on disk now."""
        try:
            await anyio.to_thread.run_sync(lambda: replace_file(self.path, make()))
        except OSError as error:
            self._tell("failed", Severity.ERROR, str(error))
            return False
        self._tell("written", Severity.NOTICE, "")
        return True

    def _tell(self, what: str, severity: Severity, why: str) -> None:
        failing = bool(why)
        if failing is not self._failing:
            self._failing = failing
            fields = {"file": str(self.path), "why": why}
            self._report(Event(Kind.ERRORS, severity, f"{self._name}.{what}", fields))
