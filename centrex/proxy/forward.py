"""Sends a request on: what changes in it on its way through us (RFC 3261 §16.6), and where it goes.

A request of the usual form is written from its match. Of any other the lines common to all branches
are prepared once; each branch then differs in its Request-URI, Via, Record-Route and Path values.
Nothing else is touched, so it leaves byte for byte as it came.
"""

import math
import zlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from centrex import auth
from centrex.base import Flow, Instant, PeerError
from centrex.nat.route_token import flow_token
from centrex.proxy.ask import Resolve
from centrex.proxy.context import DEFAULT_BREADTH, Branch, Context, open_branch
from centrex.proxy.gateway_numbers import both, mint, number_of
from centrex.proxy.media_body import with_body
from centrex.routing.next_hop import next_hop
from centrex.routing.rfc3263 import Destination
from centrex.routing.rfc3263 import Target as Place
from centrex.routing.target import Amendment, Target
from centrex.sip import usual
from centrex.sip.message import Message
from centrex.sip.nameaddr import parse_name_addr
from centrex.sip.names import (
    AUTHORIZATION,
    CONTENT_LENGTH,
    MAX_BREADTH,
    MAX_FORWARDS,
    PROXY_AUTHORIZATION,
    RECORD_ROUTE,
    ROUTE,
    VIA,
)
from centrex.sip.number import parse_number
from centrex.sip.reading import HOPS
from centrex.sip.uri import SipUri, is_secure, parse_uri
from centrex.sip.usual import Found
from centrex.sip.via import split_values
from centrex.trace import Rule
from centrex.transaction.key import MAGIC_COOKIE
from centrex.transaction.layer import USER_TIMER

if TYPE_CHECKING:
    from centrex.proxy.core import Core

START_RESPONSE: Final = USER_TIMER
"""Timer: a target has said nothing for the start response timeout; to what is no call, nothing final."""
RING: Final = USER_TIMER + 1
"""Timer: look whether a target has rung long enough."""
CANCEL_UNHEARD: Final = USER_TIMER + 2
"""Timer: a cancelled branch still has no final response (§9.1)."""

CROSSED: Final = USER_TIMER + 4
"""Timer: an answer that crossed the last target's CANCEL would be here."""
LATE_TRYING: Final = USER_TIMER + 3
"""Timer: the sender's timer E, if it has one, has reached T2: time for a 100 (RFC 4320 §4.1)."""

STREAM_ABOVE: Final = 1300
"""Octets beyond which a request is to go by a congestion-controlled transport (§18.1.1)."""
_HOP_LINES: Final = tuple(b"Max-Forwards: %d" % hops for hops in range(256))
_ONE_LESS: Final = {b"%d" % hops: b"%d" % (hops - 1) for hops in range(1, 100)}
"""What Max-Forwards becomes, by what it was, as far as a request of the usual form may have it."""
_TARGET_TRIED: Final = Rule.TARGET_TRIED
_RECORD_ROUTE_OCTETS: Final = len(b"Record-Route: ")
_NO_CREDENTIALS: Final = (None, None)
_GRAIN: Final = 0.01
"""Tenths of a second by which sums of durations may differ from the clock."""
_GROWTH: Final = 300
"""Octets by which an ACK may grow on its way through us, at most."""
_CREDENTIALS: Final = (
    (usual.PROXY_AUTHORIZATION, len(b"Proxy-Authorization: ")),
    (usual.AUTHORIZATION, len(b"Authorization: ")),
)
_END_OF_HEAD: Final = b"\r\n\r\n"
_BEHIND_URI: Final = b" SIP/2.0\r\n"
_FORMS_DIALOG: Final = frozenset({b"INVITE", b"SUBSCRIBE", b"REFER", b"NOTIFY"})


def loop_hash(message: Message, call_id: bytes) -> bytes:
    """Return what a branch of ours ends with, equal only where routing would be (RFC 5393 §4.2)."""
    mark = zlib.crc32(message.uri, zlib.crc32(call_id))
    for index in message.indices(ROUTE):
        mark = zlib.crc32(message.lines[index], mark)
    return b".%08x" % mark


def usual_loop_hash(uri: bytes, route: bytes | None, call_id: bytes) -> bytes:
    """Return the same for a request of the usual form."""
    mark = zlib.crc32(uri, zlib.crc32(call_id))
    return b".%08x" % (zlib.crc32(b"Route: " + route, mark) if route else mark)


def prepare(core: "Core", ctx: Context) -> None:
    """Make the lines that all branches of a request share (§16.6 steps 1, 3 and 11)."""
    message = ctx.message
    if message.at[PROXY_AUTHORIZATION] or message.at[AUTHORIZATION]:
        if ctx.dropped:
            del message.lines[ctx.dropped]
            message.rescan()
            ctx.dropped = 0
        auth.strip(message, core.access.gate.realm)
    lines, at = message.lines, message.at
    index = at[MAX_FORWARDS]
    first = at[VIA]
    for number in (ROUTE, RECORD_ROUTE):
        if 0 < at[number] < first:
            first = at[number]
    base = lines.copy()
    if index:
        hops = HOPS.get(lines[index])
        if hops is None:
            hops = parse_number(message.value(MAX_FORWARDS), 255)
        base[index] = _HOP_LINES[hops - 1]
    else:
        base.insert(first, _HOP_LINES[70])
    if not at[CONTENT_LENGTH]:
        base.append(b"Content-Length: %d" % len(message.body))  # streams need it (§18.3)
    if ctx.dropped:
        del base[ctx.dropped + (not index and first <= ctx.dropped)]
        first -= ctx.dropped < first
    ctx.base, ctx.insert_at = base, first


def start(core: "Core", ctx: Context, now: Instant) -> None:
    """Send a request to its first group of targets."""
    ctx.patience, ctx.routes = core.patience, core.routes
    if ctx.method == b"INVITE":
        core.respond_plain(ctx, 100, now)
    groups = ctx.groups
    if (
        ctx.usual is None
        or len(groups) != 1
        or len(groups[0]) != 1
        or not _send_alone(core, ctx, ctx.usual, groups[0][0], now)
    ):
        next_group(core, ctx, now)


def _send_alone(core: "Core", ctx: Context, found: Found, target: Target, now: Instant) -> bool:
    """Send a request of the usual form to its only target, where the way there is known.

    What `next_group` would do, without what most requests do not need; False if it must do it.
    """
    flow = target.flow
    if target.path or target.gateway or ctx.breadth != DEFAULT_BREADTH:
        return False
    if flow is None:
        hop = next_hop(target.uri)
        if type(hop) is not tuple:
            return False
        flow = core.flows.reach(*hop)
        if flow is None:
            return False
    ctx.groups = []
    branch = Branch(ctx, target, now, _ring_s(core, ctx, target, now, last=True))
    branch.flow = flow
    ctx.branches.append(branch)
    token = MAGIC_COOKIE + core.ids.token() + ctx.loop_hash
    own = flow.local.via + token
    if not ctx.to_tag and ctx.method in _FORMS_DIALOG:
        added = b"\r\n".join((own, *_recorded(core, branch, flow), ctx.via_line, b""))
    else:
        added = b"\r\n".join((own, ctx.via_line, b""))
    _put(core, branch, token, _write_usual(core, found, ctx.method, target.uri, added), now)
    return True


def next_group(core: "Core", ctx: Context, now: Instant) -> bool:
    """Try the next group of targets in parallel; False where there is none left."""
    if not ctx.groups:
        if ctx.patience is not None and is_out_of_time(ctx, now):
            core.decide(ctx, (now, Rule.TIME_UP, ctx.patience.call_maximum_s))
        return False
    group = ctx.groups.pop(0)
    ctx.group_at = len(ctx.branches)
    share = ctx.breadth // len(group)
    if share < 1:  # too little breadth for all at once: the rest follows (RFC 5393 §5.3.3)
        ctx.groups.insert(0, group[ctx.breadth :])
        group, share = group[: ctx.breadth], 1
    last = not ctx.groups
    if len(group) == 1:
        _go(core, _enter(core, ctx, group[0], now, last=last), now, breadth=ctx.breadth)
        return True
    # all are entered before any is sent, so that one that fails at once does not end the request
    opened = [_enter(core, ctx, target, now, last=last) for target in group]
    for branch in opened:
        if not branch.over:  # the call may be refused for the sake of one before it
            _go(core, branch, now, breadth=share)
    return True


def pass_ack(core: "Core", ctx: Context, now: Instant) -> None:
    """Send the ACK of a 2xx on, once and without a transaction (§16.6 step 10, §13.2.2.4)."""
    target = Target(ctx.request_uri)
    if ctx.gateway is not None:
        target.amendment = core.gateways.numbers.of_ack(ctx, ctx.gateway)
    flow = None if ctx.routed else ctx.dialog_flow
    any_size = flow is not None
    if flow is None:
        hop = next_hop(_first_hop_uri(ctx, target))
        if type(hop) is tuple:
            flow = core.flows.reach(*hop)
    if flow is not None and (core.relaying is None or not ctx.has_body):
        token = MAGIC_COOKIE + core.ids.token() + ctx.loop_hash
        data = write(core, ctx, target, flow, token)
        if any_size or flow.reliable or len(data) <= STREAM_ABOVE:
            core.sends.append((flow, data))
            return
    branch = _enter(core, ctx, target, now, last=True)
    branch.flow = ctx.dialog_flow if any_size else None
    _go(core, branch, now, breadth=DEFAULT_BREADTH)


def pass_usual_ack(core: "Core", found: Found, uri: bytes, via: bytes, flow: Flow | None) -> bool:
    """Send an ACK of the usual form on, where the way there is known; the same as `pass_ack`."""
    if core.relaying is not None and found.end() < len(found.string):
        return False  # it may describe media
    if flow is None:
        hop = next_hop(uri)
        if type(hop) is not tuple:
            return False
        flow = core.flows.reach(*hop)
        if flow is None or (not flow.reliable and len(found.string) > STREAM_ABOVE - _GROWTH):
            return False
    added = b"".join((flow.local.via, MAGIC_COOKIE, core.ids.token(), b"\r\n", via, b"\r\n"))
    core.sends.append((flow, _write_usual(core, found, b"ACK", uri, added)))
    return True


def ring_s_of(core: "Core", ctx: Context, target: Target, now: Instant) -> float:
    """Return how long a place may ring that is tried instead of one before it."""
    return _ring_s(core, ctx, target, now, last=not ctx.groups)


def _enter(core: "Core", ctx: Context, target: Target, now: Instant, *, last: bool) -> Branch:
    branch = open_branch(ctx, target, now, _ring_s(core, ctx, target, now, last=last))
    ctx.branches.append(branch)
    return branch


def _ring_s(core: "Core", ctx: Context, target: Target, now: Instant, *, last: bool) -> float:
    """Return how long a target may ring: its own time, or the general one, within the call's limit."""
    patience = ctx.patience or core.patience
    ring_s = target.ring_s or (patience.final_answer_s if last else patience.rollover_s)
    if patience.call_maximum_s and ctx.server is not None:
        ring_s = min(ring_s, max(tenths(patience.call_maximum_s - (now - ctx.server.began)), 0.0))
    return ring_s


def tenths(seconds: float) -> float:
    """Return a time with the next full tenth of a second: timers are to be of few durations."""
    return math.ceil(seconds * 10 - _GRAIN) / 10


def is_out_of_time(ctx: Context, now: Instant) -> bool:
    """Whether a call has had all the time there is for all its destinations."""
    limit = ctx.patience.call_maximum_s if ctx.patience is not None else 0.0
    return bool(limit) and ctx.server is not None and now - ctx.server.began >= limit


def enter_instead(
    core: "Core", branch: Branch, target: Target, now: Instant, flow: Flow | None = None
) -> None:
    """Go on at another place in a branch's stead; that is a branch of its own, with a time of its own.

    Args:
        core: The core.
        branch: The branch that ends.
        target: The other place.
        now: The time.
        flow: The way there, where that is known.
    """
    ctx = branch.context
    successor = open_branch(ctx, target, now, ring_s_of(core, ctx, target, now))
    if flow is not None:
        successor.flow = flow
    branch.over = True
    ctx.branches.append(successor)
    _go(core, successor, now, breadth=DEFAULT_BREADTH)


def _go(core: "Core", branch: Branch, now: Instant, *, breadth: int) -> None:
    ctx, target = branch.context, branch.target
    if breadth != DEFAULT_BREADTH or (ctx.usual is None and ctx.message.at[MAX_BREADTH]):
        set_breadth(core, ctx, breadth)
    if branch.flow is not None:
        transmit(core, branch, now)
        return
    hop = next_hop(_first_hop_uri(ctx, target))
    if hop is None:
        core.branch_failed(branch, 480, Rule.TARGET_UNREACHABLE, "the URI leads nowhere", now)
    elif isinstance(hop, Destination):
        core.ask(Resolve(core.next_ask(), hop), branch)
        ctx.waiting += 1
        _await_late_trying(core, ctx, now)
    else:
        flow = core.flows.reach(*hop)
        if flow is None:
            core.branch_failed(branch, 480, Rule.TARGET_UNREACHABLE, "no such transport here", now)
        else:
            branch.flow = flow
            transmit(core, branch, now)


def set_breadth(core: "Core", ctx: Context, breadth: int) -> None:
    """Write Max-Breadth into the lines to send (RFC 5393 §5.3)."""
    if not ctx.base:
        prepare(core, ctx)
    line = b"Max-Breadth: %d" % breadth
    for index, old in enumerate(ctx.base):
        if index and old[:12].lower() == b"max-breadth:":
            ctx.base[index] = line
            return
    ctx.base.append(line)


def resolved(core: "Core", branch: Branch, places: Sequence[Place] | str, now: Instant) -> None:
    """Go on with a branch whose target was looked up."""
    branch.context.waiting -= 1
    if branch.over:
        return
    if isinstance(places, str) or not places:
        why = places if isinstance(places, str) else "the name has no usable address"
        core.branch_failed(branch, 503, Rule.DNS_FAILED, why, now)
        return
    target = branch.target
    if target.gateway:
        branch.alternatives = core.gateways.in_order(target, places)
    else:
        branch.alternatives = _as_the_call_went(core, branch.context, places)
    if not try_alternative(core, branch, now):
        core.branch_failed(branch, 503, Rule.TARGET_UNREACHABLE, "no such transport here", now)


def _as_the_call_went(core: "Core", ctx: Context, places: Sequence[Place]) -> list[Place]:
    """Return the places of a name, within a dialog the one first that the call went to, or came from.

    Nothing asks for that (RFC 3263 §4), but an ACK is sent once only, and the first may be dead.
    """
    call = (ctx.ended or core.calls.get(ctx.call_id)) if ctx.dialog else None
    flow = call.way(ctx.from_tag, ctx.to_tag) if call is not None else None
    if flow is None:
        return list(places)
    return sorted(places, key=lambda place: (place.host, place.port) != (flow.host, flow.port))


def try_alternative(core: "Core", branch: Branch, now: Instant) -> bool:
    """Send a branch to the next address of its target (RFC 3263 §4.3); False if none is left."""
    while branch.alternatives:
        place = branch.alternatives.pop(0)
        if isinstance(place, Flow):
            flow: Flow | None = place
            branch.fallen_back = True
        else:
            flow = core.flows.reach(place.transport, place.host, place.port, place.server_name)
        if flow is not None:
            branch.flow = flow
            transmit(core, branch, now)
            return True
    return False


def transmit(core: "Core", branch: Branch, now: Instant) -> None:
    """Put a branch's request on the wire, by TCP where it is too large for UDP (§18.1.1)."""
    ctx, flow = branch.context, branch.flow
    assert flow is not None
    token = MAGIC_COOKIE + core.ids.token() + ctx.loop_hash
    _put(core, branch, token, write(core, ctx, branch.target, flow, token, branch), now)


def _put(core: "Core", branch: Branch, token: bytes, data: bytes, now: Instant) -> None:
    if core.relaying is not None:
        changed = core.relaying.outward(core, branch, token, data, now)
        if changed is None:
            return
        data = changed
    send_on(core, branch, token, data, now)


def send_on(core: "Core", branch: Branch, token: bytes, data: bytes, now: Instant) -> None:
    """Send a request whose media are settled; nothing where its branch has ended meanwhile."""
    ctx, target, flow = branch.context, branch.target, branch.flow
    if branch.over or flow is None:
        return
    if len(data) > STREAM_ABOVE and not flow.reliable:
        stream = None if target.flow or branch.fallen_back else core.flows.larger(flow)
        if stream is not None:
            branch.alternatives.insert(0, flow)
            branch.flow = stream
            core.decide(ctx, (now, Rule.SWITCHED_TRANSPORT, target.uri, "UDP", "TCP", len(data)))
            body = data[data.find(_END_OF_HEAD) + 4 :]
            data = with_body(write(core, ctx, target, stream, token, branch), body)
            flow = stream
    if ctx.server is None:  # an ACK: sent once, without a transaction (§16.6 step 10)
        branch.over = True
        core.sends.append((flow, data))
        return
    ctx.tale.append((now, _TARGET_TRIED, target.uri, flow.name))
    if target.gateway:
        state = core.gateways.state(target)
        ctx.tale.append((now, Rule.GATEWAY_TRIED, target.uri, target.gateway, state))
    branch.client = core.layer.open_client((token, ctx.method), data, flow, branch, now)
    if flow.reliable:
        _await_late_trying(core, ctx, now)
    # who sends what is no call gives up when a silent target does: others must be tried before that
    if ctx.method == b"INVITE" or (ctx.planned and (ctx.groups or target.others)):
        core.layer.timers.arm(silence_s(core, branch), now, branch, START_RESPONSE)


def silence_s(core: "Core", branch: Branch) -> float:
    """Return how long a target may say nothing, in seconds."""
    return min((branch.context.patience or core.patience).start_response_s, branch.ring_s)


def _await_late_trying(core: "Core", ctx: Context, now: Instant) -> None:
    """Have a non-INVITE request looked at in time for its 100, where no timer E of ours will."""
    if ctx.method != b"INVITE" and ctx.server is not None:
        core.layer.timers.arm(7 * core.timing.t1, now, ctx, LATE_TRYING)


def write(
    core: "Core",
    ctx: Context,
    target: Target,
    flow: Flow,
    token: bytes,
    branch: Branch | None = None,
) -> bytes:
    """Return a request as it leaves for one target; its branch gets to know our Record-Route."""
    routes: list[bytes] = []
    if ctx.method in _FORMS_DIALOG and not ctx.to_tag:
        assert branch is not None
        routes = _recorded(core, branch, flow)
    if ctx.usual is not None and not ctx.base and not target.path and target.amendment is None:
        block = b"\r\n".join((flow.local.via + token, *routes, ctx.via_line, b""))
        return _write_usual(core, ctx.usual, ctx.method, target.uri, block)
    if not ctx.base:
        prepare(core, ctx)
    lines = ctx.base.copy()
    lines[0] = b"%b %b SIP/2.0" % (ctx.method, target.uri)
    added = [flow.local.via + token, *routes]
    if target.amendment is not None:
        added += target.amendment.credentials.values()
        _renumber(lines, target.amendment)
    if target.path:
        added += [b"Route: " + value for value in target.path]
    lines[ctx.insert_at : ctx.insert_at] = added
    if ctx.routed or target.path:
        _mind_strict_router(lines, ctx, target)
    return b"\r\n".join(lines) + b"\r\n\r\n" + ctx.message.body


def _renumber(lines: list[bytes], amendment: Amendment) -> None:
    """Put another number into a request's CSeq, and into its RAck."""
    for index, line in enumerate(lines[1:], 1):
        name = line[: line.find(b":")].strip().lower()
        if name == b"cseq" and amendment.number:
            lines[index] = b"CSeq: %d %b" % (amendment.number, line.rsplit(None, 1)[1])
        elif name == b"rack" and amendment.rack:
            lines[index] = amendment.rack


def _write_usual(core: "Core", found: Found, method: bytes, uri: bytes, added: bytes) -> bytes:
    """Write a request of the usual form: the pieces of it that stay, and what is new between them.

    Args:
        core: The core, whose credentials are taken off.
        found: The request.
        method: Its method.
        uri: The Request-URI to send.
        added: What stands in place of its Via line.
    """
    data = found.string
    starts = found.end(2) + 10  # behind " SIP/2.0" and CRLF
    via = found.start(19) - 13  # before "Via: SIP/2.0/"
    via_ends = data.find(b"\n", found.end(24)) + 1
    hops, hops_end = found.span(26)
    left = _ONE_LESS[data[hops:hops_end]]
    route, route_end = found.span(27)
    if via < hops and found.group(30, 31) == _NO_CREDENTIALS:
        if route < 0:
            return b"".join((
                method, b" ", uri, _BEHIND_URI, data[starts:via], added, data[via_ends:hops], left,
                data[hops_end:],
            ))  # fmt: skip
        if via < route < hops:
            return b"".join((
                method, b" ", uri, _BEHIND_URI, data[starts:via], added, data[via_ends : route - 7],
                data[route_end + 2 : hops], left, data[hops_end:],
            ))  # fmt: skip
        if hops < route:
            return b"".join((
                method, b" ", uri, _BEHIND_URI, data[starts:via], added, data[via_ends:hops], left,
                data[hops_end : route - 7], data[route_end + 2 :],
            ))  # fmt: skip
    edits = [(via, via_ends, added), (hops, hops_end, left)]
    if route > 0:
        edits.append((route - 7, route_end + 2, b""))  # "Route: " and CRLF
    for group, octets in _CREDENTIALS:
        start, end = found.span(group)
        if start > 0 and auth.is_for(core.access.gate.realm, data[start:end]):
            edits.append((start - octets, end + 2, b""))
    edits.sort()
    out = [b"%b %b SIP/2.0\r\n" % (method, uri)]
    for start, end, new in edits:
        out += data[starts:start], new
        starts = end
    out.append(data[starts:])
    return b"".join(out)


def _recorded(core: "Core", branch: Branch, flow: Flow) -> list[bytes]:
    """Return our Record-Route lines; the branch gets to know the value, where it is just one."""
    routes = record_routes(core, branch.context, branch.target, flow)
    if len(routes) == 1 and routes[0].find(b";cg=") < 0:
        branch.route = routes[0][_RECORD_ROUTE_OCTETS:]
    return routes


def record_routes(core: "Core", ctx: Context, target: Target, flow: Flow) -> list[bytes]:
    """Return our Record-Route lines: one, or two where both sides see us differently (RFC 5658)."""
    to_caller = b""
    if ctx.natted and (ctx.usual is not None or not ctx.message.at[RECORD_ROUTE]):
        to_caller = flow_token(ctx.flow)
    to_callee = flow_token(flow) if target.flow is not None or flow.reliable else b""
    record = core.route_tokens.record_route
    secure = ctx.usual is None and is_secure(ctx.request_uri)
    calling = core.gateways.calling(ctx)
    gateway = b""
    if target.gateway or calling:
        gateway = _gateway_marks(core, ctx, target, flow, calling)
    call_id, tag = ctx.call_id, ctx.from_tag
    line = record(flow.local, call_id, tag, to_caller, to_callee, secure=secure, gateway=gateway)
    if flow.local is ctx.flow.local:
        return [line]
    here = ctx.flow.local
    other = record(here, call_id, tag, to_caller, to_callee, secure=secure, gateway=gateway)
    return [line, other]


def _gateway_marks(core: "Core", ctx: Context, target: Target, flow: Flow, calling: str) -> bytes:
    """Return what the Record-Route is to remember of gateways: nothing of those that ask nobody.

    Args:
        core: The core.
        ctx: The request that begins the dialog.
        target: Where it goes.
        flow: The way there.
        calling: The gateway that it comes from; empty for none.
    """
    gateway = core.routes.gateways.get(target.gateway)
    if ctx.server is None:
        return b""
    began, called = ctx.server.began, b""
    if gateway is not None and gateway.login:
        ahead = target.amendment.number - number_of(ctx) if target.amendment is not None else 0
        called = mint(gateway.name, flow.host, ahead, began)
    return both(called, mint(calling, ctx.flow.host, 0, began) if calling else b"")


def _first_hop_uri(ctx: Context, target: Target) -> bytes:
    """Return the URI that decides where the request goes: the topmost Route's, else its own (§16.6.7)."""
    if target.path:
        return parse_name_addr(split_values(target.path[0])[0]).uri
    if ctx.routed:
        return parse_name_addr(split_values(ctx.message.value(ROUTE))[0]).uri
    return target.uri


def _mind_strict_router(lines: list[bytes], ctx: Context, target: Target) -> None:
    """Rewrite for a next hop that is a strict router (§16.6 step 6)."""
    first = _first_hop_uri(ctx, target)
    try:
        uri = parse_uri(first)
    except PeerError:
        return
    if not isinstance(uri, SipUri) or uri.param(b"lr") is not None:
        return
    routes = [i for i, line in enumerate(lines) if i and line[:6].lower() == b"route:"]
    values = [value for i in routes for value in split_values(lines[i][6:].strip())]
    lines[routes[0]] = b"Route: " + b", ".join([*values[1:], b"<%b>" % target.uri])
    for index in reversed(routes[1:]):
        del lines[index]
    lines[0] = b"%b %b SIP/2.0" % (ctx.method, first)
