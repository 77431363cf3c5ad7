"""One leg of a call, spoken to in the name of its other end: acknowledged, and hung up.

What is sent is made of what the leg's own answer told: tags, target, routes, and the number its INVITE
had (RFC 3261 §12.2.1.1). It goes the way of all requests within a dialog.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from centrex.base import Flow, Instant, Local, PeerError, Transport
from centrex.calls import Call
from centrex.nat.route_token import told
from centrex.proxy import forward
from centrex.proxy.chain import WITHIN
from centrex.proxy.context import Branch, Context
from centrex.proxy.gateway_numbers import Mark, read
from centrex.sip.message import Message, parse
from centrex.sip.nameaddr import parse_name_addr
from centrex.sip.names import CALL_ID, CONTACT, CSEQ, FROM, RECORD_ROUTE, ROUTE, TO
from centrex.sip.reading import read_request, top_via
from centrex.sip.uri import SipUri, parse_uri, unescape_user
from centrex.sip.via import split_values
from centrex.trace import Decision, Rule
from centrex.transaction.key import MAGIC_COOKIE, server_key

if TYPE_CHECKING:
    from centrex.proxy.core import Core

_SERVER: Final = "server"
"""Who hangs up a leg that nobody waits for, in the journal."""
_TOO_LATE: Final = b'Reason: SIP;cause=480;text="Answered too late"'
_GAVE_UP: Final = b'Reason: SIP;cause=487;text="The caller has hung up"'
_ELSEWHERE: Final = b'Reason: SIP;cause=200;text="Call completed elsewhere"'


class _Nowhere:
    """Takes what would go back to whoever sent a request that nobody has sent."""

    def sendto(self, data: bytes, address: Any, /) -> int:
        return len(data)


NOWHERE: Final = _Nowhere()
"""The link of flows that lead to nobody."""


class Words:
    """What is said to one end of a dialog, beside the method.

    Attributes:
        call_id: The Call-ID.
        sender: The From value.
        target: The To value.
        contact: The Request-URI.
        routes: The Route values, nearest to us first.
        flow: The way there; None where the URI, or the first route, leads there.
        cseq: The number that the end in whose name it is said would give it.
        local: Our own end of the way back.
        who: Who says it in truth, for the journal.
        reason: The Reason line.
        gateway: The gateway there, where it asks who calls.
    """

    __slots__ = (
        "call_id",
        "contact",
        "cseq",
        "flow",
        "gateway",
        "local",
        "reason",
        "routes",
        "sender",
        "target",
        "who",
    )

    def __init__(
        self,
        call_id: bytes,
        *,
        sender: bytes,
        target: bytes,
        contact: bytes,
        cseq: int,
        routes: Sequence[bytes],
        flow: Flow | None,
        local: Local,
        who: str,
        reason: bytes,
        gateway: Mark | None = None,
    ) -> None:
        self.call_id, self.sender, self.target, self.contact = call_id, sender, target, contact
        self.cseq, self.routes, self.flow, self.local = cseq, routes, flow, local
        self.who, self.reason, self.gateway = who, reason, gateway


class Recorded:
    """The Record-Route values of an answer, as they lead from us to both ends (§12.1.2).

    Attributes:
        own: Our own value; empty where there is none.
        to_callee: What lies between us and the callee, nearest to us first.
        to_caller: The same on the caller's side.
    """

    __slots__ = ("_core", "own", "to_callee", "to_caller")

    def __init__(self, core: "Core", answer: Message, tags: tuple[bytes, bytes]) -> None:
        self._core = core
        values = [v for line in answer.values(RECORD_ROUTE) for v in split_values(line)]
        call_id = answer.value(CALL_ID)
        verify = core.route_tokens.verify
        mine = [n for n, value in enumerate(values) if verify(value, None, call_id, *tags)]
        self.own, self.to_callee, self.to_caller = b"", values[::-1], list[bytes]()
        if mine:
            self.own, self.to_callee = values[mine[0]], values[: mine[0]][::-1]
            self.to_caller = values[mine[-1] + 1 :]

    def way(self, known: Flow | None, *, from_caller: bool) -> Flow | None:
        """Return the flow to an end, where our own value names one, or is missing."""
        if not self.own:
            return known
        token = told(self.own, from_caller=from_caller)
        return self._core.flow_of_token(token) if token else None

    def gateway(
        self, call_id: bytes, tags: tuple[bytes, bytes], *, from_caller: bool
    ) -> Mark | None:
        """Return the gateway at an end, where it asks who calls."""
        if not self.own:
            return None
        dialog = self._core.route_tokens.verify(self.own, None, call_id, *tags)
        return read(dialog.gateway, from_caller=from_caller) if dialog is not None else None


def end(
    core: "Core",
    branch: Branch,
    answer: Message,
    now: Instant,
    *,
    reason: bytes = b"",
    why: str = "",
) -> None:
    """Acknowledge a 2xx that its caller has no use for, and hang that leg up (§13.2.2.4).

    A repetition of the 2xx is acknowledged again; one BYE is sent, which is repeated by itself.

    Args:
        core: The core.
        branch: Which it answers.
        answer: The 2xx.
        now: The time.
        reason: The BYE's Reason line; empty where it comes too late.
        why: The same in words.
    """
    ctx = branch.context
    caller, callee = answer.value(FROM), answer.value(TO)
    tags = parts(caller)[1], parts(callee)[1]
    recorded = Recorded(core, answer, tags)
    words = Words(
        ctx.call_id,
        sender=caller,
        target=callee,
        contact=contact_of(answer) or branch.target.uri,
        cseq=number_of(answer),
        routes=recorded.to_callee,
        flow=recorded.way(branch.flow, from_caller=True),
        local=ctx.flow.local,
        who=_SERVER,
        reason=reason or (_ELSEWHERE if ctx.winner else _GAVE_UP if ctx.cancelled else _TOO_LATE),
        gateway=recorded.gateway(ctx.call_id, tags, from_caller=True),
    )
    first = tags[1] not in branch.ended
    if first:
        branch.ended = (*branch.ended, tags[1])
    try:
        acknowledge(core, words, now)
    except PeerError as error:
        if first:
            core.decide(ctx, (now, Rule.LEG_LEFT, branch.target.uri, error.what))
        return
    if first:
        late = "the caller has another answer" if ctx.winner is None else "another has the call"
        core.decide(ctx, (now, Rule.LEG_ENDED, branch.target.uri, why or late))
        words.cseq += 1
        # in the call's own story its 200 would read as the call's
        bye(core, words, now, [])


def acknowledge(core: "Core", words: Words, now: Instant) -> None:
    """Send an ACK in the caller's name.

    Raises:
        PeerError: What the leg told of itself cannot be said back to it.
    """
    forward.pass_ack(core, _request(core, b"ACK", words, []), now)


def bye(
    core: "Core",
    words: Words,
    now: Instant,
    tale: list[Decision],
    *,
    ended: Call | None = None,
) -> None:
    """Send a BYE as if the other end had; what becomes of it is noted in `tale`.

    Args:
        core: The core.
        words: What it says.
        now: The time.
        tale: Where decisions are noted.
        ended: The listed call that it ends, if there is one.

    Raises:
        PeerError: As `acknowledge`.
    """
    ctx = _request(core, b"BYE", words, tale)
    ctx.ended = ended
    source = ctx.flow
    ctx.tale.append((now, Rule.REQUEST_MADE, b"BYE", words.contact, ctx.from_uri, words.who))
    assert ctx.via is not None
    key = server_key(ctx.message, ctx.via, ctx.branch, b"BYE")
    ctx.server = core.layer.open_server(key, b"BYE", source, now)
    ctx.server.user = ctx
    core.walk(ctx, WITHIN, now)


def _request(core: "Core", method: bytes, words: Words, tale: list[Decision]) -> Context:
    routes = words.routes
    lines = [
        b"%b %b SIP/2.0" % (method, words.contact),
        b"%b%b%b" % (words.local.via, MAGIC_COOKIE, core.ids.token()),
        b"Max-Forwards: 70",
        *([b"Route: " + b", ".join(routes)] if routes else ()),
        b"From: " + words.sender,
        b"To: " + words.target,
        b"Call-ID: " + words.call_id,
        b"CSeq: %d %b" % (words.cseq, method),
        *([words.reason] if method == b"BYE" else ()),
        b"Content-Length: 0",
        b"\r\n",
    ]
    message = parse(b"\r\n".join(lines))
    via, branch = top_via(message)
    for route in routes:
        parse_uri(parse_name_addr(route).uri)
    read_request(message, via)
    contact = words.contact
    ctx = Context(method, contact, _nobody(words.local, words.who), words.call_id, tale)
    ctx.message, ctx.via, ctx.branch, ctx.via_line = message, via, branch, lines[1]
    ctx.from_uri, ctx.from_tag = parts(words.sender)
    ctx.to_uri, ctx.to_tag = parts(words.target)
    ctx.uri = parse_uri(contact)
    if isinstance(ctx.uri, SipUri):
        ctx.ours, ctx.for_us = core.places.of(contact, ctx.uri)
        ctx.user = unescape_user(ctx.uri.user)
    ctx.dialog, ctx.dialog_flow, ctx.routed = True, words.flow, bool(message.at[ROUTE])
    ctx.gateway = words.gateway
    return ctx


def _nobody(local: Local, who: str) -> Flow:
    flow = Flow(Transport.UDP, local.host, local.port, address=None, link=NOWHERE, local=local)
    flow.name = who
    return flow


def contact_of(message: Message) -> bytes:
    """Return where a message's sender wants to be reached; empty where it does not tell."""
    try:
        return parse_name_addr(split_values(message.value(CONTACT))[0]).uri
    except (PeerError, IndexError):
        return b""


def number_of(message: Message) -> int:
    """Return the number in a message's CSeq."""
    return int(message.value(CSEQ).split(None, 1)[0])


def parts(value: bytes) -> tuple[bytes, bytes]:
    """Return the URI and the tag of a From or To value."""
    address = parse_name_addr(value)
    return address.uri, address.tag
