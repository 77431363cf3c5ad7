"""The terminal that Textual draws on, which may be taken away at any moment: a line that drops.

It refuses to know what is to be done then; it only sees to it that nobody waits for it.
"""

from collections.abc import Callable
from typing import IO, Any

from textual.app import App
from textual.driver import Driver
from textual.message import Message


class TakenAway(Message):
    """The terminal is gone: nothing that is drawn is seen by anybody."""


class Outlet:
    """Where Textual's thread writes to; swallows everything from the first failure on.

    That thread would end by it, and whoever draws wait for it to take what is drawn, for ever.

    Args:
        file: The terminal.
        lost: Told once that it is gone, in the thread that writes.
    """

    def __init__(self, file: IO[str], lost: Callable[[], object]) -> None:
        self._file, self._lost = file, lost
        self._is_lost = False

    def write(self, text: str) -> int:
        """Write text, if anybody is there."""
        self._attempt(lambda: self._file.write(text))
        return len(text)

    def flush(self) -> None:
        """Pass on what was written, if anybody is there."""
        self._attempt(self._file.flush)

    def fileno(self) -> int:
        """Return the number of the terminal's handle."""
        return self._file.fileno()

    def _attempt(self, work: Callable[[], object]) -> None:
        if self._is_lost:
            return
        try:
            work()
        except OSError:
            self._is_lost = True
            self._lost()


def enduring(usual: type[Driver]) -> type[Driver]:
    """Return a driver like the usual one, that outlives its terminal and tells the application.

    Where it writes to is known to Textual alone; a driver that has it elsewhere is left as it is, and a
    test says so.
    """

    def begin(self: Any, app: App[Any], **wishes: Any) -> None:
        usual.__init__(self, app, **wishes)
        if hasattr(self, "_file"):
            self._file = Outlet(self._file, lambda: app.post_message(TakenAway()))

    return type("Enduring", (usual,), {"__init__": begin})
