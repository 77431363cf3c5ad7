"""Changes a TOML file in place: comments, order and spelling of everything else stay.

It knows TOML, not what the keys mean; whoever edits validates `text` before `save`.
"""

import copy
import fcntl
import hashlib
import os
import re
import tempfile
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import tomlkit
from tomlkit.exceptions import TOMLKitError
from tomlkit.items import Array

from centrex.base import CentrexError, ConfigError, Problem
from centrex.config.keys import Path as KeyPath
from centrex.config.keys import join
from centrex.config.layout import Layout
from centrex.config.load import read_text

_MODE: Final = 0o600


class Changed(CentrexError):
    """A file is not what it was when it was read, so that nothing was written.

    Args:
        path: The file.
        fingerprint: What it is now.
    """

    def __init__(self, path: Path, fingerprint: str) -> None:
        super().__init__(f"{path} was changed by somebody else meanwhile; nothing was written")
        self.path, self.fingerprint = path, fingerprint


def fingerprint_of(text: str) -> str:
    """Return what tells a file's text from any other: 32 hexadecimal digits."""
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:32]


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a file against everybody else who holds it so, until the block ends.

    The file may be replaced meanwhile: who waited for the old one then waits for the new one.

    Raises:
        OSError: It cannot be opened.
    """
    while True:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            if os.path.samestat(os.fstat(descriptor), path.stat()):
                yield
                return
        finally:
            os.close(descriptor)


def write_atomically(path: Path, text: str, *, mode: int = _MODE) -> None:
    """Replace a file as a whole, or not at all; readable for its owner only unless told otherwise.

    A symbolic link stays one; an owner other than ourselves keeps the file when root writes it.

    Raises:
        OSError: The folder cannot be written.
    """
    target = path.resolve()
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", errors="surrogateescape") as file:
            file.write(text)
            file.flush()
            os.fchmod(file.fileno(), mode)
            if os.geteuid() == 0 and target.exists():
                owner = target.stat()
                os.fchown(file.fileno(), owner.st_uid, owner.st_gid)
            os.fsync(file.fileno())
        os.replace(temporary, target)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _item(value: Any) -> Any:
    """Return a value as TOML writes it in one line."""
    if isinstance(value, Mapping):
        inline = tomlkit.inline_table()
        for name, one in value.items():
            inline[name] = _item(one)
        return inline
    if isinstance(value, list | tuple):
        array = tomlkit.array()
        for one in value:
            array.append(_item(one))
        return array
    return tomlkit.item(value)


def _assignment(name: str, value: Any) -> str:
    """Return `name = value` as one line of TOML, its end included."""
    document = tomlkit.document()
    document[name] = _item(value)
    return f"{document.as_string().strip()}\n"


def _uncomment(text: str, table: str, name: str, line: str) -> str:
    """Turn a commented-out `#name = …` of a table into a real one; the text itself if none."""
    lines = text.splitlines(keepends=True)
    pattern = re.compile(rf"#\s?{re.escape(name)}\s*=")
    inside = False
    for index, old in enumerate(lines):
        if old.startswith("["):
            inside = old.split("#")[0].strip() == f"[{table}]"
        elif inside and pattern.match(old):
            return "".join([*lines[:index], line, *lines[index + 1 :]])
    return text


class Document:
    """A TOML file being edited.

    Args:
        path: The file.
        text: Its text, where that is known; the file must exist otherwise.

    Raises:
        ConfigError: It does not, or does not parse.
    """

    def __init__(self, path: Path, text: str | None = None) -> None:
        self.path = path
        self.original = read_text(path) if text is None else text
        self._parse(self.original)

    def _parse(self, text: str) -> None:
        try:
            self._document = tomlkit.parse(text)
        except TOMLKitError as error:
            problem = Problem(file=str(self.path), key="TOML", message=f"cannot be read: {error}")
            raise ConfigError((problem,)) from None

    @property
    def fingerprint(self) -> str:
        """What the file was when it was read or last saved."""
        return fingerprint_of(self.original)

    @property
    def text(self) -> str:
        """The text as it would be saved."""
        return self._document.as_string()

    def _node(self, path: KeyPath) -> Any:
        node: Any = self._document
        for part in path:
            if isinstance(part, str) and part not in node:
                node[part] = tomlkit.table()
            node = node[part]
        return node

    def set(self, path: KeyPath, value: Any) -> None:
        """Set one key; a commented-out default is replaced where it stands.

        Args:
            path: Its parts, such as `("network", "port")` or `("auth", "credentials", 0, "note")`.
            value: Text, number, boolean, list or mapping.

        Raises:
            KeyError, IndexError: A row or table on the way does not exist as such.
        """
        *parents, name = path
        if not isinstance(name, str):
            raise KeyError(name)
        if self._has(path):
            self._node(tuple(parents))[name] = _item(value)
            return
        before, text = tomllib.loads(self.text), self.text
        for candidate in _with_key(text, tuple(parents), name, value):
            if candidate != text and _only_adds(before, candidate, path, value):
                self._parse(candidate)
                return
        self._node(tuple(parents))[name] = _item(value)

    def unset(self, path: KeyPath) -> None:
        """Take a key out, so that its default counts; nothing happens where it does not stand.

        Raises:
            IndexError: A row on the way does not exist.
        """
        *parents, name = path
        if self._has(path):
            del self._node(tuple(parents))[name]

    def _has(self, path: KeyPath) -> bool:
        node: Any = self._document
        for part in path:
            if isinstance(part, str) and part not in node:
                return False
            node = node[part]
        return True

    def append(self, path: KeyPath, row: Mapping[str, Any]) -> None:
        """Append a row to a list of tables, such as `("auth", "credentials")`."""
        self.insert(path, self.count(path), row)

    def count(self, path: KeyPath) -> int:
        """Return how many rows a list of tables has."""
        return len(self._node(path)) if self._has(path) else 0

    def insert(self, path: KeyPath, at: int, row: Mapping[str, Any]) -> None:
        """Put a row into a list of tables, where `at` says; a list that is not there is begun.

        Raises:
            IndexError: It would not be next to the others.
        """
        count = self.count(path)
        if not 0 <= at <= count:
            raise IndexError(at)
        if self._is_array(path):
            if count:
                self._node(path).insert(at, _item(row))
                return
            self.unset(path)
        names = _names(path)
        layout = Layout(self.text)
        head = f"[[{'.'.join(names)}]]\n"
        layout.insert(names, at, [head, *(_assignment(name, one) for name, one in row.items())])
        self._parse(layout.text)

    def remove(self, path: KeyPath, index: int) -> None:
        """Remove a row of a list of tables, and the remarks above it.

        Raises:
            IndexError: There is none such.
        """
        if not 0 <= index < self.count(path):
            raise IndexError(index)
        if self._is_array(path):
            del self._node(path)[index]
            return
        layout = Layout(self.text)
        layout.delete(_names(path), index)
        self._parse(layout.text)

    def move(self, path: KeyPath, index: int, to: int) -> None:
        """Move a row of a list of tables to another place, with the remarks above it.

        Raises:
            IndexError: There is none such, or no such place.
        """
        count = self.count(path)
        if not (0 <= index < count and 0 <= to < count):
            raise IndexError(index)
        if self._is_array(path):
            rows = self._node(path)
            row = rows[index]
            del rows[index]
            rows.insert(to, row)
            return
        layout = Layout(self.text)
        layout.move(_names(path), index, to)
        self._parse(layout.text)

    def _is_array(self, path: KeyPath) -> bool:
        return self._has(path) and isinstance(self._node(path), Array)

    def save(self) -> None:
        """Write the file as a whole, or not at all.

        Raises:
            Changed: It is not what was read.
            OSError: It cannot be written.
        """
        with locked(self.path):
            found = fingerprint_of(read_text(self.path))
            if found != self.fingerprint:
                raise Changed(self.path, found)
            write_atomically(self.path, self.text)
        self.original = self.text


def _names(path: KeyPath) -> tuple[str, ...]:
    return tuple(str(part) for part in path)


def _with_key(text: str, parents: KeyPath, name: str, value: Any) -> Iterator[str]:
    """Yield texts that may hold one more key, the one that looks best first."""
    line = _assignment(name, value)
    *tables, last = parents if parents else ("",)
    layout = Layout(text)
    if isinstance(last, int):
        rows = layout.rows(_names(tuple(tables)))
        if last < len(rows):
            layout.assign(rows[last], line)
            yield layout.text
        return
    yield _uncomment(text, join(parents), name, line)
    table = layout.table(_names(parents))
    if table is not None:
        layout.assign(table, line)
        yield layout.text
    else:
        yield f"{layout.text.rstrip()}\n\n[{join(parents)}]\n{line}"


def _only_adds(before: dict[str, Any], text: str, path: KeyPath, value: Any) -> bool:
    """Whether a text says what was said before, and this one key besides."""
    wanted = copy.deepcopy(before)
    node: Any = wanted
    for part in path[:-1]:
        node = node.setdefault(part, {}) if isinstance(part, str) else node[part]
    node[path[-1]] = value
    try:
        return tomllib.loads(text) == wanted
    except tomllib.TOMLDecodeError:
        return False
