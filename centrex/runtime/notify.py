"""Tells whoever started us that we answer: systemd by its notify socket, others by a descriptor.

Knows the datagrams of sd_notify(3) and the one line of `--ready-fd`. It does not decide when the
server is ready, and nothing here can fail the server: a service manager that has gone is told no
more, which is counted.
"""

import os
import socket
import time
from collections.abc import Callable, Mapping
from typing import Final

import anyio

from centrex.base import Unavailable

READY_LINE: Final = b"ready\n"


class Notifier:
    """Sends state changes to systemd; silent where no service manager listens.

    Args:
        environ: The environment, such as `os.environ`; `NOTIFY_SOCKET`, `WATCHDOG_USEC` and
            `WATCHDOG_PID` are read once.
        monotonic_ns: CLOCK_MONOTONIC in nanoseconds, which `RELOADING=1` must carry.

    Attributes:
        lost: Notifications that the service manager did not take.
    """

    def __init__(
        self,
        environ: Mapping[str, str],
        *,
        monotonic_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._address = _socket_address(environ.get("NOTIFY_SOCKET", ""))
        self._monotonic_ns = monotonic_ns
        self.watchdog_interval_s = _watchdog_interval(environ, os.getpid())
        """Seconds between two signs of life that systemd asks for; 0 where it asks for none."""
        self.lost = 0

    @property
    def enabled(self) -> bool:
        """Whether a service manager listens."""
        return bool(self._address)

    def ready(self, status: str = "") -> bool:
        """Say that the server answers, at its start and after a reload; returns whether it was told."""
        return self._send("READY=1", status)

    def reloading(self) -> bool:
        """Say that the configuration is being read again (`Type=notify-reload`)."""
        return self._send("RELOADING=1", "", f"MONOTONIC_USEC={self._monotonic_ns() // 1000}")

    def stopping(self, status: str = "") -> bool:
        """Say that the server is about to end."""
        return self._send("STOPPING=1", status)

    def alive(self) -> bool:
        """Feed the watchdog once."""
        return self._send("WATCHDOG=1", "")

    async def watchdog(self) -> None:
        """Feed the watchdog at half its interval until cancelled; returns at once where there is none."""
        if not self.enabled or not self.watchdog_interval_s:
            return
        while True:
            self.alive()
            await anyio.sleep(self.watchdog_interval_s / 2)

    def _send(self, state: str, status: str, extra: str = "") -> bool:
        if not self._address:
            return False
        lines = [state]
        if extra:
            lines.append(extra)
        if status:
            lines.append("STATUS=" + " ".join(status.split()))
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
                sock.setblocking(False)
                sock.sendto("\n".join(lines).encode(), self._address)
        except OSError:
            self.lost += 1
            return False
        return True


def tell_ready(descriptor: int) -> None:
    """Write the line `ready` to a descriptor that our starter gave us (`--ready-fd`), and close it.

    Raises:
        Unavailable: The descriptor is not open for writing, or nobody reads it any more.
    """
    try:
        os.write(descriptor, READY_LINE)
        os.close(descriptor)
    except OSError as error:
        raise Unavailable(
            f"cannot tell descriptor {descriptor} that we are ready: {error.strerror}"
        ) from error


def _socket_address(given: str) -> str:
    """Return the address for `sendto`: a path, or a leading NUL for the abstract name `@...`."""
    if given.startswith("@"):
        return "\0" + given[1:]
    return given if given.startswith("/") else ""


def _watchdog_interval(environ: Mapping[str, str], pid: int) -> float:
    wanted, meant_for = environ.get("WATCHDOG_USEC", ""), environ.get("WATCHDOG_PID", "")
    if not wanted.isdecimal() or (meant_for and meant_for != str(pid)):
        return 0.0
    return int(wanted) / 1_000_000
