import math
from collections.abc import AsyncIterator, Sequence
from collections.abc import Set as AbstractSet
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any, cast

import anyio
import pytest

from centrex.base import Flow, Local, Transport, Unavailable
from centrex.events import Event, Kind, Severity
from centrex.events.statistics import Statistics
from centrex.proxy.ask import Resolve
from centrex.proxy.core import Core
from centrex.routing.rfc3263 import Destination
from centrex.runtime.bus import Bus
from centrex.runtime.capture import CHUNK, Capture
from centrex.runtime.dns import Resolver
from centrex.runtime.flows import FlowTable
from centrex.runtime.hands import Hands


class ScriptedCore:
    """Does what a test has told it to, where the core would decide."""

    def __init__(self) -> None:
        self.sends: list[tuple[Flow, bytes]] = []
        self.asks: list[Resolve] = []
        self.events: list[Event] = []
        self.relaying: Any = None
        self.statistics = Statistics(0.0)
        self._deadline = math.inf
        self.told: list[tuple[Any, ...]] = []
        self.heard = anyio.Event()
        self.answers = b""
        self.wanted: AbstractSet[Kind] = frozenset()
        self.details: AbstractSet[Kind] = frozenset()
        self.layer = SimpleNamespace(timers=SimpleNamespace(armed=False))

    @property
    def deadline(self) -> float:
        return self._deadline

    @deadline.setter
    def deadline(self, deadline: float) -> None:
        self._deadline = deadline
        self.layer.timers.armed = True

    def listen(self, wanted: AbstractSet[Kind], details: AbstractSet[Kind]) -> None:
        self.wanted, self.details = wanted, details

    def receive(self, data: bytes, flow: Flow, now: float) -> None:
        self.told.append(("receive", data, flow))
        self.sends.append((flow, self.answers or b"answer to " + data))

    def answer(self, number: int, places: Sequence[Any] | str, now: float) -> None:
        self.told.append(("answer", number, places))
        self.heard.set()

    def flow_failed(self, flow: Flow, now: float) -> None:
        self.told.append(("failed", flow))

    def expire(self, now: float) -> None:
        self.told.append(("expire", now))
        self.deadline = math.inf
        self.heard.set()


class ScriptedResolver:
    """Knows one host."""

    async def resolve(self, destination: Destination) -> tuple[str, ...]:
        await anyio.lowlevel.checkpoint()
        if destination.host != "known.test":
            raise Unavailable(f"nobody knows {destination.host}")
        return ("192.0.2.7",)


class Wire:
    """Takes what is sent; raises `error` instead while there is one. Also the table of flows."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self.error: OSError | None = None
        self.told: list[tuple[str, Flow]] = []

    def sendto(self, data: bytes, address: Any, /) -> int:
        if self.error is not None:
            raise self.error
        self.sent.append(data)
        return len(data)

    def opened(self, flow: Flow) -> None:
        self.told.append(("opened", flow))

    def closed(self, flow: Flow) -> None:
        self.told.append(("closed", flow))


class Bench:
    """Hands between a scripted core and a wire."""

    def __init__(self, tasks: anyio.abc.TaskGroup) -> None:
        self.core, self.wire, self.bus = ScriptedCore(), Wire(), Bus()
        self.changed = 0
        self.capture = Capture()
        self.hands = Hands(
            cast("Core", self.core),
            self.bus,
            cast("Resolver", ScriptedResolver()),
            cast("FlowTable", self.wire),
            tasks,
            self._change,
            self.capture,
        )
        local = Local(Transport.UDP, "192.0.2.1", 5060)
        self.flow = Flow(Transport.UDP, "192.0.2.7", 5060, address=1, link=self.wire, local=local)

    def _change(self) -> None:
        self.changed += 1


@asynccontextmanager
async def at_work() -> AsyncIterator[Bench]:
    async with anyio.create_task_group() as tasks:
        yield Bench(tasks)
        tasks.cancel_scope.cancel()


async def test_what_the_core_wants_sent_is_sent_and_counted() -> None:
    async with at_work() as bench:
        bench.hands.take(b"1", bench.flow)
        bench.hands.receive(b"2", bench.flow)
        bench.hands.finish()
        assert bench.wire.sent == [b"answer to 1", b"answer to 2"]
        assert bench.core.sends == []
        assert bench.core.statistics.messages_out == 2
        assert bench.changed >= 1


async def test_relays_are_told_once_all_is_sent_and_a_fault_goes_no_further() -> None:
    async with at_work() as bench:
        told: list[list[bytes]] = []

        def tell(now: float) -> None:
            told.append(bench.wire.sent.copy())
            raise ValueError(now)

        bench.core.relaying = SimpleNamespace(tell=tell)
        bench.hands.take(b"1", bench.flow)
        assert told == []
        with bench.bus.subscribe() as news:
            bench.hands.finish()
            (event,) = (item[1] for item in news.drain() if isinstance(item, tuple))
        assert told == [[b"answer to 1"]]
        assert (event.name, event.severity) == ("internal-error", Severity.ERROR)


@pytest.mark.parametrize(
    ("error", "reason"),
    [(BlockingIOError(), "send-buffer-full"), (OSError(101, "no route"), "send-failed")],
)
async def test_a_send_that_fails_is_a_counted_drop(error: OSError, reason: str) -> None:
    async with at_work() as bench:
        bench.wire.error = error
        bench.hands.receive(b"1", bench.flow)
        bench.wire.error = None
        bench.hands.receive(b"2", bench.flow)
        assert bench.core.statistics.drops == {reason: 1}
        assert bench.wire.sent == [b"answer to 2"]


async def test_events_are_published_in_order() -> None:
    async with at_work() as bench:
        with bench.bus.subscribe() as news:
            bench.core.events += [
                Event(Kind.CALLS, Severity.INFO, name, {}) for name in ("call.a", "call.b")
            ]
            bench.hands.finish()
            names = [item[1].name for item in news.drain() if isinstance(item, tuple)]
        assert names == ["call.a", "call.b"]
        assert bench.core.events == []


async def test_each_message_is_summed_up_where_somebody_reads_it() -> None:
    invite = b"INVITE sip:x SIP/2.0\r\nCall-ID: c\r\nCSeq: 1 INVITE\r\n\r\n"
    async with at_work() as bench:
        bench.core.answers = b"SIP/2.0 100 Trying\r\nCall-ID: c\r\nCSeq: 1 INVITE\r\n\r\n"
        bench.hands.receive(invite, bench.flow)
        with bench.bus.subscribe() as news:
            bench.hands.heed()
            bench.hands.receive(invite, bench.flow)
            bench.wire.error = OSError(101, "no route")
            bench.hands.receive(invite, bench.flow)
            told = [item[1] for item in news.drain() if isinstance(item, tuple)]
            assert [(event.name, event.fields["message"]) for event in told] == [
                ("sip.received", b"INVITE"),
                ("sip.sent", 100),
                ("sip.received", b"INVITE"),
            ]
            bench.bus.enable([Kind.CALLS])
            bench.hands.heed()
            bench.hands.receive(invite, bench.flow)
            assert list(news.drain()) == []


async def test_a_fault_of_the_summary_loses_no_message(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(data: bytes, flow: Flow) -> Event:
        raise ValueError("a fault of ours")

    monkeypatch.setattr("centrex.runtime.hands.received", fail)
    monkeypatch.setattr("centrex.runtime.hands.sent", fail)
    async with at_work() as bench:
        with bench.bus.subscribe():
            bench.hands.heed()
            bench.hands.receive(b"1", bench.flow)
        assert bench.wire.sent == [b"answer to 1"]
        assert bench.core.statistics.drops == {"internal-error": 2}


async def test_the_core_learns_what_is_wanted() -> None:
    async with at_work() as bench:
        assert bench.core.wanted == {Kind.ERRORS}
        with bench.bus.subscribe([Kind.CALLS]):
            bench.hands.heed()
            assert bench.core.wanted == {Kind.CALLS, Kind.ERRORS}
            assert bench.core.details == {Kind.CALLS}
        with bench.bus.subscribe([Kind.CALLS], least=Severity.INFO):
            bench.hands.heed()
            assert bench.core.wanted == {Kind.CALLS, Kind.ERRORS}
            assert bench.core.details == set()


@pytest.mark.parametrize(
    ("host", "places"),
    [("known.test", ("192.0.2.7",)), ("other.test", "nobody knows other.test")],
)
async def test_questions_come_back_with_their_answer(host: str, places: Any) -> None:
    async with at_work() as bench:
        bench.core.asks.append(Resolve(7, Destination(host=host)))
        bench.hands.finish()
        assert bench.core.asks == []
        with anyio.fail_after(20):
            await bench.core.heard.wait()
        assert bench.core.told == [("answer", 7, places)]


async def test_the_core_hears_of_its_deadlines() -> None:
    async with anyio.create_task_group() as tasks:
        bench = Bench(tasks)
        bench.hands.now = lambda: 50.0
        bench.core.deadline = 49.0
        tasks.start_soon(bench.hands.keep_time)
        with anyio.fail_after(20):
            await bench.core.heard.wait()
        assert bench.core.told == [("expire", 50.0)]
        tasks.cancel_scope.cancel()


async def test_flows_and_core_hear_of_connections() -> None:
    async with at_work() as bench:
        flow = bench.flow
        bench.hands.opened(flow)
        bench.hands.failed(flow, "refused")
        bench.hands.closed(flow)
        assert bench.wire.told == [("opened", flow), ("closed", flow), ("closed", flow)]
        assert bench.core.told == [("failed", flow), ("failed", flow)]


async def test_what_passes_is_kept_with_what_it_brought_about() -> None:
    async with at_work() as bench:
        hands, flow, capture = bench.hands, bench.flow, bench.capture
        hands.now = lambda: 7.0
        hands.take(b"hello", flow)
        bench.core.sends.append((flow, b"again"))
        hands.finish()
        assert capture.young == [
            (7.0, flow, b"hello", ((flow, b"answer to hello"),)),
            (7.0, None, b"", ((flow, b"again"),)),
        ]
        for _ in range(CHUNK):
            hands.take(b"more", flow)
        hands.finish()
        assert capture.young == []
        assert len(capture) == CHUNK + 2


async def test_what_passes_is_not_kept_while_it_rests() -> None:
    async with at_work() as bench:
        bench.capture.on = False
        bench.hands.take(b"hello", bench.flow)
        bench.core.sends.append((bench.flow, b"again"))
        bench.hands.finish()
        assert bench.wire.sent == [b"answer to hello", b"again"]
        assert bench.capture.young == []
