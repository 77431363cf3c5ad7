"""Whose number a `tel:` URI names."""

import pytest

from centrex.routing.dialled import dialled
from centrex.sip.uri import TelUri, parse_uri


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
