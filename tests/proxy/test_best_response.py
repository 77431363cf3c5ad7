"""RFC 3261 §16.7 steps 6 and 7."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from centrex.base import LocalError
from centrex.proxy.best_response import best_response, merge_challenges
from centrex.sip.message import Message, parse

STATUSES = st.sampled_from(
    [300, 302, 400, 401, 404, 407, 408, 415, 420, 480, 484, 486, 500, 503, 600, 603]
)


def final(status: int, *lines: str) -> Message:
    return parse("\r\n".join([f"SIP/2.0 {status} X", *lines, "CSeq: 1 INVITE", "", ""]).encode())


@pytest.mark.parametrize(
    ("statuses", "chosen"),
    [
        ([404], 404),
        ([503], 503),
        ([404, 603, 302], 603),
        ([603, 600], 600),
        ([500, 404, 302], 302),
        ([404, 486], 404),
        ([486, 404], 486),
        ([408, 404], 404),
        ([404, 484, 420, 415, 407, 401], 401),
        ([503, 501], 501),
        ([503, 407, 501, 404], 407),
    ],
)
def test_the_choice(statuses: list[int], chosen: int) -> None:
    assert best_response([final(status) for status in statuses]).status == chosen


@given(st.lists(STATUSES, min_size=1, max_size=6))
def test_any_6xx_else_the_lowest_class(statuses: list[int]) -> None:
    chosen = best_response([final(status) for status in statuses]).status
    assert chosen in statuses
    if max(statuses) >= 600:
        assert chosen >= 600
    elif set(statuses) != {503}:
        assert chosen // 100 == min(status for status in statuses if status != 503) // 100


def test_of_equals_the_first_to_arrive() -> None:
    first, second = final(486, "X: 1"), final(486, "X: 2")
    assert best_response([first, second]) is first


def test_nothing_to_choose_from_is_a_bug_of_ours() -> None:
    with pytest.raises(LocalError):
        best_response([])


def test_challenges_of_all_branches_are_collected() -> None:
    one = final(407, "Proxy-Authenticate: Digest realm=1")
    two = final(401, "WWW-Authenticate: Digest realm=2", "WWW-Authenticate: Digest realm=3")
    other = final(404, "WWW-Authenticate: Digest realm=4")
    merge_challenges(one, [two, one, other])
    assert [line for line in one.lines if b"Digest" in line] == [
        b"Proxy-Authenticate: Digest realm=1",
        b"WWW-Authenticate: Digest realm=2",
        b"WWW-Authenticate: Digest realm=3",
    ]


def test_other_responses_get_no_challenges() -> None:
    best, other = final(404), final(401, "WWW-Authenticate: Digest realm=2")
    before = list(best.lines)
    merge_challenges(best, [best, other])
    assert best.lines == before
