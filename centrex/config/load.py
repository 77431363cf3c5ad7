"""From TOML text and `--set` options to a `Config`, or to all problems at once.

Relative file names count from the folder of the configuration file (those of a `--set` from the
current folder). It opens the configuration file only, and never writes.
"""

import copy
import itertools
import json
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from centrex.base import ConfigError, Problem
from centrex.config import checks
from centrex.config.keys import Key, catalogue, find, nearest_key, split, tables
from centrex.config.keys import Path as KeyPath
from centrex.config.model import Config
from centrex.config.problems import Blame, from_syntax, from_validation, nowhere
from centrex.config.values import origins


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """A configuration that may be used, and what is to be said about it."""

    config: Config
    origins: Mapping[str, str]
    """For each dotted key `default`, `file` or `--set`."""
    warnings: tuple[Problem, ...]
    """What works but is hardly meant so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigSource:
    """Where a configuration comes from, so that it can be read again on reload."""

    path: Path
    overrides: tuple[str, ...] = ()
    """`key=value` texts of `--set`, later ones winning."""
    notes: tuple[str, ...] = ()
    """What was done to the file before it was read, for whoever starts with it to tell."""

    def read(self) -> Loaded:
        """Read file and overrides.

        Raises:
            ConfigError: With every problem found.
        """
        loaded = load_text(read_text(self.path), file=self.path, overrides=self.overrides)
        config = loaded.config
        held = [
            what
            for what, there in (
                ("password hashes", config.auth.credentials),
                ("media.secret", config.media.secret.get_secret_value()),
            )
            if there
        ]
        if not held or not self.path.stat().st_mode & 0o077:
            return loaded
        what = " and ".join(held)
        message = f"holds {what} that others on this machine can read; chmod 600"
        return replace(loaded, warnings=(*loaded.warnings, nowhere(str(self.path), message)))

    def load(self) -> Config:
        """Read the configuration alone. Raises `ConfigError` with every problem found."""
        return self.read().config

    def provenance(self) -> Mapping[str, str]:
        """Return `default`, `file` or `--set` for each dotted key. Raises `ConfigError`."""
        return self.read().origins


def read_text(path: Path) -> str:
    """Read a configuration file's text. Raises `ConfigError` where that cannot be done."""
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        why = "does not exist; `centrex init` writes a secure one"
    except UnicodeDecodeError:
        why = "is not UTF-8 text"
    except OSError as error:
        why = f"cannot be read: {error.strerror}"
    raise ConfigError((nowhere(str(path), why),))


def parse_value(key: Key, text: str) -> Any:
    """Read a value as typed at a prompt: TOML, or bare text where the key holds text.

    A list may be written with commas instead of brackets; times of a plan, which have commas of their
    own, with `;`. What does not fit is returned as text, for the validation to complain about.
    """
    stripped = text.strip()
    if key.kind in ("text", "secret") and stripped[:1] not in ("'", '"'):
        return text
    if key.kind == "list" and stripped[:1] not in ("[", "'", '"'):
        mark = ";" if key.name.endswith(".times") else ","
        return [part.strip() for part in stripped.split(mark) if part.strip()]
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def put(data: dict[str, Any], path: KeyPath, value: Any) -> bool:
    """Set a value deep inside parsed TOML; false where a list has no such row."""
    node: Any = data
    for part, following in itertools.pairwise(path):
        if isinstance(part, int):
            if not isinstance(node, list) or part >= len(node):
                return False
            node = node[part]
        elif isinstance(node, dict):
            node = node.setdefault(part, [] if isinstance(following, int) else {})
        else:
            return False
    last = path[-1]
    if isinstance(last, str) and isinstance(node, dict):
        node[last] = value
        return True
    return False


def apply_override(data: dict[str, Any], text: str) -> tuple[str, Problem | None]:
    """Apply one `key=value`; return the key set, or what is wrong with it."""
    dotted, equals, value = text.partition("=")
    dotted = dotted.strip()

    def refuse(message: str, nearest: str = "") -> tuple[str, Problem]:
        return dotted, Problem(file="--set", key=dotted, message=message, nearest=nearest)

    if not equals:
        return refuse("needs a value, as in --set network.port=5070")
    if dotted in tables():
        return refuse("is a table; set one of its keys")
    key, path = find(dotted), split(dotted)
    if key is None or not path:
        return refuse("unknown key", nearest_key(dotted))
    parsed = parse_value(key, value)
    if key.form in ("file", "folder") and isinstance(parsed, str) and parsed:
        parsed = str(Path.cwd() / Path(parsed).expanduser())
    return (dotted, None) if put(data, path, parsed) else refuse("there is no such row")


def _anchor(data: dict[str, Any], folder: Path) -> None:
    """Make relative file names count from the configuration's folder."""
    for name, key in catalogue().items():
        if key.form not in ("file", "folder") or "[]" in name:
            continue
        table, _, leaf = name.rpartition(".")
        node: Any = data
        for part in table.split("."):
            node = node.get(part) if isinstance(node, dict) else None
        if isinstance(node, dict) and isinstance(node.get(leaf), str) and node[leaf]:
            node[leaf] = str(folder / Path(node[leaf]).expanduser())


def _validate(data: Mapping[str, Any]) -> Config:
    """Validate strictly (no `"5060"` for a number), with lists and tables as TOML has them."""
    return Config.model_validate_json(json.dumps(data, default=str), strict=True)


def load_text(
    text: str, *, file: Path, overrides: Sequence[str] = (), files_may_lack: bool = False
) -> Loaded:
    """Check a configuration's text.

    Args:
        text: The TOML text.
        file: The file it stands in or will stand in: named in problems, and relative file names
            count from its folder.
        overrides: `key=value` texts of `--set`.
        files_may_lack: Whether files that this machine has not got are warnings only.

    Raises:
        ConfigError: With every problem found, in the order of the models.
    """
    name = str(file)
    try:
        written = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError((from_syntax(error, name, text),)) from None
    data = copy.deepcopy(written)
    _anchor(data, file.absolute().parent)
    applied = [apply_override(data, override) for override in overrides]
    problems = [problem for _, problem in applied if problem is not None]
    overridden = [key for key, problem in applied if problem is None]
    blame = Blame(name, text, overridden)
    config = _checked(data, blame, problems, files_may_lack=files_may_lack)
    lacking = checks.missing(config) if files_may_lack else ()
    return Loaded(
        config=config,
        origins=origins(config, written, overridden),
        warnings=tuple(_blamed((*lacking, *checks.warnings(config)), blame)),
    )


def _blamed(findings: Iterable[checks.Finding], blame: Blame) -> Iterable[Problem]:
    return (blame.problem(key, split(key), message) for key, message in findings)


def _checked(
    data: Mapping[str, Any], blame: Blame, problems: list[Problem], *, files_may_lack: bool
) -> Config:
    try:
        config = _validate(data)
    except ValidationError as error:
        raise ConfigError((*problems, *from_validation(error, blame))) from None
    lacking = () if files_may_lack else checks.missing(config)
    problems.extend(_blamed((*checks.errors(config), *lacking), blame))
    if problems:
        raise ConfigError(tuple(problems))
    return config
