"""The calls that relays carry, from when one takes a call on until that is over, however it ends.

It knows calls, relays and what is told of the one to the other; messages, and whether a call is to be
relayed, are for `centrex.proxy.relaying`.
"""

from typing import TYPE_CHECKING, Final

from centrex.base import Instant, PeerError
from centrex.media.exchange import Exchange, restored
from centrex.media.terms import Session
from centrex.proxy.carried import UNDECIDED, Carried, Farm, Relay
from centrex.proxy.context import Branch, Context
from centrex.proxy.forked import has_failed
from centrex.proxy.orphans import RELAYED_BEFORE, Orphan, Orphans

if TYPE_CHECKING:
    from centrex.proxy.core import Core

_SWEEP_S: Final = 60.0
"""How often it is looked for calls that wait for nothing; one is over that was found twice."""


class RelayedCalls:
    """The calls that relays carry.

    Args:
        farm: The relays.
    """

    def __init__(self, farm: Farm) -> None:
        self._farm = farm
        self._carried: dict[bytes, Carried] = {}
        self._orphans = Orphans()
        self._untold: dict[Carried, None] = {}
        self._idle: set[Carried] = set()
        self._sweep_at: Instant = 0.0

    def __len__(self) -> int:
        return len(self._carried)

    def of(self, call_id: bytes) -> Carried | None:
        """Return how a call's media are relayed; None where they are not."""
        return self._carried.get(call_id)

    def _take_on(self, core: "Core", ctx: Context, caller_tag: bytes, relay: Relay) -> Carried:
        orphan = self._orphans.take(ctx.call_id)
        exchange = Exchange(core.ids.token().decode(), ctx.call_id, caller_tag, relay.slot)
        exchange.later = int(bool(ctx.to_tag)) if orphan is None else orphan.later
        carried = self._carried[ctx.call_id] = Carried(relay, exchange)
        return carried

    def _drop_empty(self, branch: Branch) -> None:
        """Where nothing could be relayed of a call, it is none of ours, until it is tried again."""
        carried = branch.carried
        if not isinstance(carried, Carried):
            return
        self._return_spare(carried)
        if carried.exchange.is_empty:
            self._carried.pop(branch.context.call_id, None)
            for ctx in {branch.context, *carried.forks}:
                for other in ctx.branches:
                    if other.carried is carried:
                        other.carried = UNDECIDED  # it has described nothing either
            branch.carried = None

    def _return_spare(self, carried: Carried) -> None:
        """What was taken of a relay in vain is free again."""
        spare = carried.exchange.spare()
        if spare:
            self._farm.give_back(carried.relay, spare)

    def _note(self, carried: Carried) -> None:
        """A relay is to be told of a call, or of its change, once what brought it about has been sent."""
        exchange = carried.exchange
        if carried in self._untold or self._carried.get(exchange.call_id) is not carried:
            return  # it is going to be told; or the call is over
        carries = exchange.carries
        if carries:
            self._untold[carried] = None
        elif carries is not None:
            self._farm.expect(carried.relay, exchange.name, exchange)

    def tell(self, now: Instant) -> None:
        """See `MediaPath`: no phone waits for what its relay is told."""
        while self._untold:
            carried, _ = self._untold.popitem()
            exchange = carried.exchange
            if self._carried.get(exchange.call_id) is carried:
                session = exchange.session()
                if session is not None:
                    self._farm.put(carried.relay, session, now)
                    self._return_spare(carried)

    def _give_up(self, carried: Carried, now: Instant) -> None:
        """A relay does not come back: its part of a call is over, which goes on."""
        exchange = carried.exchange
        del self._carried[exchange.call_id]
        self._release(carried, "the relay is lost", now)
        self._remember(carried)

    def _remember(self, carried: Carried) -> None:
        """Remember a call that goes on without a relay, until it makes another offer."""
        exchange = carried.exchange
        orphan = Orphan(exchange.caller_tag, carried.natted, RELAYED_BEFORE, exchange.later + 1)
        self._orphans.add(exchange.call_id, orphan)

    def _unsaid(self, core: "Core", carried: Carried, now: Instant) -> None:
        """It was not relayed before that exchange, and is not after it."""
        self.end(core, carried.exchange.call_id, "the offer was refused", now)
        self._remember(carried)

    def won(self, core: "Core", branch: Branch, now: Instant) -> None:
        """See `MediaPath`."""
        carried = self._carried.get(branch.context.call_id)
        if carried is None or branch.carried is carried or carried.exchange.answered:
            return
        self.end(core, carried.exchange.call_id, "another phone has answered", now)

    def failed(self, core: "Core", ctx: Context, now: Instant) -> None:
        """See `MediaPath`."""
        if has_failed(core, ctx, self._carried.get(ctx.call_id)):
            self.end(core, ctx.call_id, "the call failed", now)

    def end(
        self, core: "Core", call_id: bytes, reason: str, now: Instant, *, tag: bytes = b""
    ) -> None:
        """See `MediaPath`."""
        carried = self._carried.get(call_id)
        if carried is not None and carried.exchange.is_foreign(tag):
            return
        self._carried.pop(call_id, None)
        if carried is not None:
            self._release(carried, reason, now)
        else:
            self._orphans.discard(call_id)

    def _release(self, carried: Carried, reason: str, now: Instant) -> None:
        exchange = carried.exchange
        exchange.ended = True
        if exchange.revision:
            self._farm.end(carried.relay, exchange.name, reason, now)
            self._farm.give_back(carried.relay, exchange.untold)
        else:
            self._farm.forgo(carried.relay, exchange.name)

    def sweep(self, core: "Core", now: Instant) -> None:
        """End what was offered and never came to media, where nobody waits for that any more.

        Nobody else ends it: the INVITE is not listed, as one of the same Call-ID is, or was, and no
        relay was told, whose silence would tell. To be called about every second.
        """
        if now < self._sweep_at:
            return
        self._sweep_at = now + _SWEEP_S
        before, self._idle = self._idle, set()
        for call_id, carried in tuple(self._carried.items()):
            if carried.exchange.revision or core.calls.get(call_id) is not None:
                continue
            if not all(one.answered for one in carried.forks):
                continue
            if carried in before:
                self.end(core, call_id, "it never came to media", now)
            else:
                self._idle.add(carried)

    def forgotten(self, core: "Core", call_id: bytes, now: Instant) -> None:
        """See `MediaPath`: its relay tells when it is silent."""
        carried = self._carried.get(call_id)
        if carried is None or not carried.exchange.revision:
            self.end(core, call_id, "the call was forgotten", now)

    def hung_up(self, core: "Core", ctx: Context, now: Instant) -> None:
        """See `MediaPath`."""
        carried = self._carried.get(ctx.call_id)
        if carried is None:
            self._orphans.discard(ctx.call_id)
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
        carried = self._carried[exchange.call_id] = Carried(relay, exchange)
        streams = [stream for stream in session.streams if stream is not None]
        carried.natted = [any(one.ends[side].natted for one in streams) for side in (0, 1)]
        return True

    def lost(self, call_id: bytes, name: str) -> bool:
        """A relay has ended a session by itself; False if it was not known."""
        carried = self._carried.get(call_id)
        if carried is None or carried.exchange.name != name:
            return False
        del self._carried[call_id]
        carried.exchange.ended = True
        self._farm.give_back(carried.relay, carried.exchange.untold)
        self._remember(carried)
        return True
