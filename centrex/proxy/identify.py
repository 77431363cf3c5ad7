"""The step that asks who sent a request, and whether he may (RFC 3261 §22)."""

from typing import TYPE_CHECKING, Final

from centrex.auth.gate import Authenticated, Challenge, Why
from centrex.auth.logins import Login
from centrex.base import Flow, Instant, PeerError
from centrex.events import Kind, Severity
from centrex.proxy import other_end
from centrex.proxy.answer import Answer, Outcome
from centrex.proxy.context import Context
from centrex.proxy.named import user_in
from centrex.sip.names import AUTHORIZATION, PROXY_AUTHORIZATION
from centrex.sip.uri import SipUri, Uri, parse_uri
from centrex.sip.usual import Found, build_reply, via_line
from centrex.trace import Rule

if TYPE_CHECKING:
    from centrex.proxy.core import Core

_REQUEST: Final = Rule.REQUEST
_CHALLENGED: Final = Rule.CHALLENGED
_NO_CREDENTIALS: Final = str(Why.NONE)
_WRONG: Final = "the credentials are wrong"


def identify(core: "Core", ctx: Context, now: Instant) -> Outcome:
    """Let pass what needs no credentials or has the right ones; challenge or refuse the rest.

    Requests of a dialog that went through us pass by their Record-Route cookie, save those that lead
    elsewhere than to its other end, and a REGISTER, which belongs to none: a cookie may not stand in for
    credentials. What we serve
    ourselves is challenged 401, what we forward 407. Credentials of today that are wrong are refused
    403, in the same words whether it is the login or the password.
    """
    if ctx.dialog and ctx.method != b"REGISTER":
        ctx.astray = other_end.is_missed(core, ctx, now)
        if not ctx.astray:
            return None
    access = core.access
    if ctx.flow.host in access.trusted:
        ctx.trusted = True
        return None
    if not access.enabled or not access.covers(ctx.method):
        return None
    served = ctx.for_us or ctx.method == b"REGISTER"
    if served and ctx.method == b"OPTIONS":
        return None
    header = AUTHORIZATION if served else PROXY_AUTHORIZATION
    verdict = access.gate.check(
        ctx.credentials(header), ctx.method, ctx.request_uri, ctx.flow.received_host, now
    )
    if isinstance(verdict, Authenticated):
        ctx.login = verdict.record
        core.decide(ctx, (now, Rule.AUTHENTICATED, verdict.login))
        return _as_himself(core, ctx, now)
    if isinstance(verdict, Challenge):
        name = b"WWW-Authenticate" if served else b"Proxy-Authenticate"
        source = ctx.flow.received_host
        simple = access.gate.simplified(ctx.user_agent)
        if simple and access.gate.is_news(ctx.flow):
            _tell_quirk(core, ctx)
        core.statistics.challenges_sent += 1
        return Answer(
            401 if served else 407,
            Rule.CHALLENGED,
            ctx.method,
            access.gate.realm,
            str(verdict.why),
            extra=access.gate.challenge_lines(
                name, source, now, stale=verdict.stale, simple=simple
            ),
        )
    core.statistics.challenges_refused += 1
    # the nonce was fresh and bound to this source: its address is proven
    core.guard.auth_failed(ctx.flow.host, now, proven=True)
    core.notify(
        Kind.AUTHENTICATION,
        Severity.WARNING,
        "auth.refused",
        {"src": ctx.flow.name, "login": verdict.login, "method": ctx.method, "why": verdict.why},
        ctx.call_id,
    )
    return Answer(
        403, Rule.CREDENTIALS_REFUSED, verdict.login, str(verdict.why), words=_WRONG, told=True
    )


def challenge_at_once(
    core: "Core", found: Found, flow: Flow, *, for_us: bool, now: Instant
) -> bool:
    """Challenge a request of the usual form that shows no credentials, as `identify` would.

    Half of what phones send is of this kind. False, and nothing done, if it is not.
    """
    access, gate = core.access, core.access.gate
    if not access.enabled:
        return False
    method, uri, from_uri, call_id, agent, for_proxies, for_servers = found.group(
        1, 2, 7, 12, 28, 30, 31
    )
    served = for_us or method == b"REGISTER"
    if (
        (for_servers if served else for_proxies) is not None
        or not access.covers(method)
        or flow.host in access.trusted
        or (agent is not None and gate.simplified(agent))
    ):
        return False
    tale = core.journal.open(call_id)
    tale.append((now, _REQUEST, method, uri, from_uri, flow.name))
    tale.append((now, _CHALLENGED, method, gate.realm, _NO_CREDENTIALS))
    core.statistics.challenges_sent += 1
    name = b"WWW-Authenticate" if served else b"Proxy-Authenticate"
    lines = gate.challenge_lines(name, flow.received_host, now)
    to_tag, branch = found.group(11, 24)
    tag = b"" if to_tag else core.own_tag(branch)
    data = build_reply(found, via_line(found, flow), 401 if served else 407, tag, lines)
    core.sends.append((flow, data))
    return True


def _tell_quirk(core: "Core", ctx: Context) -> None:
    """Tell that a phone is offered MD5 alone, because it gives up on any other offer."""
    core.notify(
        Kind.AUTHENTICATION,
        Severity.NOTICE,
        "auth.quirk",
        {
            "src": ctx.flow.name,
            "user_agent": ctx.user_agent,
            "what": "gives up where SHA-256 is offered: MD5 alone is",
        },
        ctx.call_id,
    )


def _as_himself(core: "Core", ctx: Context, now: Instant) -> Outcome:
    """A user registers and speaks only as himself, or as nobody, unless his login says otherwise."""
    login = ctx.login
    assert login is not None
    claimed = ctx.to_uri if ctx.method == b"REGISTER" else ctx.from_uri
    try:
        uri = parse_uri(claimed)
    except PeerError:
        uri = None
    access = core.access
    if _may_be(core, login, uri, now) or not access.match_user:
        return None
    if ctx.method != b"REGISTER" and _is_nobody(uri):
        return None
    core.notify(
        Kind.AUTHENTICATION,
        Severity.WARNING,
        "auth.not-himself",
        {"src": ctx.flow.name, "login": login.name, "claimed": claimed, "method": ctx.method},
        ctx.call_id,
    )
    words = "this login may not register or speak as that user"
    return Answer(403, Rule.NOT_YOUR_IDENTITY, login.name, claimed, words=words, told=True)


def _is_nobody(uri: Uri | None) -> bool:
    """Whether a From is the one of who does not want to be known (RFC 3323 §4.1.1.3)."""
    return (
        type(uri) is SipUri
        and (uri.user, uri.host) == (b"anonymous", b"anonymous.invalid")
        and uri.password is None
        and not uri.port
    )


def _may_be(core: "Core", login: Login, uri: Uri | None, now: Instant) -> bool:
    """Whether a login may speak as the user whom a URI names."""
    access = core.access
    if type(uri) is SipUri and uri.user == login.name and not login.users:
        return core.places.ours.is_domain(uri.host)
    user = user_in(core, uri, now)
    return bool(user) and access.gate.may_act_as(login, user, case_sensitive=access.case_sensitive)
