"""The root errors: one class for each thing a caller can do about a failure.

Expected outcomes (a challenge, not found, busy, bad credentials) are values, never errors.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


class CentrexError(Exception):
    """The root of everything Centrex raises on purpose."""


class PeerError(CentrexError):
    """The far side broke a rule; `status` is the answer it has earned.

    Args:
        what: What is wrong, in words an operator understands.
        rule: The rule broken, such as "RFC 3261 §20.16".
        status: The SIP status code owed (400 unless the rule says otherwise).
    """

    def __init__(self, what: str, *, rule: str, status: int = 400) -> None:
        super().__init__(f"{what} ({rule})")
        self.what, self.rule, self.status = what, rule, status


class LocalError(CentrexError):
    """We broke a rule ourselves: a bug. Answered 500, and loud."""


class Unavailable(CentrexError):
    """A store, a name server or a relay cannot be had now; a later try may do. Answered 503."""


class Refused(CentrexError):
    """A running instance understood a command, and will not or cannot obey it.

    Args:
        code: `not-found`, `refused`, `invalid`, `conflict`, `unavailable` or `internal`.
        message: Why, in words.
        detail: What else it said, such as `nearest` or `problems`.
    """

    def __init__(self, code: str, message: str, detail: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.code, self.message, self.detail = code, message, dict(detail or {})


class PluginError(CentrexError):
    """A plug-in failed; contained and counted, never fatal."""

    def __init__(self, plugin: str, hook: str, why: str) -> None:
        super().__init__(f"plug-in {plugin}, {hook}: {why}")
        self.plugin, self.hook = plugin, hook


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing wrong with a configuration."""

    file: str
    """The file it stands in, or the option (`--set`) it came by."""
    key: str
    """The dotted key, such as `registrar.min_expires`."""
    message: str
    """What is wrong, in words."""
    nearest: str = ""
    """The known key or value closest to an unknown one, or nothing."""
    line: int = 0
    """The line in the file, from 1; 0 where unknown."""

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}" if self.line else self.file
        hint = f" (did you mean {self.nearest}?)" if self.nearest else ""
        return f"{where}: {self.key}: {self.message}{hint}"


class ConfigError(CentrexError):
    """A configuration cannot be used; holds all its problems, not only the first."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems
