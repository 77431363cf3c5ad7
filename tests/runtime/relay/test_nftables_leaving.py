import pytest

from centrex.base import Unavailable
from centrex.runtime.relay.nftables_elements import Element
from centrex.runtime.relay.nftables_leaving import Leaving

ONE = Element(b"key", b"data")
ELSEWHERE = Element(b"key", b"other")
TWO = Element(b"key 2", b"data")


def test_an_element_stays_as_long_as_somebody_needs_it() -> None:
    leaving = Leaving()
    first = leaving.plan((), [ONE, ONE])
    assert (first.gone, first.come) == ([], [ONE])
    leaving.settle(first)
    again = leaving.plan([ONE], ())
    assert (again.gone, again.come) == ([], [])
    leaving.settle(again)
    last = leaving.plan([ONE], [TWO])
    assert (last.gone, last.come) == ([b"key"], [TWO])


def test_a_plan_alone_changes_nothing() -> None:
    leaving = Leaving()
    leaving.plan((), [ONE])
    assert leaving.plan((), [ONE]).come == [ONE]


def test_two_that_need_one_element_to_differ_are_refused() -> None:
    leaving = Leaving()
    with pytest.raises(Unavailable):
        leaving.plan((), [ONE, ELSEWHERE])
    leaving.settle(leaving.plan((), [ONE]))
    with pytest.raises(Unavailable):
        leaving.plan((), [ELSEWHERE])


def test_one_may_come_in_the_place_of_another() -> None:
    leaving = Leaving()
    leaving.settle(leaving.plan((), [ONE]))
    same = leaving.plan([ONE], [ONE])
    assert (same.gone, same.come) == ([], [])
    change = leaving.plan([ONE], [ELSEWHERE])
    assert (change.gone, change.come) == ([b"key"], [ELSEWHERE])
    leaving.settle(change)
    assert leaving.plan([ELSEWHERE], ()).gone == [b"key"]
