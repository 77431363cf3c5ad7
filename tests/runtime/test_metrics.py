import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast

import pytest
from prometheus_client.parser import text_string_to_metric_families

from centrex.farm.relay import Relay, RelayState
from centrex.runtime.engine import Engine
from centrex.runtime.media import Media
from tests.support.engine import Instance, Phone, instance
from tests.support.http import GET, talk
from tests.support.ports import free_port, loopback

pytestmark = pytest.mark.wire


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
            engine.statistics.media_amiss("media-unrelayed")
            engine.statistics.media_amiss("media-deadlock")
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
    assert "centrex_drops_total media-deadlock" not in found, "nothing was dropped"
    assert found["centrex_media_amiss_total media-deadlock"] == 1
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
