"""A change that is not confirmed yet: the former file is kept beside the new one until it is.

Whatever becomes of the process meanwhile, the record says what to put back. It is written before the
file and removed after it, so that at no moment both are lost. It opens that file and its own only;
when to put back is for whoever runs the instance.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from centrex.base import CentrexError
from centrex.config.edit import fingerprint_of, locked, write_atomically
from centrex.config.load import read_text

_VERSION: Final = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Unconfirmed:
    """A change that waits for its confirmation."""

    former: str
    """The text before it."""
    written: str
    """The fingerprint of the text it made."""
    confirm_by: str
    """Until when it may be confirmed, in UTC as ISO 8601 has it."""


class Waiting(CentrexError):
    """A change of a file waits to be confirmed, so that nothing else may change it.

    Args:
        path: The file.
        confirm_by: Until when it waits.
    """

    def __init__(self, path: Path, confirm_by: str) -> None:
        super().__init__(
            f"a change of {path} waits to be confirmed until {confirm_by}; confirm it or roll it "
            "back first"
        )
        self.confirm_by = confirm_by


def record_of(path: Path) -> Path:
    """Return the file that holds what to put back; it stands beside the configuration itself."""
    real = path.resolve()
    return real.with_name(f"{real.name}.unconfirmed")


def discarded_of(path: Path) -> Path:
    """Return the file that holds what was rolled back last, for its author to look at."""
    real = path.resolve()
    return real.with_name(f"{real.name}.rolled-back")


def begin(path: Path, change: Unconfirmed) -> None:
    """Keep what to put back. Call it before the new file is written. Raises `OSError`."""
    told = {
        "version": _VERSION,
        "written": change.written,
        "confirm_by": change.confirm_by,
        "former": change.former,
    }
    write_atomically(record_of(path), json.dumps(told, indent=1) + "\n")


def confirm(path: Path) -> None:
    """Keep the change for good. Raises `OSError`."""
    record_of(path).unlink(missing_ok=True)


def find(path: Path) -> Unconfirmed | None:
    """Return the change that waits, or nothing.

    A record that cannot be read was never finished or is not ours; it counts as none.
    """
    try:
        told: Any = json.loads(record_of(path).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    if not isinstance(told, dict) or told.get("version") != _VERSION:
        return None
    former, written, confirm_by = (told.get(name) for name in ("former", "written", "confirm_by"))
    if not (isinstance(former, str) and isinstance(written, str) and isinstance(confirm_by, str)):
        return None
    return Unconfirmed(former=former, written=written, confirm_by=confirm_by)


def check(path: Path) -> None:
    """Refuse to edit a file while a change of it waits to be confirmed.

    Raises:
        Waiting: One does.
    """
    waiting = find(path)
    if waiting is not None:
        raise Waiting(path, waiting.confirm_by)


def roll_back(path: Path) -> str:
    """Put the former file back, and say what was done; nothing where nothing waits.

    What is rolled back is kept in a file of its own. A file that somebody has changed since is left
    alone: his change would be lost with it.

    Raises:
        ConfigError: The file cannot be read.
        OSError: It cannot be written; the record stays.
    """
    waiting = find(path)
    if waiting is None:
        return ""
    with locked(path):
        text = read_text(path)
        found = fingerprint_of(text)
        if found == fingerprint_of(waiting.former):
            done = ""  # the new file was never written, or the old one is back already
        elif found != waiting.written:
            done = (
                f"{path} holds a change that was never confirmed, and was edited since: "
                "it is left as it is; look it over"
            )
        else:
            write_atomically(discarded_of(path), text)
            write_atomically(path, waiting.former)
            done = (
                f"a change of {path} was not confirmed by {waiting.confirm_by} and was rolled back;"
                f" it is kept in {discarded_of(path)}"
            )
    record_of(path).unlink(missing_ok=True)
    return done
