"""What one pattern says of another is certain."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from centrex.routing.languages import Language
from centrex.routing.patterns import compile_pattern


@pytest.mark.parametrize(
    ("wide", "narrow"),
    [
        (r"9(\d+)", r"91(\d+)"),
        (r"9\d*", "9"),
        (".*", r"[a-z]+\.[a-z]+"),
        (r"(0|\+)\d+", r"\+49\d{3,}"),
        (r"\d{2,4}", "[1-5][0-9]{2}"),
        ("[^9].*", "8[0-9]?"),
        (r"a|b|c+", "(?:a|c{2,3}?)"),
    ],
)
def test_a_wider_one_covers_a_narrower(wide: str, narrow: str) -> None:
    assert Language(wide).covers(Language(narrow))
    assert not Language(narrow).covers(Language(wide))
    assert Language(wide).covers(Language(wide))


@pytest.mark.parametrize(
    "pattern",
    ["(?i)a", r"\pN", "[[:digit:]]", "^1$", r"\bx", "ä", "a**", "(?P<n>1)", "[^]", "a{0}"],
)
def test_of_others_it_says_nothing(pattern: str) -> None:
    assert not Language(pattern).covers(Language("1"))
    assert not Language(".*").covers(Language(pattern))
    assert Language(pattern).sample() is None


@pytest.mark.parametrize(
    ("pattern", "sample"),
    [(r"6(\d+)", "60"), ("[a-z]{2}|7", "7"), (r"\+\d", "+0"), (".*", "0"), (r"\*97", "*97")],
)
def test_a_sample(pattern: str, sample: str) -> None:
    assert Language(pattern).sample() == sample


ATOMS = st.sampled_from(["0", "1", "a", r"\d", ".", "[01]", "[^0]", r"\+"])
PATTERNS = st.recursive(
    ATOMS,
    lambda inner: st.one_of(
        st.tuples(inner, inner).map("".join),
        st.tuples(inner, inner).map(lambda two: f"({two[0]}|{two[1]})"),
        st.tuples(inner, st.sampled_from(["*", "+", "?", "{2}", "{1,2}", "{0,2}", "{1,}"])).map(
            lambda two: f"(?:{two[0]}){two[1]}"
        ),
    ),
    max_leaves=6,
)


@given(PATTERNS, PATTERNS, st.lists(st.text("01a+x", max_size=6), max_size=40))
def test_no_number_tells_otherwise(one: str, two: str, numbers: list[str]) -> None:
    wide, narrow = Language(one), Language(two)
    assert wide.known
    for sample in (wide.sample(), narrow.sample()):
        numbers = [*numbers, *([sample] if sample else [])]
    if wide.sample():
        assert compile_pattern(one).fullmatch(wide.sample())
    if wide.covers(narrow):
        for number in numbers:
            if compile_pattern(two).fullmatch(number):
                assert compile_pattern(one).fullmatch(number)
