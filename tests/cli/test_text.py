import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.text import escape


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("sip:1001@example.com", "sip:1001@example.com"),
        ("\x1b[2J\x07", "\\x1b[2J\\x07"),
        ("a\nb\tc", "a\\x0ab\\x09c"),
        ("\x7f\x9b", "\\x7f\\x9b"),
        ("a\u202eb\u2066", "a\\u202eb\\u2066"),
        ("\u200b\ufeff\u2028", "\\u200b\\ufeff\\u2028"),
        ("\U000e0041", "\\U000e0041"),
        ("\ud800", "\\ud800"),
        ("Zoë 電話 [bold]", "Zoë 電話 [bold]"),
        (7, "7"),
    ],
)
def test_what_a_terminal_might_act_upon_is_spelled_out(text: object, shown: str) -> None:
    assert escape(text) == shown


@given(st.text())
def test_nothing_unsafe_is_left(text: str) -> None:
    left = {unicodedata.category(character) for character in escape(text)}
    assert not left & {"Cc", "Cf", "Cs", "Zl", "Zp"}
