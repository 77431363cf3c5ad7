"""Requests that a plan decides over: who is tried, in which order, and what the caller hears at the end.

What a plan makes of a number is `centrex.routing.hunt`; here it meets the registry, and the answers.
"""

from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Final

from centrex.base import Instant, PeerError
from centrex.proxy.answer import Answer, Outcome
from centrex.proxy.best_response import best_response
from centrex.proxy.context import Branch, Context
from centrex.proxy.forward import is_out_of_time
from centrex.proxy.named import user_of
from centrex.registrar.registry import MustAsk
from centrex.routing.dialled import named
from centrex.routing.hunt import NO_PHONE, NOT_SECURE, Stop, hunt
from centrex.routing.located import is_by_tls, leads_by_tls, together
from centrex.routing.plans import NOT_NOW, Match
from centrex.routing.target import Target, request_uri
from centrex.sip.contact import parse_q
from centrex.sip.message import Message
from centrex.sip.nameaddr import NameAddr, parse_name_addr
from centrex.sip.names import CONTACT
from centrex.sip.uri import SipUri, TelUri, Uri, is_secure, parse_uri
from centrex.sip.via import split_values
from centrex.trace import Rule

if TYPE_CHECKING:
    from centrex.proxy.core import Core

_MOST_REDIRECTED: Final = 5
"""Redirections that are followed for one call, and contacts of each."""
_DECLINED: Final = 603
_FOLLOWED: Final = frozenset({300, 301, 302})
_NOBODY: Final = "nobody answered at any of the destinations"
_NONE_USABLE: Final = "none of the plan's destinations can be reached"


class CoreView:
    """Who can be reached, as a core sees it now.

    Args:
        core: The core.
        now: The time.
        secure: Whether only phones reached by TLS count (`sips:`).
    """

    def __init__(self, core: "Core", now: Instant, *, secure: bool = False) -> None:
        self._core, self._now, self._secure = core, now, secure

    def contacts(self, user: bytes) -> Sequence[Target]:
        """Return all phones of a user, to be tried together, and a fixed contact."""
        return self._contacts(user, ())

    def _contacts(self, user: bytes, via: tuple[bytes, ...]) -> list[Target]:
        core = self._core
        bindings = core.registry.lookup(user, self._now)
        found: list[Target] = []
        if not isinstance(bindings, MustAsk):
            usable = [one for one in bindings if not self._secure or is_by_tls(one)]
            found = together(usable, core.contacts.is_silent)
        name = core.registry.canonical(user)
        fixed = self.fixed(name)
        uri = parse_uri(fixed) if fixed else None
        if isinstance(uri, SipUri) and self.is_ours(uri):
            other = core.registry.canonical(self.user_of(uri))
            if other != name and other not in via:
                found += self._contacts(other, (*via, name))
        elif fixed and self.may_go(fixed):
            found.append(Target(fixed))
        for target in found:
            target.user = target.user or user
        return found

    def fixed(self, name: bytes) -> bytes | None:
        """Return the fixed contact of a canonical user; what is ours of it are the phones of another."""
        return self._core.routes.fixed.get(name)

    def knows(self, user: bytes) -> bool:
        """Whether a user exists."""
        return self._core.knows_user(user)

    def is_ours(self, uri: SipUri) -> bool:
        """Whether a URI's host is one of ours."""
        return self._core.places.ours.has(uri.host, uri.port or 0)

    def user_of(self, uri: SipUri) -> bytes:
        """Return the user whom a URI of ours names."""

        def is_somebody(user: bytes) -> bool:
            return self.knows(user) or bool(self.contacts(user))

        return named(uri, self._core.places.ours.is_domain, is_somebody)

    def may_go(self, uri: bytes) -> bool:
        """Whether a call may go to a URI of others."""
        return not self._secure or leads_by_tls(uri)

    def gateway_works(self, name: str, address: str) -> bool:
        """Whether a gateway's address answers, as far as is known."""
        return self._core.gateways.works(name, address)


def has_plan(core: "Core", user: bytes) -> bool:
    """Whether a user or extension has a plan of its own, at whatever times that applies."""
    return core.routes.plans.has_name(user.decode("utf-8", "surrogateescape"))


def planned(core: "Core", ctx: Context, now: Instant) -> Match | None:
    """Return the plan that decides over a request; None where none does."""
    return _plan_of(core, ctx.user, now)


def _plan_of(core: "Core", user: bytes, now: Instant) -> Match | None:
    routes = core.routes
    try:
        number = user.decode()
    except UnicodeDecodeError:
        return None
    return routes.plans.find(number, lambda: routes.local_time(now))


def begin(core: "Core", ctx: Context, match: Match, now: Instant) -> Outcome:
    """Fill in the target groups of a request by its plan, or say why there are none."""
    routes = core.routes
    view = CoreView(core, now, secure=is_secure(ctx.request_uri))
    may_leave = ctx.trusted or ctx.login is not None
    when = routes.local_time(now)
    stops = hunt(match, routes.plans, routes.gateways, view, when, may_leave=may_leave)
    core.decide(ctx, (now, Rule.PLAN, match.rule.key, len(stops)))
    groups: list[list[Target]] = []
    for stop in stops:
        if stop.targets:
            groups.append(stop.targets)
        else:
            core.decide(ctx, (now, Rule.PLAN_SKIPPED, stop.to, stop.why))
    if not groups:
        return Answer(480, Rule.PLAN_EMPTY, match.rule.key, words=_NONE_USABLE)
    ctx.groups, ctx.planned, ctx.hunting = groups, True, len(stops) > 1
    return None


def ends_hunt(core: "Core", ctx: Context, status: int) -> bool:
    """Whether a 6xx ends a call's hunt (RFC 3261 §16.7 step 5 would end any)."""
    if not ctx.hunting:
        return True
    return status == _DECLINED and (ctx.routes or core.routes).decline_ends


def verdict(ctx: Context, finals: Sequence[Message]) -> tuple[int, str] | None:
    """Return status and words for the caller of a hunt that found nobody; None for the best response.

    The last destination speaks for all: who is busy there is busy, who declined there declined. What
    only tells that it could not be reached becomes a plain 480.
    """
    if not ctx.hunting or not finals:
        return None
    last = best_response(finals)
    if last.status == 408 and ctx.method != b"INVITE":
        return None  # it comes too late to be told (RFC 4320 §4.2)
    if last.status in (408, 480, 487) or last.status // 100 == 5:
        return 480, _NOBODY
    return None


def redirected(core: "Core", ctx: Context, branch: Branch, response: Message, now: Instant) -> bool:
    """Put the contacts of a 3xx before what is still to be tried; False where none may be followed.

    Our own users are called as anybody may call them, and numbers that only a plan knows as the user may
    call them who sends the call there; other servers only for those who may call there themselves. A place
    that was tried is not tried again.
    """
    routes = ctx.routes or core.routes
    if not routes.follows or ctx.method != b"INVITE" or ctx.to_tag or ctx.call is None:
        return False
    if ctx.cancelled or is_out_of_time(ctx, now):
        return False
    groups: list[list[Target]] = []
    why = _why_not(ctx, response.status)
    if not why:
        way = _Redirected(core, ctx, branch, now)
        for uris in _contacts(response):
            groups += way.groups(uris)
        why = way.why_not
    if not groups:
        core.decide(ctx, (now, Rule.NOT_FOLLOWED, branch.target.uri, why))
        return False
    ctx.redirects += 1
    core.decide(ctx, (now, Rule.REDIRECTED, branch.target.uri, groups[0][0].uri))
    ctx.groups = [*groups, *ctx.groups]
    return True


def _why_not(ctx: Context, status: int) -> str:
    """Return why a redirection is not followed, wherever it leads; empty where it may be."""
    if ctx.redirects >= _MOST_REDIRECTED:
        return f"{_MOST_REDIRECTED} redirections of this call were followed already"
    if status not in _FOLLOWED:  # §21.3.4, §21.3.5
        return f"{status} asks for something else than another place to call"
    return ""


def _contacts(response: Message) -> list[list[bytes]]:
    """Return the contacts of a redirection, those of one q together, the highest first (§8.1.3.4)."""
    found: list[tuple[int, bytes]] = []
    for line in response.values(CONTACT):
        try:
            values = split_values(line)
        except PeerError:
            continue
        for value in values:
            try:
                contact = parse_name_addr(value)
            except PeerError:
                continue
            found.append((-_q_of(contact), contact.uri))
    found.sort(key=lambda one: one[0])
    together = groupby(found[:_MOST_REDIRECTED], key=lambda one: one[0])
    return [[uri for _, uri in contacts] for _, contacts in together]


def _q_of(contact: NameAddr) -> int:
    """Return a contact's q in thousandths; 1,000 where it has none that is one (§20.10)."""
    try:
        return parse_q(contact.param(b"q") or b"1")
    except PeerError:
        return 1000


class _Redirected:
    """Where a redirection leads, contact by contact.

    Args:
        core: The core.
        ctx: The call.
        branch: Who redirects it.
        now: The time.
    """

    def __init__(self, core: "Core", ctx: Context, branch: Branch, now: Instant) -> None:
        self._core, self._ctx, self._branch, self._now = core, ctx, branch, now
        self._view = CoreView(core, now, secure=is_secure(ctx.request_uri))
        self._tried = {branch.target.uri for branch in ctx.branches}
        self._found = self._named = False

    @property
    def why_not(self) -> str:
        """Return why no place is left, where none is."""
        if not self._named:
            return "it names no place"
        if not self._found:
            return "no place it names can be called"
        return "it names no place that was not tried already"

    def groups(self, uris: Sequence[bytes]) -> list[list[Target]]:
        """Return the places of contacts that are tried together; later stops of plans follow."""
        groups: list[list[Target]] = [[]]
        for uri in uris:
            self._named = True
            for number, stop in enumerate(self._stops(uri)):
                self._found = self._found or bool(stop.targets)
                if stop.why:
                    self._core.decide(self._ctx, (self._now, Rule.PLAN_SKIPPED, stop.to, stop.why))
                fresh = [target for target in stop.targets if target.uri not in self._tried]
                self._tried |= {target.uri for target in fresh}
                for target in fresh:
                    target.ring_s = target.ring_s or self._branch.target.ring_s
                if number:
                    groups.append(fresh)
                else:
                    groups[0] += fresh
        return [group for group in groups if group]

    def _stops(self, raw: bytes) -> list[Stop]:
        ctx, view = self._ctx, self._view
        to = raw.decode("utf-8", "backslashreplace")
        try:
            uri = parse_uri(raw)
        except PeerError as error:
            return [Stop(to, "outside", why=error.what)]
        user = self._ours(uri)
        if user is not None:
            targets = list(view.contacts(user))
            if targets:
                return [Stop(to, "user", targets)]
            why = NO_PHONE
            if not self._core.knows_user(user) and has_plan(self._core, user):
                why = NOT_NOW
            return self._by_plan(user) or [Stop(to, "user", why=why)]
        if not isinstance(uri, SipUri):
            return [Stop(to, "outside", why="it is no SIP URI")]
        if not (ctx.trusted or ctx.login is not None):
            why = "callers who did not log in are not led to other servers"
            return [Stop(to, "outside", why=why)]
        if not view.may_go(raw):
            return [Stop(to, "outside", why=NOT_SECURE)]
        return [Stop(to, "outside", [Target(request_uri(raw))])]

    def _ours(self, uri: Uri) -> bytes | None:
        """Return the user or number of ours that a contact names; None where it is elsewhere."""
        if isinstance(uri, TelUri):
            return self._core.places.number(uri) or None
        if isinstance(uri, SipUri) and self._view.is_ours(uri):
            return user_of(self._core, uri, self._now)
        return None

    def _by_plan(self, user: bytes) -> list[Stop]:
        """Return where a plan leads that number; whoever forwards a call may dial it himself."""
        core, ctx, now = self._core, self._ctx, self._now
        match = _plan_of(core, user, now)
        if match is None:
            return []
        routes = core.routes
        may_leave = ctx.trusted or ctx.login is not None or self._is_by_a_user
        when = routes.local_time(now)
        stops = hunt(match, routes.plans, routes.gateways, self._view, when, may_leave=may_leave)
        core.decide(ctx, (now, Rule.PLAN, match.rule.key, len(stops)))
        ctx.planned, ctx.hunting = True, ctx.hunting or len(stops) > 1
        return stops

    @property
    def _is_by_a_user(self) -> bool:
        """Whether the phone that redirects is registered here, and had to log in or is trusted."""
        core, target = self._core, self._branch.target
        flow, access = self._branch.flow, core.access
        if flow is not None and flow.host in access.trusted:
            return True
        if not (access.enabled and access.covers(b"REGISTER")):
            return False
        bindings = core.registry.lookup(target.user or self._ctx.user, self._now)
        return not isinstance(bindings, MustAsk) and any(
            request_uri(one.contact) == target.uri for one in bindings
        )
