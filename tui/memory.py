"""What an operator chose to see, kept from one session to the next: columns, and what they are sorted by.

It is one small file of the user, whichever instance is looked at. One that is missing, damaged or
foreign counts as empty, and is replaced when there is something new to keep.
"""

import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

_MOST_OCTETS: Final = 65_536
_MOST_TABLES: Final = 32
_MOST_COLUMNS: Final = 64
_LONGEST: Final = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Arranged:
    """How a table is looked at."""

    columns: tuple[str, ...] = ()
    """The columns that are shown; nothing for the usual ones."""
    sort: str = ""
    descending: bool = False


class Memory:
    """Remembers tables by their names.

    Args:
        file: Where it is kept; nothing to forget all with the session.
    """

    def __init__(self, file: Path | None = None) -> None:
        self._file = file
        self._tables = _read(file) if file is not None else {}

    def table(self, name: str) -> Arranged:
        """Return how a table was looked at last."""
        return self._tables.get(name, Arranged())

    def keep(self, name: str, arranged: Arranged) -> bool:
        """Remember a table; return whether that is anything new, and so to be saved."""
        if self.table(name) == arranged or len(self._tables) >= _MOST_TABLES:
            return False
        self._tables[name] = arranged
        return True

    def save(self, name: str) -> None:
        """Write a table into the file, beside what other dashboards have written there.

        Raises:
            OSError: It cannot be written.
        """
        file = self._file
        if file is None:
            return
        tables = {**_read(file), name: self.table(name)}
        told = {
            one: {"columns": list(how.columns), "sort": how.sort, "descending": how.descending}
            for one, how in tables.items()
        }
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle, fresh = tempfile.mkstemp(prefix=f".{file.name}.", dir=file.parent)
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as writer:
                json.dump({"version": 1, "tables": told}, writer, indent=1)
            Path(fresh).replace(file)
        except BaseException:
            Path(fresh).unlink(missing_ok=True)
            raise


def usual_file(env: Mapping[str, str] | None = None) -> Path:
    """Return where the user's file is: beside the state of instances, with `CENTREX_ROOT` below it."""
    env = os.environ if env is None else env
    if prefix := env.get("CENTREX_ROOT"):
        return Path(prefix) / "state" / "dashboard.json"
    home = Path(env.get("HOME") or os.path.expanduser("~"))
    return Path(env.get("XDG_STATE_HOME") or home / ".local/state") / "centrex" / "dashboard.json"


def _read(file: Path) -> dict[str, Arranged]:
    """Return what a file holds; nothing where it is none of ours."""
    try:
        with file.open("rb") as reader:
            data = reader.read(_MOST_OCTETS + 1)
        told = json.loads(data) if len(data) <= _MOST_OCTETS else {}
    except (OSError, ValueError, RecursionError):
        return {}
    tables = told.get("tables") if isinstance(told, Mapping) else None
    if not isinstance(tables, Mapping):
        return {}
    return {
        name: _arranged(one)
        for name, one in list(tables.items())[:_MOST_TABLES]
        if len(name) <= _LONGEST and isinstance(one, Mapping)
    }


def _arranged(told: Mapping[str, Any]) -> Arranged:
    columns, sort = told.get("columns"), told.get("sort")
    names: Sequence[Any] = columns if isinstance(columns, list) else ()
    return Arranged(
        columns=tuple(
            name
            for name in names[:_MOST_COLUMNS]
            if isinstance(name, str) and len(name) <= _LONGEST
        ),
        sort=sort if isinstance(sort, str) and len(sort) <= _LONGEST else "",
        descending=told.get("descending") is True,
    )
