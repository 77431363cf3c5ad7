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
from collections.abc import Iterator, Mapping, MutableSequence, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

import tomlkit
from tomlkit import TOMLDocument

from centrex.base import CentrexError, ConfigError
from centrex.config.array import Array
from centrex.config.keys import Path as KeyPath
from centrex.config.keys import join
from centrex.config.layout import VALUE, Block, Layout
from centrex.config.load import read_text
from centrex.config.problems import from_syntax

_MODE: Final = 0o600
_Verb: TypeAlias = Literal["insert", "replace", "delete", "move"]


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


def _literal(value: Any) -> str:
    """Return a value as it stands behind the `=`."""
    return _assignment("a", value).partition("=")[2].strip()


def _uncomment(text: str, table: str, name: str, line: str) -> str:
    """Turn a commented-out `#name = …` of a table into a real one; the text itself if none."""
    lines = text.splitlines(keepends=True)
    pattern = re.compile(rf"#\s?{re.escape(name)}\s*=(?:\s*{VALUE}(\s*#.*)\n)?")
    inside = False
    for index, old in enumerate(lines):
        if old.startswith("["):
            inside = old.split("#")[0].strip() == f"[{table}]"
        elif inside and (found := pattern.match(old)):
            line = f"{line.rstrip()}{found[1] or ''}\n"
            return "".join([*lines[:index], line, *lines[index + 1 :]])
    return text


class Document:
    """A TOML file being edited.

    Edits are made in the lines they concern. Where lines have an unusual form, such as tables written
    in one line, tomlkit makes them; it takes a hundred times as long.

    Args:
        path: The file.
        text: Its text, where that is known; the file must exist otherwise.

    Raises:
        ConfigError: It does not, or does not parse.
    """

    def __init__(self, path: Path, text: str | None = None) -> None:
        self.path = path
        self.original = read_text(path) if text is None else text
        self._text = self.original
        self._layout: Layout | None = None
        try:
            self._data: dict[str, Any] | None = tomllib.loads(self._text)
        except tomllib.TOMLDecodeError as error:
            raise ConfigError((from_syntax(error, str(path), self._text),)) from None

    @property
    def fingerprint(self) -> str:
        """What the file was when it was read or last saved."""
        return fingerprint_of(self.original)

    @property
    def text(self) -> str:
        """The text as it would be saved."""
        if self._layout is not None:
            self._text = self._layout.text
        return self._text

    def _become(self, text: str, data: dict[str, Any] | None = None) -> None:
        self._text, self._data, self._layout = text, data, None

    def _read(self) -> dict[str, Any]:
        """Return what the text says."""
        if self._data is None:
            self._data = tomllib.loads(self.text)
        return self._data

    def _lines(self) -> Layout:
        """Return the lines, to be changed in place."""
        if self._layout is None:
            self._layout = Layout(self._text)
        return self._layout

    @contextmanager
    def _by_tomlkit(self) -> Iterator[TOMLDocument]:
        """Have tomlkit change the text."""
        document = tomlkit.parse(self.text)
        yield document
        self._become(document.as_string())

    def _at(self, path: KeyPath) -> Any:
        """Return what stands at a place, or nothing. Raises `IndexError` for a missing row."""
        node: Any = self._read()
        for part in path:
            if isinstance(part, str) and (not isinstance(node, Mapping) or part not in node):
                return None
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
        if isinstance(at := path[-1], int):
            if not self._is_array(path[:-1]):
                raise KeyError(at)
            self._array(path[:-1], "replace", at, value=value)
            return
        is_there = self._at(path) is not None
        self._change(path, value, tuple(_with_key(self.text, path, value, is_there=is_there)))

    def unset(self, path: KeyPath, default: Any = None) -> None:
        """Take a key out, so that its default counts; nothing happens where it does not stand.

        Args:
            path: Its parts.
            default: What is left commented out where a remark above or behind speaks of the key.

        Raises:
            IndexError: A row on the way does not exist.
        """
        if self._at(path) is not None:
            self._change(path, None, tuple(_without_key(self.text, path, default)))

    def _change(self, path: KeyPath, value: Any, candidates: Sequence[str]) -> None:
        """Take the first text that says what it shall; have tomlkit make one if none does."""
        *parents, name = path
        wanted = copy.deepcopy(self._read())
        node: Any = wanted
        for part in parents:
            node = node.setdefault(part, {}) if isinstance(part, str) else node[part]
        if value is None:
            del node[name]
        else:
            node[name] = value
        for candidate in candidates:
            try:
                said = tomllib.loads(candidate)
            except tomllib.TOMLDecodeError:
                continue
            if said == wanted:
                self._become(candidate, said)
                return
        with self._by_tomlkit() as document:
            place = _place(document, tuple(parents))
            if value is None:
                del place[name]
            else:
                place[name] = _item(value)

    def append(self, path: KeyPath, row: Mapping[str, Any]) -> None:
        """Append a row to a list of tables, such as `("auth", "credentials")`."""
        self.insert(path, self.count(path), row)

    def count(self, path: KeyPath) -> int:
        """Return how many rows a list of tables has."""
        found = len(self._lines().rows(_names(path)))
        return found or len(self._at(path) or ())

    def insert(self, path: KeyPath, at: int, row: Mapping[str, Any] | str) -> None:
        """Put a row into a list of tables, where `at` says; a list that is not there is begun.

        Args:
            path: The list's parts.
            at: Which row it will be.
            row: Its keys, or a text where such may stand for one and there are others.

        Raises:
            IndexError: It would not be next to the others.
        """
        count = self.count(path)
        if not 0 <= at <= count:
            raise IndexError(at)
        if not count and not isinstance(row, str):
            self._change(path, [dict(row)], (self._with_first(path, row),))
        elif self._is_array(path):
            self._array(path, "insert", at, value=row)
        elif isinstance(row, str):
            raise KeyError(row)
        else:
            self._lines().insert(_names(path), at, _row_lines(path, row))
            self._data = None

    def _with_first(self, path: KeyPath, row: Mapping[str, Any]) -> str:
        """Return a text that may have the first row of a list, with a header of its own."""
        bare = Document(self.path, self.text)
        bare.unset(path)  # an empty list, written as one value
        layout = Layout(bare.text)
        layout.insert(_names(path), 0, _row_lines(path, row))
        return layout.text

    def remove(self, path: KeyPath, index: int) -> None:
        """Remove a row of a list of tables, and the remarks above it.

        Raises:
            IndexError: There is none such.
        """
        if not 0 <= index < self.count(path):
            raise IndexError(index)
        if self._is_array(path):
            self._array(path, "delete", index)
            return
        self._lines().delete(_names(path), index)
        self._data = None

    def move(self, path: KeyPath, index: int, to: int) -> None:
        """Move a row of a list of tables to another place, with the remarks above it.

        Raises:
            IndexError: There is none such, or no such place.
        """
        count = self.count(path)
        if not (0 <= index < count and 0 <= to < count):
            raise IndexError(index)
        if self._is_array(path):
            self._array(path, "move", index, to)
            return
        self._lines().move(_names(path), index, to)
        self._data = None

    def _array(
        self, path: KeyPath, verb: _Verb, index: int, to: int = 0, value: Any = None
    ) -> None:
        """Change an item of a list that is written as one value.

        It is done in its lines where each item has one, then as a whole where all stand in one line.
        """
        wanted = copy.deepcopy(self._read())
        node: Any = wanted
        for part in path:
            node = node[part]
        _in_list(node, verb, index, to, copy.deepcopy(value))
        for candidate in _with_array(self.text, path, verb, index, to, value, node):
            if tomllib.loads(candidate) == wanted:
                self._become(candidate, wanted)
                return
        with self._by_tomlkit() as document:
            made = None if value is None else _item(value)
            _in_list(_place(document, path), verb, index, to, made)

    def _is_array(self, path: KeyPath) -> bool:
        """Whether a list of tables is written as one value, and not by headers."""
        return not self._lines().rows(_names(path)) and self._at(path) is not None

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


def _place(document: TOMLDocument, path: KeyPath) -> Any:
    """Return a table or list of tomlkit's, made where it is not there yet."""
    node: Any = document
    for part in path:
        if isinstance(part, str) and part not in node:
            node[part] = tomlkit.table()
        node = node[part]
    return node


def _in_list(items: MutableSequence[Any], verb: _Verb, index: int, to: int, value: Any) -> None:
    match verb:
        case "insert":
            items.insert(index, value)
        case "replace":
            items[index] = value
        case "delete":
            del items[index]
        case _:
            item = items[index]
            del items[index]
            items.insert(to, item)


def _with_array(
    text: str, path: KeyPath, verb: _Verb, index: int, to: int, value: Any, wanted: Any
) -> Iterator[str]:
    """Yield texts in which an item of a list may be changed, the one that looks best first."""
    try:
        array = Array(text, _names(path))
    except ValueError:
        if not any(isinstance(one, Mapping) for one in wanted):
            yield from _with_key(text, path, wanted, is_there=True)
        return
    match verb:
        case "insert":
            array.insert(index, _literal(value))
        case "replace":
            array.replace(index, _literal(value))
        case "delete":
            array.delete(index)
        case _:
            array.move(index, to)
    yield array.text


def _row_lines(path: KeyPath, row: Mapping[str, Any]) -> list[str]:
    return [
        f"[[{'.'.join(_names(path))}]]\n",
        *(_assignment(name, value) for name, value in row.items()),
    ]


def _names(path: KeyPath) -> tuple[str, ...]:
    return tuple(str(part) for part in path)


def _block(layout: Layout, parents: KeyPath) -> Block | None:
    """Return where a table or a row stands."""
    *tables, last = parents if parents else ("",)
    if not isinstance(last, int):
        return layout.table(_names(parents))
    rows = layout.rows(_names(tuple(tables)))
    return rows[last] if last < len(rows) else None


def _with_key(text: str, path: KeyPath, value: Any, *, is_there: bool) -> Iterator[str]:
    """Yield texts in which a key may have this value, the one that looks best first."""
    *above, name = path
    parents = tuple(above)
    line = _assignment(str(name), value)
    layout = Layout(text)
    block = _block(layout, parents)
    if is_there:
        if block and layout.replace(block, str(name), line):
            yield layout.text
        return
    if not any(isinstance(part, int) for part in parents):
        yield _uncomment(text, join(parents), str(name), line)
    if block is not None:
        layout.assign(block, line)
        yield layout.text
    elif not any(isinstance(part, int) for part in parents):
        yield f"{layout.text.rstrip()}\n\n[{join(parents)}]\n{line}".lstrip("\n")


def _without_key(text: str, path: KeyPath, default: Any) -> Iterator[str]:
    """Yield texts that may hold a key no longer, the one that looks best first."""
    *parents, name = path
    layout = Layout(text)
    block = _block(layout, tuple(parents))
    if default is not None and block and layout.has_remark(block, str(name)):
        layout.replace(block, str(name), f"#{_assignment(str(name), default)}")
        yield layout.text
        layout = Layout(text)
    block = _block(layout, tuple(parents))
    if block and layout.replace(block, str(name), ""):
        yield layout.text
