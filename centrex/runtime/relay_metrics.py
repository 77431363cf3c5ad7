"""The figures of media relays for Prometheus: names, labels and types of what their heartbeats tell.

What a relay does not tell, as rtpengine does not tell some of it, is left out for that relay.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from centrex.farm.relay import RelayState

_COUNTERS: Final = (
    ("sessions_begun", "total", "Calls a relay has taken on, of all its proxies."),
    ("refused", "refused", "Calls a relay could not serve."),
    ("relearned", "relearned", "Times an end was found to send from elsewhere."),
    ("kernel_failures", "kernel_failures", "Times the kernel did not do what a relay asked for."),
)
_GAUGES: Final = (
    ("sessions_all", "sessions", "Calls a relay carries, of all its proxies."),
    ("sessions_peak", "peak", "The most calls a relay carried at once, of all its proxies."),
    (
        "streams_in_kernel",
        "carried",
        "Streams that the kernel carries for a relay, each direction.",
    ),
)
_FLOWS: Final = (("in", ""), ("out", "_out"))
_PORTS: Final = ("used", "leased", "spare", "free")


def families(rows: Iterable[Mapping[str, Any]]) -> Iterator[Metric]:
    """Yield the figures of relays, in the library's own terms.

    Args:
        rows: The relays, as they are listed.
    """
    listed = list(rows)
    yield from _of_the_listing(listed)
    yield from _of_the_heartbeats(listed)


def _of_the_listing(rows: list[Mapping[str, Any]]) -> Iterator[Metric]:
    labels = ["relay", "path"]
    up = _gauge("up", "Whether a media relay takes calls, by its data path.", *labels)
    info = _gauge(
        "info", "1; the data path of a relay, why it is no better one, and its version.",
        "relay", "path", "why", "version",
    )  # fmt: skip
    state = _gauge("state", "1 for the state a relay is in.", "relay", "state")
    sessions = _gauge("sessions", "Calls that a relay carries for us.", *labels)
    capacity = _gauge("capacity", "Calls that a relay takes at most.", *labels)
    packets = _gauge("packets_per_second", "Packets a relay took in.", *labels)
    heard = _gauge("heartbeat_age_seconds", "Time since a relay was heard.", *labels)
    for row in rows:
        whose = [row["name"], row["path"]]
        up.add_metric(whose, int(row["state"] == RelayState.AVAILABLE.value))
        info.add_metric([*whose, row["path_why"], row.get("version", "")], 1)
        for each in RelayState:
            state.add_metric([row["name"], each.value], int(each.value == row["state"]))
        sessions.add_metric(whose, row["sessions"])
        if row["capacity"] is not None:
            capacity.add_metric(whose, row["capacity"])
        packets.add_metric(whose, float(row["packets_per_s"]))
        heard.add_metric(whose, row["heard_s"])
    yield from (up, info, state, sessions, capacity, packets, heard)


def _of_the_heartbeats(rows: list[Mapping[str, Any]]) -> Iterator[Metric]:
    told = [(row["name"], row["figures"]) for row in rows if "peak" in row["figures"]]
    for name, key, words in _COUNTERS:
        counter = _counter(name, words, "relay")
        for relay, figures in told:
            counter.add_metric([relay], figures.get(key, 0))
        yield counter
    for name, key, words in _GAUGES:
        gauge = _gauge(name, words, "relay")
        for relay, figures in told:
            gauge.add_metric([relay], figures.get(key, 0))
        yield gauge
    for what in ("packets", "octets"):
        flow = _counter(what, f"Media {what} through a relay, by direction.", "relay", "direction")
        for relay, figures in told:
            for direction, suffix in _FLOWS:
                flow.add_metric([relay, direction], figures.get(f"{what}{suffix}", 0))
        yield flow
    yield from _by_kind(told)


def _by_kind(told: list[tuple[str, Mapping[str, Any]]]) -> Iterator[Metric]:
    drops = _counter("drops", "Media packets a relay dropped, by reason.", "relay", "reason")
    ports = _gauge(
        "ports", "A relay's ports: used by calls, leased ahead, spare or free.", "relay", "state"
    )
    waits = _gauge(
        "unlearned", "Calls of which one side, or both, was not heard yet.", "relay", "sides"
    )
    cpu = _counter("cpu_seconds", "Processor time a relay's process has used.", "relay")
    proxies = _gauge("proxies", "Proxies a relay is logged in at.", "relay")
    for relay, figures in told:
        for reason, count in sorted(figures.get("drops", {}).items()):
            drops.add_metric([relay, reason], count)
        for kind in _PORTS:
            ports.add_metric([relay, kind], figures.get(f"ports_{kind}", 0))
        for sides in ("one", "both"):
            waits.add_metric([relay, sides], figures.get(f"unlearned_{sides}", 0))
        cpu.add_metric([relay], figures.get("cpu_ms", 0) / 1000)
        connected = sum(bool(proxy["connected"]) for proxy in figures.get("proxies", ()))
        proxies.add_metric([relay], connected)
    yield from (drops, ports, waits, cpu, proxies)


def _gauge(name: str, words: str, *labels: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"centrex_relay_{name}", words, labels=labels)


def _counter(name: str, words: str, *labels: str) -> CounterMetricFamily:
    return CounterMetricFamily(f"centrex_relay_{name}", words, labels=labels)
