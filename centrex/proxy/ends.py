"""The two ends of a call's media as its messages show them, and whether they need somebody between.

It knows contexts, branches and descriptions; who relays, and how, is not its business.
"""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from centrex import sdp
from centrex.base import Flow, Instant, PeerError
from centrex.events import Field, Kind, Severity
from centrex.media.exchange import (
    CALLER,
    Family,
    Side,
    Where,
    family_of,
    family_of_media,
    is_hidden,
    is_private,
)
from centrex.proxy import upstream
from centrex.proxy.answer import Answer
from centrex.proxy.carried import UNDECIDED
from centrex.proxy.context import Branch, Context
from centrex.proxy.media_body import split_body
from centrex.proxy.media_path import OFFERS, Mode
from centrex.sdp import Description
from centrex.sip import usual
from centrex.sip.names import VIA
from centrex.sip.uri import SipUri, parse_uri
from centrex.trace import Rule

if TYPE_CHECKING:
    from centrex.proxy.core import Core


_IPV4: Final[tuple[Family, ...]] = (4,)


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
        core.statistics.media_amiss(Rule.MEDIA_UNREADABLE.value)
        return None


def is_opaque(ctx: Context, data: bytes) -> bool:
    """Whether a message without a description that can be read may hold one that others can read."""
    if not ctx.has_body:
        return False
    parts = split_body(data)
    if parts is None:
        return True
    kind = parts[0].lower()
    return b"sdp" in kind or b"multipart" in kind


def unrelayed(core: "Core", branch: Branch, why: str, now: Instant, *, refuse: bool) -> None:
    """Nobody can relay media that need it: they are passed by, or what describes them is refused.

    A call that begins is refused whole, with all its branches; of a call that stands only the offer
    is (RFC 3261 §14.2), and the call goes on as before.

    Args:
        core: The core.
        branch: The branch that should leave.
        why: Why nobody can.
        now: The time.
        refuse: Whether the request is to be refused.
    """
    ctx = branch.context
    refuse = refuse and (not ctx.to_tag or ctx.method in OFFERS)
    core.statistics.media_amiss(Rule.MEDIA_UNRELAYED.value)
    fields: dict[str, Field] = {
        "from": ctx.from_uri, "to": ctx.to_uri, "why": why, "refused": refuse
    }  # fmt: skip
    core.notify(Kind.MEDIA, Severity.WARNING, "media.unrelayed", fields, ctx.call_id)
    if not refuse:
        core.decide(ctx, (now, Rule.MEDIA_UNRELAYED, why))
        return
    ctx.groups = []
    branch.over = True
    for other in ctx.branches:
        if other.client is None:
            other.over = True
    status = 488 if ctx.to_tag else 503
    core.conclude(ctx, Answer(status, Rule.MEDIA_REFUSED, why, status, words=why), now)
    # only now: a branch that ends would have the call answered for what became of it
    upstream.cancel_others(core, ctx, branch, b"", now)


def left_out(
    core: "Core", ctx: Context, found: Described, numbers: Iterable[int], why: str, now: Instant
) -> None:
    """Some lines of an offer are offered as declined, for nobody can relay them."""
    media = found.description.media
    kinds = ", ".join(media[number].kind.decode("latin-1") for number in sorted(numbers))
    core.decide(ctx, (now, Rule.MEDIA_DECLINED, kinds, why))
    core.statistics.media_amiss(Rule.MEDIA_DECLINED.value)
    fields: dict[str, Field] = {
        "from": ctx.from_uri, "to": ctx.to_uri, "what": kinds, "why": why
    }  # fmt: skip
    core.notify(Kind.MEDIA, Severity.WARNING, "media.declined", fields, ctx.call_id)


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


def caller_tag_of(core: "Core", ctx: Context) -> bytes:
    """Return the tag of whoever began the call that a request belongs to, as far as that is known."""
    call = core.calls.get(ctx.call_id)
    return ctx.from_tag if call is None else call.caller_tag


def dialog_of(branch: Branch, to_tag: bytes) -> bytes:
    """Return the callee's tag in the dialog that a response belongs to."""
    ctx = branch.context
    if not ctx.to_tag:
        return to_tag
    return ctx.to_tag if branch.side == CALLER else ctx.from_tag


def need(found: Described | None, caller: Where, callee: Where, side: Side = CALLER) -> str:
    """Return why the phones cannot reach each other by themselves; empty where they can.

    Args:
        found: A description of one of them.
        caller: How the caller is reached.
        callee: How the callee is.
        side: Whose description it is.
    """
    if caller.natted:
        return "the caller is behind NAT"
    if callee.natted:
        return "the callee is behind NAT"
    if caller.local != callee.local:
        return "the phones are on different networks of this server"
    mine, other = (caller, callee) if side == CALLER else (callee, caller)
    for media in found.description.media if found is not None else ():
        if not media.port or not media.relayable or media.is_held:
            continue
        if is_hidden(media.host, mine.source):
            return f"the {'caller' if side == CALLER else 'callee'}'s media are behind NAT"
        if _is_other_family(media.host, other.source or other.local):
            return "one phone speaks IPv4, the other IPv6"
        if other.source and _apart(media.host, other.source):
            return "one phone is in a private network, the other is not"
    return ""


def why_relayed(
    mode: Mode, found: Described | None, caller: Where, callee: Where, side: Side
) -> str:
    """Return why a call is to be relayed that is not yet; empty where it is not; see `need`."""
    if mode == "always":
        return "always relayed"
    return "" if mode == "never" else need(found, caller, callee, side)


def left_alone(
    core: "Core", branch: Branch, found: Described | None, now: Instant, mode: Mode
) -> None:
    """No relay is needed; where nothing was described yet, that is seen by what will be."""
    ctx = branch.context
    branch.carried = UNDECIDED if found is None and mode != "never" else None
    if found is not None and mode != "never" and not ctx.to_tag:
        core.decide(ctx, (now, Rule.MEDIA_DIRECT, "nothing stands between the phones"))


def families(found: Described | None, here: Where, there: Where) -> Sequence[Family]:
    """Return the IP versions at which a relay must have ports, each once.

    Args:
        found: A description.
        here: How the side is reached whose it is.
        there: How the other one is.
    """
    if found is not None and found.description.usual is not None and ":" not in there.local:
        return _IPV4  # that is what usual descriptions are of
    needed: list[Family] = [family_of(there.local)]
    if found is None:
        needed.append(family_of(here.local))
    else:
        needed += [
            family_of_media(media.host, here)
            for media in found.description.media
            if media.port and media.relayable
        ]
    return list(dict.fromkeys(needed))


def _is_other_family(host: str, other: str) -> bool:
    return family_of(host) != family_of(other)


def _apart(host: str, other: str) -> bool:
    try:
        return is_private(host) != is_private(other)
    except ValueError:  # a name: it tells nothing
        return False
