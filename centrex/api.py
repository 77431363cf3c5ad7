"""What the faces (`cli`, `tui`) may use: configuration, places, and a running instance.

Everything that goes through here is plain data, so that a face works the same on this machine's
engine and on another process's. What only some need is imported when it is asked for, so that commands
and the dashboard's first screen are there at once.
"""

import dataclasses
import importlib
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol

from centrex.base import CentrexError, ConfigError, Problem, Refused, Unavailable
from centrex.base.untrusted import shown
from centrex.config.paths import InstancePaths, instance_paths
from centrex.farm.in_words import free_ports
from centrex.farm.in_words import in_words as relay_in_words

if TYPE_CHECKING:
    from centrex.config.archive import BadArchive
    from centrex.config.defaults import default_text
    from centrex.config.describe import describe
    from centrex.config.diff import Change, diff, diff_values, left_registered
    from centrex.config.edit import Changed, Document, write_atomically
    from centrex.config.htdigest import doubled as doubled_logins
    from centrex.config.htdigest import logins as credentials_file_logins
    from centrex.config.keys import Key, catalogue, find, nearest_key, split, tables
    from centrex.config.load import ConfigSource, Loaded, load_text, parse_value
    from centrex.config.model import Config
    from centrex.config.pages import page as help_page
    from centrex.config.pending import Waiting
    from centrex.config.review import apply as apply_changes
    from centrex.config.review import opened as open_config
    from centrex.config.rows import objections
    from centrex.config.schema import json_schema
    from centrex.config.users import User, UserError, Users, credential, generate_password
    from centrex.config.values import effective, flatten

__all__ = [
    "BadArchive",
    "CentrexError",
    "Change",
    "Changed",
    "Config",
    "ConfigError",
    "ConfigSource",
    "Document",
    "Instance",
    "InstancePaths",
    "Key",
    "Loaded",
    "Problem",
    "Refused",
    "Unavailable",
    "User",
    "UserError",
    "Users",
    "Waiting",
    "all_rows",
    "apply_changes",
    "attach",
    "back_up",
    "call",
    "catalogue",
    "credential",
    "credentials_file_logins",
    "default_text",
    "describe",
    "diff",
    "diff_values",
    "doubled_logins",
    "effective",
    "find",
    "flatten",
    "follow",
    "free_ports",
    "generate_password",
    "help_page",
    "instance_paths",
    "is_lock_free",
    "iter_problems",
    "json_schema",
    "left_registered",
    "load_text",
    "nearest_key",
    "objections",
    "open_config",
    "own_address",
    "parse_value",
    "preview_changes",
    "problem_data",
    "ready_source",
    "relay_in_words",
    "restore",
    "route_test",
    "run_inside",
    "serve",
    "serve_relay",
    "setup",
    "setup_questions",
    "shown",
    "split",
    "tables",
    "version",
    "write_atomically",
]


_LATER: Final[Mapping[str, tuple[str, str]]] = {
    "BadArchive": ("archive", "BadArchive"),
    "Change": ("diff", "Change"),
    "Changed": ("edit", "Changed"),
    "Config": ("model", "Config"),
    "ConfigSource": ("load", "ConfigSource"),
    "Document": ("edit", "Document"),
    "Key": ("keys", "Key"),
    "Loaded": ("load", "Loaded"),
    "User": ("users", "User"),
    "UserError": ("users", "UserError"),
    "Users": ("users", "Users"),
    "Waiting": ("pending", "Waiting"),
    "apply_changes": ("review", "apply"),
    "catalogue": ("keys", "catalogue"),
    "credential": ("users", "credential"),
    "credentials_file_logins": ("htdigest", "logins"),
    "default_text": ("defaults", "default_text"),
    "describe": ("describe", "describe"),
    "diff": ("diff", "diff"),
    "diff_values": ("diff", "diff_values"),
    "doubled_logins": ("htdigest", "doubled"),
    "effective": ("values", "effective"),
    "find": ("keys", "find"),
    "flatten": ("values", "flatten"),
    "generate_password": ("users", "generate_password"),
    "help_page": ("pages", "page"),
    "json_schema": ("schema", "json_schema"),
    "left_registered": ("diff", "left_registered"),
    "load_text": ("load", "load_text"),
    "nearest_key": ("keys", "nearest_key"),
    "objections": ("rows", "objections"),
    "open_config": ("review", "opened"),
    "parse_value": ("load", "parse_value"),
    "split": ("keys", "split"),
    "tables": ("keys", "tables"),
    "write_atomically": ("edit", "write_atomically"),
}
"""What `config` offers, by the module there and its name in it: imported when it is asked for, since the
models of all settings take longer than all that a face needs to show its first screen."""


def __getattr__(name: str) -> Any:
    """Import what is asked for the first time."""
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, original = _LATER[name]
    value = getattr(importlib.import_module(f"centrex.config.{module}"), original)
    globals()[name] = value
    return value


class Instance(Protocol):
    """A running instance, of this process or another; all that passes is plain data.

    Attributes:
        mode: Whether it runs in this process.
        read_only: Whether it is to be changed in nothing.
        paths: Where its files are.
    """

    mode: Literal["in-process", "attached"]
    read_only: bool
    paths: InstancePaths

    @property
    def runs(self) -> bool:
        """Whether it has not ended, as far as that is known."""

    @property
    def was_stopped(self) -> bool:
        """Whether it ran in this process, and has ended because it was told to."""

    async def ask(self, command: str, params: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Have a command carried out and return its result.

        Raises:
            Refused: The instance will not; or it would change something, and may not.
            Unavailable: It is not there any more, or does not answer in time.
        """

    def follow(
        self, stream: str, params: Mapping[str, Any] | None = None
    ) -> AbstractAsyncContextManager[AsyncIterator[dict[str, Any]]]:
        """Follow a stream: batches `{"rows": …, "lost": …}`, at most four a second.

        Raises:
            Refused: The instance will not.
            Unavailable: It is not there any more.
        """

    async def close(self) -> None:
        """Let go of it. One of another process goes on; this process's own is stopped."""


def version() -> str:
    """Return the version installed."""
    from importlib import metadata  # noqa: PLC0415 - who asks for no version loads no mail parser

    try:
        return metadata.version("centrex")
    except metadata.PackageNotFoundError:
        return "(not installed)"


def problem_data(problem: Problem) -> dict[str, Any]:
    """Return a problem as JSON would have it, as the control protocol does too."""
    return {
        "file": problem.file,
        "key": problem.key,
        "message": problem.message,
        "nearest": problem.nearest,
        "line": problem.line,
    }


def preview_changes(
    source: "ConfigSource", changes: Sequence[Mapping[str, Any]], fingerprint: str = ""
) -> dict[str, Any]:
    """Return what changes of a file would do, as the command `config.preview` does.

    Args:
        source: The configuration.
        changes: What is wanted: `{"op": "set", "key": …, "value": …}` and so on.
        fingerprint: Of the file the editor saw; empty for whatever it is now.

    Raises:
        ConfigError: The file cannot be used as it is, or a change has no sound form.
        Changed: It is not what the editor saw.
    """
    from centrex.config.review import review as room  # noqa: PLC0415 - as all of `_LATER`

    return room(source, fingerprint, changes).told()


def call(
    paths: InstancePaths,
    command: str,
    params: Mapping[str, Any] | None = None,
    *,
    timeout_s: float = 10.0,
) -> dict[str, Any]:
    """Have a running instance carry out a command and return its result.

    Raises:
        Unavailable: It does not run, or does not answer in time.
        Refused: It answered that it will not.
    """
    from centrex.runtime import control  # noqa: PLC0415 - only who calls an instance pays

    return control.call(str(paths.control), command, dict(params or {}), timeout_s)


def follow(
    paths: InstancePaths, stream: str, params: Mapping[str, Any] | None = None
) -> Iterator[dict[str, Any]]:
    """Yield the batches of a stream of a running instance: `{"rows": …, "lost": …}`.

    Raises:
        Unavailable: It does not run, or has gone.
        Refused: It answered that it will not.
    """
    from centrex.runtime import control  # noqa: PLC0415 - see `call`

    yield from control.follow(str(paths.control), stream, dict(params or {}))


def all_rows(
    paths: InstancePaths,
    command: str,
    params: Mapping[str, Any] | None = None,
    *,
    timeout_s: float = 10.0,
) -> Iterator[dict[str, Any]]:
    """Yield every row of a list that a running instance holds, however long, page by page.

    Args:
        paths: Whose.
        command: `registrations` or `calls`.
        params: Its further parameters.
        timeout_s: How long to wait for one page.

    Raises:
        Unavailable: It does not run, or does not answer in time.
        Refused: It answered that it will not.
    """
    from centrex.runtime import listing  # noqa: PLC0415 - see `call`

    def ask(page: dict[str, Any]) -> dict[str, Any]:
        return call(paths, command, page, timeout_s=timeout_s)

    return listing.all_rows(ask, command, dict(params or {}))


def serve(source: "ConfigSource", *, instance: str = "", ready_fd: int | None = None) -> int:
    """Run an instance in this process until it is told to stop; return its exit code.

    Args:
        source: Its configuration, read again on reload.
        instance: Its name; empty for the one its file gives it.
        ready_fd: A file descriptor that is written to once it answers.

    Raises:
        ConfigError: The configuration cannot be used.
        Unavailable: An address, a folder or the lock cannot be had.
    """
    from centrex.runtime import engine  # noqa: PLC0415 - only who starts an instance pays

    source = ready_source(source, instance)
    config = source.load()
    paths = instance_paths(instance, source.path, state_dir=config.basic.state_dir)
    return engine.serve(config, source, paths, ready_fd=ready_fd, instance=paths.instance)


def ready_source(source: "ConfigSource", instance: str = "") -> "ConfigSource":
    """Return what an instance starts from: a change that was never confirmed is rolled back first.

    Args:
        source: Its configuration.
        instance: Its name; empty for the one its file gives it.

    Raises:
        ConfigError: The configuration cannot be read.
        Unavailable: It cannot be rolled back.
    """
    from centrex.runtime import editing  # noqa: PLC0415 - see `serve`

    note = editing.before_start(source, instance_paths(instance, source.path).lock)
    return dataclasses.replace(source, notes=(*source.notes, note)) if note else source


def route_test(config: "Config", params: Mapping[str, Any]) -> dict[str, Any]:
    """Return what would become of a call by a configuration alone, where no instance runs.

    Args:
        config: The configuration.
        params: `number`, and perhaps `from` and `at`; the same as the command `route.test`.

    Raises:
        OSError: The credentials file cannot be read.
        Refused: A parameter makes no sense.
    """
    from centrex.runtime import control, route_test  # noqa: PLC0415 - see `call`

    try:
        return route_test.of_config(config, dict(params))
    except control.CommandRefused as error:
        raise Refused(error.code, str(error), error.detail) from error


async def attach(paths: InstancePaths, *, read_only: bool = False) -> Instance:
    """Return a running instance, over its control socket.

    Args:
        paths: Which.
        read_only: Whether to change nothing; the instance sees to that, too.

    Raises:
        Unavailable: None runs, or we may not ask it.
    """
    from centrex.runtime import client  # noqa: PLC0415 - see `call`

    return await client.attach(paths, read_only=read_only)


def run_inside(source: "ConfigSource", instance: str = "") -> Instance:
    """Run an instance in this process, in a thread of its own; return once it answers.

    It may be asked from any one event loop. It takes no signals, and writes nothing to the terminal.

    Args:
        source: Its configuration, read again on reload.
        instance: Its name; empty for the one its file gives it.

    Raises:
        ConfigError: The configuration cannot be used.
        Unavailable: An address, a folder or the lock cannot be had.
    """
    from centrex.runtime import inside  # noqa: PLC0415 - see `serve`

    source = ready_source(source, instance)
    config = source.load()
    paths = instance_paths(instance, source.path, state_dir=config.basic.state_dir)
    return inside.run_inside(config, source, paths)


def serve_relay(file: Path, *, ready_fd: int | None = None) -> int:
    """Run a media relay in this process until it is told to stop; return its exit code.

    Args:
        file: Its `relay.toml`.
        ready_fd: A file descriptor that is written to once its ports are open.

    Raises:
        ConfigError: The configuration cannot be used.
        Unavailable: An address or the lock cannot be had.
    """
    from centrex.runtime.relay import process  # noqa: PLC0415 - see `serve`

    return process.serve(file, ready_fd=ready_fd)


def is_lock_free(paths: InstancePaths) -> bool:
    """Return whether no process holds an instance's lock, so that one could be started.

    Raises:
        Unavailable: The lock file cannot be read.
    """
    from centrex.runtime import lock  # noqa: PLC0415 - see `call`

    return lock.is_free(paths.lock)


def own_address() -> str:
    """Return the address of this machine that others would most likely use."""
    from centrex.runtime.local_address import local_address_for  # noqa: PLC0415 - see `serve`

    try:
        return local_address_for("192.0.2.1")  # a documentation address: the default route
    except Unavailable:
        return "127.0.0.1"


def back_up(
    source: "ConfigSource",
    paths: InstancePaths,
    target: Path | None = None,
    *,
    registrations: bool = False,
    force: bool = False,
) -> dict[str, Any]:
    """Write a backup of an instance, running or not: one archive, mode 0600.

    Args:
        source: Its configuration.
        paths: Where its files are.
        target: The archive; one named after instance and time in the current folder if not given.
        registrations: Whether to take the phones' registrations, too.
        force: Whether to overwrite a file that is there.

    Returns:
        `file`, `size`, `holds`: the octets of each content by its name; `left_out`: files that the
        configuration names and no backup holds, by key.

    Raises:
        ConfigError: The configuration cannot be used.
        BadArchive: There is too much of something.
        Refused: There is a file already.
        Unavailable: A file cannot be read or written.
    """
    from centrex.runtime import backup  # noqa: PLC0415 - see `call`

    file = target or Path(backup.name_now(paths.instance))
    if file.exists() and not force:
        raise Refused("refused", f"{file} is there already; --force overwrites it", {})
    return backup.back_up(source, paths, file, version=version(), registrations=registrations)


def restore(file: Path, paths: InstancePaths, *, dry_run: bool = False) -> dict[str, Any]:
    """Put a backup back, all of it or nothing; what it replaces stays beside it, dated.

    Args:
        file: The archive.
        paths: The instance, which may be another one, or on another machine.
        dry_run: Whether only to tell what would be done.

    Returns:
        `instance`, `version`, `made_at` of the backup; `files`, `changed` and `words`: what is (or
        would be) done; `remarks`: what has to be done besides; `running`; `kept`: where each file
        that was replaced stays.

    Raises:
        BadArchive: It is no backup, or a damaged one.
        ConfigError: Its configuration cannot be used.
        Waiting: A change of the present configuration waits to be confirmed.
        Unavailable: A file cannot be read or written; everything is as it was.
    """
    from centrex.runtime import restore as room  # noqa: PLC0415 - see `call`

    archive = room.read_archive(file)
    room.recover(paths, dry_run=dry_run)
    wanted = room.plan(archive, paths)
    kept = {} if dry_run else room.restore(wanted, paths)
    return {**wanted.told(), "kept": kept}


def setup_questions() -> list[dict[str, Any]]:
    """Return what a first configuration has to be asked for: name, label, help, type, default."""
    from centrex.config import first  # noqa: PLC0415 - as all of `_LATER`

    return first.questions(own_address())


def setup(
    answers: Mapping[str, Any], file: Path, *, force: bool = False, write: bool = True
) -> dict[str, Any]:
    """Write a first configuration, mode 0600, and return what to type into the phones.

    Args:
        answers: The answers to `setup_questions`, by their names.
        file: Where it goes.
        force: Whether to overwrite what is there.
        write: Whether to write it; otherwise only its text is returned, and whether it could be.

    Returns:
        `file`, `text`, `domain`, `server`, `port`, `transports`, and `phones` with `user`, `login`
        and `password` in clear: shown once and stored nowhere.

    Raises:
        ConfigError: What is wanted cannot be, with every problem.
        Refused: There is a file already.
        OSError: It cannot be written.
    """
    from centrex.config import first  # noqa: PLC0415 - as all of `_LATER`
    from centrex.config.edit import write_atomically  # noqa: PLC0415

    made = first.compose(first.answered(answers), file, own_address())
    if file.exists() and not force:
        raise Refused("refused", f"{file} is there already; --force overwrites it", {})
    if write:
        write_atomically(file, made.text)
    return {**made.told(file), "text": made.text}


def iter_problems(error: CentrexError) -> Iterator[dict[str, Any]]:
    """Yield the problems an error carries as plain data, whoever found them."""
    if isinstance(error, ConfigError):
        yield from map(problem_data, error.problems)
    elif isinstance(error, Refused):
        yield from error.detail.get("problems", ())
