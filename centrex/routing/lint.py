"""What is odd about routing plans: rules that never decide, destinations nobody knows, circles.

It reads settings only; nothing here keeps a configuration from being used. Keys count from 0, as the
configuration's do; in words the first plan is plan 1, as everywhere a person reads of it.
"""

import datetime as dt
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Final

from centrex.base import PeerError, Transport
from centrex.routing.dialled import named
from centrex.routing.languages import Language
from centrex.routing.next_hop import Hop, next_hop
from centrex.routing.patterns import PatternSet, compile_pattern
from centrex.routing.plans import Match, Plans, Rule
from centrex.routing.rfc3263 import Destination
from centrex.routing.settings import GROUP, DirectorySettings, Gateway, Plan, RoutingSettings, Step
from centrex.routing.times import Times, are_within, parse_times
from centrex.sip.uri import SipUri, parse_uri

Finding = tuple[str, str]
"""The dotted key and what is odd about it."""

_PROBES = ("0", "1001", "911", "+4930123456", "sales", "alice.smith", "9" * 15, "*97", "a" * 40)
"""Numbers of all sorts: a pattern that matches each of them matches everything."""
_IS_URI = re.compile(r"sips?:", re.IGNORECASE)
_ASTRAY: Final = "leads nowhere: calls go by udp, tcp or tls, and sips: by tls alone"
_MOST_NAMED: Final = 3
"""Users that one finding names."""
_DEEPEST: Final = 8
"""Plans within plans that are looked into."""
_MOST_SEEN: Final = 2000
"""Numbers of plans that are looked into for one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What else is known.

    Attributes:
        users: The users that exist, in canonical spelling; None where they are not all known.
        canonical: Gives a name that spelling.
        hosts: The names of our own domain, in lower case.
        today: The day.
        registrar: The server's own name, under which phones register.
    """

    users: Set[str] | None
    canonical: Callable[[str], str]
    hosts: Set[str] = frozenset()
    today: dt.date = dt.date.min
    registrar: str = ""


def lint(settings: RoutingSettings, known: Known) -> Iterator[Finding]:
    """Yield what is odd about plans and gateways."""
    active = [(number, plan) for number, plan in enumerate(settings.plans) if plan.enabled]
    plans = Plans(settings.plans, known.canonical)
    yield from _gateways(settings)
    yield from _unreachable(active, known)
    yield from _never(active)
    yield from _over(active, known.today)
    yield from _destinations(settings, active, known)
    yield from _taken(plans, known)
    yield from _circles(plans, known.canonical)


def lint_directory(settings: DirectorySettings, known: Known) -> Iterator[Finding]:
    """Yield what is odd about standing names."""
    canonical = known.canonical
    seen: dict[str, int] = {}
    for number, entry in enumerate(settings.entries):
        if not entry.enabled:
            continue
        where, name = f"directory.entries[{number}].name", canonical(entry.name)
        if seen.setdefault(name, number) != number:
            first = settings.entries[seen[name]].name
            yield where, f"{entry.name} is there already, as {first}"
        if name == canonical(known.registrar):
            yield where, f"{entry.name} is the registrar's own name, where phones ask who is there"
        if re.search(r"\s", entry.name):
            yield where, f"{entry.name!r} has a space in it: phones can hardly call it"
        if words := _odd_contact(name, entry.contact, known):
            yield f"directory.entries[{number}].contact", words


def _odd_contact(name: str, contact: str, known: Known) -> str:
    """Return what is odd about a fixed contact; empty for nothing."""
    if not contact:
        return ""
    if next_hop(contact.encode()) is None:
        return _ASTRAY
    uri = parse_uri(contact.encode())
    if not isinstance(uri, SipUri) or uri.host.decode("latin-1") not in known.hosts:
        return ""
    itself = known.canonical(uri.user.decode("utf-8", "replace")) == name
    return "is the name itself: it leads nowhere" if itself else _odd_user(uri, known)


def _gateways(settings: RoutingSettings) -> Iterator[Finding]:
    seen: dict[str, int] = {}
    for number, gateway in enumerate(settings.gateways):
        where = f"routing.gateways[{number}]"
        if seen.setdefault(gateway.name, number) != number:
            yield (
                f"{where}.name",
                f"{gateway.name} is already the name of routing.gateways[{seen[gateway.name]}]; "
                "the later one counts",
            )
        if gateway.enabled and gateway.login and not gateway.password.get_secret_value():
            yield (
                f"{where}.password",
                f"is empty: {gateway.name} is told a login without a password",
            )
        if gateway.enabled and gateway.password.get_secret_value() and not gateway.login:
            yield f"{where}.login", f"is empty: the password of {gateway.name} is never used"
        for place, address in enumerate(gateway.addresses if gateway.enabled else ()):
            if next_hop(address.encode()) is None:
                yield f"{where}.addresses[{place}]", _ASTRAY
    yield from _alike(settings)


def _alike(settings: RoutingSettings) -> Iterator[Finding]:
    """Yield where calls from two gateways cannot be told apart, each of which has a login."""
    seen: dict[Hop, str] = {}
    for number, gateway in enumerate(settings.gateways):
        if not gateway.enabled or not gateway.login:
            continue
        for address in gateway.addresses:
            place = _place(address)
            first = seen.setdefault(place, gateway.name) if place else gateway.name
            if first != gateway.name:
                yield (
                    f"routing.gateways[{number}].addresses",
                    f"{address} is an address of {first} as well: within calls that come in from there "
                    f"the login of {first} is used",
                )


def _place(address: str) -> Hop | None:
    """Return transport, host and port of a gateway's address; port 0 where DNS tells it."""
    hop = next_hop(address.encode())
    if not isinstance(hop, Destination):
        return hop
    secure = Transport.TLS if hop.secure else Transport.UDP
    return hop.transport or secure, hop.host, hop.port or 0


def _unreachable(active: Sequence[tuple[int, Plan]], known: Known) -> Iterator[Finding]:
    before: dict[str, list[tuple[int, frozenset[Times]]]] = {}
    patterns: dict[str, int] = {}
    everything = -1
    wide = _Wide([plan.pattern for _, plan in active if plan.pattern and _is_always(plan)])
    named = [(n, plan) for n, plan in reversed(active) if plan.name and _is_always(plan)]
    names = {known.canonical(plan.name): n for n, plan in named}
    for number, plan in active:
        key = known.canonical(plan.name) if plan.name else f"/{plan.pattern}"
        where = f"routing.plans[{number}]"
        never = f"plan {number + 1} never decides:"
        if plan.name and key == known.canonical(known.registrar):
            yield f"{where}.name", "is the server's own name: calls to it are refused (405)"
            continue
        if not plan.name and everything >= 0:
            yield where, f"{never} plan {everything + 1} before it matches every number"
            continue
        if (first := _hidden(plan, before.get(key, ()))) is not None:
            yield where, f"{never} plan {first + 1} before it is for the same"
            continue
        if _is_outshone(plan, before.get(key, ())):
            yield where, f"{never} plans before it are for the same, at all its times"
            continue
        if not plan.name and (hides := wide.hides(plan.pattern, patterns)):
            yield (
                where,
                f"{never} plan {patterns[hides] + 1} before it matches all that {plan.pattern} does; "
                "put it first",
            )
            continue
        if not plan.name and (only := known.canonical(wide.only(plan.pattern))) in names:
            yield where, f"{never} the only number it matches has plan {names[only] + 1} by name"
            continue
        before.setdefault(key, []).append((number, _when(plan)))
        if plan.pattern and _is_always(plan):
            patterns.setdefault(plan.pattern, number)
            if all(map(compile_pattern(plan.pattern).fullmatch, _PROBES)):
                everything = number
                yield f"{where}.pattern", "matches every number, also misdialled ones"


def _when(plan: Plan) -> frozenset[Times]:
    """Return when a plan applies; the condition that always holds where nothing is said."""
    return frozenset(parse_times(text) for text in plan.times) or frozenset({Times()})


def _is_always(plan: Plan) -> bool:
    return Times() in _when(plan)


def _hidden(plan: Plan, before: Iterable[tuple[int, frozenset[Times]]]) -> int | None:
    """Return which of the plans for the same applies whenever one does; None for none."""
    when = _when(plan)
    return next((number for number, other in before if Times() in other or when <= other), None)


def _is_outshone(plan: Plan, before: Sequence[tuple[int, frozenset[Times]]]) -> bool:
    """Whether plans for the same together apply whenever one does."""
    others = [times for _, when in before for times in when]
    return len(before) > 1 and are_within(_when(plan), others)


def _never(active: Sequence[tuple[int, Plan]]) -> Iterator[Finding]:
    """Yield times that cannot be: a few dates, none of which is one of the days."""
    for number, plan in active:
        for place, text in enumerate(plan.times):
            times = parse_times(text)
            first, last = times.dates
            if (last - first).days >= 7:
                continue
            dates = (first + dt.timedelta(days=n) for n in range((last - first).days + 1))
            if not any(date.weekday() in times.days for date in dates):
                where = f"routing.plans[{number}].times[{place}]"
                yield where, f"{text} never holds: none of these dates is one of these days"


class _Wide:
    """Patterns that may hide others: asked all at once by a sample, and closely where that fits."""

    def __init__(self, patterns: Sequence[str]) -> None:
        self._patterns = patterns
        self._set = PatternSet(patterns)
        self._languages: dict[str, Language] = {}

    def _language(self, pattern: str) -> Language:
        if pattern not in self._languages:
            self._languages[pattern] = Language(pattern)
        return self._languages[pattern]

    def only(self, pattern: str) -> str:
        """Return the only number that a pattern matches; empty where there may be others."""
        sample = self._language(pattern).sample()
        if not sample or not Language(re.escape(sample)).covers(self._language(pattern)):
            return ""
        return sample

    def hides(self, pattern: str, before: Mapping[str, int]) -> str:
        """Return which of the patterns before matches all that one does; empty for none."""
        narrow = self._language(pattern)
        sample = narrow.sample()
        if sample is None:
            return ""
        for index in self._set.matching(sample):
            other = self._patterns[index]
            if other in before and self._language(other).covers(narrow):
                return other
        return ""


def _over(active: Sequence[tuple[int, Plan]], today: dt.date) -> Iterator[Finding]:
    """Yield plans whose dates are all past; hours that go on after midnight have a day more."""
    eve = today - dt.timedelta(days=1) if today > dt.date.min else today
    for number, plan in active:
        if plan.times and all(parse_times(text).dates[1] < eve for text in plan.times):
            where = f"routing.plans[{number}].times"
            yield where, f"plan {number + 1} never decides any more: its dates are all past"


def _steps(plan: Plan) -> Iterator[Step]:
    for step in plan.destinations:
        yield step if isinstance(step, Step) else Step(to=step)


def _destinations(
    settings: RoutingSettings, active: Sequence[tuple[int, Plan]], known: Known
) -> Iterator[Finding]:
    gateways = {gateway.name: gateway for gateway in settings.gateways}
    decides = _Decides(Plans(settings.plans, known.canonical), known.canonical)
    for number, plan in active:
        if not plan.destinations:
            yield f"routing.plans[{number}].destinations", "is empty: such calls get 480"
        for place, step in enumerate(_steps(plan)):
            if words := _odd(step, gateways, decides, known):
                yield f"routing.plans[{number}].destinations[{place}]", words


def _odd(step: Step, gateways: Mapping[str, Gateway], decides: "_Decides", known: Known) -> str:
    """Return what is odd about one destination; empty for nothing."""
    _, at, name = step.to.rpartition("@")
    if _IS_URI.match(step.to):
        return _odd_uri(step.to, known)
    if "," in step.to or ";" in step.to:
        one, other = re.split("[,;]", step.to, maxsplit=1)
        return f'is one name with a "," or ";" in it; two destinations are ["{one}", "{other}"]'
    if at:
        if name not in gateways:
            return f"there is no gateway {name}"
        return "" if gateways[name].enabled else f"the gateway {name} is switched off"
    if known.users is None or GROUP.search(step.to):
        return ""
    there = known.canonical(step.to) in known.users or (step.expand and decides(step.to))
    return "" if there else f"there is no user {step.to}"


def _odd_uri(to: str, known: Known) -> str:
    raw = GROUP.sub("0", to).encode()
    try:
        uri = parse_uri(raw)
    except PeerError:
        return ""
    if not isinstance(uri, SipUri):
        return ""
    if uri.headers:
        return f"what follows its ? is not sent: {uri.headers.decode('utf-8', 'replace')}"
    if next_hop(raw) is None:
        return _ASTRAY
    if uri.host.decode("latin-1") in known.hosts and not GROUP.search(to):
        return _odd_user(uri, known)
    return ""


def _odd_user(uri: SipUri, known: Known) -> str:
    """Return what is odd about a URI of ours."""
    users = known.users or frozenset()

    def is_domain(host: bytes) -> bool:
        return host.decode("latin-1") in known.hosts

    def is_somebody(user: bytes) -> bool:
        return known.canonical(user.decode("utf-8", "replace")) in users

    raw = named(uri, is_domain, is_somebody)
    user = raw.decode("utf-8", "replace")
    if not user or user.lower() == known.registrar.lower():
        return "names no user: it is the server itself"
    return "" if known.users is None or is_somebody(raw) else f"there is no user {user} here"


def _taken(plans: Plans, known: Known) -> Iterator[Finding]:
    """Yield patterns that at all times take calls for users, and ring none of them."""
    patterns = [rule for rule in plans.rules if rule.plan.enabled and rule.plan.pattern]
    first = PatternSet([rule.plan.pattern for rule in patterns])
    taken: dict[int, list[str]] = {}
    for user in sorted(known.users or ()):
        if plans.has_name(user):
            continue
        for index in first.matching(user):
            rule = patterns[index]
            if not rule.times:
                tos = {known.canonical(to) for to in _filled(rule, user)}
                if user not in tos and not any(to.startswith(("sip:", "sips:")) for to in tos):
                    taken.setdefault(rule.number, []).append(user)
                break
    for number, users in sorted(taken.items()):
        more = f" and {len(users) - _MOST_NAMED} more" if len(users) > _MOST_NAMED else ""
        who = ", ".join(users[:_MOST_NAMED]) + more
        yield (
            f"routing.plans[{number}].pattern",
            f"plan {number + 1} takes calls for {who}: users here, whose own phones then do not "
            "ring; give them plans by name, or narrow the pattern",
        )


def _filled(rule: Rule, number: str) -> list[str]:
    groups: tuple[str, ...] = (number,)
    if rule.plan.pattern:
        found = compile_pattern(rule.plan.pattern).fullmatch(number)
        groups = tuple(found.group(n) or "" for n in range(found.re.groups + 1))
    match = Match(rule, groups)
    return [match.filled(step.to) for step in rule.steps]


class _Decides:
    """Which plan is for a number, whatever the time.

    Args:
        plans: The plans.
        canonical: Gives a name the spelling in which names are compared.
    """

    def __init__(self, plans: Plans, canonical: Callable[[str], str]) -> None:
        self._canonical = canonical
        active = [rule for rule in plans.rules if rule.plan.enabled]
        self._names = {
            canonical(rule.plan.name): rule for rule in reversed(active) if rule.plan.name
        }
        self._patterns = [rule for rule in active if rule.plan.pattern]
        self._numbers = PatternSet([rule.plan.pattern for rule in self._patterns])

    def __call__(self, number: str) -> Rule | None:
        if named := self._names.get(self._canonical(number)):
            return named
        return next((self._patterns[index] for index in self._numbers.matching(number)), None)


def _circles(plans: Plans, canonical: Callable[[str], str]) -> Iterator[Finding]:
    """Yield plans that are led back to themselves by destinations whose plan is followed."""
    decides = _Decides(plans, canonical)
    for rule in plans.rules:
        if not rule.plan.enabled or not any(step.expand for step in rule.steps):
            continue
        number = rule.plan.name or Language(rule.plan.pattern).sample()
        if number is not None and decides(number) is rule and _returns(rule, number, decides):
            example = f", {number} for one" if rule.plan.pattern else ""
            words = f"plan {rule.number + 1} leads back to itself{example}; that destination is left out"
            yield f"routing.plans[{rule.number}]", words


def _returns(begin: Rule, number: str, decides: _Decides) -> bool:
    """Whether a plan leads back to itself and the same number, or to ever new ones without end."""
    seen: set[tuple[int, str]] = set()
    todo: list[tuple[tuple[Rule, str], ...]] = [((begin, number),)]
    while todo and len(seen) < _MOST_SEEN:
        path = todo.pop()
        rule, called = path[-1]
        for step, to in zip(rule.steps, _filled(rule, called), strict=True):
            after = decides(to) if step.expand and not _IS_URI.match(to) else None
            if after is None:
                continue
            place = after, to if after.plan.pattern else after.plan.name
            if place in path or len(path) >= _DEEPEST:
                if after is begin:
                    return True
            elif (after.number, place[1]) not in seen:
                seen.add((after.number, place[1]))
                todo.append((*path, place))
    return False
