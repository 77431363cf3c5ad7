"""What a step of the chain may come to, other than "go on"."""

from typing import Any, Final

from centrex.trace import Rule


class Answer:
    """The request ends here, with a final response of ours.

    Attributes:
        status: The status code.
        rule: The rule that decided.
        facts: What it decided by, for the journal.
        words: Why, for an operator: goes into Warning and the log. Never text from the wire.
        extra: Further header lines.
        told: Whether an event has told of it.
    """

    __slots__ = ("extra", "facts", "rule", "status", "told", "words")

    def __init__(
        self,
        status: int,
        rule: Rule,
        *facts: Any,
        words: str = "",
        extra: tuple[bytes, ...] | list[bytes] = (),
        told: bool = False,
    ) -> None:
        self.status, self.rule, self.facts = status, rule, facts
        self.words, self.extra, self.told = words, extra, told


class Done:
    """The step took the request over: answered it, forwarded it, or waits for something."""

    __slots__ = ()


DONE: Final = Done()
"""The one value of `Done`."""

Outcome = Answer | Done | None
"""None: go on with the next step."""
