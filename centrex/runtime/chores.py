"""What an engine does by the clock: sample, sweep, look at certificates and at its own address."""

import time
from typing import TYPE_CHECKING, Final

import anyio

from centrex.base import ConfigError
from centrex.events import Event, Kind, Severity
from centrex.proxy import call_life
from centrex.trace import Rule

if TYPE_CHECKING:
    from centrex.runtime.engine import Engine

_CERTIFICATES_S: Final = 60
_CALLS_S: Final = 60


class Chores:
    """The chores of one engine.

    Args:
        engine: Whose.
    """

    def __init__(self, engine: "Engine") -> None:
        self._engine = engine

    async def each_second(self) -> None:
        """Do what is due, once a second, until cancelled."""
        second = 0
        while True:
            await anyio.sleep(1.0)
            second += 1
            now = time.monotonic()
            self.sample(now)
            self.expire(now)
            self._engine.core.gateways.tick(self._engine.core, now)
            self._engine.roaming.look(now)
            self._engine.precedence.insist()
            await self._engine.editing.look(now)
            if second % _CERTIFICATES_S == 0:
                self.certificates()
            if second % _CALLS_S == 0:
                self.forgotten_calls(now)
            self._engine.hands.finish()

    def sample(self, now: float) -> None:
        """Take the figures of this second, and tell where the kernel had to drop datagrams."""
        engine = self._engine
        statistics, layer = engine.statistics, engine.core.layer
        statistics.transactions_server = len(layer.servers)
        statistics.transactions_client = len(layer.clients)
        statistics.retransmissions = layer.repeated
        statistics.registrations_stand(engine.registry.bindings)
        statistics.sample(now)
        engine.capture.consider(statistics.rates(now)[2], now)
        overflowed = sum(edge.overflowed for edge in engine.edges.udp)
        if overflowed > statistics.drops.get("receive-buffer-full", 0):
            statistics.drops["receive-buffer-full"] = overflowed
            engine.say("network.overrun", Severity.WARNING, dropped=overflowed)
        for edge in engine.edges.udp:
            edge.sample()
        engine.bus.collect()
        engine.hands.heed()

    def expire(self, now: float) -> None:
        """End bans and registrations whose time is over."""
        engine = self._engine
        engine.guard.expire(now)
        engine.bans.notice()
        for event in engine.guard.take():
            engine.bus.publish(event)
        while engine.registry.deadline <= now:
            for user, binding in engine.registry.expire(now):
                engine.journal.note(binding.call_id, (now, Rule.EXPIRED, user, binding.contact))
                engine.core.watchers.expired(user, binding, now)
                fields = {"user": user, "contact": binding.contact}
                engine.bus.publish(
                    Event(
                        Kind.REGISTRATIONS,
                        Severity.INFO,
                        "registration.expired",
                        fields,
                        binding.call_id,
                    )
                )
            now = min(now, time.monotonic())

    def certificates(self) -> None:
        """Take over a renewed certificate, and warn of one that ends."""
        engine = self._engine
        try:
            renewed = engine.tls.reload_if_changed()
        except ConfigError as error:
            engine.say("tls.unusable", Severity.ERROR, why=str(error))
            renewed = False
        if renewed:
            engine.say("tls.renewed", Severity.NOTICE)
            engine.certificate.renewed()
        else:
            engine.certificate.look()

    def forgotten_calls(self, now: float) -> None:
        """Count calls as over of which nobody has spoken for very long."""
        core = self._engine.core
        for call in core.calls.forgotten(now):
            call_life.forgotten(core, call, now)
