"""Refused logins of relays: told when they are news, counted else."""

from centrex.runtime.refusals import AGAIN_S, Refusals

WHY = "it does not know the secret"


def test_the_first_is_told_and_then_one_an_hour_with_their_number() -> None:
    refusals = Refusals()
    told = [refusals.tell("one", f"192.0.2.1:{n}", WHY, 5.0 * n) for n in range(721)]
    assert told[0] == 1
    assert [count for count in told[1:] if count] == [720]
    assert told[-1] == 720
    assert AGAIN_S == 3600.0


def test_what_is_new_is_told_at_once() -> None:
    refusals = Refusals()
    assert refusals.tell("one", "192.0.2.1:1", WHY, 0.0) == 1
    assert refusals.tell("one", "192.0.2.1:1", WHY, 1.0) == 0
    assert refusals.tell("one", "192.0.2.1:1", "there are too many relays", 2.0) == 2
    assert refusals.tell("two", "192.0.2.1:1", WHY, 3.0) == 1
    assert refusals.tell("one", "192.0.2.2:1", WHY, 4.0) == 1
    refusals.forget("one", "192.0.2.1:7")
    assert refusals.tell("one", "192.0.2.1:1", WHY, 5.0) == 1
    assert refusals.tell("two", "192.0.2.1:1", WHY, 6.0) == 0, "another one is still refused"
    refusals.forget("one", "192.0.2.99:7")


def test_who_tries_many_names_fills_no_log() -> None:
    refusals = Refusals()
    told = [refusals.tell(f"n{n}", "192.0.2.1:1", WHY, 0.01 * n) for n in range(1000)]
    assert sum(map(bool, told)) == 8


def test_sources_are_bounded() -> None:
    refusals = Refusals()
    for number in range(2000):
        refusals.tell("one", f"2001:db8::{number:x}:1", WHY, 0.0)
    assert len(refusals._sources) == 256
    assert refusals.tell("one", "2001:db8::0:1", WHY, 0.0) == 1
    assert refusals.tell("one", "2001:db8::7cf:1", WHY, 0.0) == 0
