"""The credentials file: one `login:realm:HA1` a line, as `htdigest` writes it.

It edits such a file without touching the lines of other logins. Checking a password against it
belongs to `centrex.auth`.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from centrex.auth.logins import parse_htdigest
from centrex.base import Problem
from centrex.config.edit import write_atomically

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
    others = f" and {len(doubles) - _NAMED} more" if len(doubles) > _NAMED else ""
    return (
        f"{', '.join(doubles[:_NAMED])}{others} also in {path}; what auth.credentials says counts"
    )


def replace(path: Path, login: str, realm: str, hashes: tuple[str, ...]) -> None:
    """Give a login these hashes instead of those it has; none removes it.

    Args:
        path: The file; its mode becomes 0600.
        login: The login, new or known.
        realm: The realm; the login's lines for other realms stay.
        hashes: HA1 in hexadecimal, one line each.

    Raises:
        OSError: The file cannot be read or written.
    """
    new = [f"{login}:{realm}:{ha1}\n" for ha1 in hashes]
    kept: list[str] = []
    placed = False
    text = path.read_text(encoding="utf-8", errors="surrogateescape")
    for line in text.splitlines():
        if line.strip().rpartition(":")[0] != f"{login}:{realm}":
            kept.append(f"{line}\n")
        elif not placed:
            kept.extend(new)
            placed = True
    if not placed:
        kept.extend(new)
    write_atomically(path, "".join(kept))
