"""A backup put back: looked at whole, compared with what is there, then written, all of it or nothing.

Where files go is decided here and never by the archive. What is replaced stays beside the new file
under a name with the date; a list of both is kept until all is done, so that whoever is interrupted
in the middle finds everything as it was at the next start.
"""

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from centrex.auth import Login, parse_htdigest
from centrex.base import ConfigError, Unavailable
from centrex.config import pending
from centrex.config.archive import (
    CONFIG,
    CREDENTIALS,
    MAX_ARCHIVE,
    REGISTRATIONS,
    RELAY,
    Archive,
    BadArchive,
    unpack,
)
from centrex.config.diff import Change, diff, diff_values
from centrex.config.edit import Document, locked
from centrex.config.load import ConfigSource, load_text
from centrex.config.model import Config
from centrex.config.paths import InstancePaths
from centrex.config.relay import relay_of
from centrex.config.values import leaves
from centrex.registrar.image import read as read_image
from centrex.runtime.atomic_file import replace_file
from centrex.runtime.backup import RELAY_FILE, state_of
from centrex.runtime.local_address import is_ours
from centrex.runtime.lock import InstanceLock, is_free

_NO_START: Final = "the server will not start before that is put right"
_OF_THIS_MACHINE: Final = frozenset(
    {"network.tls_certificate", "network.tls_key", "events.file", "auth.credentials_file"}
)
"""Keys that name files which another machine may not have, yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Put:
    """One file that is to be written."""

    name: str
    """Its name in the archive."""
    path: Path
    data: bytes
    former: bytes | None
    """What is there now; nothing where there is no file."""

    @property
    def differs(self) -> bool:
        """Whether anything is to be done."""
        return self.data != self.former


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What restoring a backup would do."""

    archive: Archive
    puts: tuple[Put, ...]
    """The configuration comes last: with it, all of it counts."""
    changes: tuple[Change, ...]
    """What changes in the configuration."""
    words: tuple[str, ...]
    """What changes in all, a line each."""
    remarks: tuple[str, ...]
    """What has to be done besides, and what is left out."""
    running: bool
    """Whether the instance runs."""
    starts: bool
    """Whether a server starts with it here as it is."""

    def told(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {
            "instance": self.archive.instance,
            "version": self.archive.version,
            "made_at": self.archive.made_at,
            "format": self.archive.format,
            "files": [
                {
                    "name": put.name,
                    "path": str(put.path),
                    "does": _does(put),
                }
                for put in self.puts
            ],
            "changed": [
                {
                    "key": change.key,
                    "old": change.old,
                    "new": change.new,
                    "effect": change.effect,
                    "calls": change.calls,
                }
                for change in self.changes
            ],
            "words": list(self.words),
            "remarks": list(self.remarks),
            "running": self.running,
            "starts": self.starts,
        }


def _does(put: Put) -> str:
    return "is new" if put.former is None else "is replaced" if put.differs else "stays as it is"


def read_archive(file: Path) -> Archive:
    """Read a backup from a file.

    Raises:
        BadArchive: It is none, or damaged.
        Unavailable: It cannot be read.
    """
    try:
        with file.open("rb") as opened:  # a pipe or a device does not tell how much it holds
            data = opened.read(MAX_ARCHIVE + 1)
    except OSError as error:
        raise Unavailable(f"cannot read {file}: {error.strerror or error}") from error
    if len(data) > MAX_ARCHIVE:
        raise BadArchive(f"{file} is too large for a backup")
    try:
        return unpack(data)
    except BadArchive as error:
        raise BadArchive(f"{file}: {error}") from error


def recover(paths: InstancePaths, *, dry_run: bool) -> None:
    """Undo an earlier restore that was interrupted, before another one looks at the files.

    Raises:
        Unavailable: It cannot be undone; or nothing may be written, and it would have to be.
    """
    if is_interrupted(paths.config):
        if dry_run:
            raise Unavailable("an earlier restore was interrupted; the next start undoes it")
        take_back(paths.config)


def plan(archive: Archive, paths: InstancePaths) -> Plan:
    """Check all of a backup, and compare it with what is there; nothing is written.

    Args:
        archive: The backup.
        paths: The instance it is restored to, which may be another one on another machine.

    Raises:
        ConfigError: Its configuration cannot be used, with every problem.
        BadArchive: Something else in it cannot.
        Unavailable: A file that is there cannot be read.
    """
    old, why = _present(paths)
    running = _runs(paths)
    remarks: list[str] = [why] if why else []
    text, credentials_path = _configuration(archive, paths, old)
    config, missing = _checked(text, paths.config, credentials_path)
    lacking = [*missing, *_strange(config)]
    remarks += lacking
    remarks += _relocated(archive, text)
    puts: list[Put] = []
    if credentials_path is not None:
        remarks += _check_logins(archive.files[CREDENTIALS], config.realm)
        puts.append(_put(CREDENTIALS, credentials_path, archive.files[CREDENTIALS]))
    if RELAY in archive.files:
        _check_relay(archive.files[RELAY])
        puts.append(_put(RELAY, paths.config.parent / RELAY_FILE, archive.files[RELAY]))
    if REGISTRATIONS in archive.files:
        if running:
            remarks.append(
                "the registrations are left out, since the instance runs and has its own"
            )
        else:
            remarks += _check_registrations(archive.files[REGISTRATIONS])
            puts.append(
                _put(
                    REGISTRATIONS,
                    state_of(paths, config) / "registrations",
                    archive.files[REGISTRATIONS],
                )
            )
    puts.append(_put(CONFIG, paths.config, text.encode()))
    changes = diff(old, config) if old else diff_values({}, leaves(config))
    words = tuple(_words(archive, puts, changes, old, config))
    return Plan(
        archive=archive,
        puts=tuple(puts),
        changes=changes if old else (),
        words=words,
        remarks=tuple(remarks),
        running=running,
        starts=not lacking,
    )


def _present(paths: InstancePaths) -> tuple[Config | None, str]:
    """Return the configuration that is there; nothing where none is, or none that works, and why."""
    try:
        return ConfigSource(path=paths.config).load(), ""
    except ConfigError as error:
        if not paths.config.exists():
            return None, ""
        return None, f"{paths.config} cannot be used, so that nothing is compared with it: {error}"


def _runs(paths: InstancePaths) -> bool:
    return not is_free(paths.lock)


def _configuration(
    archive: Archive, paths: InstancePaths, old: Config | None
) -> tuple[str, Path | None]:
    """Return the configuration's text, and where its credentials file goes.

    That stands beside the configuration, unless the present one names the very same place.
    """
    try:
        text = archive.files[CONFIG].decode()
    except UnicodeDecodeError as error:
        raise BadArchive("the backup's configuration is not UTF-8 text") from error
    if CREDENTIALS not in archive.files:
        return text, None
    folder = paths.config.absolute().parent
    config, _ = _checked(text, paths.config, None)
    named = Path(config.auth.credentials_file)
    if named.parent == folder or (old and str(named) == old.auth.credentials_file):
        return text, named
    name = f"{paths.config.stem}.htdigest"
    document = Document(paths.config, text)
    document.set(("auth", "credentials_file"), name)
    return document.text, folder / name


def _checked(text: str, file: Path, provided: Path | None) -> tuple[Config, list[str]]:
    """Return a configuration, and what of it this machine has not got.

    Raises:
        ConfigError: It could not be used anywhere.
    """
    loaded = load_text(text, file=file, files_may_lack=True)
    return loaded.config, [
        f"{one.key}: {one.message}; {_NO_START}"
        for one in loaded.warnings
        if one.key in _OF_THIS_MACHINE
        and not (one.key == "auth.credentials_file" and provided is not None)
    ]


def _strange(config: Config) -> Iterator[str]:
    for host in config.network.address:
        if not is_ours(host):
            yield f"network.address: {host} is no address of this machine; {_NO_START}"


def _relocated(archive: Archive, text: str) -> Iterator[str]:
    if text.encode() != archive.files[CONFIG]:
        yield "auth.credentials_file: the file is put beside the configuration"


def _check_relay(data: bytes) -> None:
    try:
        relay_of(data.decode(), RELAY_FILE)
    except UnicodeDecodeError as error:
        raise BadArchive("the backup's relay.toml is not UTF-8 text") from error


def _check_logins(data: bytes, realm: str) -> Iterator[str]:
    """Tell what is wrong with the credentials.

    Raises:
        BadArchive: Nothing else is in them.
    """
    found, problems = parse_htdigest(data.splitlines(), realm.encode(), CREDENTIALS)
    if problems and not found and all(one.line for one in problems):
        raise BadArchive(f"the backup's credentials cannot be used: {problems[0].message}")
    yield from map(str, problems)


def _check_registrations(data: bytes) -> Iterator[str]:
    """Tell what is lost of the registrations.

    Raises:
        BadArchive: All of them.
    """
    image = read_image(data.splitlines(keepends=True))
    if not image.known:
        raise BadArchive("the backup's registrations are no recovery file of this version")
    if image.damaged:
        yield f"damaged lines of the registrations: {image.damaged}; the others are used"


def _put(name: str, path: Path, data: bytes) -> Put:
    try:
        former = path.read_bytes()
    except FileNotFoundError:
        former = None
    except OSError as error:
        raise Unavailable(f"cannot read {path}: {error.strerror or error}") from error
    return Put(name=name, path=path, data=data, former=former)


# ------------------------------------------------------------------------------------ in words


def _words(
    archive: Archive,
    puts: Sequence[Put],
    changes: Sequence[Change],
    old: Config | None,
    new: Config,
) -> Iterator[str]:
    made = f"of instance {archive.instance}, made {archive.made_at} by version {archive.version}"
    yield f"a backup {made}"
    for put in puts:
        yield f"{put.path} {_does(put)}"
        if put.name == CREDENTIALS and put.differs:
            yield from _logins_in_words(put, old.realm if old else new.realm, new.realm)
        if put.name == CONFIG and old:
            yield from (_change_in_words(change) for change in changes)


def _change_in_words(change: Change) -> str:
    if change.old is None:
        return f"    {change.key}: {change.new!r} is new"
    if change.new is None:
        return f"    {change.key}: {change.old!r} goes"
    return f"    {change.key}: {change.old!r} becomes {change.new!r}; {change.calls}"


def _logins_in_words(put: Put, old_realm: str, new_realm: str) -> Iterator[str]:
    before = _logins(put.former or b"", old_realm)
    after = _logins(put.data, new_realm)
    kept = before.keys() & after.keys()
    changed = [name for name in kept if _hashes(before[name]) != _hashes(after[name])]
    yield (
        f"    {len(after)} logins: {len(after.keys() - kept)} new, {len(before.keys() - kept)} gone, "
        f"{len(changed)} with another password"
    )


def _logins(data: bytes, realm: str) -> dict[bytes, Login]:
    found, _ = parse_htdigest(data.splitlines(), realm.encode(), CREDENTIALS)
    return {login.name: login for login in found}


def _hashes(login: Login) -> tuple[Any, Any]:
    return login.md5, login.sha256


# ------------------------------------------------------------------------------------- writing


def restore(wanted: Plan, paths: InstancePaths) -> dict[str, str]:
    """Write what a plan says: all of it, or nothing.

    Returns:
        For each file that was replaced, where it is kept.

    Raises:
        Waiting: A change of the configuration waits to be confirmed.
        Unavailable: Something cannot be written, or the instance has started meanwhile; everything
            is as it was.
        BadArchive: Somebody has changed a file since the plan was made.
    """
    pending.check(paths.config)
    puts = [put for put in wanted.puts if put.differs]
    if not puts:
        return {}
    with ExitStack() as held:
        if not wanted.running and paths.lock.parent.is_dir():
            held.enter_context(InstanceLock(paths.lock))
        if paths.config.exists():
            held.enter_context(locked(paths.config))
        return _write(puts, paths.config)


def _write(puts: Sequence[Put], config: Path) -> dict[str, str]:
    for put in puts:
        if _put(put.name, put.path, put.data).former != put.former:
            raise BadArchive(f"{put.path} was changed by somebody else meanwhile")
    stamp = f"{datetime.now(UTC):%Y-%m-%dT%H-%M-%S.%fZ}"
    kept = {
        str(put.path.resolve()): f"{put.path.resolve()}.{stamp}"
        for put in puts
        if put.former is not None
    }
    try:
        _begin(config, [put.path.resolve() for put in puts], kept)
        for put in puts:
            if put.former is not None:
                path = put.path.resolve()
                _replace(Path(kept[str(path)]), put.former, like=path)
        for put in puts:
            _replace(put.path.resolve(), put.data)
    except OSError as error:
        take_back(config)
        where = f"{error.filename}: " if error.filename else ""
        raise Unavailable(f"{where}{error.strerror or error}; everything is as it was") from error
    _record(config).unlink(missing_ok=True)
    return kept


def _replace(path: Path, data: bytes, *, like: Path | None = None) -> None:
    """Write a file, mode 0600, for the owner it had; a new one for whom the folder belongs to.

    Whoever restores is often root, and the server somebody else, who has to read it.

    Args:
        path: The file.
        data: What it is to hold.
        like: The file whose owner it gets instead.
    """
    missing = [folder for folder in path.parents if not folder.exists()]
    there = next(one for one in (like or path, *path.parents) if one.exists())
    owner = there.stat()
    for folder in reversed(missing):
        folder.mkdir(mode=0o750, exist_ok=True)
        _give(folder, owner)
    replace_file(path, data)
    _give(path, owner)


def _give(path: Path, owner: os.stat_result) -> None:
    """Give a file or folder to an owner, as only root can."""
    if os.geteuid() == 0:
        os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)


def _record(config: Path) -> Path:
    real = config.resolve()
    return real.with_name(f"{real.name}.restoring")


def _begin(config: Path, written: Sequence[Path], kept: dict[str, str]) -> None:
    """Write down what is about to be replaced, and where it is kept."""
    listed = {str(path): kept.get(str(path), "") for path in written}
    _replace(_record(config), json.dumps(listed, indent=1).encode(), like=config.resolve())


def is_interrupted(config: Path) -> bool:
    """Whether a restore of a configuration was begun and not ended."""
    return _record(config).exists()


def take_back(config: Path) -> str:
    """Undo a restore that was interrupted, and say so; nothing where none was.

    Raises:
        Unavailable: It cannot be undone; the list of what to undo stays.
    """
    record = _record(config)
    try:
        listed = json.loads(record.read_bytes())
    except FileNotFoundError:
        return ""
    except (OSError, ValueError, RecursionError) as error:
        raise Unavailable(f"{record} cannot be read: {error}") from error
    try:
        for name, kept in listed.items():
            if not kept:
                Path(name).unlink(missing_ok=True)
            elif Path(kept).exists():
                _replace(Path(name), Path(kept).read_bytes())
        record.unlink()
    except OSError as error:
        raise Unavailable(f"an interrupted restore cannot be undone: {error}") from error
    return f"a restore of {config} was interrupted and has been undone"
