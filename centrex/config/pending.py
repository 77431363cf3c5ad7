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
from centrex.config.edit import locked, write_atomically
from centrex.config.load import read_text
from centrex.config.undo import Entangled, without

_VERSION: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Unconfirmed:
    """A change that waits for its confirmation."""

    former: str
    """The text before it."""
    made: str
    """The text it made."""
    confirm_by: str
    """Until when it may be confirmed, in UTC as ISO 8601 has it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of a change that was to be rolled back."""

    words: str
    """What was done, or why nothing was; empty where nothing was to be done."""
    undone: bool = True
    """Whether the file holds nothing of it any more."""


class Waiting(CentrexError):
    """A change of a file waits to be confirmed, so that nothing else may change it.

    Args:
        path: The file.
        confirm_by: Until when it waits.
    """

    def __init__(self, path: Path, confirm_by: str) -> None:
        super().__init__(
            f"a change of {path} waits to be confirmed until {confirm_by}; confirm it or roll it "
            "back first (K or R in a dashboard)"
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


def former_of(path: Path) -> Path:
    """Return the file that holds what was before a change that could not be rolled back."""
    real = path.resolve()
    return real.with_name(f"{real.name}.former")


def begin(path: Path, change: Unconfirmed) -> None:
    """Keep what to put back. Call it before the new file is written. Raises `OSError`."""
    told = {
        "version": _VERSION,
        "made": change.made,
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
    former, made, confirm_by = (told.get(name) for name in ("former", "made", "confirm_by"))
    if not (isinstance(former, str) and isinstance(made, str) and isinstance(confirm_by, str)):
        return None
    return Unconfirmed(former=former, made=made, confirm_by=confirm_by)


def check(path: Path) -> None:
    """Refuse to edit a file while a change of it waits to be confirmed.

    Raises:
        Waiting: One does.
    """
    waiting = find(path)
    if waiting is not None:
        raise Waiting(path, waiting.confirm_by)


def roll_back(path: Path, *, asked: bool = False) -> Outcome:
    """Take a change that waits back out of the file, and say what was done.

    What is rolled back is kept in a file of its own. What somebody has edited since stays, where it is
    something else; where it is not, the file is left alone, and what was before kept beside it.

    Args:
        path: The configuration.
        asked: Whether somebody asked for it, and not the time.

    Raises:
        ConfigError: The file cannot be read.
        OSError: It cannot be written; the record stays.
    """
    waiting = find(path)
    if waiting is None:
        return Outcome(words="")
    with locked(path):
        text = read_text(path)
        if text == waiting.former:
            done = Outcome(words="")  # it was never written, or what was before is back already
        else:
            done = _taken_out(path, text, waiting, asked=asked)
    record_of(path).unlink(missing_ok=True)
    return done


def _taken_out(path: Path, text: str, waiting: Unconfirmed, *, asked: bool) -> Outcome:
    try:
        cleared = without(waiting.former, waiting.made, text)
    except Entangled as error:
        write_atomically(former_of(path), waiting.former)
        words = (
            f"NOT rolled back: {path} was edited since where the change is ({error}); it is left "
            f"as it is, and what was before is in {former_of(path).name}"
        )
        return Outcome(words=words, undone=False)
    write_atomically(discarded_of(path), text)
    write_atomically(path, cleared)
    why = "was" if asked else f"was not confirmed by {waiting.confirm_by} and was"
    on_request = " on request" if asked else ""
    edited = "" if text == waiting.made else "; what was edited since stays"
    words = f"a change of {path} {why} rolled back{on_request}; it is kept in {discarded_of(path)}{edited}"
    return Outcome(words=words)
