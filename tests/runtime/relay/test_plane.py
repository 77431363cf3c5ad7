"""Packets through a relay's plane: both ways, and nobody else's."""

import socket
from collections.abc import Iterator
from typing import Any

import pytest

from centrex.base import Unavailable
from centrex.media.terms import Address, End, Session, Stream
from centrex.rtp.packet import is_packet, is_rtcp, receiver_report
from centrex.runtime.relay import plane as plane_module
from centrex.runtime.relay.kernel import Carried, Entry
from centrex.runtime.relay.plane import Plane
from tests.support.fake_kernel import FakeKernel
from tests.support.planes import World, settled
from tests.support.ports import loopback
from tests.support.rtp_ends import Call, until

pytestmark = pytest.mark.wire


@pytest.fixture
def world() -> Iterator[World]:
    made = World()
    yield made
    made.close()


def notices(plane: Plane, kind: str) -> list[tuple[str, str]]:
    return [(name, words) for name, told, words, _ in plane.notices if told == kind]


def test_two_way_from_the_relay_s_ports(world: World) -> None:
    call = world.call()
    call.talk()
    assert call.callee.gets(call.caller.send(call.slots[0])) == call.slots[1].rtp
    caller, callee = call.figures()
    assert caller["locked"]
    assert caller["learned"] == f"{call.caller.host}:{call.caller.port}"
    assert (caller["packets"], callee["packets"]) == (9, 8)
    assert (caller["sent"], callee["sent"]) == (8, 9)
    totals = call.plane.figures()
    assert (totals["sessions"], totals["packets"], totals["unlearned"]) == (1, 17, 0)


def test_two_that_send_nothing_until_they_receive_hear_each_other(world: World) -> None:
    """No deadlock: the relay sends first, to where signalling says, and both begin."""
    call = world.call()
    first, source = call.caller.receive()
    assert source == call.slots[0].rtp
    assert is_packet(first, len(first))
    assert first[12:] == b"\xff" * 160, "silence of the payload type named first"
    call.callee.receive()
    call.talk(1)


def test_a_line_that_is_no_rtp_is_opened_by_an_empty_datagram(world: World) -> None:
    """A fax would take a packet of RTP for one of its own, far ahead of those to come (RFC 6263 §4.1)."""
    caller, callee = world.end(), world.end()
    control = world.end(caller.host, port=caller.port + 1)
    ends = (caller.end(is_rtp=False), callee.end(is_rtp=False))
    call = Call(world.plane(), caller, callee, ends=ends)
    assert caller.receive() == (b"", call.slots[0].rtp)
    assert callee.receive() == (b"", call.slots[1].rtp)
    world.passes(1.1)
    world.passes(1.1)
    assert not control.drained(), "there is no RTCP beside it"
    assert not any(caller.drained())


def test_nobody_is_sent_anything_before_both_have_described_themselves(world: World) -> None:
    caller, callee = world.end(), world.end()
    call = Call(world.plane(), caller, callee, ends=(caller.end(), End()), answered=False)
    world.passes(1.1)
    assert not caller.drained(), "a phone might take it for an answer"
    call.put(callee=callee.end())
    caller.receive()


def test_an_end_behind_nat_is_sent_to_where_its_signalling_came_from(world: World) -> None:
    caller, callee = world.end(), world.end()
    hidden = caller.end()._replace(
        rtp=Address("10.255.255.9", caller.port), natted=True, source=caller.host
    )
    call = Call(world.plane(), caller, callee, ends=(hidden, callee.end()))
    assert caller.receive()[1] == call.slots[0].rtp
    mapped = world.end(caller.host, stream=1)
    callee.gets(mapped.send(call.slots[0]))
    mapped.gets(callee.send(call.slots[1]))


def test_a_stranger_s_packets_are_counted_and_go_nowhere(world: World) -> None:
    """No injection, before the end was learned or after; nothing goes to who sends first."""
    call = world.call()
    stranger = world.end(stream=666)
    for dropped in (20, 40):
        data = stranger.send(call.slots[0], 20)
        call.talk()
        until(
            lambda dropped=dropped: (  # type: ignore[misc]
                call.figures()[0]["drops"].get("unexpected-source", 0) == dropped
            )
        )
        assert data not in call.callee.drained()
    assert not stranger.drained()
    assert call.plane.figures()["drops"]["unexpected-source"] == 40


def test_another_port_of_the_same_host_cannot_take_over(world: World) -> None:
    """RTP bleed: a guess at the port of a call that is up."""
    call = world.call()
    call.talk()
    neighbour = world.end(call.caller.host, stream=1)
    neighbour.send(call.slots[0], 20)
    until(lambda: call.figures()[0]["drops"].get("second-source", 0) == 20)
    call.talk()
    assert not neighbour.drained()


def test_a_stranger_at_the_phone_s_own_address_who_sends_first_gets_nothing(world: World) -> None:
    """Behind the same NAT, say: he exchanges no packet while the phone may yet be heard."""
    call = world.call()
    neighbour = world.end(call.caller.host, stream=666)
    data = neighbour.send(call.slots[0], 20)
    until(lambda: call.figures()[0]["drops"] == {"unconfirmed-source": 10})
    assert call.figures()[0]["learned"] == ""
    call.caller.gets(call.callee.send(call.slots[1]))
    call.talk()
    neighbour.send(call.slots[0], 5)
    world.passes(1.1)
    until(
        lambda: call.figures()[0]["drops"] == {"unconfirmed-source": 20, "second-source": 5},
    )
    call.talk()
    assert not neighbour.drained()
    assert data not in call.callee.drained()


def test_a_phone_whose_port_was_rewritten_loses_nothing(world: World) -> None:
    """Its first packets are kept until it is certain that nothing comes from where it said."""
    call = world.call()
    rewritten = world.end(call.caller.host, stream=1)
    world.clock.stand()
    port = call.plane._pairs[call.slots[0].host, call.slots[0].port].rtp
    sent = []
    for number in range(5):
        sent.append(rewritten.send(call.slots[0]))
        until(lambda number=number: len(port.early) + port.packets == number + 1)  # type: ignore[misc]
        world.clock.ahead += 0.04
    for data in sent:
        call.callee.gets(data)
    rewritten.gets(call.callee.send(call.slots[1]))
    assert call.figures()[0]["packets"] == 5
    assert not call.figures()[0]["drops"]


def test_packets_for_a_port_that_serves_nobody(world: World) -> None:
    plane = world.plane()
    (slot,) = plane.lease(next(iter(plane.hosts)), 1)
    world.end().send(slot, 3)
    until(lambda: plane.figures()["drops"].get("no-session", 0) == 3)


def test_rtcp_has_its_own_ports(world: World) -> None:
    call = world.call()
    one, other = (world.end(end.host, port=end.port + 1) for end in (call.caller, call.callee))
    report = receiver_report(99)
    one.sock.sendto(report, tuple(call.slots[0].rtcp))
    assert other.gets(report) == call.slots[1].rtcp
    assert call.figures()[0]["rtcp_packets"] == 1
    assert is_rtcp(report)


def test_rtcp_on_the_port_of_rtp(world: World) -> None:
    caller, callee = world.end(), world.end()
    ends = tuple(end.end(rtcp=end.address) for end in (caller, callee))
    call = Call(world.plane(), caller, callee, ends=(ends[0], ends[1]))
    call.talk()
    report = receiver_report(1)
    caller.sock.sendto(report, tuple(call.slots[0].rtp))
    assert callee.gets(report) == call.slots[1].rtp
    assert call.figures()[0]["lost"] == 0


def test_signalling_leads_to_a_new_address(world: World) -> None:
    call = world.call()
    call.talk()
    old, call.caller = call.caller, world.end(stream=9)
    call.put(caller=call.caller.end())
    call.talk()
    old.drained()
    call.caller.gets(call.callee.send(call.slots[1]))
    old.send(call.slots[0], 3)
    until(lambda: call.figures()[0]["drops"].get("unexpected-source", 0) == 3)
    assert not old.drained()


def test_hold_and_resume(world: World) -> None:
    """Music from who holds passes; both go on after it."""
    call = world.call()
    call.talk()
    talks = call.ends
    call.put(talks[0]._replace(receives=False), talks[1]._replace(sends=False))
    call.callee.gets(call.caller.send(call.slots[0]))
    world.passes(30.0)
    call.callee.gets(call.caller.send(call.slots[0]))
    world.passes(1.1)
    assert not notices(call.plane, "one-way"), "who is to be silent is not missed"
    call.put(*talks)
    call.talk()


def test_a_mapping_that_changes_during_the_call(world: World) -> None:
    call = world.call()
    call.talk()
    moved = world.end(call.caller.host, stream=1)
    moved.sequence = call.caller.sequence
    moved.send(call.slots[0])
    until(lambda: call.figures()[0]["drops"].get("second-source", 0) == 1)
    world.clock.ahead += 2.0
    call.callee.gets(moved.send(call.slots[0]))
    moved.gets(call.callee.send(call.slots[1]))
    assert call.figures()[0]["relearned"] == 1


def test_an_older_revision_changes_nothing(world: World) -> None:
    call = world.call()
    first = call.put()
    call.put(caller=world.end().end())
    call.plane.put(first._replace(revision=1))
    (held,) = call.plane.held()
    assert held.revision == call.revision


def test_a_call_that_is_heard_from_one_side_only(world: World) -> None:
    call = world.call()
    world.passes(1.1)
    for _ in range(8):
        call.caller.send(call.slots[0])
        world.passes(1.1)
    assert notices(call.plane, "one-way") == [("s1", "caller sends, callee does not")]
    call.talk()
    world.passes(1.1)
    assert len(notices(call.plane, "two-way")) == 1


def test_two_ends_that_never_begin_are_suspected(world: World) -> None:
    call = world.call()
    world.passes(1.1)
    world.passes(5.0)
    assert len(notices(call.plane, "deadlock")) == 1


def test_silence_ends_a_session_and_frees_its_ports(world: World) -> None:
    call = world.call(world.plane(silence_s=60.0))
    call.talk()
    world.passes(1.1)
    world.passes(57.0)
    assert call.plane.figures()["sessions"] == 1
    world.passes(4.0)
    until(lambda: call.plane.figures()["sessions"] == 0)
    (ended,) = [notice for notice in call.plane.notices if notice[1] == "ended"]
    assert ended[2] == "silent for 60 s"
    assert ended[3] is not None
    assert ended[3]["streams"][0][0]["packets"] == 8
    assert call.plane.figures()["ports_used"] == 0


def test_each_end_is_told_however_much_there_is_to_tell(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plane_module, "_NOTICES", 2)
    plane = world.plane(silence_s=60.0)
    for number in range(5):
        world.call(plane, name=f"s{number}")
    world.passes(61.0)
    until(lambda: plane.figures()["sessions"] == 0)
    assert sorted(name for name, _ in notices(plane, "ended")) == [f"s{n}" for n in range(5)]
    assert len(plane.notices) <= 5 + 2


def test_two_threads_draw_from_no_pool_at_once() -> None:
    plane = Plane(hosts=[(loopback(), "")], ports=(31000, 48999), kernel=None, silence_s=60.0)
    pools = [getattr(draw, "__self__", None) for draw in (plane._draw, plane._opener._draw)]
    assert None not in pools
    assert pools[0] is not pools[1]
    plane.close()


def test_the_end_gives_figures_and_ports_back(world: World) -> None:
    call = world.call()
    call.talk()
    told = call.plane.end("s1")
    assert told is not None
    assert told["streams"][0][1]["packets"] == 8
    assert call.plane.end("s1") is None
    totals = call.plane.figures()
    assert (totals["sessions"], totals["ports_used"], totals["packets"]) == (0, 0, 16)
    assert (totals["peak"], totals["total"]) == (1, 1)


def test_two_calls_chained_through_one_relay(world: World) -> None:
    """Hairpin: the far end of one is a port of the other, as with two proxies and one farm."""
    plane = world.plane()
    left, right = world.end(stream=1), world.end(stream=2)
    host = next(iter(plane.hosts))
    first, second = (plane.lease(host, 2) for _ in range(2))

    def slot_end(slot: Any) -> End:
        return End(rtp=slot.rtp, rtcp=slot.rtcp, source=host)

    plane.put(
        Session(
            "a", "a", 1, True, (Stream((first[0], first[1]), (left.end(), slot_end(second[0]))),)
        )
    )
    plane.put(
        Session(
            "b", "b", 1, True, (Stream((second[0], second[1]), (slot_end(first[1]), right.end())),)
        )
    )
    for _ in range(8):
        right.gets(left.send(first[0]))
        left.gets(right.send(second[1]))


def test_between_ipv4_and_ipv6(world: World) -> None:
    plane = world.plane(loopback(), "::1")
    call = Call(plane, world.end(stream=1), world.end("::1", stream=2))
    call.talk()


def test_ports_that_are_used_up(world: World) -> None:
    plane = world.plane()
    with pytest.raises(Unavailable, match="no address of this relay"):
        plane.lease("192.0.2.1", 1)
    host = next(iter(plane.hosts))
    slots = plane.lease(host, 20)
    plane.free(slots[:10])
    assert plane.figures()["ports_leased"] == 20
    assert plane.figures()["ports_used"] == 0
    call = world.call(plane)
    plane.free(call.slots)
    call.talk()


def test_the_same_ports_after_a_restart(world: World) -> None:
    call = world.call()
    call.talk()
    (held,) = call.plane.held()
    host = next(iter(call.plane.hosts))
    call.plane.close()
    world.planes.clear()
    call.plane = world.plane(host)
    call.plane.put(held)
    call.talk()


def test_a_port_that_is_taken_meanwhile(world: World) -> None:
    call = world.call()
    (held,) = call.plane.held()
    other = world.plane(next(iter(call.plane.hosts)))
    with pytest.raises(Unavailable, match="in use"):
        other.put(held)
    assert other.figures()["sessions"] == 0
    assert other.figures()["ports_used"] == 0


def test_a_port_serves_one_line_of_a_session(world: World) -> None:
    """Whatever a proxy says that does not know what it is doing."""
    call = world.call()
    call.talk()
    one, other = call.slots
    more = call.plane.lease(one.host, 1)[0]
    for lines in (
        [(one, other), (one, other)], [(one, one)], [(other, one)], [(one, more)], [(more, more)],
        [(one, other), (other, more)],
    ):  # fmt: skip
        told = tuple(Stream(slots, call.ends) for slots in lines)
        with pytest.raises(Unavailable, match="two of its lines"):
            call.plane.put(Session("s1", "call", 2, True, told))
    call.talk()
    call.plane.end("s1")
    world.passes(600.0)
    world.passes(600.0)
    assert call.plane.fault is None


def test_a_session_that_cannot_be_served_leaves_no_port_open(world: World) -> None:
    """The first ports of it are to be had, a later one is somebody else's; what it had stays."""
    call = world.call()
    other = world.plane(next(iter(call.plane.hosts)))
    leased = other.lease(next(iter(other.hosts)), 2)
    ends = (call.caller.end(), call.callee.end())
    good = Stream((leased[0], leased[1]), ends)
    bad = Stream((leased[0], call.slots[0]), ends)
    with pytest.raises(Unavailable, match="in use"):
        other.put(Session("s2", "call", 1, True, (bad,)))
    assert other.figures()["ports_leased"] == 2, "the other one is lent still"
    other.put(Session("s3", "call", 1, True, (good,)))
    bad = Stream((other.lease(leased[0].host, 1)[0], call.slots[0]), ends)
    with pytest.raises(Unavailable, match="in use"):
        other.put(Session("s3", "call", 2, True, (good, bad)))
    assert other.figures()["ports_used"] == 4


# with a kernel that carries


def test_the_kernel_gets_what_is_certain(world: World) -> None:
    kernel, call = settled(world)
    caller, callee = call.slots
    assert set(kernel.table.values()) == {
        Entry(call.caller.address, caller.rtp, callee.rtp, call.callee.address, 8000),
        Entry(call.callee.address, callee.rtp, caller.rtp, call.caller.address, 8000),
    }
    assert all(end["kernel"] for end in call.figures())


def test_the_kernel_gets_nothing_that_may_still_change(world: World) -> None:
    kernel = FakeKernel()
    caller, callee = world.end(stream=1), world.end(stream=2)
    ends = (caller.end(), callee.end()._replace(natted=True))
    call = Call(world.plane(kernel=kernel), caller, callee, ends=ends)
    for _ in range(8):
        callee.gets(caller.send(call.slots[0]))
    assert not kernel.table, "the callee is behind NAT and has not been heard"
    call.talk()
    until(lambda: len(kernel.table) == 2)


def test_a_change_takes_it_back_at_once(world: World) -> None:
    kernel, call = settled(world)
    old = call.caller.address
    call.caller = world.end(stream=4)
    call.put(caller=call.caller.end())
    assert all(old not in (entry.source, entry.target) for entry in kernel.table.values())
    call.talk()
    until(lambda: len(kernel.table) == 2)
    call.plane.end("s1")
    assert not kernel.table


def test_what_the_kernel_counted_is_told(world: World) -> None:
    kernel, call = settled(world)
    key = (call.caller.address, call.slots[0].rtp)
    before = call.figures()[0]["packets"]
    kernel.counts[key] = Carried(500, 86000, 3, 0.002)
    world.passes(1.1)
    assert call.figures()[0]["packets"] == before + 500
    world.passes(1.1)
    assert call.figures()[0]["packets"] == before + 500
    kernel.counts[key] = Carried(700, 120400, 3, 0.002)
    told = call.plane.end("s1")
    assert told is not None
    caller, callee = told["streams"][0]
    assert (caller["packets"], callee["sent"]) == (before + 700, before + 700)
    assert (caller["lost"], caller["jitter_ms"]) == (3, 2.0)


def test_what_comes_back_from_the_kernel_leaves_no_gap(world: World) -> None:
    kernel, call = settled(world)
    kernel.counts[call.caller.address, call.slots[0].rtp] = Carried(500, 86000, 3, 0.002)
    call.put(callee=world.end(stream=9).end())
    assert any(what == "remove" for what, _ in kernel.log)
    call.caller.sequence += 500
    call.caller.send(call.slots[0], 5)
    until(lambda: call.figures()[0]["packets"] >= 505)
    assert call.figures()[0]["lost"] == 3


def test_another_source_at_the_same_address_has_lost_nothing(world: World) -> None:
    call = world.call()
    call.talk()
    before = call.figures()[0]["packets"]
    call.caller.stream, call.caller.sequence = 77, 2500
    call.caller.send(call.slots[0], 5)
    until(lambda: call.figures()[0]["packets"] == before + 5)
    assert call.figures()[0]["lost"] == 0


def test_silence_is_what_the_kernel_does_not_carry_either(world: World) -> None:
    kernel, call = settled(world)
    for count in range(1, 9):
        for key in kernel.table:
            kernel.counts[key] = Carried(count * 50, count * 8600)
        world.passes(20.0)
    assert call.plane.figures()["sessions"] == 1
    world.passes(61.0)
    until(lambda: call.plane.figures()["sessions"] == 0)


def test_a_kernel_that_refuses_leaves_it_to_us(world: World) -> None:
    kernel = FakeKernel()
    kernel.refuses = True
    call = world.call(world.plane(kernel=kernel))
    call.talk(20)
    assert call.plane.figures()["kernel_failures"] > 0
    assert not any(end["kernel"] for end in call.figures())


def test_what_a_former_process_left_is_taken_up(world: World) -> None:
    kernel, call = settled(world)
    (held,) = call.plane.held()
    host = next(iter(call.plane.hosts))
    call.plane.close(keep=True)
    assert kernel.closed is True
    world.planes.clear()
    later = FakeKernel(list(kernel.table.values()))
    call.plane = world.plane(host, kernel=later)
    call.plane.put(held)
    assert not later.log, "it goes on as it was"
    assert all(end["kernel"] and end["locked"] for end in call.figures())
    world.passes(31.0)
    assert len(later.table) == 2


def test_what_nobody_claims_is_removed(world: World) -> None:
    entry = Entry(
        Address("192.0.2.7", 4),
        Address("127.0.0.1", 6),
        Address("127.0.0.1", 8),
        Address("192.0.2.8", 4),
    )
    kernel = FakeKernel([entry])
    world.plane(kernel=kernel)
    world.passes(29.0)
    assert kernel.table
    world.passes(2.0)
    assert not kernel.table


def test_a_fault_of_ours_is_kept_for_who_looks(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    plane = world.plane()

    def fail(now: float) -> None:
        raise ZeroDivisionError

    assert plane.fault is None
    monkeypatch.setattr(plane, "_between", fail)
    until(lambda: isinstance(plane.fault, ZeroDivisionError))


def test_a_clean_end_keeps_nothing(world: World) -> None:
    kernel, call = settled(world)
    call.plane.close()
    assert kernel.closed is False
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(tuple(call.slots[0].rtp))


def test_one_of_two_streams_goes_and_the_other_keeps_its_ports(world: World) -> None:
    """Two phones were called, one of each IP version, and the second one has answered."""
    plane = world.plane()
    caller, first, second = (world.end(stream=number) for number in (1, 2, 3))
    slots = plane.lease(next(iter(plane.hosts)), 4)
    ends = [(caller.end(), one.end()) for one in (first, second)]
    both = tuple(
        Stream((here, there), pair)
        for here, there, pair in zip(slots[::2], slots[1::2], ends, strict=True)
    )
    plane.put(Session("s", "c", 1, False, both))
    for slot in slots[::2]:
        caller.send(slot, 6)
    second.gets(caller.send(slots[2]))
    plane.put(Session("s", "c", 2, True, both[1:]))
    second.gets(caller.send(slots[2]))
    caller.gets(second.send(slots[3]))
    (told,) = plane.sessions()
    assert [end["locked"] for end in told["streams"][0]] == [True, False], "nothing was forgotten"
    assert plane.figures()["ports_used"] == 4, "the others' ports serve nobody"
    plane.end("s")
    assert plane.figures()["ports_used"] == 0


def test_ports_that_rest_are_not_closed_behind_the_back_of_those_who_keep_them(
    world: World,
) -> None:
    """A session comes back that had ended; one of its ports serves another call by now."""
    plane = world.plane()
    host = next(iter(plane.hosts))
    slots = plane.lease(host, 4)
    first, second = (Stream((slots[at], slots[at + 1]), (End(), End())) for at in (0, 2))
    session = Session("s", "c", 1, True, (first, second))
    plane.put(session)
    plane.end("s")
    plane.put(Session("other", "c2", 1, True, (first,)))
    with pytest.raises(Unavailable):
        plane.put(session)
    world.passes(3.0)
    stranger = world.end()
    for slot in plane.lease(host, 8):
        stranger.send(slot)
    until(lambda: plane.figures()["drops"].get("no-session", 0) == 8, "all are open")
