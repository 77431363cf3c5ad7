"""Which calls go through a media relay, and what that changes in their messages.

A message passes here just before it leaves. It knows when a relay is needed and which side a
description comes from; where descriptions are rewritten is `centrex.media.exchange`, which relay
takes a call is the farm's business. It refuses to wait: what it needs of a relay was leased ahead.
"""

from typing import TYPE_CHECKING, Final, Literal, NamedTuple, Protocol

from centrex import sdp
from centrex.base import Flow, Instant, PeerError
from centrex.events import Kind, Severity
from centrex.media.exchange import (
    CALLEE,
    CALLER,
    Exchange,
    NoSlot,
    Side,
    Where,
    family_of,
    is_hidden,
    is_private,
    restored,
)
from centrex.media.terms import Session
from centrex.proxy import upstream
from centrex.proxy.answer import Answer
from centrex.proxy.carried import Carried, Relay
from centrex.proxy.context import Branch, Context
from centrex.proxy.media_body import split_body, with_body
from centrex.sdp import Description
from centrex.sip import usual
from centrex.sip.names import VIA
from centrex.sip.uri import SipUri, parse_uri
from centrex.trace import Rule

if TYPE_CHECKING:
    from centrex.proxy.core import Core

Mode = Literal["auto", "always", "never"]

_METHODS: Final = frozenset({b"INVITE", b"ACK", b"PRACK", b"UPDATE"})
"""What may carry an offer or an answer (RFC 6337 §2.2)."""
_NO_BODY: Final = b"\r\n\r\n"
_NONE_LEFT: Final = "no media relay is available"


class Farm(Protocol):
    """The relays, as far as calls need them."""

    def open(self, now: Instant) -> Relay | None:
        """Return the relay for the next session, or None while none is available."""

    def put(self, relay: Relay, session: Session, now: Instant) -> None:
        """Tell a relay of a session, or of its change."""

    def end(self, relay: Relay, name: str, reason: str, now: Instant) -> None:
        """End a session at its relay."""


class _Sdp(NamedTuple):
    content_type: bytes
    body: bytes
    description: Description


class Relaying:
    """Has media relayed.

    Args:
        farm: The relays.
        mode: Relay where it is needed, or always.
        refuse: Whether a call that needs a relay is refused while there is none.
    """

    def __init__(self, farm: Farm, *, mode: Mode, refuse: bool) -> None:
        self._farm = farm
        self.mode, self.refuse = mode, refuse
        self._carried: dict[bytes, Carried] = {}

    def __len__(self) -> int:
        return len(self._carried)

    def of(self, call_id: bytes) -> Carried | None:
        """Return how a call's media are relayed; None where they are not."""
        return self._carried.get(call_id)

    # what goes downstream

    def outward(self, core: "Core", branch: Branch, data: bytes, now: Instant) -> bytes | None:
        """Return a request as it is to leave; None where it is not, having been answered.

        Args:
            core: The core.
            branch: Where it goes; gets to know the call's relay, for the responses.
            data: The request as it would leave.
            now: The time.
        """
        ctx = branch.context
        if ctx.method not in _METHODS:
            return data
        if ctx.to_tag:
            return self._within(core, branch, data, now)
        if ctx.method != b"INVITE" or ctx.call is None or branch.flow is None:
            return data
        found = self._read(core, ctx, data, now)
        carried = self._carried.get(ctx.call_id)
        caller, callee = _caller(ctx), _callee(branch, branch.flow)
        if carried is None:
            carried = self._begin(core, branch, found, caller, callee, now)
            if carried is None:
                return None if ctx.answered else data
        elif all(other.over for other in ctx.branches if other is not branch):
            carried.exchange.forget(CALLEE)
        carried.natted = [caller.natted, callee.natted]
        branch.carried, branch.side = carried, CALLER
        if found is None:
            return data
        changed = self._describe(core, branch, found, CALLER, caller, callee, now)
        if changed is None:
            return None if ctx.answered else data
        return with_body(data, changed)

    def _begin(
        self,
        core: "Core",
        branch: Branch,
        found: _Sdp | None,
        caller: Where,
        callee: Where,
        now: Instant,
    ) -> Carried | None:
        """Take a call's media on; None where that is not needed, or cannot be."""
        ctx = branch.context
        if self.mode == "never":
            return None
        why = "always relayed" if self.mode == "always" else _need(found, caller, callee)
        if not why:
            core.decide(ctx, (now, Rule.MEDIA_DIRECT, "nothing stands between the phones"))
            return None
        relay = self._farm.open(now)
        if relay is None:
            self._none_left(core, branch, now)
            return None
        exchange = Exchange(core.ids.token().decode(), ctx.call_id, ctx.from_tag, relay.slot)
        carried = self._carried[ctx.call_id] = Carried(relay, exchange)
        core.decide(ctx, (now, Rule.MEDIA_RELAYED, relay.name, why))
        return carried

    def _none_left(self, core: "Core", branch: Branch, now: Instant) -> None:
        """No relay, or none with ports left: pass the media by, or refuse the call."""
        ctx = branch.context
        core.statistics.drop(Rule.MEDIA_UNRELAYED.value)
        core.notify(
            Kind.MEDIA,
            Severity.WARNING,
            "media.unrelayed",
            {"from": ctx.from_uri, "to": ctx.to_uri, "refused": self.refuse},
            ctx.call_id,
        )
        if not self.refuse or ctx.to_tag:
            core.decide(ctx, (now, Rule.MEDIA_UNRELAYED, _NONE_LEFT))
            return
        ctx.groups = []
        branch.over = True
        upstream.cancel_others(core, ctx, branch, b"", now)
        answer = Answer(503, Rule.MEDIA_REFUSED, _NONE_LEFT, words=_NONE_LEFT)
        core.conclude(ctx, answer, now)

    def _within(self, core: "Core", branch: Branch, data: bytes, now: Instant) -> bytes | None:
        """A request within a dialog: what it describes is rewritten if the call is relayed."""
        ctx = branch.context
        carried = self._carried.get(ctx.call_id)
        side = None if carried is None else carried.exchange.side_of(ctx.from_tag, ctx.to_tag)
        if carried is None or side is None or branch.flow is None:
            return data
        branch.carried, branch.side = carried, side
        found = self._read(core, ctx, data, now)
        if found is None:
            return data
        if ctx.method in (b"INVITE", b"UPDATE"):
            carried.exchange.save()
        carried.natted[side] |= _caller(ctx).natted
        here = Where(ctx.flow.host, ctx.flow.local.host, carried.natted[side])
        there = _far(branch.flow, carried.natted[1 - side])
        changed = self._describe(core, branch, found, side, here, there, now)
        return data if changed is None else with_body(data, changed)

    # what goes upstream

    def inward(
        self, core: "Core", branch: Branch, status: int, to_tag: bytes, data: bytes, now: Instant
    ) -> bytes:
        """Return a provisional response or a 2xx as it is to go upstream.

        Args:
            core: The core.
            branch: Which it answers; one that `outward` knows to be relayed.
            status: Its status.
            to_tag: Its To tag.
            data: The response as it would leave.
            now: The time.
        """
        ctx, carried = branch.context, branch.carried
        assert carried is not None
        exchange = carried.exchange
        if status >= 200:
            exchange.settle()
            if ctx.method == b"INVITE" and not ctx.to_tag and not exchange.answered:
                exchange.answered, exchange.callee_tag = True, to_tag
        found = self._read(core, ctx, data, now)
        if found is not None and branch.flow is not None:
            side: Side = CALLEE if branch.side == CALLER else CALLER
            here = _far(branch.flow, carried.natted[side])
            there = Where(ctx.flow.host, ctx.flow.local.host, carried.natted[branch.side])
            changed = self._describe(core, branch, found, side, here, there, now)
            if changed is not None:
                data = with_body(data, changed)
        self._tell(carried, now)
        return data

    def refused(self, ctx: Context, now: Instant) -> None:
        """A request within a dialog was refused: what it described does not hold."""
        carried = self._carried.get(ctx.call_id)
        if carried is None or ctx.method not in (b"INVITE", b"UPDATE"):
            return
        carried.exchange.revert()
        self._tell(carried, now)

    # what becomes of calls and relays

    def end(self, call_id: bytes, reason: str, now: Instant) -> None:
        """A call has ended: its ports are free again."""
        carried = self._carried.pop(call_id, None)
        if carried is not None and carried.exchange.revision:
            self._farm.end(carried.relay, carried.exchange.name, reason, now)

    def hung_up(self, ctx: Context, now: Instant) -> None:
        """A BYE passes whose call we do not know: it began before we were started again."""
        carried = self._carried.get(ctx.call_id)
        if carried is None:
            return
        exchange = carried.exchange
        if {ctx.from_tag, ctx.to_tag} == {exchange.caller_tag, exchange.callee_tag}:
            self.end(ctx.call_id, "hung up", now)

    def adopt(self, relay: Relay, session: Session) -> bool:
        """Take on a session that a relay held while we were away; False if it is none of ours."""
        try:
            exchange = restored(session, relay.slot)
        except PeerError:
            return False
        known = self._carried.get(exchange.call_id)
        if known is not None:
            return known.exchange.name == exchange.name
        self._carried[exchange.call_id] = Carried(relay, exchange)
        return True

    def lost(self, call_id: bytes, name: str) -> bool:
        """A relay has ended a session by itself; False if it was not known."""
        carried = self._carried.get(call_id)
        if carried is None or carried.exchange.name != name:
            return False
        del self._carried[call_id]
        return True

    # the work itself

    def _read(self, core: "Core", ctx: Context, data: bytes, now: Instant) -> _Sdp | None:
        """Return the description in a message; None where there is none that can be understood."""
        parts = split_body(data)
        if parts is None:
            return None
        content_type, body = parts
        try:
            span = sdp.find(content_type, body)
            if span is None:
                return None
            return _Sdp(content_type, body, sdp.parse(body[span[0] : span[1]]))
        except PeerError as error:
            core.decide(ctx, (now, Rule.MEDIA_UNREADABLE, error.what, error.rule))
            core.statistics.drop(Rule.MEDIA_UNREADABLE.value)
            return None

    def _describe(
        self,
        core: "Core",
        branch: Branch,
        found: _Sdp,
        side: Side,
        here: Where,
        there: Where,
        now: Instant,
    ) -> bytes | None:
        """Rewrite a body; None where no relay can serve it, so that it must stay as it is."""
        carried = branch.carried
        assert carried is not None
        try:
            described = carried.exchange.describe(side, found.description, here, there)
        except NoSlot:
            if carried.exchange.is_empty:
                del self._carried[branch.context.call_id]
                branch.carried = None
            self._none_left(core, branch, now)
            return None
        self._tell(carried, now)
        return sdp.replace(found.content_type, found.body, described)

    def _tell(self, carried: Carried, now: Instant) -> None:
        if carried.exchange.is_empty:
            return
        session = carried.exchange.session()
        if session is not None:
            self._farm.put(carried.relay, session, now)


def _caller(ctx: Context) -> Where:
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


def _callee(branch: Branch, flow: Flow) -> Where:
    """Return how a target is reached; it is behind NAT where its contact is not where it came from."""
    natted = False
    if branch.target.flow is not None:
        uri = parse_uri(branch.target.uri)
        natted = isinstance(uri, SipUri) and uri.host != flow.received_host
        if isinstance(uri, SipUri) and not natted and not flow.reliable:
            natted = (uri.port or flow.transport.default_port) != flow.port
    return _far(flow, natted)


def _far(flow: Flow, natted: bool) -> Where:
    return Where(flow.host, flow.local.host, natted)


def _need(found: _Sdp | None, caller: Where, callee: Where) -> str:
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
