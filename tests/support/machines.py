"""A transaction layer by itself: a user that remembers, flows that lead nowhere, and time as a number."""

from collections.abc import Iterator

from centrex.base import Flow, Transport
from centrex.sip.message import Message, parse
from centrex.sip.via import parse_via
from centrex.transaction import ClientTransaction, ServerTransaction, Timing, TransactionLayer
from centrex.transaction.key import server_key
from centrex.transaction.machine import In, State, Table
from tests.support.proxy import FakeFlows, request, respond

Told = tuple[str, object]


class Bench:
    """A layer, its user, and what came of both."""

    def __init__(self, timing: Timing | None = None) -> None:
        self.now = 100.0
        self.told: list[Told] = []
        self.sends: list[tuple[Flow, bytes]] = []
        self.layer = TransactionLayer(self, self.sends, timing or Timing())
        flows = FakeFlows()
        self.udp = flows.get("192.0.2.7", 5060)
        self.tcp = flows.get("192.0.2.7", 5070, Transport.TCP)

    def on_response(self, client: ClientTransaction, response: Message, now: float) -> None:
        self.told.append(("response", response.status))

    def on_timeout(self, client: ClientTransaction, now: float) -> None:
        self.told.append(("timeout", round(now - 100, 3)))

    def on_slow(self, client: ClientTransaction, now: float) -> None:
        self.told.append(("slow", round(now - 100, 3)))

    def on_failure(self, client: ClientTransaction, now: float) -> None:
        self.told.append(("failure", client.flow))

    def on_timer(self, owner: object, what: int, now: float) -> None:
        self.told.append(("timer", what))

    def ask(self, method: str, *, reliable: bool = False, branch: str = "") -> ClientTransaction:
        """Open a client transaction."""
        flow = self.tcp if reliable else self.udp
        data = request(method, "sip:bob@192.0.2.7", flow, branch=branch or "z9hG4bKc")
        key = (parse_via(parse(data).value(1)).branch, method.encode())
        return self.layer.open_client(key, data, flow, "user", self.now)

    def hear(self, client: ClientTransaction, status: int, to_tag: str = "b") -> None:
        """Feed a response."""
        data = respond(client.request or _anything(client), status, to_tag=to_tag)
        self.layer.receive_response(client, parse(data), self.now)

    def serve(self, method: str, *, reliable: bool = False) -> ServerTransaction:
        """Open a server transaction."""
        flow = self.tcp if reliable else self.udp
        message = parse(request(method, "sip:bob@example.com", flow, branch="z9hG4bKs"))
        via = parse_via(message.value(1))
        key = server_key(message, via, via.branch, method.encode())
        return self.layer.open_server(key, message.method, flow, self.now)

    def say(self, server: ServerTransaction, status: int) -> bool:
        """Respond."""
        return self.layer.respond(server, status, b"SIP/2.0 %d X" % status, self.now)

    def advance(self, seconds: float) -> list[float]:
        """Let time pass; return when something was sent, in seconds since the beginning."""
        end, when = self.now + seconds, []
        while self.layer.deadline <= end:
            self.now = max(self.now, self.layer.deadline)
            before = len(self.sends)
            self.layer.expire(self.now)
            assert self.layer.deadline > self.now
            when += [round(self.now - 100, 3)] * (len(self.sends) - before)
        self.now = end
        return when

    @property
    def empty(self) -> bool:
        """Whether nothing is left in any table."""
        layer = self.layer
        return not (layer.servers or layer.clients or layer._by_stream or len(layer.timers))


def _anything(client: ClientTransaction) -> bytes:
    return request(client.key[1].decode(), "sip:bob@192.0.2.7", client.flow, branch="z9hG4bKc")


def moves(table: Table) -> dict[tuple[str, str], str]:
    """Return a table as names: (state, input) to the next state."""
    return {(state.name, event.name): entry[0].name for (state, event), entry in table.items()}


def pairs() -> Iterator[tuple[State, In]]:
    """Return every state with every input."""
    for state in State:
        for event in In:
            yield state, event
