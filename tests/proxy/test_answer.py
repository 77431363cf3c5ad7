"""What a step may come to."""

from centrex.proxy.answer import DONE, Answer
from centrex.trace import Rule


def test_an_answer_holds_what_it_was_made_of() -> None:
    answer = Answer(404, Rule.UNKNOWN_USER, b"bob", words="no", extra=(b"X: 1",))
    assert (answer.status, answer.rule, answer.facts) == (404, Rule.UNKNOWN_USER, (b"bob",))
    assert (answer.words, answer.extra) == ("no", (b"X: 1",))
    assert not isinstance(DONE, Answer)
