"""The first steps of the chain: may this request be forwarded at all (RFC 3261 §16.3)?"""

from typing import TYPE_CHECKING, Final

from centrex.base import Instant, PeerError
from centrex.proxy.answer import Answer, Outcome
from centrex.proxy.context import Context
from centrex.proxy.forward import loop_hash
from centrex.proxy.gateway_numbers import read
from centrex.proxy.named import user_of
from centrex.proxy.reconnected import flow_now
from centrex.sip.message import Message
from centrex.sip.nameaddr import parse_name_addr
from centrex.sip.names import MAX_BREADTH, MAX_FORWARDS, PROXY_REQUIRE, ROUTE, VIA
from centrex.sip.number import MAX_DELTA, parse_number
from centrex.sip.reading import HOPS, read_request
from centrex.sip.tokens import parse_option_tags
from centrex.sip.uri import OtherUri, SipUri, TelUri, parse_uri, unescape_user
from centrex.sip.via import parse_via, split_values
from centrex.trace import Rule

if TYPE_CHECKING:
    from centrex.proxy.core import Core

SUPPORTED: Final = frozenset({b"path"})
"""Option tags a Proxy-Require may name."""
_MAX_VIAS: Final = 100


def syntax(core: "Core", ctx: Context, now: Instant) -> Outcome:
    """§16.3 step 1: what cannot be read is answered with the rule it breaks."""
    message = ctx.message
    via = ctx.via
    assert via is not None
    try:
        ctx.from_uri, ctx.from_tag, ctx.to_uri, ctx.to_tag, _ = read_request(message, via)
        ctx.uri = parse_uri(message.uri)
    except PeerError as error:
        error.__traceback__ = None  # its frames hold the message, which holds the error
        rule = Rule.TOO_LARGE if error.status == 513 else Rule.MALFORMED
        return Answer(error.status, rule, error.what, error.rule, words=error.what)
    if ctx.method != b"ACK":
        ctx.tale.append((now, Rule.REQUEST, ctx.method, message.uri, ctx.from_uri, ctx.flow.name))
    return None


def scheme(core: "Core", ctx: Context, now: Instant) -> Outcome:
    """§16.3 step 2: a scheme nobody here knows."""
    uri = ctx.uri
    if isinstance(uri, OtherUri):
        words = "this server routes sip:, sips: and tel: only"
        return Answer(416, Rule.UNSUPPORTED_SCHEME, ctx.message.uri, words=words)
    if isinstance(uri, TelUri) and ctx.method == b"REGISTER":
        words = "where to register is told by sip: or sips:"
        return Answer(416, Rule.UNSUPPORTED_SCHEME, ctx.message.uri, words=words)
    _look_whose(core, ctx, now)
    return None


def _look_whose(core: "Core", ctx: Context, now: Instant) -> None:
    """Find out whether the Request-URI is ours, and whom it names."""
    uri = ctx.uri
    ctx.ours = ctx.for_us = False
    ctx.user = b""
    if type(uri) is SipUri:
        ctx.ours, ctx.for_us = core.places.of(ctx.request_uri, uri)
        ctx.user = user_of(core, uri, now) if ctx.ours else unescape_user(uri.user)
    elif isinstance(uri, TelUri):
        ctx.user = core.places.number(uri)
        ctx.ours = bool(ctx.user)


def hops(core: "Core", ctx: Context, now: Instant) -> Outcome:
    """§16.3 step 3: Max-Forwards; an OPTIONS that ends its way here is answered by `serve`."""
    if hops_left(ctx.message):
        return None
    if ctx.for_us and ctx.method in (b"OPTIONS", b"REGISTER"):
        return None
    return Answer(483, Rule.TOO_MANY_HOPS, "Max-Forwards is 0", words="Max-Forwards is 0")


def hops_left(message: Message) -> int:
    """Return the Max-Forwards number; 70 where there is none (§16.6 step 3)."""
    index = message.at[MAX_FORWARDS]
    if not index:
        return 70
    hops = HOPS.get(message.lines[index])
    return parse_number(message.value(MAX_FORWARDS), 255) if hops is None else hops


def loops(core: "Core", ctx: Context, now: Instant) -> Outcome:
    """§16.3 step 4, RFC 5393: has this request been here before, to be routed the same way?"""
    message = ctx.message
    if message.repeated >> VIA & 1:
        ctx.loop_hash = loop_hash(message, ctx.call_id)
        if _seen_before(core, message, ctx.loop_hash):
            return Answer(482, Rule.LOOP, message.uri, words="the request came back unchanged")
    elif not ctx.for_us:
        ctx.loop_hash = loop_hash(message, ctx.call_id)
    if message.at[MAX_BREADTH]:
        ctx.breadth = parse_number(message.value(MAX_BREADTH), MAX_DELTA)
        if not ctx.breadth:
            return Answer(440, Rule.MAX_BREADTH, "Max-Breadth is 0", words="Max-Breadth is 0")
    return None


def _seen_before(core: "Core", message: Message, mark: bytes) -> bool:
    values = [value for line in message.values(VIA) for value in split_values(line)]
    for value in values[1:_MAX_VIAS]:
        if mark in value:
            via = parse_via(value)
            if via.branch.endswith(mark) and core.places.ours.is_domain(via.host):
                return True
    return False


def extensions(core: "Core", ctx: Context, now: Instant) -> Outcome:
    """§16.3 step 5: what the sender demands of proxies."""
    message = ctx.message
    return (
        unsupported(message.values(PROXY_REQUIRE), SUPPORTED) if message.at[PROXY_REQUIRE] else None
    )


def unsupported(values: list[bytes], known: frozenset[bytes] = frozenset()) -> Answer | None:
    """Return the refusal of demands, where one is not among those known (§8.2.2.3).

    Raises:
        PeerError: The values are no lists of option tags.
    """
    missing = b", ".join(tag for tag in parse_option_tags(values) if tag.lower() not in known)
    if not missing:
        return None
    return Answer(
        420,
        Rule.BAD_EXTENSION,
        missing,
        words="a demanded extension is not supported",
        extra=(b"Unsupported: " + missing,),
    )


def own_routes(core: "Core", ctx: Context, now: Instant) -> Outcome:
    """§16.4: take off our own Route values, and undo what a strict router did.

    A value with our cookie proves that the request belongs to a dialog that went through us, and
    tells the flow to its other end.
    """
    message = ctx.message
    if _is_strict_routed(core, ctx):
        _undo_strict_routing(core, ctx, now)
    index = message.at[ROUTE]
    if index:
        # the common case: one line, one value, ours as we wrote it
        line = message.lines[index]
        if (
            not message.repeated >> ROUTE & 1
            and line.startswith(ctx.flow.local.route_prefix)
            and line.find(b",") < 0
            and _verify(core, ctx, line, now, plain=True)
        ):
            ctx.dropped = index
            message.at[ROUTE] = 0
            return None
        _take_off_own(core, ctx, now)
        ctx.routed = bool(message.at[ROUTE])
    if ctx.to_tag and not ctx.dialog and not ctx.routed:
        core.recognise_dialog(ctx)
    return None


def _is_strict_routed(core: "Core", ctx: Context) -> bool:
    """Whether the Request-URI is a Record-Route value of ours (§16.4)."""
    raw = ctx.request_uri
    return raw.find(b";lr") >= 0 and raw.find(b"@") < 0 and core.places.owns_uri(raw)


def _undo_strict_routing(core: "Core", ctx: Context, now: Instant) -> None:
    """Put the last Route value back where it came from (§16.4, first paragraph)."""
    message = ctx.message
    values = [value for line in message.values(ROUTE) for value in split_values(line)]
    _verify(core, ctx, b"<%b>" % message.uri, now, plain=False)
    if values:
        ctx.request_uri = message.uri = parse_name_addr(values.pop()).uri
        ctx.uri = parse_uri(message.uri)
        _look_whose(core, ctx, now)
    _set_routes(message, values)


def _take_off_own(core: "Core", ctx: Context, now: Instant) -> None:
    message = ctx.message
    values = [value for line in message.values(ROUTE) for value in split_values(line)]
    kept = 0
    for value in values:
        if not core.places.owns_route(value):
            break
        if not ctx.dialog:
            _verify(core, ctx, value, now, plain=False)
        kept += 1
    if kept:
        _set_routes(message, values[kept:])


def _verify(core: "Core", ctx: Context, value: bytes, now: Instant, *, plain: bool) -> bool:
    uri = None
    if not plain:
        try:
            parsed = parse_uri(parse_name_addr(value).uri)
        except PeerError:
            return False
        if not isinstance(parsed, SipUri):
            return False
        uri = parsed
    dialog = core.route_tokens.verify(value, uri, ctx.call_id, ctx.from_tag, ctx.to_tag)
    if dialog is None:
        return False
    ctx.dialog, ctx.before = True, dialog.before
    if dialog.flow:
        ctx.dialog_flow = flow_now(core, ctx, dialog, now)
    if dialog.gateway:
        ctx.gateway = read(dialog.gateway, from_caller=dialog.from_caller)
        if ctx.method == b"BYE":
            core.gateways.numbers.ended((ctx.call_id, ctx.to_tag, ctx.from_tag), now)
    return True


def _set_routes(message: Message, values: list[bytes]) -> None:
    indices = message.indices(ROUTE)
    for index in reversed(indices[1:]):
        del message.lines[index]
    if not indices:
        return
    if values:
        message.lines[indices[0]] = b"Route: " + b", ".join(values)
    else:
        del message.lines[indices[0]]
    message.rescan()
