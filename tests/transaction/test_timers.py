"""The timer queues: order, deadline, and that nothing is lost."""

from hypothesis import given
from hypothesis import strategies as st

from centrex.base import NEVER
from centrex.transaction.timers import Timers, Timing

DURATIONS = [0.0, 0.5, 1.0, 4.0, 5.0, 32.0]


def test_the_base_values_are_those_of_the_rfc() -> None:
    timing = Timing()
    assert (timing.t1, timing.t2, timing.t4, timing.timeout) == (0.5, 4.0, 5.0, 32.0)
    assert Timing(t1=0.1).timeout == 6.4


def test_an_empty_one_waits_for_nothing() -> None:
    timers = Timers()
    assert timers.deadline == NEVER
    assert list(timers.due(1e9)) == []
    assert len(timers) == 0


def test_what_is_armed_while_others_are_due_waits_for_its_own_time() -> None:
    timers = Timers()
    timers.arm(1.0, 0.0, "first", 1)
    seen = []
    for owner, _ in timers.due(1.0):
        seen.append(owner)
        timers.arm(1.0, 1.0, "second", 1)
    assert seen == ["first"]
    assert timers.deadline == 2.0


@given(
    st.lists(st.tuples(st.sampled_from(DURATIONS), st.floats(0, 3)), max_size=40), st.floats(0, 60)
)
def test_everything_due_comes_once_and_nothing_else(
    arms: list[tuple[float, float]], until: float
) -> None:
    timers, now, armed = Timers(), 0.0, []
    for number, (duration, pause) in enumerate(arms):
        now += pause
        timers.arm(duration, now, number, number)
        armed.append((now + duration, number))
    assert timers.deadline == min((when for when, _ in armed), default=NEVER)
    due = sorted(what for _, what in timers.due(until))
    assert due == sorted(number for when, number in armed if when <= until)
    assert timers.deadline > until
    assert len(timers) == len(armed) - len(due)
