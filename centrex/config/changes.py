"""What an editor may ask of a configuration: keys set and unset, rows put in, changed, moved, removed.

It reads such wishes from plain data, says what is wrong with their form, and turns each into steps,
which a document and its parsed data can take alike, so that one can be checked against the other.
What the values mean is for the models.
"""

import copy
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, time
from typing import Any, Final, TypeAlias

from centrex.base import ConfigError, Problem
from centrex.config.edit import Document
from centrex.config.keys import (
    Path,
    catalogue,
    find,
    join,
    nearest_choice,
    nearest_key,
    split,
    tables,
)
from centrex.config.values import MASK

MAX_CHANGES: Final = 2_000
"""Changes taken at once."""
_DEPTH: Final = 6
_INTEGER: Final = 2**63


class Wrong(Exception):
    """One wish that cannot be; becomes a `Problem`."""

    def __init__(self, key: str, message: str, nearest: str = "") -> None:
        super().__init__(message)
        self.problem = Problem(file="", key=key, message=message, nearest=nearest)


@dataclass(frozen=True, slots=True, kw_only=True)
class SetKey:
    """Set one key, in a table or in a row."""

    key: str
    path: Path
    value: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class UnsetKey:
    """Take one key out of the file, so that its default counts."""

    key: str
    path: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class AddRow:
    """Put a row in."""

    rows: str
    at: int | None
    """Which row it will be; nothing for the last."""
    value: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateRow:
    """Set some keys of a row; those whose value is nothing are taken out."""

    rows: str
    index: int
    value: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteRow:
    """Take a row out."""

    rows: str
    index: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MoveRow:
    """Have a row stand elsewhere."""

    rows: str
    index: int
    to: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SetPassword:
    """Give a login a password; a login that is not there is added."""

    login: str
    users: tuple[str, ...] | None
    """Who it may be; nothing leaves that as it is."""
    password: str | None
    """The password in clear; nothing for a generated one."""


Edit: TypeAlias = SetKey | UnsetKey | AddRow | UpdateRow | DeleteRow | MoveRow | SetPassword


# ------------------------------------------------------------------------------ from plain data


def read(changes: object) -> tuple[Edit, ...]:
    """Read a list of changes.

    Raises:
        ConfigError: With everything that is wrong with their form.
    """
    if not isinstance(changes, list | tuple):
        raise ConfigError((Problem(file="", key="changes", message="must be a list"),))
    if len(changes) > MAX_CHANGES:
        message = f"holds {len(changes)} changes; at most {MAX_CHANGES} are taken at once"
        raise ConfigError((Problem(file="", key="changes", message=message),))
    found: list[Edit] = []
    problems: list[Problem] = []
    for number, change in enumerate(changes):
        try:
            found.append(_edit(change, f"changes[{number}]"))
        except Wrong as error:
            problems.append(error.problem)
    if problems:
        raise ConfigError(tuple(problems))
    return tuple(found)


def _edit(change: object, where: str) -> Edit:
    if not isinstance(change, Mapping):
        raise Wrong(where, "must be an object with an op")
    op = change.get("op")
    reader = _READERS.get(op) if isinstance(op, str) else None
    if reader is None:
        nearest = nearest_choice(str(op), _READERS)
        raise Wrong(where, f"{op!r} is none of {', '.join(_READERS)}", nearest)
    return reader(change, where)


def _known(change: Mapping[str, Any], where: str) -> tuple[str, Path]:
    dotted = change.get("key")
    if not isinstance(dotted, str):
        raise Wrong(where, "needs a key, as in network.port")
    key, path = find(dotted), split(dotted)
    if dotted in tables():
        raise Wrong(dotted, "is a table; set one of its keys")
    if key is None or not path:
        raise Wrong(dotted, "unknown key", nearest_key(dotted))
    if key.kind == "rows":
        raise Wrong(dotted, "is a list of rows; add, update, delete or move them")
    return dotted, path


def _rows(change: Mapping[str, Any], where: str) -> str:
    rows = change.get("list")
    if not isinstance(rows, str):
        raise Wrong(where, "needs a list, as in routing.plans")
    key = catalogue().get(rows)
    if key is None or not key.has_rows:
        lists = [name for name, one in catalogue().items() if one.has_rows]
        raise Wrong(rows, f"is none of {', '.join(lists)}", nearest_choice(rows, lists))
    return rows


def _number(change: Mapping[str, Any], name: str, where: str) -> int:
    value = change.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise Wrong(where, f"{name} must be the number of a row, counted from 0")
    return value


def _plain(value: object, where: str, depth: int = 0) -> Any:
    """Return a value that TOML can hold."""
    if isinstance(value, str):
        if any("\ud800" <= c <= "\udfff" for c in value):
            raise Wrong(where, "is no text that UTF-8 can hold")
    elif isinstance(value, list | tuple) and depth < _DEPTH:
        return [_plain(one, where, depth + 1) for one in value]
    elif isinstance(value, Mapping) and depth < _DEPTH:
        return {_name(name, where): _plain(one, where, depth + 1) for name, one in value.items()}
    elif not isinstance(value, bool | int | float):
        raise Wrong(where, "needs a value that TOML can hold")
    elif not math.isfinite(value) or not -_INTEGER <= value < _INTEGER:
        raise Wrong(where, "is a number too large")
    return value


def _name(name: object, where: str) -> str:
    return str(_plain(str(name), where))


def _row(change: Mapping[str, Any], rows: str) -> dict[str, Any]:
    value = change.get("value")
    if not isinstance(value, Mapping):
        raise Wrong(rows, "needs a value: the keys of a row")
    return {
        _name(name, rows): None if one is None else _plain(one, f"{rows}[].{name}")
        for name, one in value.items()
    }


def _read_set(change: Mapping[str, Any], where: str) -> Edit:
    key, path = _known(change, where)
    return SetKey(key=key, path=path, value=_plain(change.get("value"), key))


def _read_unset(change: Mapping[str, Any], where: str) -> Edit:
    key, path = _known(change, where)
    return UnsetKey(key=key, path=path)


def _read_add(change: Mapping[str, Any], where: str) -> Edit:
    rows = _rows(change, where)
    at = None if change.get("at") is None else _number(change, "at", where)
    return AddRow(rows=rows, at=at, value=_row(change, rows))


def _read_update(change: Mapping[str, Any], where: str) -> Edit:
    rows = _rows(change, where)
    return UpdateRow(rows=rows, index=_number(change, "index", where), value=_row(change, rows))


def _read_delete(change: Mapping[str, Any], where: str) -> Edit:
    return DeleteRow(rows=_rows(change, where), index=_number(change, "index", where))


def _read_move(change: Mapping[str, Any], where: str) -> Edit:
    rows = _rows(change, where)
    return MoveRow(
        rows=rows, index=_number(change, "index", where), to=_number(change, "to", where)
    )


def _read_password(change: Mapping[str, Any], where: str) -> Edit:
    login, users, password = (change.get(name) for name in ("login", "users", "password"))
    key = "auth.credentials[].login"
    if not isinstance(login, str) or not login:
        raise Wrong(key, "needs a login")
    _plain(login, key)
    if users is not None:
        if not isinstance(users, list | tuple) or not all(isinstance(one, str) for one in users):
            raise Wrong("auth.credentials[].users", "must be a list of names")
        users = tuple(_plain(users, "auth.credentials[].users"))
    if password is not None and not (isinstance(password, str) and password.isprintable()):
        raise Wrong(where, "a password is text without control characters")
    if password == "":
        raise Wrong(where, "a password must not be empty")
    return SetPassword(login=login, users=users, password=password)


_READERS: Final[Mapping[str, Callable[[Mapping[str, Any], str], Edit]]] = {
    "set": _read_set,
    "unset": _read_unset,
    "add": _read_add,
    "update": _read_update,
    "delete": _read_delete,
    "move": _read_move,
    "password": _read_password,
}


# ------------------------------------------------------------------------------------- steps


@dataclass(frozen=True, slots=True)
class Step:
    """One thing done to a file: `set`, `unset`, `insert`, `remove` or `move`."""

    verb: str
    path: Path
    """The key, or the list of rows."""
    value: Any = None
    """The value, or the row."""
    index: int = 0
    to: int = 0

    def on_document(self, document: Document) -> None:
        """Do it to a document."""
        match self.verb:
            case "set":
                document.set(self.path, self.value)
            case "unset":
                known = find(".".join(map(str, self.path)))
                document.unset(self.path, known.default if known else None)
            case "insert":
                document.insert(self.path, self.index, self.value)
            case "remove":
                document.remove(self.path, self.index)
            case _:
                document.move(self.path, self.index, self.to)

    def on_data(self, data: dict[str, Any]) -> None:
        """Do it to parsed data: what the document must say afterwards."""
        *parents, name = self.path
        node: Any = data
        for part in parents:
            node = node.setdefault(part, {}) if isinstance(part, str) else node[part]
        match self.verb:
            case "set":
                node[name] = self.value
            case "unset":
                node.pop(name, None)
            case "insert":
                node.setdefault(name, []).insert(self.index, copy.deepcopy(self.value))
            case "remove":
                del node[name][self.index]
            case _:
                node[name].insert(self.to, node[name].pop(self.index))


def held(data: Mapping[str, Any], rows: str) -> list[Any]:
    """Return the rows of a list as they are written: tables, or texts that stand for one."""
    node: Any = data
    for part in rows.split("."):
        node = node.get(part, {}) if isinstance(node, Mapping) else {}
    return node if isinstance(node, list) else []


def as_row(rows: str, item: Any) -> Mapping[str, Any]:
    """Return a row of a list, for which a text may stand."""
    return item if isinstance(item, Mapping) else {catalogue()[rows].short: item}


def _as_item(rows: str, row: Mapping[str, Any], others: Sequence[Any]) -> Any:
    """Return a row as it is written beside others: as a text where that says all of it."""
    short = catalogue()[rows].short
    is_longer = not short or row.keys() != {short}
    only_tables = bool(others) and all(isinstance(one, Mapping) for one in others)
    return row if is_longer or only_tables else row[short]


def settled(data: Mapping[str, Any], dotted: str = "") -> dict[str, Any]:
    """Return what a file says, without tables and lists of rows that have nothing in them."""
    kept: dict[str, Any] = {}
    for name, value in data.items():
        here = f"{dotted}.{name}" if dotted else name
        known = catalogue().get(here)
        if isinstance(value, Mapping) and known is None:
            value = settled(value, here)
        is_container = known is None or known.kind == "rows"
        if not (is_container and value in ([], {})):
            kept[name] = value
    return kept


def steps(edit: Edit, data: Mapping[str, Any]) -> Iterator[Step]:
    """Yield what an edit does to a file that says this; a password has been turned into rows.

    Raises:
        Wrong: It speaks of a row that is not there.
    """
    match edit:
        case SetKey() | UnsetKey() if _is_in_text(edit.path, data):
            *above, index, name = edit.path
            value = {str(name): edit.value if isinstance(edit, SetKey) else None}
            yield from _update(UpdateRow(rows=join(above), index=int(index), value=value), data)
        case SetKey():
            _check_row(edit.key, edit.path, data)
            known = find(edit.key)
            if known and known.kind == "map":
                yield from _map_steps(edit.path, _stands_at(edit.path, data), edit.value, edit.key)
            elif not (known and known.kind == "secret" and edit.value == MASK):
                yield Step("set", edit.path, edit.value)
        case UnsetKey():
            _check_row(edit.key, edit.path, data)
            if _stands(edit.path, data):
                yield Step("unset", edit.path)
        case UpdateRow():
            yield from _update(edit, data)
        case SetPassword():
            raise Wrong("auth.credentials", "a password is set when its realm is known")
        case _:
            yield from _row_steps(edit, data)


def _stands_at(path: Path, data: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the table at a place; an empty one where there is none."""
    node: Any = data
    for part in path:
        node = node.get(part) if isinstance(node, Mapping) else None
    return node if isinstance(node, Mapping) else {}


def _map_steps(path: Path, was: Mapping[str, Any], wanted: Any, key: str) -> Iterator[Step]:
    """Yield what turns one table into another: only keys that differ, so that remarks stay."""
    if not isinstance(wanted, Mapping):
        raise Wrong(key, "must be a table")
    for name in was:
        if name not in wanted:
            yield Step("unset", (*path, name))
    for name, value in wanted.items():
        before = was.get(name)
        if isinstance(value, Mapping) and value and isinstance(before, Mapping | None):
            yield from _map_steps((*path, name), before or {}, value, key)
        elif not _is_same(value, before):
            yield Step("set", (*path, name), value)


def _is_same(value: Any, before: Any) -> bool:
    """Whether an editor gives back what it was shown; 1, 1.0 and true are three values."""
    shown = shown_in_map(before)
    return type(value) is type(shown) and repr(value) == repr(shown)


def shown_in_map(value: Any) -> Any:
    """Return what an editor is shown of a value of a free table: JSON holds no dates and times."""
    if isinstance(value, Mapping):
        return {name: shown_in_map(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [shown_in_map(one) for one in value]
    return value.isoformat() if isinstance(value, date | time) else value


def _row_steps(edit: AddRow | DeleteRow | MoveRow, data: Mapping[str, Any]) -> Iterator[Step]:
    match edit:
        case AddRow():
            others = held(data, edit.rows)
            count, path = len(others), split(edit.rows)
            at = count if edit.at is None else edit.at
            if at > count:
                raise Wrong(f"{edit.rows}[{at}]", f"there are only {count} rows")
            item = _as_item(edit.rows, _fresh(edit.rows, edit.value), others)
            if not others and catalogue()[edit.rows].short:
                yield Step("set", path, [item])
            else:
                yield Step("insert", path, item, at)
        case DeleteRow():
            _written(edit.rows, edit.index, data)
            yield Step("remove", split(edit.rows), index=edit.index)
        case MoveRow():
            _written(edit.rows, edit.index, data)
            _written(edit.rows, edit.to, data)
            if edit.index != edit.to:
                yield Step("move", split(edit.rows), index=edit.index, to=edit.to)


def _stands(path: Path, data: Mapping[str, Any]) -> bool:
    node: Any = data
    for part in path:
        if isinstance(part, str) and (not isinstance(node, Mapping) or part not in node):
            return False
        node = node[part]
    return True


def _written(rows: str, index: int, data: Mapping[str, Any]) -> Any:
    found = held(data, rows)
    if index >= len(found):
        raise Wrong(f"{rows}[{index}]", f"there are only {len(found)} rows")
    return found[index]


def _check_row(key: str, path: Sequence[str | int], data: Mapping[str, Any]) -> None:
    """Refuse a key of a row that is not there, or of no row in particular."""
    numbers = [place for place, part in enumerate(path) if isinstance(part, int)]
    if not numbers and key in catalogue():
        return
    rows = ".".join(str(part) for part in path[: numbers[0]]) if numbers else key
    if len(numbers) != 1:
        raise Wrong(key, "is no key of a table or row")
    _written(rows, int(path[numbers[0]]), data)


def _is_masked(rows: str, name: str, value: Any) -> bool:
    known = catalogue().get(f"{rows}[].{name}")
    return known is not None and known.kind == "secret" and value == MASK


def _is_default(rows: str, name: str, value: Any) -> bool:
    known = catalogue().get(f"{rows}[].{name}")
    return known is not None and not known.required and value == known.default


def _fresh(rows: str, value: Mapping[str, Any]) -> dict[str, Any]:
    """Return a new row without what is default anyway. A masked secret is not known here."""
    return {
        name: one
        for name, one in value.items()
        if one is not None and not _is_masked(rows, name, one) and not _is_default(rows, name, one)
    }


def _is_in_text(path: Path, data: Mapping[str, Any]) -> bool:
    """Whether a key is one of a row for which a text stands."""
    if len(path) < 3 or not isinstance(path[-2], int):
        return False
    found = held(data, join(path[:-2]))
    return path[-2] < len(found) and isinstance(found[path[-2]], str)


def _update(edit: UpdateRow, data: Mapping[str, Any]) -> Iterator[Step]:
    row = _written(edit.rows, edit.index, data)
    others = held(data, edit.rows)
    if any(isinstance(one, str) for one in others):
        whole = _fresh(edit.rows, {**as_row(edit.rows, row), **edit.value})
        item = _as_item(edit.rows, whole, [one for one in others if isinstance(one, str)])
        if item != row:
            yield Step("set", (*split(edit.rows), edit.index), item)
        return
    for name, value in edit.value.items():
        path = (*split(edit.rows), edit.index, name)
        if value is None:
            if name in row:
                yield Step("unset", path)
        elif _is_masked(edit.rows, name, value):
            continue
        elif name in row:
            if row[name] != value or type(row[name]) is not type(value):
                yield Step("set", path, value)
        elif not _is_default(edit.rows, name, value):
            yield Step("set", path, value)
