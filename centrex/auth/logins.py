"""Who may log in: a login's HA1 for each algorithm, and as which users it may act.

Built from rows of `[[auth.credentials]]` and from the lines of an htdigest file; reading the file
is the business of `centrex.runtime`. No password ever gets here. Made for 100,000 logins: bytes,
slots, and what is alike is shared.
"""

import string
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from centrex.auth.digest import ALGORITHMS, MD5, SHA256, Algorithm
from centrex.base import Problem

_HEX: Final = frozenset(string.hexdigits.encode())
_NOBODY_ELSE: Final[tuple[bytes, ...]] = ()
MAX_PROBLEMS: Final = 100
"""Lines of one file that are reported one by one; the rest is only counted."""


class Login:
    """One login. Built once, never changed.

    Attributes:
        name: The login itself, as it stands in `username`.
        md5: Its HA1 by MD5 in 32 lower-case hexadecimal digits, or empty.
        sha256: Its HA1 by SHA-256 in 64 digits, or empty.
        users: The users it may act as; empty for the one of its own name, `*` for everybody.
        enabled: Whether it may be used.
    """

    __slots__ = ("enabled", "md5", "name", "sha256", "users")

    def __init__(
        self,
        name: bytes,
        md5: bytes,
        sha256: bytes,
        *,
        users: tuple[bytes, ...] = _NOBODY_ELSE,
        enabled: bool = True,
    ) -> None:
        self.name, self.md5, self.sha256 = name, md5, sha256
        self.users, self.enabled = users, enabled

    def ha1(self, algorithm: Algorithm) -> bytes:
        """Return its HA1 for an algorithm; empty where it has none."""
        return self.md5 if algorithm is MD5 else self.sha256

    def __repr__(self) -> str:
        return f"Login({self.name!r})"


class Logins:
    """All logins of the realm, by name. Where two have one name, the later one counts.

    Args:
        logins: In the order of files and rows, the configuration's own last.
    """

    __slots__ = ("_by_name",)

    def __init__(self, logins: Iterable[Login]) -> None:
        self._by_name = {login.name: login for login in logins}

    def find(self, name: bytes) -> Login | None:
        """Return a login by its exact name (`username` is case-sensitive, RFC 7616 §3.4.2)."""
        return self._by_name.get(name)

    def all_have(self, algorithm: Algorithm) -> bool:
        """Return whether every enabled login can be checked with an algorithm."""
        return all(login.ha1(algorithm) for login in self if login.enabled)

    def __len__(self) -> int:
        return len(self._by_name)

    def __iter__(self) -> Iterator[Login]:
        return iter(self._by_name.values())


def login_of_row(
    login: str,
    *,
    ha1_md5: str = "",
    ha1_sha256: str = "",
    users: Sequence[str] = (),
    enabled: bool = True,
) -> Login:
    """Return the login that a row of `[[auth.credentials]]` describes."""
    return Login(
        login.encode(),
        ha1_md5.lower().encode(),
        ha1_sha256.lower().encode(),
        users=tuple(user.encode() for user in users),
        enabled=enabled,
    )


def parse_htdigest(
    lines: Iterable[bytes], realm: bytes, file: str
) -> tuple[list[Login], tuple[Problem, ...]]:
    """Read logins in the htdigest format: `login:realm:HA1`, a line for each algorithm.

    Args:
        lines: The lines, with or without their ends. Empty ones and those that begin with `#` are
            skipped, and so are those of other realms, unless there are no others.
        realm: Our realm.
        file: What to name in problems.

    Returns:
        The logins in the order of their first lines, each allowed to act only as itself; and what is
        wrong, with line numbers. A wrong line does not spoil the others.
    """
    found: dict[bytes, Login] = {}
    problems: list[Problem] = []
    wrong = other_realms = number = 0
    for number, line in enumerate(lines, 1):
        line = line.strip()
        if not line or line.startswith(b"#"):
            continue
        name, theirs, digest, complaint = _split(line)
        if not complaint and theirs != realm:
            other_realms += 1
            continue
        complaint = complaint or _enter(found, name, digest)
        if complaint:
            wrong += 1
            if wrong <= MAX_PROBLEMS:
                problems.append(_problem(file, number, complaint))
    if wrong > MAX_PROBLEMS:
        problems.append(_problem(file, 0, f"{wrong - MAX_PROBLEMS} more lines are wrong"))
    if other_realms and not found:
        text = f"all its {other_realms} logins are for other realms than {_shown(realm)}"
        problems.append(_problem(file, 0, text))
    return list(found.values()), tuple(problems)


def _split(line: bytes) -> tuple[bytes, bytes, bytes, str]:
    name, colon, rest = line.partition(b":")
    realm, second, digest = rest.rpartition(b":")
    if not (colon and second):
        return name, realm, digest, "the line is not login:realm:HA1"
    if not name:
        return name, realm, digest, "the login is empty"
    if len(digest) not in (MD5.digits, SHA256.digits) or not _HEX.issuperset(digest):
        return name, realm, digest, f"the HA1 of {_shown(name)} has not 32 or 64 hexadecimal digits"
    return name, realm, digest.lower(), ""


def _enter(found: dict[bytes, Login], name: bytes, digest: bytes) -> str:
    known = found.get(name)
    md5, sha256 = (digest, b"") if len(digest) == MD5.digits else (b"", digest)
    if known is None:
        found[name] = Login(name, md5, sha256)
        return ""
    if (md5 and known.md5) or (sha256 and known.sha256):
        token = (MD5 if md5 else SHA256).token.decode()
        return f"{_shown(name)} has a second line for {token}; the first one counts"
    found[name] = Login(known.name, md5 or known.md5, sha256 or known.sha256)
    return ""


def _problem(file: str, line: int, message: str) -> Problem:
    return Problem(file=file, key="auth.credentials_file", message=message, line=line)


def _shown(raw: bytes) -> str:
    return ascii(raw[:80].decode("utf-8", "replace"))


def algorithms_of(tokens: Iterable[str]) -> tuple[Algorithm, ...]:
    """Return the algorithms that `auth.algorithms` names, in its order.

    Raises:
        KeyError: There is no such algorithm.
    """
    return tuple(ALGORITHMS[token.lower().encode()] for token in tokens)
