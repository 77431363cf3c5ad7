import pytest
from hypothesis import given
from hypothesis import strategies as st

from centrex.base import PeerError
from centrex.sip.nameaddr import NameAddr, parse_full, parse_name_addr, split_name_addr
from tests.support.sipgrammar import name_addrs


def parts(address: NameAddr) -> tuple[object, ...]:
    return tuple(getattr(address, name) for name in NameAddr.__slots__)


@pytest.mark.parametrize(
    ("value", "display", "uri", "tag"),
    [
        (b'"Alice" <sip:a@b>;tag=1', b"Alice", b"sip:a@b", b"1"),
        (b"<sip:a@b;lr>", b"", b"sip:a@b;lr", b""),
        (b"sip:a@b;tag=1", b"", b"sip:a@b", b"1"),
        (b"sip:a@b ; TAG = 1", b"", b"sip:a@b", b"1"),
        (b"caller<sip:a@b>;tag=323", b"caller", b"sip:a@b", b"323"),
        (b"A. Bell <sip:a@b>", b"A. Bell", b"sip:a@b", b""),
        (b'"a \\"b\\" \\\\" <sip:a@b>', b'a "b" \\', b"sip:a@b", b""),
        (b'"<sip:x>, y" <sip:a@b>', b"<sip:x>, y", b"sip:a@b", b""),
        ('"Дом" <sip:a@b>'.encode(), "Дом".encode(), b"sip:a@b", b""),
        ("Jürgen <sip:a@b>".encode(), "Jürgen".encode(), b"sip:a@b", b""),
        (b'""<sip:a@b?x=y>', b"", b"sip:a@b?x=y", b""),
        (b"<http://www.example.com>;tag=3", b"", b"http://www.example.com", b"3"),
    ],
)
def test_forms(value: bytes, display: bytes, uri: bytes, tag: bytes) -> None:
    address = parse_name_addr(value)
    assert (address.display, address.uri, address.tag) == (display, uri, tag)


def test_parameters_after_an_addr_spec_are_the_headers() -> None:
    address = parse_name_addr(b'sip:a@b;x;y="q;\\"";Z=1')
    assert address.uri == b"sip:a@b"
    assert address.params == ((b"x", None), (b"y", b'"q;\\""'), (b"z", b"1"))
    assert address.param(b"x") == b""
    assert address.param(b"y") == b'q;"'
    assert address.param(b"none") is None


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"<>",
        b'"Mr. J. User <sip:j.user@example.com>',
        b"< sip:a@b >",
        b"<sip:a@b",
        b"sip:a@b>",
        b"sip:a@b?Route=%3Csip:c%3E",
        b"sip:a@b,c",
        b"Bell, Alexander <sip:a@b>",
        b"a@b <sip:a@b>",
        b"<sip:a@b> <sip:c@d>",
        b"<sip:a@b>, <sip:c@d>",
        b"<sip:a@b>;;;;",
        b"<sip:a@b>;",
        b"<sip:a@b>;tag",
        b"<sip:a@b>;tag=",
        b'<sip:a@b>;tag="x"',
        b"<sip:a@b>;tag=1;tag=2",
        b'"x"y <sip:a@b>',
        b'"a\x00b" <sip:a@b>',
        b"<sip:a@b>;tag=1\n",
        b"sip:a@b x",
    ],
)
def test_malformed(value: bytes) -> None:
    with pytest.raises(PeerError):
        parse_name_addr(value)


def test_the_pieces_are_cut_without_being_judged() -> None:
    assert split_name_addr(b'"x" <sip:a@b> ;;;') == (b"x", b"sip:a@b", b";;;")


def test_the_memo_is_bounded_and_gives_the_same_value() -> None:
    value = b"<sip:memo@b>;tag=1"
    first = parse_name_addr(value)
    assert parse_name_addr(value) is first
    for number in range(2500):
        parse_name_addr(b"<sip:memo@b>;tag=x%d" % number)
    assert parts(parse_name_addr(value)) == parts(first)
    assert parse_name_addr(value + b"x" * 300).tag.endswith(b"x" * 300)


@given(name_addrs())
def test_the_fast_way_gives_the_same(value: bytes) -> None:
    assume_same(value)


@given(st.binary(max_size=60) | st.binary(max_size=30).map(lambda tail: b'"a" <sip:a@b>' + tail))
def test_anything_is_an_address_or_a_peer_error(value: bytes) -> None:
    assume_same(value)


def assume_same(value: bytes) -> None:
    try:
        expected = parts(parse_full(value))
    except PeerError:
        with pytest.raises(PeerError):
            parse_name_addr(value)
    else:
        assert parts(parse_name_addr(value)) == expected
