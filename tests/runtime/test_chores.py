import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from centrex.base import Transport
from centrex.calls.table import FORGOTTEN_AFTER
from centrex.events import Event, Kind
from centrex.registrar.binding import Binding
from centrex.runtime.bus import Subscription
from centrex.runtime.chores import Chores
from tests.support.certificates import Certificates
from tests.support.engine import Instance, instance

pytestmark = pytest.mark.wire


@pytest.fixture
async def made(tmp_path: Path) -> AsyncIterator[Instance]:
    async with instance(tmp_path) as one:
        yield one


def events(news: Subscription) -> list[Event]:
    return [item[1] for item in news.drain() if isinstance(item, tuple)]


async def test_expired_registrations_are_told_and_explained(made: Instance) -> None:
    async with made.running() as engine:
        flow = engine.flows.find(Transport.UDP, "127.0.0.9", 5060)
        now = time.monotonic()
        one = Binding(
            b"sip:x", b"", q=1, expires_at=now, call_id=b"c", cseq=1, flow=flow, registered_at=0.0
        )
        engine.registry.restore(b"1001", [one])
        with engine.bus.subscribe([Kind.REGISTRATIONS]) as news:
            Chores(engine).expire(now + 2)
            (event,) = events(news)
        assert (event.name, event.call_id) == ("registration.expired", b"c")
        assert engine.registry.bindings == 0
        assert engine.journal.story(b"c")


async def test_bans_that_end_are_told_and_written(made: Instance) -> None:
    async with made.running() as engine:
        now = time.monotonic()
        engine.guard.restore([("203.0.113.9", "guessing", now + 1)], now)
        with engine.bus.subscribe([Kind.GUARD]) as news:
            Chores(engine).expire(now + 2)
            (event,) = events(news)
        assert (event.name, event.fields["why"]) == ("guard.released", "over")
        assert engine.bans._wake.is_set()


async def test_figures_are_taken_and_an_overrun_is_told(made: Instance) -> None:
    async with made.running() as engine:
        (edge,) = engine.edges.udp
        edge.overflowed = 5
        with engine.bus.subscribe([Kind.SERVER]) as news:
            Chores(engine).sample(time.monotonic())
            Chores(engine).sample(time.monotonic())
            (event,) = events(news)
        assert (event.name, event.fields) == ("network.overrun", {"dropped": 5})
        assert engine.statistics.drops["receive-buffer-full"] == 5


async def test_calls_of_which_nobody_speaks_are_over(made: Instance) -> None:
    async with made.running() as engine:
        flow = engine.flows.ports[0].flow(("127.0.0.9", 5060))
        engine.core.calls.begin(b"c", b"sip:a@x", b"sip:b@x", b"t", flow, 10.0)
        engine.statistics.call_began()
        Chores(engine).forgotten_calls(10.0 + FORGOTTEN_AFTER)
        assert len(engine.core.calls) == 1
        Chores(engine).forgotten_calls(11.0 + FORGOTTEN_AFTER)
        assert (len(engine.core.calls), engine.statistics.calls_now) == (0, 0)


async def test_certificates_are_renewed_and_spoilt_ones_told(tmp_path: Path) -> None:
    certificates = Certificates.make(tmp_path / "tls", "127.0.0.1")
    settings = {
        "network.tls_certificate": str(certificates.certificate),
        "network.tls_key": str(certificates.key),
    }
    async with instance(tmp_path, settings) as made, made.running() as engine:
        with engine.bus.subscribe([Kind.SERVER]) as news:
            Chores(engine).certificates()
            assert events(news) == []
            Certificates.make(tmp_path / "tls", "127.0.0.1")
            Chores(engine).certificates()
            assert [event.name for event in events(news)] == ["tls.renewed"]
            certificates.certificate.write_text("nothing")
            Chores(engine).certificates()
            assert [event.name for event in events(news)] == ["tls.unusable"]


async def test_a_certificate_that_ends_is_a_warning(made: Instance) -> None:
    async with made.running() as engine:
        engine.certificate._ends = time.time() + 3600
        with engine.bus.subscribe([Kind.SERVER]) as news:
            Chores(engine).certificates()
            Chores(engine).certificates()
            assert [event.name for event in events(news)] == ["tls.ending"]
        (warning,) = (await made.ask("status"))["warnings"]
        assert "in 0 days" in warning
