"""The step for SUBSCRIBE: what is served here, and to whom; all else goes on to a phone (RFC 6665 §4.2).

Served are `reg` of a user and, at the registrar's name, of the whole domain, and `dialog` of a user.
What the sender may do was decided as for all methods; who did not show who he is gets no addresses.
"""

from typing import TYPE_CHECKING, Final

from centrex.base import Flow, Instant, PeerError
from centrex.events import Kind, Severity
from centrex.proxy.answer import DONE, Answer, Outcome
from centrex.proxy.checks import unsupported
from centrex.proxy.context import Context
from centrex.routing.next_hop import next_hop
from centrex.sip.cseq import parse_cseq
from centrex.sip.message import Message
from centrex.sip.nameaddr import parse_name_addr
from centrex.sip.names import ACCEPT, CONTACT, CSEQ, EVENT, EXPIRES, FROM, RECORD_ROUTE, REQUIRE, TO
from centrex.sip.number import parse_delta
from centrex.sip.response import build_response
from centrex.sip.uri import SipUri, parse_uri
from centrex.sip.via import split_values
from centrex.trace import Rule
from centrex.watching.package import PACKAGES, REG, Event, Package, accepts, parse_event
from centrex.watching.subscription import TIMEOUT, Subscription, own_uri

if TYPE_CHECKING:
    from centrex.proxy.core import Core

ALLOW_EVENTS: Final = b"Allow-Events: reg, dialog"
_AT_SERVER: Final = b"Allow-Events: reg"
_MAX_OCTETS: Final = 2048
"""Of Contact and Record-Route values that are kept."""


def subscribe(core: "Core", ctx: Context, now: Instant) -> Outcome:
    """Serve a SUBSCRIBE that is for us; None where it goes on as any request does."""
    message = ctx.message
    event = _event(message)
    package = None if isinstance(event, PeerError) else PACKAGES.get(event.package)
    if ctx.to_tag:
        sub = core.watchers.notifier.find(ctx.call_id, ctx.to_tag, ctx.from_tag)
        if sub is not None:
            return unsupported(message.values(REQUIRE)) or _again(core, ctx, sub, event, now)
        if not ctx.for_us and package is None:
            return None
        words = "there is no such subscription (any more): subscribe anew"
        return Answer(481, Rule.UNKNOWN_DIALOG, ctx.method, words=words)
    if isinstance(event, PeerError):
        return _bad_event(ctx, event.what, event.what) if ctx.for_us else None
    if package is None or (ctx.for_us and package is not REG):
        words = "this server tells of reg and of the users' dialog only"
        return _bad_event(ctx, event.package, words) if ctx.for_us else None
    if event.has(b"call-id") and not ctx.for_us:
        return None  # of one call, by its name: the phone knows that, we tell no names of calls
    return unsupported(message.values(REQUIRE)) or _new(core, ctx, package, event, now)


def _event(message: Message) -> Event | PeerError:
    try:
        return parse_event(message.value(EVENT))
    except PeerError as error:
        return error.with_traceback(None)


def _bad_event(ctx: Context, fact: bytes | str, words: str) -> Answer:
    allow = _AT_SERVER if ctx.for_us else ALLOW_EVENTS
    return Answer(489, Rule.BAD_EVENT, fact, words=words, extra=(allow,))


def _new(core: "Core", ctx: Context, package: Package, event: Event, now: Instant) -> Outcome:
    message = ctx.message
    user = b"" if ctx.for_us else core.registry.canonical(ctx.user)
    if core.stopping:
        words = "the server is being stopped"
        return Answer(503, Rule.STOPPING, words=words, extra=(b"Retry-After: 10",))
    if user and not core.watchers.exists(user, now):
        return Answer(404, Rule.UNKNOWN_USER, user, words="there is no such user here")
    if not accepts(message.values(ACCEPT), package.media_type):
        words = "its documents are of no type that is accepted"
        return Answer(406, Rule.NOT_ACCEPTABLE, package.media_type, words=words)
    try:
        contact, routes = _way_back(message)
    except PeerError as error:
        error.__traceback__ = None
        return Answer(400, Rule.MALFORMED, error.what, error.rule, words=error.what)
    seconds = _seconds(core, message, package)
    if isinstance(seconds, Answer):
        return seconds
    login = ctx.login.name if ctx.login is not None else b""
    owner = _owner(core, ctx)
    full = core.watchers.notifier.room_for(owner)
    if full is not None:
        return _no_room(core, full, owner)
    tag = core.ids.token()
    to_line, from_line = (message.value(number) for number in (TO, FROM))
    sub = Subscription(
        package,
        user,
        event=event.line(),
        target=ctx.request_uri,
        watcher=ctx.from_uri,
        owner=owner,
        login=login,
        trusted=bool(login) or ctx.trusted,
        call_id=ctx.call_id,
        own_tag=tag,
        their_tag=ctx.from_tag,
        own_address=b"%b;tag=%b" % (to_line, tag),
        their_address=from_line,
    )
    sub.remote_cseq = parse_cseq(message.value(CSEQ))[0]
    sub.contact, sub.routes = contact, routes
    sub.flow = _way(core, ctx, sub)
    core.watchers.begin(sub, now)
    core.decide(ctx, (now, Rule.SUBSCRIBED, sub.target, package.name, seconds))
    if seconds:
        _tell_begin(core, ctx, sub, seconds)
    _accept(core, ctx, sub, seconds, now)
    return DONE


def _owner(core: "Core", ctx: Context) -> bytes:
    """Return whose bound a subscription counts against: who may be several users, is each by itself."""
    login = ctx.login
    if login is None:
        owner, is_several = ctx.flow.host.encode(), ctx.trusted
    else:
        owner, is_several = login.name, bool(login.users) or not core.access.match_user
    return b"%b as %b" % (owner, ctx.from_uri) if is_several else owner


def _again(
    core: "Core", ctx: Context, sub: Subscription, event: Event | PeerError, now: Instant
) -> Outcome:
    """A SUBSCRIBE within its dialog: prolongs it, or ends it."""
    message = ctx.message
    if isinstance(event, PeerError) or event.line() != sub.event:
        return _bad_event(ctx, "another event", "that dialog is about another event")
    cseq = parse_cseq(message.value(CSEQ))[0]
    if cseq <= sub.remote_cseq:
        words = "its CSeq is not higher than the last one's"
        return Answer(500, Rule.MALFORMED, words, "RFC 3261 §12.2.2", words=words)
    seconds = _seconds(core, message, sub.package)
    if isinstance(seconds, Answer):
        return seconds
    if message.at[CONTACT]:  # a target refresh (RFC 6665 §4.4.1)
        try:
            sub.contact = _contact(message)
        except PeerError as error:
            error.__traceback__ = None
            return Answer(400, Rule.MALFORMED, error.what, error.rule, words=error.what)
    sub.remote_cseq = cseq
    sub.flow = _way(core, ctx, sub)
    if seconds:
        rule = Rule.SUBSCRIPTION_REFRESHED
        core.decide(ctx, (now, rule, sub.target, sub.package.name, seconds))
    _accept(core, ctx, sub, seconds, now)
    return DONE


def _accept(core: "Core", ctx: Context, sub: Subscription, seconds: int, now: Instant) -> None:
    """Answer 200, and tell everything at once (§4.2.1.2, §4.2.1.3)."""
    message, server = ctx.message, ctx.server
    assert server is not None
    recorded = [message.lines[index] for index in message.indices(RECORD_ROUTE)]
    own = b"Contact: <%b>" % own_uri(ctx.flow)
    lines = [*recorded, b"Expires: %d" % seconds, own, ALLOW_EVENTS]
    tag = b"" if ctx.to_tag else sub.own_tag
    ctx.answered = True
    core.layer.respond(server, 200, build_response(message, 200, to_tag=tag, extra=lines), now)
    core.decide(ctx, (now, Rule.ANSWERED, 200, ""))
    sub.full = True
    watchers = core.watchers
    if seconds:
        watchers.notifier.prolong(sub, now + seconds)
    else:
        watchers.end(sub, TIMEOUT, now)
    if sub.waits:
        watchers.notifier.touch(sub, now)
    else:
        watchers.tell(sub, now)


def _seconds(core: "Core", message: Message, package: Package) -> int | Answer:
    """Return how long a subscription lives; a refusal where that would be too short (§4.2.1.1)."""
    asked = parse_delta(message.value(EXPIRES)) if message.at[EXPIRES] else None
    options = core.registrar_options
    if asked is None:
        asked = package.default_s
    elif 0 < asked < options.min_expires:
        words = f"{asked} s is shorter than the {options.min_expires} s allowed here"
        line = b"Min-Expires: %d" % options.min_expires
        return Answer(423, Rule.SUBSCRIPTION_TOO_BRIEF, asked, words=words, extra=(line,))
    return min(asked, options.max_expires)


def _no_room(core: "Core", rule: Rule, owner: bytes) -> Answer:
    core.statistics.drop(rule.value)
    if rule is Rule.SUBSCRIPTIONS_FULL:
        words = "there is no room for more subscriptions"
        return Answer(503, rule, owner, words=words, extra=(b"Retry-After: 60",))
    return Answer(403, rule, owner, words="that is too many subscriptions for one")


def _contact(message: Message) -> bytes:
    """Return the target of the dialog (RFC 3261 §12.1.1).

    Raises:
        PeerError: There is none, or it is no SIP URI.
    """
    values = split_values(message.value(CONTACT))
    uri = parse_name_addr(values[0]).uri if values and values[0] else b""
    if not isinstance(parse_uri(uri) if uri else None, SipUri) or len(uri) > _MAX_OCTETS:
        raise PeerError("a SUBSCRIBE needs a Contact with a SIP URI", rule="RFC 6665 §4.1.2.1")
    return uri


def _way_back(message: Message) -> tuple[bytes, bytes]:
    """Return the target and the Route line of the dialog.

    Raises:
        PeerError: A value is malformed, or they are too long.
    """
    recorded = [value for line in message.values(RECORD_ROUTE) for value in split_values(line)]
    for value in recorded:
        if not isinstance(parse_uri(parse_name_addr(value).uri), SipUri):
            raise PeerError("a Record-Route is no SIP URI", rule="RFC 3261 §20.30")
    if sum(map(len, recorded)) > _MAX_OCTETS:
        raise PeerError(f"Record-Route has more than {_MAX_OCTETS} octets", rule="local bound")
    routes = b"Route: %b\r\n" % b", ".join(recorded) if recorded else b""
    return _contact(message), routes


def _way(core: "Core", ctx: Context, sub: Subscription) -> Flow:
    """Return how a watcher is reached: the way he came, where only that leads back or is proven.

    Who did not show who he is could have us send to somebody else, so he is told where he asked from.
    """
    if ctx.natted or not sub.trusted:
        return ctx.flow
    first = sub.contact
    if sub.routes:
        first = parse_name_addr(split_values(sub.routes[7:].strip())[0]).uri
    try:
        hop = next_hop(first)
    except PeerError:
        return ctx.flow
    return (core.flows.reach(*hop) if isinstance(hop, tuple) else None) or ctx.flow


def _tell_begin(core: "Core", ctx: Context, sub: Subscription, seconds: int) -> None:
    core.notify(
        Kind.SUBSCRIPTIONS,
        Severity.INFO,
        "subscription.started",
        {
            "src": ctx.flow.name,
            "watcher": sub.watcher,
            "target": sub.target,
            "package": sub.package.name.decode(),
            "expires": seconds,
        },
        ctx.call_id,
    )
