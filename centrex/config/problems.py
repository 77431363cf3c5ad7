"""What is wrong with a configuration, put into words an operator can act upon.

It translates what pydantic found; it never shows the value of a secret.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Final

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from centrex.base import Problem
from centrex.config.keys import Path, find, join, nearest_choice, nearest_key, tables
from centrex.config.lines import Lines

_UNION: Final = frozenset({"str", "Step", "Rtpengine"})
"""What an item of a list may be: text, or one of these tables; pydantic names it in a place."""
_WORDS: Final[Mapping[str, str]] = {
    "missing": "is required",
    "int_type": "must be a whole number, without quotes",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "bool_type": "must be true or false",
    "string_type": "must be text in quotes",
    "tuple_type": "must be a list in brackets",
    "model_type": "must be a table",
    "dict_type": "must be a table",
    "string_too_short": "must not be empty",
    "too_short": "must not be empty",
}


class Blame:
    """Finds out where a key came from: the file and its line, or a `--set`.

    Args:
        file: The file's name as shown.
        text: The file's text, for line numbers.
        overridden: The dotted keys set by `--set`.
    """

    __slots__ = ("_file", "_lines", "_overridden")

    def __init__(self, file: str, text: str, overridden: Iterable[str] = ()) -> None:
        self._file, self._lines = file, Lines(text)
        self._overridden = frozenset(overridden)

    def problem(self, key: str, path: Path, message: str, nearest: str = "") -> Problem:
        """Return a problem that names where the key stands."""
        if any(
            key == name or key.startswith((f"{name}.", f"{name}[")) for name in self._overridden
        ):
            return Problem(file="--set", key=key, message=message, nearest=nearest)
        line = self._lines.of(path)
        return Problem(file=self._file, key=key, message=message, nearest=nearest, line=line)


def _at_least(error: ErrorDetails, dotted: str) -> str:
    return f"must be at least {error['ctx']['ge']}{_unit(dotted)}"


def _at_most(error: ErrorDetails, dotted: str) -> str:
    return f"must be at most {error['ctx']['le']}{_unit(dotted)}"


def _too_long(error: ErrorDetails, _dotted: str) -> str:
    return f"must be at most {error['ctx']['max_length']} characters"


def _own_words(error: ErrorDetails, _dotted: str) -> str:
    return str(error["ctx"]["error"])


def _wrong_form(_error: ErrorDetails, dotted: str) -> str:
    key = find(dotted) or find(dotted.rpartition("[")[0])
    return f"has not the right form: {key.description}" if key else "has not the right form"


def _no_choice(error: ErrorDetails, _dotted: str) -> str:
    return f"{error['input']!r} is none of {error['ctx']['expected']}"


_PHRASES: Final[Mapping[str, Callable[[ErrorDetails, str], str]]] = {
    "greater_than_equal": _at_least,
    "less_than_equal": _at_most,
    "string_too_long": _too_long,
    "value_error": _own_words,
    "string_pattern_mismatch": _wrong_form,
    "literal_error": _no_choice,
}


def _unit(dotted: str) -> str:
    key = find(dotted)
    return f" {key.unit}" if key and key.unit else ""


def _is_echo(error: ErrorDetails, locations: frozenset[Path]) -> bool:
    """Tell a second complaint about what another one says better."""
    location = error["loc"]
    if error["type"] == "too_short":
        return any(other[:-1] == location for other in locations if other)
    if location[-1:] == ("str",):
        return isinstance(error["input"], dict)
    return location[-1:] in {(name,) for name in _UNION} and error["type"] == "model_type"


def _describe(error: ErrorDetails, dotted: str) -> tuple[str, str]:
    """Return the message and the nearest known name or value."""
    kind = error["type"]
    if kind == "extra_forbidden":
        what = "table" if isinstance(error["input"], dict) else "key"
        return f"unknown {what}", nearest_key(dotted)
    if kind == "literal_error":
        key = find(dotted) or find(dotted.rpartition("[")[0])
        choices = key.choices if key else ()
        return _no_choice(error, dotted), nearest_choice(str(error["input"]), choices)
    if phrase := _PHRASES.get(kind):
        return phrase(error, dotted), ""
    return _WORDS.get(kind, error["msg"]), ""


def from_validation(
    failure: ValidationError, blame: Blame, *, under: Path = ()
) -> tuple[Problem, ...]:
    """Translate everything pydantic found, in the order of the models.

    Args:
        failure: What it found.
        blame: Where keys came from.
        under: Where what was judged stands, if it is not a whole configuration.
    """
    errors = failure.errors(include_url=False)
    locations = frozenset(error["loc"] for error in errors)
    found: list[Problem] = []
    for error in errors:
        if _is_echo(error, locations):
            continue
        location = error["loc"]
        path = tuple(
            part
            for index, part in enumerate(location)
            if not (part in _UNION and index and isinstance(location[index - 1], int))
        )
        path = (*under, *path)
        dotted = join(path)
        if error["type"] == "missing" and dotted in tables():
            path, dotted = (*path, "domain"), f"{dotted}.domain"
        message, nearest = _describe(error, dotted)
        found.append(blame.problem(dotted, path, message, nearest))
    return tuple(found)


def from_syntax(failure: Exception, file: str, text: str) -> Problem:
    """Translate a TOML syntax error, with its line where the parser tells it."""
    message = str(failure)
    line = 0
    if "(at line " in message:
        message, _, rest = message.partition(" (at line ")
        line = int(rest.split(",")[0])
    elif "at end of document" in message:
        line = len(text.splitlines())
    message = message[:1].lower() + message[1:]
    return Problem(file=file, key="TOML", message=f"cannot be read: {message}", line=line)


def nowhere(file: str, message: str) -> Problem:
    """Return the problem of a file that cannot be read at all."""
    return Problem(file=file, key="(file)", message=message)
