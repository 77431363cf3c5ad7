"""A call that a proxy before us has forked: several INVITEs of one caller, one Call-ID and one From tag.

Each of them describes the caller alike, so that one relay can serve them all, as it serves several who
are called by one INVITE (RFC 3261 §16.6): whoever of all answers first has it. It knows INVITEs and what
was offered; who relays is not its business.
"""

from typing import TYPE_CHECKING, Final

from centrex.proxy.carried import Carried
from centrex.proxy.context import Branch, Context
from centrex.proxy.ends import Described
from centrex.sip.names import VIA
from centrex.sip.via import parse_via, split_values

if TYPE_CHECKING:
    from centrex.proxy.core import Core

FORKED: Final = "another branch of the same call is"
"""Why an INVITE is relayed that may need no relay by itself."""
APART: Final = "another branch of the same call is relayed already, with another offer or answered"
"""Why one is not."""


def led_back(core: "Core", ctx: Context) -> bool:
    """Whether a request has been here before: another Via than its topmost one names us."""
    if ctx.usual is not None:
        return False  # it has one Via
    values = [value for line in ctx.message.values(VIA) for value in split_values(line)]
    return any(core.places.ours.is_domain(parse_via(value).host) for value in values[1:])


def may_share(carried: Carried, ctx: Context, found: Described | None) -> bool:
    """Whether an INVITE may be relayed together with the others of its call.

    Args:
        carried: How those are.
        ctx: It.
        found: What it offers.
    """
    exchange = carried.exchange
    if exchange.answered or exchange.ended or exchange.caller_tag != ctx.from_tag:
        return False
    offer = b"" if found is None else found.text
    return carried.offer == offer and is_same_way(carried, ctx)


def is_same_way(carried: Carried, ctx: Context) -> bool:
    """Whether an INVITE came from where others of its call came from, as branches of one do."""
    return any(one.flow.host == ctx.flow.host for one in carried.forks)


def is_idle(carried: Carried, branch: Branch) -> bool:
    """Whether nobody else is being called whom the same relay serves."""
    for ctx in {branch.context, *carried.forks}:
        for other in ctx.branches:
            if other is not branch and not other.over:
                return False
    return True


def is_awaited(carried: Carried, ctx: Context) -> bool:
    """Whether other INVITEs of a call than this one may still be answered, or one was."""
    for one in carried.forks:
        if one is not ctx and (not one.answered or one.winner is not None):
            return True
    return False
