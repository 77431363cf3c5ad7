"""The credentials file: one `login:realm:HA1` a line, as `htdigest` writes it.

It edits such a file without touching the lines of other logins. Checking a password against it
belongs to `centrex.auth`.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from centrex.auth.logins import Login, parse_htdigest
from centrex.base import Problem
from centrex.config.diff import Change, left_registered
from centrex.config.edit import locked, write_atomically

_NAMED: Final = 5
"""Logins that are told of by their names in one warning."""


def logins(path: Path, realm: str) -> tuple[dict[str, tuple[str, ...]], tuple[Problem, ...]]:
    """Return each login of a realm with the algorithms it has a hash for, and what is wrong.

    Raises:
        OSError: The file cannot be read.
    """
    with path.open("rb") as file:
        found, problems = parse_htdigest(file, realm.encode(), str(path))
    listed = {
        login.name.decode("utf-8", "backslashreplace"): tuple(
            name for name, ha1 in (("SHA-256", login.sha256), ("MD5", login.md5)) if ha1
        )
        for login in found
    }
    return listed, problems


def doubled(own: Iterable[str], filed: Iterable[str], path: str) -> str:
    """Return in words which logins stand both in the configuration and in this file; empty for none."""
    doubles = sorted({*own} & {*filed})
    if not doubles:
        return ""
    return f"{_some(doubles)} also in {path}; what auth.credentials says counts"


def changed(before: Iterable[Login], after: Iterable[Login], domain: str) -> Change | None:
    """Return what has become of the logins of a credentials file; None where nothing has.

    Args:
        before: Those that counted.
        after: Those that count now.
        domain: The SIP domain.
    """
    old, new = ({one.name: (one.md5, one.sha256) for one in rows} for rows in (before, after))
    gone = _names(old.keys() - new.keys())
    ways = {
        "gone": gone,
        "new": _names(new.keys() - old.keys()),
        "with another password": _names(
            name for name in old.keys() & new if old[name] != new[name]
        ),
    }
    words = [f"{way}: {_some(names)}" for way, names in ways.items() if names]
    if not words:
        return None
    if gone:
        words.append(left_registered(gone, domain))
    return Change(
        key="auth.credentials_file",
        old=_counted(len(old)),
        new=_counted(len(new)),
        effect="live",
        calls="; ".join(words),
    )


def _names(logins: Iterable[bytes]) -> list[str]:
    return sorted(name.decode("utf-8", "backslashreplace") for name in logins)


def _some(names: Sequence[str]) -> str:
    """Return the first few of some names, and how many more there are."""
    others = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"{', '.join(names[:_NAMED])}{others}"


def _counted(logins: int) -> str:
    return "1 login" if logins == 1 else f"{logins} logins"


def replace(path: Path, login: str, realm: str, hashes: tuple[str, ...]) -> None:
    """Give a login these hashes instead of those it has; none removes it. Who else does so waits.

    Args:
        path: The file; its mode becomes 0600.
        login: The login, new or known.
        realm: The realm; the login's lines for other realms stay.
        hashes: HA1 in hexadecimal, one line each.

    Raises:
        OSError: The file cannot be read or written.
    """
    new = [f"{login}:{realm}:{ha1}" for ha1 in hashes]
    with locked(path):
        text = path.read_text(encoding="utf-8", errors="surrogateescape")
        kept: list[str] = []
        placed = False
        for line in text.removesuffix("\n").split("\n") if text else ():
            if line.strip().rpartition(":")[0] != f"{login}:{realm}":
                kept.append(line)
            elif not placed:
                kept.extend(new)
                placed = True
        if not placed:
            kept.extend(new)
        write_atomically(path, "".join(f"{line}\n" for line in kept))
