import json
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import anyio
import pytest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

from centrex.base import Unavailable
from centrex.farm.relay import Relay, RelayState
from centrex.runtime import http_server as module
from centrex.runtime.engine import Engine
from centrex.runtime.http_server import REQUEST_OCTETS, HttpServer
from centrex.runtime.media import Media
from centrex.runtime.metrics import pages
from tests.support.engine import Instance, Phone, instance
from tests.support.ports import free_port, loopback

pytestmark = pytest.mark.wire
GET = b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"


class One(Collector):
    """One figure."""

    def collect(self) -> Iterator[Metric]:
        yield GaugeMetricFamily("centrex_one", "One.", value=1)


@asynccontextmanager
async def serving(**how: float) -> AsyncIterator[tuple[str, int]]:
    address = loopback(), free_port()
    async with anyio.create_task_group() as tasks:
        await tasks.start(
            HttpServer(pages(One()), "figures", **how).serve, "{}:{}".format(*address)
        )
        yield address
        tasks.cancel_scope.cancel()


async def talk(address: tuple[str, int], *pieces: bytes) -> bytes:
    """Send pieces and return everything that comes back until the end."""
    answer = b""
    with anyio.fail_after(5):
        async with await anyio.connect_tcp(*address) as stream:
            try:
                for piece in pieces:
                    await stream.send(piece)
                async for chunk in stream:
                    answer += chunk
            except anyio.BrokenResourceError:
                pass  # it was cut, with what we sent unread
    return answer


@pytest.fixture
async def made(tmp_path: Path) -> AsyncIterator[Instance]:
    listen = f"{loopback()}:{free_port()}"
    async with instance(tmp_path, {"metrics.listen": listen}) as one:
        yield one


def samples(text: str) -> dict[str, float]:
    return {
        sample.name + "".join(f" {value}" for value in sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def with_relays(engine: Engine, *relays: Relay) -> None:
    assert isinstance(engine.media, Media)
    engine.media.farm = cast("Any", relays)


async def scrape(made: Instance) -> str:
    host, _, port = made.settings["metrics.listen"].rpartition(":")
    head, _, body = (await talk((host, int(port)), GET)).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4")
    assert f"Content-Length: {len(body)}".encode() in head
    return body.decode()


async def test_the_figures_of_an_engine_are_served(made: Instance) -> None:
    with Phone((made.host, made.port)) as phone:
        async with made.running() as engine:
            await phone.register()
            engine.statistics.drop("too-large")
            engine.statistics.drop("media-unrelayed")
            relay = Relay('frank"furt\n', 0.0)
            relay.state = RelayState.AVAILABLE
            relay.told, relay.beat = {"path": "ebpf"}, {"packets_per_s": 50}
            with_relays(engine, relay)
            text = await scrape(made)
    found = samples(text)
    assert found["centrex_registrations_active"] == 1
    assert found["centrex_registrations_total"] == 1
    assert (found["centrex_messages_total in"], found["centrex_messages_total out"]) == (1, 1)
    assert found["centrex_drops_total too-large"] == 1
    assert found["centrex_calls_unrelayed_total"] == 1
    assert found["centrex_events_total registrations"] == 1
    assert found["centrex_calls_active"] == found["centrex_calls_total"] == 0
    assert found['centrex_relay_up ebpf frank"furt\n'] == 1
    assert found['centrex_relay_packets_per_second ebpf frank"furt\n'] == 50
    assert found['centrex_relay_state frank"furt\n available'] == 1
    assert found['centrex_relay_state frank"furt\n gone'] == 0
    assert found["centrex_uptime_seconds"] > 0
    names = set(re.findall(r"^(\w+)[ {]", text, re.MULTILINE))
    assert all(name.startswith("centrex_") for name in names)
    for name in names:
        assert f"# HELP {name} " in text
        kind = "counter" if name.endswith("_total") else "gauge"
        assert f"# TYPE {name} {kind}\n" in text


async def test_the_dashboard_for_grafana_asks_for_what_there_is(made: Instance) -> None:
    file = Path(__file__).parents[2] / "docs" / "grafana.json"
    board = json.loads(file.read_text(encoding="utf-8"))
    asked = {
        name
        for panel in board["panels"]
        for target in panel["targets"]
        for name in re.findall(r"centrex_\w+", target["expr"])
    }
    async with made.running() as engine:
        relay = Relay("one", 0.0)
        relay.beat = {"peak": 1, "drops": {"empty": 1}}
        with_relays(engine, relay)
        engine.statistics.drop("any")
        there = {name.split()[0] for name in samples(await scrape(made))}
    assert asked <= there
    assert len(asked) > 12


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET /metrics?x=1 HTTP/1.0\r\n\r\n", 200),
        (b"GET / HTTP/1.1\r\n\r\n", 404),
        (b"GET /../metrics HTTP/1.1\r\n\r\n", 404),
        (b"POST /metrics HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello", 405),
        (b"nonsense\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\r\n\r\n", 400),
        (b"GET /metrics HTTP/1.1\r\nX: " + b"x" * REQUEST_OCTETS, 431),
    ],
)
async def test_each_request_gets_what_it_has_earned(request_: bytes, status: int) -> None:
    async with serving() as address:
        answer = await talk(address, request_)
    assert answer.startswith(b"HTTP/1.1 %d " % status)
    assert (b"\ncentrex_one 1.0\n" in answer) == (status == 200)


async def test_a_head_has_no_body() -> None:
    async with serving() as address:
        answer = await talk(address, b"HEAD /metr", b"ics HTTP/1.1\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200 OK")
    assert answer.endswith(b"\r\n\r\n")


async def test_who_says_nothing_is_let_go_of() -> None:
    async with serving(patience_s=0.05) as address:
        assert await talk(address, b"GET ") == b""
        assert await talk(address) == b""


async def test_few_are_served_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CONNECTIONS", 1)
    async with serving() as address, await anyio.connect_tcp(*address) as first:
        await first.send(b"GET ")
        assert await talk(address, GET) == b""
        await first.send(GET.removeprefix(b"GET "))
        assert (await first.receive()).startswith(b"HTTP/1.1 200")


async def test_an_address_that_is_taken_is_unavailable() -> None:
    async with serving() as address:
        with pytest.raises(Unavailable, match="cannot serve figures"):
            await HttpServer(pages(One()), "figures").serve("{}:{}".format(*address))


async def test_a_silent_relay_is_not_up(made: Instance) -> None:
    silent, draining = Relay("one", 0.0), Relay("two", 0.0)
    silent.state, draining.state = RelayState.SILENT, RelayState.AVAILABLE
    draining.draining = True
    async with made.running() as engine:
        with_relays(engine, silent, draining)
        found = samples(await scrape(made))
    assert found["centrex_relay_up  one"] == found["centrex_relay_up  two"] == 0
    assert found["centrex_relay_state one silent"] == 1
    assert found["centrex_relay_state two draining"] == 1
    assert found["centrex_relay_heartbeat_age_seconds  one"] > 0
