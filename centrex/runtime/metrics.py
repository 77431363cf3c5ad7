"""The figures of an engine for Prometheus.

What is counted is counted elsewhere; here it gets names and labels. How it is served is `http_server`.
"""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from centrex.runtime.http_server import Asked, Page, Pages, plain
from centrex.runtime.relay_metrics import families
from centrex.trace import Rule

if TYPE_CHECKING:
    from centrex.runtime.engine import Engine

_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

Now = Callable[[], float]


class Figures(Collector):
    """Reads an engine's counters whenever somebody asks.

    Args:
        engine: Whose.
        now: Tells the time (monotonic seconds).
    """

    def __init__(self, engine: "Engine", now: Now) -> None:
        self._engine, self._now = engine, now

    def collect(self) -> Iterator[Metric]:
        """Yield everything, in the library's own terms."""
        engine, figures = self._engine, self._engine.statistics
        yield _gauge(
            "uptime_seconds", "Time since the engine started.", self._now() - engine.started
        )
        yield from self._traffic()
        yield _gauge("registrations_active", "Bindings that stand.", engine.registry.bindings)
        yield _gauge("registered_users", "Users with a binding.", engine.registry.users)
        yield _counter(
            "registrations", "Bindings added and refreshed.", figures.registrations_total
        )
        yield _counter(
            "registrations_refused",
            "REGISTER requests refused, challenges aside.",
            figures.registrations_refused,
        )
        yield _gauge("calls_active", "Calls in progress.", figures.calls_now)
        yield _gauge("calls_peak", "The most that were in progress at once.", figures.calls_peak)
        yield _counter("calls", "Calls begun.", figures.calls_total)
        yield _counter("calls_failed", "Calls that ended unanswered.", figures.calls_failed)
        yield _counter(
            "calls_unrelayed",
            "Times that no relay could be had for a call.",
            figures.amiss.get(Rule.MEDIA_UNRELAYED.value, 0),
        )
        yield _counter("challenges", "401 and 407 responses sent.", figures.challenges_sent)
        yield _counter(
            "challenges_refused",
            "Requests refused for wrong credentials.",
            figures.challenges_refused,
        )
        yield _gauge("bans", "Sources that are not heard.", engine.guard.banned)
        events = CounterMetricFamily(
            "centrex_events", "Events that somebody listened to, by kind.", labels=["kind"]
        )
        for kind, count in engine.bus.counts.items():
            events.add_metric([kind.value], count)
        yield events
        yield from families(engine.media.listing())

    def _traffic(self) -> Iterator[Metric]:
        figures = self._engine.statistics
        messages = CounterMetricFamily(
            "centrex_messages", "SIP messages, by direction.", labels=["direction"]
        )
        messages.add_metric(["in"], figures.messages_in)
        messages.add_metric(["out"], figures.messages_out)
        yield messages
        yield _counter(
            "retransmissions", "Messages sent again for want of an answer.", figures.retransmissions
        )
        drops = CounterMetricFamily(
            "centrex_drops", "Messages dropped, by reason.", labels=["reason"]
        )
        for reason, count in sorted(self._engine.drops().items()):
            drops.add_metric([reason], count)
        yield drops
        amiss = CounterMetricFamily(
            "centrex_media_amiss",
            "Calls whose media are not as they should be, by what is amiss.",
            labels=["reason"],
        )
        for reason, count in sorted(figures.amiss.items()):
            amiss.add_metric([reason], count)
        yield amiss
        layer = self._engine.core.layer
        transactions = GaugeMetricFamily(
            "centrex_transactions", "Transactions that live, by side.", labels=["side"]
        )
        transactions.add_metric(["server"], len(layer.servers))
        transactions.add_metric(["client"], len(layer.clients))
        yield transactions


def _gauge(name: str, words: str, value: float) -> Metric:
    return GaugeMetricFamily(f"centrex_{name}", words, value=value)


def _counter(name: str, words: str, value: float) -> Metric:
    return CounterMetricFamily(f"centrex_{name}", words, value=value)


def pages(collector: Collector) -> Pages:
    """Return what is served: the figures at `/metrics`.

    Args:
        collector: Reads them.
    """
    registry = CollectorRegistry(auto_describe=False)
    registry.register(collector)

    def page(asked: Asked) -> Page:
        if asked.path != "/metrics":
            return plain(404, "only /metrics is here")
        return Page(200, _TYPE, generate_latest(registry))

    return page
