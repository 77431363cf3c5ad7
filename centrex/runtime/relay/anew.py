"""Starting a relay anew in place (SIGHUP): first it is seen whether the new one could begin.

A relay that has ended takes its calls with it. So whatever would keep the next one from starting is
found before this one ends. It starts and ends nothing; a folder that will be wanted is made.
"""

import ipaddress
import os
import socket
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from centrex.base import ConfigError, Unavailable
from centrex.config.relay import RelayConfig
from centrex.runtime.lock import is_free
from centrex.runtime.relay.offload import Offload, open_offload

_READY: str = "--ready-fd"


def again(argv: Sequence[str]) -> list[str]:
    """Return the command that starts this process anew.

    Whoever waited for it to be ready has been told, and his descriptor is closed.
    """
    left: list[str] = []
    words = iter(argv)
    for word in words:
        if word == _READY:
            next(words, None)
        elif not word.startswith(f"{_READY}="):
            left.append(word)
    return left


def objections(
    read: Callable[[], RelayConfig], present: RelayConfig, offload: Offload, machine_name: str
) -> Sequence[str]:
    """Return what would keep the relay from starting anew, each in a line; nothing if all is well.

    Args:
        read: Reads its configuration; raises `ConfigError`.
        present: The one it runs with.
        offload: The data path it has.
        machine_name: Its name on this machine.
    """
    try:
        wanted = read()
    except ConfigError as error:
        return [str(problem) for problem in error.problems]
    return [
        *_addresses(wanted),
        *_state(wanted, present),
        *_path(wanted, present, offload, machine_name),
    ]


def make_folder(folder: Path) -> None:
    """Make a relay's `state_dir` where it is missing, for nobody else to read.

    Raises:
        Unavailable: It cannot be had, or not be written; says why.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise Unavailable(f"state_dir: {folder}: {error.strerror or error}") from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise Unavailable(f"state_dir: {folder}: it cannot be written")


def _state(wanted: RelayConfig, present: RelayConfig) -> Iterator[str]:
    """See that what it carries can be written down, where it is not yet."""
    if wanted.lock is None or wanted.lock == present.lock:
        return
    try:
        make_folder(wanted.lock.parent)
        if not is_free(wanted.lock):
            yield f"state_dir: another relay holds {wanted.lock}"
    except Unavailable as error:
        yield str(error)


def _addresses(wanted: RelayConfig) -> Iterator[str]:
    for host in wanted.address:
        family = socket.AF_INET6 if ipaddress.ip_address(host).version == 6 else socket.AF_INET
        try:
            with socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
                sock.bind((host, 0))
        except OSError as error:
            yield f"address: no port at {host}: {error.strerror or error}"


def _path(
    wanted: RelayConfig, present: RelayConfig, offload: Offload, machine_name: str
) -> Iterator[str]:
    """Try the kernel where it is asked for, and is not what packets take already."""
    if wanted.offload != "kernel" or offload.kernel is not None:
        return
    if present.offload == "auto":
        yield f"offload: {offload.why}"
        return
    try:
        tried = open_offload(wanted, f"{machine_name}-trial")
    except Unavailable as error:
        yield f"offload: {error}"
    else:
        if tried.kernel is not None:
            tried.kernel.close(keep=False)
