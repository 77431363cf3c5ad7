"""A relay that several proxies use takes as many calls as it may, however they come."""

import pytest

from centrex.farm.custody import Custody
from centrex.farm.farm import Farm
from tests.support.farmlink import FakePlane, Joined, Ringing, Watcher, session


class Shared:
    """Two proxies, each with a link to one relay."""

    def __init__(self, capacity: int) -> None:
        self.plane, self.custody = FakePlane(), Custody(proxies=2)
        self.office, self.branch = (self._link(name, capacity) for name in ("office", "branch"))
        self.run()

    def _link(self, proxy: str, capacity: int) -> Joined:
        farm = Farm(Watcher(), heartbeat_s=5.0, boot=proxy)
        return Joined(farm, self.plane, self.custody, proxy=proxy, capacity=capacity)

    def run(self) -> None:
        links = self.office, self.branch
        while any(one.to_proxy.lines or one.to_relay.lines for one in links):
            for one in links:
                one.run()

    def calls(self, link: Joined, *names: str) -> None:
        """Calls that are answered."""
        for name in names:
            link.farm.put(link.relay, session(name, link.relay), 0.0)
        self.run()

    def rings(self, link: Joined, *names: str) -> None:
        """Calls that nobody has answered yet."""
        for name in names:
            slot = link.relay.slot(4)
            assert slot is not None
            link.farm.expect(link.relay, name, Ringing(slot))
        self.run()

    def takes(self, link: Joined) -> bool:
        return link.farm.open(0.0) is link.relay


def test_what_one_begins_the_other_knows_at_once() -> None:
    """Not with the next heartbeat, by which it would have begun calls that are too many."""
    shared = Shared(4)
    shared.calls(shared.office, "a", "b", "c")
    assert shared.takes(shared.branch)
    shared.calls(shared.branch, "d")
    assert not shared.takes(shared.office)
    assert not shared.takes(shared.branch)
    shared.office.farm.end(shared.office.relay, "a", "hung up", 0.0)
    shared.run()
    assert shared.takes(shared.branch)
    assert shared.takes(shared.office)


def test_calls_that_ring_count_too() -> None:
    shared = Shared(4)
    shared.rings(shared.office, "a", "b")
    shared.rings(shared.branch, "c", "d")
    assert not shared.takes(shared.office)
    assert not shared.takes(shared.branch)
    shared.office.farm.forgo(shared.office.relay, "a")
    shared.run()
    assert shared.takes(shared.branch)
    shared.calls(shared.office, "b")
    assert shared.takes(shared.branch), "answered, it is counted once"
    assert shared.custody.total == 3


def test_near_its_end_nothing_waits_for_more_to_be_said() -> None:
    shared = Shared(3)
    shared.rings(shared.office, "a", "b")
    assert not shared.office.to_relay.hurried
    shared.office.farm.expect(shared.office.relay, "c", Ringing())
    assert b'"expects"' in shared.office.to_relay.hurried[-1]


def test_another_relay_is_tried_at_once() -> None:
    shared = Shared(1)
    other = Joined(shared.branch.farm, FakePlane(), name="two", proxy="branch", capacity=1000)
    other.run()
    assert shared.branch.relay in [shared.branch.farm.open(0.0) for _ in range(2)]
    shared.calls(shared.office, "a")
    for _ in range(3):
        assert shared.branch.farm.open(0.0) is other.relay


def test_the_relay_itself_lends_no_ports_beyond_that() -> None:
    shared = Shared(2)
    shared.calls(shared.office, "a", "b")
    relay = shared.branch.relay
    while relay.slot(4) is not None:  # all that was leased ahead
        pass
    shared.run()
    relay.settle()
    shared.run()
    assert not relay.is_stocked
    assert relay.shortage == "it carries as many calls as it may (2)"
    shared.office.farm.end(shared.office.relay, "a", "hung up", 0.0)
    shared.run()
    relay.settle()
    shared.run()
    assert relay.is_stocked


def test_a_large_relay_is_not_told_of_every_call() -> None:
    shared = Shared(3000)
    seen = len(shared.branch.seen)
    shared.calls(shared.office, *(f"c{number}" for number in range(59)))
    told = [line for line in shared.branch.seen[seen:] if b'"room"' in line]
    assert len(told) == 1
    assert shared.branch.relay.foreign == 30


def test_who_is_gone_rings_no_more_and_who_is_back_does() -> None:
    shared = Shared(4)
    shared.rings(shared.office, "a", "b", "c", "d")
    assert not shared.takes(shared.branch)
    shared.office.cut()
    shared.run()
    assert shared.takes(shared.branch)
    shared.office = Joined(shared.office.farm, shared.plane, shared.custody, capacity=4)
    shared.run()
    assert not shared.takes(shared.branch)


def test_a_heartbeat_tells_the_same() -> None:
    shared = Shared(4)
    shared.calls(shared.office, "a")
    shared.rings(shared.office, "b")
    shared.rings(shared.branch, "c")
    beat = {"sessions": 1, "expected": 2}
    shared.branch.relay_side.beat(beat)
    shared.run()
    assert shared.branch.relay.foreign == 2
    shared.office.relay_side.beat(beat)
    shared.run()
    assert shared.office.relay.foreign == 1


@pytest.mark.parametrize("count", [-1, "x", None])
def test_a_relay_that_is_alone_is_told_nothing(count: object) -> None:
    link = Joined(Farm(Watcher(), heartbeat_s=5.0, boot="b"), FakePlane(), capacity=2)
    link.run()
    seen = len(link.seen)
    slot = link.relay.slot(4)
    assert slot is not None
    link.farm.expect(link.relay, "a", Ringing(slot))
    link.run()
    assert not [line for line in link.seen[seen:] if b'"expects"' in line]
    link.relay.send("expects", count=count)
    with pytest.raises(Exception, match="count"):
        link.run()


def test_a_proxy_that_does_not_heed_it_is_refused() -> None:
    """What crosses is carried, since it was answered; and no more than that."""
    shared = Shared(10)
    names = [f"s{number}" for number in range(20)]
    watcher = shared.office.farm.observer
    assert isinstance(watcher, Watcher)
    shared.calls(shared.office, *names)
    assert list(shared.plane.held) == names[:18]
    assert shared.plane.refused == 2
    told = [one[2:4] for one in watcher.seen if one[0] == "ended"]
    assert told == [(name, "it carries as many calls as it may (10)") for name in names[18:]]
    assert len(shared.plane.freed) == 4, "their ports are free"
    shared.calls(shared.office, "s0")
    assert len(shared.plane.held) == 18, "that one is known"
    shared.office.farm.end(shared.office.relay, "s0", "hung up", 0.0)
    shared.calls(shared.office, "another")
    assert "another" in shared.plane.held


def test_what_is_told_again_is_taken_however_many_it_may_carry() -> None:
    """A relay that was started anew, with a smaller bound: calls go on."""
    shared = Shared(40)
    names = [f"s{number}" for number in range(30)]
    shared.calls(shared.office, *names)
    shared.office.cut()
    plane = FakePlane()
    again = Joined(shared.office.farm, plane, Custody(), capacity=5, boot="b2")
    again.run()
    assert list(plane.held) == names
    assert plane.refused == 0
