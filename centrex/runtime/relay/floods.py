"""Ends that send more than any phone does: nothing is read from them for a moment.

What goes in a circle through several relays comes back as fast as they and the network allow, and who
means harm may send as fast. What arrives meanwhile waits at the socket, and the kernel drops the rest,
which costs the other calls nothing. It knows sessions and their ports; which sockets are read is for
`passing`.
"""

from collections.abc import Callable
from typing import Final

from centrex.base import Instant
from centrex.runtime.relay.held import Held
from centrex.runtime.relay.ports import Pair, Port

MOST: Final = 10_000
"""Packets a second of one end, in one media line: several times those of the largest picture."""
_WORDS: Final = "{} sends more than {:,} packets a second; nothing of it passes for a while"
_REST_S: Final = 1.0
"""How long nothing is read then."""


class Floods:
    """The ends of a relay that send too much.

    Args:
        mute: Has a port read no longer, or, with False, read again.
        tell: Tells what is amiss with a session: its name, the kind, and words.
    """

    def __init__(
        self, mute: Callable[[Port, bool], None], tell: Callable[[str, str, str], None]
    ) -> None:
        self._mute, self._tell = mute, tell
        self._until: dict[Port, Instant] = {}

    def watch(self, held: Held, pair: Pair, now: Instant) -> bool:
        """See how much has come from an end since the last time; to be called about every second.

        Returns:
            Whether that was too much: then it is not read for a while, and told once.
        """
        rtp, rtcp = self._is_flooded(pair.rtp, now), self._is_flooded(pair.rtcp, now)
        if not (rtp or rtcp):
            return False
        news = held.watch.once("flood", _WORDS.format(held.name_of(pair), MOST))
        if news is not None:
            self._tell(held.session.id, *news)
        return True

    def _is_flooded(self, port: Port, now: Instant) -> bool:
        came, passed = port.packets - port.seen, now - port.looked_at
        port.seen, port.looked_at = port.packets, now
        if came <= MOST * max(passed, 1.0) or port.carried or port in self._until:
            return False
        self._until[port] = now + _REST_S
        self._mute(port, True)
        return True

    def relieve(self, now: Instant) -> None:
        """Read those again that have rested."""
        if self._until:
            for port in [port for port, until in self._until.items() if until <= now]:
                self.forget(port)

    def forget(self, port: Port) -> None:
        """A port is read again, or serves its call no longer."""
        if self._until.pop(port, None) is not None:
            self._mute(port, False)
