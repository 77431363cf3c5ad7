"""A configuration as a flat list of dotted keys and plain values, secrets masked.

It shows; it neither reads files nor judges.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from pydantic import SecretStr

from centrex.config.keys import catalogue, generic, plain
from centrex.config.model import Config

MASK: Final = "***"
"""What stands for a secret that is set."""

_NAMES: Final = ("login", "name", "pattern")


def _leaves(value: Any, dotted: str) -> Iterator[tuple[str, Any]]:
    key = catalogue().get(generic(dotted))
    if key is not None and key.kind == "rows" and value:
        for index, row in enumerate(value):
            yield from _leaves(row, f"{dotted}[{index}]")
    elif key is not None:
        yield dotted, value
    else:
        for name in type(value).model_fields:
            yield from _leaves(getattr(value, name), f"{dotted}.{name}" if dotted else name)


def leaves(config: Config) -> Mapping[str, Any]:
    """Return every key of a configuration with its value, secrets still wrapped.

    Rows are counted from 0: `auth.credentials[0].login`. An empty list of rows is one key.
    """
    return dict(_leaves(config, ""))


def shown(value: Any) -> Any:
    """Return a value as JSON would have it, with a secret masked."""
    if isinstance(value, SecretStr):
        return MASK if value.get_secret_value() else ""
    return plain(value)


def flatten(config: Config) -> dict[str, Any]:
    """Return every key of a configuration with its value as JSON would have it, secrets masked."""
    return {key: shown(value) for key, value in leaves(config).items()}


def by_name(values: Mapping[str, Any]) -> dict[str, Any]:
    """Name rows by their login, name or pattern instead of their number.

    So that a removed row does not look like a change of all that follow it:
    `auth.credentials[0].note` becomes `auth.credentials[1001].note`.
    """
    names: dict[str, str] = {}
    for key in values:
        prefix = key.rpartition(".")[0]
        if prefix.endswith("]") and prefix not in names:
            chosen = (values.get(f"{prefix}.{name}") for name in _NAMES)
            number = prefix[prefix.index("[") + 1 : -1]
            name = next((str(text) for text in chosen if text), number)
            named = f"{prefix[: prefix.index('[')]}[{re.sub(r'[][]', '', name)}]"
            twice = named in names.values()
            names[prefix] = f"{named[:-1]} #{number}]" if twice else named
    renamed: dict[str, Any] = {}
    for key, value in values.items():
        prefix, _, leaf = key.rpartition(".")
        renamed[f"{names[prefix]}.{leaf}" if prefix in names else key] = value
    return renamed


def _is_written(written: Mapping[str, Any], dotted: str) -> bool:
    node: Any = written
    for part in re.findall(r"[^.\[\]]+", dotted):
        if isinstance(node, list):
            if int(part) >= len(node):
                return False
            node = node[int(part)]
        elif isinstance(node, Mapping) and part in node:
            node = node[part]
        else:
            return False
    return True


def origins(
    config: Config, written: Mapping[str, Any], overridden: Iterable[str]
) -> dict[str, str]:
    """Return for each dotted key whether it is a `default`, from the `file` or from a `--set`."""
    by_set = tuple(overridden)
    found = {}
    for key in leaves(config):
        if any(key == name or key.startswith(f"{name}[") for name in by_set):
            found[key] = "--set"
        else:
            found[key] = "file" if _is_written(written, key) else "default"
    return found


def effective(config: Config, provenance: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """Return `{key: {"value": …, "origin": …}}`, secrets masked: the control command `config`."""
    return {
        key: {"value": value, "origin": provenance.get(key, "default")}
        for key, value in flatten(config).items()
    }
