"""One row of a list judged by itself, as it is typed: by its own declaration, not by its neighbours."""

import json
from collections.abc import Mapping
from typing import Any, Final

from pydantic import ValidationError

from centrex.config.keys import row_model, split
from centrex.config.problems import Blame, from_validation

_MOST: Final = 40
"""Characters of an item that is named in what is wrong with it."""


def objections(rows: str, row: Mapping[str, Any]) -> dict[str, str]:
    """Return what is wrong with a row, by its keys; under none what is wrong with it as a whole.

    Keys that are not there are no matter, so that a single one may be judged.

    Args:
        rows: The list, as in `routing.plans`.
        row: Keys of the row, as JSON has them.
    """
    try:
        row_model(rows).model_validate_json(json.dumps(dict(row)), strict=True)
    except ValidationError as failure:
        at = (*split(rows), 0)
        lacking = {error["loc"] for error in failure.errors() if error["type"] == "missing"}
        found = from_validation(failure, Blame("", ""), under=at)
        told: dict[str, str] = {}
        for problem in found:
            path = split(problem.key)[len(at) :]
            if path not in lacking:
                name = str(path[0]) if path else ""
                told.setdefault(name, _item(row.get(name), path[1:]) + problem.message)
        return told
    return {}


def _item(value: Any, path: tuple[str | int, ...]) -> str:
    """Return which of several items is meant, to stand before what is wrong with it."""
    if not path or not isinstance(path[0], int) or not isinstance(value, list | tuple):
        return ""
    item = value[path[0]]
    text = str(item.get("to", item) if isinstance(item, Mapping) else item)
    return f"{text[:_MOST]}: " if len(value) > 1 else ""
