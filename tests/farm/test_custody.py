"""What of a relay is whose, whatever proxies come, go and ask for."""

from hypothesis import given
from hypothesis import strategies as st

from centrex.farm.custody import Custody
from centrex.media.terms import Session, Slot

SLOTS = [Slot("192.0.2.1", "192.0.2.1", 30000 + 2 * number) for number in range(4)]


def test_a_session_is_its_first_owner_s() -> None:
    custody = Custody()
    assert custody.take("office", "b1", Session("s", "c", 1))
    assert not custody.take("branch", "b9", Session("s", "c", 2))
    assert custody.owner("s") == "office"
    assert custody.of("branch") == []
    assert custody.forget("s") == "office"
    assert custody.forget("s") == ""
    assert custody.take("branch", "b9", Session("s", "c", 2))
    assert len(custody) == 1


def test_a_slot_is_used_by_whom_it_is_lent_to() -> None:
    custody = Custody(proxies=2)
    custody.lend("office", SLOTS[:2])
    assert custody.lender("192.0.2.1", 30000) == "office"
    assert not custody.use("branch", SLOTS[0])
    assert custody.use("office", SLOTS[0])
    assert custody.use("branch", SLOTS[0]), "it is nobody's"
    assert custody.lent("office") == [SLOTS[1]]


def test_each_gets_a_share_and_a_call_s_slots_at_least() -> None:
    assert Custody(proxies=1).share(5000) == 2500
    assert Custody(proxies=4).share(5000) == 625
    assert Custody(proxies=4).share(3) == 2


def test_whoever_stays_away_loses_what_is_lent() -> None:
    custody = Custody()
    custody.lend("office", SLOTS[:2])
    custody.left("office", 10.0)
    assert custody.overdue(70.0) == []
    custody.came("office", lambda *told: None)
    assert custody.overdue(500.0) == []
    custody.left("office", 600.0)
    assert custody.overdue(661.0) == SLOTS[:2]
    assert custody.lent("office") == []
    assert custody.lender("192.0.2.1", 30000) == ""


def test_lending_waits_until_all_have_told_or_time_has_passed() -> None:
    custody, done = Custody(proxies=2, settled_at=5.0), list[str]()
    custody.when_settled(lambda: done.append("a"), 1.0)
    custody.told("office", 2.0)
    custody.told("office", 2.0)
    assert not done
    custody.told("branch", 3.0)
    assert done == ["a"]
    custody.when_settled(lambda: done.append("b"), 3.0)
    assert done == ["a", "b"]
    late = Custody(proxies=2, settled_at=5.0)
    late.when_settled(lambda: done.append("c"), 5.0)
    assert done[-1] == "c"


def test_draining_is_each_proxy_s_own() -> None:
    custody = Custody(proxies=2)
    custody.drain("office", on=True)
    assert custody.is_draining("office")
    assert not custody.is_draining("branch")
    custody.drain("office", on=False)
    custody.drain("branch", on=False)
    assert not custody.is_draining("office")


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["lend", "use", "left", "came", "overdue"]),
            st.sampled_from(["office", "branch"]),
            st.sampled_from(SLOTS),
        )
    )
)
def test_no_slot_is_lent_to_two(steps: list[tuple[str, str, Slot]]) -> None:
    custody, now = Custody(proxies=2), 0.0
    for what, proxy, slot in steps:
        now += 40.0
        if what == "lend" and not custody.lender(slot.host, slot.port):
            custody.lend(proxy, [slot])
        elif what == "use":
            custody.use(proxy, slot)
        elif what == "left":
            custody.left(proxy, now)
        elif what == "came":
            custody.came(proxy, lambda *told: None)
        elif what == "overdue":
            custody.overdue(now)
        lent = [one for who in ("office", "branch") for one in custody.lent(who)]
        assert len(lent) == len(set(lent))
        for who in ("office", "branch"):
            assert all(custody.lender(one.host, one.port) == who for one in custody.lent(who))
