"""Whether a request within a dialog leads to the dialog's other end (RFC 3261 §12.2.1.1).

Our cookie proves that a dialog went through us, and anybody at one of its ends has it; where the ends are
it does not tell. A stranger who may call somebody here could have us call anybody by it, so that what
begins something must lead where the call is known to have its other end, or show who sent it.
"""

from ipaddress import ip_address
from typing import TYPE_CHECKING, Final

from centrex.base import Instant, PeerError
from centrex.calls import Call
from centrex.calls.table import FORGOTTEN_AFTER
from centrex.media.whereabouts import is_private
from centrex.proxy.context import Context
from centrex.registrar.registry import MustAsk
from centrex.routing.next_hop import Hop, next_hop
from centrex.routing.rfc3263 import Destination
from centrex.sip.message import Message, parse
from centrex.sip.nameaddr import parse_name_addr
from centrex.sip.names import CONTACT, RECORD_ROUTE, ROUTE
from centrex.sip.uri import SipUri, parse_uri
from centrex.sip.via import split_values

if TYPE_CHECKING:
    from centrex.proxy.core import Core

BEGINNING: Final = frozenset({b"INVITE", b"MESSAGE", b"REFER"})
"""Methods that ring, cost money or reach a person, wherever they lead."""


def is_missed(core: "Core", ctx: Context, now: Instant) -> bool:
    """Whether a request leads elsewhere than to its dialog's other end, as far as is known.

    A call that began before this run did is not known; its cookie tells that, and is enough for as long
    as such a call may last.
    """
    if ctx.method not in BEGINNING or not ctx.to_tag:
        return False
    if not ctx.routed and (ctx.for_us or ctx.dialog_flow is not None):
        return False
    call = core.calls.get(ctx.call_id)
    if call is None:
        began = core.gateways.numbers.began
        return not ctx.before or (began is not None and now - began >= FORGOTTEN_AFTER)
    if call.has_dialog(ctx.from_tag, ctx.to_tag) or ctx.to_tag == call.caller_tag:
        return not _is_at(core, ctx, call)
    return ctx.from_tag != call.caller_tag or not _is_at_another(core, ctx, call, now)


def _is_at(core: "Core", ctx: Context, call: Call) -> bool:
    """Whether a request leads where the call's other end is, or as an end in its place has been told.

    An end is where its INVITE went or came from, and wherever it has spoken from since. Where it says that
    it is, is believed if the other one asks from his own place. Where anybody may register, whoever calls may
    be both: then all of them, a proxy that leads the call back to us too, must be on private networks.
    """
    from_caller = ctx.from_tag == call.caller_tag
    mine, other = call.caller_flow, call.callee_flow
    hosts, said = call.callee_hosts, call.answer
    if not from_caller:
        mine, other = call.callee_flow or call.caller_flow, call.caller_flow
        hosts = call.caller_hosts
    host = other.host if other is not None else ""
    hop = _first_hop(ctx)
    to = hop[1] if isinstance(hop, tuple) else ""
    if to and (to == host or to in hosts):
        return True
    if hop is None:
        return False
    if core.access.enabled and core.access.covers(b"REGISTER"):
        if ctx.flow.host != mine.host:
            return False
    elif not all(map(_is_inside, (ctx.flow.host, host, to or host))):
        return False
    return hop in _told(said if from_caller else call.invite)


def _is_at_another(core: "Core", ctx: Context, call: Call, now: Instant) -> bool:
    """Whether a caller speaks to another phone of ours than the call is listed with.

    It was called by another branch of a proxy before us, with the same Call-ID, or has answered as well.
    """
    if ctx.flow.host != call.caller_flow.host:
        return False
    hop = _first_hop(ctx)
    for text in (ctx.request_uri, ctx.to_uri):
        uri = parse_uri(text)
        bindings = core.registry.lookup(uri.user, now) if isinstance(uri, SipUri) else ()
        if not isinstance(bindings, MustAsk) and hop in [next_hop(one.contact) for one in bindings]:
            return hop is not None
    return False


def _is_inside(host: str) -> bool:
    """Whether a numeric address is of a private network, or this machine's own; empty is none."""
    return bool(host) and (is_private(host) or ip_address(host).is_loopback)


def _first_hop(ctx: Context) -> Hop | Destination | None:
    """Return where a request leads: its first Route that is not ours, else its URI (§16.6 step 6)."""
    if not ctx.routed:
        return next_hop(ctx.request_uri)
    return next_hop(parse_name_addr(split_values(ctx.message.value(ROUTE))[0]).uri)


def _told(said: bytes | Message) -> list[Hop | Destination | None]:
    """Return where a message says that its sender is, and what stands before him."""
    message = parse(said) if isinstance(said, bytes) else said
    found: list[Hop | Destination | None] = []
    for number in (CONTACT, RECORD_ROUTE):
        for line in message.values(number):
            try:
                found += [next_hop(parse_name_addr(value).uri) for value in split_values(line)]
            except PeerError:
                continue
    return found
