from xml.etree import ElementTree as ET

from hypothesis import given
from hypothesis import strategies as st

from centrex.watching.markup import HEAD, text


def read_back(value: bytes) -> tuple[str, str]:
    value = text(value)
    root = ET.fromstring(HEAD + b'<a b="%b">%b</a>' % (value, value))
    return root.attrib["b"], root.text or ""


def test_what_has_a_meaning_is_escaped() -> None:
    assert read_back(b"<&>\"'") == ("<&>\"'", "<&>\"'")
    assert text(b"sip:a@example.com;x=1") == b"sip:a@example.com;x=1"


def test_what_is_not_allowed_is_replaced() -> None:
    assert read_back(b"a\x00b\x1b[2J\x0b") == ("a\ufffdb\ufffd[2J\ufffd",) * 2
    assert read_back("\ufffe\U0001f600é".encode()) == ("\ufffd\U0001f600é",) * 2
    assert read_back(b"\xff") == ("\\xff", "\\xff")


@given(st.binary(max_size=60))
def test_any_octets_can_stand_in_a_document(value: bytes) -> None:
    attribute, inside = read_back(value)
    assert attribute == inside


@given(st.text(st.characters(categories=["L", "N", "P", "S", "Zs"]), max_size=40))
def test_readable_text_is_kept(value: str) -> None:
    assert read_back(value.encode()) == (value, value)
