"""What a plan makes of a call: its destinations one after the other, each with the places to try.

A pure function of the plan, the gateways and a view of who is registered; the proxy does what it
says, and `centrex route test` shows it.
"""

import datetime as dt
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from centrex.base import PeerError
from centrex.routing.plans import NOT_NOW, Match, Plans
from centrex.routing.settings import Gateway, Step
from centrex.routing.target import Target, request_uri
from centrex.sip.uri import SipUri, escape_user, parse_uri

_DEEPEST: Final = 8
"""Plans within plans that are followed."""
MOST_STOPS: Final = 1000
"""Destinations of one hunt, plans within plans included."""
MOST_WALKED: Final = 2000
"""Plans within plans that are walked for one hunt."""
NO_USER: Final = "there is no such user"
"""Why a name leads nowhere that nobody has."""
NO_PHONE: Final = "no phone is registered"
"""Why a user cannot be reached who exists."""
NOT_SECURE: Final = "the call asks for TLS on all its way"
"""Why a place is not tried that is reached without TLS."""
_IS_URI: Final = re.compile(r"sips?:", re.IGNORECASE)


class View(Protocol):
    """Who can be reached here."""

    def contacts(self, user: bytes) -> Sequence[Target]:
        """Return where a user's phones are, and a fixed contact; empty where nowhere."""

    def knows(self, user: bytes) -> bool:
        """Whether a user exists."""

    def is_ours(self, uri: SipUri) -> bool:
        """Whether a URI's host is one of ours."""

    def user_of(self, uri: SipUri) -> bytes:
        """Return the user whom a URI of ours names, unescaped."""

    def may_go(self, uri: bytes) -> bool:
        """Whether a call may go to a URI of others: one that is to be secure goes by TLS only."""

    def gateway_works(self, name: str, address: str) -> bool:
        """Whether a gateway's address answers, as far as is known."""


@dataclass(slots=True)
class Stop:
    """One destination of a hunt.

    Attributes:
        to: The destination, with its groups put in.
        kind: What it is: `user`, `outside`, or `gateway`.
        targets: The places to try, all at once; none where it cannot be tried.
        why: Why not; empty where it can.
        ring_s: How long it rings; 0 for the general setting.
        gone: The addresses of its gateway that do not answer, as URIs; they are tried last.
    """

    to: str
    kind: str
    targets: list[Target] = field(default_factory=list)
    why: str = ""
    ring_s: float = 0.0
    gone: tuple[bytes, ...] = ()


def hunt(
    match: Match,
    plans: Plans,
    gateways: Mapping[str, Gateway],
    view: View,
    when: dt.datetime,
    *,
    may_leave: bool,
) -> list[Stop]:
    """Return the destinations of a call in their order, those that cannot be tried included.

    Args:
        match: The plan that decides.
        plans: All plans, for destinations whose own plan is followed.
        gateways: The gateways by name.
        view: Who can be reached here.
        when: The local time.
        may_leave: Whether the caller may be led to other servers by a pattern.
    """
    walk = _Walk(plans, gateways, view, when)
    walk.follow(match, may_leave=may_leave)
    return walk.stops


class _Walk:
    """One way through a plan, and through the plans that stand in it.

    Args:
        plans: All plans.
        gateways: The gateways by name.
        view: Who can be reached here.
        when: The local time.

    Attributes:
        stops: What was found.
    """

    def __init__(
        self, plans: Plans, gateways: Mapping[str, Gateway], view: View, when: dt.datetime
    ) -> None:
        self._plans, self._gateways, self._view, self._when = plans, gateways, view, when
        self.stops: list[Stop] = []
        self._path: list[tuple[int, str]] = []
        self._walked = 0

    def follow(self, match: Match, *, may_leave: bool) -> None:
        """Add what a plan makes of a number."""
        self._walked += 1
        self._path.append(_here(match))
        plan = match.rule.plan
        leaves = may_leave or bool(plan.name) or plan.strangers
        for step in match.rule.steps:
            if len(self.stops) >= MOST_STOPS or self._walked > MOST_WALKED:
                break
            inner = None
            if step.expand and not _IS_URI.match(step.to):
                inner = self._plans.find(match.filled(step.to), lambda: self._when)
            if inner is None:
                self._add(match, step, leaves=leaves)
            elif why := self._why_not(inner):
                self.stops.append(Stop(match.filled(step.to), "user", why=why))
            else:
                self.follow(inner, may_leave=leaves)
        self._path.pop()

    def _why_not(self, inner: Match) -> str:
        if _here(inner) in self._path or len(self._path) >= _DEEPEST:
            return "its plan leads back here"
        if self._walked >= MOST_WALKED:
            self._walked += 1
            return "there are too many plans within plans"
        return ""

    def _add(self, match: Match, step: Step, *, leaves: bool) -> None:
        stop = _stop(match, step, self._gateways, self._view, leaves=leaves)
        if stop.why == NO_USER and step.expand and self._plans.has_name(stop.to):
            stop.why = NOT_NOW
        self.stops.append(stop)


def _here(match: Match) -> tuple[int, str]:
    """Return where in a walk a plan stands: one by pattern may lead to another number of its own."""
    return match.rule.number, match.groups[0] if match.rule.plan.pattern else ""


def _stop(
    match: Match, step: Step, gateways: Mapping[str, Gateway], view: View, *, leaves: bool
) -> Stop:
    """Return one destination; what it is follows from the plan alone, never from the number."""
    number, at, name = step.to.rpartition("@")
    if _IS_URI.match(step.to):
        stop = _uri(match.filled_uri(step.to), view)
    elif at and name in gateways:
        stop = _gateway(match.filled(number), gateways[name], view)
    elif at:
        stop = Stop(step.to, "gateway", why=f"there is no gateway {name}")
    else:
        to = match.filled(step.to)
        stop = _user(to, to.encode(), view)
    if stop.kind != "user" and not leaves and stop.targets:
        stop.targets, stop.why = [], "callers who did not log in are not led to other servers"
    stop.ring_s = step.ring
    for target in stop.targets:
        target.ring_s = float(step.ring)
    return stop


def _user(to: str, user: bytes, view: View) -> Stop:
    targets = list(view.contacts(user))
    why = ""
    if not targets:
        why = NO_PHONE if view.knows(user) else NO_USER
    return Stop(to, "user", targets, why)


def _uri(to: str, view: View) -> Stop:
    raw = to.encode()
    try:
        uri = parse_uri(raw)
    except PeerError as error:
        return Stop(to, "outside", why=f"it is no URI: {error.what}")
    if not isinstance(uri, SipUri):
        return Stop(to, "outside", why="it is no SIP URI")
    if view.is_ours(uri):
        return _user(to, view.user_of(uri), view)
    if not view.may_go(raw):
        return Stop(to, "outside", why=NOT_SECURE)
    return Stop(to, "outside", [Target(request_uri(raw))])


def _gateway(number: str, gateway: Gateway, view: View) -> Stop:
    """Return a stop at a gateway: the addresses that answer first, then the others."""
    to = f"{number}@{gateway.name}"
    if not gateway.enabled:
        return Stop(to, "gateway", why=f"the gateway {gateway.name} is switched off")
    if not number:
        return Stop(to, "gateway", why="no number is left to call there")
    addresses = [one for one in gateway.addresses if view.may_go(one.encode())]
    if not addresses:
        return Stop(to, "gateway", why=NOT_SECURE)
    works = {one: view.gateway_works(gateway.name, one) for one in addresses}
    addresses.sort(key=lambda one: not works[one])
    uris = [with_user(address, number) for address in addresses]
    target = Target(uris[0])
    target.others, target.gateway = tuple(uris[1:]), gateway.name
    gone = tuple(with_user(address, number) for address in addresses if not works[address])
    return Stop(to, "gateway", [target], gone=gone)


def with_user(address: str, number: str) -> bytes:
    """Return a gateway's address as the URI of a number there."""
    scheme, _, rest = address.partition(":")
    return b"%b:%b@%b" % (scheme.encode(), escape_user(number.encode()), rest.encode())
