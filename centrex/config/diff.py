"""What differs between two configurations, and what each change does to calls in progress.

It compares values; whether a change can be applied is told by the key's own declaration.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from centrex.auth.settings import Settings
from centrex.config.keys import Effect, Key, catalogue, find
from centrex.config.model import Config
from centrex.config.values import by_name, leaves, shown
from centrex.sip.uri import readable_address

_NO_REALM: Final = "no phone can log in until passwords are set anew"
_SAME_REALM: Final = "the realm stays what it is: passwords go on"
_DOMAIN_IS_REALM: Final = (
    "; the domain is the realm, too: no phone can log in until passwords are set anew, "
    'or auth.realm is "{}"'
)
_ENABLED: Final = re.compile(r"auth\.credentials\[(.*)\]\.enabled")
_MAY: Final = {"REGISTER": "register", "INVITE": "call"}
_MAY_ALL: Final = "can register and call as anybody, without a password"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One key that differs."""

    key: str
    """Dotted; rows are named, not counted: `auth.credentials[1001].note`."""
    old: Any
    """The value before, as JSON would have it; nothing for a new row. Secrets are masked."""
    new: Any
    """The value after; nothing for a removed row."""
    effect: Effect
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
    return (*found, *_moved(before, after))


def _rows(values: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return the names of the rows of each list, in their order."""
    rows: dict[str, list[str]] = {}
    for key in values:
        prefix = key.rpartition(".")[0]
        if prefix.endswith("]"):
            names = rows.setdefault(prefix[: prefix.index("[")], [])
            name = prefix[prefix.index("[") + 1 : -1]
            if name not in names[-1:]:
                names.append(name)
    return rows


def _moved(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Change]:
    """Yield the lists whose rows stand in another order, those in both compared."""
    old, new = _rows(before), _rows(after)
    for rows in old.keys() & new.keys():
        kept = set(old[rows]) & set(new[rows])
        was = [name for name in old[rows] if name in kept]
        now = [name for name in new[rows] if name in kept]
        if was != now:
            yield _change(rows, _first_key(rows), was, now)


def _first_key(rows: str) -> Key | None:
    """Return the first key of a list's rows, which tells when a change takes effect."""
    return next((key for name, key in catalogue().items() if name.startswith(f"{rows}[].")), None)


def diff(old: Config, new: Config) -> tuple[Change, ...]:
    """Compare two configurations; secrets count too but are shown masked."""
    return tuple(_told(change, old, new) for change in diff_values(leaves(old), leaves(new)))


def _told(change: Change, old: Config, new: Config) -> Change:
    """Say what a change does to passwords: they are of the realm, which an empty one leaves to the domain."""
    if change.key == "auth.realm":
        return replace(change, calls=_SAME_REALM if old.realm == new.realm else _NO_REALM)
    if change.key == "network.domain" and old.realm != new.realm and not new.auth.realm:
        return replace(change, calls=change.calls + _DOMAIN_IS_REALM.format(old.realm))
    if left := _left_registered(change, old, new):
        return replace(change, calls=left if change.new is None else f"{change.calls}; {left}")
    if opened := _opened(change.key, old.auth, new.auth):
        return replace(change, calls=f"{change.calls}; {opened}")
    return change


def _left_registered(change: Change, old: Config, new: Config) -> str:
    """Return what becomes of the phones of a login that is deleted or disabled; empty for others."""
    found = _ENABLED.fullmatch(change.key)
    if not found or change.old is not True or change.new is True:
        return ""
    row = next((one for one in old.auth.credentials if one.login == found[1]), None)
    return left_registered(row.users or (row.login,) if row else (), new.network.domain)


def left_registered(users: Sequence[str], domain: str) -> str:
    """Return what becomes of the phones of a login that is no more, and how to sign them off.

    Args:
        users: Who it might be; "*" for everybody.
        domain: The SIP domain.
    """
    address, whose = "ADDRESS", "those of a user"
    if len(users) == 1 and users[0] != "*":
        address, whose = readable_address(users[0].encode(), domain), "them"
    return (
        "phones it has registered stay so until that expires; "
        f"`centrex registrations remove {address}` ends {whose}"
    )


def _opened(key: str, old: Settings, new: Settings) -> str:
    """Return what a change of authentication lets somebody do who could not before; empty for nothing."""
    match key:
        case "auth.enabled" if not new.enabled:
            return f"anybody {_MAY_ALL}"
        case "auth.methods":
            freed = [words for name, words in _MAY.items() if _asks(old, name) > _asks(new, name)]
            return f"anybody can {' and '.join(freed)} as anybody, without a password" * bool(freed)
        case "auth.trusted":
            more = ", ".join(one for one in new.trusted if one not in old.trusted)
            return f"whoever sends from {more} {_MAY_ALL}" if more else ""
        case "auth.login_must_match_user" if not new.login_must_match_user:
            return "a login can register and call as any user"
    return ""


def _asks(settings: Settings, method: str) -> bool:
    return "*" in settings.methods or method in settings.methods
