"""What a dashboard hands out: text onto the clipboard, and files that only their owner may read.

It knows no screen; what is copied or written is theirs.
"""

import os
from functools import partial
from pathlib import Path
from typing import Any

from textual.app import App

from tui.work import begin


class Writing(App[int]):
    """An application that copies and writes."""

    snapshot: dict[str, Any]
    """What the instance told last."""

    @property
    def instance_name(self) -> str:
        """Whose files they are."""
        raise NotImplementedError

    def say(self, text: str, *, bad: bool = False) -> None:
        """Tell what came of it."""
        raise NotImplementedError

    def copy(self, text: str) -> None:
        """Put text onto the clipboard of the terminal (OSC 52)."""
        if not text:
            self.say("there is nothing to copy", bad=True)
            return
        self.copy_to_clipboard(text)
        lines = text.count("\n")
        self.say("copied" if lines < 2 else f"copied {lines} lines")

    def file_name(self, what: str, ending: str = "txt") -> str:
        """Return a path for a file about something, with the instance and the moment in its name.

        It is in the folder the dashboard was started in, which is named, as nobody sees it.
        """
        moment = str(self.snapshot.get("at", ""))[:19].replace(":", "").replace("-", "")
        path = Path.cwd() / f"{self.instance_name}-{what}-{moment or 'now'}.{ending}"
        home = Path.home()
        return f"~/{path.relative_to(home)}" if path.is_relative_to(home) else str(path)

    def write_file(self, name: str, data: str | bytes) -> None:
        """Write a file that only its owner may read; never over one that is there."""
        if not name.strip():
            return
        content = data.encode("utf-8") if isinstance(data, str) else data
        begin(self, partial(self._write, Path(name.strip()).expanduser().absolute(), content))

    async def _write(self, path: Path, content: bytes) -> None:
        def write() -> None:
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "wb") as file:
                file.write(content)

        worker = self.run_worker(write, thread=True, exit_on_error=False)
        try:
            await worker.wait()
        except Exception as error:  # noqa: BLE001 - Textual wraps what went wrong
            cause = worker.error or error
            why = "is there already" if isinstance(cause, FileExistsError) else str(cause)
            self.say(f"{path}: {why}", bad=True)
        else:
            self.say(f"wrote {path}")
