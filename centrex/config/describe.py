"""The settings as a form needs them: every dialog with its keys, plain data made of the catalogue.

It shows what can be set and what that means; it knows no values.
"""

from typing import Any, Final

from centrex.config.keys import Key, catalogue, tables, titles
from centrex.config.pages import page

_WITHOUT_DIALOG: Final = frozenset({"metrics"})
"""Tables that the original had no dialog for."""


def described(key: Key) -> dict[str, Any]:
    """Return one key as plain data; `type` is that of the items where it is a list."""
    name = key.name.rpartition("[].")[2] if "[]." in key.name else key.name
    table = key.name.split(".")[0]
    group = key.name.rpartition(".")[0]
    return {
        "key": name,
        "name": key.name,
        "label": key.label,
        "help": key.description,
        "type": key.items or key.kind,
        "form": key.form,
        "unit": key.unit,
        "zero": key.zero,
        "minimum": key.minimum,
        "maximum": key.maximum,
        "choices": list(key.choices),
        "default": key.default,
        "required": key.required,
        "effect": key.effect,
        "words": key.calls,
        "secret": key.kind == "secret",
        "available": key.available,
        "list": key.kind == "list",
        "group": "" if group == table or "[]" in group else group,
    }


def _dialog(table: str, title: str) -> dict[str, Any]:
    below = [key for name, key in catalogue().items() if name.startswith(f"{table}.")]
    keys = [key for key in below if not key.has_rows and "[]" not in key.name]
    rows = [key for key in below if key.has_rows and "[]" not in key.name]
    told: dict[str, Any] = {
        "table": table,
        "title": title,
        "dialog": table not in _WITHOUT_DIALOG,
        "summary": tables()[table],
        "help": page(table),
        "available": any(key.available for key in below if key.kind != "rows"),
        "keys": [described(key) for key in keys],
        "groups": {name: text for name, text in tables().items() if name.startswith(f"{table}.")},
    }
    for one in rows:
        columns = [
            key
            for key in below
            if key.name.startswith(f"{one.name}[].") and "." not in key.name[len(one.name) + 3 :]
        ]
        entry: dict[str, Any] = {
            "key": one.name,
            "label": one.label,
            "help": one.description,
            "columns": [described(key) for key in columns],
        }
        told.setdefault("list", entry)  # the dialog's own; others stand beside it
        told.setdefault("lists", []).append(entry)
    return told


def describe() -> dict[str, Any]:
    """Return every dialog, in the order of the original's."""
    return {"tables": [_dialog(table, title) for table, title in titles().items()]}
