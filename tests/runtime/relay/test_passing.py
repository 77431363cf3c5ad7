"""What becomes of packets: early ones, strangers' ones, and those of ends that are certain."""

import socket
import struct
import time
from collections.abc import Iterator

import pytest

from centrex.media.terms import End, Session, Slot, Stream
from centrex.runtime.relay.plane import Plane
from tests.support.fake_kernel import FakeKernel
from tests.support.planes import World
from tests.support.ports import loopback
from tests.support.rtp_ends import Call, until

pytestmark = pytest.mark.wire


@pytest.fixture
def world() -> Iterator[World]:
    made = World()
    yield made
    made.close()


# packets that come too early


def test_what_comes_before_the_answer_is_kept_for_a_moment(world: World) -> None:
    """The caller speaks before it is known where the callee is; nothing is lost, all in order."""
    world.clock.stand()
    caller, callee = world.end(stream=1), world.end(stream=2)
    call = Call(world.plane(), caller, callee, ends=(caller.end(), End()), answered=False)
    sent = [caller.send(call.slots[0]) for _ in range(6)]
    call.put(callee=callee.end(), answered=True)
    sent.append(caller.send(call.slots[0]))
    for data in sent:
        assert callee.receive()[0] == data
    assert not call.figures()[0]["drops"]
    assert call.figures()[0]["packets"] == 7


def test_an_end_that_sends_before_its_answer_is_seen(world: World) -> None:
    """Its packets overtake its answer; a stranger's among them are found out."""
    world.clock.stand()
    caller, callee, stranger = world.end(stream=1), world.end(stream=2), world.end(stream=6)
    call = Call(world.plane(), caller, callee, ends=(caller.end(), End()), answered=False)
    sent = []
    for _ in range(3):
        sent.append(callee.send(call.slots[1]))
        stranger.send(call.slots[1])
    kept = call.plane._pairs[call.slots[1].host, call.slots[1].port].rtp.early
    until(lambda: len(kept) == 6)
    assert not call.figures()[1]["drops"]
    call.put(callee=callee.end(), answered=True)
    for data in sent:
        assert caller.receive()[0] == data
    assert call.figures()[1]["drops"] == {"unexpected-source": 3}
    assert call.figures()[1]["packets"] == 3


def test_what_comes_before_the_relay_is_told_of_a_call_is_kept_too(world: World) -> None:
    """The answer and the first packets leave the callee together; the relay is told a moment later."""
    world.clock.stand()
    plane = world.plane()
    caller, callee, stranger = world.end(stream=1), world.end(stream=2), world.end(stream=6)
    slots = plane.lease(next(iter(plane.hosts)), 2)
    sent = [callee.send(slots[1]) for _ in range(5)]
    stranger.send(slots[1])
    port = plane._pairs[slots[1].host, slots[1].port].rtp
    until(lambda: len(port.early) == 6)
    told = Stream((slots[0], slots[1]), (caller.end(), callee.end()))
    plane.put(Session("s1", "call", 1, True, (told,)))
    assert [caller.receive()[0] for _ in range(5)] == sent
    assert plane.figures()["drops"] == {"unexpected-source": 1}
    assert not plane._passing.waiting or not port.early


def test_what_comes_to_a_port_that_never_gets_a_call_is_counted(world: World) -> None:
    world.clock.stand()
    plane = world.plane()
    (slot,) = plane.lease(next(iter(plane.hosts)), 1)
    world.end().send(slot, 30)
    port = plane._pairs[slot.host, slot.port].rtp
    until(lambda: plane.figures()["drops"].get("no-session", 0) == 20)
    assert len(port.early) == 10
    world.passes(1.1)
    until(lambda: plane.figures()["drops"]["no-session"] == 30)
    assert not plane._passing.waiting


def test_no_more_is_kept_than_a_moment_s_speech(world: World) -> None:
    world.clock.stand()
    caller, callee = world.end(stream=1), world.end(stream=2)
    call = Call(world.plane(), caller, callee, ends=(caller.end(), End()), answered=False)
    sent = [caller.send(call.slots[0]) for _ in range(14)]
    until(lambda: call.figures()[0]["drops"] == {"no-target": 4})
    caller.sock.sendto(sent[0] + bytes(4000), tuple(call.slots[0].rtp))
    until(lambda: call.figures()[0]["drops"] == {"no-target": 5})
    call.put(callee=callee.end(), answered=True)
    assert [callee.receive()[0] for _ in range(10)] == sent[4:]


def test_what_was_kept_for_too_long_is_not_sent_any_more(world: World) -> None:
    world.clock.stand()
    caller, callee, stranger = world.end(stream=1), world.end(stream=2), world.end()
    call = Call(world.plane(), caller, callee, ends=(caller.end(), End()), answered=False)
    early = [caller.send(call.slots[0]) for _ in range(3)]
    stranger.send(call.slots[1], 2)
    until(lambda: sum(len(port.early) for port in call.plane._ports.values()) == 5)
    world.passes(1.1)
    until(lambda: call.figures()[0]["drops"] == {"no-target": 3})
    until(lambda: call.figures()[1]["drops"] == {"unexpected-source": 2})
    caller.send(call.slots[0])
    told = call.plane.end("s1")
    assert told is not None
    assert not any(data in callee.drained() for data in early)


def test_what_was_early_leaves_before_the_kernel_takes_over(world: World) -> None:
    kernel = FakeKernel()
    caller, callee = world.end(stream=1), world.end(stream=2)
    call = Call(
        world.plane(kernel=kernel), caller, callee, ends=(caller.end(), End()), answered=False
    )
    world.clock.stand()
    sent = [caller.send(call.slots[0]) for _ in range(8)]
    until(lambda: sum(len(port.early) for port in call.plane._ports.values()) == 8)
    call.put(callee=callee.end(), answered=True)
    assert [callee.receive()[0] for _ in range(8)] == sent
    world.clock.go_on()
    until(lambda: (caller.address, call.slots[0].rtp) in kernel.table)


# calls that lead to ports of the relay itself


def leads(*slots: Slot, shown: str = "") -> tuple[End, ...]:
    """Return ends that are ports of the relay, as a description may name them."""
    return tuple(
        End(
            rtp=slot.rtp._replace(host=shown or slot.host),
            rtcp=slot.rtcp._replace(host=shown or slot.host),
            source=shown or slot.host,
        )
        for slot in slots
    )


def put(
    plane: Plane, name: str, slots: list[Slot], ends: tuple[End, ...], revision: int = 1
) -> None:
    told = Stream((slots[0], slots[1]), (ends[0], ends[1]))
    plane.put(Session(name, "call", revision, True, (told,)))


def test_one_call_leads_to_another_one(world: World) -> None:
    """A phone system between two calls, that leaves the media to us."""
    plane, alice, bob = world.plane(), world.end(stream=1), world.end(stream=2)
    one, two, three, four = slots = plane.lease(next(iter(plane.hosts)), 4)
    put(plane, "s1", slots[:2], (alice.end(), *leads(three)))
    put(plane, "s2", slots[2:], (*leads(two), bob.end()))
    for _ in range(8):
        bob.gets(alice.send(one))
        alice.gets(bob.send(four))


@pytest.mark.parametrize("shown", ["", "203.0.113.5"])
def test_no_packet_goes_round_in_a_circle(world: World, shown: str) -> None:
    """One who calls himself could else keep the relay busy for ever with the packet that opens his NAT."""
    plane = world.plane()
    host = next(iter(plane.hosts))
    one, two, three, four = slots = plane.lease(host, 4)
    if shown:
        plane.offer([(host, shown)])
    put(plane, "s1", slots[:2], leads(four, three, shown=shown))
    put(plane, "s2", slots[2:], leads(two, one, shown=shown))
    ports = [plane._pairs[slot.host, slot.port].rtp for slot in slots]
    assert [port.target is None for port in ports] == [False, False, True, True]
    if shown:
        return
    until(lambda: plane.figures()["drops"].get("circle", 0) > 0)
    for _ in range(5):
        world.passes(5.1)
    assert plane.figures()["packets"] < 100


def test_one_that_leads_to_itself(world: World) -> None:
    plane, alice, bob = world.plane(), world.end(stream=1), world.end(stream=2)
    slots = plane.lease(next(iter(plane.hosts)), 2)
    put(plane, "s1", slots, leads(*reversed(slots)))
    until(lambda: plane.figures()["drops"].get("circle", 0) > 0)
    put(plane, "s1", slots, (alice.end(), bob.end()), 2)
    for _ in range(8):
        bob.gets(alice.send(slots[0]))
        alice.gets(bob.send(slots[1]))


def test_what_led_in_a_circle_may_not_any_more(world: World) -> None:
    plane, alice, bob = world.plane(), world.end(stream=1), world.end(stream=2)
    one, two, three, four = slots = plane.lease(next(iter(plane.hosts)), 4)
    put(plane, "s1", slots[:2], leads(four, three))
    put(plane, "s2", slots[2:], leads(two, one))
    put(plane, "s1", slots[:2], (alice.end(), *leads(three)), 2)
    put(plane, "s2", slots[2:], (*leads(two), bob.end()), 2)
    three_s = plane._pairs[three.host, three.port].rtp
    until(lambda: three_s.target is not None, "the port before it has opened it by a packet")
    for _ in range(8):
        bob.gets(alice.send(one))
        alice.gets(bob.send(four))


# an end that is certain has a socket of its own


def connected(call: Call) -> list[bool]:
    return [
        call.plane._pairs[slot.host, slot.port].rtp.connected is not None for slot in call.slots
    ]


def in_steady_state(world: World) -> Call:
    call = world.call()
    call.talk()
    until(lambda: connected(call) == [True, True])
    for _ in range(2):
        world.passes(1.1)
        call.talk(1)
    return call


def test_packets_pass_by_sockets_that_are_connected(world: World) -> None:
    call = in_steady_state(world)
    call.talk(20)
    before = [end["packets"] for end in call.figures()]
    assert before == [30, 30]
    assert [end["lost"] for end in call.figures()] == [0, 0]
    assert not call.plane.figures()["drops"]


def test_strangers_find_the_open_socket_and_are_counted(world: World) -> None:
    call = in_steady_state(world)
    stranger, neighbour = world.end(), world.end(call.caller.host, stream=1)
    stranger.send(call.slots[0], 30)
    neighbour.send(call.slots[0], 20)
    until(
        lambda: call.figures()[0]["drops"] == {"unexpected-source": 30, "second-source": 20},
        str(call.figures()[0]["drops"]),
    )
    call.talk()
    assert not stranger.drained()


def test_a_connected_end_that_moves_is_found_again(world: World) -> None:
    call = in_steady_state(world)
    moved = world.end(call.caller.host, stream=1)
    moved.sequence = call.caller.sequence
    world.clock.ahead += 2.0
    call.callee.gets(moved.send(call.slots[0]))
    moved.gets(call.callee.send(call.slots[1]))
    call.caller.drained()
    call.caller = moved
    call.talk()
    until(lambda: connected(call) == [True, True])


def test_signalling_leads_a_connected_end_elsewhere(world: World) -> None:
    call = in_steady_state(world)
    old, call.caller = call.caller, world.end(stream=9)
    call.put(caller=call.caller.end())
    call.talk()
    old.send(call.slots[0], 3)
    until(lambda: call.figures()[0]["drops"].get("unexpected-source", 0) == 3)
    assert connected(call) == [True, True]


def test_an_end_that_is_gone_for_a_moment_loses_nothing_later(world: World) -> None:
    """The network's complaints about a closed port reach a connected socket; packets still leave."""
    call = in_steady_state(world)
    host, port = call.callee.host, call.callee.port
    call.callee.close()
    for _ in range(3):
        call.caller.send(call.slots[0])
        time.sleep(0.02)
    again = world.end(host, port=port, stream=2)
    sent = [call.caller.send(call.slots[0]) for _ in range(3)]
    for data in sent:
        again.gets(data)
    assert call.plane.fault is None
    assert call.figures()[1]["drops"].get("unreachable", 0) > 0


def test_between_ipv4_and_ipv6_by_connected_sockets(world: World) -> None:
    plane = world.plane(loopback(), "::1")
    call = Call(plane, world.end(stream=1), world.end("::1", stream=2))
    call.talk()
    until(lambda: connected(call) == [True, True])
    world.passes(1.1)
    call.talk()


def test_a_port_with_two_sockets_is_nobody_else_s(world: World) -> None:
    call = in_steady_state(world)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as thief:
        thief.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        thief.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        with pytest.raises(OSError, match="in use"):
            thief.bind(tuple(call.slots[0].rtp))
    call.plane.end("s1")
    world.passes(61)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(tuple(call.slots[0].rtp))


def test_when_descriptors_are_scarce_the_open_sockets_do(world: World) -> None:
    plane = world.plane()
    plane._passing._most = 0
    call = world.call(plane)
    call.talk()
    world.passes(1.1)
    call.talk()
    assert connected(call) == [False, False]


# reports


def sender_report(stamp: int) -> bytes:
    ntp = stamp << 16
    return b"\x80\xc8\x00\x06" + struct.pack("!IQ3I", 1, ntp, 1600, 10, 1600)


def receiver_report(stamp: int, *, lost: int, jitter: int) -> bytes:
    return b"\x81\xc9\x00\x07" + struct.pack("!7I", 2, 1, lost, 0, jitter, stamp, 0)


def test_what_an_end_reports_is_told(world: World) -> None:
    call = world.call()
    one, other = (world.end(end.host, port=end.port + 1) for end in (call.caller, call.callee))
    assert [end["reported"] for end in call.figures()] == [None, None]
    report = sender_report(77)
    one.sock.sendto(report, tuple(call.slots[0].rtcp))
    other.gets(report)
    report = receiver_report(77, lost=9, jitter=40)
    other.sock.sendto(report, tuple(call.slots[1].rtcp))
    one.gets(report)
    caller, callee = (end["reported"] for end in call.figures())
    assert caller is None
    assert (callee["lost"], callee["jitter_ms"], callee["lost_percent"]) == (9, 5.0, 0.0)
    assert 0 < callee["round_trip_ms"] < 20_000
    report = receiver_report(77, lost=0xFFFFFB, jitter=40)  # five came twice
    other.sock.sendto(report, tuple(call.slots[1].rtcp))
    one.gets(report)
    assert call.figures()[1]["reported"]["lost"] == 0


def test_reports_on_the_port_of_rtp_are_told_too(world: World) -> None:
    caller, callee = world.end(stream=1), world.end(stream=2)
    ends = [end.end(rtcp=end.address) for end in (caller, callee)]
    call = Call(world.plane(), caller, callee, ends=(ends[0], ends[1]))
    call.talk()
    report = receiver_report(1, lost=3, jitter=8)
    caller.sock.sendto(report, tuple(call.slots[0].rtp))
    callee.gets(report)
    call.talk()
    told = call.figures()[0]
    assert (told["reported"]["lost"], told["reported"]["round_trip_ms"]) == (3, None)
    assert told["lost"] == 0, "a report is no gap in the stream"


def test_the_kernel_gets_no_rtcp(world: World) -> None:
    """It is few packets, and what they report would not be read there."""
    kernel = FakeKernel()
    call = world.call(world.plane(kernel=kernel))
    one, other = (world.end(end.host, port=end.port + 1) for end in (call.caller, call.callee))
    call.talk()
    for number in range(1, 9):
        report = receiver_report(0, lost=number, jitter=8)
        one.sock.sendto(report, tuple(call.slots[0].rtcp))
        other.gets(report)
        other.sock.sendto(report, tuple(call.slots[1].rtcp))
        one.gets(report)
    assert {entry.arrives for entry in kernel.table.values()} == {slot.rtp for slot in call.slots}
    assert [end["reported"]["lost"] for end in call.figures()] == [8, 8]
