"""The calls that rtpengine carries, from when one is taken on until it is over, and by which instance.

It knows calls and instances by their names; what is asked of rtpengine about descriptions, and whether a
call is to be relayed, are for `centrex.proxy.delegating`.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from centrex.base import Instant
from centrex.proxy.ask import Consult
from centrex.proxy.carried import Delegated
from centrex.proxy.context import Branch, Context
from centrex.proxy.forked import has_failed
from centrex.proxy.ng_question import Fields
from centrex.proxy.orphans import RELAYED_BEFORE, Orphan, Orphans
from centrex.trace import Rule

if TYPE_CHECKING:
    from centrex.proxy.core import Core

_MOST_UNKNOWN: Final = 10_000
"""Calls relayed of which we know nothing: they began before we were started."""


class DelegatedCalls:
    """The calls that rtpengine carries."""

    def __init__(self) -> None:
        self._carried: dict[bytes, Delegated] = {}
        self._orphans = Orphans()
        self._unknown: dict[bytes, None] = {}

    def __len__(self) -> int:
        return len(self._carried)

    def of(self, call_id: bytes) -> Delegated | None:
        """See `MediaPath`."""
        return self._carried.get(call_id)

    def calls_of(self, name: str) -> list[bytes]:
        """Return the Call-IDs of the calls that an instance has, as far as is known."""
        return [carried.call_id for carried in self._with(name) if carried.is_held]

    def left(self, name: str) -> None:
        """An instance does not answer: the next offer of each of its calls is to ask for another one.

        That would not be done for an offer that says nothing new, as those that refresh a session do.
        """
        for carried in self._with(name):
            carried.known.clear()

    def began_anew(self, name: str) -> None:
        """An instance was started anew: it has none of its calls, until they make their next offer."""
        self.left(name)
        for carried in self._with(name):
            carried.is_held = False

    def _with(self, name: str) -> Iterator[Delegated]:
        return (carried for carried in self._carried.values() if carried.by == name)

    def _served(
        self, core: "Core", ctx: Context, carried: Delegated, name: str, now: Instant
    ) -> None:
        """An instance has answered: it has the call, and other ports for it than one that had it before."""
        if carried.by and not (carried.is_held and carried.by == name):
            carried.later += 1
        if carried.by != name:
            carried.by = name
            core.decide(ctx, (now, Rule.MEDIA_TAKEN_ON, name.removeprefix("udp:")))
        carried.is_held = True

    def _take_on(
        self, core: "Core", ctx: Context, caller_tag: bytes, why: str, now: Instant
    ) -> Delegated:
        core.decide(ctx, (now, Rule.MEDIA_RELAYED, "rtpengine", why))
        orphan = self._orphans.get(ctx.call_id)
        self._orphans.discard(ctx.call_id)
        carried = Delegated(ctx.call_id, caller_tag)
        if orphan is not None:
            carried.later, carried.natted = orphan.later, list(orphan.natted)
        elif ctx.to_tag:
            carried.later = 1  # the phones have described it to each other unrelayed
        return self._keep_track(core, carried)

    def _keep_track(self, core: "Core", carried: Delegated) -> Delegated:
        """Remember a call; of those we know nothing of, nobody may ever say that one has ended."""
        call_id = carried.call_id
        self._carried[call_id] = carried
        if core.calls.get(call_id) is None:
            while len(self._unknown) >= _MOST_UNKNOWN:
                oldest = next(iter(self._unknown))
                del self._unknown[oldest], self._carried[oldest]
                core.statistics.media_amiss("media-forgotten")
            self._unknown[call_id] = None
        return carried

    def forgotten(self, core: "Core", call_id: bytes, now: Instant) -> None:
        """See `MediaPath`: rtpengine ends what is silent by itself, and does not tell."""
        carried = self._carried.get(call_id)
        if carried is not None:
            self._keep_track(core, carried)
        else:
            self._orphans.discard(call_id)

    def _lose_track(self, call_id: bytes) -> Delegated | None:
        self._unknown.pop(call_id, None)
        self._orphans.discard(call_id)
        return self._carried.pop(call_id, None)

    def won(self, core: "Core", branch: Branch, now: Instant) -> None:
        """See `MediaPath`."""
        ctx = branch.context
        carried = self._carried.get(ctx.call_id)
        if carried is None or branch.carried is carried or carried.callee_tag or ctx.to_tag:
            return
        self.end(core, ctx.call_id, "another phone has answered", now)

    def failed(self, core: "Core", ctx: Context, now: Instant) -> None:
        """See `MediaPath`; one that goes on with an INVITE which is not listed is known no longer."""
        carried = self._carried.get(ctx.call_id)
        if has_failed(core, ctx, carried):
            self.end(core, ctx.call_id, "the call failed", now)
        elif carried is not None:
            self._keep_track(core, carried)

    def end(
        self, core: "Core", call_id: bytes, reason: str, now: Instant, *, tag: bytes = b""
    ) -> None:
        """See `MediaPath`."""
        carried = self._carried.get(call_id)
        if carried is not None and carried.is_foreign(tag):
            return
        self._lose_track(call_id)
        if carried is not None:
            self._tell(core, carried, {"command": "delete", "call-id": call_id})

    def _let_go(self, core: "Core", carried: Delegated, reason: str, now: Instant) -> None:
        """Have a call relayed no more until it makes another offer."""
        call_id = carried.call_id
        self.end(core, call_id, reason, now)
        if carried.by:
            orphan = Orphan(carried.caller_tag, carried.natted, RELAYED_BEFORE, carried.later + 1)
            self._orphans.add(call_id, orphan)

    def _tell(self, core: "Core", carried: Delegated, fields: Fields) -> None:
        """Tell something whose answer is of no interest."""
        if carried.by:
            number, call_id = core.next_ask(), carried.call_id
            core.asks.append(Consult(number, call_id, fields, at=carried.by, elsewhere=False))
