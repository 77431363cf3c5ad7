"""The relay that belongs to an engine: started, watched, and started again when it dies.

It outlives an engine that was killed, so that calls keep their media, and logs in at the engine that
comes after; then that one waits until the relay's lock is free before it starts another. What it
carries and how it is told is not known here.
"""

import os
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import anyio
import anyio.to_thread
import tomlkit

from centrex.events import Event, Kind, Severity
from centrex.runtime.lock import holder_of, is_free
from centrex.runtime.relay.spoken import last_words

_LOOK_S: Final = 0.25
_FIRST_S: Final = 0.1
"""How long the first new start is waited with; doubled each time it dies young."""
_LONGEST_S: Final = 5.0
_YOUNG_S: Final = 10.0
_ANEW_S: Final = 5.0
"""How long a relay that is started anew in place may be without its lock."""
_FAREWELL_S: Final = 2.0
"""How long a relay that is told to end may take."""
_WORDS_OCTETS: Final = 16_384
"""Octets at the end of what it wrote that are looked at for its last words."""
_COMMAND: Final = (sys.executable, "-m", "centrex.runtime.relay")


def why_anew(told: Mapping[str, Any], config: str, version: str) -> str:
    """Return why a relay that outlived its engine is to begin anew in place; empty where it is not.

    Args:
        told: What it says of itself.
        config: The fingerprint of the configuration it is to have.
        version: The version of Centrex that is installed now.
    """
    if told["config"] not in ("", config):
        return "its settings have changed"
    return "" if told["version"] == version else f"it is of version {told['version']}"


def write_config(path: Path, settings: dict[str, Any]) -> None:
    """Write the relay's configuration, for nobody else to read: it holds the secret."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(tomlkit.dumps(settings))
    path.chmod(0o600)


class EmbeddedRelay:
    """Keeps one relay running.

    Args:
        config: Its configuration file.
        lock: The lock it holds while it runs.
        report: Takes events.
        command: How it is started; the configuration and the lock are added.
    """

    def __init__(
        self,
        config: Path,
        lock: Path,
        report: Callable[[Event], None],
        *,
        command: Sequence[str] = _COMMAND,
    ) -> None:
        self._lock, self._report = lock, report
        self._words = config.with_suffix(".err")
        self._command = (*command, "--config", str(config), "--lock", str(lock))
        self._ending = False
        self.starts = 0

    async def run(self) -> None:
        """Keep it running until cancelled; it is left running then, see `end`."""
        wait_s = _FIRST_S
        other = 0
        while not self._ending:
            if not is_free(self._lock):
                other = holder_of(self._lock)
                await anyio.sleep(_LOOK_S)  # one that outlived the engine before us
                continue
            if other:
                await _ended_or_back(other, self._lock)
                other = 0
                continue
            began = time.monotonic()
            code = await self._once()
            if self._ending:
                return
            young = time.monotonic() - began < _YOUNG_S
            self._tell("relay.died", Severity.ERROR, code=code, why=self._why(code))
            wait_s = min(wait_s * 2, _LONGEST_S) if young and self.starts > 1 else _FIRST_S
            await anyio.sleep(wait_s)

    async def _once(self) -> int:
        """Start it and wait for its end; return its exit code."""
        self.starts += 1
        try:
            pid = self._begin()
        except OSError as error:
            self._tell("relay.start-failed", Severity.ERROR, why=error.strerror or str(error))
            return -1
        self._tell("relay.started", Severity.INFO, pid=pid)
        return await _ended(pid)

    def _begin(self) -> int:
        """Start the process, which is nobody's but its own: it is to outlive us if need be."""
        nowhere, words = os.O_RDWR, os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        return os.posix_spawnp(
            self._command[0],
            self._command,
            os.environ,
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, nowhere, 0),
                (os.POSIX_SPAWN_OPEN, 1, os.devnull, nowhere, 0),
                (os.POSIX_SPAWN_OPEN, 2, str(self._words), words, 0o600),
            ],
            setsid=True,
        )

    def _why(self, code: int) -> str:
        """Return the error it wrote last; where it wrote none, what its exit code tells."""
        try:
            with self._words.open("rb") as file:
                file.seek(max(os.fstat(file.fileno()).st_size - _WORDS_OCTETS, 0))
                said = last_words(file.read().decode("utf-8", "backslashreplace"))
        except OSError as error:
            return str(error)
        if said or code >= 0:
            return said or "it did not say why"
        return f"killed by {signal.Signals(-code).name}"

    def leave(self) -> None:
        """Leave the relay to itself: it ends when nobody talks any more and no engine has come."""
        self._ending = True

    async def end(self) -> None:
        """Tell the relay to end, whoever started it, and see to it that it does."""
        self._ending = True
        for number, patience_s in ((signal.SIGTERM, _FAREWELL_S), (signal.SIGKILL, _FAREWELL_S)):
            pid = 0 if is_free(self._lock) else holder_of(self._lock)
            if not pid:
                return
            with suppress(ProcessLookupError):
                os.kill(pid, number)
            with anyio.move_on_after(patience_s):
                while not is_free(self._lock):  # noqa: ASYNC110 - a lock has no event
                    await anyio.sleep(0.02)

    def _tell(self, name: str, severity: Severity, **fields: Any) -> None:
        self._report(Event(Kind.MEDIA, severity, name, fields))


async def _ended_or_back(pid: int, lock: Path) -> None:
    """Wait until a relay that has let go of its lock is gone, or has it again: started anew in place."""
    with anyio.move_on_after(_ANEW_S):
        while is_free(lock) and _is_there(pid):  # noqa: ASYNC110 - a lock has no event
            await anyio.sleep(_FIRST_S)


def _is_there(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


async def _ended(pid: int) -> int:
    """Wait for the end of a process; return its exit code, negative for a signal."""
    if hasattr(os, "pidfd_open"):
        descriptor = os.pidfd_open(pid)
        try:
            await anyio.wait_readable(descriptor)
        finally:
            os.close(descriptor)
    status = await anyio.to_thread.run_sync(os.waitpid, pid, 0)
    return os.waitstatus_to_exitcode(status[1])
