"""Bencode: what was encoded is read again, and nothing malformed is."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from centrex.base import PeerError
from centrex.farm.bencode import LONGEST, decode, encode

values = st.recursive(
    st.integers(-(10**19), 10**19) | st.binary(max_size=40),
    lambda inner: (
        st.lists(inner, max_size=5)
        | st.dictionaries(st.text("abc-", max_size=6), inner, max_size=5)
    ),
    max_leaves=20,
)


def as_bytes(value: Any) -> Any:
    """Return a value as it is read: names of a dictionary are octets."""
    if isinstance(value, dict):
        return {name.encode(): as_bytes(one) for name, one in value.items()}
    if isinstance(value, list):
        return [as_bytes(one) for one in value]
    return value


@given(values)
def test_what_was_written_is_read(value: Any) -> None:
    assert decode(encode(value)) == as_bytes(value)


def test_the_form_of_each_kind() -> None:
    assert (
        encode({"command": "ping", "n": [1, -2, b"\r\n"]}) == b"d7:command4:ping1:nli1ei-2e2:\r\nee"
    )


@pytest.mark.parametrize(
    "text",
    [
        b"", b"x", b"i", b"ie", b"i1", b"i--1e", b"i123456789012345678901e", b"3:ab", b"-1:a", b"1234567:a",
        b"l", b"li1e", b"d", b"d1:a", b"di1ei2ee", b"i1ei2e", b"de ", b"l" * 100 + b"e" * 100,
        b"l" * 60_000, b"5:" + b"a" * LONGEST,
    ],
)  # fmt: skip
def test_what_is_malformed_is_refused(text: bytes) -> None:
    with pytest.raises(PeerError):
        decode(text)


@given(st.binary(max_size=200) | st.text("ldei0123456789:-", max_size=200).map(str.encode))
def test_nothing_makes_it_stumble(text: bytes) -> None:
    try:
        value = decode(text)
    except PeerError:
        return
    assert not isinstance(value, str)
