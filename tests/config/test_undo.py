import tomllib
from typing import Any

import pytest

from centrex.config.undo import Entangled, merged, without

FORMER = """# mine
[auth]
nonce_life = 300

[registrar]
#min_expires = 60
max_expires = 7200

[[auth.credentials]]
login = "1001"

[[auth.credentials]]
login = "10" # the old one
note = "hall"

[[auth.credentials]]
login = "1002"
"""
MADE = FORMER.replace('[[auth.credentials]]\nlogin = "10" # the old one\nnote = "hall"\n\n', "")


def logins(text: str) -> list[Any]:
    return [row["login"] for row in tomllib.loads(text)["auth"]["credentials"]]


def test_a_change_goes_and_an_edit_elsewhere_stays_with_its_remark() -> None:
    found = MADE.replace("#min_expires = 60", "min_expires = 90 # my own remark")
    text = without(FORMER, MADE, found)
    assert text == FORMER.replace("#min_expires = 60", "min_expires = 90 # my own remark")


def test_where_nothing_was_edited_it_is_what_was_before() -> None:
    assert without(FORMER, MADE, MADE) == FORMER


def test_rows_apart_from_those_of_the_change_may_be_edited() -> None:
    found = MADE.replace('login = "1001"', 'login = "1001"\nenabled = false')
    text = without(FORMER, MADE, found)
    assert logins(text) == ["1001", "10", "1002"]
    assert "enabled = false" in text
    assert "# the old one" in text


def test_keys_side_by_side_are_told_apart_where_lines_are_not() -> None:
    former, made = "[auth]\n", "[auth]\nnonce_life = 60\n"
    found = "[auth]\nrealm = 'x' # theirs\nnonce_life = 60 \n"
    assert without(former, made, found) == "[auth]\nrealm = 'x' # theirs\n"


def test_a_key_of_the_change_that_both_have_removed_is_simply_gone() -> None:
    assert without("a = 1\n", "a = 1\nb = 2\n", "a = 5\n") == "a = 5\n"


@pytest.mark.parametrize(
    ("former", "made", "found", "where"),
    [
        ("[auth]\nnonce_life = 300\n", "[auth]\nnonce_life = 60\n", "[auth]\nnonce_life = 90\n",
         "auth.nonce_life"),
        (FORMER, MADE, MADE.replace('login = "1002"', 'login = "1003"').replace("1001", "7"),
         ""),
        ("a = 1\n", "a = 2\n", "a = \n", "cannot be read"),
        ("a = [1]\n", "a = [2]\n", "a = [3]\n", "a"),
    ],
)  # fmt: skip
def test_what_touches_the_change_is_named(former: str, made: str, found: str, where: str) -> None:
    if not where:
        assert logins(without(former, made, found)) == ["7", "10", "1003"]
        return
    with pytest.raises(Entangled, match=where):
        without(former, made, found)


def test_a_row_of_the_change_that_was_edited_since_is_not_touched() -> None:
    made = FORMER.replace('note = "hall"', 'note = "yard"')
    found = FORMER.replace('note = "hall"', 'note = "attic"')
    with pytest.raises(Entangled, match=r"auth\.credentials"):
        without(FORMER, made, found)


@pytest.mark.parametrize(
    ("one", "other", "result"),
    [
        ("abc", "abc", "abc"), ("xabc", "abcy", "xabcy"), ("bc", "ac", "c"), ("abxc", "abxc", "abxc"),
        ("abxc", "abyc", None), ("axc", "ayc", None), ("ac", "abcd", "acd"), ("abx", "xbc", "xbx"),
        ("xbc", "ybc", None),
    ],
)  # fmt: skip
def test_two_edits_of_a_sequence_are_brought_together(
    one: str, other: str, result: str | None
) -> None:
    found = merged("abc", one, other)
    assert (None if found is None else "".join(found)) == result
    back = merged("abc", other, one)
    assert (None if back is None else "".join(back)) == result
