"""The hands of the core: carries out what it decided, and brings back what was asked for.

Everything here runs in the loop's thread, one event at a time: feed the core, perform every effect,
then the next.
"""

import time
import traceback
from collections.abc import Callable, Sequence
from typing import Final

import anyio
from anyio.abc import TaskGroup

from centrex.base import Flow, Instant, Unavailable
from centrex.events import Event, Field, Kind, Severity
from centrex.farm.rtpengines import Reply
from centrex.proxy.ask import Consult, Resolve
from centrex.proxy.core import Core
from centrex.proxy.media_path import MediaPath
from centrex.proxy.stateless import refuse_broken
from centrex.routing.rfc3263 import Target
from centrex.runtime.bus import Bus
from centrex.runtime.capture import CHUNK, Capture
from centrex.runtime.dns import Resolver
from centrex.runtime.flows import FlowTable
from centrex.runtime.summary import received, sent
from centrex.trace import Rule

_LOOK_S: Final = 60.0
"""The longest time between two looks at the timers."""


class Hands:
    """Performs effects; also the door that connections knock at.

    Args:
        core: Decides.
        bus: Takes events.
        resolver: Looks names up.
        flows: Is told which connections stand.
        tasks: Where look-ups run.
        changed: Called after each batch, so that registrations get written down.
        capture: Keeps what passes.

    Attributes:
        consult: Asks rtpengine, and comes back with `consulted`.
    """

    consult: Callable[[Consult], None]

    def __init__(
        self,
        core: Core,
        bus: Bus,
        resolver: Resolver,
        flows: FlowTable,
        tasks: TaskGroup,
        changed: Callable[[], None],
        capture: Capture | None = None,
    ) -> None:
        self.core, self._bus, self._resolver = core, bus, resolver
        self._receive, self._sends = core.receive, core.sends
        self._flows, self._tasks, self._changed = flows, tasks, changed
        self._capture = Capture() if capture is None else capture
        self._young = self._capture.young
        self._keep = self._young.append
        self.now: Callable[[], Instant] = time.monotonic
        self._looks_at: Instant = 0.0
        self._sooner = anyio.Event()
        self.heed()

    def heed(self) -> None:
        """See which kinds of events are wanted now; to be called when that may have changed."""
        self.core.listen(self._bus.wanted, self._bus.details)
        self._summing_up = Kind.SIP_SUMMARY in self._bus.wanted

    def take(self, data: bytes, flow: Flow) -> None:
        """Feed one message; `finish` follows after the batch. No message brings the server down."""
        if self._summing_up:
            self._tell(received, data, flow)
        now = self.now()
        try:
            self._receive(data, flow, now)
        except Exception as error:  # noqa: BLE001 - a door: a fault of ours must stay one message's
            refuse_broken(self.core, data, flow)
            self._failed(error, flow.name)
        if self._capture.on:
            self._keep((now, flow, data, tuple(self._sends)))
        if self._sends:
            self._send()

    def _tell(self, what: Callable[[bytes, Flow], Event | None], data: bytes, flow: Flow) -> None:
        """Publish a message's summary; a fault of ours in it goes no further."""
        try:
            event = what(data, flow)
        except Exception as error:  # noqa: BLE001 - a door, as in `take`
            self._failed(error, flow.name)
            return
        if event is not None:
            self._bus.publish(event)

    def _failed(self, error: Exception, source: str) -> None:
        """Tell of a fault of ours, with where it happened."""
        core = self.core
        core.statistics.drop(Rule.INTERNAL_ERROR.value)
        where = traceback.extract_tb(error.__traceback__)[-1]
        fields: dict[str, Field] = {
            "src": source,
            "error": f"{type(error).__name__}: {error}",
            "where": f"{where.filename}:{where.lineno} {where.name}",
        }
        core.events.append(Event(Kind.ERRORS, Severity.ERROR, "internal-error", fields))

    def _contained(self, work: Callable[..., None], *args: object) -> None:
        """Let the core do something; a fault of ours is told and goes no further."""
        try:
            work(*args)
        except Exception as error:  # noqa: BLE001 - a door, as in `take`
            self._failed(error, "")
        self.finish()

    def finish(self) -> None:
        """Carry out what a batch left to do."""
        core = self.core
        if core.sends:
            self._send_unasked()
        if core.relaying is not None:
            self._tell_relays(core.relaying)
        if len(self._young) >= CHUNK:
            self._capture.fold()
        if core.asks:
            self._ask()
        if core.events:
            for event in core.events:
                self._bus.publish(event)
            core.events.clear()
        if self._looks_at and core.layer.timers.armed:
            core.layer.timers.armed = False
            if core.deadline < self._looks_at:
                self._looks_at = 0.0
                self._sooner.set()
        self._changed()

    def _ask(self) -> None:
        """Have questions asked, which come back with their answers."""
        asks, self.core.asks = self.core.asks, []
        for ask in asks:
            if isinstance(ask, Resolve):
                self._tasks.start_soon(self._look_up, ask)
            else:
                self.consult(ask)

    def _tell_relays(self, relaying: MediaPath) -> None:
        """Tell relays what was sent without waiting for that; a fault of ours is told and goes no further."""
        try:
            relaying.tell(self.now())
        except Exception as error:  # noqa: BLE001 - a door, as in `take`
            self._failed(error, "")

    def _send_unasked(self) -> None:
        """Send what time, or an answer, and no message has brought about."""
        if self._capture.on:
            self._keep((self.now(), None, b"", tuple(self._sends)))
        self._send()

    def _send(self) -> None:
        sends, statistics = self._sends, self.core.statistics
        statistics.messages_out += len(sends)
        for flow, data in sends:
            try:
                flow.link.sendto(data, flow.address)
            except BlockingIOError:
                statistics.drop("send-buffer-full")
            except OSError:
                # no route, or an ICMP error for an earlier datagram: timers deal with the silence
                statistics.drop("send-failed")
            else:
                if self._summing_up:
                    self._tell(sent, data, flow)
        sends.clear()

    def consulted(self, number: int, reply: Reply | str) -> None:
        """Bring back what rtpengine answered, or words on failure."""
        self._contained(self.core.consulted, number, reply, self.now())

    async def _look_up(self, ask: Resolve) -> None:
        places: Sequence[Target] | str
        try:
            places = await self._resolver.resolve(ask.destination)
        except Unavailable as error:
            places = str(error)
        self._contained(self.core.answer, ask.id, places, self.now())

    async def keep_time(self, tick_s: float = 0.1) -> None:
        """Let timers happen, until cancelled: at most a tick late, and not looking when none is due."""
        core = self.core
        while True:
            now = self.now()
            if core.deadline <= now:
                self._contained(core.expire, now)
            await anyio.sleep(tick_s)
            now = self.now()
            if core.deadline > now + 10 * tick_s:
                core.layer.timers.armed = False
                self._sooner, self._looks_at = anyio.Event(), core.deadline
                with anyio.move_on_after(min(core.deadline - now, _LOOK_S)):
                    await self._sooner.wait()
                self._looks_at = 0.0

    # the door of connections

    def receive(self, data: bytes, flow: Flow) -> None:
        """See `centrex.runtime.connection.Door`."""
        self.take(data, flow)
        self.finish()

    def opened(self, flow: Flow) -> None:
        """See `centrex.runtime.connection.Door`."""
        self._flows.opened(flow)

    def failed(self, flow: Flow, why: str) -> None:
        """See `centrex.runtime.connection.Door`."""
        self._flows.closed(flow)
        self._contained(self.core.flow_failed, flow, self.now())

    def closed(self, flow: Flow) -> None:
        """See `centrex.runtime.connection.Door`."""
        self._flows.closed(flow)
        self._contained(self.core.flow_failed, flow, self.now())
