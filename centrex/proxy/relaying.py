"""Which calls go through a media relay of ours, and what that changes in their messages.

A message passes here just before it leaves. It knows when a relay is needed and which side a
description comes from; where descriptions are rewritten is `centrex.media.exchange`, which relay
takes a call is the farm's business. What it needs of a relay was leased ahead; only when a rush of
calls has used all that up does the first message of a call wait, and not for long.
"""

from typing import TYPE_CHECKING, Final

from centrex import sdp
from centrex.base import Instant
from centrex.farm.rtpengines import Reply
from centrex.media.exchange import (
    CALLEE,
    CALLER,
    Family,
    NoSlot,
    Side,
    Where,
    family_of,
)
from centrex.proxy import forward
from centrex.proxy.carried import DIRECT, UNDECIDED, Carried, Farm, pick
from centrex.proxy.context import Branch, Context
from centrex.proxy.ends import (
    Described,
    callee_of,
    caller_of,
    caller_tag_of,
    described,
    dialog_of,
    ends_back,
    ends_within,
    families,
    families_called,
    is_opaque,
    is_up,
    left_alone,
    may_carry,
    offered,
    overheard,
    overheard_late,
    response_unrelayed,
    unrelayed,
    why_nobody,
    why_relayed,
)
from centrex.proxy.forked import is_idle, may_begin, takes_part
from centrex.proxy.media_body import with_body
from centrex.proxy.media_lines import NO_PORTS, tell_lines
from centrex.proxy.media_path import METHODS, OFFERS, Mode
from centrex.proxy.orphans import Orphan
from centrex.proxy.relayed_calls import RelayedCalls
from centrex.proxy.rush import PATIENCE_S, Rush, Waiting
from centrex.proxy.unanswered import UNREAD_OFFER, hides_offer, unread, unread_offer, unread_request
from centrex.trace import Rule

if TYPE_CHECKING:
    from centrex.proxy.core import Core

_END_OF_HEAD: Final = b"\r\n\r\n"
_MOST: Final = 200_000
"""Calls relayed at once: those that are listed, and as many of which we know nothing."""


class Relaying(RelayedCalls):
    """Has media relayed.

    Args:
        farm: The relays.
        mode: Relay where it is needed, or always.
        refuse: Whether a call that needs a relay is refused while there is none.
    """

    def __init__(self, farm: Farm, *, mode: Mode, refuse: bool) -> None:
        super().__init__(farm)
        self.mode, self.refuse = mode, refuse
        self._rush = Rush()

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
        if ctx.method != b"INVITE" or branch.flow is None:
            return data
        if not may_begin(core, ctx, self._carried.get(ctx.call_id)):
            return data
        return self._first(core, branch, token, data, now + PATIENCE_S, now)

    def _first(
        self,
        core: "Core",
        branch: Branch,
        token: bytes,
        data: bytes,
        until: Instant,
        now: Instant,
        *,
        shares: bool = False,
    ) -> bytes | None:
        """An INVITE that begins a call; None where it was answered, or waits for ports.

        It `shares` where it was seen already that its callee must do with another IP version.
        """
        ctx, flow = branch.context, branch.flow
        assert flow is not None
        found = offered(core, ctx, data, now)
        carried = self._carried.get(ctx.call_id)
        caller, callee = caller_of(ctx), callee_of(branch, flow)
        if found is None and is_opaque(ctx, data):
            needs = why_relayed(self.mode, None, caller, callee, CALLER)
            return unread_request(core, branch, data, now, needs, relayed=False, refuse=self.refuse)
        why = self._why_first(core, branch, found, caller, callee, carried, now)
        if why is None:
            return None if ctx.answered else data
        try:
            carried = carried or self._begin(core, branch, found, caller, callee, now)
            carried.joins(ctx, b"" if found is None else found.text)
            carried.natted = [caller.natted, callee.natted]
            carried.towards, carried.ends = branch.target, (caller, callee)
            branch.carried, branch.side = carried, CALLER
            if found is not None:
                branch.described = True
                data = with_body(data, self._describe(branch, found, CALLER, caller, callee, now))
                tell_lines(core, branch, found, b"", now, answers=False)
            if why:
                core.decide(ctx, (now, Rule.MEDIA_RELAYED, carried.by, why))
            return data
        except NoSlot:
            self._drop_empty(branch)
            lacking = self._farm.lacks(families(found, caller, callee))
            waiting = Waiting(branch, token, data, until)
            if self._may_wait(waiting, callee, lacking, now):
                self._rush.add(waiting)
                return None
        if not shares and self._share(core, branch, callee, lacking, why, now):
            return self._first(core, branch, token, data, until, now, shares=True)
        unrelayed(core, branch, why_nobody(branch, lacking), now, refuse=self.refuse)
        return None if ctx.answered else data

    def _why_first(
        self,
        core: "Core",
        branch: Branch,
        found: Described | None,
        caller: Where,
        callee: Where,
        carried: Carried | None,
        now: Instant,
    ) -> str | None:
        """Return why an INVITE that begins a call is relayed; None where it is not.

        It is empty where that was told already.
        """
        if carried is None:
            why = why_relayed(self.mode, found, caller, callee, CALLER)
            if not why:
                left_alone(core, branch, found, now, self.mode, (caller, callee))
            return why or None
        if not takes_part(core, branch, carried, found, now, refuse=self.refuse):
            return None
        if is_idle(carried, branch):
            carried.exchange.forget()
        return ""

    def _may_wait(
        self, waiting: Waiting, callee: Where, lacking: Family | None, now: Instant
    ) -> bool:
        """Whether a call may wait for ports that are being leased."""
        carried = waiting.branch.carried
        if isinstance(carried, Carried) and not carried.relay.speaks(family_of(callee.local)):
            return False  # others who are called are relayed already, where there never will be any
        if lacking is not None or not self._farm.expects_ports:
            return False
        return self._rush.may_wait(waiting, now)

    def _share(
        self,
        core: "Core",
        branch: Branch,
        callee: Where,
        lacking: Family | None,
        why: str,
        now: Instant,
    ) -> bool:
        """Have one of several who are called offered what the relay has for another IP version.

        Returns:
            Whether there is anything to offer.
        """
        ctx, own = branch.context, family_of(callee.local)
        carried = self._carried.get(ctx.call_id)
        if carried is None and lacking == own:
            others = [one for one in families_called(ctx) if one != own]
            relay = self._farm.open(now, others) if others else None
            if relay is not None:
                carried = self._take_on(core, ctx, ctx.from_tag, relay)
                core.decide(ctx, (now, Rule.MEDIA_RELAYED, relay.name, why))
        if carried is None:
            return False
        has = "port left" if carried.relay.speaks(own) else "address"
        other = carried.exchange.share(own)
        uri, what = branch.target.uri, f"IPv{own} {has}"
        core.decide(ctx, (now, Rule.MEDIA_FAMILY, carried.by, what, uri, other))
        core.statistics.media_amiss(Rule.MEDIA_FAMILY.value)
        return True

    def go_on(self, core: "Core", now: Instant) -> None:
        """Ports may have come, or time has passed: try again what waits for them."""
        if not len(self._rush):
            return
        for one in self._rush.take():
            if one.branch.over:
                continue
            branch, token, data, until = one
            ctx = branch.context
            changed: bytes | None = data
            if may_begin(core, ctx, self._carried.get(ctx.call_id)):  # else it is over by now
                changed = self._first(core, branch, token, data, until, now)
            if changed is not None:
                forward.send_on(core, branch, token, changed, now)

    def _begin(
        self,
        core: "Core",
        branch: Branch,
        found: Described | None,
        here: Where,
        there: Where,
        now: Instant,
    ) -> Carried:
        """Take a call's media on.

        Raises:
            NoSlot: No relay is available.
        """
        ctx = branch.context
        relay = pick(self._farm, now, families(found, here, there), families_called(ctx))
        if relay is None or len(self._carried) >= _MOST:
            raise NoSlot
        caller_tag = self._caller_tag(core, ctx, None) if ctx.to_tag else ctx.from_tag
        return self._take_on(core, ctx, caller_tag, relay)

    def _within(self, core: "Core", branch: Branch, data: bytes, now: Instant) -> bytes | None:
        """A request within a dialog: what it describes is rewritten if the call is relayed.

        An offer is looked at anew: a call that was not relayed may be from here on, since both sides
        describe themselves again.
        """
        ctx = branch.context
        carried = self._carried.get(ctx.call_id)
        offers = ctx.method in OFFERS
        if branch.flow is None or (carried is None and (self.mode == "never" or not offers)):
            if carried is None and self.mode == "auto" and ctx.has_body:
                self._orphans.hear(ctx.call_id, lambda: overheard_late(core, branch, data, now))
            return data
        caller_tag = self._caller_tag(core, ctx, carried)
        if caller_tag not in (ctx.from_tag, ctx.to_tag):
            return data
        found = offered(core, ctx, data, now)
        branch.side = CALLER if ctx.from_tag == caller_tag else CALLEE
        if found is None and (is_opaque(ctx, data) or ctx.method == b"UPDATE"):
            return self._unread_within(core, branch, carried, data, now)
        if found and carried and carried.exchange.has_passed(found.description):
            return data
        if carried is not None and offers and carried.relay.is_lost(now):
            self._give_up(carried, now)
            carried = None
        branch.carried = carried
        natted = carried.natted if carried is not None else self._orphans.natted(ctx.call_id)
        here, there = ends_within(branch, natted)
        try:
            if carried is None and not self._again(core, branch, found, here, there, now):
                return data
            if found is None:
                return data
            changed = self._describe_within(branch, found, here, there, now)
        except NoSlot:
            self._drop_empty(branch)
            lacking = self._farm.lacks(families(found, here, there))
            unrelayed(core, branch, why_nobody(branch, lacking), now, refuse=self.refuse)
            return None if ctx.answered else data
        tag = ctx.to_tag if branch.side == CALLER else ctx.from_tag
        tell_lines(core, branch, found, tag, now, answers=not offers)
        return with_body(data, changed)

    def _unread_within(
        self, core: "Core", branch: Branch, carried: Carried | None, data: bytes, now: Instant
    ) -> bytes | None:
        """A request within a dialog that describes nothing which can be read."""
        ctx, why = branch.context, ""
        if carried is None and ctx.has_body:
            here, there = ends_within(branch, self._orphans.natted(ctx.call_id))
            ends = (here, there) if branch.side == CALLER else (there, here)
            why = self._why(ctx, None, ends, branch.side)
        relayed = carried is not None
        return unread_request(core, branch, data, now, why, relayed=relayed, refuse=self.refuse)

    def _describe_within(
        self, branch: Branch, found: Described, here: Where, there: Where, now: Instant
    ) -> bytes:
        """Rewrite the body of a request within a dialog.

        Raises:
            NoSlot: No relay has the ports for it.
        """
        ctx, carried, side = branch.context, branch.carried, branch.side
        assert isinstance(carried, Carried)
        branch.described = True
        tag = ctx.to_tag if side == CALLER else ctx.from_tag
        offers = ctx.method in OFFERS
        if offers and not carried.exchange.is_foreign(tag):
            carried.exchange.save(side, update=ctx.method == b"UPDATE")
        whole = offers and self.refuse
        return self._describe(
            branch, found, side, here, there, now, tag=tag, answers=not offers, whole=whole
        )

    def _caller_tag(self, core: "Core", ctx: Context, carried: Carried | None) -> bytes:
        """Return the tag of whoever began the call that a request belongs to."""
        if carried is not None:
            return carried.exchange.caller_tag
        ended = self._orphans.get(ctx.call_id)
        if ended is not None:
            return ended.caller_tag
        return caller_tag_of(core, ctx)

    def _again(
        self,
        core: "Core",
        branch: Branch,
        found: Described | None,
        here: Where,
        there: Where,
        now: Instant,
    ) -> bool:
        """Look anew at a call that is not relayed; return whether it is from now on.

        Raises:
            NoSlot: No relay is available.
        """
        ctx, side = branch.context, branch.side
        ends = (here, there) if side == CALLER else (there, here)
        why = self._why(ctx, found, ends, side)
        if not why:
            left_alone(core, branch, found, now, self.mode)
            return False
        if found is None:  # what is offered in its answer begins the media
            if self._farm.open(now, families(found, here, there)) is None:
                raise NoSlot
            branch.carried = UNDECIDED
            return False
        carried = self._begin(core, branch, found, here, there, now)
        carried.exchange.save(side, update=ctx.method == b"UPDATE")
        carried.natted = [end.natted for end in ends]
        branch.carried = carried
        core.decide(ctx, (now, Rule.MEDIA_RELAYED, carried.by, why))
        return True

    def _why(
        self, ctx: Context, found: Described | None, ends: tuple[Where, Where], side: Side
    ) -> str:
        """Return why a call is to be relayed from here on; empty where it is not."""
        if self.mode == "never" or not may_carry(found):
            return ""
        return why_relayed(self.mode, found, *ends, side) or self._orphans.why(ctx.call_id)

    # what goes upstream

    def inward(
        self, core: "Core", branch: Branch, status: int, to_tag: bytes, data: bytes, now: Instant
    ) -> bytes | None:
        """See `MediaPath`; it never waits."""
        if status < 200 and data.find(_END_OF_HEAD) + len(_END_OF_HEAD) == len(data):
            return data  # it describes nothing
        ctx, carried = branch.context, branch.carried
        if not isinstance(carried, Carried):
            return self._inward_undecided(core, branch, status, to_tag, data, now)
        exchange = carried.exchange
        tag = dialog_of(branch, to_tag) if ctx.to_tag else to_tag
        if status >= 200 and not exchange.is_foreign(tag):
            self._taken(core, branch, carried, tag)
        found = described(core, ctx, data, now)
        if found is None and branch.described:
            data, found = unread(core, branch, status, data, now)
        elif found is None and hides_offer(ctx, data):
            return self._inward_hidden(core, branch, carried, status, data, now)
        if found is not None and not exchange.has_passed(found.description):
            here, there = self._back(branch, carried)
            side: Side = CALLEE if branch.side == CALLER else CALLER
            answers, relay = branch.described, carried.relay
            try:
                changed = self._describe(
                    branch, found, side, here, there, now, tag=tag, answers=answers
                )
            except NoSlot:
                why = why_nobody(branch, self._farm.lacks(families(found, here, there)))
                self._drop_empty(branch)
                return response_unrelayed(core, branch, status, data, found, why, now, self.refuse)
            if carried.relay is not relay:
                why = NO_PORTS.format(relay.name)
                core.decide(ctx, (now, Rule.MEDIA_RELAYED, carried.by, why))
            tell_lines(core, branch, found, tag, now, answers=answers)
            data = with_body(data, changed)
        if status >= 200:
            self._settled(core, ctx, carried, found, now)
        return data

    def _inward_hidden(
        self, core: "Core", branch: Branch, carried: Carried, status: int, data: bytes, now: Instant
    ) -> bytes | None:
        """A response makes an offer that cannot be read: its call is relayed no more until the next one."""
        if carried.exchange.is_empty:
            self._drop_empty(branch)
        else:
            self.end(core, branch.context.call_id, UNREAD_OFFER, now)
            self._remember(carried)
        return unread_offer(core, branch, status, data, now, refuse=self.refuse)

    def _taken(self, core: "Core", branch: Branch, carried: Carried, tag: bytes) -> None:
        """Whoever is in the dialog that is relayed has accepted a request."""
        ctx, exchange = branch.context, carried.exchange
        if ctx.method in OFFERS:
            exchange.settle(branch.side, update=ctx.method == b"UPDATE")
        if not exchange.answered and is_up(core, ctx):
            self._answered(branch, carried, tag)

    def _answered(self, branch: Branch, carried: Carried, tag: bytes) -> None:
        """A call is up: what was taken for others who were called is free again."""
        ctx = branch.context
        flow = branch.flow if branch.side == CALLER else ctx.flow
        assert flow is not None
        vain = carried.exchange.answer(tag, family_of(flow.local.host))
        if vain:
            self._farm.give_back(carried.relay, vain)
        carried.goes_to(ctx)
        if not ctx.to_tag and carried.towards is not branch.target:
            carried.natted[CALLEE] = self._back(branch, carried)[0].natted

    def _settled(
        self, core: "Core", ctx: Context, carried: Carried, found: Described | None, now: Instant
    ) -> None:
        """An exchange has come to its end; one that described nothing to be relayed begins no media."""
        exchange = carried.exchange
        if ctx.to_tag and (exchange.is_silent if found is None else exchange.is_empty):
            self._unsaid(core, carried, now)
        else:
            self._note(carried)

    def _inward_undecided(
        self, core: "Core", branch: Branch, status: int, to_tag: bytes, data: bytes, now: Instant
    ) -> bytes | None:
        """A response in a call of which nothing was described before: it may be what is relayed first."""
        ctx = branch.context
        if branch.carried is DIRECT:
            why = overheard(core, branch, data, now)
            if why:
                tag = self._caller_tag(core, ctx, None)
                self._orphans.add(ctx.call_id, Orphan(tag, [False, False], why))
            return data
        if status < 200 and ctx.answered:
            return data  # nobody gets it any more
        found = described(core, ctx, data, now)
        if found is None:
            return data
        branch.carried = self._carried.get(ctx.call_id)
        if branch.carried is None:
            side: Side = CALLEE if branch.side == CALLER else CALLER
            here, there = self._back(branch, None)
            ends = (there, here) if side == CALLEE else (here, there)
            why = self._why(ctx, found, ends, side)
            if not why:
                left_alone(core, branch, found, now, self.mode)
                return data
            try:
                carried = self._begin(core, branch, found, here, there, now)
            except NoSlot:
                why = why_nobody(branch, self._farm.lacks(families(found, here, there)))
                return response_unrelayed(core, branch, status, data, found, why, now, self.refuse)
            if ctx.to_tag:  # this offer may come to nothing, and the call goes on
                carried.exchange.save(branch.side, update=ctx.method == b"UPDATE")
            carried.natted = [end.natted for end in ends]
            branch.carried = carried
            core.decide(ctx, (now, Rule.MEDIA_RELAYED, carried.by, why))
        if not ctx.to_tag and not branch.carried.exchange.answered:
            branch.carried.joins(ctx, b"")
        return self.inward(core, branch, status, to_tag, data, now)

    def _back(self, branch: Branch, carried: Carried | None) -> tuple[Where, Where]:
        """Return how whoever answers a request is reached, and how its sender is."""
        ctx = branch.context
        if carried is not None and not ctx.to_tag and carried.towards is branch.target:
            return carried.ends[1], carried.ends[0]
        natted = carried.natted if carried is not None else self._orphans.natted(ctx.call_id)
        return ends_back(branch, natted)

    def refused(self, core: "Core", ctx: Context, now: Instant) -> None:
        """See `MediaPath`."""
        carried = self._carried.get(ctx.call_id)
        if carried is None or ctx.method not in OFFERS:
            return
        exchange = carried.exchange
        side = CALLER if ctx.from_tag == exchange.caller_tag else CALLEE
        if exchange.is_foreign(ctx.to_tag if side == CALLER else ctx.from_tag):
            return
        exchange.revert(side, update=ctx.method == b"UPDATE")
        if exchange.is_silent:
            self._unsaid(core, carried, now)
        else:
            self._note(carried)

    def consulted(self, core: "Core", number: int, reply: Reply | str, now: Instant) -> None:
        """See `MediaPath`; our own relays are never asked anything."""

    # the work itself

    def _describe(
        self,
        branch: Branch,
        found: Described,
        side: Side,
        here: Where,
        there: Where,
        now: Instant,
        *,
        tag: bytes = b"",
        answers: bool = False,
        whole: bool = False,
    ) -> bytes:
        """Rewrite a body; a call of which nothing is relayed yet goes to another relay if need be.

        Raises:
            NoSlot: No relay has the ports for it.
        """
        carried = branch.carried
        assert isinstance(carried, Carried)
        exchange = carried.exchange
        tried: list[str] = []
        changed: bytes | None = None
        while changed is None:
            try:
                changed = exchange.describe(
                    side, found.description, here, there, tag=tag, answers=answers, whole=whole
                )
            except NoSlot:
                self._return_spare(carried)
                if not exchange.is_empty:
                    raise
                tried.append(carried.by)
                called = families_called(branch.context)
                other = pick(self._farm, now, families(found, here, there), called, tried)
                if other is None:
                    raise
                carried.move(other)
        if exchange.unused:
            self._return_spare(carried)
        self._note(carried)
        if found.text is found.body:
            return changed
        return sdp.replace(found.content_type, found.body, changed)
