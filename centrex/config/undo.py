"""A change of a configuration taken out of a file that somebody else has edited since.

Keys of the change get back what they had; whatever else was edited stays, remarks too. Where the
edit since touches what the change touched, nothing is undone and the keys are named. It knows TOML,
not what the keys mean, and opens no file.
"""

import difflib
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

from tomlkit.exceptions import TOMLKitError

from centrex.base import CentrexError, ConfigError
from centrex.config.changes import settled
from centrex.config.edit import Document
from centrex.config.keys import Path as KeyPath
from centrex.config.keys import join

_T = TypeVar("_T")
_NONE: Final = object()


class Entangled(CentrexError):
    """An edit since touches what is to be undone.

    Args:
        where: The keys, or in words why it cannot be told which.
    """

    def __init__(self, where: Sequence[str]) -> None:
        super().__init__(", ".join(where))


def without(former: str, made: str, found: str) -> str:
    """Return a file's text without a change of it.

    Args:
        former: The text before the change.
        made: The text with it.
        found: The text there is now.

    Raises:
        Entangled: They cannot be told apart.
    """
    try:
        before, change, now = (tomllib.loads(text) for text in (former, made, found))
    except tomllib.TOMLDecodeError:
        raise Entangled(["the file cannot be read as it is"]) from None
    torn: list[str] = []
    wanted = _undone(before, change, now, (), torn)
    if torn:
        raise Entangled(torn)
    for text in _texts(former, made, found, wanted):
        if settled(tomllib.loads(text)) == settled(wanted):
            return text
    raise Entangled(["the same lines"])


def _texts(former: str, made: str, found: str, wanted: Mapping[str, Any]) -> Iterator[str]:
    """Yield texts that may say what is wanted, the one that keeps most as it was first."""
    lines = merged(*(text.splitlines(keepends=True) for text in (made, former, found)))
    text = "".join(lines or ())
    if lines is not None and _parses(text):
        yield text
    try:
        document = Document(Path(), found)
        for path, value in list(_differences(tomllib.loads(found), wanted, ())):
            if value is _NONE:
                document.unset(path)
            else:
                document.set(path, value)
        text = document.text
    except (KeyError, IndexError, TypeError, TOMLKitError, ConfigError):
        return
    if _parses(text):
        yield text


def _parses(text: str) -> bool:
    try:
        tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return False
    return True


def _undone(before: Any, change: Any, now: Any, at: KeyPath, torn: list[str]) -> Any:
    """Return what is to be said now; keys at which that is not clear go into `torn`."""
    if _same(before, change):
        return now
    if _same(now, change):
        return before
    kinds = (before, change, now)
    if all(isinstance(one, Mapping) for one in kinds):
        said = {}
        for name in dict.fromkeys([*now, *before]):
            was, made, found = (one.get(name, _NONE) for one in kinds)
            said[name] = _undone(was, made, found, (*at, name), torn)
        return {name: value for name, value in said.items() if value is not _NONE}
    if all(_is_rows(one) for one in kinds):
        rows = merged(change, before, now)
        if rows is not None:
            return rows
    torn.append(join(at))
    return now


def _same(one: Any, other: Any) -> bool:
    return type(one) is type(other) and repr(one) == repr(other)


def _is_rows(value: Any) -> bool:
    return value is not _NONE and isinstance(value, list) and all(
        isinstance(row, Mapping) for row in value
    )  # fmt: skip


def _differences(now: Mapping[str, Any], wanted: Mapping[str, Any], at: KeyPath) -> Iterator[Any]:
    for name in dict.fromkeys([*now, *wanted]):
        one, other = now.get(name, _NONE), wanted.get(name, _NONE)
        if isinstance(one, Mapping) and isinstance(other, Mapping):
            yield from _differences(one, other, (*at, name))
        elif not _same(one, other):
            yield (*at, name), other


def merged(base: Sequence[_T], one: Sequence[_T], other: Sequence[_T]) -> list[_T] | None:
    """Return a sequence with what two others do otherwise than it; None where they collide."""
    said: list[_T] = []
    at = 0
    last: tuple[int, int, list[_T]] | None = None
    for hunk in sorted([*_hunks(base, one), *_hunks(base, other)], key=lambda hunk: hunk[:2]):
        start, end, fresh = hunk
        if hunk == last:
            continue  # both do the same
        if start < at or (last is not None and _unclear(last, hunk)):
            return None
        said += [*base[at:start], *fresh]
        at, last = end, hunk
    return [*said, *base[at:]]


def _unclear(hunk: tuple[int, int, list[_T]], following: tuple[int, int, list[_T]]) -> bool:
    """Whether what is put in by two could stand in either order."""
    if hunk[1] != following[0] or not (hunk[2] and following[2]):
        return False
    put_in, other = (hunk, following) if hunk[0] == hunk[1] else (following, hunk)
    return put_in[0] == put_in[1] and other[1] - other[0] != len(other[2])


def _hunks(base: Sequence[_T], other: Sequence[_T]) -> Iterator[tuple[int, int, list[_T]]]:
    """Yield from where to where the base reads otherwise, and how."""
    keys, others = ([repr(one) for one in sequence] for sequence in (base, other))
    matcher = difflib.SequenceMatcher(None, keys, others, autojunk=False)
    for tag, start, end, first, past in matcher.get_opcodes():
        if tag == "replace" and end - start == past - first:
            for step in range(end - start):  # one for one
                yield start + step, start + step + 1, [other[first + step]]
        elif tag != "equal":
            yield start, end, list(other[first:past])
