"""A configuration opened for editing, changes looked at before they are made, and made.

Everything is compared with what the editor saw: who comes second is told. A text is only ever saved
if it loads, and if it says exactly what was asked for. Whoever runs an instance reloads it.
"""

import tomllib
from collections.abc import Collection, Iterable, Iterator, Mapping, Set
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tomlkit.exceptions import TOMLKitError

from centrex.base import ConfigError, Problem
from centrex.config import htdigest, pending
from centrex.config.changes import (
    AddRow,
    Edit,
    SetKey,
    SetPassword,
    Step,
    UpdateRow,
    Wrong,
    as_row,
    settled,
    shown_in_map,
)
from centrex.config.changes import held as rows_of
from centrex.config.changes import read as read_changes
from centrex.config.changes import steps as steps_of
from centrex.config.diff import Change, diff
from centrex.config.edit import Changed, Document, fingerprint_of
from centrex.config.keys import catalogue, find
from centrex.config.load import ConfigSource, Loaded, load_text, read_text
from centrex.config.masked import text_diff
from centrex.config.model import Config
from centrex.config.users import generate_password, ha1
from centrex.config.values import MASK

_OVERRULED = "overruled by --set on the command line: counts once the instance starts without it"


def opened(source: ConfigSource, running: Config | None = None) -> dict[str, Any]:
    """Return a configuration as an editor starts from it: values as written, or their defaults.

    Args:
        source: The configuration.
        running: What is in force, where an instance runs; what differs from it is told, too.

    Raises:
        ConfigError: It cannot be read, or not be used as it is.
    """
    text = read_text(source.path)
    loaded = load_text(text, file=source.path, overrides=source.overrides)
    return {
        "file": str(source.path),
        "fingerprint": fingerprint_of(text),
        "values": _values(tomllib.loads(text)),
        "origins": {key: origin for key, origin in loaded.origins.items() if "[" not in key},
        "warnings": [_problem(one) for one in loaded.warnings],
        "in_force": _in_force(running, loaded.config) if running else {},
    }


def _in_force(running: Config, written: Config) -> dict[str, Any]:
    """Return what runs otherwise than the file says: by key, a list of rows with nothing."""
    told: dict[str, Any] = {}
    for change in diff(running, written) if running != written else ():
        rows, bracket, _ = change.key.partition("[")
        told[rows] = None if bracket else change.old
    return told


def _values(written: Mapping[str, Any]) -> dict[str, Any]:
    """Return every table's values, secrets masked; rows with the keys they do not set, too."""
    values: dict[str, Any] = {}
    for name, key in catalogue().items():
        if "[]" in name:
            continue
        table, leaf = values, name.rpartition(".")[2]
        for part in name.split(".")[:-1]:
            table = table.setdefault(part, {})
        found = _at(written, name)
        if key.has_rows:
            table[leaf] = [_row(name, as_row(name, row)) for row in found or ()]
        else:
            table[leaf] = key.default if found is None else _shown(name, found)
    return values


def _row(rows: str, row: Mapping[str, Any]) -> dict[str, Any]:
    columns = [one for one in catalogue().values() if one.name.startswith(f"{rows}[].")]
    told = {}
    for column in columns:
        leaf = column.name.rpartition(".")[2]
        told[leaf] = _shown(column.name, row[leaf]) if leaf in row else column.default
    return told


def _at(data: Mapping[str, Any], dotted: str) -> Any:
    node: Any = data
    for part in dotted.split("."):
        node = node.get(part) if isinstance(node, Mapping) else None
    return node


def _shown(name: str, value: Any) -> Any:
    key = catalogue()[name]
    if key.kind == "secret":
        return MASK if value else ""
    if key.kind == "map":
        return shown_in_map(value)
    if key.kind == "list" and isinstance(value, str):
        return [value]  # one text may stand for a list of one
    return value


def _problem(problem: Problem) -> dict[str, Any]:
    return {
        "file": problem.file,
        "key": problem.key,
        "message": problem.message,
        "nearest": problem.nearest,
        "line": problem.line,
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Reviewed:
    """Changes that were tried on a configuration; nothing has been written."""

    document: Document
    """The file with the changes made."""
    before: Loaded
    after: Loaded | None
    """What it would be; nothing where there are problems."""
    problems: tuple[Problem, ...]
    passwords: Mapping[str, str]
    """The passwords made up, in clear, by login: shown once and stored nowhere."""
    overruled: tuple[SetKey, ...]
    """Keys that were set though a `--set` overrules them."""

    @property
    def changes(self) -> tuple[Change, ...]:
        """What would differ."""
        return diff(self.before.config, self.after.config) if self.after else ()

    def told(self, running: Config | None = None, waiting: Collection[str] = ()) -> dict[str, Any]:
        """Return what an editor is shown before applying; no password is in it.

        Args:
            running: What is in force, where an instance runs.
            waiting: Keys that are known to wait for its restart.
        """
        known = {(one.key, one.message) for one in self.before.warnings}
        own = self.changes
        forced = own
        if running and self.after and running != self.before.config:
            forced = diff(running, self.after.config)
        name = self.document.path.name
        return {
            "fingerprint": self.document.fingerprint,
            "diff": text_diff(self.document.original, self.document.text, name),
            "effects": list(self._effects(own, {one.key: one for one in forced})),
            "also": list(_also(own, forced, waiting)),
            "problems": [_problem(one) for one in self.problems],
            "warnings": [
                {**_problem(one), "fresh": (one.key, one.message) not in known}
                for one in (self.after.warnings if self.after else ())
            ],
        }

    def _effects(
        self, own: Iterable[Change], forced: Mapping[str, Change]
    ) -> Iterator[dict[str, Any]]:
        for change in own:
            now = forced.get(change.key)
            told = _effect(change)
            if now is None:
                yield {**told, "words": "is in force already", "effect": "live"}
            else:
                yield {**told, "in_force": now.old} if now.old != change.old else told
        for edit in self.overruled:
            known = find(edit.key)
            hidden = known is not None and known.kind == "secret"
            yield {
                "key": edit.key,
                "old": None,
                "new": MASK if hidden else edit.value,
                "effect": "restart",
                "words": _OVERRULED,
            }

    def save(self) -> str:
        """Write the file, whole or not at all, and return its new fingerprint.

        Raises:
            ConfigError: There are problems.
            Changed: Somebody else has written it meanwhile.
            OSError: It cannot be written.
        """
        if self.problems:
            raise ConfigError(self.problems)
        if self.document.text != self.document.original:
            self.document.save()
        return self.document.fingerprint


def _also(
    own: Iterable[Change], forced: Iterable[Change], waiting: Collection[str]
) -> Iterator[dict[str, Any]]:
    """Yield what others wrote into the file before and nobody has taken over yet."""
    known = {change.key for change in own}.union(waiting)
    return (_effect(change) for change in forced if change.key not in known)


def _effect(change: Change) -> dict[str, Any]:
    return {
        "key": change.key,
        "old": change.old,
        "new": change.new,
        "effect": change.effect,
        "words": change.calls,
    }


def review(source: ConfigSource, fingerprint: str, changes: object) -> Reviewed:
    """Try changes on a configuration.

    Args:
        source: The configuration.
        fingerprint: Of the file the editor saw; empty for whatever it is now.
        changes: A list of changes as plain data: `{"op": "set", "key": …, "value": …}` and so on.

    Raises:
        ConfigError: The file cannot be used as it is, or a change has no sound form.
        Changed: It is not what the editor saw.
    """
    document = Document(source.path)
    if fingerprint and fingerprint != document.fingerprint:
        raise Changed(source.path, document.fingerprint)
    before = load_text(document.text, file=source.path, overrides=source.overrides)
    edits = read_changes(changes)
    data = tomllib.loads(document.text)
    problems = list(_make(document, data, [one for one in edits if not _is_password(one)]))
    passwords: dict[str, str] = {}
    wanted = [one for one in edits if isinstance(one, SetPassword)]
    if wanted and not problems:
        config, problems = _tried(document, source)
        if config:
            own = {row.login for row in before.config.auth.credentials}
            rows = list(_with_hashes(wanted, config.config, data, passwords, problems, own))
            problems += _make(document, data, rows)
    problems += _nameless(tomllib.loads(document.original), data, str(source.path))
    after: Loaded | None = None
    if not problems:
        after, problems = _tried(document, source)
    return Reviewed(
        document=document,
        before=before,
        after=after,
        problems=tuple(problems),
        passwords=passwords,
        overruled=tuple(
            one
            for one in edits
            if isinstance(one, SetKey) and before.origins.get(one.key) == "--set"
        ),
    )


def _is_password(edit: Edit) -> bool:
    return isinstance(edit, SetPassword)


def _tried(document: Document, source: ConfigSource) -> tuple[Loaded | None, list[Problem]]:
    try:
        return load_text(document.text, file=source.path, overrides=source.overrides), []
    except ConfigError as error:
        return None, list(error.problems)


def _make(document: Document, data: dict[str, Any], edits: list[Edit]) -> Iterator[Problem]:
    """Make edits in a document and in its data alike; yield what is wrong with them.

    Raises:
        ConfigError: The document then says something else than the data, so that it is no good.
    """
    for edit in edits:
        try:
            for step in list(steps_of(edit, data)):
                _take(step, document, data)
        except Wrong as error:
            yield error.problem
    try:
        said = tomllib.loads(document.text)
    except tomllib.TOMLDecodeError as error:
        raise _uneditable(document) from error
    if settled(said) != settled(data):
        raise _uneditable(document)


def _take(step: Step, document: Document, data: dict[str, Any]) -> None:
    try:
        step.on_document(document)
    except (KeyError, IndexError, TOMLKitError) as error:
        raise _uneditable(document) from error
    step.on_data(data)


def _uneditable(document: Document) -> ConfigError:
    message = "is laid out in a way that cannot be edited safely; change it by hand"
    return ConfigError((Problem(file=str(document.path), key="(file)", message=message),))


def _with_hashes(
    wanted: list[SetPassword],
    config: Config,
    data: Mapping[str, Any],
    passwords: dict[str, str],
    problems: list[Problem],
    own: Set[str],
) -> Iterator[Edit]:
    """Turn passwords into rows of hashes; those made up go into `passwords`.

    A login that is not among our `own`, as the file was, must not be one of the credentials file.
    """
    logins = [row.get("login") for row in rows_of(data, "auth.credentials")]
    filed = _filed(config, [one.login for one in wanted if one.login not in own])
    for one in wanted:
        if one.login in filed:
            key = "auth.credentials_file"
            message = f"{one.login!r} stands in this file; `centrex user passwd {one.login}`"
            problems.append(Problem(file=config.auth.credentials_file, key=key, message=message))
            continue
        password = one.password
        if password is None:
            password = passwords[one.login] = generate_password()
        md5, sha256 = ha1(one.login, config.realm, password)
        value: dict[str, Any] = {"ha1_md5": md5, "ha1_sha256": sha256}
        if one.users is not None:
            value["users"] = list(one.users)
        if one.login in logins:
            index = logins.index(one.login)
            yield UpdateRow(rows="auth.credentials", index=index, value=value)
        else:
            row = {"login": one.login, **value}
            logins.append(one.login)
            yield AddRow(rows="auth.credentials", at=None, value=row)


def _nameless(before: Mapping[str, Any], after: Mapping[str, Any], file: str) -> Iterator[Problem]:
    """Yield logins that would have the hashes of another one, which no password fits any more."""
    names: dict[tuple[Any, Any], set[Any]] = {}
    for row in rows_of(before, "auth.credentials"):
        names.setdefault(_hashes(row), set()).add(row.get("login"))
    for index, row in enumerate(rows_of(after, "auth.credentials")):
        known = names.get(_hashes(row), set())
        if any(_hashes(row)) and known and row.get("login") not in known:
            message = (
                f"{row.get('login')} needs a password of its own: that of "
                f"{', '.join(map(str, known))} holds for that login only"
            )
            key = f"auth.credentials[{index}].login"
            yield Problem(file=file, key=key, message=message)


def _hashes(row: Mapping[str, Any]) -> tuple[Any, Any]:
    return row.get("ha1_md5"), row.get("ha1_sha256")


def _filed(config: Config, logins: list[str]) -> frozenset[str]:
    """Return which of some logins stand in the credentials file."""
    file = config.auth.credentials_file
    if not file or not logins:
        return frozenset()
    found, _ = htdigest.logins(Path(file), config.realm)
    return frozenset(logins) & found.keys()


def apply(source: ConfigSource, fingerprint: str, changes: object) -> dict[str, Any]:
    """Make changes in a file that no instance of this process uses.

    Args:
        source: The configuration.
        fingerprint: Of the file the editor saw; empty for whatever it is now.
        changes: A list of changes as plain data.

    Raises:
        ConfigError: With every problem; nothing has changed.
        Changed: The file is not what the editor saw.
        Waiting: A change of it waits to be confirmed.
        OSError: It cannot be written.
    """
    pending.check(source.path)
    reviewed = review(source, fingerprint, changes)
    told = reviewed.told()
    fresh = reviewed.save()
    answer = {"file": str(source.path), "fingerprint": fresh, "changed": told["effects"]}
    return {**answer, "passwords": dict(reviewed.passwords)} if reviewed.passwords else answer


def changed_at(path: Path) -> str:
    """Return when a file was last written, in UTC; nothing where it is gone."""
    try:
        seconds = path.stat().st_mtime
    except OSError:
        return ""
    moment = datetime.fromtimestamp(seconds, UTC)
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")
