import pytest

from centrex.base import PeerError
from centrex.sip.number import MAX_DELTA, parse_delta, parse_number


def test_numbers_with_leading_zeros() -> None:
    assert [parse_number(text, 255) for text in (b"0", b"000", b"0068", b"255")] == [0, 0, 68, 255]
    assert parse_number(b"0" * 5000 + b"7", 255) == 7


@pytest.mark.parametrize(
    "value",
    [b"", b"-1", b"+5", b" 5", b"5 ", b"5_0", b"0x5", b"five", b"256", b"1" * 5000, b"5\n",
     "\N{ARABIC-INDIC DIGIT FIVE}".encode()],
)  # fmt: skip
def test_what_is_no_number(value: bytes) -> None:
    with pytest.raises(PeerError):
        parse_number(value, 255)


def test_malformed_delta_seconds_are_told_apart_from_numbers() -> None:
    assert parse_delta(b"0300") == 300
    assert parse_delta(b"%d" % MAX_DELTA) == MAX_DELTA
    for value in (b"%d" % (MAX_DELTA + 1), b"280297596632815", b"", b"-1", b"soon"):
        assert parse_delta(value) is None
