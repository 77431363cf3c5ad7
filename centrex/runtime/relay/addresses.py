"""The addresses of a relay that listens on all its machine has: taken up as they come, left as they go.

It tells the plane and the proxies what there is now. Calls at an address that has gone are not its
business: signalling leads them elsewhere, or silence ends them.
"""

import ipaddress
from collections.abc import Callable, Iterable, Sequence
from typing import Final, Protocol

from centrex.base import Unavailable
from centrex.runtime.monitor import Read
from centrex.runtime.relay.plane import Plane

EVERY_S: Final = 5
"""How often the machine is asked for its addresses."""
MOST: Final = 64
"""Addresses a relay offers; proxies take no more of one."""


class Told(Protocol):
    """Whoever is to know the relay's addresses."""

    def rehosted(self) -> None:
        """The plane has other addresses now."""


def all_addresses(read: Read) -> Sequence[str]:
    """Return the machine's addresses at which media can arrive from elsewhere, or from itself.

    Raises:
        Unavailable: The system does not tell.
    """
    held = dict.fromkeys(one.address for one in read())
    return [host for host in held if not host.startswith("fe80:")][:MOST]


def most_calls(hosts: Iterable[str], pairs: int) -> int:
    """Return how many calls of one stream the ports can serve at most: each needs two pairs.

    Args:
        hosts: The relay's addresses; those of this machine alone count only where there are no others.
        pairs: How many pairs of ports each has.
    """
    own = [ipaddress.ip_address(host.partition("%")[0]).is_loopback for host in hosts]
    usable = own.count(False) or len(own)
    return max(usable * pairs // 2, 1)


class AddressKeeper:
    """Keeps a plane's addresses those of the machine.

    Args:
        plane: The plane.
        read: Returns the machine's addresses.
        shown: Returns what is told in place of an address.
        told: Returns who is to be told.
        report: Told in words what has changed.
    """

    def __init__(
        self,
        plane: Plane,
        read: Read,
        *,
        shown: Callable[[str], str],
        told: Callable[[], Iterable[Told]],
        report: Callable[[str], None],
    ) -> None:
        self._plane, self._read, self._shown = plane, read, shown
        self._told, self._report = told, report
        self._said = ""

    def look(self) -> None:
        """Take over what has changed, if anything has."""
        try:
            now = all_addresses(self._read)
        except Unavailable as error:
            self._say(str(error))
            return
        before = self._plane.hosts
        if set(now) == set(before):
            return
        fresh = [host for host in now if host not in before]
        self._plane.offer((host, self._shown(host)) for host in now)
        for host in fresh:
            if not self._is_usable(host):
                now = [other for other in now if other != host]
        self._plane.offer((host, self._shown(host)) for host in now)
        if self._plane.hosts == before:
            return
        for side in self._told():
            side.rehosted()
        self._say(f"relaying at {', '.join(now) or 'no address at all'} from now on")

    def _is_usable(self, host: str) -> bool:
        """Whether a port can be opened there; an address may need a moment until that is so."""
        try:
            self._plane.free(self._plane.lease(host, 1))
        except Unavailable as error:
            self._say(str(error))
            return False
        return True

    def _say(self, words: str) -> None:
        """Report what is new, and not every few seconds the same."""
        if words != self._said:
            self._said = words
            self._report(words)
