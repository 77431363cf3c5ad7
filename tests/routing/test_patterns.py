"""Patterns of RE2: whole match, linear time, and clear words for what cannot be expressed."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from centrex.routing.patterns import LONGEST, NotRe2, PatternSet, compile_pattern


def test_the_whole_number_must_match() -> None:
    pattern = compile_pattern(r"9(\d+)")
    assert pattern.fullmatch("912").group(1) == "12"
    assert pattern.fullmatch("0912") is None
    assert pattern.fullmatch("912x") is None


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        (r"(?=9)\d+", "order the plans"),
        (r"(?<!0)\d+", "order the plans"),
        (r"(\d)\1", "own pattern"),
        (r"\d++", "possessive"),
        (r"(?>\d+)", "atomic"),
        (r"(?(1)a|b)", "two plans"),
        ("(", "missing"),
        ("[", "missing"),
        ("*", "RE2"),
        ("a" * (LONGEST + 1), "longer"),
        ("((((((a{100}){100}){100}){100}){100}){100})", "RE2"),
    ],
)
def test_what_cannot_be_expressed_is_refused_with_a_hint(text: str, hint: str) -> None:
    with pytest.raises(NotRe2, match=hint):
        compile_pattern(text)


def test_nobody_hangs_the_server() -> None:
    """What takes a backtracking engine for ever."""
    pattern = compile_pattern(r"(a+)+b")
    began = time.process_time()
    assert pattern.fullmatch("a" * 5000) is None
    assert PatternSet([r"(a+)+b", r"(a|a)*c"]).matching("a" * 5000) == []
    assert time.process_time() - began < 1


def test_one_look_for_many() -> None:
    patterns = PatternSet([r"9.*", r"91\d", "sales", ".*"])
    assert patterns.matching("912") == [0, 1, 3]
    assert patterns.matching("sales") == [2, 3]
    assert PatternSet([]).matching("1") == []


def test_what_is_too_much_for_one_set_stands_in_several() -> None:
    huge = r"\pL{1,200}"  # fits into no set, not even alone
    texts = [r"\d+", huge, "[a-z]*", r"\pL\d\d", ".*"]
    patterns = PatternSet(texts)
    for number in ("b12", "é" * 50, "e" * 200, "77"):
        alone = [n for n, text in enumerate(texts) if compile_pattern(text).fullmatch(number)]
        assert alone
        assert patterns.matching(number) == alone


@given(st.text(max_size=30))
def test_a_set_says_what_each_pattern_says(number: str) -> None:
    texts = [r"\d+", r"9(\d*)", r"[a-z]*", r".*a.*", r"(?i)abc", r"\+49.*"]
    alone = [n for n, text in enumerate(texts) if compile_pattern(text).fullmatch(number)]
    assert PatternSet(texts).matching(number) == alone
