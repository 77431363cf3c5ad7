"""The figures of an engine for Prometheus, over a listener that does nothing else.

It speaks as little HTTP as a scraper needs: one bounded request a connection, a few connections at
once, each for a few seconds. What is counted is counted elsewhere; here it gets names and labels.
"""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final

import anyio
from anyio.abc import SocketStream, TaskStatus
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from centrex.base import Unavailable
from centrex.config.metrics import split_address
from centrex.farm.relay import RelayState

if TYPE_CHECKING:
    from centrex.runtime.engine import Engine

CONNECTIONS: Final = 8
"""Scrapers served at once; further ones are cut."""
REQUEST_OCTETS: Final = 8_192
"""Octets of a request; a longer one is refused."""
_PATIENCE_S: Final = 5.0
_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
_WORDS: Final = {
    200: "OK",
    400: "Bad Request",
    404: "Not Found",
    405: "Method Not Allowed",
    431: "Request Header Fields Too Large",
}

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
        yield from self._relays()

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
        layer = self._engine.core.layer
        transactions = GaugeMetricFamily(
            "centrex_transactions", "Transactions that live, by side.", labels=["side"]
        )
        transactions.add_metric(["server"], len(layer.servers))
        transactions.add_metric(["client"], len(layer.clients))
        yield transactions

    def _relays(self) -> Iterator[Metric]:
        labels = ["relay", "path"]
        up = GaugeMetricFamily(
            "centrex_relay_up",
            "Whether a media relay takes calls, by its data path.",
            labels=labels,
        )
        state = GaugeMetricFamily(
            "centrex_relay_state", "1 for the state a relay is in.", labels=["relay", "state"]
        )
        sessions = GaugeMetricFamily(
            "centrex_relay_sessions", "Calls that a relay carries for us.", labels=labels
        )
        capacity = GaugeMetricFamily(
            "centrex_relay_capacity", "Calls that a relay takes at most.", labels=labels
        )
        packets = GaugeMetricFamily(
            "centrex_relay_packets_per_second", "Packets a relay passed on.", labels=labels
        )
        heard = GaugeMetricFamily(
            "centrex_relay_heartbeat_age_seconds", "Time since a relay was heard.", labels=labels
        )
        for row in self._engine.media.listing():
            whose = [row["name"], row["path"]]
            up.add_metric(whose, int(row["state"] == RelayState.AVAILABLE.value))
            for each in RelayState:
                state.add_metric([row["name"], each.value], int(each.value == row["state"]))
            sessions.add_metric(whose, row["sessions"])
            if row["capacity"] is not None:
                capacity.add_metric(whose, row["capacity"])
            packets.add_metric(whose, float(row["packets_per_s"]))
            heard.add_metric(whose, row["heard_s"])
        yield from (up, state, sessions, capacity, packets, heard)


def _gauge(name: str, words: str, value: float) -> Metric:
    return GaugeMetricFamily(f"centrex_{name}", words, value=value)


def _counter(name: str, words: str, value: float) -> Metric:
    return CounterMetricFamily(f"centrex_{name}", words, value=value)


class MetricsServer:
    """Serves figures at `/metrics`.

    Args:
        collector: Reads them.
        patience_s: How long a connection may take in all, in seconds.
    """

    def __init__(self, collector: Collector, *, patience_s: float = _PATIENCE_S) -> None:
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(collector)
        self._patience_s = patience_s
        self._connections = 0

    async def serve(
        self, listen: str, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED
    ) -> None:
        """Serve until cancelled; started once it can be connected to.

        Args:
            listen: The address, as `[metrics] listen` has it.
            task_status: For `TaskGroup.start`.

        Raises:
            Unavailable: The address cannot be had.
        """
        host, port = split_address(listen)
        try:
            listener = await anyio.create_tcp_listener(local_host=host, local_port=port)
        except OSError as error:
            why = error.strerror or error
            raise Unavailable(f"cannot serve figures at {listen}: {why}") from error
        async with listener:
            task_status.started()
            await listener.serve(self._attend)

    async def _attend(self, stream: SocketStream) -> None:
        self._connections += 1
        try:
            async with stream:
                if self._connections > CONNECTIONS:
                    return
                with anyio.move_on_after(self._patience_s):
                    await self._answer(stream)
        except (OSError, anyio.BrokenResourceError, anyio.ClosedResourceError):
            return  # it has left
        finally:
            self._connections -= 1

    async def _answer(self, stream: SocketStream) -> None:
        request = bytearray()
        while b"\r\n\r\n" not in request and len(request) <= REQUEST_OCTETS:
            try:
                request += await stream.receive()
            except anyio.EndOfStream:
                return
        status, body = self.reply(bytes(request))
        head = (
            f"HTTP/1.1 {status} {_WORDS[status]}\r\nContent-Type: {_TYPE}\r\n"
            f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        ).encode()
        await stream.send(head if request.startswith(b"HEAD ") else head + body)

    def reply(self, request: bytes) -> tuple[int, bytes]:
        """Return status and body for the head of a request."""
        if len(request) > REQUEST_OCTETS:
            return 431, b"the request is too long\n"
        method, _, rest = request.partition(b"\r\n")[0].partition(b" ")
        target, _, version = rest.partition(b" ")
        if not version.startswith(b"HTTP/1."):
            return 400, b"this speaks HTTP/1.1\n"
        if method not in {b"GET", b"HEAD"}:
            return 405, b"only GET\n"
        if target.partition(b"?")[0] != b"/metrics":
            return 404, b"only /metrics is here\n"
        return 200, generate_latest(self._registry)
