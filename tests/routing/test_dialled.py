"""Whose number a `tel:` URI names, or a SIP URI that says it is one."""

import pytest

from centrex.routing.dialled import dialled, named
from centrex.sip.uri import SipUri, TelUri, parse_uri


@pytest.mark.parametrize(
    ("uri", "number"),
    [
        (b"tel:+49-30-(123).45", b"+493012345"),
        (b"TEL:+4930123;ext=7;phone-context=far.example", b"+4930123"),
        (b"tel:70-42;phone-context=Example.com", b"7042"),
        (b"tel:863-1234;phone-context=+1-914-555", b"8631234"),
        (b"tel:*21#", b"*21#"),
        (b"tel:7042;isub=1", b"7042"),
        (b"tel:7042;phone-context=far.example", b""),
    ],
)
def test_whose_number_it_is(uri: bytes, number: bytes) -> None:
    parsed = parse_uri(uri)
    assert isinstance(parsed, TelUri)
    assert dialled(parsed, lambda name: name == b"example.com") == number


@pytest.mark.parametrize(
    ("uri", "user"),
    [
        (b"sip:+49-30-(123).45@example.com;user=phone", b"+493012345"),
        (b"sip:%2B49-30-12345;ext=7;phone-context=x@example.com;transport=tcp;User=PHONE", b"+493012345"),
        (b"sip:70-42;phone-context=Example.com@example.com;user=phone", b"7042"),
        (b"sip:70-42;phone-context=far.example@example.com;user=phone",
         b"70-42;phone-context=far.example"),
        (b"sip:70-42@example.com", b"70-42"),
        (b"sip:70-42@example.com;user=ip", b"70-42"),
        (b"sip:alice-b@example.com;user=phone", b"alice-b"),
        (b"sip:a.b@example.com;user=phone", b"a.b"),
        (b"sip:%61lice@example.com;user=phone", b"alice"),
        (b"sip:desk-2@example.com;user=phone", b"desk-2"),
        (b"sip:10-99@example.com;user=phone", b"10-99"),
        (b"sip:example.com;user=phone", b""),
    ],
)  # fmt: skip
def test_whom_a_sip_uri_names(uri: bytes, user: bytes) -> None:
    """RFC 3261 §19.1.6: `user=phone` has its user part read as a number, if that is nobody's name."""
    parsed = parse_uri(uri)
    assert isinstance(parsed, SipUri)
    assert named(parsed, lambda name: name == b"example.com", lambda name: name == b"10-99") == user
