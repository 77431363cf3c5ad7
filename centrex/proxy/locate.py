"""The step that finds where a request goes: the dialog's other end, a user's phones, or outside."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from centrex.base import Instant
from centrex.events import Kind, Severity
from centrex.proxy import hunting
from centrex.proxy.answer import Answer, Outcome
from centrex.proxy.context import Context
from centrex.registrar.binding import Binding
from centrex.registrar.registry import MustAsk
from centrex.routing.located import is_by_tls, target_groups, unhindered_groups
from centrex.routing.plans import NOT_NOW, Match
from centrex.routing.target import Target
from centrex.sip.names import ROUTE
from centrex.sip.uri import TelUri, is_secure
from centrex.trace import Rule

if TYPE_CHECKING:
    from centrex.proxy.core import Core

_IN_DIALOG: Final = Rule.IN_DIALOG
_LOCATED: Final = Rule.LOCATED
_WITHIN: Final = frozenset({b"BYE", b"INFO", b"PRACK", b"UPDATE"})
"""Methods that begin nothing."""
_NO_PHONE: Final = "the user is known, but no phone is registered"
_NO_TLS: Final = "the call asks for TLS on all its way, and no phone of this user has it"


def locate(core: "Core", ctx: Context, now: Instant) -> Outcome:
    """Fill in the target groups (RFC 3261 §16.5), or say why there are none.

    Only users of ours are reached by strangers; outside goes who proved to be a user or is trusted.
    A Route that is not ours is followed inside a dialog, and for trusted senders (no open relay).
    """
    if ctx.dialog and not (ctx.astray and _is_stranger(ctx)):
        return _in_dialog(core, ctx, now)
    if ctx.routed and not ctx.trusted:
        route = ctx.message.value(ROUTE)
        return Answer(
            403, Rule.ROUTE_DENIED, route, words="only this server's own Route is followed"
        )
    if not ctx.routed and ctx.ours:
        return _local(core, ctx, now)
    if _is_stranger(ctx):
        core.notify(
            Kind.ROUTING,
            Severity.WARNING,
            "relay.denied",
            {"src": ctx.flow.name, "uri": ctx.request_uri, "from": ctx.from_uri},
            ctx.call_id,
        )
        words = "calls to other domains are for users who logged in"
        return Answer(403, Rule.RELAY_DENIED, ctx.request_uri, words=words)
    if isinstance(ctx.uri, TelUri) and not ctx.routed:
        words = "that number is of somebody else's dial plan"
        return Answer(404, Rule.UNKNOWN_USER, ctx.request_uri, words=words)
    core.decide(ctx, (now, Rule.OUTSIDE_TARGET, ctx.request_uri))
    ctx.groups = [[Target(ctx.request_uri)]]
    return None


def _is_stranger(ctx: Context) -> bool:
    return not ctx.trusted and ctx.login is None


def _in_dialog(core: "Core", ctx: Context, now: Instant) -> Outcome:
    flow = ctx.dialog_flow
    if ctx.routed:
        flow = None  # another proxy stands between; it knows the way
    elif flow is None and ctx.ours:
        if not ctx.for_us:
            return _local(core, ctx, now)
        # to ourselves: sent on, it would come back from an address that may well be trusted
        words = "the server itself has no such dialog"
        return Answer(481, Rule.UNKNOWN_DIALOG, ctx.method, words=words)
    ctx.tale.append((now, _IN_DIALOG, ctx.method, flow.name if flow else "its target"))
    target = Target(ctx.request_uri, flow)
    if ctx.gateway is not None:
        target.amendment = core.gateways.numbers.within(ctx, ctx.gateway, now)
    ctx.groups = [[target]]
    return None


def _local(core: "Core", ctx: Context, now: Instant) -> Outcome:
    if ctx.method == b"INVITE" and core.routes.plans and not ctx.dialog:
        match = hunting.planned(core, ctx, now)
        if match is not None:
            return hunting.begin(core, ctx, match, now)
    user = ctx.user
    bindings: Sequence[Binding] | MustAsk = core.registry.lookup(user, now)
    if isinstance(bindings, MustAsk):
        return Answer(503, Rule.NOBODY_THERE, user, words="the registry is away")
    fixed = core.routes.fixed.get(core.registry.canonical(user)) if core.routes.fixed else None
    if fixed is not None:
        return _with_fixed(core, ctx, now)
    if not bindings:
        match = _plan_of_no_call(core, ctx, now)
        return _nobody(core, ctx) if match is None else hunting.begin(core, ctx, match, now)
    if is_secure(ctx.request_uri):
        bindings = [one for one in bindings if is_by_tls(one)]
        if not bindings:
            return Answer(480, Rule.NOBODY_THERE, user, words=_NO_TLS)
    groups = target_groups(bindings)
    if core.contacts.marked:
        groups = _unhindered(core, ctx, bindings, groups, now)
    if not groups:
        words = "the phone's connection is gone; it must register anew"
        return Answer(480, Rule.NOBODY_THERE, user, words=words)
    ctx.tale.append((now, _LOCATED, user, len(bindings)))
    ctx.groups = groups
    return None


def _plan_of_no_call(core: "Core", ctx: Context, now: Instant) -> Match | None:
    """Return the plan by which what is no call goes to somebody who has no phone; None for none."""
    if ctx.method in _WITHIN or ctx.to_tag or not core.routes.plans:
        return None
    return hunting.planned(core, ctx, now)


def _nobody(core: "Core", ctx: Context) -> Answer:
    user = ctx.user
    if core.knows_user(user):
        return Answer(480, Rule.NOBODY_THERE, user, words=_NO_PHONE)
    if ctx.method not in _WITHIN and not ctx.to_tag and hunting.has_plan(core, user):
        return Answer(480, Rule.PLAN_NOT_NOW, user, words=NOT_NOW)
    return Answer(404, Rule.UNKNOWN_USER, user, words="there is no such user here")


def _unhindered(
    core: "Core",
    ctx: Context,
    bindings: Sequence[Binding],
    groups: list[list[Target]],
    now: Instant,
) -> list[list[Target]]:
    """Note which phones do not answer, and let none of them hold up one that does."""
    silent = core.contacts.silent_of(bindings)
    for one in silent:
        core.decide(ctx, (now, Rule.TARGET_IS_SILENT, one.uri, one.why, now - one.silent_since))
    if not silent or len(groups) < 2:
        return groups
    return unhindered_groups(bindings, core.contacts.is_silent)


def _with_fixed(core: "Core", ctx: Context, now: Instant) -> Outcome:
    """A standing name with a fixed contact: it is tried together with the phones that registered."""
    secure = is_secure(ctx.request_uri)
    targets = list(hunting.CoreView(core, now, secure=secure).contacts(ctx.user))
    if not targets:
        return Answer(480, Rule.NOBODY_THERE, ctx.user, words=_NO_TLS if secure else _NO_PHONE)
    ctx.tale.append((now, _LOCATED, ctx.user, len(targets)))
    ctx.groups = [targets]
    return None
