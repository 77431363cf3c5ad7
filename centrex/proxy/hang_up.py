"""Ending a call that is not ours: what an operator asks for, a proxy can only do in the ends' names.

A call that is up gets a BYE each way, made of what its INVITE and its answer told: tags, targets,
routes, and a CSeq beyond what has passed (RFC 3261 §12.2.1.1). A call that is not answered yet is
cancelled towards its targets, and its caller gets 487. It forgets nothing of a call but what it ends.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from centrex.base import Flow, Instant, Local, PeerError, Transport
from centrex.calls import Call, CallState
from centrex.nat.route_token import told
from centrex.proxy import call_life, upstream
from centrex.proxy.chain import WITHIN
from centrex.proxy.context import Context
from centrex.proxy.gateway_numbers import Mark, read
from centrex.sip.message import Message, parse
from centrex.sip.nameaddr import parse_name_addr
from centrex.sip.names import CONTACT, CSEQ, FROM, RECORD_ROUTE, ROUTE, TO
from centrex.sip.reading import top_via
from centrex.sip.uri import SipUri, parse_uri, unescape_user
from centrex.sip.via import split_values
from centrex.trace import Rule
from centrex.transaction.key import MAGIC_COOKIE, server_key

if TYPE_CHECKING:
    from centrex.proxy.core import Core

OPERATOR: Final = "operator"
"""Who ended the call, in events and in the journal."""
_REASON: Final = b'Reason: Q.850;cause=31;text="Ended by the operator"'


class _Nowhere:
    """Takes what would go back to whoever sent a request that nobody has sent."""

    def sendto(self, data: bytes, address: Any, /) -> int:
        return len(data)


NOWHERE: Final = _Nowhere()
"""The link of flows that lead to nobody."""


def hang_up(core: "Core", call: Call, now: Instant) -> None:
    """End a call: BYE both ways where it is up; otherwise CANCEL, and 487 to its caller."""
    if call.state is CallState.UP:
        _end(core, call, now)
    else:
        _refuse(core, call, now)


def _end(core: "Core", call: Call, now: Instant) -> None:
    answer = parse(call.answer)
    invite = call.invite if isinstance(call.invite, Message) else parse(call.invite)
    recorded = _values(answer, RECORD_ROUTE)
    mine = [number for number, value in enumerate(recorded) if _is_ours(core, call, value)]
    first, last = (mine[0], mine[-1]) if mine else (len(recorded), -1)
    own = recorded[first] if mine else b""
    call_life.ended(core, call, OPERATOR, now)
    callee, caller = answer.value(TO), answer.value(FROM)
    _bye(
        core,
        call,
        now,
        sender=caller,
        target=callee,
        contact=_contact(answer) or call.callee,
        cseq=max(call.caller_cseq, _number(invite)) + 1,
        # what lies between us and the callee, nearest to us first (§12.1.2)
        routes=recorded[:first][::-1],
        flow=_way(core, own, call.callee_flow, from_caller=True),
        gateway=_gateway(core, call, own),
    )
    _bye(
        core,
        call,
        now,
        sender=callee,
        target=caller,
        contact=_contact(invite) or call.caller,
        cseq=call.callee_cseq + 1,
        routes=recorded[last + 1 :] if mine else (),
        flow=_way(core, own, call.caller_flow, from_caller=False),
    )


def _bye(
    core: "Core",
    call: Call,
    now: Instant,
    *,
    sender: bytes,
    target: bytes,
    contact: bytes,
    cseq: int,
    routes: Sequence[bytes],
    flow: Flow | None,
    gateway: Mark | None = None,
) -> None:
    """Send a BYE as if the other end had: it goes the way of all requests within a dialog."""
    local = call.caller_flow.local
    lines = [
        b"BYE %b SIP/2.0" % contact,
        b"%b%b%b" % (local.via, MAGIC_COOKIE, core.ids.token()),
        b"Max-Forwards: 70",
        *([b"Route: " + b", ".join(routes)] if routes else ()),
        b"From: " + sender,
        b"To: " + target,
        b"Call-ID: " + call.call_id,
        b"CSeq: %d BYE" % cseq,
        _REASON,
        b"Content-Length: 0",
        b"\r\n",
    ]
    message = parse(b"\r\n".join(lines))
    via, branch = top_via(message)
    source = _nobody(local)
    ctx = Context(b"BYE", contact, source, call.call_id, core.journal.open(call.call_id))
    ctx.message, ctx.via, ctx.branch, ctx.via_line = message, via, branch, lines[1]
    ctx.from_uri, ctx.from_tag = _parts(sender)
    ctx.to_uri, ctx.to_tag = _parts(target)
    ctx.uri = parse_uri(contact)
    if isinstance(ctx.uri, SipUri):
        ctx.ours, ctx.for_us = core.places.of(contact, ctx.uri)
        ctx.user = unescape_user(ctx.uri.user)
    ctx.dialog, ctx.dialog_flow, ctx.routed = True, flow, bool(message.at[ROUTE])
    ctx.gateway = gateway
    ctx.tale.append((now, Rule.REQUEST, b"BYE", contact, ctx.from_uri, source.name))
    ctx.server = core.layer.open_server(
        server_key(message, via, branch, b"BYE"), b"BYE", source, now
    )
    ctx.server.user = ctx
    core.walk(ctx, WITHIN, now)


def _refuse(core: "Core", call: Call, now: Instant) -> None:
    """Cancel what rings; the caller is answered at once, whatever the targets do."""
    for server in tuple(core.layer.servers.values()):
        ctx = server.user
        if isinstance(ctx, Context) and ctx.call is call and not ctx.answered:
            ctx.cancelled, ctx.groups = True, []
            core.answer_plain(ctx, 487, (_REASON,), now)
            ctx.tale += (now, Rule.ENDED, OPERATOR), (now, Rule.ANSWERED, 487, "ended here")
            upstream.cancel_others(core, ctx, None, _REASON, now)
            return
    call_life.failed(core, call, 487, now)  # its INVITE is gone: nobody waits for an answer


def _nobody(local: Local) -> Flow:
    flow = Flow(Transport.UDP, local.host, local.port, address=None, link=NOWHERE, local=local)
    flow.name = OPERATOR
    return flow


def _way(core: "Core", own: bytes, known: Flow | None, *, from_caller: bool) -> Flow | None:
    """Return the flow to an end, where our Record-Route value names one, or is missing."""
    if not own:
        return known
    token = told(own, from_caller=from_caller)
    return core.flow_of_token(token) if token else None


def _is_ours(core: "Core", call: Call, value: bytes) -> bool:
    tags = call.caller_tag, call.callee_tag
    return core.route_tokens.verify(value, None, call.call_id, *tags) is not None


def _gateway(core: "Core", call: Call, own: bytes) -> Mark | None:
    """Return the gateway that was called, where it asks who calls."""
    tags = call.caller_tag, call.callee_tag
    dialog = core.route_tokens.verify(own, None, call.call_id, *tags) if own else None
    return read(dialog.gateway) if dialog is not None and dialog.gateway else None


def _values(message: Message, number: int) -> list[bytes]:
    return [value for line in message.values(number) for value in split_values(line)]


def _contact(message: Message) -> bytes:
    """Return where a message's sender wants to be reached; empty where it does not tell."""
    try:
        return parse_name_addr(split_values(message.value(CONTACT))[0]).uri
    except (PeerError, IndexError):
        return b""


def _number(message: Message) -> int:
    return int(message.value(CSEQ).split(None, 1)[0])


def _parts(value: bytes) -> tuple[bytes, bytes]:
    address = parse_name_addr(value)
    return address.uri, address.tag
