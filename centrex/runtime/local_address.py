"""Which of our addresses the kernel would use towards a peer.

Asks by connecting a UDP socket, which sends nothing, and remembers the answer for a short while,
because routes change (a laptop moves, a line fails over) and a question costs three system calls.
It knows nothing about routers or the address others see us by.
"""

import socket
import time
from collections.abc import Callable
from typing import Final

from centrex.base import Unavailable

LIFE_S: Final = 5.0
"""How long an answer is believed."""
BOUND: Final = 4096
"""Answers remembered; beyond, all are forgotten and asked again."""
_DISCARD_PORT: Final = 9


class LocalAddresses:
    """Answers from memory while the memory is fresh.

    Args:
        clock: Monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._memo: dict[str, tuple[float, str]] = {}

    def towards(self, remote_host: str) -> str:
        """Return our numeric address on the way to a numeric one, without brackets.

        Raises:
            Unavailable: There is no route, or the address is no address.
        """
        now = self._clock()
        known = self._memo.get(remote_host)
        if known is not None and now < known[0]:
            return known[1]
        found = _ask_kernel(remote_host)
        if len(self._memo) >= BOUND:
            self._memo.clear()
        self._memo[remote_host] = (now + LIFE_S, found)
        return found


def _ask_kernel(remote_host: str) -> str:
    family = socket.AF_INET6 if ":" in remote_host else socket.AF_INET
    try:
        socket.inet_pton(family, remote_host)
        with socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as probe:
            probe.connect((remote_host, _DISCARD_PORT))
            return str(probe.getsockname()[0])
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise Unavailable(f"no way to {remote_host!r}: {why}") from error


def is_ours(host: str) -> bool:
    """Whether a numeric address is one of this machine's at which something can listen now."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as sock:
            sock.bind((host, 0))
    except OSError:
        return False
    return True


_shared: Final = LocalAddresses()


def local_address_for(remote_host: str) -> str:
    """Return which of our addresses the kernel would use towards a numeric address.

    Raises:
        Unavailable: There is no route, or the address is no address.
    """
    return _shared.towards(remote_host)
