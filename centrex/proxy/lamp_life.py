"""What a call means for the busy lamps of its users, as it goes on (RFC 4235 §3.7.1).

Called only while somebody watches calls. A call that hunts lights the lamps of all who are tried, and of
who was dialled until his own phones are out of it; a plan's name, which has none, as long as there is a call.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from centrex.base import Instant
from centrex.calls import Call, CallState
from centrex.proxy.context import Branch, Context
from centrex.registrar.binding import Binding
from centrex.registrar.registry import MustAsk
from centrex.routing.target import request_uri
from centrex.watching.dialoginfo import (
    CANCELLED,
    CONFIRMED,
    EARLY,
    INITIATOR,
    LOCAL_BYE,
    RECIPIENT,
    REJECTED,
    REMOTE_BYE,
    TIMEOUT,
    TRYING,
)

if TYPE_CHECKING:
    from centrex.proxy.core import Core

_ENDS: Final = {
    "caller": {INITIATOR: LOCAL_BYE, RECIPIENT: REMOTE_BYE},
    "callee": {INITIATOR: REMOTE_BYE, RECIPIENT: LOCAL_BYE},
    "timeout": {INITIATOR: TIMEOUT, RECIPIENT: TIMEOUT},
}
_STATES: Final = {
    CallState.CALLING: TRYING,
    CallState.RINGING: EARLY,
    CallState.UP: CONFIRMED,
}
_BY_OTHERS: Final = {INITIATOR: REMOTE_BYE, RECIPIENT: REMOTE_BYE}


def began(core: "Core", ctx: Context, call: Call, now: Instant) -> None:
    """A call begins."""
    caller = core.watchers.local_user(call.caller, now)
    if caller:
        _show(core, call, caller, INITIATOR, TRYING, now)
    dialled = _dialled(core, ctx)
    if dialled:
        _show(core, call, dialled, RECIPIENT, TRYING, now)


def rings(core: "Core", ctx: Context, call: Call, now: Instant) -> None:
    """Somebody rings."""
    for user, direction in core.watchers.lamps.users_of(call.call_id):
        if direction == INITIATOR:
            _show(core, call, user, direction, EARLY, now)
    dialled = _dialled(core, ctx)
    if dialled and not _is_tried(core, ctx, dialled, now):
        _show(core, call, dialled, RECIPIENT, EARLY, now)
    moved(core, ctx, call, now)


def moved(core: "Core", ctx: Context, call: Call, now: Instant) -> None:
    """Others are tried than before: light the lamps of those, and of no others."""
    over: dict[bytes, int] = {}
    there: dict[bytes, bytes] = {}
    for branch in ctx.branches:
        user = _user_of(core, branch, now)
        if not user:
            continue
        if branch.over:
            over[user] = branch.final.status if branch.final else branch.last_status
        elif there.get(user) != EARLY:
            there[user] = EARLY if branch.last_status >= 180 else TRYING
    for user, state in there.items():
        _show(core, call, user, RECIPIENT, state, now)
    for user in over.keys() - there.keys():
        _end(core, call, user, RECIPIENT, _event(over[user]), now)


def answered(core: "Core", ctx: Context, call: Call, branch: Branch, now: Instant) -> None:
    """Somebody picked up: the others' lamps go out."""
    dialled = _dialled(core, ctx)
    winner = _user_of(core, branch, now)
    if winner:
        _show(core, call, winner, RECIPIENT, CONFIRMED, now)
    stays = {winner} if _is_tried(core, ctx, dialled, now) else {winner, dialled}
    for user, direction in core.watchers.lamps.users_of(call.call_id):
        if direction == INITIATOR or user in stays:
            _show(core, call, user, direction, CONFIRMED, now)
        else:
            _end(core, call, user, direction, CANCELLED, now)


def light_all(core: "Core", now: Instant) -> None:
    """Show the calls that began before anybody watched one."""
    asking = {
        ctx.call: ctx
        for server in core.layer.servers.values()
        if isinstance(ctx := server.user, Context) and ctx.call is not None
    }
    for call in core.calls:
        caller = core.watchers.local_user(call.caller, now)
        if caller:
            _show(core, call, caller, INITIATOR, _STATES[call.state], now)
        dialled = core.watchers.local_user(call.callee, now)
        if call.state is CallState.UP:
            winner = core.registry.canonical(call.user) or dialled
            if winner:
                _show(core, call, winner, RECIPIENT, CONFIRMED, now)
            if dialled and not _phones(core, dialled, now):
                _show(core, call, dialled, RECIPIENT, CONFIRMED, now)
        elif call in asking:
            if dialled and not _is_tried(core, asking[call], dialled, now):
                _show(core, call, dialled, RECIPIENT, _STATES[call.state], now)
            moved(core, asking[call], call, now)


def failed(core: "Core", call: Call, status: int, now: Instant) -> None:
    """Nobody picked up."""
    event = CANCELLED if status == 487 else _event(status)
    for user, direction in core.watchers.lamps.users_of(call.call_id):
        _end(core, call, user, direction, event, now)


def ended(core: "Core", call: Call, who: str, now: Instant) -> None:
    """A call that was up is over."""
    events = _ENDS.get(who, _BY_OTHERS)
    for user, direction in core.watchers.lamps.users_of(call.call_id):
        _end(core, call, user, direction, events[direction], now)


def _dialled(core: "Core", ctx: Context) -> bytes:
    """Return the user who was dialled; empty where he is none of ours."""
    return core.registry.canonical(ctx.user) if ctx.ours else b""


def _is_tried(core: "Core", ctx: Context, user: bytes, now: Instant) -> bool:
    """Whether phones of a user's own are, or were, called."""
    return any(_user_of(core, branch, now) == user for branch in ctx.branches)


def _user_of(core: "Core", branch: Branch, now: Instant) -> bytes:
    """Return whose phone a branch calls; empty where it is none of ours."""
    ctx, target = branch.context, branch.target
    if target.user or ctx.planned:
        return core.registry.canonical(target.user)
    dialled = _dialled(core, ctx)
    phones = _phones(core, dialled, now) if ctx.redirects else ()
    if ctx.redirects and all(request_uri(one.contact) != target.uri for one in phones):
        return b""  # it was redirected elsewhere
    return dialled


def _phones(core: "Core", user: bytes, now: Instant) -> Sequence[Binding]:
    """Return a user's phones, as far as that is known at once."""
    bindings = core.registry.lookup(user, now)
    return () if isinstance(bindings, MustAsk) else bindings


def _event(status: int) -> bytes:
    """Return how a call ended for somebody whose phone answered thus; below 300 it just rang."""
    return REJECTED if status >= 300 and status not in (408, 480, 487) else TIMEOUT


def _show(
    core: "Core", call: Call, user: bytes, direction: bytes, state: bytes, now: Instant
) -> None:
    remote = call.callee if direction == INITIATOR else call.caller
    if core.watchers.lamps.show(call.call_id, user, direction, remote, state):
        core.watchers.lamp_switched(user, now)


def _end(
    core: "Core", call: Call, user: bytes, direction: bytes, event: bytes, now: Instant
) -> None:
    if core.watchers.lamps.end(call.call_id, user, direction, event, now):
        core.watchers.lamp_switched(user, now)
