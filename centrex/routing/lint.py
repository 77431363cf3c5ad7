"""What is odd about routing plans: rules that never decide, destinations nobody knows, circles.

It reads settings only; nothing here keeps a configuration from being used.
"""

import re
from collections.abc import Callable, Iterator, Sequence, Set

from centrex.routing.patterns import compile_pattern
from centrex.routing.settings import GROUP, Plan, RoutingSettings, Step

Finding = tuple[str, str]
"""The dotted key and what is odd about it."""

_PROBES = ("0", "1001", "911", "+4930123456", "sales", "alice.smith", "9" * 15, "*97", "a" * 40)
"""Numbers of all sorts: a pattern that matches each of them matches everything."""
_IS_URI = re.compile(r"sips?:", re.IGNORECASE)


def lint(
    settings: RoutingSettings, users: Set[str] | None, canonical: Callable[[str], str]
) -> Iterator[Finding]:
    """Yield what is odd.

    Args:
        settings: The plans and gateways.
        users: The users that exist, in canonical spelling; None where they are not all known.
        canonical: Gives a name that spelling.
    """
    active = [(number, plan) for number, plan in enumerate(settings.plans) if plan.enabled]
    yield from _names(settings)
    yield from _unreachable(active, canonical)
    yield from _destinations(settings, active, users, canonical)
    yield from _circles(active, canonical)


def _names(settings: RoutingSettings) -> Iterator[Finding]:
    seen: dict[str, int] = {}
    for number, gateway in enumerate(settings.gateways):
        if seen.setdefault(gateway.name, number) != number:
            yield (
                f"routing.gateways[{number}].name",
                f"{gateway.name} is already the name of routing.gateways[{seen[gateway.name]}]; "
                "the later one counts",
            )


def _unreachable(
    active: Sequence[tuple[int, Plan]], canonical: Callable[[str], str]
) -> Iterator[Finding]:
    names: dict[str, int] = {}
    patterns: dict[str, int] = {}
    everything = -1
    for number, plan in active:
        key = canonical(plan.name) if plan.name else plan.pattern
        seen = names if plan.name else patterns
        where = f"routing.plans[{number}]"
        if not plan.name and everything >= 0:
            yield (
                where,
                f"never decides: routing.plans[{everything}] before it matches every number",
            )
            continue
        if key in seen:
            yield where, f"never decides: routing.plans[{seen[key]}] before it is for the same"
            continue
        if not plan.times:
            seen[key] = number
            if plan.pattern and all(map(compile_pattern(plan.pattern).fullmatch, _PROBES)):
                everything = number
                yield f"{where}.pattern", "matches every number, also misdialled ones"


def _steps(plan: Plan) -> Iterator[Step]:
    for step in plan.destinations:
        yield step if isinstance(step, Step) else Step(to=step)


def _destinations(
    settings: RoutingSettings,
    active: Sequence[tuple[int, Plan]],
    users: Set[str] | None,
    canonical: Callable[[str], str],
) -> Iterator[Finding]:
    gateways = {gateway.name: gateway for gateway in settings.gateways}
    named = {canonical(plan.name) for _, plan in active if plan.name}
    for number, plan in active:
        if not plan.destinations:
            yield f"routing.plans[{number}].destinations", "is empty: such calls get 480"
        for place, step in enumerate(_steps(plan)):
            where = f"routing.plans[{number}].destinations[{place}]"
            _, at, name = step.to.rpartition("@")
            if _IS_URI.match(step.to):
                continue
            if at and name not in gateways:
                yield where, f"there is no gateway {name}"
            elif at and not gateways[name].enabled:
                yield where, f"the gateway {name} is switched off"
            elif not at and users is not None and not GROUP.search(step.to):
                known = canonical(step.to)
                if known not in users and not (step.expand and known in named):
                    yield where, f"there is no user {step.to}"


def _circles(
    active: Sequence[tuple[int, Plan]], canonical: Callable[[str], str]
) -> Iterator[Finding]:
    """Yield named plans that are led back to themselves by destinations whose plan is followed."""
    numbers = {canonical(plan.name): number for number, plan in reversed(active) if plan.name}
    leads = {
        canonical(plan.name): [
            canonical(step.to) for step in _steps(plan) if step.expand and "@" not in step.to
        ]
        for _, plan in reversed(active)
        if plan.name
    }
    for name, number in sorted(numbers.items(), key=lambda one: one[1]):
        reached: set[str] = set()
        todo = list(leads[name])
        while todo:
            here = todo.pop()
            if here not in reached and here in leads:
                reached.add(here)
                todo += leads[here]
        if name in reached:
            yield f"routing.plans[{number}]", "leads back to itself; it is followed once"
