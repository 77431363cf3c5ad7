"""Which relay gets a call, and that each carries what it is to carry, whatever breaks."""

from hypothesis import given, settings
from hypothesis import strategies as st

from centrex.farm.custody import Custody
from centrex.farm.farm import Farm
from centrex.farm.relay import RelayState
from centrex.media.terms import Address, End
from tests.support.farmlink import FakePlane, Joined, Ringing, Watcher, session


def make(*capacities: int) -> tuple[Farm, Watcher, list[Joined]]:
    watcher = Watcher()
    farm = Farm(watcher, heartbeat_s=5.0, boot="boot-1")
    links = []
    for number, capacity in enumerate(capacities):
        link = Joined(farm, FakePlane(), name=f"r{number}", capacity=capacity)
        link.run()
        links.append(link)
    return farm, watcher, links


def calls(farm: Farm, count: int) -> None:
    for number in range(count):
        relay = farm.open(0.0)
        assert relay is not None
        farm.put(relay, session(f"s{number}", relay), 0.0)
        for link in LINKS:
            link.run()


LINKS: list[Joined] = []


def test_equal_relays_carry_equal_shares() -> None:
    farm, _, links = make(100, 100, 100)
    LINKS[:] = links
    calls(farm, 31)
    shares = sorted(len(relay.sessions) for relay in farm)
    assert shares == [10, 10, 11]


@settings(deadline=None)
@given(st.lists(st.integers(1, 40), min_size=1, max_size=4), st.integers(1, 60))
def test_shares_are_in_proportion(capacities: list[int], count: int) -> None:
    farm, _, links = make(*capacities)
    LINKS[:] = links
    count = min(count, sum(capacities))
    calls(farm, count)
    whole = sum(capacities)
    for relay in farm:
        assert abs(len(relay.sessions) - count * relay.capacity / whole) <= len(capacities)
    if count == whole:
        assert farm.open(0.0) is None, "all are full"


def test_a_call_goes_where_ports_of_its_families_are() -> None:
    """However much less the others carry."""
    farm = Farm(Watcher(), heartbeat_s=5.0, boot="boot-1")
    assert farm.lacks([6]) is None, "there is no relay at all"
    for name, hosts in (("four", ("198.51.100.1",)), ("both", ("198.51.100.2", "2001:db8::2"))):
        Joined(farm, FakePlane(*hosts), name=name, capacity=100).run()
    for number in range(6):
        relay = farm.open(0.0, [4, 6])
        assert relay is not None
        assert relay.name == "both"
        farm.put(relay, session(f"s{number}", relay), 0.0)
    assert farm.open(0.0, [4]) is farm.get("four")
    assert farm.open(0.0, [4], ["four"]) is farm.get("both")
    assert farm.open(0.0, [4, 6], ["both"]) is None
    assert farm.lacks([4, 6]) is None
    farm.drain("both", on=True)
    assert farm.lacks([4, 6]) == 6
    assert farm.lacks([4]) is None


def test_what_changes_in_a_session_is_told_at_once() -> None:
    """A new address, not that the call is answered; and what is new may wait for more."""
    farm, _, (link,) = make(100)
    one = session("s", link.relay)._replace(answered=False)
    farm.put(link.relay, one, 0.0)
    one = one._replace(revision=2, answered=True)
    farm.put(link.relay, one, 0.0)
    link.run()
    assert not link.to_relay.hurried
    (stream,) = one.streams
    assert stream is not None
    moved = stream._replace(ends=(End(rtp=Address("192.0.2.17", 4444)), stream.ends[1]))
    farm.put(link.relay, one._replace(revision=3, streams=(moved,)), 0.0)
    (line,) = link.to_relay.hurried
    assert b"192.0.2.17" in line
    link.run()
    assert link.plane.held["s"].streams == (moved,)
    link.cut()
    farm.put(link.relay, one._replace(revision=4), 0.0)


def test_a_relay_is_not_waited_for_for_ever() -> None:
    farm, _, (link,) = make(100)
    assert not link.relay.is_lost(1000.0)
    link.relay.left("cut", 1000.0)
    assert not link.relay.is_lost(1010.0)
    assert link.relay.is_lost(1031.0)
    assert farm.open(1031.0) is None


def test_nor_is_one_whose_machine_is_gone_without_a_word() -> None:
    """TCP gives its connection up after a quarter of an hour only; what it said last counts."""
    farm, _, (link,) = make(100)
    farm.tick(16.0)
    assert link.relay.state is RelayState.SILENT
    assert not link.relay.is_lost(40.0)
    assert link.relay.is_lost(47.0)
    link.relay.left("timed out", 900.0)
    assert link.relay.is_lost(901.0), "nobody waits for it anew"


def test_one_that_is_heard_again_is_waited_for() -> None:
    farm, _, (link,) = make(100)
    farm.tick(16.0)
    link.now = 60.0
    link.relay_side.beat({"sessions": 0, "drops": {}})
    link.run()
    assert not link.relay.is_lost(100.0)


def test_a_draining_relay_keeps_its_calls_and_gets_no_new_ones() -> None:
    farm, _, links = make(100, 100)
    LINKS[:] = links
    calls(farm, 4)
    drained = farm.drain("r0", on=True)
    assert drained is not None
    links[0].run()
    assert links[0].relay_side.draining
    for _ in range(4):
        relay = farm.open(0.0)
        assert relay is not None
        assert relay.name == "r1"
    assert len(drained.sessions) == 2
    farm.drain("r0", on=False)
    found = {relay.name for relay in (farm.open(0.0), farm.open(0.0)) if relay is not None}
    assert found == {"r0", "r1"}
    assert farm.drain("nobody", on=True) is None


def test_a_silent_relay_gets_no_calls_and_comes_back_by_itself() -> None:
    farm, watcher, (link,) = make(100)
    farm.tick(14.0)
    assert farm.open(14.0) is not None
    farm.tick(16.0)
    assert farm.open(16.0) is None
    assert link.relay.state is RelayState.SILENT
    assert watcher.seen[-1] == ("silent", "r0")
    link.now = 17.0
    link.relay_side.beat({"sessions": 3, "drops": {"x": 1, "y": "z"}})
    link.run()
    assert farm.open(17.0) is not None
    assert watcher.seen[-1] == ("heard", "r0")
    assert link.relay.beat["sessions"] == 3
    assert link.relay.beat["drops"] == {"x": 1}


def test_what_was_lost_with_the_link_is_told_again() -> None:
    farm, watcher, (link,) = make(100)
    relay = farm.open(0.0)
    assert relay is not None
    kept, lost = session("kept", relay), session("lost", relay)
    gone = session("gone", relay)
    farm.put(relay, kept, 0.0)
    farm.put(relay, gone, 0.0)
    link.run()
    farm.put(relay, lost, 0.0)
    link.cut()
    assert watcher.seen[-1] == ("left", "r0", "cut")
    farm.end(relay, "gone", "hung up", 1.0)
    assert farm.open(1.0) is None
    again = Joined(farm, link.plane, link.custody, name="r0")
    again.run()
    assert set(link.plane.held) == {"kept", "lost"}
    assert link.plane.ended == ["gone"]
    assert not any(event[0] == "adopt" for event in watcher.seen)


def test_a_relay_that_was_started_anew_gets_everything_again() -> None:
    farm, _, (link,) = make(100)
    relay = farm.open(0.0)
    assert relay is not None
    one = session("s", relay)
    farm.put(relay, one, 0.0)
    link.run()
    link.cut()
    plane = FakePlane()
    Joined(farm, plane, name="r0").run()
    assert plane.held == {"s": one}


def test_a_proxy_that_was_started_anew_adopts_what_goes_on() -> None:
    farm, _, (link,) = make(100)
    relay = farm.open(0.0)
    assert relay is not None
    farm.put(relay, session("goes-on", relay), 0.0)
    link.run()
    link.cut()
    for adopts in (True, False):
        watcher = Watcher()
        watcher.adopts = adopts
        later = Farm(watcher, heartbeat_s=5.0, boot=f"boot-{adopts}")
        again = Joined(later, link.plane, link.custody, name="r0")
        again.run()
        assert ("adopt", "r0", "goes-on") in watcher.seen
        assert ("goes-on" in again.relay.sessions) is adopts
        assert ("goes-on" in link.plane.held) is adopts
        again.cut()


def test_two_proxies_see_their_own_sessions_only() -> None:
    plane, custody = FakePlane(), Custody()
    farms = []
    for name in ("office", "branch"):
        farm = Farm(Watcher(), heartbeat_s=5.0, boot=f"boot-{name}")
        link = Joined(farm, plane, custody, proxy=name)
        link.run()
        relay = farm.open(0.0)
        assert relay is not None
        farm.put(relay, session(f"of-{name}", relay), 0.0)
        link.run()
        farms.append((farm, link))
    assert set(plane.held) == {"of-office", "of-branch"}
    farm, link = farms[1]
    link.cut()
    watcher = Watcher()
    later = Farm(watcher, heartbeat_s=5.0, boot="later")
    Joined(later, plane, custody, proxy="branch").run()
    assert [event for event in watcher.seen if event[0] == "adopt"] == [
        ("adopt", "one", "of-branch")
    ]


def test_a_relay_that_ends_a_session_and_one_that_has_something_to_say() -> None:
    farm, watcher, (link,) = make(100)
    relay = farm.open(0.0)
    assert relay is not None
    farm.put(relay, session("s", relay), 0.0)
    link.run()
    link.relay_side.notice("s", "one-way", "caller sends, callee does not", None)
    link.relay_side.notice("unknown", "one-way", "x", None)
    link.relay_side.notice("s", "ended", "silent for 60 s", {"id": "s"})
    link.run()
    assert watcher.seen[-2:] == [
        ("notice", "r0", "s", "one-way", "caller sends, callee does not"),
        ("ended", "r0", "s", "silent for 60 s", {"id": "s", "call_id": "call-s"}),
    ]
    assert not relay.sessions


def test_a_second_relay_of_that_name_is_refused_until_the_first_is_silent() -> None:
    farm, watcher, _ = make(100)
    second = Joined(farm, FakePlane(), name="r0", now=1.0)
    second.run()
    assert second.proxy_side.relay is None
    assert "logged in already" in second.relay_side.why
    assert watcher.seen[-1][0] == "refused"
    third = Joined(farm, FakePlane(), name="r0", now=16.0)
    third.run()
    assert third.proxy_side.relay is not None


def test_who_is_long_gone_is_forgotten() -> None:
    farm, _, (link,) = make(100)
    link.cut()
    farm.tick(3000.0)
    assert len(list(farm)) == 1
    farm.tick(4000.0)
    assert not list(farm)


# calls that nobody has answered yet


def test_expected_sessions_count() -> None:
    farm, _, (one, other) = make(100, 100)
    relay = one.relay
    told = session("s", relay)
    farm.expect(relay, "s", Ringing())
    assert (relay.count, other.relay.count) == (1, 0)
    assert farm.open(0.0) is other.relay
    farm.put(relay, told, 0.0)
    assert relay.count == 1
    assert not relay.expected


def test_slots_that_served_nobody_are_used_again() -> None:
    farm, _, (link,) = make(100)
    relay = link.relay
    slots = [slot for slot in (relay.slot(4), relay.slot(4)) if slot is not None]
    farm.expect(relay, "s", Ringing(*slots))
    farm.forgo(relay, "s")
    farm.forgo(relay, "s")
    link.run()
    assert relay.count == 0
    left = [relay.slot(4) for _ in range(512)]
    assert set(slots) <= set(left)
    assert len(set(left)) == 512
    assert not link.plane.held


def test_ports_are_leased_again_when_a_call_ends() -> None:
    farm, _, (link,) = make(100)
    relay = link.relay
    one = session("s", relay)
    farm.put(relay, one, 0.0)
    link.run()
    while relay.slot(4) is not None:
        pass
    for stock in relay._stocks.values():
        stock.asked = 0
    link.to_relay.lines.clear()
    farm.end(relay, "s", "hung up", 1.0)
    assert [line.split(b'"')[3] for line in link.to_relay.lines] == [b"end", b"lease"]


def test_and_when_a_line_of_one_goes() -> None:
    farm, _, (link,) = make(100)
    relay = link.relay
    one = session("s", relay)
    farm.put(relay, one, 0.0)
    link.run()
    while relay.slot(4) is not None:
        pass
    for stock in relay._stocks.values():
        stock.asked = 0
    link.to_relay.lines.clear()
    farm.put(relay, one._replace(revision=2, streams=(None,)), 1.0)
    assert [line.split(b'"')[3] for line in link.to_relay.lines] == [b"put", b"lease"]


def test_a_lease_that_was_too_early_is_asked_for_once_more() -> None:
    """The relay was asked before it heard that a call has ended."""
    farm, _, (link,) = make(100)
    relay = link.relay
    farm.put(relay, session("s", relay), 0.0)
    while relay.slot(4) is not None:
        pass
    link.to_relay.lines.clear()
    farm.end(relay, "s", "hung up", 1.0)
    assert [line.split(b'"')[3] for line in link.to_relay.lines] == [b"end"]
    host = next(iter(link.plane.hosts))
    relay.leased(host, [], 512, most=512)
    assert [line.split(b'"')[3] for line in link.to_relay.lines] == [b"end", b"lease"]
    relay.leased(host, [], 512, most=512)
    assert len(link.to_relay.lines) == 2, "after that, once a second"


def test_a_session_of_a_former_run_that_nobody_answered_is_over() -> None:
    farm, _, (link,) = make(100)
    one = session("rings", link.relay)._replace(answered=False)
    farm.put(link.relay, one, 0.0)
    link.run()
    link.cut()
    watcher = Watcher()
    watcher.adopts = True
    later = Farm(watcher, heartbeat_s=5.0, boot="later")
    Joined(later, link.plane, link.custody, name="r0").run()
    assert not link.plane.held
    assert not any(event[0] == "adopt" for event in watcher.seen)


def test_anybody_may_be_refused_and_keeps_nobody_out() -> None:
    farm, _, (link,) = make(100)
    for number in range(300):
        farm.refused(
            f"false-{number}", "192.0.2.66:1", "it does not know the secret", float(number)
        )
    names = [relay.name for relay in farm]
    assert len(names) == 17
    assert {"r0", "false-299"} <= set(names)
    honest = Joined(farm, FakePlane(), name="honest", now=400.0)
    honest.run()
    assert honest.proxy_side.relay is not None
    assert link.relay.state is RelayState.AVAILABLE


def test_who_uses_a_relay_s_name_does_not_change_what_becomes_of_its_calls() -> None:
    farm, watcher, (link,) = make(100)
    farm.put(link.relay, session("s", link.relay), 0.0)
    link.run()
    relay = link.relay
    link.now = 10.0
    link.cut()
    for second in range(10, 50, 2):
        farm.refused("r0", "192.0.2.66:1", "it does not know the secret", float(second))
        farm.refused(
            f"false-{second}", "192.0.2.66:1", "it does not know the secret", float(second)
        )
    assert farm.get("r0") is relay
    assert relay.state is RelayState.REFUSED
    assert relay.is_lost(41.0), "its calls go elsewhere by their next offer"
    again = Joined(farm, link.plane, link.custody, name="r0", now=50.0)
    again.run()
    assert again.relay is relay
    assert again.relay.state is RelayState.AVAILABLE
    assert "s" in link.plane.held
    assert not any(event[0] == "ended" for event in watcher.seen)


def test_others_calls_count_where_a_relay_serves_several_proxies() -> None:
    plane, custody = FakePlane(), Custody(proxies=2)
    farms = []
    for name in ("office", "branch"):
        farm = Farm(Watcher(), heartbeat_s=5.0, boot=name)
        link = Joined(farm, plane, custody, proxy=name, capacity=4)
        link.run()
        farms.append((farm, link))
    for number in range(4):
        relay = farms[0][0].open(0.0)
        assert relay is not None
        farms[0][0].put(relay, session(f"s{number}", relay), 0.0)
        farms[0][1].run()
    for farm, link in farms:
        link.relay_side.beat({"sessions": 4})
        link.run()
        assert farm.open(0.0) is None
    assert [link.relay.foreign for _, link in farms] == [0, 4]
