"""What differs between two configurations, and what each change does to calls in progress.

It compares values; whether a change can be applied is told by the key's own declaration.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from centrex.config.keys import Key, find
from centrex.config.model import Config
from centrex.config.values import by_name, leaves, shown


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One key that differs."""

    key: str
    """Dotted; rows are named, not counted: `auth.credentials[1001].note`."""
    old: Any
    """The value before, as JSON would have it; nothing for a new row. Secrets are masked."""
    new: Any
    """The value after; nothing for a removed row."""
    effect: Literal["live", "restart"]
    calls: str
    """What it does to calls in progress, in words."""


def _change(key: str, known: Key | None, old: Any, new: Any) -> Change:
    return Change(
        key=key,
        old=shown(old),
        new=shown(new),
        effect=known.effect if known else "restart",
        calls=known.calls if known else "",
    )


def diff_values(old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[Change, ...]:
    """Compare two flat views (`values.leaves` or `values.flatten`); keys of the new one first."""
    before, after = by_name(old), by_name(new)
    keys = [*after, *(key for key in before if key not in after)]
    found = []
    for key in keys:
        known = find(key)
        if known is not None and known.kind == "rows":
            continue  # an empty list of rows; the rows themselves are compared
        if before.get(key) != after.get(key):
            found.append(_change(key, known, before.get(key), after.get(key)))
    return tuple(found)


def diff(old: Config, new: Config) -> tuple[Change, ...]:
    """Compare two configurations; secrets count too but are shown masked."""
    return diff_values(leaves(old), leaves(new))
