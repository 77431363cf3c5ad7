"""Feeds spoiled messages to a whole core without sockets, and answers what it sends, spoiled too."""

from collections import Counter, deque
from typing import Final

from centrex.base import NEVER, Flow, PeerError, Transport
from centrex.calls import CallState
from centrex.proxy.ask import Resolve
from centrex.routing.rfc3263 import Target
from centrex.sip.framing import Framer, Kind
from centrex.sip.message import parse
from tests.support.mutate import DOMAIN, METHODS, Mutator, fresh, torture
from tests.support.proxy import Proxy, request, respond

_PING_EVERY: Final = 50
_TIME_EVERY: Final = 20
_LONGEST: Final = 8192
_STATUSES: Final = (100, 180, 183, 199, 200, 202, 300, 302, 401, 404, 407, 480, 486, 500, 503, 600)
_TRUSTED: Final = "203.0.113.7"


class CoreFuzz:
    """One core under fire.

    Args:
        seed: Equal seeds do the same.
        auth: Whether the core asks for credentials.

    Attributes:
        proxy: The core and its world.
        counts: What was fed, and the status of what came back.
    """

    def __init__(self, seed: int, *, auth: bool = False) -> None:
        self.mutator = Mutator(seed)
        self.random = self.mutator.random
        self.proxy = Proxy(
            auth=auth, users=[f"user{n}" for n in range(50)], trusted=["203.0.113.0/24"]
        )
        self.counts: Counter[str] = Counter()
        self._corpus = list(torture())
        self._recent: deque[tuple[Flow, bytes]] = deque(maxlen=64)
        self._framers: dict[Flow, Framer] = {}
        self._senders = [
            self.proxy.flows.get(host, port, transport)
            for host in ("192.0.2.9", "198.51.100.77", "2001:db8::9", _TRUSTED)
            for transport, port in ((Transport.UDP, 5060), (Transport.TCP, 40001))
        ]
        phone = self.proxy.flows.get(_TRUSTED, 5060)
        for number in range(10):
            self.proxy.register(f"user{number}", phone)
        self._pings = 0

    def run(self, messages: int) -> None:
        """Feed that many spoiled messages.

        Raises:
            AssertionError: The core raised, or a ping went unanswered; tells the message.
        """
        for number in range(messages):
            flow, data = self._next()
            try:
                self._feed(flow, data)
                self._answer_asks()
            except Exception as error:
                raise AssertionError(f"message {number} from {flow.name}: {data!r}") from error
            if number % _TIME_EVERY == 0:
                self._take(self.proxy.advance(self.random.choice((0.01, 0.1, 0.3, 1.0, 6.0))))
            if number % _PING_EVERY == 0:
                self._ping()

    def _next(self) -> tuple[Flow, bytes]:
        flow, draw = self.random.choice(self._senders), self.random.random()
        other = self.random.choice(self._corpus)
        if self._recent and draw < 0.35:
            flow, data = self._reaction()
        elif draw < 0.6:
            data = self.random.choice(self._corpus)
        else:
            data = fresh(self.random.choice(METHODS), host="192.0.2.9")
        self.counts["fed"] += 1
        return flow, self.mutator.spoil(data, other) if self.random.random() < 0.9 else data

    def _reaction(self) -> tuple[Flow, bytes]:
        """Answer, or follow up, something the core has sent."""
        flow, data = self.random.choice(self._recent)
        if data.startswith(b"SIP/2.0 "):
            return flow, data  # looped back to us
        draw = self.random.random()
        if draw < 0.2:
            return flow, data
        if draw < 0.3:
            method = self.random.choice((b"CANCEL", b"ACK", b"BYE"))
            return flow, data.replace(data.split(b" ")[0], method, 2)
        extra = "Contact: <sip:phone@203.0.113.7>\n" * self.random.choice((0, 1, 3))
        return flow, respond(data, self.random.choice(_STATUSES), "Whatever", extra=extra)

    def _feed(self, flow: Flow, data: bytes) -> None:
        if not flow.reliable:
            self._take(self.proxy.receive(data, flow))
            return
        framer = self._framers.setdefault(flow, Framer(_LONGEST))
        cut = self.random.randrange(len(data) + 1)
        for piece in (data[:cut], data[cut:]):
            for frame in framer.feed(piece):
                if frame.kind is not Kind.PING:
                    self._take(self.proxy.receive(frame.data, flow))
        if framer.fault is not None or framer.pending:
            del self._framers[flow]
            if self.random.random() < 0.05:
                self.proxy.core.flow_failed(flow, self.proxy.now)
                self._take(self.proxy.taken())

    def _take(self, sent: list[tuple[Flow, bytes]]) -> None:
        for flow, data in sent:
            try:
                message = parse(data)
            except PeerError as error:
                raise AssertionError(f"the core sent rubbish: {data!r}") from error
            if message.status:
                self.counts[str(message.status)] += 1
            else:
                self.counts["forwarded"] += 1
                assert message.fault is None or b"\n" in data, data
            self._recent.append((flow, data))

    def _answer_asks(self) -> None:
        core = self.proxy.core
        asks = list(core.asks)
        core.asks.clear()
        core.events.clear()
        for ask in asks:
            assert isinstance(ask, Resolve)
            self.counts["asked"] += 1
            place = Target(self.random.choice(tuple(Transport)), "203.0.113.50", 5060, "")
            found = self.random.choice(((place, place), (place,), (), "no such domain"))
            core.answer(ask.id, found, self.proxy.now)
            self._take(self.proxy.taken())
        if core.asks:
            self._answer_asks()

    def _ping(self) -> None:
        self._pings += 1
        flow = self.proxy.flows.get("192.0.2.200", 5060)
        data = request("OPTIONS", f"sip:{DOMAIN}", flow, call_id=f"ping-{self._pings}")
        sent = self.proxy.receive(data, flow)
        assert [(to, out[:11]) for to, out in sent] == [(flow, b"SIP/2.0 200")], sent
        self.counts["pings answered"] += 1

    def rest(self) -> None:
        """Let all connections break, and all subscriptions and transactions end."""
        flows = tuple(self.proxy.flows.known.values())
        self.proxy.flows.no_tcp |= {(flow.host, flow.port) for flow in flows}
        for flow in flows:
            if flow.reliable:
                self.proxy.core.flow_failed(flow, self.proxy.now)
                self._take(self.proxy.taken())
        self.proxy.core.watchers.close(self.proxy.now)  # one may have been answered, by chance
        self._take(self.proxy.taken())
        for _ in range(50):
            self._answer_asks()
            self._take(self.proxy.advance(20.0))

    def check_bounds(self) -> None:
        """See that no table has more in it than it may."""
        core = self.proxy.core
        assert len(core.journal) <= 10_000
        assert len(core.calls) <= self.counts["fed"]
        assert len(core.layer.servers) <= self.counts["fed"]
        assert len(core.layer.clients) <= 20 * self.counts["fed"]

    def check_rest(self) -> None:
        """See that nothing waits any more; calls that are up stand, as nobody hung up."""
        core = self.proxy.core
        assert core.layer.servers == {}
        assert core.layer.clients == {}
        assert core.deadline == NEVER
        assert all(call.state is CallState.UP for call in core.calls)
        assert self.proxy.statistics.calls_now == len(core.calls)
