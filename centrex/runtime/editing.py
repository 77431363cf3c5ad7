"""A running instance's own configuration, edited: changes tried, made, confirmed or rolled back.

One edit at a time. A change that has to be confirmed is rolled back when its time is over, and when
the instance ends before that: by the next start.
"""

import time
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn

import anyio
import anyio.to_thread

from centrex.base import NEVER, ConfigError, Unavailable
from centrex.config import pending
from centrex.config.edit import Changed, fingerprint_of, locked, write_atomically
from centrex.config.load import ConfigSource, read_text
from centrex.config.model import Config
from centrex.config.review import Reviewed, changed_at, opened, review
from centrex.events import Severity
from centrex.runtime import restore
from centrex.runtime.control import CommandRefused
from centrex.runtime.lock import AlreadyRunning, InstanceLock

if TYPE_CHECKING:
    from centrex.runtime.engine import Engine

LONGEST_CONFIRM_S: Final = 86_400
"""How long a change may wait for its confirmation at most."""


class Editing:
    """Edits the configuration of one engine.

    Args:
        engine: Whose.
    """

    def __init__(self, engine: "Engine") -> None:
        self._engine = engine
        self._turn = anyio.Lock()
        self._deadline = NEVER
        self._confirm_by = ""
        self._looked = False
        self._not_rolled_back = ""

    def told(self) -> dict[str, Any]:
        """Return what is to be known of changes that had, or have, to be confirmed.

        Until when one waits and how long that is, empty and 0 if none does; why one could not be
        rolled back, until the file is taken over again.
        """
        left = max(0.0, self._deadline - time.monotonic()) if self._confirm_by else 0.0
        return {
            "confirm_by": self._confirm_by,
            "confirm_left_s": round(left, 1),
            "not_rolled_back": self._not_rolled_back,
        }

    def agrees(self) -> None:
        """What is in force is what the file says again."""
        self._not_rolled_back = ""

    async def open(self, unless: str = "") -> dict[str, Any]:
        """Return the configuration as an editor starts from it.

        Args:
            unless: What an editor was told as `seen`; where file and instance are as they were then,
                only that is told, as `same`.

        Raises:
            ConfigError: The file cannot be used as it is.
        """
        engine = self._engine
        told = await anyio.to_thread.run_sync(
            _opened, engine.source, engine.config, f"{engine.started_at}.{engine.revision}", unless
        )
        return {**told, "waiting": list(self._engine.waiting), "confirm_by": self._confirm_by}

    async def preview(self, fingerprint: str, changes: object) -> dict[str, Any]:
        """Return what changes would do.

        Raises:
            ConfigError: The file cannot be used as it is, or a change has no sound form.
            CommandRefused: `conflict`: the file is not what the editor saw.
        """
        reviewed = await self._review(fingerprint, changes)
        return reviewed.told(self._engine.config, self._engine.waiting)

    async def tried(self, fingerprint: str, changes: object) -> Config:
        """Return what the configuration would be with changes that nobody has applied.

        Raises:
            ConfigError: With every problem they have.
            CommandRefused: `conflict`: the file is not what the editor saw.
        """
        reviewed = await self._review(fingerprint, changes)
        if reviewed.after is None:
            raise ConfigError(reviewed.problems)
        return reviewed.after.config

    async def _review(self, fingerprint: str, changes: object) -> Reviewed:
        try:
            return await anyio.to_thread.run_sync(review, self._engine.source, fingerprint, changes)
        except Changed as error:
            _conflict(error)

    async def apply(self, fingerprint: str, changes: object, confirm_s: float) -> dict[str, Any]:
        """Write changes and take them over, all of them or none.

        Args:
            fingerprint: Of the file the editor saw.
            changes: As `centrex.config.changes` reads them.
            confirm_s: Time in which they must be confirmed; 0 for no confirmation.

        Raises:
            ConfigError: With every problem; nothing has changed.
            Unavailable: A file cannot be read or written; nothing has changed.
            CommandRefused: `conflict` or, while another change waits to be confirmed, `refused`.
        """
        async with self._turn:
            if self._confirm_by:
                message = (
                    f"a change waits to be confirmed until {self._confirm_by}; confirm it or roll "
                    "it back first"
                )
                raise CommandRefused("refused", message, {"confirm_by": self._confirm_by})
            reviewed = await self._review(fingerprint, changes)
            if reviewed.problems:
                raise ConfigError(reviewed.problems)
            return await self._make(reviewed, confirm_s)

    async def _make(self, reviewed: Reviewed, confirm_s: float) -> dict[str, Any]:
        document, engine = reviewed.document, self._engine
        if document.text == document.original:
            return self._told(document.fingerprint, {"changed": []}, reviewed.passwords)
        confirm_by = _iso(confirm_s) if confirm_s else ""
        former = document.original
        await anyio.to_thread.run_sync(_write, reviewed, confirm_by)
        try:
            result = await engine.reloader.reload()
        except (ConfigError, Unavailable):
            await anyio.to_thread.run_sync(_take_back, document.path, former, document.fingerprint)
            raise
        if confirm_s:
            self._deadline, self._confirm_by = time.monotonic() + confirm_s, confirm_by
        engine.say(
            "config.applied",
            Severity.NOTICE,
            changed=len(result["changed"]),
            confirm_by=confirm_by or "no confirmation needed",
        )
        return self._told(document.fingerprint, result, reviewed.passwords)

    def _told(
        self, fingerprint: str, result: Mapping[str, Any], passwords: Mapping[str, str]
    ) -> dict[str, Any]:
        told = {
            "fingerprint": fingerprint,
            "changed": [{**one, "words": one["calls"]} for one in result["changed"]],
            "waiting": list(self._engine.waiting),
            "confirm_by": self._confirm_by,
        }
        return {**told, "passwords": dict(passwords)} if passwords else told

    async def confirm(self) -> dict[str, Any]:
        """Keep the change that waits. Raises `CommandRefused` where none does."""
        async with self._turn:
            self._check_waits()
            await anyio.to_thread.run_sync(pending.confirm, self._engine.source.path)
            self._deadline, self._confirm_by = NEVER, ""
        self._engine.say("config.confirmed", Severity.NOTICE)
        return {"confirmed": True}

    async def roll_back(self) -> dict[str, Any]:
        """Put back what was before the change that waits. Raises `CommandRefused` where none does."""
        async with self._turn:
            self._check_waits()
            return await self._roll_back(asked=True)

    def _check_waits(self) -> None:
        if not self._confirm_by:
            raise CommandRefused("not-found", "no change waits to be confirmed")

    async def look(self, now: float) -> None:
        """Roll back what was not confirmed in time; called once a second.

        The first time also what was left by an instance before, where nobody did so at the start.
        """
        if not self._looked:
            async with self._turn:
                left = await anyio.to_thread.run_sync(pending.find, self._engine.source.path)
                if left is not None and not self._confirm_by:
                    self._deadline, self._confirm_by = now, left.confirm_by
                self._looked = True
        if self._deadline > now or self._turn.statistics().locked:
            return
        async with self._turn:
            with suppress(ConfigError, Unavailable):  # an event has told of it
                await self._roll_back(asked=False)

    async def _roll_back(self, *, asked: bool) -> dict[str, Any]:
        engine = self._engine
        path = engine.source.path
        self._deadline, self._confirm_by = NEVER, ""
        left = await anyio.to_thread.run_sync(pending.find, path)
        try:
            outcome = await anyio.to_thread.run_sync(partial(pending.roll_back, path, asked=asked))
            text = await anyio.to_thread.run_sync(read_text, path)
            result = await engine.reloader.reload() if outcome.undone else {"changed": ()}
        except OSError as error:
            why = f"NOT rolled back: {_words(error, path)}"
            raise Unavailable(await self._without_file(left, why)) from error
        except (ConfigError, Unavailable) as error:
            why = f"NOT rolled back: {path} is of no use as it is now: {error}"
            raise Unavailable(await self._without_file(left, why)) from error
        why = outcome.words
        if outcome.undone:
            engine.say("config.rolled-back", Severity.WARNING, why=why)
        else:
            why = await self._without_file(left, why)
        told = self._told(fingerprint_of(text), result, {})
        return {**told, "rolled_back": outcome.undone, "why": why}

    async def _without_file(self, left: pending.Unconfirmed | None, why: str) -> str:
        """Take what was before into force, though the file does not say so; return what to tell.

        A change may have locked its author out: it must not stay in force because a file is amiss.
        """
        if left is not None:
            try:
                await self._engine.reloader.reload(left.former)
            except (ConfigError, Unavailable) as error:
                why = f"{why}; it stays in force, too: {error}"
            else:
                why = f"{why}; until a reload or a restart the server runs with what was before"
        self._not_rolled_back = why
        self._engine.say("config.not-rolled-back", Severity.ERROR, why=why)
        return why


def _opened(source: ConfigSource, running: Config, revision: str, unless: str) -> dict[str, Any]:
    fingerprint = fingerprint_of(read_text(source.path))
    seen = f"{fingerprint}.{revision}"
    if unless == seen:
        return {"file": str(source.path), "fingerprint": fingerprint, "seen": seen, "same": True}
    return {**opened(source, running), "seen": seen}


def _conflict(error: Changed) -> NoReturn:
    message = f"{error.path} was changed by somebody else meanwhile; nothing was written"
    detail = {"fingerprint": error.fingerprint, "changed_at": changed_at(error.path)}
    raise CommandRefused("conflict", message, detail) from error


def _words(error: OSError, path: Path) -> str:
    return f"{error.filename or path}: {error.strerror or error}"


def _iso(seconds: float) -> str:
    moment = datetime.now(UTC) + timedelta(seconds=seconds)
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")


def _write(reviewed: Reviewed, confirm_by: str) -> None:
    """Write a configuration, and before it what to put back unless it is confirmed."""
    document = reviewed.document
    try:
        if confirm_by:
            change = pending.Unconfirmed(
                former=document.original,
                made=document.text,
                confirm_by=confirm_by,
            )
            pending.begin(document.path, change)
        try:
            reviewed.save()
        except BaseException:
            pending.confirm(document.path)
            raise
    except Changed as error:
        _conflict(error)
    except OSError as error:
        raise Unavailable(f"cannot write {_words(error, document.path)}") from error


def _take_back(path: Path, former: str, written: str) -> None:
    """Put a former text back, unless somebody has written the file since.

    Raises:
        Unavailable: It cannot be written.
    """
    try:
        with locked(path):
            if fingerprint_of(read_text(path)) == written:
                write_atomically(path, former)
        pending.confirm(path)
    except OSError as error:
        raise Unavailable(f"cannot write {_words(error, path)}") from error


def before_start(source: ConfigSource, lock: Path) -> str:
    """Put right what was interrupted, before an instance starts; say what was done.

    A change that was never confirmed is rolled back, and so is half of a restore.

    Args:
        source: The configuration it will start with.
        lock: The instance's lock; nothing is done where somebody holds it, for he waits himself.

    Raises:
        ConfigError: The configuration cannot be read.
        Unavailable: It cannot be rolled back.
    """
    if pending.find(source.path) is None and not restore.is_interrupted(source.path):
        return ""
    try:
        if not lock.parent.is_dir():
            return _put_right(source.path)
        with InstanceLock(lock):
            return _put_right(source.path)
    except AlreadyRunning:
        return ""


def _put_right(path: Path) -> str:
    done = restore.take_back(path)
    if pending.find(path) is None:
        return done
    try:
        rolled_back = pending.roll_back(path).words
    except OSError as error:
        why = f"an unconfirmed change cannot be rolled back: {_words(error, path)}"
        raise Unavailable(why) from error
    return "; ".join(words for words in (done, rolled_back) if words)
