import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from centrex.base import PeerError
from centrex.sip.host import (
    HOST,
    bracketed,
    canonical_address,
    canonical_host,
    canonical_ipv6,
    parse_port,
)


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        (b"2001:DB8:0:0::1", b"2001:db8::1"),
        (b"::FFFF:192.0.2.10", b"::ffff:192.0.2.10"),
        (b"2001:db8:::192.0.2.1", b"2001:db8::c000:201"),
        (b"::", b"::"),
    ],
)
def test_ipv6_has_one_spelling(text: bytes, canonical: bytes) -> None:
    assert canonical_ipv6(text) == canonical
    assert canonical_host(b"[" + text + b"]") == canonical
    assert canonical_address(text) == canonical_address(b"[" + text + b"]") == canonical
    assert bracketed(canonical) == b"[" + canonical + b"]"


def test_names_are_lower_case() -> None:
    assert canonical_host(b"Example.COM.") == b"example.com."
    assert bracketed(b"example.com") == b"example.com"


@pytest.mark.parametrize("text", [b"", b"1::2::3", b"fe80::1%eth0", b"12345::", b"\xff::", b"x"])
def test_what_is_no_ipv6(text: bytes) -> None:
    with pytest.raises(PeerError):
        canonical_ipv6(text)


@pytest.mark.parametrize(
    "text", [b"", b"1.2.3", b"1.2.3.4.5", b"1.2.3.256", b"01.2.3.4", b"a.b.c.d", b"1.2.3.4\n"]
)
def test_what_is_no_address(text: bytes) -> None:
    with pytest.raises(PeerError):
        canonical_address(text)


@given(st.ip_addresses())
def test_every_address_is_its_own_spelling(address: object) -> None:
    text = str(address).encode()
    assert canonical_address(canonical_address(text)) == canonical_address(text)


def test_ports() -> None:
    assert parse_port(b"05060") == 5060
    for digits in (b"0", b"00000", b"65536"):
        with pytest.raises(PeerError):
            parse_port(digits)


@pytest.mark.parametrize("host", [b".a", b"a..b", b"", b"a b", b"[::1", b"a/b"])
def test_what_is_no_host(host: bytes) -> None:
    assert re.fullmatch(HOST, host) is None
