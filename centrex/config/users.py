"""Logins: listed, added, changed and removed, in the configuration or in the credentials file.

Passwords are turned into HA1 here (RFC 7616 §3.4.2) and forgotten. Nothing is written that would
not load.
"""

import difflib
import hashlib
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from centrex.base import CentrexError
from centrex.config import htdigest, pending
from centrex.config.edit import Document
from centrex.config.load import ConfigSource, load_text

_ALPHABET: Final = "abcdefghjkmnpqrstuvwxyz23456789"
"""No letter or digit that is mistaken for another when typed into a phone."""
_LENGTH: Final = 16
_ROWS: Final = ("auth", "credentials")


class UserError(CentrexError):
    """A login is there already, or is not there; `nearest` holds what was perhaps meant."""

    def __init__(self, message: str, nearest: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.nearest = tuple(nearest)


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """One login as a list shows it."""

    login: str
    algorithms: tuple[str, ...]
    """The algorithms it has a hash for."""
    users: tuple[str, ...]
    """Who it may be; empty for its own name."""
    enabled: bool
    note: str
    file: str
    """The file it stands in."""


def ha1(login: str, realm: str, password: str) -> tuple[str, str]:
    """Return the MD5 and the SHA-256 of `login:realm:password`, in hexadecimal."""
    text = f"{login}:{realm}:{password}".encode()
    return (
        hashlib.md5(text, usedforsecurity=False).hexdigest(),
        hashlib.sha256(text).hexdigest(),
    )


def generate_password() -> str:
    """Return 16 characters nobody guesses (79 bits) that a phone's keypad can be made to type."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(_LENGTH))


def credential(login: str, realm: str, password: str, **more: Any) -> dict[str, Any]:
    """Return a row of `[[auth.credentials]]`; `more` are its other keys."""
    md5, sha256 = ha1(login, realm, password)
    return {"login": login, "ha1_md5": md5, "ha1_sha256": sha256, **more}


def _save(document: Document) -> None:
    pending.check(document.path)
    document.save()


class Users:
    """The logins of one configuration.

    Args:
        source: The configuration; read at once.

    Raises:
        ConfigError: It cannot be used as it is.
    """

    def __init__(self, source: ConfigSource) -> None:
        self._path, self._overrides = source.path, source.overrides
        self._config = source.load()
        file = self._config.auth.credentials_file
        self._file = Path(file) if file else None
        self._filed: Mapping[str, tuple[str, ...]] = {}
        if self._file:
            self._filed, _ = htdigest.logins(self._file, self._config.realm)

    def list(self) -> tuple[User, ...]:
        """Return every login, those of the configuration first."""
        own = [
            User(
                login=row.login,
                algorithms=tuple(
                    name
                    for name, value in (("SHA-256", row.ha1_sha256), ("MD5", row.ha1_md5))
                    if value
                ),
                users=row.users,
                enabled=row.enabled,
                note=row.note,
                file=str(self._path),
            )
            for row in self._config.auth.credentials
        ]
        filed = [
            User(
                login=login,
                algorithms=algorithms,
                users=(),
                enabled=True,
                note="",
                file=str(self._file),
            )
            for login, algorithms in self._filed.items()
        ]
        return (*own, *filed)

    def alone(self, login: str) -> tuple[str, ...]:
        """Return the users that one login may be and no other, if it is no group login.

        Raises:
            UserError: There is no such login.
        """
        may_be = {user.login: user.users or (user.login,) for user in self.list() if user.enabled}
        if login not in {user.login for user in self.list()}:
            raise self._unknown(login)
        own = may_be.pop(login, ())
        fold = str if self._config.registrar.case_sensitive else str.lower
        others = {fold(name) for names in may_be.values() for name in names}
        if "*" in others:
            return ()
        return tuple(name for name in own if name != "*" and fold(name) not in others)

    def _opened(self) -> Document:
        """Return the file as it is now, which others may have edited while a password was asked for.

        Raises:
            ConfigError: It cannot be used any more.
        """
        document = Document(self._path)
        self._config = load_text(document.text, file=self._path, overrides=self._overrides).config
        return document

    def _row(self, login: str) -> int | None:
        rows = self._config.auth.credentials
        return next((index for index, row in enumerate(rows) if row.login == login), None)

    def _unknown(self, login: str) -> UserError:
        known = [*(row.login for row in self._config.auth.credentials), *self._filed]
        return UserError(
            f"there is no login {login!r}", difflib.get_close_matches(login, known, n=3)
        )

    def add(self, login: str, password: str, *, users: Sequence[str] = (), note: str = "") -> Path:
        """Add a login and return the file it was written to.

        A site with a credentials file and no logins beside it gets new ones there, unless they
        need what such a file cannot hold.

        Raises:
            UserError: It is there already.
            ConfigError: The login is not allowed.
            OSError: The file cannot be written.
        """
        document = self._opened()
        if self._row(login) is not None or login in self._filed:
            raise UserError(f"there is a login {login!r} already; `centrex user passwd {login}`")
        more = {name: value for name, value in (("users", list(users)), ("note", note)) if value}
        row = credential(login, self._config.realm, password, **more)
        document.append(_ROWS, row)
        load_text(document.text, file=self._path)  # a login that is not allowed ends here
        if self._file and not more and not self._config.auth.credentials:
            hashes = (row["ha1_md5"], row["ha1_sha256"])
            htdigest.replace(self._file, login, self._config.realm, hashes)
            return self._file
        _save(document)
        return self._path

    def change_password(self, login: str, password: str) -> Path:
        """Give a login a new password and return the file it was written to.

        Raises:
            UserError: There is no such login.
            ConfigError: The file cannot be used any more.
            OSError: It cannot be written.
        """
        document = self._opened()
        md5, sha256 = ha1(login, self._config.realm, password)
        index = self._row(login)
        if index is None:
            return self._refile(login, (md5, sha256))
        document.set((*_ROWS, index, "ha1_md5"), md5)
        document.set((*_ROWS, index, "ha1_sha256"), sha256)
        load_text(document.text, file=self._path)
        _save(document)
        return self._path

    def remove(self, login: str) -> Path:
        """Remove a login and return the file it stood in.

        Raises:
            UserError: There is no such login.
            ConfigError: The file cannot be used any more.
            OSError: It cannot be written.
        """
        document = self._opened()
        index = self._row(login)
        if index is None:
            return self._refile(login, ())
        document.remove(_ROWS, index)
        load_text(document.text, file=self._path)
        _save(document)
        return self._path

    def _refile(self, login: str, hashes: tuple[str, ...]) -> Path:
        if self._file is None or login not in self._filed:
            raise self._unknown(login)
        htdigest.replace(self._file, login, self._config.realm, hashes)
        return self._file
