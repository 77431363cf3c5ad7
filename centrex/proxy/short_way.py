"""The short way of messages of the usual form: what the chain would find out, from one match.

A request that matches `sip.usual.REQUEST` is well-formed, has hops left, demands nothing and holds at
most one Route value; where that is ours and proves the dialog, all that is left to decide is who sent
it and where it goes, and those steps are the chain's own. A response that matches and brings back the
Via we passed on goes upstream without having been taken apart. Everything else is left, untouched,
to the long way; both must do the same, and tests hold them against each other.
"""

from typing import TYPE_CHECKING, Final

from centrex.base import Flow, Instant
from centrex.nat.route_token import told
from centrex.proxy import forward, upstream
from centrex.proxy.chain import ENDING
from centrex.proxy.context import Branch, Context
from centrex.proxy.serve import ABILITIES
from centrex.sip.usual import REQUEST, RESPONSE, Found, build_reply, via_line
from centrex.trace import Rule
from centrex.transaction.key import ServerKey
from centrex.transaction.machine import In

if TYPE_CHECKING:
    from centrex.proxy.core import Core

_HIGHEST_PORT: Final = 65_535
_MOST_HOPS: Final = 255


def request(core: "Core", data: bytes, flow: Flow, now: Instant) -> bool:
    """Take a request in, or return False and have done nothing."""
    found = REQUEST.match(data)
    if found is None or not _is_sound(found, data):
        return False
    method, sent_by, branch = found.group(1, 19, 23)
    if method == b"ACK":
        return _ack(core, found, flow, (branch, sent_by, b"INVITE"), now)
    key = (branch, sent_by, method)
    layer = core.layer
    server = layer.servers.get(key)
    if server is not None:
        layer.receive_again(server, In.REQUEST, now)
        return True
    uri, user, host, port, from_uri, from_tag, to_uri, to_tag, call_id, route = found.group(
        2, 3, 4, 5, 7, 8, 10, 11, 12, 26
    )
    ours = core.ours.has(host, int(port) if port else 0)
    for_us = ours and (not user or user.lower() == core.registrar_name)
    if method == b"OPTIONS" and for_us and route is None:
        return _ping(core, found, flow)
    other_end: tuple[Flow | None] | None = None
    if route is not None:
        other_end = _other_end(core, found, flow)
        if other_end is None:
            return False
    if method == b"CANCEL" or (to_tag and route is None) or b";lr" in uri or core.is_full:
        return False
    ctx = Context(method, uri, flow, call_id, core.journal.open(call_id))
    ctx.usual, ctx.via_line = found, via_line(found, flow)
    ctx.user, ctx.ours, ctx.for_us = user or b"", ours, for_us
    ctx.from_uri, ctx.from_tag, ctx.to_uri, ctx.to_tag = (
        from_uri,
        from_tag or b"",
        to_uri,
        to_tag or b"",
    )
    if other_end is not None:
        ctx.dialog, ctx.dialog_flow = True, other_end[0]
    if not for_us:
        ctx.loop_hash = forward.usual_loop_hash(found, call_id)
    ctx.tale.append((now, Rule.REQUEST, method, uri, from_uri, flow.name))
    ctx.server = server = layer.open_server(key, method, flow, now)
    server.user = ctx
    core.walk(ctx, ENDING, now)
    return True


def _is_sound(found: Found, data: bytes) -> bool:
    """Whether what the expression cannot tell is as it must be."""
    method, port, named, length, via_port, branch, hops = found.group(1, 5, 14, 15, 21, 23, 25)
    return not (
        named != method
        or not (branch and hops and length and found[6] and found[9] and found[12])
        or int(length) != len(data) - found.end()
        or data.find(b"..", 0, found.end()) >= 0
        or (port and int(port) > _HIGHEST_PORT)
        or (via_port and int(via_port) > _HIGHEST_PORT)
        or int(hops) > _MOST_HOPS
    )


def _ack(core: "Core", found: Found, flow: Flow, key: ServerKey, now: Instant) -> bool:
    """Pass the ACK of a 2xx on; any other goes the long way."""
    uri, from_tag, to_tag, call_id, route = found.group(2, 8, 11, 12, 26)
    if not route or not to_tag:
        return False
    other_end = _other_end(core, found, flow)
    if other_end is None:
        return False
    server = core.layer.servers.get(key)
    if server is not None and not core.layer.receive_again(server, In.ACK, now):
        return True
    ctx = Context(b"ACK", uri, flow, call_id, [])
    ctx.usual, ctx.via_line = found, via_line(found, flow)
    ctx.from_tag, ctx.to_tag = from_tag, to_tag
    ctx.dialog, ctx.dialog_flow = True, other_end[0]
    forward.pass_ack(core, ctx, now)
    return True


def _other_end(core: "Core", found: Found, flow: Flow) -> tuple[Flow | None] | None:
    """Return the flow to a dialog's other end, where one is needed; None if nothing proves a dialog.

    A call that is known has its Record-Route value with it; otherwise the cookie is reckoned.
    """
    from_tag, to_tag, call_id, route = found.group(8, 11, 12, 26)
    if not to_tag:
        return None
    call = core.calls.get(call_id)
    if call is not None and call.route == route and call.caller_tag in (from_tag, to_tag):
        token = told(route, from_caller=from_tag == call.caller_tag)
    else:
        if not (b"Route: " + route).startswith(flow.local.route_prefix):
            return None
        dialog = core.route_tokens.verify(route, None, call_id, from_tag or b"", to_tag)
        if dialog is None:
            return None
        token = dialog.flow
    return (core.flow_of_token(token) if token else None,)


def _ping(core: "Core", found: Found, flow: Flow) -> bool:
    """Answer an OPTIONS for the server itself, of which nothing is kept (§8.2.7).

    Phones ping all day long. A repeated one gets the same answer, since its tag is made from the
    branch.
    """
    tag = b"" if found[11] else core.ping_tag(found[23])
    core.sends.append((flow, build_reply(found, via_line(found, flow), 200, tag, ABILITIES)))
    return True


def response(core: "Core", data: bytes, flow: Flow, now: Instant) -> bool:
    """Take a response in, or return False and have done nothing."""
    found = RESPONSE.match(data)
    if found is None:
        return False
    code, below, branch, joined, to_tag, method, length = found.group(1, 3, 5, 6, 12, 15, 16)
    if (
        code >= b"300"
        or not (length and method and found[7] and found[10] and found[13])
        or int(length) != len(data) - found.end()
    ):
        return False
    client = core.layer.clients.get((branch, method))
    if client is None or client.user is None:
        return False
    target: Branch = client.user
    if (not below and not joined) or b"Via: " + (below or joined) != target.context.via_line:
        return False
    status = int(code)
    if not core.layer.advance(client, status, now):
        return True
    start, end = found.span(4)
    data = data[: start - 5] + data[end + 2 :] if below else data[:start] + data[found.start(6) :]
    if status < 200:
        upstream.on_provisional(core, target, status, data, now)
    else:
        upstream.on_success(core, target, status, to_tag or b"", data, now)
    return True
