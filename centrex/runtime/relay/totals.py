"""What a relay has counted in all: of ports that serve a call, and of those that did.

It adds up; what is counted of one port is counted there, where its packets pass.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from centrex.runtime.relay.held import Held
from centrex.runtime.relay.ports import Pair, Port

_NAMES = ("packets", "octets", "packets_out", "octets_out", "relearned")


class Totals:
    """The figures of a relay.

    Attributes:
        sessions: Sessions that began.
        peak: The most there were at once.
        refused: Sessions that could not be served.
    """

    __slots__ = ("_counts", "_drops", "peak", "refused", "sessions")

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._drops: Counter[str] = Counter()
        self.sessions = self.peak = self.refused = 0

    def take(self, port: Port) -> None:
        """Keep what was counted of a port that is closed, or serves another call from now on."""
        if port.packets or port.sent or port.drops:  # most have seen no RTCP
            _add(port, self._counts, self._drops)

    def copy(self) -> "Totals":
        """Return what is counted now, for somebody who adds to it at his leisure."""
        other = Totals()
        other._counts, other._drops = self._counts.copy(), self._drops.copy()
        other.sessions, other.peak = self.sessions, self.peak
        other.refused = self.refused
        return other

    def figures(
        self, pairs: Iterable[Pair], held: Iterable[Held], everything: int
    ) -> Mapping[str, Any]:
        """Return all that is counted; to be asked of a copy that was made when both lists were.

        Args:
            pairs: The pairs of ports that are open.
            held: The sessions there are.
            everything: How many pairs there are in all, open or not.
        """
        counts, drops = self._counts.copy(), self._drops.copy()
        used = leased = spare = unlearned = carried = 0
        for pair in pairs:
            serves = pair.rtp.owner is not None
            used += serves
            spare += pair.spare
            leased += not serves and not pair.spare
            _add(pair.rtp, counts, drops)
            _add(pair.rtcp, counts, drops)
            if serves:
                unlearned += pair.rtp.latch.source is None
                carried += pair.rtp.carried
        sides = Counter(one.unlearned_sides() for one in held)
        return {
            "sessions": sum(sides.values()),
            "peak": self.peak,
            "total": self.sessions,
            **{name: counts[name] for name in _NAMES},
            "drops": dict(drops),
            "unlearned": unlearned,
            "unlearned_one": sides[1],
            "unlearned_both": sides[2],
            "carried": carried,
            "ports_used": 2 * used,
            "ports_leased": 2 * leased,
            "ports_spare": 2 * spare,
            "ports_free": max(2 * (everything - used - leased - spare), 0),
            "refused": self.refused,
        }


def _add(port: Port, counts: Counter[str], drops: Counter[str]) -> None:
    counts["packets"] += port.packets
    counts["octets"] += port.octets
    counts["packets_out"] += port.sent
    counts["octets_out"] += port.octets - port.unsent
    counts["relearned"] += port.latch.relearned
    if port.drops:
        drops.update(port.drops.copy())
