"""The step for requests that end here: REGISTER, and whatever is addressed to the server itself."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from centrex.base import Flow, Instant, PeerError, Unavailable
from centrex.base.networks import Networks
from centrex.events import Kind, Severity
from centrex.proxy.answer import DONE, Answer, Outcome
from centrex.proxy.checks import unsupported
from centrex.proxy.context import Context
from centrex.proxy.ends import caller_of
from centrex.proxy.named import user_of
from centrex.proxy.subscribe import ALLOW_EVENTS, subscribe
from centrex.registrar.binding import Binding, Change, ChangeKind
from centrex.registrar.register import Options, register
from centrex.registrar.register import Outcome as RegisterOutcome
from centrex.registrar.registry import MustAsk
from centrex.registrar.renewal import renew
from centrex.routing.next_hop import next_hop
from centrex.sip import usual
from centrex.sip.host import bracketed
from centrex.sip.names import PATH, REQUIRE
from centrex.sip.uri import SipUri, parse_uri
from centrex.trace import Rule

if TYPE_CHECKING:
    from centrex.proxy.core import Core

ALLOW: Final = b"Allow: INVITE, ACK, CANCEL, BYE, OPTIONS, REGISTER, SUBSCRIBE, NOTIFY, MESSAGE, REFER, INFO, UPDATE, PRACK, PUBLISH"
_ALLOW_HERE: Final = b"Allow: REGISTER, SUBSCRIBE, OPTIONS"
"""What the server itself takes (§21.4.6); all else it only passes on."""
ABILITIES: Final = (ALLOW, b"Accept: */*", b"Supported: path", ALLOW_EVENTS)
_CHANGES: Final = {
    ChangeKind.ADDED: (Rule.REGISTERED, "registration.added"),
    ChangeKind.REFRESHED: (Rule.REFRESHED, "registration.refreshed"),
    ChangeKind.REMOVED: (Rule.UNREGISTERED, "registration.removed"),
}


PRIVATE: Final = Networks(
    ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "127.0.0.0/8", "fc00::/7", "::1/128")
)
"""Addresses that no stranger from outside can have."""


def serve(core: "Core", ctx: Context, now: Instant) -> Outcome:
    """Answer what is for us; let everything else go on."""
    if ctx.method == b"REGISTER" and ctx.ours:
        return _register(core, ctx, now)
    if ctx.dialog:
        return None
    if ctx.method == b"SUBSCRIBE" and ctx.ours and not ctx.routed:
        return subscribe(core, ctx, now)
    if not ctx.for_us:
        return None
    if ctx.method == b"OPTIONS":
        refusal = unsupported(ctx.message.values(REQUIRE))
        if refusal is not None:
            return refusal
        core.answer_plain(ctx, 200, ABILITIES, now)
        return DONE
    if ctx.method in (b"BYE", b"CANCEL", b"NOTIFY"):
        return Answer(481, Rule.UNKNOWN_DIALOG, ctx.method, words="there is no such dialog here")
    words = "the server itself takes REGISTER, SUBSCRIBE and OPTIONS only; name a user"
    return Answer(405, Rule.BAD_EXTENSION, ctx.method, words=words, extra=(_ALLOW_HERE,))


def _register(core: "Core", ctx: Context, now: Instant) -> Outcome:
    to = _registrant(core, ctx)
    if isinstance(to, Answer):
        return to
    user = user_of(core, to, now)
    aor = b"sip:%b@%b" % (user, bracketed(to.host))
    present = core.registry.lookup(user, now)
    if isinstance(present, MustAsk):
        return Answer(503, Rule.REGISTRATION_REFUSED, aor, 503, "the registry is away")
    if (
        ctx.usual is None
        and ctx.message.at[PATH]
        and _is_stranger(ctx)
        and ctx.flow.host not in PRIVATE
    ):
        words = "a Path is taken from users who logged in and from trusted proxies only"
        return _refused(core, ctx, aor, 403, reason=words, lines=[])
    outcome = _applied(core, ctx, present, now)
    if outcome.status != 200:
        return _refused(core, ctx, aor, outcome.status, reason=outcome.reason, lines=outcome.lines)
    try:
        core.registry.put(user, outcome.bindings, outcome.changes)
    except Unavailable as full:
        return _refused(core, ctx, aor, 503, reason=str(full), lines=[b"Retry-After: 60"])
    if not outcome.changes:
        core.decide(ctx, (now, Rule.FETCHED, aor, len(outcome.bindings)))
    for change in outcome.changes:
        _note(core, ctx, aor, change, now)
    if core.watchers.registers and outcome.changes:
        core.watchers.registered(user, outcome.changes, now)
    core.statistics.registrations_total += 1
    core.answer_plain(ctx, 200, outcome.lines, now)
    return DONE


def _registrant(core: "Core", ctx: Context) -> SipUri | Answer:
    """Return whom a registration is for (§10.3 step 5), or why that is nobody."""
    value = ctx.to_uri
    try:
        to = parse_uri(value)
    except PeerError as error:
        return Answer(400, Rule.MALFORMED, error.what, error.rule, words=error.what)
    if not isinstance(to, SipUri):
        words = "the To header names no SIP user"
        return Answer(400, Rule.REGISTRATION_REFUSED, value, 400, words, words=words)
    if not to.user or not core.places.ours.is_domain(to.host):
        words = "the To header names no user of this domain"
        return Answer(404, Rule.REGISTRATION_REFUSED, value, 404, words, words=words)
    return to


def _is_stranger(ctx: Context) -> bool:
    return ctx.login is None and not ctx.trusted


def _applied(
    core: "Core", ctx: Context, present: Sequence[Binding], now: Instant
) -> RegisterOutcome:
    flow, options, natted = ctx.flow, core.registrar_options, ctx.natted
    if natted and not flow.natted:
        flow.natted = caller_of(ctx).natted
    outcome = _renewed(ctx, present, now, options, natted=natted)
    if outcome is None:
        outcome = register(ctx.message, present, flow, now, options, natted=natted)
    if not natted and _is_stranger(ctx) and _lead_elsewhere(outcome.changes, flow):
        outcome = register(ctx.message, present, flow, now, options, natted=True)
    return outcome


def _renewed(
    ctx: Context, present: Sequence[Binding], now: Instant, options: Options, *, natted: bool
) -> RegisterOutcome | None:
    """Process a registration of the usual form, if that takes no more than `renew` knows."""
    found = ctx.usual
    if found is None or found[usual.CONTACT] is None:
        return None
    uri, params, number, agent, expires = found.group(16, 17, 13, 28, 29)
    contact = (uri, params)
    return renew(
        present, contact, expires, ctx.call_id, int(number), ctx.flow, agent or b"", now, options,
        natted=natted,
    )  # fmt: skip


def _lead_elsewhere(changes: Sequence[Change], flow: Flow) -> bool:
    """Whether a new contact leads to another host than the one it came from.

    Where nobody shows credentials, such a contact would let a stranger call any third party by our
    hand. It is taken, but calls to it go back the way it came; save where both are on private
    networks (RFC 1918, loop-back), whose phones may register for one another.
    """
    inside = flow.host in PRIVATE
    for change in changes:
        if change.kind is not ChangeKind.REMOVED:
            hop = next_hop(change.binding.contact)
            if not isinstance(hop, tuple):
                return True
            if hop[1] != flow.host and not (inside and hop[1] in PRIVATE):
                return True
    return False


def _refused(
    core: "Core", ctx: Context, aor: bytes, status: int, *, reason: str, lines: list[bytes]
) -> Answer:
    core.statistics.registrations_refused += 1
    core.notify(
        Kind.REGISTRATIONS,
        Severity.WARNING,
        "registration.refused",
        {"src": ctx.flow.name, "aor": aor, "status": status, "why": reason},
        ctx.call_id,
    )
    return Answer(
        status, Rule.REGISTRATION_REFUSED, aor, status, reason, words=reason, extra=lines, told=True
    )


def _follow(change: Change) -> None:
    """Note that a phone has gone on from another port of its NAT: calls that are up have to follow it."""
    before, now = change.previous, change.binding
    if now.flow is None:
        return
    now.flow.successor = None
    if before is None or before.flow is None or before.flow is now.flow:
        return
    if now.natted and not now.path and before.call_id == now.call_id:
        before.flow.successor = now.flow


def _note(core: "Core", ctx: Context, aor: bytes, change: Change, now: Instant) -> None:
    rule, name = _CHANGES[change.kind]
    binding = change.binding
    expires = round(binding.expires_at - now)
    core.decide(ctx, (now, rule, aor, binding.contact, expires))
    if change.kind is not ChangeKind.REMOVED:
        _follow(change)
        if ctx.login is not None:
            core.guard.protect(ctx.flow.host, binding.expires_at)
    refreshed = change.kind is ChangeKind.REFRESHED
    if core.details_registrations if refreshed else core.tells_registrations:
        core.tell(
            Kind.REGISTRATIONS,
            Severity.DEBUG if refreshed else Severity.INFO,
            name,
            {
                "src": ctx.flow.name,
                "aor": aor,
                "contact": binding.contact,
                "expires": expires,
                "agent": ctx.user_agent,
            },
            ctx.call_id,
        )
