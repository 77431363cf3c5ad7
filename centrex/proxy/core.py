"""The core: messages, time and answers in; sends, questions and events out (RFC 3261 §16).

Synchronous and without I/O. Each door (`receive`, `expire`, `answer`, `flow_failed`) leaves what is
to be done in `sends`, `asks` and `events`, which the caller performs and clears before the next one.
The steps a request passes are in `chain`, the way out in `forward`, the way back in `upstream`.
"""

import zlib
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any, Final

from centrex.base import Flow, Ids, Instant, PeerError
from centrex.calls import CallTable
from centrex.events import Event, Field, Kind, Severity
from centrex.events.statistics import Statistics
from centrex.farm.rtpengines import Reply
from centrex.guard.guard import Guard
from centrex.nat import RouteTokens, amend_via
from centrex.nat.route_token import read_flow_token
from centrex.proxy import call_life, forward, refusals, short_way, stateless, upstream
from centrex.proxy.access import Access
from centrex.proxy.answer import DONE, Answer, Done
from centrex.proxy.ask import Ask
from centrex.proxy.asked import Asked
from centrex.proxy.chain import CHAIN, Step
from centrex.proxy.checks import hops_left, own_routes, syntax
from centrex.proxy.contacts import Contacts
from centrex.proxy.context import Branch, Context
from centrex.proxy.flows import Flows
from centrex.proxy.gateways import Gateways, Probe
from centrex.proxy.media_path import MediaPath
from centrex.proxy.patience import Patience
from centrex.proxy.places import Places
from centrex.proxy.routes import Routes
from centrex.proxy.serve import ABILITIES
from centrex.proxy.watchers import Watchers
from centrex.registrar.register import Options
from centrex.registrar.registry import Bindings
from centrex.routing.ours import Ours
from centrex.routing.rfc3263 import Target as Place
from centrex.sip.message import Message, parse
from centrex.sip.names import (
    CALL_ID,
    CONTENT_LENGTH,
    PROXY_REQUIRE,
    REASON,
    REQUIRE,
    ROUTE,
    VIA,
)
from centrex.sip.reading import ViaForm, read_request, read_response, top_via
from centrex.sip.response import build_response
from centrex.sip.uri import SipUri, parse_uri
from centrex.sip.usual import build_reply
from centrex.sip.via import Via, parse_via, split_values
from centrex.trace import Journal, Rule
from centrex.transaction import ClientTransaction, Timing, TransactionLayer
from centrex.transaction.key import server_key
from centrex.transaction.machine import In, State
from centrex.watching.subscription import Subscription

MAX_TRANSACTIONS: Final = 200_000
"""Server transactions beyond which requests are answered 503."""
_KEEP_ALIVE: Final = b"\r\n\0 \t"
"""What keep-alives consist of (RFC 5626 §4.4.1, and seen in use)."""
_CHALLENGED: Final = Rule.CHALLENGED
_WARNING: Final = b'Warning: 399 centrex "%b"'
_RETRY: Final = b"Retry-After: 10"


class Core:
    """One proxy and registrar.

    Args:
        ours: Which hosts are ours.
        flows: The ways out.
        registry: Who is registered where.
        registrar_name: The user part under which the server itself is addressed.
        registrar_options: How long registrations live, and how many.
        access: Who must show credentials.
        knows_user: Whether a user, unescaped, exists though nobody is registered.
        guard: The flood guard.
        route_tokens: Mints and verifies Record-Route values.
        ids: Mints branches and tags.
        journal: Where decisions are noted.
        statistics: Where things are counted.
        timing: Transaction timers.
        patience: How long targets are waited for.
        max_message: Octets of the longest message accepted.

    Attributes:
        relaying: Has media relayed; None where none ever are.
    """

    relaying: MediaPath | None = None

    def __init__(
        self,
        *,
        ours: Ours,
        flows: Flows,
        registry: Bindings,
        registrar_name: bytes,
        registrar_options: Options,
        access: Access,
        knows_user: Callable[[bytes], bool],
        guard: Guard,
        route_tokens: RouteTokens,
        ids: Ids,
        journal: Journal,
        statistics: Statistics,
        timing: Timing,
        patience: Patience,
        max_message: int,
    ) -> None:
        self.places = Places(ours, registrar_name)
        self.flows, self.registry, self.registrar_options = flows, registry, registrar_options
        self.access, self.knows_user, self.guard = access, knows_user, guard
        self.route_tokens, self.ids = route_tokens, ids
        self.journal, self.statistics = journal, statistics
        self.timing, self.patience, self.max_message = timing, patience, max_message
        self.calls = CallTable()
        self.routes = Routes()
        self.gateways, self.contacts = Gateways(), Contacts()
        self._silent = self.contacts.marked
        self.stopping = False
        self.listen(frozenset(Kind), frozenset(Kind))
        self.sends: list[tuple[Flow, bytes]] = []
        self.asks: list[Ask] = []
        self.events: list[Event] = []
        self.layer = TransactionLayer(self, self.sends, timing)
        self.watchers = Watchers(self)
        self._waiting: dict[int, Branch | Probe] = {}
        self._last_ask = 0
        self._own_tag = ids.token()[:8]

    def take_routes(self, routes: Routes, now: Instant) -> None:
        """Have calls that begin from now on go where these routes lead."""
        self.routes = routes
        self.gateways.configure(routes.gateways, now)

    def listen(self, wanted: AbstractSet[Kind], details: AbstractSet[Kind]) -> None:
        """Make events of these kinds from now on, and of those also the ones of severity DEBUG."""
        self.wanted, self.details = wanted, details
        # an enumeration's member is slow to hash, and these are asked for at every call
        self.tells_calls, self.details_calls = Kind.CALLS in wanted, Kind.CALLS in details
        self.tells_registrations = Kind.REGISTRATIONS in wanted
        self.details_registrations = Kind.REGISTRATIONS in details

    # doors

    def receive(self, data: bytes, flow: Flow, now: Instant) -> None:
        """Take in one datagram, or one message of a stream."""
        self.statistics.messages_in += 1
        if not self.guard.admit(flow.host, now):
            return
        if self._silent:
            self.contacts.lift(self, (flow.host, flow.port), now)
        if len(data) <= self.max_message:
            short = short_way.response if data[:4] == b"SIP/" else short_way.request
            if short(self, data, flow, now):
                return
        if len(data) < 5 or (data[:1] in _KEEP_ALIVE and not data.strip(_KEEP_ALIVE)):
            self.statistics.messages_in -= 1  # a keep-alive (RFC 5626 §4.4.1) is no message
            return
        try:
            message = parse(data)
        except PeerError as error:
            stateless.unreadable(self, error, flow)
            return
        if message.status:
            if len(data) > self.max_message:
                self.statistics.drop(Rule.TOO_LARGE.value)
            else:
                self._response(message, now)
        else:
            if len(data) > self.max_message:  # and cut there, so that other faults may be none
                what = f"the message is longer than {self.max_message} octets"
                message.fault = PeerError(what, rule="[network] max_message_bytes", status=513)
            self._request(message, flow, now)

    def expire(self, now: Instant) -> None:
        """Let everything happen that is due."""
        self.layer.expire(now)

    @property
    def deadline(self) -> Instant:
        """When `expire` has something to do the next time."""
        return self.layer.deadline

    def answer(self, number: int, places: Sequence[Place] | str, now: Instant) -> None:
        """Take in the answer to a `Resolve`: targets in order, or words on failure."""
        waiting = self._waiting.pop(number, None)
        if isinstance(waiting, Branch):
            forward.resolved(self, waiting, places, now)
        elif waiting is not None:
            self.gateways.resolved(self, waiting, places, now)

    def consulted(self, number: int, reply: Reply | str, now: Instant) -> None:
        """Take in rtpengine's answer to a `Consult`, or words on failure."""
        if self.relaying is not None:
            self.relaying.consulted(self, number, reply, now)

    def flow_failed(self, flow: Flow, now: Instant) -> None:
        """A connection could not be opened, or closed: what waits on it goes on without it."""
        self.layer.flow_failed(flow, now)

    def drain(self) -> None:
        """Take nothing new: requests that begin something are answered 503 from now on."""
        self.stopping = True

    def abort(self, now: Instant) -> None:
        """End what is still under way: branches are cancelled, callers get 503, watchers are told."""
        self.watchers.close(now)
        for server in tuple(self.layer.servers.values()):
            ctx = server.user
            if isinstance(ctx, Context) and not ctx.answered:
                upstream.cancel(self, ctx, [], now)
                if not ctx.answered:
                    words = "the server is being stopped"
                    self._answer(ctx, Answer(503, Rule.STOPPING, words=words, extra=(_RETRY,)), now)

    @property
    def busy(self) -> bool:
        """Whether a request still waits for its final response."""
        return any(not server.answered for server in self.layer.servers.values())

    # requests

    def _request(self, message: Message, flow: Flow, now: Instant) -> None:
        method = message.method
        try:
            via, branch = top_via(message)
            key = server_key(message, via, branch, b"INVITE" if method == b"ACK" else method)
        except PeerError as error:
            message.fault = message.fault or error.with_traceback(None)
            stateless.refuse(self, message, flow, now)
            return
        layer = self.layer
        server = layer.servers.get(key)
        if method == b"ACK":
            if server is None or layer.receive_again(server, In.ACK, now):
                self._ack(message, flow, via, branch, now)
            return
        if server is not None:
            layer.receive_again(server, In.REQUEST, now)
            return
        if method == b"OPTIONS" and self._ping(message, via, branch, flow):
            return
        lines, index = message.lines, message.at[VIA]
        lines[index] = amend_via(lines[index], via, branch, flow)
        if self.is_full:
            stateless.overloaded(self, message, flow, now)
            return
        line = lines[message.at[CALL_ID]] if message.at[CALL_ID] else b""
        call_id = line[9:] if line[:9] == b"Call-ID: " else message.value(CALL_ID)
        ctx = Context(method, message.uri, flow, call_id, self.journal.open(call_id))
        ctx.message, ctx.via, ctx.branch = message, via, branch
        if not message.repeated >> VIA & 1:
            ctx.via_line = lines[index]
        ctx.server = server = layer.open_server(key, method, flow, now)
        server.user = ctx
        if method == b"CANCEL":
            self._cancel(ctx, branch, now)
        else:
            self.walk(ctx, CHAIN, now)

    @property
    def is_full(self) -> bool:
        """Whether there is room for no further server transaction."""
        return len(self.layer.servers) >= MAX_TRANSACTIONS

    def own_tag(self, branch: bytes) -> bytes:
        """Return the To tag of an answer of which nothing is kept: the same for the same branch."""
        return b"%b%08x" % (self._own_tag, zlib.crc32(branch))

    def _ping(self, message: Message, via: ViaForm | Via, branch: bytes, flow: Flow) -> bool:
        """Answer an OPTIONS for the server itself without keeping anything of it (§8.2.7).

        Phones ping all day long. A repeated one gets the same answer, since its tag is made from the
        branch. False for one that is unusual in any way, which goes the way of all requests.
        """
        at = message.at
        if at[ROUTE] or at[REQUIRE] or at[PROXY_REQUIRE] or type(via) is not ViaForm:
            return False
        try:
            uri = parse_uri(message.uri)
            if type(uri) is not SipUri or not self.places.of(message.uri, uri)[1]:
                return False
            to_tag = read_request(message, via)[3]
        except PeerError:
            return False
        lines, index = message.lines, at[VIA]
        lines[index] = amend_via(lines[index], via, branch, flow)
        tag = b"" if to_tag else self.own_tag(branch)
        data = build_response(message, 200, to_tag=tag, extra=ABILITIES)
        self.sends.append((flow, data))
        return True

    def walk(self, ctx: Context, steps: Sequence[Step], now: Instant) -> None:
        """Take a request through some steps of the chain and, if they let it, send it on."""
        for step in steps:
            outcome = step(self, ctx, now)
            if outcome is not None:
                self.conclude(ctx, outcome, now)
                return
        if self.stopping and not ctx.dialog:
            words = "the server is being stopped"
            self._answer(ctx, Answer(503, Rule.STOPPING, words=words, extra=(_RETRY,)), now)
            return
        self._forward(ctx, now)

    def conclude(self, ctx: Context, outcome: Answer | Done, now: Instant) -> None:
        """Answer a request that goes no further, unless that was done."""
        if outcome is not DONE and isinstance(outcome, Answer):
            self._answer(ctx, outcome, now)

    def _forward(self, ctx: Context, now: Instant) -> None:
        if ctx.method == b"INVITE":
            if not ctx.to_tag:
                call_life.began(self, ctx, now)
            elif ctx.dialog:
                call_life.spoke(self, ctx, now)
        elif ctx.dialog:
            (call_life.hung_up if ctx.method == b"BYE" else call_life.spoke)(self, ctx, now)
        forward.start(self, ctx, now)

    def _ack(
        self, message: Message, flow: Flow, via: ViaForm | Via, branch: bytes, now: Instant
    ) -> None:
        ctx = Context(b"ACK", message.uri, flow, message.value(CALL_ID), [])
        ctx.message, ctx.via = message, via
        if syntax(self, ctx, now) is not None or not hops_left(message):
            self.statistics.drop(Rule.MALFORMED.value)
            return
        if ctx.to_tag == self.own_tag(branch):
            return  # of a challenge, of which nothing was kept
        own_routes(self, ctx, now)
        if not ctx.dialog:
            self.statistics.drop(Rule.STRAY_ACK.value)
            return
        index = message.at[VIA]
        message.lines[index] = amend_via(message.lines[index], via, branch, flow)
        forward.pass_ack(self, ctx, now)

    def _cancel(self, ctx: Context, branch: bytes, now: Instant) -> None:
        message = ctx.message
        refused = syntax(self, ctx, now)
        if isinstance(refused, Answer):
            self._answer(ctx, refused, now)
            return
        assert ctx.via is not None
        invite = self.layer.servers.get(server_key(message, ctx.via, branch, b"INVITE"))
        if invite is None:
            words = "there is no such call to cancel"
            self._answer(ctx, Answer(481, Rule.UNKNOWN_DIALOG, b"CANCEL", words=words), now)
            return
        self.answer_plain(ctx, 200, (), now)
        if isinstance(invite.user, Context):
            reasons = [message.lines[i] for i in message.indices(REASON)]
            upstream.cancel(self, invite.user, reasons, now)

    # responses

    def _response(self, message: Message, now: Instant) -> None:
        if message.fault is not None or not message.at[VIA]:
            self.statistics.drop(Rule.MALFORMED.value)
            return
        line = message.lines[message.at[VIA]]
        start = line.find(b";branch=") + 8
        end = line.find(b";", start)
        branch = line[start:] if end < 0 else line[start:end]
        if branch.find(b",") >= 0:
            branch = branch[: branch.find(b",")]
        client = self.layer.clients.get((branch, message.method))
        if client is None:
            client = self._find_client(message)
            if client is None:
                self.statistics.drop(Rule.STRAY_RESPONSE.value)
                return
        try:
            if line.find(b'"') >= 0:  # whoever takes our Via off will look for its end
                split_values(line[line.find(b":") + 1 :])
            read_response(message)
        except PeerError:
            self.statistics.drop(Rule.MALFORMED.value)
            return
        self.layer.receive_response(client, message, now)

    def _find_client(self, message: Message) -> ClientTransaction | None:
        """Find the transaction of a response whose Via was rewritten on its way."""
        try:
            via = parse_via(split_values(message.value(VIA))[0])
        except PeerError:
            return None
        return self.layer.clients.get((via.branch, message.method))

    # the transaction layer's user

    def on_response(self, client: ClientTransaction, response: Message, now: Instant) -> None:
        """See `TransactionUser`."""
        user = client.user
        if isinstance(user, Branch):
            upstream.on_response(self, user, response, now)
        elif isinstance(user, Subscription):
            self.watchers.answered(user, response.status, now)
        elif isinstance(user, Asked):
            user.answered(self, response.status, now)

    def on_timeout(self, client: ClientTransaction, now: Instant) -> None:
        """See `TransactionUser`."""
        self._came_to_nothing(client, 408, Rule.TARGET_SILENT, self.timing.timeout, now)

    def on_slow(self, client: ClientTransaction, now: Instant) -> None:
        """See `TransactionUser`."""
        branch = client.user
        if isinstance(branch, Branch) and not branch.over:
            self._late_trying(branch.context, now)

    def on_failure(self, client: ClientTransaction, now: Instant) -> None:
        """See `TransactionUser`."""
        why = f"{client.flow.name} cannot be reached"
        self._came_to_nothing(client, 480, Rule.TARGET_UNREACHABLE, why, now)

    def _came_to_nothing(
        self, client: ClientTransaction, status: int, rule: Rule, why: str | float, now: Instant
    ) -> None:
        user = client.user
        if isinstance(user, Branch):
            told = why if isinstance(why, str) else upstream.silence(why)
            if not user.over and not upstream.try_elsewhere(self, user, told, now):
                upstream.branch_failed(self, user, status, rule, why, now)
            return
        words = "it does not answer" if status == 408 else "it cannot be reached"
        if isinstance(user, Asked):
            user.failed(self, words, now)
        elif isinstance(user, Subscription):
            self.watchers.failed(user, words, now)

    def on_timer(self, owner: object, what: int, now: Instant) -> None:
        """See `TransactionUser`."""
        if isinstance(owner, Branch):
            _TIMERS[what](self, owner, now)
        elif isinstance(owner, Context):
            self._late_trying(owner, now)
        elif owner is self.watchers:
            self.watchers.turn(now)

    def _late_trying(self, ctx: Context, now: Instant) -> None:
        """Tell a sender whose timer E has reached T2 that its request is here (RFC 4320 §4.1)."""
        server = ctx.server
        if not ctx.answered and server is not None and server.state is State.TRYING:
            self.respond_plain(ctx, 100, now)

    # answers of our own

    def _answer(self, ctx: Context, answer: Answer, now: Instant) -> None:
        ctx.tale.append((now, answer.rule, *answer.facts))
        if answer.rule is _CHALLENGED:
            self.challenge(ctx, answer)
            return
        extra = list(answer.extra)
        if answer.words:
            extra.append(_WARNING % answer.words.replace('"', "'").encode())
        self.answer_plain(ctx, answer.status, extra, now)
        self.decide(ctx, (now, Rule.ANSWERED, answer.status, answer.words))
        refusals.note(self, ctx, answer)

    def challenge(self, ctx: Context, answer: Answer) -> None:
        """Ask for credentials once, and keep nothing of whom we do not know (§26.3.2.4)."""
        branch = ctx.branch
        tag = b"" if ctx.to_tag else self.own_tag(branch)
        if ctx.usual is not None:
            data = build_reply(ctx.usual, ctx.via_line, answer.status, tag, answer.extra)
        else:
            data = build_response(ctx.message, answer.status, to_tag=tag, extra=answer.extra)
        self.sends.append((ctx.flow, data))
        ctx.answered = True
        if ctx.server is not None:
            self.layer.abandon(ctx.server)

    def answer_plain(self, ctx: Context, status: int, extra: Sequence[bytes], now: Instant) -> None:
        """Send a final response of our own."""
        tag = b"" if ctx.to_tag else self.ids.token()
        assert ctx.server is not None
        ctx.answered = True
        if ctx.usual is not None:
            data = build_reply(ctx.usual, ctx.via_line, status, tag, extra)
        else:
            data = build_response(ctx.message, status, to_tag=tag, extra=extra)
        self.layer.respond(ctx.server, status, data, now)
        self._failed(ctx, status, now)

    def respond_plain(self, ctx: Context, status: int, now: Instant) -> None:
        """Send a 100 of our own."""
        server = ctx.server
        assert server is not None
        if ctx.usual is not None:
            data = build_reply(ctx.usual, ctx.via_line, status)
        else:
            data = build_response(ctx.message, status)
        self.layer.respond(server, status, data, now)

    def refuse(self, ctx: Context, response: Message, now: Instant) -> None:
        """Pass the best of the final responses upstream, with our Via taken off already."""
        status = response.status
        server = ctx.server
        if server is None:
            return
        lines = response.lines
        if server.flow.reliable and not response.at[CONTENT_LENGTH]:  # a stream needs it (§18.3)
            lines = [*lines, b"Content-Length: %d" % len(response.body)]
        data = b"\r\n".join(lines) + b"\r\n\r\n" + response.body
        self.layer.respond(server, status, data, now)
        if not ctx.answered:
            ctx.answered = True
            self.decide(ctx, (now, Rule.ANSWERED, status, response.lines[0][12:]))
            self._failed(ctx, status, now)

    def _failed(self, ctx: Context, status: int, now: Instant) -> None:
        """A request got a final response that is no success, or one of our own."""
        if ctx.call is not None:
            call_life.failed(self, ctx.call, ctx, status, now)
        elif self.relaying is not None and status >= 300:
            (self.relaying.refused if ctx.to_tag else self.relaying.failed)(self, ctx, now)

    # branches

    def branch_failed(
        self, branch: Branch, status: int, rule: Rule, why: str, now: Instant
    ) -> None:
        """End a branch that could not even be sent, unless a gateway's next address is left."""
        if not upstream.try_elsewhere(self, branch, why, now):
            upstream.branch_failed(self, branch, status, rule, why, now)

    def ask(self, ask: Ask, waiting: Branch | Probe) -> None:
        """Put a question whose answer a branch, or a gateway's address, waits for."""
        self._waiting[ask.id] = waiting
        self.asks.append(ask)

    def next_ask(self) -> int:
        """Return a number for a question."""
        self._last_ask += 1
        return self._last_ask

    # words for the steps

    def decide(self, ctx: Context, decision: tuple[Any, ...]) -> None:
        """Note a decision under the request's Call-ID."""
        ctx.tale.append(decision)

    def notify(
        self,
        kind: Kind,
        severity: Severity,
        name: str,
        fields: Mapping[str, Field],
        call_id: bytes = b"",
    ) -> None:
        """Tell an event, if somebody listens to its kind."""
        if kind in (self.details if severity <= Severity.DEBUG else self.wanted):
            self.tell(kind, severity, name, fields, call_id)

    def tell(
        self,
        kind: Kind,
        severity: Severity,
        name: str,
        fields: Mapping[str, Field],
        call_id: bytes = b"",
    ) -> None:
        """Tell an event that somebody listens to."""
        self.events.append(Event(kind, severity, name, fields, call_id))

    def recognise_dialog(self, ctx: Context) -> None:
        """Let a request pass as part of a call we know, though it carries no Route of ours."""
        call = self.calls.get(ctx.call_id)
        if call is None or not call.has_dialog(ctx.from_tag, ctx.to_tag):
            return
        ctx.dialog = True
        from_caller = call.caller_tag == ctx.from_tag
        flow = call.callee_flow if from_caller else call.caller_flow
        ctx.dialog_flow = None if flow is None else flow.latest

    def flow_of_token(self, token: bytes) -> Flow | None:
        """Return the flow a Record-Route value of ours remembers, if it still leads anywhere."""
        known = read_flow_token(token)
        flow = self.flows.find(*known) if known else None
        return None if flow is None else flow.latest


_TIMERS: Final[dict[int, Callable[[Core, Branch, Instant], None]]] = {
    forward.START_RESPONSE: upstream.on_silence,
    forward.RING: upstream.on_rung,
    forward.CANCEL_UNHEARD: upstream.on_cancel_unheard,
    forward.CROSSED: upstream.on_crossed,
}
