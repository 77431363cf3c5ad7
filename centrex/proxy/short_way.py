"""The short way of messages of the usual form: what the chain would find out, from one match.

A request that matches `sip.usual.REQUEST` is well-formed, has hops left, demands nothing and holds at
most one Route value; where that is ours and proves the dialog, all that is left to decide is who sent
it and where it goes, and those steps are the chain's own. A response that matches and brings back the
Via we passed on goes upstream without having been taken apart. Everything else is left, untouched,
to the long way; both must do the same, and tests hold them against each other.
"""

from typing import TYPE_CHECKING, Final, TypeAlias

from centrex.base import Flow, Instant
from centrex.nat.route_token import told
from centrex.proxy import forward, upstream
from centrex.proxy.answer import Answer, Outcome
from centrex.proxy.chain import ENDING, WITHIN
from centrex.proxy.context import Branch, Context
from centrex.proxy.identify import challenge_at_once, identify
from centrex.proxy.named import user_of
from centrex.proxy.other_end import BEGINNING
from centrex.proxy.serve import ABILITIES
from centrex.sip.uri import SipUri, parse_uri
from centrex.sip.usual import REQUEST, RESPONSE, Found, build_reply, via_line
from centrex.trace import Rule
from centrex.transaction.key import ServerKey
from centrex.transaction.machine import In

if TYPE_CHECKING:
    from centrex.proxy.core import Core

OtherEnd: TypeAlias = tuple[Flow | None] | None
"""The flow to a dialog's other end, None where its URI leads there; None for no dialog."""

_REQUEST: Final = Rule.REQUEST
_CHALLENGED: Final = Rule.CHALLENGED
_AGAIN: Final = In.REQUEST
_ACK: Final = In.ACK


def request(core: "Core", data: bytes, flow: Flow, now: Instant) -> bool:
    """Take a request in, or return False and have done nothing."""
    found = REQUEST.match(data)
    if found is None:
        return False
    ends = found.end()
    method, from_tag, to_tag, call_id, length, sent_by, branch, route = found.group(
        1, 8, 11, 12, 14, 20, 24, 27
    )
    if int(length) != len(data) - ends or data.find(b"..", 0, ends) >= 0 or method == b"CANCEL":
        return False
    other_end: OtherEnd = None
    if route is not None:
        other_end = _other_end(core, call_id, from_tag, to_tag, route, flow)
        if other_end is None or (other_end[0] is None and method in BEGINNING):
            return False  # in a dialog, where such a request leads must be looked at
    elif to_tag is not None:
        # the ACK of a challenge, of which nothing was kept, ends here
        return bool(method == b"ACK" and to_tag == core.own_tag(branch))
    if method == b"ACK":
        if other_end is None:
            return False
        return _ack(core, found, flow, (branch, sent_by, b"INVITE"), other_end[0], now)
    key = (branch, sent_by, method)
    server = core.layer.servers.get(key)
    if server is not None:
        core.layer.receive_again(server, _AGAIN, now)
        return True
    return _new(core, found, flow, key, other_end, now)


def _ack(
    core: "Core", found: Found, flow: Flow, key: ServerKey, other_end: Flow | None, now: Instant
) -> bool:
    """Pass the ACK of a 2xx on."""
    server = core.layer.servers.get(key)
    if server is not None and not core.layer.receive_again(server, _ACK, now):
        return True
    uri, from_tag, to_tag, call_id = found.group(2, 8, 11, 12)
    via = via_line(found, flow)
    if forward.pass_usual_ack(core, found, uri, via, other_end):
        return True
    ctx = Context(b"ACK", uri, flow, call_id, [])
    ctx.usual, ctx.via_line = found, via
    ctx.from_tag, ctx.to_tag = from_tag or b"", to_tag
    ctx.dialog, ctx.dialog_flow = True, other_end
    forward.pass_ack(core, ctx, now)
    return True


def _new(
    core: "Core", found: Found, flow: Flow, key: ServerKey, other_end: OtherEnd, now: Instant
) -> bool:
    """Take in what belongs to no transaction yet."""
    method, uri, user, host, port, from_uri, from_tag, to_uri, to_tag, call_id, route = found.group(
        1, 2, 3, 4, 5, 7, 8, 10, 11, 12, 27
    )
    places = core.places
    ours = places.ours.has(host, int(port) if port else 0)
    for_us = ours and (not user or user.lower() == places.registrar_name)
    if method == b"OPTIONS" and for_us and route is None:
        return _ping(core, found, flow)
    if uri.find(b";lr") >= 0 or core.is_full:
        return False
    if other_end is None and challenge_at_once(core, found, flow, for_us=for_us, now=now):
        return True
    ctx = Context(method, uri, flow, call_id, core.journal.open(call_id))
    ctx.usual, ctx.via_line = found, via_line(found, flow)
    ctx.ours, ctx.for_us = ours, for_us
    ctx.user = _user_of(core, uri, now) if uri.find(b";user=") >= 0 else user or b""
    ctx.from_uri, ctx.from_tag, ctx.to_uri = from_uri, from_tag or b"", to_uri
    if not for_us:
        ctx.loop_hash = forward.usual_loop_hash(uri, route, call_id)
    ctx.tale.append((now, _REQUEST, method, uri, from_uri, flow.name))
    outcome: Outcome = None
    steps = ENDING
    if other_end is not None:
        ctx.to_tag, ctx.dialog, ctx.dialog_flow = to_tag, True, other_end[0]
        if method != b"REGISTER":
            steps = WITHIN
    if steps is ENDING:
        outcome = identify(core, ctx, now)
        if isinstance(outcome, Answer) and outcome.rule is _CHALLENGED:
            ctx.branch = key[0]
            core.conclude(ctx, outcome, now)
            return True
    ctx.server = server = core.layer.open_server(key, method, flow, now)
    server.user = ctx
    if outcome is not None:
        core.conclude(ctx, outcome, now)
    else:
        core.walk(ctx, steps, now)
    return True


def _user_of(core: "Core", raw: bytes, now: Instant) -> bytes:
    """Return whom a Request-URI names that may be a number (`user=phone`)."""
    uri = parse_uri(raw)
    assert isinstance(uri, SipUri)  # it is of the usual form
    return user_of(core, uri, now)


def _other_end(
    core: "Core",
    call_id: bytes,
    from_tag: bytes | None,
    to_tag: bytes | None,
    route: bytes,
    flow: Flow,
) -> OtherEnd:
    """Return the flow to a dialog's other end, where one is needed; None if nothing proves a dialog.

    A call that is known has its Record-Route value with it; otherwise the cookie is reckoned.
    """
    if not to_tag:
        return None
    call = core.calls.get(call_id)
    if call is not None and call.route == route and call.caller_tag in (from_tag, to_tag):
        token = told(route, from_caller=from_tag == call.caller_tag)
    else:
        if not (b"Route: " + route).startswith(flow.local.route_prefix):
            return None
        dialog = core.route_tokens.verify(route, None, call_id, from_tag or b"", to_tag)
        if dialog is None or dialog.gateway:
            return None  # what is said to gateways that ask who calls may have to be renumbered
        token = dialog.flow
    if not token:
        return (None,)
    found = core.flow_of_token(token)
    return None if found is None else (found,)  # one that is gone may have come back another way


def _ping(core: "Core", found: Found, flow: Flow) -> bool:
    """Answer an OPTIONS for the server itself, of which nothing is kept (§8.2.7).

    Phones ping all day long. A repeated one gets the same answer, since its tag is made from the
    branch.
    """
    to_tag, branch = found.group(11, 24)
    tag = b"" if to_tag else core.own_tag(branch)
    core.sends.append((flow, build_reply(found, via_line(found, flow), 200, tag, ABILITIES)))
    return True


def response(core: "Core", data: bytes, flow: Flow, now: Instant) -> bool:
    """Take a response in, or return False and have done nothing."""
    found = RESPONSE.match(data)
    if found is None:
        return False
    code, below, branch, joined, to_tag, method, length = found.group(1, 3, 5, 6, 12, 15, 16)
    client = core.layer.clients.get((branch, method))
    if client is None or code >= b"300" or int(length) != len(data) - found.end():
        return False
    target = client.user
    theirs = below or joined
    if type(target) is not Branch or theirs is None:
        return False
    if b"Via: " + theirs != target.context.via_line:
        return False
    status = int(code)
    if not core.layer.advance(client, status, now):
        return True
    start, end = found.span(4)
    data = data[: start - 5] + data[end + 2 :] if below else data[:start] + data[found.start(6) :]
    if target.carried is not None:
        upstream.pass_up(core, target, status, to_tag or b"", data, now)
    elif status < 200:
        upstream.on_provisional(core, target, status, data, now)
    else:
        upstream.on_success(core, target, status, to_tag or b"", data, now)
    return True
