"""Changes a TOML file in place: comments, order and spelling of everything else stay.

It knows TOML, not what the keys mean; whoever edits validates `text` before `save`.
"""

import os
import re
import tempfile
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import tomlkit
from tomlkit.exceptions import TOMLKitError
from tomlkit.items import AoT, Array

from centrex.base import ConfigError, Problem
from centrex.config.keys import Path as KeyPath
from centrex.config.keys import join
from centrex.config.load import read_text

_MODE: Final = 0o600


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


def _assignment(name: str, value: Any) -> str:
    """Return `name = value` as one line of TOML."""
    document = tomlkit.document()
    document[name] = value
    return document.as_string().strip()


def _uncomment(text: str, table: str, name: str, value: Any) -> str:
    """Turn a commented-out `#name = …` of a table into a real one; the text itself if none."""
    lines = text.splitlines(keepends=True)
    pattern = re.compile(rf"#\s?{re.escape(name)}\s*=")
    inside = False
    for index, line in enumerate(lines):
        if line.startswith("["):
            inside = line.split("#")[0].strip() == f"[{table}]"
        elif inside and pattern.match(line):
            return "".join([*lines[:index], f"{_assignment(name, value)}\n", *lines[index + 1 :]])
    return text


class Document:
    """A TOML file being edited.

    Args:
        path: The file, which must exist and parse.

    Raises:
        ConfigError: It does not.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._parse(read_text(path))

    def _parse(self, text: str) -> None:
        try:
            self._document = tomlkit.parse(text)
        except TOMLKitError as error:
            problem = Problem(file=str(self.path), key="TOML", message=f"cannot be read: {error}")
            raise ConfigError((problem,)) from None

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
        *tables, name = path
        if not isinstance(name, str):
            raise KeyError(name)
        if all(isinstance(part, str) for part in tables) and not self._has(path):
            before = tomllib.loads(self.text)
            text = _uncomment(self.text, join(tables), name, value)
            if text != self.text and _only_adds(before, tomllib.loads(text), path, value):
                self._parse(text)
                return
        self._node(tuple(tables))[name] = value

    def _has(self, path: KeyPath) -> bool:
        node: Any = self._document
        for part in path:
            if part not in node:
                return False
            node = node[part]
        return True

    def append(self, path: KeyPath, row: Mapping[str, Any]) -> None:
        """Append a row to a list of tables, such as `("auth", "credentials")`."""
        *tables, name = path
        parent = self._node(tuple(tables))
        table = tomlkit.table()
        table.update(row)
        existing = parent.get(name)
        if isinstance(existing, Array) and existing:
            inline = tomlkit.inline_table()
            inline.update(row)
            existing.append(inline)
        elif isinstance(existing, AoT):
            existing.append(table)
        else:
            if existing is not None:
                del parent[name]
            rows = tomlkit.aot()
            rows.append(table)
            parent[name] = rows

    def remove(self, path: KeyPath, index: int) -> None:
        """Remove a row of a list of tables. Raises `IndexError` where there is none such."""
        *tables, name = path
        parent = self._node(tuple(tables))
        del parent[name][index]
        if not parent[name]:
            del parent[name]

    def save(self) -> None:
        """Write the file as a whole, or not at all. Raises `OSError`."""
        write_atomically(self.path, self.text)


def _only_adds(before: dict[str, Any], after: dict[str, Any], path: KeyPath, value: Any) -> bool:
    """Whether the change between two parsed texts is exactly this one key."""
    node: Any = before
    for part in path[:-1]:
        node = node.setdefault(part, {})
    node[path[-1]] = value
    return before == after
