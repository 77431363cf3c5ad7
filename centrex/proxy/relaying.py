"""Which calls go through a media relay of ours, and what that changes in their messages.

A message passes here just before it leaves. It knows when a relay is needed and which side a
description comes from; where descriptions are rewritten is `centrex.media.exchange`, which relay
takes a call is the farm's business. What it needs of a relay was leased ahead; only when a rush of
calls has used all that up does the first message of a call wait, and not for long.
"""

from collections import deque
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from centrex import sdp
from centrex.base import Instant, PeerError
from centrex.farm.relay import Unsaid
from centrex.farm.rtpengines import Reply
from centrex.media.exchange import CALLEE, CALLER, Exchange, NoSlot, Side, Where, restored
from centrex.media.terms import Session, Slot
from centrex.proxy import forward
from centrex.proxy.carried import Carried, Relay
from centrex.proxy.context import Branch, Context
from centrex.proxy.ends import (
    Described,
    callee_of,
    caller_of,
    described,
    far_end,
    need,
    unrelayed,
)
from centrex.proxy.media_body import with_body
from centrex.proxy.media_path import METHODS, Mode
from centrex.trace import Rule

if TYPE_CHECKING:
    from centrex.proxy.core import Core

_NONE_LEFT: Final = "no media relay is available"
_PATIENCE_S: Final = 0.5
"""How long the first message of a call may wait for ports to be leased."""
_MOST_WAITING: Final = 2000


class Farm(Protocol):
    """The relays, as far as calls need them."""

    def open(self, now: Instant) -> Relay | None:
        """Return the relay for the next session, or None while none is available."""

    def put(self, relay: Relay, session: Session, now: Instant) -> None:
        """Tell a relay of a session, or of its change."""

    def end(self, relay: Relay, name: str, reason: str, now: Instant) -> None:
        """End a session at its relay."""

    def expect(self, relay: Relay, name: str, unsaid: Unsaid) -> None:
        """A relay is going to carry a session; it is told once there is something to carry."""

    def forgo(self, relay: Relay, name: str) -> None:
        """A session that a relay expected is not going to be: its slots are free again."""

    def give_back(self, relay: Relay, slots: Iterable[Slot]) -> None:
        """Take back slots that were taken just now, and are of no use."""

    @property
    def expects_ports(self) -> bool:
        """Whether ports are being leased at a relay that would take calls."""


class _Waiting(NamedTuple):
    """The first message of a call, which waits for ports."""

    branch: Branch
    token: bytes
    data: bytes
    until: Instant


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
        self._waiting: deque[_Waiting] = deque()

    def __len__(self) -> int:
        return len(self._carried)

    def of(self, call_id: bytes) -> Carried | None:
        """Return how a call's media are relayed; None where they are not."""
        return self._carried.get(call_id)

    # what goes downstream

    def outward(
        self, core: "Core", branch: Branch, token: bytes, data: bytes, now: Instant
    ) -> bytes | None:
        """See `MediaPath`."""
        ctx = branch.context
        if ctx.method not in METHODS:
            return data
        if ctx.to_tag:
            return self._within(core, branch, data, now)
        if ctx.method != b"INVITE" or ctx.call is None or branch.flow is None:
            return data
        return self._first(core, _Waiting(branch, token, data, now + _PATIENCE_S), now)

    def _first(self, core: "Core", waiting: _Waiting, now: Instant) -> bytes | None:
        """An INVITE that begins a call; None where it was answered, or waits for ports."""
        branch, data = waiting.branch, waiting.data
        ctx, flow = branch.context, branch.flow
        assert flow is not None
        found = described(core, ctx, data, now)
        carried = self._carried.get(ctx.call_id)
        caller, callee = caller_of(ctx), callee_of(branch, flow)
        try:
            if carried is None:
                carried = self._begin(core, ctx, found, caller, callee, now)
                if carried is None:
                    return data
            elif all(other.over for other in ctx.branches if other is not branch):
                carried.exchange.forget(CALLEE)
            carried.natted = [caller.natted, callee.natted]
            branch.carried, branch.side = carried, CALLER
            if found is None:
                return data
            return with_body(data, self._describe(branch, found, CALLER, caller, callee, now))
        except NoSlot:
            self._drop_empty(branch)
            if self._farm.expects_ports and now < waiting.until and self._has_room:
                self._waiting.append(waiting)
                return None
            unrelayed(core, branch, _NONE_LEFT, now, refuse=self.refuse)
            return None if ctx.answered else data

    @property
    def _has_room(self) -> bool:
        return len(self._waiting) < _MOST_WAITING

    def go_on(self, core: "Core", now: Instant) -> None:
        """Ports may have come, or time has passed: try again what waits for them."""
        if not self._waiting:
            return
        waiting, self._waiting = self._waiting, deque()
        for one in waiting:
            if one.branch.over:
                continue
            data = self._first(core, one, now)
            if data is not None:
                forward.send_on(core, one.branch, one.token, data, now)

    def _begin(
        self,
        core: "Core",
        ctx: Context,
        found: Described | None,
        caller: Where,
        callee: Where,
        now: Instant,
    ) -> Carried | None:
        """Take a call's media on; None where that is not needed.

        Raises:
            NoSlot: No relay is available.
        """
        if self.mode == "never":
            return None
        why = "always relayed" if self.mode == "always" else need(found, caller, callee)
        if not why:
            core.decide(ctx, (now, Rule.MEDIA_DIRECT, "nothing stands between the phones"))
            return None
        relay = self._farm.open(now)
        if relay is None:
            raise NoSlot
        exchange = Exchange(core.ids.token().decode(), ctx.call_id, ctx.from_tag, relay.slot)
        carried = self._carried[ctx.call_id] = Carried(relay, exchange)
        core.decide(ctx, (now, Rule.MEDIA_RELAYED, relay.name, why))
        return carried

    def _drop_empty(self, branch: Branch) -> None:
        """Where nothing could be relayed of a call, it is none of ours, until it is tried again."""
        carried = branch.carried
        if not isinstance(carried, Carried):
            return
        self._farm.give_back(carried.relay, carried.exchange.spare())
        if carried.exchange.is_empty:
            self._carried.pop(branch.context.call_id, None)
            branch.carried = None

    def _within(self, core: "Core", branch: Branch, data: bytes, now: Instant) -> bytes | None:
        """A request within a dialog: what it describes is rewritten if the call is relayed."""
        ctx = branch.context
        carried = self._carried.get(ctx.call_id)
        side = None if carried is None else carried.exchange.side_of(ctx.from_tag, ctx.to_tag)
        if carried is None or side is None or branch.flow is None:
            return data
        branch.carried, branch.side = carried, side
        found = described(core, ctx, data, now)
        if found is None:
            return data
        if ctx.method in (b"INVITE", b"UPDATE"):
            carried.exchange.save()
        carried.natted[side] |= caller_of(ctx).natted
        here = Where(ctx.flow.host, ctx.flow.local.host, carried.natted[side])
        there = far_end(branch.flow, natted=carried.natted[1 - side])
        changed = self._redescribe(core, branch, found, side, here, there, now)
        return data if changed is None else with_body(data, changed)

    # what goes upstream

    def inward(
        self, core: "Core", branch: Branch, status: int, to_tag: bytes, data: bytes, now: Instant
    ) -> bytes:
        """See `MediaPath`; it never waits."""
        ctx, carried = branch.context, branch.carried
        assert isinstance(carried, Carried)
        exchange = carried.exchange
        if status >= 200:
            exchange.settle()
            if ctx.method == b"INVITE" and not ctx.to_tag and not exchange.answered:
                exchange.answer(to_tag)
        found = described(core, ctx, data, now)
        if found is not None and branch.flow is not None:
            side: Side = CALLEE if branch.side == CALLER else CALLER
            here = far_end(branch.flow, natted=carried.natted[side])
            there = Where(ctx.flow.host, ctx.flow.local.host, carried.natted[branch.side])
            changed = self._redescribe(core, branch, found, side, here, there, now)
            if changed is not None:
                data = with_body(data, changed)
        self._tell(carried, now)
        return data

    def refused(self, core: "Core", ctx: Context, now: Instant) -> None:
        """See `MediaPath`."""
        carried = self._carried.get(ctx.call_id)
        if carried is None or ctx.method not in (b"INVITE", b"UPDATE"):
            return
        carried.exchange.revert()
        self._tell(carried, now)

    def consulted(self, core: "Core", number: int, reply: Reply | str, now: Instant) -> None:
        """See `MediaPath`; our own relays are never asked anything."""

    # what becomes of calls and relays

    def end(self, core: "Core", call_id: bytes, reason: str, now: Instant) -> None:
        """See `MediaPath`."""
        carried = self._carried.pop(call_id, None)
        if carried is None:
            return
        exchange = carried.exchange
        if exchange.revision:
            self._farm.end(carried.relay, exchange.name, reason, now)
        else:
            self._farm.forgo(carried.relay, exchange.name)

    def hung_up(self, core: "Core", ctx: Context, now: Instant) -> None:
        """See `MediaPath`."""
        carried = self._carried.get(ctx.call_id)
        if carried is None:
            return
        exchange = carried.exchange
        if {ctx.from_tag, ctx.to_tag} == {exchange.caller_tag, exchange.callee_tag}:
            self.end(core, ctx.call_id, "hung up", now)

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

    def _redescribe(
        self,
        core: "Core",
        branch: Branch,
        found: Described,
        side: Side,
        here: Where,
        there: Where,
        now: Instant,
    ) -> bytes | None:
        """Rewrite a body of a call that is relayed; None where it must stay as it is."""
        try:
            return self._describe(branch, found, side, here, there, now)
        except NoSlot:
            self._drop_empty(branch)
            unrelayed(core, branch, _NONE_LEFT, now, refuse=False)
            return None

    def _describe(
        self,
        branch: Branch,
        found: Described,
        side: Side,
        here: Where,
        there: Where,
        now: Instant,
    ) -> bytes:
        """Rewrite a body.

        Raises:
            NoSlot: The relay has no ports left.
        """
        carried = branch.carried
        assert isinstance(carried, Carried)
        changed = carried.exchange.describe(side, found.description, here, there)
        self._tell(carried, now)
        return sdp.replace(found.content_type, found.body, changed)

    def _tell(self, carried: Carried, now: Instant) -> None:
        exchange = carried.exchange
        if exchange.is_empty:
            return
        if not exchange.carries:
            self._farm.expect(carried.relay, exchange.name, exchange)
            return
        session = exchange.session()
        if session is not None:
            self._farm.put(carried.relay, session, now)
