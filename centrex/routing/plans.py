"""The routing plans, compiled: which of them decides over a number, and why none of the others.

Exact names come first, then patterns in the order of the list; the first that fits at this time wins.
It knows numbers and times; what becomes of a plan's destinations is for `hunt`.
"""

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from centrex.routing.patterns import PatternSet, compile_pattern
from centrex.routing.settings import GROUP, Plan, Step
from centrex.routing.times import Times, parse_times
from centrex.sip.uri import escape_user


@dataclass(frozen=True, slots=True)
class Rule:
    """One plan, compiled.

    Attributes:
        number: Its place among all plans, from 0; also those that are switched off.
        plan: The plan.
        steps: Its destinations.
        times: When it applies; empty for always.
    """

    number: int
    plan: Plan
    steps: tuple[Step, ...]
    times: tuple[Times, ...]

    @property
    def key(self) -> str:
        """Return what it is known by: its name, or its pattern."""
        return self.plan.name or self.plan.pattern

    def applies(self, when: dt.datetime) -> bool:
        """Whether it applies at a local time."""
        return not self.times or any(one.covers(when) for one in self.times)


NOT_NOW: Final = "its routing plan is not in force now"
"""Why a number leads nowhere whose own plan applies at other times."""


class Match(NamedTuple):
    """The plan that decides, with what its pattern caught."""

    rule: Rule
    groups: tuple[str, ...]
    """The whole number first, then the groups."""

    def filled(self, text: str) -> str:
        """Return a text with the groups put in as they are."""
        return GROUP.sub(lambda found: self.groups[int(found[1].strip("g<>"))], text)

    def filled_uri(self, text: str) -> str:
        """Return a URI with the groups put in so that they can only be a part of its user."""
        return GROUP.sub(
            lambda found: escape_user(self.groups[int(found[1].strip("g<>"))].encode()).decode(),
            text,
        )


class Looked(NamedTuple):
    """A plan that was looked at."""

    rule: Rule
    why: str
    """Why it decides, or does not."""
    decides: bool


class Plans:
    """All plans of a configuration.

    Args:
        plans: The plans, in order.
        canonical: Gives a user's name the spelling in which names are compared.
    """

    def __init__(self, plans: Sequence[Plan], canonical: Callable[[str], str]) -> None:
        self._canonical = canonical
        self.rules = tuple(
            Rule(
                number,
                plan,
                tuple(
                    step if isinstance(step, Step) else Step(to=step) for step in plan.destinations
                ),
                tuple(parse_times(text) for text in plan.times),
            )
            for number, plan in enumerate(plans)
        )
        active = [rule for rule in self.rules if rule.plan.enabled]
        self._by_name: dict[str, list[Rule]] = {}
        for rule in active:
            if rule.plan.name:
                self._by_name.setdefault(canonical(rule.plan.name), []).append(rule)
        self._patterns = [rule for rule in active if rule.plan.pattern]
        self._set = PatternSet([rule.plan.pattern for rule in self._patterns])

    def __bool__(self) -> bool:
        return bool(self._by_name or self._patterns)

    def has_name(self, user: str) -> bool:
        """Whether a user or extension has a plan of its own."""
        return self._canonical(user) in self._by_name

    def find(self, number: str, when: Callable[[], dt.datetime]) -> Match | None:
        """Return the plan that decides over a number; None where none does.

        Args:
            number: The user part called, unescaped.
            when: Gives the local time; only asked where a plan has times.
        """
        for rule in self._by_name.get(self._canonical(number), ()):
            if not rule.times or rule.applies(when()):
                return Match(rule, (number,))
        for index in self._set.matching(number):
            rule = self._patterns[index]
            if not rule.times or rule.applies(when()):
                found = compile_pattern(rule.plan.pattern).fullmatch(number)
                groups = [found.group(n) or "" for n in range(found.re.groups + 1)]
                return Match(rule, tuple(groups))
        return None

    def looked_at(self, number: str, when: dt.datetime) -> list[Looked]:
        """Return each plan that was looked at for a number until one decided, and why."""
        looked: list[Looked] = []
        named = self._by_name.get(self._canonical(number), ())
        key = self._canonical(number)
        looked += [
            Looked(rule, "it is switched off", False)
            for rule in self.rules
            if not rule.plan.enabled and rule.plan.name and self._canonical(rule.plan.name) == key
        ]
        for rule in named:
            applies = rule.applies(when)
            looked.append(
                Looked(rule, "its name is the number" if applies else "not at this time", applies)
            )
            if applies:
                return looked
        for rule in self.rules:
            if not rule.plan.pattern:
                continue
            if not rule.plan.enabled:
                looked.append(Looked(rule, "it is switched off", False))
            elif compile_pattern(rule.plan.pattern).fullmatch(number) is None:
                looked.append(Looked(rule, "its pattern does not match the whole number", False))
            elif not rule.applies(when):
                looked.append(Looked(rule, "its pattern matches, but not at this time", False))
            else:
                looked.append(Looked(rule, "its pattern matches", True))
                return looked
        return looked
