"""What a relay tells of itself: the figures of a heartbeat, and now and then a line for its log.

It counts nothing: the plane does, and custody knows whose sessions are whose.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Protocol

_RATES: Final = ("packets", "octets", "packets_out", "octets_out")
_SHORTEST_S: Final = 0.9
"""Rates are taken over at least this time."""
_MOST: Final = 64
"""Proxies that are told of."""
SUMMARY_S: Final = 300.0
"""How often the log has a line of figures, if they have changed."""


class Link(Protocol):
    """The link to one proxy."""

    @property
    def name(self) -> str:
        """The proxy's name; where it is, as long as that is not known."""

    @property
    def is_up(self) -> bool:
        """Whether the relay is logged in there."""


class Beats:
    """Makes heartbeats.

    Args:
        figures: Returns what was counted in all.
        owners: Returns how many sessions each proxy has, by its name.
        links: The links to the proxies.
        clock: Monotonic seconds.
        cpu: Seconds of processor time used.
    """

    def __init__(
        self,
        figures: Callable[[], Mapping[str, Any]],
        owners: Callable[[], Mapping[str, int]],
        links: Sequence[Link],
        *,
        clock: Callable[[], float] = time.monotonic,
        cpu: Callable[[], float] = time.process_time,
    ) -> None:
        self._figures, self._owners, self._links = figures, owners, links
        self._clock, self._cpu = clock, cpu
        self._at, self._before = 0.0, dict.fromkeys(_RATES, 0)
        self._rates = {f"{name}_per_s": 0 for name in _RATES}
        self._said = ""
        self._said_at = clock()

    def beat(self) -> dict[str, Any]:
        """Return the figures of a heartbeat; rates are over the time since the one before."""
        figures, now = self._figures(), self._clock()
        passed = now - self._at
        if passed >= _SHORTEST_S:
            for name in _RATES:
                grown = figures[name] - self._before[name] if self._at else 0
                self._rates[f"{name}_per_s"] = max(int(grown / passed), 0)
                self._before[name] = figures[name]
            self._at = now
        return {
            **figures,
            **self._rates,
            "dropped": sum(figures["drops"].values()),
            "cpu_ms": int(self._cpu() * 1000),
            "proxies": self._proxies(),
        }

    def _proxies(self) -> list[list[Any]]:
        """Return each proxy: its name, whether it is connected, and its sessions."""
        owners = dict(self._owners())
        rows: list[list[Any]] = [
            [link.name, link.is_up, owners.pop(link.name, 0)] for link in self._links
        ]
        rows += [[name, False, count] for name, count in owners.items()]
        return rows[:_MOST]

    def summary(self) -> str:
        """Return a line for the log; empty while there is nothing new, or it is too early."""
        now = self._clock()
        if now - self._said_at < SUMMARY_S:
            return ""
        self._said_at = now
        proxies = self._proxies()
        words = "; ".join(
            f"{name} {'is' if up else 'is not'} connected, {count} calls"
            for name, up, count in proxies
        )
        if words == self._said:
            return ""
        self._said = words
        told = self.beat()
        return (
            f"{told['sessions']} calls, {told['peak']} at most, {told['total']} in all; {words}; "
            f"in {told['packets_per_s']}, out {told['packets_out_per_s']} packets/s; "
            f"{told['dropped']} dropped, {told['refused']} calls refused"
        )
