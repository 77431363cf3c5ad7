"""A call that a proxy before us has forked: several INVITEs of one caller, one Call-ID and one From tag.

Each of them describes the caller alike, so that one relay can serve them all, as it serves several who
are called by one INVITE (RFC 3261 §16.6): whoever of all answers first has it. It knows INVITEs and what
was offered; who relays is not its business.
"""

from typing import TYPE_CHECKING, Final, TypeAlias

from centrex.base import Instant
from centrex.calls import CallState
from centrex.proxy.carried import Carried, Delegated
from centrex.proxy.context import Branch, Context
from centrex.proxy.ends import Described, unrelayed
from centrex.trace import Rule

if TYPE_CHECKING:
    from centrex.proxy.core import Core

Relayed: TypeAlias = Carried | Delegated
"""How a call's media are relayed."""
_FORKED: Final = "another branch of the same call is"
"""Why an INVITE is relayed that may need no relay by itself."""
_ANSWERED: Final = "another branch of the same call was answered already"
_APART: Final = "another branch of the same call is relayed already, with another offer"
_ASTRAY: Final = "another branch of the same call is relayed already, and came another way"
"""Why one is not."""


def may_begin(core: "Core", ctx: Context, carried: Relayed | None) -> bool:
    """Whether an INVITE may be what has its call relayed: of a call that is listed.

    One that another proxy has forked, or led back to us, may be, too.

    Args:
        core: The core.
        ctx: It.
        carried: How its call is relayed; None where it is not yet.
    """
    if ctx.call is not None:
        return True
    call = core.calls.get(ctx.call_id)
    if call is None:
        return carried is not None and ctx in carried.forks
    if call.caller_tag != ctx.from_tag:
        return False
    return carried is not None or not call.callee_tag


def takes_part(
    core: "Core",
    branch: Branch,
    carried: Relayed,
    found: Described | None,
    now: Instant,
    *,
    refuse: bool,
) -> bool:
    """Whether an INVITE is relayed with the others of its call, if there are any; that is noted.

    Args:
        core: The core.
        branch: The branch of it that should leave.
        carried: How the others are.
        found: What it offers.
        now: The time.
        refuse: Whether what nobody can relay is to be refused.
    """
    ctx = branch.context
    is_free = not _is_awaited(carried, ctx) and (ctx.call is not None or not carried.is_answered)
    if is_free or ctx in carried.forks:
        return True
    if core.places.led_back(ctx) or _has_passed(carried, found):
        return False  # it is relayed on its first way through us
    is_same_way = any(one.flow.host == ctx.flow.host for one in carried.forks)
    offer = b"" if found is None else found.text
    why = _why_apart(carried, ctx, offer, is_same_way=is_same_way)
    if why:
        refuse = refuse and is_same_way
        unrelayed(core, branch, why, now, refuse=refuse, rule=Rule.MEDIA_FORK_REFUSED)
        return False
    by = carried.by if isinstance(carried, Carried) else "rtpengine"
    core.decide(ctx, (now, Rule.MEDIA_RELAYED, by, _FORKED))
    return True


def _why_apart(carried: Relayed, ctx: Context, offer: bytes, *, is_same_way: bool) -> str:
    """Return why the relay of other INVITEs cannot serve one as well; empty where it can."""
    if carried.is_answered:
        return _ANSWERED
    if not is_same_way or carried.caller_tag != ctx.from_tag:
        return _ASTRAY
    return "" if carried.offer == offer else _APART


def _is_awaited(carried: Relayed, ctx: Context) -> bool:
    """Whether other INVITEs of a call may still be answered, or one was."""
    for one in carried.forks:
        if one is not ctx and (not one.answered or one.winner is not None):
            return True
    return False


def _has_passed(carried: Relayed, found: Described | None) -> bool:
    if found is None:
        return False
    if isinstance(carried, Carried):
        return carried.exchange.has_passed(found.description)
    return carried.has_passed(found.text)


def is_idle(carried: Carried, branch: Branch) -> bool:
    """Whether nobody else is being called whom the same relay serves."""
    for ctx in {branch.context, *carried.forks}:
        for other in ctx.branches:
            if other is not branch and not other.over:
                return False
    return True


def has_failed(core: "Core", ctx: Context, carried: Relayed | None) -> bool:
    """Whether an INVITE that was refused is the last of its call: none is answered, or may yet be."""
    if ctx.call is None and (carried is None or ctx not in carried.forks):
        return False
    if carried is not None and _is_awaited(carried, ctx):
        return False
    if ctx.call is not None:
        # where another one was answered, what is relayed may be its media, or this one's
        return ctx.call.state is not CallState.UP or not (carried is None or carried.is_answered)
    return core.calls.get(ctx.call_id) is None  # else that one ends it
