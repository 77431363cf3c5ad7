import pytest

from centrex.sip import names


def test_every_spelling_has_its_number() -> None:
    assert len(set(names.SPELLINGS.values())) == names.COUNT - 1
    for spelling, number in names.SPELLINGS.items():
        assert names.number_of(spelling) == number
        assert names.number_of(spelling.upper() + b" \t") == number


def test_other_headers() -> None:
    assert names.number_of(b"X-Whatever") == names.OTHER


@pytest.mark.parametrize("raw", [b"", b" ", b"a b", b"\xd0", b" Via", b"a\x00"])
def test_what_is_no_name(raw: bytes) -> None:
    assert names.number_of(raw) == names.INVALID


def test_the_memo_is_bounded() -> None:
    for number in range(3000):
        names.number_of(b"X-%d" % number)
    assert len(names.memo) <= 1024
    assert names.number_of(b"rOuTe") == names.ROUTE
