"""The two ends of a call's media as its messages show them, and whether they need somebody between.

It knows contexts, branches and descriptions; who relays, and how, is not its business.
"""

from typing import TYPE_CHECKING, NamedTuple

from centrex import sdp
from centrex.base import Flow, Instant, PeerError
from centrex.events import Kind, Severity
from centrex.media.exchange import Where, family_of, is_hidden, is_private
from centrex.proxy import upstream
from centrex.proxy.answer import Answer
from centrex.proxy.context import Branch, Context
from centrex.proxy.media_body import split_body
from centrex.sdp import Description
from centrex.sip import usual
from centrex.sip.names import VIA
from centrex.sip.uri import SipUri, parse_uri
from centrex.trace import Rule

if TYPE_CHECKING:
    from centrex.proxy.core import Core


class Described(NamedTuple):
    """A message's description of its sender's media."""

    content_type: bytes
    body: bytes
    text: bytes
    """The description alone, where the body has other parts too."""
    description: Description


def described(core: "Core", ctx: Context, data: bytes, now: Instant) -> Described | None:
    """Return the description in a message; None where there is none that can be understood."""
    parts = split_body(data)
    if parts is None:
        return None
    content_type, body = parts
    try:
        span = sdp.find(content_type, body)
        if span is None:
            return None
        text = body[span[0] : span[1]]
        return Described(content_type, body, text, sdp.parse(text))
    except PeerError as error:
        core.decide(ctx, (now, Rule.MEDIA_UNREADABLE, error.what, error.rule))
        core.statistics.drop(Rule.MEDIA_UNREADABLE.value)
        return None


def unrelayed(core: "Core", branch: Branch, why: str, now: Instant, *, refuse: bool) -> None:
    """Nobody can relay a call that needs it: its media are passed by, or it is refused.

    Args:
        core: The core.
        branch: The branch that should leave.
        why: Why nobody can.
        now: The time.
        refuse: Whether a call that begins is to be refused.
    """
    ctx = branch.context
    core.statistics.drop(Rule.MEDIA_UNRELAYED.value)
    core.notify(
        Kind.MEDIA,
        Severity.WARNING,
        "media.unrelayed",
        {"from": ctx.from_uri, "to": ctx.to_uri, "refused": refuse},
        ctx.call_id,
    )
    if not refuse or ctx.to_tag:
        core.decide(ctx, (now, Rule.MEDIA_UNRELAYED, why))
        return
    ctx.groups = []
    branch.over = True
    upstream.cancel_others(core, ctx, branch, b"", now)
    core.conclude(ctx, Answer(503, Rule.MEDIA_REFUSED, why, words=why), now)


def caller_of(ctx: Context) -> Where:
    """Return how the sender of a request is reached, as far as its topmost Via tells."""
    source = ctx.flow.host
    if ctx.usual is not None:
        host, port = ctx.usual.group(usual.VIA_HOST, usual.VIA_PORT)
    elif ctx.via is None or ctx.message.repeated >> VIA & 1:
        return Where("", ctx.flow.local.host, False)
    else:
        host, port = ctx.via.host, ctx.via.port
    natted = host != ctx.flow.received_host
    if not natted and not ctx.flow.reliable:
        natted = (int(port) if port else ctx.flow.transport.default_port) != ctx.flow.port
    return Where(source, ctx.flow.local.host, natted)


def callee_of(branch: Branch, flow: Flow) -> Where:
    """Return how a target is reached; it is behind NAT where its contact is not where it came from."""
    natted = False
    if branch.target.flow is not None:
        uri = parse_uri(branch.target.uri)
        natted = isinstance(uri, SipUri) and uri.host != flow.received_host
        if isinstance(uri, SipUri) and not natted and not flow.reliable:
            natted = (uri.port or flow.transport.default_port) != flow.port
    return far_end(flow, natted=natted)


def far_end(flow: Flow, *, natted: bool) -> Where:
    """Return how whoever a flow leads to is reached."""
    return Where(flow.host, flow.local.host, natted)


def need(found: Described | None, caller: Where, callee: Where) -> str:
    """Return why the phones cannot reach each other by themselves; empty where they can."""
    if caller.natted:
        return "the caller is behind NAT"
    if callee.natted:
        return "the callee is behind NAT"
    if caller.local != callee.local:
        return "the phones are on different networks of this server"
    for media in found.description.media if found is not None else ():
        if not media.port or not media.relayable:
            continue
        if is_hidden(media.host, caller.source):
            return "the caller's media are behind NAT"
        if _is_other_family(media.host, callee.source):
            return "one phone speaks IPv4, the other IPv6"
        if _apart(media.host, callee.source):
            return "one phone is in a private network, the other is not"
    return ""


def _is_other_family(host: str, other: str) -> bool:
    return family_of(host) != family_of(other)


def _apart(host: str, other: str) -> bool:
    try:
        return is_private(host) != is_private(other)
    except ValueError:  # a name: it tells nothing
        return False
