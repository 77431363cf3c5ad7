"""A table whose keys nobody has declared, as text that is typed, and back: TOML, with objections.

It holds what JSON can: text, numbers, yes and no, lists and tables. Remarks are not part of it; they
stay in the file, where only what was changed is written.
"""

import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from typing import Any, Final

from centrex import api
from tui.values import Objection

LONGEST: Final = 65_536
"""Characters of such a text."""
_BARE: Final = re.compile(r"[A-Za-z0-9_-]+")
_DEEPEST: Final = 5


def as_toml(tables: Mapping[str, Any]) -> str:
    """Return tables of keys as text."""
    return "\n".join(block for name, one in tables.items() for block in _table((name,), one))


def _table(path: tuple[str, ...], value: Any) -> Iterator[str]:
    if not isinstance(value, Mapping):
        yield f"{_name(path[-1])} = {_value(value)}\n"
        return
    keys = {name: one for name, one in value.items() if not isinstance(one, Mapping)}
    inner = {name: one for name, one in value.items() if isinstance(one, Mapping)}
    if keys or not inner:
        lines = [f"{_name(name)} = {_value(one)}" for name, one in keys.items()]
        yield "\n".join([f"[{'.'.join(map(_name, path))}]", *lines]) + "\n"
    for name, one in inner.items():
        yield from _table((*path, name), one)


def _name(name: str) -> str:
    return name if _BARE.fullmatch(name) else _text(name)


def _text(text: str) -> str:
    """Return a text in quotation marks, all that would command or deceive a terminal spelled out."""
    return "".join(map(_character, json.dumps(text, ensure_ascii=False)))


def _character(one: str) -> str:
    if api.shown(one, 8) == one:
        return one
    number = ord(one)
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"


def _value(value: Any) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case list() | tuple():
            return "[" + ", ".join(map(_value, value)) + "]"
        case Mapping():
            pairs = (f"{_name(name)} = {_value(one)}" for name, one in value.items())
            return "{" + ", ".join(pairs) + "}"
        case int() | float():
            return repr(value)
        case _:
            return _text(str(value))


def read(text: str) -> dict[str, dict[str, Any]]:
    """Return the tables that were typed.

    Raises:
        Objection: They are none, or hold what cannot be kept.
    """
    if len(text) > LONGEST:
        raise Objection(f"is longer than {LONGEST} characters")
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise Objection(str(error)) from None
    except RecursionError:
        raise Objection("is nested too deeply") from None
    for name, one in tables.items():
        if not isinstance(one, dict):
            raise Objection(f"{name} belongs to no plug-in: a line [NAME] comes first")
        _check(one, name, 1)
    return tables


def _check(value: Any, where: str, depth: int) -> None:
    if depth > _DEEPEST:
        raise Objection(f"{where} is nested too deeply")
    match value:
        case dict():
            for name, one in value.items():
                _check(one, f"{where}.{name}", depth + 1)
        case list():
            for one in value:
                _check(one, where, depth + 1)
        case float() if value - value != 0:
            raise Objection(f"{where} is no number that can be kept")
        case int() if not -(2**63) <= value < 2**63:
            raise Objection(f"{where} is a number too large")
        case bool() | int() | float() | str():
            return
        case _:
            raise Objection(f"{where}: a date or a time is written in quotation marks")
