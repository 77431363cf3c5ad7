"""The addresses of a relay, and what is told in their place: taken up as they come, left as they go.

It tells the plane and the proxies what there is now. Calls at an address that has gone are not its
business: signalling leads them elsewhere, or silence ends them.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, Protocol

from centrex.base import Unavailable
from centrex.runtime.monitor import Read
from centrex.runtime.relay.plane import Plane
from centrex.runtime.relay.ports import usable

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
        hosts: The relay's addresses.
        pairs: How many pairs of ports each has.
    """
    return max(usable(hosts) * pairs // 2, 1)


class AddressKeeper:
    """Keeps a plane's addresses those of the machine.

    Args:
        plane: The plane.
        hosts: Returns the addresses there are for media; raises `Unavailable`.
        shown: Returns what is told in place of an address; empty where it is not to be used yet.
        told: Returns who is to be told.
        report: Told in words what has changed.
    """

    def __init__(
        self,
        plane: Plane,
        hosts: Callable[[], Sequence[str]],
        *,
        shown: Callable[[str], str],
        told: Callable[[], Iterable[Told]],
        report: Callable[[str], None],
    ) -> None:
        self._plane, self._hosts, self._shown = plane, hosts, shown
        self._told, self._report = told, report
        self._said = ""

    def look(self) -> None:
        """Take over what has changed, if anything has."""
        try:
            hosts = self._hosts()
        except Unavailable as error:
            self._say(str(error))
            return
        before = self._plane.hosts
        now = {host: told for host in hosts if (told := self._shown(host))}
        if now == before:
            return
        self._plane.offer(now.items())
        for host in [host for host in now if host not in before]:
            if not self._is_usable(host):
                del now[host]
        if now != before:
            # what proxies have been lent would still be told as what it was before
            stays = {host: told for host, told in now.items() if before.get(host, told) == told}
            if stays != now:
                self._offer(stays)
            self._offer(now)
            words = [host if host == told else f"{host} ({told})" for host, told in now.items()]
            self._say(f"relaying at {', '.join(words) or 'no address at all'} from now on")
        else:
            self._plane.offer(before.items())

    def _offer(self, hosts: Mapping[str, str]) -> None:
        self._plane.offer(hosts.items())
        for side in self._told():
            side.rehosted()

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
