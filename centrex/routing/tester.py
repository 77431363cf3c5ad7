"""What would become of a call: every plan looked at, every destination with its time, and why.

It asks the same functions as a call does (`plans`, `hunt`) and turns their answers into plain data.
"""

import datetime as dt
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from centrex.routing.dialled import named
from centrex.routing.hunt import NO_PHONE, NO_USER, Stop, View, hunt
from centrex.routing.plans import NOT_NOW, Plans, Rule
from centrex.routing.settings import Gateway
from centrex.routing.target import Target
from centrex.sip.uri import SipUri, parse_uri


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A call to be looked into."""

    number: str
    """The user part that is called."""
    when: dt.datetime
    """The local time."""
    zone: str
    """The name of the time zone it is told in."""
    may_leave: bool
    """Whether the caller may be led to other servers by a pattern."""
    live: bool
    """Whether it is known which phones are registered; otherwise any user's may be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How long destinations ring, in seconds."""

    rollover_s: float
    final_answer_s: float
    call_maximum_s: float
    """For all together; 0 for no limit."""


_RINGS: Final = "rings until somebody answers; else the caller gets 480, or the last one's answer"


class StandingView:
    """Who can be reached by what the configuration alone tells: nobody is registered.

    Args:
        users: Users that exist, in canonical spelling.
        fixed: Fixed contacts by user, in canonical spelling.
        hosts: The hosts that are ours.
        canonical: Gives a name that spelling.
    """

    def __init__(
        self,
        users: Collection[str],
        fixed: Mapping[str, str],
        hosts: Collection[str],
        canonical: Callable[[str], str],
    ) -> None:
        self._users, self._fixed, self._canonical = users, fixed, canonical
        self._hosts = {host.lower() for host in hosts}

    def contacts(self, user: bytes) -> Sequence[Target]:
        """Return a user's fixed contact, if there is one; what is ours of it is that of another."""
        seen: set[str] = set()
        while (name := self._canonical(user.decode("utf-8", "replace"))) not in seen:
            seen.add(name)
            contact = self._fixed.get(name, "").encode()
            uri = parse_uri(contact) if contact else None
            if not isinstance(uri, SipUri) or not self.is_ours(uri):
                return [Target(contact)] if contact else []
            user = self.user_of(uri)
        return []

    def knows(self, user: bytes) -> bool:
        """Whether a user exists."""
        return self._canonical(user.decode("utf-8", "replace")) in self._users

    def is_ours(self, uri: SipUri) -> bool:
        """Whether a URI's host is one of ours."""
        return uri.host.decode("latin-1") in self._hosts

    def user_of(self, uri: SipUri) -> bytes:
        """Return the user whom a URI of ours names."""
        return named(uri, lambda host: host.decode("latin-1") in self._hosts, self.knows)

    def may_go(self, uri: bytes) -> bool:
        """Whether a call may go to a URI of others: it is none that must be secure."""
        return True

    def gateway_works(self, name: str, address: str) -> bool:
        """Whether a gateway's address answers: nobody has asked."""
        return True


def try_route(
    question: Question, plans: Plans, gateways: Mapping[str, Gateway], view: View, limits: Limits
) -> dict[str, Any]:
    """Return what would become of a call, as plain data; `leads` tells whether anybody may ring."""
    looked = plans.looked_at(question.number, question.when)
    match = plans.find(question.number, lambda: question.when)
    if match is None:
        stops = [_user(question.number, view, plans)]
    else:
        stops = hunt(match, plans, gateways, view, question.when, may_leave=question.may_leave)
    steps, total = _timed(stops, limits)
    return {
        "number": question.number,
        "at": question.when.isoformat(timespec="minutes"),
        "zone": question.zone,
        "plan": None if match is None else {**_numbered(match.rule), "groups": list(match.groups)},
        "looked": [
            {**_numbered(one.rule), "why": one.why, "decides": one.decides} for one in looked
        ],
        "steps": steps,
        "seconds": total,
        "outcome": _outcome(match is not None, steps),
        "leads": any(
            stop.targets or (stop.why == NO_PHONE and not question.live) for stop in stops
        ),
        "live": question.live,
    }


def _numbered(rule: Rule) -> dict[str, Any]:
    """Return which plan it is: `index` as in the configuration's keys, `number` as people count."""
    return {"index": rule.number, "number": rule.number + 1, "key": rule.key}


def _user(number: str, view: View, plans: Plans) -> Stop:
    user = number.encode()
    targets = list(view.contacts(user))
    why = NO_PHONE
    if not view.knows(user):
        why = NOT_NOW if plans.has_name(number) else NO_USER
    return Stop(number, "user", targets, "" if targets else why)


def _timed(stops: Sequence[Stop], limits: Limits) -> tuple[list[dict[str, Any]], float]:
    usable = [stop for stop in stops if stop.targets]
    steps: list[dict[str, Any]] = []
    at = 0.0
    most = limits.call_maximum_s
    for stop in stops:
        ring_s, cut, why = 0.0, False, stop.why
        if stop.targets and most and at >= most:
            cut, why = True, f"not tried: the {most:g} s for all together are over"
        elif stop.targets:
            general = limits.final_answer_s if stop is usable[-1] else limits.rollover_s
            ring_s = stop.ring_s or general
            if most and ring_s > most - at:
                ring_s, cut = most - at, True
                why = why or f"cut short: all together have {most:g} s"
        steps.append(
            {
                "to": stop.to,
                "kind": stop.kind,
                "uris": [uri.decode("utf-8", "backslashreplace") for uri in _uris(stop)],
                "why": why,
                "cut": cut,
                "gone": [uri.decode("utf-8", "backslashreplace") for uri in stop.gone],
                "from_s": at,
                "ring_s": ring_s,
            }
        )
        at += ring_s
    return steps, at


def _uris(stop: Stop) -> list[bytes]:
    return [uri for target in stop.targets for uri in (target.uri, *target.others)]


def _outcome(planned: bool, steps: Sequence[Mapping[str, Any]]) -> str:
    if any(step["uris"] for step in steps):
        limit = (
            "; timeouts.call_maximum ends it early" if any(step["cut"] for step in steps) else ""
        )
        return f"{_RINGS}{limit}"
    if planned:
        return "480: none of the plan's destinations can be reached"
    missing = str(steps[0]["why"]) if steps else ""
    return f"404: {missing}" if missing == NO_USER else f"480: {missing}"
