"""Calls that go on without their relay are remembered, up to a bound."""

from centrex.proxy import orphans
from centrex.proxy.orphans import Orphan, Orphans


def test_until_it_is_over() -> None:
    calls = Orphans()
    calls.discard(b"c1")
    calls.add(b"c1", Orphan(b"a", [False, True], "it was relayed before"))
    assert calls.natted(b"c1") == [False, True]
    assert calls.why(b"c1") == "it was relayed before"
    assert calls.get(b"c1") == Orphan(b"a", [False, True], "it was relayed before")
    assert b"c1" in calls
    calls.discard(b"c1")
    assert calls.get(b"c1") is None
    assert calls.natted(b"c1") == [False, False]
    assert calls.why(b"c1") == ""
    assert not len(calls)


def test_the_oldest_is_forgotten() -> None:
    calls = Orphans()
    for number in range(orphans.MOST + 10):
        calls.add(b"c%d" % number, Orphan(b"a", [False, False], ""))
    assert len(calls) == orphans.MOST
    assert b"c9" not in calls
    assert b"c10" in calls


def test_one_is_looked_at_until_it_is_known() -> None:
    calls, orphan = Orphans(), Orphan(b"a", [False, False], "why")
    looks = []

    def look(found: Orphan | None) -> Orphan | None:
        looks.append(found)
        return found

    for found in (None, orphan, orphan):
        calls.hear(b"c1", lambda found=found: look(found))  # type: ignore[misc]
    assert looks == [None, orphan]
    assert calls.get(b"c1") is orphan
