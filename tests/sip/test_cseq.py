import pytest

from centrex.base import PeerError
from centrex.sip.cseq import parse_cseq


@pytest.mark.parametrize(
    ("value", "number", "method"),
    [
        (b"1 INVITE", 1, b"INVITE"),
        (b"0009   INVITE", 9, b"INVITE"),
        (b"0 ACK", 0, b"ACK"),
        (b"2147483647\tx", 2**31 - 1, b"x"),
        (b"8 RE%47IST%45R", 8, b"RE%47IST%45R"),
    ],
)
def test_number_and_method(value: bytes, number: int, method: bytes) -> None:
    assert parse_cseq(value) == (number, method)


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"1",
        b"INVITE",
        b"1INVITE",
        b"-1 INVITE",
        b"1 INVITE x",
        b"1 IN(VITE",
        b"2147483648 INVITE",
        b"36893488147419103232 INVITE",
        b"1 INVITE\n",
    ],
)
def test_malformed(value: bytes) -> None:
    with pytest.raises(PeerError):
        parse_cseq(value)
