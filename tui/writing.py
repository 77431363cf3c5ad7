"""What a dashboard hands out: text onto the clipboard, and files that only their owner may read.

It knows no screen; what is copied or written is theirs.
"""

import asyncio
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
        return usual_path(f"{self.instance_name}-{what}-{moment or 'now'}.{ending}")

    def write_file(self, name: str, data: str | bytes) -> None:
        """Write a file that only its owner may read; never over one that is there."""
        if name.strip():
            content = data.encode("utf-8") if isinstance(data, str) else data
            begin(self, partial(self._write, name.strip(), content))

    async def _write(self, name: str, content: bytes) -> None:
        try:
            path = await asyncio.to_thread(write_anew, name, content)
        except FileExistsError:
            self.say(f"{name} is there already", bad=True)
        except OSError as error:
            self.say(f"{name}: {error.strerror or error}", bad=True)
        else:
            self.say(f"wrote {path}")


def usual_path(name: str) -> str:
    """Return a path for a file of that name in the folder the dashboard was started in, `~` for home.

    The name alone where that folder is gone, as only a path that says where else is of use then.
    """
    try:
        path = Path.cwd() / name
        home = Path.home()
    except (OSError, RuntimeError):
        return name
    return f"~/{path.relative_to(home)}" if path.is_relative_to(home) else str(path)


def write_anew(typed: str, content: bytes) -> Path:
    """Write a file that only its owner may read; return where it is.

    Args:
        typed: Its path as somebody typed it; `~` is his home, `~NAME` another's.
        content: What it will hold.

    Raises:
        OSError: It cannot be written, or is there already; says why.
    """
    try:
        path = Path(typed).expanduser().absolute()
    except RuntimeError:  # pathlib's own, where there is no such user
        raise OSError("there is no such home folder") from None
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
    return path
