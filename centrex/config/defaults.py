"""The commented default file, written from the models: what `centrex init` starts from.

Every key stands in it with its meaning, unit, bounds and default; what is not set is commented out.
"""

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import tomlkit

from centrex.config.keys import Key, catalogue, tables

_HEAD: Final = """\
# Centrex configuration. A line that begins with # is a remark; remove the # to set the key.
# `centrex config check` finds mistakes, `centrex reload` applies changes to a running server,
# `centrex config show` tells what is in force and where it comes from.
"""


def _literal(name: str, value: Any) -> str:
    document = tomlkit.document()
    document[name] = value
    return document.as_string().strip()


def _bounds(key: Key) -> Iterator[str]:
    if key.unit:
        yield key.unit
    if key.minimum is not None and key.maximum is not None:
        yield f"{key.minimum} to {key.maximum}"
    elif key.minimum is not None:
        yield f"at least {key.minimum}"
    if key.choices:
        yield "one of " + ", ".join(f'"{choice}"' for choice in key.choices)
    if key.effect == "restart":
        yield "takes a restart"


def _remark(key: Key) -> str:
    bounds = "; ".join(_bounds(key))
    text = f"{key.description} [{bounds}]" if bounds else key.description
    return textwrap.fill(text, 98, initial_indent="# ", subsequent_indent="# ")


def _members(table: str) -> list[Key]:
    """Return the keys that stand directly in a table or in its rows."""
    return [
        key
        for key in catalogue().values()
        if key.name.rpartition(".")[0] == table and key.kind not in ("rows", "map")
    ]


def _assigned(key: Key, values: Mapping[str, Any]) -> str:
    leaf = key.name.rpartition(".")[2]
    if key.name in values:
        return _literal(leaf, values[key.name])
    return f"#{_literal(leaf, key.default if key.default is not None else '')}"


def _table(name: str, description: str, values: Mapping[str, Any]) -> Iterator[str]:
    keys = _members(name)
    rows = [
        key
        for key in catalogue().values()
        if key.kind == "rows" and key.name == f"{name}.{key.name.rpartition('.')[2]}"
    ]
    inside = keys or [key for row in rows for key in _members(f"{row.name}[]")]
    later = bool(inside) and not any(key.available for key in inside)
    yield textwrap.fill(
        description + (" Takes effect with a later version." if later else ""),
        98,
        initial_indent="# ",
        subsequent_indent="# ",
    )
    yield f"[{name}]"
    for key in keys:
        yield _remark(key) + ("" if key.available or later else " (with a later version)")
        yield _assigned(key, values)
    for row in rows:
        yield f"#[[{row.name}]]"
        for key in _members(f"{row.name}[]"):
            yield f"{_assigned(key, {})}  # {key.description}"


def _row(name: str, row: Mapping[str, Any]) -> Iterator[str]:
    yield f"[[{name}]]"
    for key, value in row.items():
        yield _literal(key, value)


def default_text(values: Mapping[str, Any], credentials: Sequence[Mapping[str, Any]] = ()) -> str:
    """Write a whole configuration file.

    Args:
        values: What is set, by dotted key; everything else stands commented out.
        credentials: The rows of `[[auth.credentials]]`.
    """
    ordered = sorted(tables(), key=lambda name: name.split(".")[0] == "auth")  # logins come last
    parts = [_HEAD.rstrip()]
    parts.extend("\n".join(_table(name, tables()[name], values)) for name in ordered)
    parts.extend("\n".join(_row("auth.credentials", row)) for row in credentials)
    return "\n\n".join(parts) + "\n"
