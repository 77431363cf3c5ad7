"""What a call means for the busy lamps of its users, as it goes on (RFC 4235 §3.7.1).

Called only while somebody watches calls. A call that hunts lights the lamps of all who are tried.
"""

from typing import TYPE_CHECKING, Final

from centrex.base import Instant
from centrex.calls import Call
from centrex.proxy.context import Branch, Context
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
_BY_OTHERS: Final = {INITIATOR: REMOTE_BYE, RECIPIENT: REMOTE_BYE}


def began(core: "Core", ctx: Context, call: Call, now: Instant) -> None:
    """A call begins."""
    caller = core.watchers.local_user(call.caller, now)
    if caller:
        _show(core, call, caller, INITIATOR, TRYING, now)
    if ctx.ours and ctx.user:
        _show(core, call, core.registry.canonical(ctx.user), RECIPIENT, TRYING, now)


def rings(core: "Core", ctx: Context, call: Call, now: Instant) -> None:
    """Somebody rings."""
    for user, direction in core.watchers.lamps.users_of(call.call_id):
        if direction == INITIATOR:
            _show(core, call, user, direction, EARLY, now)
    dialled = core.registry.canonical(ctx.user) if ctx.ours else b""
    if dialled:
        _show(core, call, dialled, RECIPIENT, EARLY, now)
    moved(core, ctx, call, now)


def moved(core: "Core", ctx: Context, call: Call, now: Instant) -> None:
    """Others are tried than before: light the lamps of those, and of no others."""
    dialled = core.registry.canonical(ctx.user) if ctx.ours else b""
    over: set[bytes] = set()
    there: set[bytes] = set()
    for branch in ctx.branches:
        user = core.registry.canonical(branch.target.user)
        if not user or user == dialled:
            continue
        if branch.over:
            over.add(user)
            continue
        there.add(user)
        state = EARLY if branch.last_status >= 180 else TRYING
        _show(core, call, user, RECIPIENT, state, now)
    for user in over - there:
        _end(core, call, user, RECIPIENT, TIMEOUT, now)


def answered(core: "Core", ctx: Context, call: Call, branch: Branch, now: Instant) -> None:
    """Somebody picked up: the others' lamps go out."""
    dialled = core.registry.canonical(ctx.user) if ctx.ours else b""
    winner = core.registry.canonical(branch.target.user)
    if winner and winner != dialled:
        _show(core, call, winner, RECIPIENT, CONFIRMED, now)
    for user, direction in core.watchers.lamps.users_of(call.call_id):
        if direction == INITIATOR or user in (dialled, winner):
            _show(core, call, user, direction, CONFIRMED, now)
        else:
            _end(core, call, user, direction, CANCELLED, now)


def failed(core: "Core", call: Call, status: int, now: Instant) -> None:
    """Nobody picked up."""
    event = CANCELLED if status == 487 else TIMEOUT if status in (408, 480) else REJECTED
    for user, direction in core.watchers.lamps.users_of(call.call_id):
        _end(core, call, user, direction, event, now)


def ended(core: "Core", call: Call, who: str, now: Instant) -> None:
    """A call that was up is over."""
    events = _ENDS.get(who, _BY_OTHERS)
    for user, direction in core.watchers.lamps.users_of(call.call_id):
        _end(core, call, user, direction, events[direction], now)


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
