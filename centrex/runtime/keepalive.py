"""Keep-alives over UDP: four octets now and then, so that a phone's NAT keeps its mapping open.

Every phone behind NAT hears from us at least once in an interval, once for each path however many
users share it, and the sends are spread over the time (RFC 5626 §4.4.1 has phones do this; many do
not). Connections look after themselves.
"""

import math
import time
from collections.abc import Callable
from typing import Final

import anyio

from centrex.base import Flow, Instant, Transport
from centrex.events.statistics import Statistics
from centrex.registrar.registry import Registry

PING: Final = b"\r\n\r\n"
_TICK_S: Final = 1.0
_SHORT_TICK_S: Final = 0.1
_MANY: Final = 2000
"""Users from which on the work is done in smaller pieces."""


class KeepAlive:
    """Goes around the registry twice in an interval, and pings whom the next round would miss.

    Args:
        registry: Who is registered where.
        interval: Tells the longest silence, in seconds; 0 for no keep-alives.
        statistics: Where sends that fail are counted.

    Attributes:
        sent: Keep-alives sent.
    """

    def __init__(
        self, registry: Registry, interval: Callable[[], float], statistics: Statistics
    ) -> None:
        self._registry, self._interval, self._statistics = registry, interval, statistics
        self._names: list[bytes] = []
        self._next = 0
        self._began: Instant = -math.inf
        self._pinged: dict[Flow, Instant] = {}
        self.sent = 0

    async def run(self) -> None:
        """Do what is due until cancelled."""
        while True:
            await anyio.sleep(_SHORT_TICK_S if len(self._names) > _MANY else _TICK_S)
            self.tick(time.monotonic())

    def tick(self, now: Instant) -> None:
        """Look at the share of users that is due by now."""
        interval = self._interval()
        if not interval:
            self._names, self._began = [], -math.inf
            return
        round_s = max(interval / 2 - _TICK_S, _TICK_S / 2)
        part = (now - self._began) / round_s
        due = len(self._names) if part >= 1 else math.ceil(len(self._names) * part)
        for user in self._names[self._next : due]:
            self._look(user, now, now + round_s - interval)
        self._next = due
        if part >= 1:
            self._names, self._next, self._began = self._registry.names(), 0, now
            if self._pinged:
                since = now - interval
                self._pinged = {flow: at for flow, at in self._pinged.items() if at > since}

    def _look(self, user: bytes, now: Instant, silent_since: Instant) -> None:
        """Ping a user's phones that were silent since before then, lest they are so for too long."""
        for binding in self._registry.held(user):
            flow = binding.flow
            if not binding.natted or flow is None or flow.transport is not Transport.UDP:
                continue
            if max(self._pinged.get(flow, -math.inf), binding.registered_at) >= silent_since:
                continue
            self._pinged[flow] = now
            try:
                flow.link.sendto(PING, flow.address)
            except OSError:
                self._statistics.drop("keepalive-failed")
            else:
                self.sent += 1
