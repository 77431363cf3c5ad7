"""What is said to a gateway that asks who calls: when a call begins, and within it (RFC 3261 §22.3).

Credentials are for the gateway's own addresses and for nobody else: when a call begins the request
went there by the plan; within a dialog, whoever began it, the challenge must have come from where the
INVITE went, or came from, or from another address of the same gateway. How numbers go on is for
`centrex.proxy.gateway_numbers`.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from centrex.auth.client import answer_challenge
from centrex.base import Instant
from centrex.calls.table import FORGOTTEN_AFTER
from centrex.events import Field, Kind, Severity
from centrex.proxy.context import Branch, Context
from centrex.proxy.gateway_numbers import Mark
from centrex.routing.settings import Gateway
from centrex.routing.target import Amendment, Target
from centrex.sip.message import Message
from centrex.sip.names import PROXY_AUTHENTICATE, WWW_AUTHENTICATE
from centrex.trace import Rule

if TYPE_CHECKING:
    from centrex.proxy.core import Core

_CHALLENGE: Final = {401: WWW_AUTHENTICATE, 407: PROXY_AUTHENTICATE}
_ANSWER: Final = {401: b"Authorization", 407: b"Proxy-Authorization"}
MOST_ANSWERS: Final = 3
"""Challenges answered for one request: a proxy's, the gateway's own, and one for a nonce too old."""
MOST_NONCES: Final = 64
"""Nonces of one gateway of which is known how often they were used."""
_WITHIN: Final = frozenset({b"BYE", b"PRACK", b"UPDATE", b"INFO"})
"""Methods that begin nothing, whatever their To tag says."""
_LOOP: Final = "its login is refused"


class Nonces:
    """How often the nonces of each gateway were used (RFC 7616 §3.4: the count goes up)."""

    def __init__(self) -> None:
        self._used: dict[str, dict[bytes, int]] = {}

    def count(self, gateway: str, nonce: bytes) -> int:
        """Return how often a nonce is used, this time included."""
        used = self._used.setdefault(gateway, {})
        count = used.pop(nonce, 0) + 1
        while len(used) >= MOST_NONCES:
            del used[next(iter(used))]
        used[nonce] = count
        return count

    def keep(self, gateways: frozenset[str]) -> None:
        """Forget those of gateways that are no more."""
        self._used = {name: used for name, used in self._used.items() if name in gateways}


def answer(core: "Core", branch: Branch, response: Message, now: Instant) -> Target | str | None:
    """Return where a challenged request goes again, with credentials, or why our login does not help.

    None where the challenge is not one that is answered here.
    """
    ctx, target = branch.context, branch.target
    header, mark = _CHALLENGE.get(response.status), ctx.gateway
    if header is None or ctx.cancelled or ctx.answered:
        return None
    name = mark.gateway if mark is not None else target.gateway
    gateway = core.routes.gateways.get(name)
    if gateway is None or not gateway.login or not gateway.enabled:
        return None
    former = target.amendment or Amendment()
    foreign = "" if mark is None else _why_not(core, branch, mark, now)
    if foreign:
        core.decide(ctx, (now, Rule.GATEWAY_REFUSED, name, foreign))
        return None
    made = _amended(core, branch, gateway, response, header, former)
    if not isinstance(made, str):
        core.decide(ctx, (now, Rule.GATEWAY_ASKED, name, response.status))
        return _with(target, made)
    core.decide(ctx, (now, Rule.GATEWAY_REFUSED, name, made))
    if made == _LOOP:
        fields: Mapping[str, Field] = {
            "gateway": name,
            "status": response.status,
            "method": ctx.method,
        }
        core.notify(Kind.ROUTING, Severity.WARNING, "gateway.refused", fields, ctx.call_id)
    return made


def _amended(
    core: "Core",
    branch: Branch,
    gateway: Gateway,
    response: Message,
    header: int,
    former: Amendment,
) -> Amendment | str:
    """Return what the request carries when it goes again, or why it does not."""
    if former.answers >= MOST_ANSWERS:
        return _LOOP
    ctx, name = branch.context, gateway.name
    reply = answer_challenge(
        response.values(header),
        gateway.login.encode(),
        gateway.password.get_secret_value().encode(),
        method=ctx.method,
        uri=branch.target.uri,
        cnonce=core.ids.token(),
        count=lambda nonce: core.gateways.nonces.count(name, nonce),
    )
    if reply is None:
        return "it asks in no way that can be answered"
    key = (response.status, reply.realm)
    if key in former.credentials and not reply.stale:
        return _LOOP
    number = core.gateways.numbers.again(ctx, former)
    if not number:
        return "no number is left for its CSeq"
    amendment = Amendment(number, former.rack)
    amendment.answers = former.answers + 1
    line = b"%b: %b" % (_ANSWER[response.status], reply.value)
    amendment.credentials = {**former.credentials, key: line}
    return amendment


def _why_not(core: "Core", branch: Branch, mark: Mark, now: Instant) -> str:
    """Return why a challenge within a dialog must not be answered; empty where it may be."""
    flow = branch.flow
    if flow is None or not (flow.host == mark.host or core.gateways.is_at(mark.gateway, flow.host)):
        return "the challenge came from another host than the gateway's"
    if not _is_of_the_call(core, branch.context, mark, now):
        return "no call that is known has these tags"
    return ""


def _is_of_the_call(core: "Core", ctx: Context, mark: Mark, now: Instant) -> bool:
    """Whether a request is part of a call that a plan led to the gateway, or that came from there.

    Our Route value is bound to the Call-ID and the caller's tag, not to who answered. Without this a
    caller could begin another call by it, to any number, at the gateway's cost.
    """
    if ctx.method in _WITHIN:
        return True
    call = core.calls.get(ctx.call_id)
    if call is not None:
        return call.has_dialog(ctx.from_tag, ctx.to_tag)
    numbers = core.gateways.numbers
    return numbers.is_from_before(mark, now) and now - mark.minted < FORGOTTEN_AFTER


def _with(target: Target, amendment: Amendment) -> Target:
    again = Target(target.uri, target.flow, target.path, target.ring_s)
    again.others, again.gateway, again.user = target.others, target.gateway, target.user
    again.amendment = amendment
    return again
