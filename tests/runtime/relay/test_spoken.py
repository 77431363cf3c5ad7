"""The relay's own log, and the error it ends with."""

import re
import traceback

import pytest

from centrex.base import LocalError
from centrex.runtime.relay.spoken import last_words, say

LINE = "2026-11-22T17:34:23.123Z 192.0.2.7:5090: logged in at one\n"


def test_a_line_has_its_time_and_nothing_that_moves_a_terminal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    say("refused: \x1b[2J\nfaked")
    said = capsys.readouterr().err
    assert re.fullmatch(
        r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z refused: \\x1b\[2J\\x0afaked\n", said
    )
    assert last_words(said) == ""


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", ""),
        (LINE, ""),
        (f"{LINE}no port at\n  192.0.2.1\n", "no port at 192.0.2.1"),
        (f"an error of old\n{LINE}", ""),
        ("x" * 999, "x" * 400),
    ],
)
def test_the_last_words_are_an_error_s(text: str, words: str) -> None:
    assert last_words(text) == words


def test_of_a_traceback_the_error_is_told() -> None:
    try:
        try:
            raise LocalError("the thread has failed") from ValueError("why")
        except LocalError as error:
            raise ExceptionGroup("several", [error]) from None
    except ExceptionGroup as group:
        grouped = "".join(traceback.format_exception(group))
        alone = "".join(traceback.format_exception(group.exceptions[0]))
    words = "centrex.base.errors.LocalError: the thread has failed"
    assert last_words(LINE + alone) == words
    assert last_words(LINE + grouped) == words
