"""Keep-alives over UDP, and the question to phones whether they are there, each in its time.

Every phone behind NAT hears from us at least once in an interval, once for each path however many
users share it, so that the NAT keeps its mapping open (RFC 5626 §4.4.1 has phones do this; many do
not). It hears four octets or, where the operator wants to know who answers, an OPTIONS; other phones
are asked if he wants that too. All of it is spread over the time. Connections look after themselves.
"""

import math
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, NamedTuple

import anyio

from centrex.base import Flow, Instant, Transport
from centrex.events.statistics import Statistics
from centrex.registrar.binding import Binding
from centrex.registrar.registry import Registry

if TYPE_CHECKING:
    from centrex.proxy.core import Core

PING: Final = b"\r\n\r\n"
_TICK_S: Final = 1.0
_SHORT_TICK_S: Final = 0.1
_MANY: Final = 2000
"""Users from which on the work is done in smaller pieces."""
_SILENT_S: Final = 120.0
"""The least time between two questions to a phone that does not answer."""


class Wanted(NamedTuple):
    """What the operator wants."""

    interval: float
    """The longest silence towards a phone behind NAT, in seconds; 0 for no keep-alives."""
    by_options: bool
    """Whether it is broken by OPTIONS."""
    check_interval: float
    """How often other phones are asked, in seconds; 0 for never."""


class Asks:
    """Asks phones by way of a core.

    Args:
        core: The core.
        finish: Has sent what the core left to be sent.
    """

    def __init__(self, core: "Core", finish: Callable[[], None]) -> None:
        self._core, self._finish = core, finish

    def ask(self, user: bytes, binding: Binding, now: Instant) -> bool:
        """Ask a phone whether it is there; False where that cannot be done."""
        return self._core.contacts.ask(self._core, user, binding, now)

    def is_silent(self, binding: Binding) -> bool:
        """Whether a phone is known not to answer."""
        return self._core.contacts.is_silent(binding)

    def done(self, now: Instant, *, asking: bool) -> None:
        """Some have been asked, or none are to be."""
        self._core.contacts.asks = asking
        self._core.contacts.tick(self._core, now)
        self._finish()


class KeepAlive:
    """Goes around the registry twice in an interval, and turns to whom the next round would miss.

    Args:
        registry: Who is registered where.
        wanted: Tells what the operator wants.
        statistics: Where sends that fail are counted.
        asks: Asks phones.

    Attributes:
        sent: Keep-alives sent.
    """

    def __init__(
        self,
        registry: Registry,
        wanted: Callable[[], Wanted],
        statistics: Statistics,
        asks: Asks,
    ) -> None:
        self._registry, self._wanted, self._statistics = registry, wanted, statistics
        self._asks = asks
        self._names: list[bytes] = []
        self._next = 0
        self._began: Instant = -math.inf
        self._pinged: dict[Flow, Instant] = {}
        self._asked: dict[Flow, Instant] = {}
        self._round: tuple[Wanted, float] = (Wanted(0, False, 0), 0.0)
        self.sent = 0

    async def run(self) -> None:
        """Do what is due until cancelled."""
        while True:
            await anyio.sleep(_SHORT_TICK_S if len(self._names) > _MANY else _TICK_S)
            self.tick(time.monotonic())

    def tick(self, now: Instant) -> None:
        """Look at the share of users that is due by now."""
        wanted = self._wanted()
        asking = bool(wanted.check_interval or (wanted.interval and wanted.by_options))
        shortest = min((one for one in (wanted.interval, wanted.check_interval) if one), default=0)
        if not shortest:
            self._names, self._began = [], -math.inf
            self._asks.done(now, asking=False)
            return
        round_s = max(shortest / 2 - _TICK_S, _TICK_S / 2)
        part = (now - self._began) / round_s
        due = len(self._names) if part >= 1 else math.ceil(len(self._names) * part)
        self._round = wanted, now + round_s
        for user in self._names[self._next : due]:
            for binding in self._registry.held(user):
                self._look(user, binding, now)
        self._next = due
        if part >= 1:
            self._names, self._next, self._began = self._registry.names(), 0, now
            _forget(self._pinged, now - wanted.interval)
            _forget(self._asked, now - max(wanted.interval, wanted.check_interval, _SILENT_S))
        self._asks.done(now, asking=asking)

    def _look(self, user: bytes, binding: Binding, now: Instant) -> None:
        """Turn to a phone that was silent for too long, or would be by the next round."""
        flow = binding.flow
        if flow is None:
            return
        wanted, comes_again = self._round
        mapped = binding.natted and flow.transport is Transport.UDP and bool(wanted.interval)
        every = wanted.check_interval
        if mapped and wanted.by_options:
            every = min(every, wanted.interval) if every else wanted.interval
        if every:
            if self._asks.is_silent(binding):
                every = max(every, _SILENT_S)
            asked = max(self._asked.get(flow, -math.inf), binding.registered_at)
            if asked < comes_again - every and self._asks.ask(user, binding, now):
                self._asked[flow] = self._pinged[flow] = now
                return
        if mapped:
            heard = max(self._pinged.get(flow, -math.inf), binding.registered_at)
            if heard < comes_again - wanted.interval:
                self._ping(flow, now)

    def _ping(self, flow: Flow, now: Instant) -> None:
        self._pinged[flow] = now
        try:
            flow.link.sendto(PING, flow.address)
        except OSError:
            self._statistics.drop("keepalive-failed")
        else:
            self.sent += 1


def _forget(turned_to: dict[Flow, Instant], since: Instant) -> None:
    """Forget paths that nobody has turned to for longer than it may matter."""
    for flow in [flow for flow, at in turned_to.items() if at <= since]:
        del turned_to[flow]
