"""A terminal of its own for a program: what it is sent, octet for octet, and keys for it."""

import contextlib
import os
import pty
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Mapping, Sequence
from fcntl import ioctl
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.support.server import ROOT

KEYS = {"enter": "\r", "escape": "\x1b", "tab": "\t", "ctrl+p": "\x10"}


class Terminal:
    """Runs a program in a pseudo-terminal.

    Args:
        command: The program and its arguments.
        size: Columns and rows.
        env: Variables besides the process's own.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        size: tuple[int, int] = (80, 24),
        env: Mapping[str, str] | None = None,
    ) -> None:
        self._command, self._size, self._env = list(command), size, dict(env or {})
        self.output = b""
        self._master = -1
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self._master, slave = pty.openpty()
        columns, rows = self._size
        ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        try:
            self._process = subprocess.Popen(
                self._command,
                stdin=slave,
                stdout=slave,
                stderr=slave,
                cwd=ROOT,
                env={**os.environ, "TERM": "xterm-256color", **self._env},
                start_new_session=True,
            )
        finally:
            os.close(slave)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        process = self._process
        if process is not None and process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                self.ends(5.0)
            except AssertionError:
                process.kill()
                process.wait()
        self.hang_up()

    def hang_up(self) -> None:
        """Take the terminal away."""
        if self._master >= 0:
            os.close(self._master)
            self._master = -1

    @property
    def pid(self) -> int:
        """The program's process id."""
        assert self._process is not None
        return self._process.pid

    def read(self, seconds: float) -> bytes:
        """Take what comes within a time; return it."""
        before = len(self.output)
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            ready, _, _ = select.select([self._master], [], [], left)
            if not ready:
                break
            try:
                chunk = os.read(self._master, 65536)
            except OSError:
                break  # the program has closed its end
            if not chunk:
                break
            self.output += chunk
        return self.output[before:]

    def sees(self, *words: str, patience_s: float = 20.0, since: int = 0) -> None:
        """Wait until words have been sent, after so many octets of output."""
        end = time.monotonic() + patience_s
        while time.monotonic() < end:
            self.read(0.05)
            if all(word.encode() in self.output[since:] for word in words):
                return
        missing = [word for word in words if word.encode() not in self.output[since:]]
        raise AssertionError(f"never sent: {missing}; the last of it: {self.output[-2000:]!r}")

    def rests(self, quiet_s: float = 0.3, patience_s: float = 20.0) -> None:
        """Wait until the program has sent nothing, and has had nothing to do, for some time."""
        end = time.monotonic() + patience_s
        since = time.monotonic()
        while (now := time.monotonic()) < end:
            if self.read(0.02) or self._is_at_work():
                since = time.monotonic()
            elif now - since >= quiet_s:
                return
        raise AssertionError(f"it is busy for {patience_s} s")

    def _is_at_work(self) -> bool:
        """Whether a thread of it uses a processor, or waits for one."""
        for stat in Path(f"/proc/{self.pid}/task").glob("*/stat"):
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # it has ended
                if stat.read_text().rpartition(") ")[2][0] in "RD":
                    return True
        return False

    def press(self, *keys: str) -> None:
        """Press keys; text is typed."""
        for key in keys:
            os.write(self._master, KEYS.get(key, key).encode())
            if key == "escape":
                self.rests()  # or it would be one key with the next
            else:
                self.read(0.05)

    def ends(self, patience_s: float = 15.0) -> int:
        """Wait until the program has ended; return its exit code."""
        assert self._process is not None
        end = time.monotonic() + patience_s
        while time.monotonic() < end:
            if self._master >= 0:
                self.read(0.05)
            else:
                time.sleep(0.05)
            code = self._process.poll()
            if code is not None:
                return code
        raise AssertionError(f"it has not ended within {patience_s} s")
