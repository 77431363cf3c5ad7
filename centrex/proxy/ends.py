"""The two ends of a call's media as its messages show them, and whether they need somebody between.

It knows contexts, branches and descriptions; who relays, and how, is not its business.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from centrex import sdp
from centrex.base import Flow, Instant, PeerError
from centrex.events import Field, Kind, Severity
from centrex.media.exchange import (
    CALLEE,
    CALLER,
    Family,
    Side,
    Where,
    family_of,
    family_of_media,
)
from centrex.media.whereabouts import is_hidden, is_private
from centrex.proxy import leg, upstream
from centrex.proxy.answer import Answer
from centrex.proxy.carried import DIRECT, UNDECIDED, Carried
from centrex.proxy.context import Branch, Context
from centrex.proxy.media_body import SDP, split_body, with_body
from centrex.proxy.media_lines import NO_PORTS, left_out, odd_lines
from centrex.proxy.media_path import OFFERS, Mode
from centrex.proxy.orphans import Orphan
from centrex.routing.next_hop import next_hop
from centrex.sdp import Description
from centrex.sip import usual
from centrex.sip.message import parse
from centrex.sip.names import VIA
from centrex.sip.uri import SipUri, parse_uri
from centrex.trace import Rule

if TYPE_CHECKING:
    from centrex.proxy.core import Core


_IPV4: Final[tuple[Family, ...]] = (4,)
_NONE_LEFT: Final = "no media relay is available"
_UNRELAYED: Final = b'Reason: SIP;cause=488;text="No media relay"'


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
        if content_type == SDP:
            return Described(content_type, body, body, sdp.parse(body))
        span = sdp.find(content_type, body)
        if span is None:
            return None
        text = body[span[0] : span[1]]
        return Described(content_type, body, text, sdp.parse(text))
    except PeerError as error:
        core.decide(ctx, (now, Rule.MEDIA_UNREADABLE, error.what, error.rule))
        core.statistics.media_amiss(Rule.MEDIA_UNREADABLE.value)
        return None


def offered(core: "Core", ctx: Context, data: bytes, now: Instant) -> Described | None:
    """Return the description in a request, as `described` does; what it shows of NAT is remembered."""
    found = described(core, ctx, data, now)
    flow = ctx.flow
    if found is not None and not flow.natted and _hides(found, flow.host):
        flow.natted = bool(caller_of(ctx).source)
    return found


def is_opaque(ctx: Context, data: bytes) -> bool:
    """Whether a message without a description that can be read may hold one that others can read."""
    if not ctx.has_body:
        return False
    parts = split_body(data)
    if parts is None:
        return True
    kind = parts[0].lower()
    return b"sdp" in kind or b"multipart" in kind


def unrelayed(
    core: "Core",
    branch: Branch,
    why: str,
    now: Instant,
    *,
    refuse: bool,
    rule: Rule = Rule.MEDIA_REFUSED,
) -> None:
    """Nobody can relay media that need it: they are passed by, or what describes them is refused.

    A call that begins is refused whole, with all its branches; of a call that stands only the offer
    is (RFC 3261 §14.2), and the call goes on as before.

    Args:
        core: The core.
        branch: The branch that should leave.
        why: Why nobody can.
        now: The time.
        refuse: Whether the request is to be refused.
        rule: By which rule that is.
    """
    ctx = branch.context
    refuse = refuse and (not ctx.to_tag or ctx.method in OFFERS)
    if not ctx.unrelayed:  # once for all who are called
        ctx.unrelayed = True
        core.statistics.media_amiss(Rule.MEDIA_UNRELAYED.value)
        fields: dict[str, Field] = {
            "from": ctx.from_uri, "to": ctx.to_uri, "why": why, "refused": refuse
        }  # fmt: skip
        core.notify(Kind.MEDIA, Severity.WARNING, "media.unrelayed", fields, ctx.call_id)
        if not refuse:
            core.decide(ctx, (now, Rule.MEDIA_UNRELAYED, why))
    if refuse:
        status = 488 if ctx.to_tag else 503
        refuse_whole(core, branch, Answer(status, rule, why, status, words=why), now)


def refuse_whole(core: "Core", branch: Branch, answer: Answer, now: Instant) -> None:
    """Refuse a request, one branch of which was about to leave, with all its branches."""
    ctx = branch.context
    ctx.groups = []
    branch.over = True
    for other in ctx.branches:
        if other.client is None:
            other.over = True
    core.conclude(ctx, answer, now)
    # only now: a branch that ends would have the call answered for what became of it
    upstream.cancel_others(core, ctx, branch, b"", now)


def response_unrelayed(
    core: "Core",
    branch: Branch,
    status: int,
    data: bytes,
    found: Described,
    why: str,
    now: Instant,
    refuse: bool,
) -> bytes | None:
    """Nobody can relay what a response describes: return it as it is to pass; None if it is not to.

    An answer passes, as what it answers has passed already. An offer that begins a call has the call
    refused whole; in a call that stands, where a 2xx cannot be refused (RFC 3261 §14.1), its lines are
    declined.

    Args:
        core: The core.
        branch: Which was answered.
        status: The response's status.
        data: The response.
        found: What it describes.
        why: Why nobody can.
        now: The time.
        refuse: Whether offers are to be refused that nobody can relay.
    """
    if branch.described or not refuse:
        unrelayed(core, branch, why, now, refuse=False)
        return data
    if branch.context.to_tag:
        return _without_media(core, branch.context, found, data, why, now)
    refuse_late(core, branch, status, data, why, now)
    return None


def refuse_late(
    core: "Core",
    branch: Branch,
    status: int,
    data: bytes,
    why: str,
    now: Instant,
    rule: Rule = Rule.MEDIA_REFUSED,
) -> None:
    """Refuse a call; who has picked up is hung up in the caller's name, who still rings is cancelled."""
    branch.context.winner = branch.carried = None
    unrelayed(core, branch, why, now, refuse=True, rule=rule)
    if status >= 200:
        leg.end(core, branch, parse(data), now, reason=_UNRELAYED, why=why)
    else:
        upstream.send_cancel(core, branch, now, _UNRELAYED)


def _without_media(
    core: "Core", ctx: Context, found: Described, data: bytes, why: str, now: Instant
) -> bytes:
    """Return a response with the lines of its offer declined."""
    media = found.description.media
    numbers = [number for number, one in enumerate(media) if one.port and not one.why_not]
    left_out(core, ctx, found, numbers, why, now)
    places = [sdp.DECLINED if number in numbers else None for number in range(len(media))]
    shown = sdp.rewrite(found.description, places)
    return with_body(data, sdp.replace(found.content_type, found.body, shown))


def may_carry(found: Described | None) -> bool:
    """Whether a relay can carry any line of a description, as far as one is wanted in it."""
    if found is None:
        return True
    may = True
    for one in found.description.media:
        if one.port:
            if not one.why_not:
                return True
            may = False
    return may


def why_nobody(branch: Branch, lacking: Family | None) -> str:
    """Return why no relay can serve a call, or all that one describes which is relayed."""
    if lacking is not None:
        return f"no relay has an IPv{lacking} address"
    carried = branch.carried
    return NO_PORTS.format(carried.by) if isinstance(carried, Carried) else _NONE_LEFT


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
    return Where(source, ctx.flow.local.host, natted or ctx.flow.natted)


def callee_of(branch: Branch, flow: Flow) -> Where:
    """Return how a target is reached.

    It is behind NAT where its contact is not where it came from, nor its Via: only then is there a
    flow to a target by UDP.
    """
    natted = flow.natted
    if not natted and branch.target.flow is not None:
        uri = parse_uri(branch.target.uri)
        elsewhere = isinstance(uri, SipUri) and uri.host != flow.received_host
        natted = elsewhere or not flow.reliable
    return Where(flow.host, flow.local.host, natted)


def far_end(branch: Branch, flow: Flow, *, natted: bool) -> Where:
    """Return how whoever a request within a dialog goes to is reached.

    He is behind NAT, too, where the dialog has a flow to him by UDP (see `callee_of`): that is known
    even if all else is forgotten.
    """
    led = branch.target.flow is not None and not flow.reliable
    return Where(flow.host, flow.local.host, natted or led or flow.natted)


def ends_within(branch: Branch, natted: list[bool]) -> tuple[Where, Where]:
    """Return how both ends of a dialog are reached: its request's sender, and the other one.

    Args:
        branch: Where the request goes.
        natted: Whether caller and callee are behind NAT, as far as is known; learns from the request.
    """
    side, flow = branch.side, branch.flow
    assert flow is not None
    here = caller_of(branch.context)
    natted[side] |= here.natted
    if natted[side] and not here.natted:
        here = here._replace(natted=True)
    return here, far_end(branch, flow, natted=natted[1 - side])


def ends_back(branch: Branch, natted: list[bool]) -> tuple[Where, Where]:
    """Return how whoever answers a request is reached, and how its sender is; see `ends_within`."""
    ctx, flow = branch.context, branch.flow
    assert flow is not None
    if not ctx.to_tag:
        return callee_of(branch, flow), caller_of(ctx)
    there, here = ends_within(branch, natted)
    return here, there


def is_up(core: "Core", ctx: Context) -> bool:
    """Whether a call is answered, by this 2xx or before."""
    if not ctx.to_tag:
        return ctx.method == b"INVITE" and not ctx.answered
    call = core.calls.get(ctx.call_id)
    return ctx.method == b"INVITE" or call is None or bool(call.callee_tag)


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
        if not media.port or media.why_not or media.is_held:
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
    if not may_carry(found):
        return ""
    if mode == "always":
        return "always relayed"
    return "" if mode == "never" else need(found, caller, callee, side)


def left_alone(
    core: "Core",
    branch: Branch,
    found: Described | None,
    now: Instant,
    mode: Mode,
    ends: tuple[Where, Where] | None = None,
) -> None:
    """No relay is needed; where nothing was described yet, that is seen by what will be.

    Args:
        core: The core.
        branch: That of the message.
        found: What it describes.
        now: The time.
        mode: Whether to relay.
        ends: How caller and callee are reached, where a call begins.
    """
    ctx = branch.context
    branch.carried = None
    if mode == "never":
        if ends is not None:
            core.decide(ctx, (now, Rule.MEDIA_DIRECT, _switched_off(found, ends)))
        return
    if found is None:
        branch.carried = UNDECIDED
    elif not may_carry(found):
        odd_lines(core, ctx, found, Rule.MEDIA_LEFT_ALONE, range(len(found.description.media)), now)
    else:
        branch.carried = DIRECT
    if branch.carried is DIRECT and not ctx.to_tag:
        core.decide(ctx, (now, Rule.MEDIA_DIRECT, "nothing stands between the phones"))


def _switched_off(found: Described | None, ends: tuple[Where, Where]) -> str:
    """Return why nothing is relayed, and what stands between the phones of a new call all the same."""
    why = need(found, *ends) if may_carry(found) else ""
    return f'media.mode is "never", though {why}' if why else 'media.mode is "never"'


def overheard(core: "Core", branch: Branch, data: bytes, now: Instant) -> str:
    """See whether an answer shows that its media had to be relayed, though they were offered unrelayed.

    Returns:
        Why they had to be; empty where they had not.
    """
    found = described(core, branch.context, data, now)
    if found is None:
        return ""
    answerer: Side = CALLEE if branch.side == CALLER else CALLER
    here, there = ends_back(branch, [False, False])
    why = need(found, *((there, here) if answerer == CALLEE else (here, there)), answerer)
    if not why:
        return ""
    flow, uri = branch.flow, parse_uri(branch.target.uri)
    branch.carried = None  # told once
    if flow is not None and isinstance(uri, SipUri) and uri.host == flow.received_host:
        flow.natted |= _hides(found, flow.host)  # and no other proxy stands between
    _too_late(core, branch.context, why, now)
    return why


def overheard_late(core: "Core", branch: Branch, data: bytes, now: Instant) -> Orphan | None:
    """See the same of a request that answers what a response has offered unrelayed (RFC 3264 §4).

    What else tells that a relay is needed was seen with the offer.

    Returns:
        What is to be remembered of the call; None where it needs no relay.
    """
    ctx, flow = branch.context, branch.flow
    found = offered(core, ctx, data, now)
    if found is None or flow is None:
        return None
    here, there = caller_of(ctx), far_end(branch, flow, natted=False)
    if here.local != there.local:
        return None
    tag = caller_tag_of(core, ctx)
    side: Side = CALLER if ctx.from_tag == tag else CALLEE
    here, there = here._replace(natted=False), there._replace(natted=False)
    why = need(found, *((here, there) if side == CALLER else (there, here)), side)
    if not why:
        return None
    _too_late(core, ctx, why, now)
    return Orphan(tag, [False, False], why)


def _too_late(core: "Core", ctx: Context, why: str, now: Instant) -> None:
    core.journal.open(ctx.call_id).append((now, Rule.MEDIA_TOO_LATE, why))  # an ACK has no story
    core.statistics.media_amiss(Rule.MEDIA_TOO_LATE.value)
    fields: dict[str, Field] = {"from": ctx.from_uri, "to": ctx.to_uri, "why": why}
    core.notify(Kind.MEDIA, Severity.WARNING, "media.too-late", fields, ctx.call_id)


def _hides(found: Described, source: str) -> bool:
    """Whether a description names an address that only its sender can use."""
    for media in found.description.media:
        if media.port and not media.why_not and is_hidden(media.host, source):
            return True
    return False


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
            if media.port and not media.why_not
        ]
    return list(dict.fromkeys(needed))


def families_called(ctx: Context) -> Sequence[Family]:
    """Return the IP versions of all who are called by an INVITE, or may be next, as far as is known."""
    if len(ctx.branches) == 1 and not ctx.groups:
        return ()
    found: list[Family] = []
    targets = [(branch.flow, branch.target) for branch in ctx.branches if not branch.over]
    targets += [(None, target) for group in ctx.groups for target in group]
    for flow, target in targets:
        way = flow or target.flow
        hop = next_hop(target.uri) if way is None and not target.path else None
        if way is not None:
            found.append(family_of(way.local.host))
        elif type(hop) is tuple:
            found.append(family_of(hop[1]))
    return list(dict.fromkeys(found))


def _is_other_family(host: str, other: str) -> bool:
    return family_of(host) != family_of(other)


def _apart(host: str, other: str) -> bool:
    try:
        return is_private(host) != is_private(other)
    except ValueError:  # a name: it tells nothing
        return False
