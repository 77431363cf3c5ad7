import pytest
from hypothesis import given
from hypothesis import strategies as st

from centrex.base import PeerError
from centrex.sip.tokens import (
    is_token,
    parse_option_tags,
    parse_params,
    quote,
    split_values,
    unquote,
)
from tests.support.sipgrammar import name_addrs, params


def test_tokens() -> None:
    assert is_token(b"!interesting-Method0123456789_*+`.%indeed'~")
    for text in (b"", b"a b", b"a\n", b"a,b", "ä".encode()):
        assert not is_token(text)


def test_params_are_lower_case_names_with_raw_values() -> None:
    assert parse_params(b"") == ()
    assert parse_params(b";A;b=C;d=[::1]") == ((b"a", None), (b"b", b"C"), (b"d", b"[::1]"))
    assert parse_params(b' ; A = "x;\\"y" ;b') == ((b"a", b'"x;\\"y"'), (b"b", None))


@pytest.mark.parametrize("text", [b";", b";;", b"x", b";a=", b';a="', b";a=b c", b";a,b", b";=b"])
def test_malformed_params(text: bytes) -> None:
    with pytest.raises(PeerError):
        parse_params(text)


@given(params())
def test_params_with_and_without_white_space_are_the_same(text: bytes) -> None:
    found = parse_params(text)
    if text:
        assert parse_params(text + b" ") == found
    tight = b"".join(b";" + n + (b"" if v is None else b"=" + v) for n, v in found)
    assert parse_params(tight) == found


def test_commas_in_quotes_and_brackets_do_not_split() -> None:
    assert split_values(b"a") == [b"a"]
    assert split_values(b'"a, \\", <b>" <sip:a,b@c> , <sip:d>;x="1,2"') == [
        b'"a, \\", <b>" <sip:a,b@c>',
        b'<sip:d>;x="1,2"',
    ]
    assert split_values(b"a,,b,") == [b"a", b"", b"b", b""]


@pytest.mark.parametrize("value", [b'a,"b', b"a,<b", b'"a\\",b'])
def test_what_is_not_closed_cannot_be_split(value: bytes) -> None:
    with pytest.raises(PeerError):
        split_values(value)


@given(st.lists(name_addrs(), min_size=1, max_size=4))
def test_joined_values_come_apart_again(values: list[bytes]) -> None:
    assert split_values(b" , ".join(values)) == [value.strip(b" \t") for value in values] or (
        len(values) == 1 and split_values(values[0]) == values
    )


@given(st.binary(max_size=60))
def test_anything_splits_or_is_a_peer_error(value: bytes) -> None:
    try:
        pieces = split_values(value)
    except PeerError:
        return
    if len(pieces) > 1:
        assert sum(len(piece) for piece in pieces) <= len(value)


def test_option_tags() -> None:
    assert parse_option_tags([b"path, outbound", b"", b"100rel"]) == (
        b"path",
        b"outbound",
        b"100rel",
    )
    for values in ([b"a,,b"], [b"a b"], [b","]):
        with pytest.raises(PeerError):
            parse_option_tags(values)


@given(st.binary(max_size=20))
def test_quoting_is_undone_by_unquoting(text: bytes) -> None:
    assert unquote(quote(text)) == text


def test_what_is_not_quoted_stays() -> None:
    assert unquote(b"a\\b") == b"a\\b"
