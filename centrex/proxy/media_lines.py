"""Which lines of a description do not go through the relay of their call, and who is told of that.

It knows what was decided of each line, and decides nothing.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from centrex.base import Instant
from centrex.events import Field, Kind, Severity
from centrex.proxy.carried import Carried
from centrex.proxy.context import Branch, Context
from centrex.trace import Rule

if TYPE_CHECKING:
    from centrex.proxy.core import Core
    from centrex.proxy.ends import Described

NO_PORTS: Final = "the relay {} has no port left"


def tell_lines(
    core: "Core", branch: Branch, found: "Described", tag: bytes, now: Instant, *, answers: bool
) -> None:
    """Tell which lines are not relayed with the others.

    Args:
        core: The core.
        branch: That of the message; its call is relayed.
        found: The description, which was rewritten just now.
        tag: The tag of the dialog's callee; empty while there is none.
        now: The time.
        answers: Whether it answers an offer, rather than being one.
    """
    carried, ctx = branch.carried, branch.context
    assert isinstance(carried, Carried)
    exchange = carried.exchange
    if exchange.is_whole or exchange.ended or exchange.is_foreign(tag):
        return  # of a foreign one nothing was noted, nor of what comes after the end
    if answers:
        odd_lines(core, ctx, found, Rule.MEDIA_UNFIT, exchange.unfit, now)
        return
    odd_lines(core, ctx, found, Rule.MEDIA_LEFT_ALONE, exchange.aside, now)
    if exchange.declined:
        left_out(core, ctx, found, exchange.declined, NO_PORTS.format(carried.by), now)


def left_out(
    core: "Core", ctx: Context, found: "Described", numbers: Iterable[int], why: str, now: Instant
) -> None:
    """Some lines of an offer are offered as declined, for nobody can relay them."""
    media = found.description.media
    kinds = ", ".join(media[number].kind.decode("latin-1") for number in sorted(numbers))
    core.decide(ctx, (now, Rule.MEDIA_DECLINED, kinds, why))
    core.statistics.media_amiss(Rule.MEDIA_DECLINED.value)
    fields: dict[str, Field] = {
        "from": ctx.from_uri, "to": ctx.to_uri, "what": kinds, "why": why
    }  # fmt: skip
    core.notify(Kind.MEDIA, Severity.WARNING, "media.declined", fields, ctx.call_id)


def odd_lines(
    core: "Core", ctx: Context, found: "Described", rule: Rule, numbers: Iterable[int], now: Instant
) -> None:
    """Tell of lines that no relay can carry what becomes of them."""
    for number in sorted(numbers):
        media = found.description.media[number]
        if media.port and media.why_not:
            core.decide(ctx, (now, rule, media.kind.decode(), media.why_not))
            core.statistics.media_amiss(rule.value)
