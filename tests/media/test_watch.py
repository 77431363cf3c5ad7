"""What is wrong with a call's media, told once and in words."""

import pytest

from centrex.media.terms import Address, End, Session, Slot, Stream
from centrex.media.watch import (
    DEADLOCK_S,
    FELL_SILENT_S,
    HOLD_FACTOR,
    NEVER_HEARD_S,
    Watch,
    may_talk,
)

SLOTS = (Slot("127.0.0.1", "127.0.0.1", 30000), Slot("127.0.0.1", "127.0.0.1", 30002))
TALKS = End(rtp=Address("192.0.2.7", 4000))


def session(caller: End = TALKS, callee: End = TALKS, *, answered: bool = True) -> Session:
    return Session("s", "c", 1, answered, (None, Stream(SLOTS, (caller, callee))))


def test_before_the_answer_nobody_is_missed() -> None:
    watch = Watch(0.0)
    assert watch.look(session(answered=False), (0.0, 0.0), 100.0) is None
    assert watch.look(session(), (0.0, 0.0), 101.0) is None, "it was answered just now"


def test_two_that_wait_for_each_other() -> None:
    watch = Watch(0.0)
    assert watch.look(session(), (0.0, 0.0), 1.0) is None
    found = watch.look(session(), (0.0, 0.0), 1.0 + DEADLOCK_S)
    assert found is not None
    assert found[0] == "deadlock"
    assert watch.look(session(), (0.0, 0.0), 9.0 + DEADLOCK_S) is None, "told once"


@pytest.mark.parametrize(
    ("heard", "words"),
    [
        ((20.0, 0.0), "caller sends, callee does not"),
        ((0.0, 20.0), "callee sends, caller does not"),
    ],
)
def test_one_way(heard: tuple[float, float], words: str) -> None:
    watch = Watch(0.0)
    watch.look(session(), heard, 1.0)
    assert watch.look(session(), (0.0, 0.0), 3.0) is None
    assert watch.look(session(), heard, 20.0) == ("one-way", words)
    assert watch.look(session(), heard, 21.0) is None
    found = watch.look(session(), (30.0, 30.0), 30.0)
    assert found is not None
    assert found[0] == "two-way"


def test_who_was_heard_may_pause_for_longer_than_who_never_was() -> None:
    """Silence suppression: a side that only listens for a while is no fault."""
    watch = Watch(0.0)
    watch.look(session(), (1.0, 0.0), 1.0)
    early = 1.0 + NEVER_HEARD_S
    assert watch.look(session(), (early - 1, 0.0), early - 0.1) is None
    assert watch.look(session(), (early, 0.0), early) == (
        "one-way",
        "caller sends, callee does not",
    )
    watch = Watch(0.0)
    watch.look(session(), (1.0, 2.0), 1.0)
    late = 2.0 + FELL_SILENT_S
    assert watch.look(session(), (late - 1, 2.0), late - 0.1) is None
    assert watch.look(session(), (late, 2.0), late) == ("one-way", "caller sends, callee does not")


def test_a_side_that_need_not_send_is_not_missed() -> None:
    for quiet in (TALKS._replace(sends=False), End(sends=False, receives=False)):
        watch = Watch(0.0)
        watch.look(session(callee=quiet), (9.0, 0.0), 1.0)
        assert watch.look(session(callee=quiet), (16.0, 0.0), 10.0 + FELL_SILENT_S) is None
    watch = Watch(0.0)
    deaf = TALKS._replace(receives=False)
    watch.look(session(caller=deaf), (9.0, 0.0), 1.0)
    assert watch.look(session(caller=deaf), (16.0, 0.0), 10.0 + FELL_SILENT_S) is None


def test_silence_ends_it_later_on_hold() -> None:
    watch = Watch(0.0)
    watch.look(session(), (1.0, 1.0), 1.0)
    assert not watch.is_over(session(), (5.0, 3.0), 60.0, 64.9)
    assert watch.is_over(session(), (5.0, 3.0), 60.0, 65.0)
    held = session(*[TALKS._replace(sends=False)] * 2)
    assert not watch.is_over(held, (5.0, 3.0), 60.0, 65.0)
    assert watch.is_over(held, (5.0, 3.0), 60.0, 5.0 + 60 * HOLD_FACTOR)
    held = session(callee=TALKS._replace(sends=False))
    assert not watch.is_over(held, (5.0, 3.0), 60.0, 65.0), "who holds need not play music"


def test_ringing_is_no_silence() -> None:
    watch = Watch(10.0)
    assert not watch.is_over(session(answered=False), (0.0, 0.0), 60.0, 170.0)


def test_who_may_talk() -> None:
    assert may_talk(session(), 0)
    assert not may_talk(session(End()), 0)
    assert not may_talk(Session("s", "c", 1, True, ()), 0)


@pytest.mark.parametrize("callee", [TALKS, TALKS._replace(sends=False)])
def test_a_call_that_is_resumed_after_a_long_hold_is_given_its_time(callee: End) -> None:
    watch, before = Watch(0.0), (5.0, 5.0)
    hold = session(caller=TALKS._replace(sends=False, receives=False), callee=callee)
    for second in range(6, 200):
        assert not watch.is_over(hold, before, 60.0, float(second))
        assert watch.look(hold, before, float(second)) is None
    assert not watch.is_over(session(), before, 60.0, 200.0)
    assert watch.look(session(), before, 200.0) is None
    assert watch.look(session(), (200.5, 5.0), 201.0) is None, "the callee has just begun, too"
    assert not watch.is_over(session(), before, 60.0, 259.9)
    assert watch.is_over(session(), before, 60.0, 260.0), "resumed, and nobody speaks"


def test_who_is_never_heard_after_a_hold_is_missed() -> None:
    watch = Watch(0.0)
    hold = session(caller=TALKS._replace(sends=False), callee=TALKS._replace(sends=False))
    watch.look(hold, (5.0, 5.0), 100.0)
    assert watch.look(session(), (101.0, 5.0), 101.0) is None
    assert watch.look(session(), (130.0, 5.0), 130.9) is None
    found = watch.look(session(), (131.0, 5.0), 131.0)
    assert found == ("one-way", "caller sends, callee does not")


def test_two_that_wait_for_each_other_wait_from_when_they_may() -> None:
    watch = Watch(0.0)
    hold = session(caller=TALKS._replace(sends=False))
    assert watch.look(hold, (0.0, 0.0), 1.0) is None
    assert watch.look(hold, (0.0, 0.0), 50.0) is None
    assert watch.look(session(), (0.0, 0.0), 51.0) is None
    assert watch.look(session(), (0.0, 0.0), 54.9) is None
    assert watch.look(session(), (0.0, 0.0), 55.0) is not None
