"""The figures of relays for Prometheus."""

from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

from centrex.runtime.relay_metrics import families

FIGURES: dict[str, Any] = {
    "sessions": 3, "peak": 9, "total": 40, "refused": 1, "relearned": 5,
    "kernel_failures": 2, "carried": 4, "packets": 700, "packets_out": 690, "octets": 7000,
    "octets_out": 6900, "drops": {"empty": 6, "no-session": 4}, "cpu_ms": 1250,
    "ports_used": 12, "ports_leased": 1024, "ports_spare": 8, "ports_free": 900,
    "unlearned_one": 1, "unlearned_both": 2,
    "proxies": [{"name": "a", "connected": True, "sessions": 2},
                {"name": "b", "connected": False, "sessions": 1}],
}  # fmt: skip
ROW: dict[str, Any] = {
    "name": "one", "state": "available", "path": "userspace", "path_why": "no right",
    "version": "1.2", "sessions": 2, "capacity": 500, "packets_per_s": 30, "heard_s": 0.5,
    "figures": FIGURES,
}  # fmt: skip
RTPENGINE: dict[str, Any] = {
    **ROW, "name": "udp:192.0.2.5:2223", "path": "rtpengine", "path_why": "", "capacity": None,
    "figures": {"packetrate": 5},
}  # fmt: skip


class Rows(Collector):
    def __init__(self, *rows: dict[str, Any]) -> None:
        self.rows = rows

    def collect(self) -> Any:
        return families(self.rows)


def _labels(labels: dict[str, str]) -> list[str]:
    """Return the labels' values, the relay first."""
    return [labels[name] for name in sorted(labels, key=lambda name: (name != "relay", name))]


def scraped(*rows: dict[str, Any]) -> tuple[dict[str, float], dict[str, str]]:
    """Return values by name and labels, and the type of each name as it is written."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(Rows(*rows))
    text = generate_latest(registry).decode()
    values = {
        " ".join((sample.name, *_labels(sample.labels))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
    types = dict(line.split()[2:] for line in text.splitlines() if line.startswith("# TYPE"))
    return values, types


def test_all_that_a_heartbeat_tells() -> None:
    values, types = scraped(ROW)
    assert values == {
        "centrex_relay_up one userspace": 1,
        "centrex_relay_info one userspace 1.2 no right": 1,
        "centrex_relay_state one available": 1,
        "centrex_relay_state one draining": 0,
        "centrex_relay_state one silent": 0,
        "centrex_relay_state one gone": 0,
        "centrex_relay_state one refused": 0,
        "centrex_relay_sessions one userspace": 2,
        "centrex_relay_capacity one userspace": 500,
        "centrex_relay_packets_per_second one userspace": 30,
        "centrex_relay_heartbeat_age_seconds one userspace": 0.5,
        "centrex_relay_sessions_begun_total one": 40,
        "centrex_relay_refused_total one": 1,
        "centrex_relay_relearned_total one": 5,
        "centrex_relay_kernel_failures_total one": 2,
        "centrex_relay_sessions_all one": 3,
        "centrex_relay_sessions_peak one": 9,
        "centrex_relay_streams_in_kernel one": 4,
        "centrex_relay_packets_total one in": 700,
        "centrex_relay_packets_total one out": 690,
        "centrex_relay_octets_total one in": 7000,
        "centrex_relay_octets_total one out": 6900,
        "centrex_relay_drops_total one empty": 6,
        "centrex_relay_drops_total one no-session": 4,
        "centrex_relay_ports one used": 12,
        "centrex_relay_ports one leased": 1024,
        "centrex_relay_ports one spare": 8,
        "centrex_relay_ports one free": 900,
        "centrex_relay_unlearned one one": 1,
        "centrex_relay_unlearned one both": 2,
        "centrex_relay_cpu_seconds_total one": 1.25,
        "centrex_relay_proxies one": 1,
    }
    assert types == {
        name: "counter" if name.endswith("_total") else "gauge"
        for name in {key.split()[0] for key in values}
    }


def test_what_rtpengine_does_not_tell_is_left_out() -> None:
    values, _ = scraped(RTPENGINE, ROW)
    of_it = {key for key in values if "udp:192.0.2.5:2223" in key}
    assert len(of_it) == 10
    assert not any("_total" in key or "_ports" in key or "_capacity" in key for key in of_it)


def test_no_relay_no_figures() -> None:
    assert scraped()[0] == {}
