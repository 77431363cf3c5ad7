"""Free ports and addresses on 127.0.0.0/8, for servers and phones that tests start."""

import errno
import itertools
import os
import socket

_hosts = itertools.count()


def free_port(host: str = "127.0.0.1", *, run: int = 1) -> int:
    """Return a port that is free for UDP and TCP, with the `run - 1` ports after it."""
    for _ in range(200):
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.bind((host, 0))
            first = int(probe.getsockname()[1])
        if first + run <= 65536 and all(_is_free(host, first + n) for n in range(run)):
            return first
    raise OSError(errno.EADDRINUSE, f"no {run} free ports in a row on {host}")


def loopback() -> str:
    """Return a loopback address that no other test of this process has been given."""
    number = next(_hosts)
    pid = os.getpid()
    return f"127.{1 + pid % 250}.{1 + (pid // 250 + number // 250) % 250}.{1 + number % 250}"


def _is_free(host: str, port: int) -> bool:
    for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
        with socket.socket(socket.AF_INET, kind) as probe:
            try:
                probe.bind((host, port))
            except OSError:
                return False
    return True
