"""What edits do, told as an operator thinks: one line for a row that comes or goes, one for a setting.

It knows the effects of `config.preview`; how they are painted is for the review.
"""

import re
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any, Final, TypeAlias

from tui.values import EFFECTS, MASK, as_text

Effect: TypeAlias = Mapping[str, Any]

_OF_ROW: Final = re.compile(r"(?P<rows>[^\[]+)\[(?P<name>.*)\]\.(?P<leaf>[^.]+)")
_NAMES: Final = ("login", "name", "pattern")
"""Keys that name their row."""


def told(effects: Sequence[Effect]) -> list[Effect]:
    """Return effects with `key` and `change` in words; rows that come or go whole are one each."""
    lines: list[Effect] = []
    for prefix, group in groupby(effects, key=_row_of):
        of_row = list(group)
        if prefix and all(one.get("old") is None for one in of_row):
            lines.append(_whole(of_row, "is added", "new"))
        elif prefix and all(one.get("new") is None for one in of_row):
            lines.append(_whole(of_row, "is deleted", "old"))
        else:
            lines += [_setting(one) for one in of_row if _says_something(one)]
    return lines


def _row_of(effect: Effect) -> str:
    found = _OF_ROW.fullmatch(str(effect.get("key", "")))
    return f"{found['rows']}[{found['name']}]" if found else ""


def _says_something(effect: Effect) -> bool:
    return bool(as_text(effect.get("old")) or as_text(effect.get("new")))


def _words(effect: Effect) -> str:
    return str(effect.get("words") or EFFECTS.get(str(effect.get("effect")), ""))


def _whole(effects: Sequence[Effect], what: str, side: str) -> Effect:
    """Tell of a whole row: its name, and what of it is more than a switch or a secret."""
    found = _OF_ROW.fullmatch(str(effects[0].get("key", "")))
    assert found is not None
    parts = []
    for one in effects:
        key, value = str(one.get("key", "")), one.get(side)
        leaf, text = key.rpartition(".")[2], as_text(value, key)
        if text and leaf not in _NAMES and not isinstance(value, bool | int) and text != MASK:
            parts.append(f"{leaf}: {text}")
    waits = any(one.get("effect") == "restart" for one in effects)
    return {
        "key": found["rows"],
        "change": " · ".join([f"{found['name']} {what}", *parts]),
        "words": "; ".join(dict.fromkeys(filter(None, map(_words, effects)))),
        "effect": "restart" if waits else effects[0].get("effect"),
    }


def _setting(effect: Effect) -> Effect:
    key = str(effect.get("key", ""))
    old, new = as_text(effect.get("old"), key), as_text(effect.get("new"), key)
    change = f"{old or '(none)'} → {new or '(none)'}"
    if old == new:
        change = f"another one ({new})"
    if "in_force" in effect:
        change += f"  (in force: {as_text(effect['in_force'], key) or '(none)'})"
    return {**effect, "change": change, "words": _words(effect)}
