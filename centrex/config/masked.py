"""A configuration's text, and how it differs from another, with every secret masked.

What is shown to people and goes over the control socket comes from here; it changes no file.
"""

import difflib
import re
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any, Final

import tomlkit
from tomlkit.items import AoT, Array

from centrex.config.keys import catalogue
from centrex.config.values import MASK

NEW: Final = f"{MASK} (changed)"
"""What stands for a secret that the other text does not have."""
_SECRETS: Final = frozenset(
    key.name.rpartition(".")[2] for key in catalogue().values() if key.kind == "secret"
)
_REMARK: Final = re.compile(
    rf"^(\s*#.*?\b(?:{'|'.join(sorted(_SECRETS))})\b\s*=\s*).*$", re.MULTILINE
)
_ASSIGNED: Final = re.compile(
    rf"""^([^#\n]*?\b(?:{"|".join(sorted(_SECRETS))})\s*=\s*)"""
    r"""((?!"{3}|'{3})(?:"(?:[^"\\\n]|\\.)*"|'[^'\n]*'))""",
    re.MULTILINE,
)


def _secrets(node: Any) -> Iterator[tuple[Any, str, str]]:
    """Yield each secret that is set, as its table, its name and its value."""
    if isinstance(node, AoT | Array | list):
        for one in node:
            yield from _secrets(one)
    elif isinstance(node, Mapping):
        for name, value in node.items():
            if not isinstance(value, str):
                yield from _secrets(value)
            elif value and name in _SECRETS:
                yield node, name, str(value)


def masked(text: str, known: frozenset[str] | None = None) -> str:
    """Return a text with its secrets masked, those in remarks too.

    Args:
        text: A TOML text that parses.
        known: The secrets of the text it is compared with; others are marked as changed. Nothing
            where it is not compared.
    """

    def mask(value: str) -> str:
        return value if not value else MASK if known is None or value in known else NEW

    def line(found: re.Match[str]) -> str:
        value = mask(str(tomllib.loads(f"value = {found[2]}")["value"]))
        return f'{found[1]}"{value}"'

    by_line = _REMARK.sub(rf'\1"{MASK}"', _ASSIGNED.sub(line, text))
    with suppress(tomllib.TOMLDecodeError):  # such as of a remark that only looks like a secret
        if secrets_in(by_line) <= {MASK, NEW}:
            return by_line
    document = tomlkit.parse(text)  # secrets in many lines, or in none of an usual form
    for table, name, value in list(_secrets(document)):
        table[name] = mask(value)
    return _REMARK.sub(rf'\1"{MASK}"', document.as_string())


def secrets_in(text: str) -> frozenset[str]:
    """Return the secrets that a TOML text holds."""
    return frozenset(value for _, _, value in _secrets(tomllib.loads(text)))


def text_diff(old: str, new: str, name: str) -> str:
    """Return the unified difference of two TOML texts, secrets masked.

    Args:
        old: The text before.
        new: The text after.
        name: The file's name as shown.
    """
    known = secrets_in(old)
    lines = difflib.unified_diff(
        masked(old).splitlines(keepends=True),
        masked(new, known).splitlines(keepends=True),
        name,
        f"{name} (edited)",
    )
    return "".join(line if line.endswith("\n") else f"{line}\n" for line in lines)
