"""The file in which a relay's sessions outlive it and its proxy: added to a little later, seldom made anew.

It is not synced: it is for processes that are killed, not for machines. What is in it is for
`centrex.farm.ledger`.
"""

import os
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

from centrex.farm.ledger import Entered, Ledger, entered

FLUSH_S: Final = 0.25
"""How much later than a session it is written."""
_TOUCH_S: Final = 60.0
_OLDEST_S: Final = 3600.0
"""For how long after a relay's end its calls may go on, if the kernel carries them."""
_LONGEST: Final = 268_435_456


class LedgerFile:
    """The file of one relay.

    Args:
        path: Where; its folder is there.
        ledger: What is to be in it.
        report: Told in words what goes wrong.
    """

    def __init__(self, path: Path, ledger: Ledger, report: Callable[[str], None]) -> None:
        self._path, self._ledger, self._report = path, ledger, report
        self._descriptor = -1
        self._touched = 0.0

    def left(self) -> list[Entered]:
        """Return what a relay has left that was killed."""
        try:
            with self._path.open("rb") as file:
                if time.time() - os.fstat(file.fileno()).st_mtime > _OLDEST_S:
                    return []
                return list(entered(file.read(_LONGEST)))
        except FileNotFoundError:
            return []
        except OSError as error:
            self._fails(error)
            return []

    def begin(self) -> None:
        """Write all that is in the ledger in place of what was there."""
        self._close()
        fresh = self._path.with_name(f"{self._path.name}.new")
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_APPEND
        try:
            self._descriptor = os.open(fresh, flags, 0o600)
            self._write(self._ledger.whole())
            fresh.replace(self._path)
        except OSError as error:
            self._fails(error)

    def flush(self) -> None:
        """Write what has changed since the last time."""
        if self._descriptor < 0:
            self._ledger.fresh()
            return
        if self._ledger.is_long:
            self.begin()
            return
        now = time.monotonic()
        added = self._ledger.fresh()
        if not added and now - self._touched < _TOUCH_S:
            return
        self._touched = now
        try:
            if added:
                self._write(added)
            else:
                os.utime(self._descriptor)  # as old as this process, if that is killed
        except OSError as error:
            self._fails(error)

    def _write(self, data: bytes) -> None:
        left = memoryview(data)
        while left:
            left = left[os.write(self._descriptor, left) :]

    def close(self, *, keep: bool) -> None:
        """End; the file stays for the next process if it is to be kept."""
        if keep:
            self.flush()
        else:
            self._path.unlink(missing_ok=True)
        self._close()

    def _close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _fails(self, error: OSError) -> None:
        """Go on without it: what is in there would be wrong soon."""
        self._report(f"{self._path}: {error.strerror or error}; its calls end if it is killed")
        self._close()
        for path in (self._path, self._path.with_name(f"{self._path.name}.new")):
            with suppress(OSError):  # it is said already
                path.unlink(missing_ok=True)
