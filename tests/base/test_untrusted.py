import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from centrex.base.untrusted import shown


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (b"sip:1001@example.com", "sip:1001@example.com"),
        ("Jürgen Groß", "Jürgen Groß"),
        ("Jürgen".encode(), "Jürgen"),
        (b"a\x1b[2Jb", "a\\x1b[2Jb"),
        (b"\x00\r\n\t\x7f", "\\x00\\x0d\\x0a\\x09\\x7f"),
        ("\x9b2J", "\\u009b2J"),
        (b"\x9b2J", "\\x9b2J"),
        ("a\u202eb\u2066c", "a\\u202eb\\u2066c"),
        ("a\u200bb\ufeffc", "a\\u200bb\\ufeffc"),
        ("a\u2028b", "a\\u2028b"),
        ("\U000e0041", "\\U000e0041"),
        ("❤\ufe0f", "❤\\ufe0f"),
        ("", ""),
    ],
)
def test_what_deceives_a_reader_is_escaped(value: bytes | str, text: str) -> None:
    assert shown(value) == text


def test_long_text_is_cut_and_says_so() -> None:
    assert shown(b"x" * 300) == "x" * 200 + "…"
    assert shown("é" * 9, 8) == "é" * 8 + "…"
    assert shown("é".encode() * 8, 8) == "é" * 8
    assert len(shown(b"\x00" * 10_000_000, 5)) == 5 * 4 + 1


def test_further_characters_are_escaped_on_demand() -> None:
    assert shown('say "hi" \\', also='"\\') == "say \\x22hi\\x22 \\x5c"


@given(st.one_of(st.binary(max_size=80), st.text(max_size=80)))
def test_only_visible_characters_are_left(value: bytes | str) -> None:
    text = shown(value)
    assert text.isprintable()
    for char in text:
        assert unicodedata.category(char) not in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
        assert unicodedata.bidirectional(char) not in {"RLO", "LRO", "RLE", "LRE", "PDF"}


@given(st.text(max_size=80))
def test_bytes_and_text_are_shown_alike(value: str) -> None:
    try:
        octets = value.encode()
    except UnicodeEncodeError:
        return
    assert shown(octets) == shown(value)
