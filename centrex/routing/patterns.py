"""Regular expressions that nobody can hang the server with: RE2, linear in the number's length.

What RE2 cannot express is refused with a reason and a hint.
"""

import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, Final, TypeAlias

import re2

LONGEST: Final = 1000
"""Characters of the longest pattern."""
_MEMORY: Final = 8 << 20
_Parts: TypeAlias = tuple[tuple[int, Callable[[str], Sequence[int] | None]], ...]
_HINTS: Final = (
    (
        re.compile(r"\(\?<?[=!]"),
        "look-ahead and look-behind are not there: list what may match, or order the plans",
    ),
    (re.compile(r"\\[1-9]|\(\?P="), "a group cannot be referred to in its own pattern"),
    (re.compile(r"[*+?}]\+"), "possessive quantifiers are not there; plain ones do"),
    (re.compile(r"\(\?>"), "atomic groups are not there; plain ones do"),
    (re.compile(r"\(\?\("), "conditions are not there: write two plans"),
)


class NotRe2(ValueError):
    """A pattern that cannot be used; the text says why, and what to do."""


def _options() -> Any:
    options = re2.Options()
    options.log_errors = False
    options.max_mem = _MEMORY
    return options


@lru_cache(4096)
def compile_pattern(text: str) -> Any:
    """Return a compiled pattern, with `fullmatch` and `groups`.

    Raises:
        NotRe2: RE2 cannot express it.
    """
    if len(text) > LONGEST:
        raise NotRe2(f"is longer than {LONGEST} characters")
    try:
        return re2.compile(text, _options())
    except re2.error as error:
        raw = error.args[0] if error.args else b""
        why = raw.decode("utf-8", "replace") if isinstance(raw, bytes) else str(raw)
        hint = next((words for form, words in _HINTS if form.search(text)), "")
        raise NotRe2(f"is no pattern of RE2: {why}" + (f" ({hint})" if hint else "")) from None


class PatternSet:
    """Many patterns, of which one look tells all that match the whole of a text.

    What is too much for one set of RE2 stands in several, and takes a look at each.

    Args:
        patterns: Patterns that `compile_pattern` takes.
    """

    def __init__(self, patterns: Sequence[str]) -> None:
        self._parts = _parts(tuple(patterns))

    def matching(self, text: str) -> list[int]:
        """Return which patterns match, in their order."""
        found: list[int] = []
        for first, matches in self._parts:
            found += [first + index for index in matches(text) or ()]
        found.sort()
        return found


@lru_cache(16)
def _parts(patterns: tuple[str, ...]) -> _Parts:
    """Return what looks for patterns, some at a time, each with the number of its first one."""
    if not patterns:
        return ()
    part = re2.Set.FullMatchSet(_options())
    try:
        for text in patterns:
            part.Add(text)
        part.Compile()
    except re2.error:
        half = len(patterns) // 2
        if not half:
            alone = compile_pattern(patterns[0])
            return ((0, lambda text: [0] if alone.fullmatch(text) else []),)
        rest = tuple((half + first, matches) for first, matches in _parts(patterns[half:]))
        return _parts(patterns[:half]) + rest
    return ((0, part.Match),)
