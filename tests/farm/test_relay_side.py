"""The relay's end of the link: it does what its proxy says, and only what concerns that one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from centrex.base import PeerError
from centrex.farm import wire
from centrex.farm.custody import Custody
from centrex.farm.farm import Farm
from centrex.farm.relay_side import LinkState
from centrex.media.terms import End, Session, Slot, Stream
from tests.support.farmlink import FakePlane, Joined, Ringing, Watcher, session


def up(plane: FakePlane | None = None, custody: Custody | None = None, **more: str) -> Joined:
    farm = Farm(Watcher(), heartbeat_s=5.0, boot="boot-1")
    link = Joined(farm, plane or FakePlane(), custody, proxy=more.get("proxy", "office"))
    link.run()
    assert link.relay_side.state is LinkState.UP
    return link


def test_a_proxy_that_does_not_know_the_secret_learns_nothing() -> None:
    link = Joined(Farm(Watcher(), heartbeat_s=5.0, boot="b"), FakePlane())
    link.to_relay.lines.clear()
    challenge = wire.encode("challenge", v=1, proxy="evil", nonce="c" * 32, proof="0" * 64)
    link.to_proxy.lines.clear()
    link.relay_side.receive(challenge.rstrip(), 0.0)
    assert link.relay_side.state is LinkState.REFUSED
    (line,) = link.to_proxy.lines
    assert b"proof is wrong" in line
    assert link.to_proxy.closed


def used(one: Session) -> set[Slot]:
    return {slot for stream in one.streams if stream is not None for slot in stream.slots}


def test_ports_that_were_not_used_are_free_when_the_proxy_stays_away() -> None:
    link = up()
    one = session("s", link.relay)
    link.farm.put(link.relay, one, 0.0)
    link.run()
    link.cut()
    assert not link.custody.overdue(60.0)
    freed = link.custody.overdue(61.0)
    assert len(freed) >= 100
    assert not used(one) & set(freed)
    assert not link.custody.overdue(200.0)


def test_a_proxy_that_comes_back_has_what_it_had() -> None:
    link = up()
    before = set(link.custody.lent("office"))
    link.cut()
    again = Joined(link.farm, link.plane, link.custody)
    again.run()
    assert set(link.custody.lent("office")) == before
    assert not link.custody.overdue(1000.0), "it is here"
    assert not link.plane.freed


def test_a_proxy_that_was_started_anew_begins_with_nothing() -> None:
    link = up()
    before = set(link.custody.lent("office"))
    link.cut()
    later = Farm(Watcher(), heartbeat_s=5.0, boot="boot-2")
    Joined(later, link.plane, link.custody).run()
    assert before == set(link.plane.freed)
    assert not before & set(link.custody.lent("office"))


def test_ports_of_calls_that_ring_are_had_again_from_a_relay_started_anew() -> None:
    link = up()
    one = session("s", link.relay)
    told = used(one)
    link.relay.expected["s"] = Ringing(*told)
    link.cut()
    plane = FakePlane()
    plane.taken.add(min(slot.port for slot in told))
    again = Joined(link.farm, plane, boot="b2")
    again.run()
    lent = again.custody.lent("office")
    assert len(told & set(lent)) == 1, "the other one is somebody else's by now"
    again.farm.put(again.relay, one, 1.0)
    again.run()
    assert not told & set(again.custody.lent("office"))


def test_nobody_gets_what_is_lent_to_another() -> None:
    plane, custody = FakePlane(), Custody(proxies=2)
    office = up(plane, custody)
    branch = up(plane, custody, proxy="branch")
    one = session("s", office.relay)
    branch.farm.put(branch.relay, one, 0.0)
    branch.run()
    assert not plane.held
    assert not branch.relay.sessions
    assert not plane.freed
    assert plane.refused == 1
    office.farm.put(office.relay, one, 0.0)
    office.run()
    assert list(plane.held) == ["s"]


def test_nothing_is_lent_before_all_proxies_have_told_what_they_hold() -> None:
    plane, custody = FakePlane(), Custody(proxies=2, settled_at=5.0)
    office = up(plane, custody)
    assert not custody.lent("office")
    assert office.relay.expects_ports
    branch = up(plane, custody, proxy="branch")
    office.run()
    assert custody.lent("office")
    assert custody.lent("branch")
    assert {slot.port for slot in custody.lent("office")}.isdisjoint(
        slot.port for slot in custody.lent("branch")
    )
    assert branch.relay.room_for([]) < 1


def test_a_proxy_that_does_not_come_is_not_waited_for_for_long() -> None:
    plane, custody = FakePlane(), Custody(proxies=2, settled_at=5.0)
    office = up(plane, custody)
    assert not custody.lent("office")
    custody.settle()
    office.run()
    assert office.relay.room_for([]) < 1


def test_proxies_share_what_there_is() -> None:
    plane, custody = FakePlane(), Custody(proxies=2)
    plane.pairs = 100
    office = up(plane, custody)
    branch = up(plane, custody, proxy="branch")
    assert [len(custody.lent(name)) for name in ("office", "branch")] == [25, 25]
    for number, link in enumerate((office, branch) * 8):
        relay = link.farm.open(0.0)
        assert relay is not None
        link.farm.put(relay, session(f"s{number}", relay), 0.0)
        link.run()
    assert len(plane.held) == 16
    assert all(12 <= len(custody.lent(name)) <= 25 for name in ("office", "branch"))


def test_a_drained_relay_tells_a_proxy_that_was_started_anew() -> None:
    link = up()
    link.farm.drain("one", on=True)
    link.run()
    link.cut()
    later = Farm(Watcher(), heartbeat_s=5.0, boot="boot-2")
    again = Joined(later, link.plane, link.custody)
    again.run()
    assert again.relay.draining
    later.drain("one", on=False)
    again.run()
    again.cut()
    last = Joined(Farm(Watcher(), heartbeat_s=5.0, boot="boot-3"), link.plane, link.custody)
    last.run()
    assert not last.relay.draining


def test_a_relay_is_started_anew_only_for_whom_it_belongs_to() -> None:
    link = up()
    link.relay.send("again")
    link.run()
    told: list[bool] = []
    link.relay_side._again = lambda: told.append(True)
    link.relay.send("again")
    link.run()
    assert told == [True]


def test_addresses_that_come_and_go_are_told_at_once() -> None:
    link = up(FakePlane("192.0.2.1", "2001:db8::1"))
    leased = link.relay.slot(4)
    assert leased is not None
    link.plane.hosts = {"2001:db8::1": "2001:db8::1", "198.51.100.7": "203.0.113.7"}
    link.relay_side.rehosted()
    link.run()
    assert link.relay.told["hosts"] == link.plane.hosts
    assert {slot.host for slot in link.plane.freed} == {"192.0.2.1"}
    moved = link.relay.slot(4, "192.0.2.1")
    assert moved is not None
    assert (moved.host, moved.shown) == ("198.51.100.7", "203.0.113.7")
    link.cut()
    freed = len(link.plane.freed)
    link.relay_side.rehosted()
    assert len(link.plane.freed) == freed


def test_a_session_it_cannot_carry_is_given_back() -> None:
    link = up()
    link.plane.broken = "port 30000 is in use"
    link.farm.put(link.relay, session("s", link.relay), 0.0)
    link.run()
    assert not link.relay.sessions
    assert not link.custody.of("office")


def test_one_that_stands_and_cannot_be_changed_is_over_at_once() -> None:
    """Its call goes on without it, and tries again with its next offer: nothing is to linger."""
    link = up()
    one = session("s", link.relay)
    link.farm.put(link.relay, one, 0.0)
    link.run()
    assert "s" in link.plane.held
    link.plane.broken = "port 30008 is in use"
    slots = [link.relay.slot(4), link.relay.slot(4)]
    assert slots[0] is not None
    assert slots[1] is not None
    more = (*one.streams, Stream((slots[0], slots[1]), (End(), End())))
    link.farm.put(link.relay, one._replace(revision=2, streams=more), 0.0)
    link.run()
    assert not link.plane.held
    assert not link.custody.of("office")
    assert not link.relay.sessions
    watcher = link.farm.observer
    assert isinstance(watcher, Watcher)
    (told,) = [seen for seen in watcher.seen if seen[0] == "ended"]
    assert told[3:] == ("port 30008 is in use", {"id": "s", "call_id": one.call_id})


def test_ports_used_up() -> None:
    link = up(FakePlane(pairs=0))
    assert link.relay.slot(4) is None


def test_another_proxy_s_session_is_none_of_its_business() -> None:
    plane, custody = FakePlane(), Custody()
    office = up(plane, custody)
    office.farm.put(office.relay, session("s", office.relay), 0.0)
    office.run()
    branch = up(plane, custody, proxy="branch")
    branch.relay.send("end", id="s", why="mine")
    branch.run()
    assert "s" in plane.held
    branch.relay.send("sessions", ids=["s"], ask=1)
    branch.run()
    assert branch.answers == [(1, [], [])]
    stolen = session("s", branch.relay)
    branch.relay.send("put", session=stolen)
    with pytest.raises(PeerError):
        branch.run()


def test_a_silent_proxy_is_noticed() -> None:
    link = up()
    assert not link.relay_side.is_dead(14.0)
    assert link.relay_side.is_dead(16.0)


def told_again(link: Joined) -> Joined:
    """Cut a link and have the relay log in at a proxy that was started anew."""
    link.cut()
    watcher = Watcher()
    watcher.adopts = True
    again = Joined(Farm(watcher, heartbeat_s=5.0, boot="later"), link.plane, link.custody)
    again.run()
    return again


def test_many_sessions_are_told_in_parts() -> None:
    link = up()
    link.custody.capacity = 1000
    for number in range(250):
        link.farm.put(link.relay, session(f"s{number}", link.relay), 0.0)
        link.run()
    again = told_again(link)
    assert len(again.relay.sessions) == 250
    assert sum(b'"held"' in line for line in again.seen) == 3


def test_sessions_with_long_names_are_told_line_by_line() -> None:
    link = up()
    for number in range(60):
        told = session(f"s{number}", link.relay)._replace(call_id="x" * 60_000)
        link.farm.put(link.relay, told, 0.0)
        link.run()
    again = told_again(link)
    assert len(again.relay.sessions) == 60
    assert max(map(len, again.seen)) < 200_000


def test_figures_that_fit_no_line_are_asked_for_again() -> None:
    link = up()
    names = [f"s{number}" for number in range(60)]
    for name in names:
        link.farm.put(link.relay, session(name, link.relay), 0.0)
        link.run()
    link.plane.row = {"streams": "x" * 30_000}
    link.relay.send("sessions", ids=[*names, "unknown"], ask=7)
    link.run()
    (told,) = link.answers
    assert [row["id"] for row in told[1]] + told[2] == names
    assert 0 < len(told[1]) < 10
    assert max(map(len, link.seen)) < 200_000


def test_a_proxy_keeps_the_ports_of_thousands_of_calls_that_ring() -> None:
    link = up()
    slots = [Slot("198.51.100.1", "198.51.100.1", port) for port in range(2000, 62_000, 2)]
    link.farm.expect(link.relay, "s", Ringing(*slots))
    link.cut()
    again = Joined(link.farm, link.plane, link.custody, boot="b2")
    again.run()
    assert again.relay_side.state is LinkState.UP
    assert {slot.port for slot in slots} <= {slot.port for slot in link.custody.lent("office")}


@given(st.sampled_from(["put", "end", "lease", "keep", "again", "drain", "sessions", "beat", "refused", "x"]),
       st.dictionaries(st.sampled_from(["session", "id", "host", "count", "on", "ids", "ask", "why", "ports"]),
                       st.none() | st.integers() | st.text(max_size=5) | st.lists(st.integers())))  # fmt: skip
def test_a_proxy_may_say_anything_and_breaks_only_its_link(
    kind: str, fields: dict[str, object]
) -> None:
    link = up()
    try:
        link.relay_side.receive(wire.encode(kind, **fields).rstrip(), 1.0)
    except PeerError:
        return
