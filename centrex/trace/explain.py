"""What became of a call or a registration, and what to do: from the server's own decisions.

It knows which decision of a story settled it. The words are in `centrex.trace.words` and
`centrex.trace.advice`; it refuses to guess what no decision tells.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from centrex.base.untrusted import shown
from centrex.trace.advice import (
    GATEWAYS,
    LET_GO,
    OF_THE_CALLEE,
    REFUSALS,
    SILENT,
    TARGETS,
    UNHEARD,
    UNRELAYED,
    Verdict,
    by_reason,
    by_registrar,
    by_status,
)
from centrex.trace.journal import Decision
from centrex.trace.rules import Rule
from centrex.trace.words import host, line, person, told, typable


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """A story told to somebody who installs phones; all text is fit for a terminal."""

    headline: str
    """What happened, in one or two sentences."""
    advice: tuple[str, ...]
    """What to do, the likeliest help first; empty where all is well."""
    lines: tuple[tuple[str, str, str], ...]
    """Each decision: when (ISO-8601 UTC), the rule's name, what it means."""


_ESTABLISHED: Final = frozenset({Rule.REGISTERED, Rule.REFRESHED})
_SIGNED_OFF: Final = frozenset({Rule.UNREGISTERED, Rule.EXPIRED})
_WATCHES: Final = frozenset({Rule.SUBSCRIBED, Rule.SUBSCRIPTION_REFRESHED, Rule.SUBSCRIPTION_ENDED})
_NEWS: Final = frozenset({Rule.AUTHENTICATED, Rule.TRUSTED})
_PASSWORDS: Final = frozenset({Rule.CHALLENGED, Rule.CREDENTIALS_REFUSED})
_PENDING: Final = frozenset({Rule.LOCATED, Rule.OUTSIDE_TARGET, Rule.TARGET_TRIED})
_OUTCOMES: Final = frozenset(
    {
        *REFUSALS,
        *TARGETS,
        Rule.CHALLENGED,
        Rule.CREDENTIALS_REFUSED,
        Rule.REGISTRATION_REFUSED,
        Rule.TARGET_REFUSED,
    }
)

_LATER: Final = _OUTCOMES - {Rule.TARGET_REFUSED, Rule.CHALLENGED}
"""What may go wrong in a call that stands."""


class _Case:
    """A story with what everybody asks first: who, whom, from where."""

    __slots__ = ("callee", "caller", "method", "source", "story", "uri")

    def __init__(self, story: Sequence[Decision]) -> None:
        self.story = story
        requests = [told(decision[2:]) for decision in story if decision[1] is Rule.REQUEST]
        method, uri, caller, source = requests[0] if requests else ["?", "?", "?", "?"]
        if requests:
            source = requests[-1][3] if method == "REGISTER" else source
        self.method, self.uri, self.source = method, uri, source
        self.caller, self.callee = person(caller), person(uri)

    def last(self, *rules: Rule) -> int:
        """Return where the last decision by one of these rules stands, -1 where none does."""
        return next(
            (at for at in range(len(self.story) - 1, -1, -1) if self.story[at][1] in rules), -1
        )

    def facts(self, at: int) -> list[str]:
        return told(self.story[at][2:])

    def _verdict(self, at: int) -> tuple[Verdict, list[str]]:
        """Return the verdict for the decision at that place, and the facts to put into it."""
        rule, facts = self.story[at][1], self.facts(at)
        if rule is Rule.CHALLENGED:
            refused = self.last(Rule.CREDENTIALS_REFUSED)
            if refused > self.last(*_NEWS, *_ESTABLISHED):
                return by_reason(self.facts(refused)[1]), self.facts(refused)
            return by_reason(facts[2]), [self.caller, facts[2], "?", "?"]
        if rule is Rule.CREDENTIALS_REFUSED:
            return by_reason(facts[1]), facts
        if rule is Rule.REGISTRATION_REFUSED:
            return by_registrar(_status(facts[1])), facts
        if rule in GATEWAYS and self.gateway(at) and _status(facts[1]) not in OF_THE_CALLEE:
            return GATEWAYS[rule], facts
        if rule is Rule.TARGET_REFUSED:
            return by_status(_status(facts[1]), facts[2]), facts
        if rule is Rule.ANSWERED:
            return by_status(_status(facts[0]), facts[1]), facts
        return REFUSALS.get(rule) or TARGETS[rule], facts

    def gateway(self, at: int) -> str:
        """Return the gateway that the decision at that place is about; empty for none."""
        return next(
            (
                told(facts)[1]
                for _, rule, *facts in self.story[:at]
                if rule is Rule.GATEWAY_TRIED and facts[:1] == list(self.story[at][2:3])
            ),
            "",
        )

    def tell(self, at: int) -> tuple[str, tuple[str, ...]]:
        """Return why the decision at that place was taken, as part of a sentence, and advice."""
        verdict, facts = self._verdict(at)
        user = person(facts[0])
        named = {
            "user": user,
            "name": typable(user),
            "host": typable(host(facts[0])),
            "caller": self.caller,
            "callee": self.callee,
            "source": self.source,
            "gateway": self.gateway(at),
        }
        advice = tuple(text.format(*facts, **named) for text in verdict.advice)
        return verdict.why.format(*facts, **named), advice


def explain(call_id: bytes, story: Sequence[Decision], wall: Callable[[float], str]) -> Explanation:
    """Tell what became of a call or a registration.

    Args:
        call_id: Its Call-ID.
        story: The decisions kept of it, in order, as `Journal.story` returns them.
        wall: Makes a monotonic instant a time of day (ISO-8601 UTC).
    """
    if not story:
        return Explanation(
            headline=f"Nothing is known of the Call-ID {shown(call_id, 120)}.",
            advice=(
                "Only the latest calls are remembered; `centrex log` may tell of older ones.",
                "If it was made just now, it did not reach this server: compare the server address "
                "in the phone, and look at the firewall.",
            ),
            lines=(),
        )
    case = _Case(story)
    if case.method == "REGISTER":
        headline, advice = _registration(case)
    elif case.method == "INVITE":
        headline, advice = _call(case)
    elif case.method == "SUBSCRIBE" and case.last(*_WATCHES) >= 0:
        headline, advice = _watching(case)
    else:
        headline, advice = _request(case)
    return Explanation(
        headline=headline,
        advice=advice,
        lines=tuple((wall(now), rule.value, line(rule, facts)) for now, rule, *facts in story),
    )


def _registration(case: _Case) -> tuple[str, tuple[str, ...]]:
    at = case.last(
        *_ESTABLISHED, *_SIGNED_OFF, Rule.FETCHED, Rule.REGISTRATION_REFUSED,
        Rule.CREDENTIALS_REFUSED, Rule.CHALLENGED, *REFUSALS,
    )  # fmt: skip
    phone = f"The phone at {case.source}"
    if at >= 0 and case.story[at][1] is Rule.CHALLENGED:
        stands = case.last(*_ESTABLISHED)
        if stands > case.last(Rule.CREDENTIALS_REFUSED):  # asked again, as at every renewal
            at = stands
    if at < 0:
        final = case.last(Rule.ANSWERED)
        if final < 0 or _status(case.facts(final)[0]) < 300:
            return f"{phone} asked to register as {case.caller}; nothing came of it yet.", ()
        at = final
    rule, facts = case.story[at][1], case.facts(at)
    user = person(facts[0])
    match rule:
        case Rule.REGISTERED | Rule.REFRESHED:
            head = f"{phone} is registered as {user} for {facts[2]} s: {facts[1]}"
            silent = case.last(Rule.CONTACT_SILENT)
            if silent > max(at, case.last(Rule.CONTACT_ANSWERS)):
                return f"{head}; it does not answer when it is {case.facts(silent)[2]}.", SILENT
            return f"{head}.", ()
        case Rule.UNREGISTERED:
            return f"{phone} signed off; it was registered as {user}: {facts[1]}.", ()
        case Rule.EXPIRED:
            return (
                f"{phone} is no longer registered as {user}: it did not renew in time.",
                ("See that the phone is on and has network.",),
            )
        case Rule.FETCHED:
            return f"{phone} asked where {user} is registered and was told.", ()
        case _:
            pass
    why, advice = case.tell(at)
    return f"{phone} could not register as {case.caller}: {why}.", advice


def _call(case: _Case) -> tuple[str, tuple[str, ...]]:
    start = f"{case.caller} called {case.callee}"
    answered = _answered(case)
    if answered >= 0:
        return _talk(case, start, answered)
    if case.last(Rule.CANCELLED) >= 0:
        return _given_up(case, start)
    if case.last(Rule.ENDED) >= 0:
        return f"{start}; the operator ended it before anybody answered (487).", ()
    return _failed(case, start)


def _request(case: _Case) -> tuple[str, tuple[str, ...]]:
    start = f"{case.caller} sent {case.method} to {case.callee}"
    if case.method == "?":
        start = "A message came in"
    if _answered(case) >= 0:
        return f"{start}; it was accepted.", ()
    return _failed(case, start)


def _watching(case: _Case) -> tuple[str, tuple[str, ...]]:
    at = case.last(*_WATCHES)
    rule, facts = case.story[at][1], case.facts(at)
    who = f"{case.caller} at {case.source}"
    if rule is Rule.SUBSCRIPTION_ENDED:
        return f"{who} no longer watches {person(facts[0])} ({facts[1]}): {facts[2]}.", ()
    return f"{who} watches {person(facts[0])} ({facts[1]}) for {facts[2]} s.", ()


def _answered(case: _Case) -> int:
    """Return where the first success of a call stands, -1 where there is none."""
    for at, (_, rule, *facts) in enumerate(case.story):
        if rule is Rule.ANSWERED and 200 <= _status(told(facts)[0]) < 300:
            return at
        if rule is Rule.TARGET_ANSWERED and _status(told(facts)[1], 200) < 300:
            return at
    return -1


def _talk(case: _Case, start: str, answered: int) -> tuple[str, tuple[str, ...]]:
    """A call that was answered: ended, or not, or in trouble since."""
    within = any(decision[1] is Rule.IN_DIALOG for decision in case.story[:answered])
    ended = case.last(Rule.ENDED)
    if ended > answered:
        head, advice = _over(case, start, answered, ended)
    elif (trouble := _trouble(case, answered)) >= 0:
        why, advice = case.tell(trouble)
        return f"{start} and was answered; later: {why}.", advice
    elif within:  # the table of calls does not know it, and so tells of no end
        head, advice = _going_on(case), ()
    else:
        head, advice = f"{start} and was answered; the call is up.", ()
    if advice:
        return head, advice
    words, advice = _voice(case, answered)
    return head + words, advice


def _over(case: _Case, start: str, answered: int, ended: int) -> tuple[str, tuple[str, ...]]:
    """A call that was answered, and has ended."""
    who = case.facts(ended)[0]
    lasted = max(round(case.story[ended][0] - case.story[answered][0]), 0)
    if who == "timeout":
        return (
            f"{start} and was answered; after {lasted} s neither phone was heard of any more.",
            ("See whether a phone lost its network, or was switched off during the call.",),
        )
    if who == "operator":
        return f"{start} and was answered; after {lasted} s the operator ended it.", ()
    name = {"caller": case.caller, "callee": case.callee}.get(who, who)
    return f"{start} and was answered; {name} hung up after {lasted} s.", ()


def _going_on(case: _Case) -> str:
    """A call of which the beginning is not known, as it is after a restart."""
    start = f"A call of {case.caller} and {case.callee} whose beginning is not known"
    last = case.facts(case.last(Rule.REQUEST))
    return f"{start}: {person(last[2])} hung up." if last[0] == "BYE" else f"{start}: it is up."


def _voice(case: _Case, answered: int) -> tuple[str, tuple[str, ...]]:
    """Return a sentence on a call's voice, and advice; nothing where all is well, or not known."""
    for at in range(len(case.story) - 1, -1, -1):
        rule, facts = case.story[at][1], case.facts(at)
        if rule is Rule.MEDIA_NOTICE and at > answered and facts[1] == "one-way":
            return f" Not all is heard: {facts[0]}.", UNHEARD
        if rule is Rule.MEDIA_LOST:
            return f" The relay {facts[0]} has ended its part: {facts[1]}.", LET_GO
        if rule is Rule.MEDIA_UNRELAYED:
            return f" Voice is not relayed, though it should be: {facts[0]}.", UNRELAYED
        if rule is Rule.MEDIA_RELAYED or (rule is Rule.MEDIA_NOTICE and facts[1] == "two-way"):
            break
    return "", ()


def _trouble(case: _Case, answered: int) -> int:
    """Return where the last trouble of a call stands since it was answered, -1 where there is none.

    What becomes of the other phones it was offered to, after one has picked up, is none.
    """
    rung = {
        told(facts)[0] for _, rule, *facts in case.story[:answered] if rule is Rule.TARGET_TRIED
    }
    if case.story[answered][1] is Rule.TARGET_ANSWERED:
        rung.discard(case.facts(answered)[0])
    found = -1
    for at in range(answered + 1, len(case.story)):
        rule, target = case.story[at][1], case.facts(at)[0]
        if rule is Rule.TARGET_TRIED:
            rung.discard(target)  # tried anew, within the call
        elif rule in _LATER and not (rule in TARGETS and target in rung):
            found = at
    return found


def _given_up(case: _Case, start: str) -> tuple[str, tuple[str, ...]]:
    """A call that its caller cancelled, with what was known of the phones by then."""
    if any(
        rule is Rule.TARGET_PROGRESS and _status(told(facts)[1]) > 100
        for _, rule, *facts in case.story
    ):
        return f"{start}; it rang, and {case.caller} gave up before anybody answered (487).", ()
    silent = case.last(*TARGETS)
    if silent >= 0:
        why, advice = case.tell(silent)
        return f"{start} and gave up: {why}.", advice
    return (
        f"{start} and gave up before any phone rang (487).",
        ("If the caller waited, see that the phone of the other side is on and has network.",),
    )


def _failed(case: _Case, start: str) -> tuple[str, tuple[str, ...]]:
    at = _cause(case)
    if at < 0:
        if case.last(*_PENDING, Rule.TARGET_PROGRESS) >= 0:
            ringing = case.last(Rule.TARGET_PROGRESS) >= 0
            return (
                f"{start}; it {'is ringing' if ringing else 'was sent on'}, without an answer so far.",
                (),
            )
        return f"{start}; nothing came of it yet.", ()
    why, advice = case.tell(at)
    refused = "it was refused: " if case.story[at][1] in _PASSWORDS else ""
    return f"{start}; {refused}{why}.", advice


def _cause(case: _Case) -> int:
    """Return where the decision stands that made a request fail, -1 where it has not failed."""
    final = case.last(Rule.ANSWERED)
    time_up = case.last(Rule.TIME_UP)
    if time_up >= 0:
        return time_up
    if final >= 0:
        status = _status(case.facts(final)[0])
        for at in range(final, -1, -1):
            if case.story[at][1] is Rule.TARGET_REFUSED and _status(case.facts(at)[1]) == status:
                return at
    at = case.last(*_OUTCOMES)
    if at < 0 or (case.story[at][1] in _PASSWORDS and case.last(*_NEWS) > at):
        return final
    return at


def _status(text: str, unknown: int = 0) -> int:
    return int(text) if text.isdecimal() and len(text) == 3 else unknown
