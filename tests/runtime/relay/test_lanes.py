"""Packets that take the short way between two certain ends: counted as all others, to nobody else."""

import os
import socket
import struct
from collections.abc import Iterator
from typing import Any

import pytest

from centrex.media.terms import Session
from centrex.runtime.relay.lanes import Lanes
from tests.support.planes import World
from tests.support.rtp_ends import Call, until

pytestmark = pytest.mark.wire


@pytest.fixture
def world() -> Iterator[World]:
    made = World()
    yield made
    made.close()


def lanes(call: Call) -> Lanes:
    return call.plane._passing.lanes


def with_lanes(world: World) -> Call:
    """Return a call whose both directions have a lane."""
    call = world.call()
    call.talk()
    ports = [call.plane._pairs[slot.host, slot.port].rtp for slot in call.slots]
    until(lambda: all(port.connected is not None for port in ports))
    for _ in range(2):
        world.passes(1.1)
        call.talk(1)
    until(lambda: all(port.lane >= 0 for port in ports))
    return call


def send(call: Call, number: int, *, octets: int = 160) -> None:
    """Have the caller send a packet of some length, and see that it arrives."""
    caller = call.caller
    data = struct.pack("!BBHII", 0x80, 8, number & 0xFFFF, 160 * number, caller.stream)
    data += os.urandom(octets)
    caller.sock.sendto(data, tuple(call.slots[0].rtp))
    call.callee.gets(data)


def caller_of(call: Call) -> dict[str, Any]:
    return call.figures()[0]


def test_all_that_passes_is_counted(world: World) -> None:
    call = with_lanes(world)
    before, all_before = call.figures(), call.plane.figures()
    call.talk(100)
    for old, new in zip(before, call.figures(), strict=True):
        assert new["packets"] - old["packets"] == new["sent"] - old["sent"] == 100
        assert new["lost"] == 0
    size = len(call.caller.send(call.slots[0]))
    until(lambda: caller_of(call)["packets"] == before[0]["packets"] + 101)
    told = call.plane.figures()
    assert told["packets"] - all_before["packets"] == 201
    assert told["octets"] - all_before["octets"] == 201 * size
    assert told["octets_out"] - all_before["octets_out"] == 201 * size
    ended = call.plane.end("s1")
    assert ended is not None
    assert ended["streams"][0][0]["packets"] == before[0]["packets"] + 101
    assert call.plane.figures()["packets"] == told["packets"]


def test_packets_of_any_length_are_counted_by_it(world: World) -> None:
    call = with_lanes(world)
    before = call.plane.figures()["octets"]
    sizes = [160, 20, 1400, 33, 160, 0, 1900]
    for size in sizes:
        call.caller.sequence += 1
        send(call, call.caller.sequence, octets=size)
    assert call.plane.figures()["octets"] - before == sum(sizes) + 12 * len(sizes)
    assert caller_of(call)["lost"] == 0


def test_what_is_missing_late_or_double_is_told(world: World) -> None:
    call = with_lanes(world)
    number = call.caller.sequence
    for step in (1, 2, 5, 6, 7):
        send(call, number + step)
    assert caller_of(call)["lost"] == 2
    for step in (3, 8, 8, 9):
        send(call, number + step)
    assert caller_of(call)["lost"] == 0, "one came late, one twice"
    before = caller_of(call)["packets"]
    for step in range(10, 40):
        send(call, number + step)
    assert (caller_of(call)["lost"], caller_of(call)["packets"] - before) == (0, 30)


def test_the_numbers_begin_again_after_65535(world: World) -> None:
    call = with_lanes(world)
    for _ in range(2):
        send(call, 65_500)  # the second one says that it is meant
        send(call, 65_501)
    before = caller_of(call)
    for number in range(65_502, 65_580):
        send(call, number)
    told = caller_of(call)
    assert told["packets"] - before["packets"] == 78
    assert told["lost"] == before["lost"]


def test_a_report_among_them_is_read_and_no_gap(world: World) -> None:
    call = with_lanes(world)
    report = b"\x81\xc9\x00\x07" + struct.pack("!7I", 2, 1, 9, 0, 40, 77, 0)
    call.caller.sock.sendto(report, tuple(call.slots[0].rtp))
    call.callee.gets(report)
    call.talk(20)
    assert caller_of(call)["reported"]["lost"] == 9
    assert caller_of(call)["lost"] == 0


def test_jitter_is_still_measured(world: World) -> None:
    call = with_lanes(world)
    for _ in range(64):
        call.caller.sequence += 1
        if call.caller.sequence % 2:
            world.clock.ahead += 0.2
        send(call, call.caller.sequence)
    assert caller_of(call)["jitter_ms"] > 10


def test_silence_counts_from_the_last_packet_that_passed(world: World) -> None:
    call = with_lanes(world)
    world.clock.stand()
    call.talk(3)
    world.clock.ahead += 7.0
    port = call.plane._pairs[call.slots[0].host, call.slots[0].port].rtp
    with call.plane._lock:
        lanes(call).tally(port)
        assert call.plane._clock() - port.heard == pytest.approx(7.0)


def test_a_new_description_closes_both_lanes(world: World) -> None:
    call = with_lanes(world)
    old, call.caller = call.caller, world.end(stream=9)
    call.put(caller=call.caller.end())
    ports = [call.plane._pairs[slot.host, slot.port].rtp for slot in call.slots]
    assert [port.lane for port in ports] == [-1, -1]
    call.talk()
    assert not old.drained()


def test_who_falls_silent_is_missed(world: World) -> None:
    """While all are heard a session is not looked after; from then on it is."""
    call = with_lanes(world)
    for _ in range(5):
        call.talk(1)
        world.passes(0.5)
    assert not call.plane.notices
    for _ in range(36):
        call.callee.gets(call.caller.send(call.slots[0]))
        world.passes(1.0)
    assert [notice[1] for notice in call.plane.notices] == ["one-way"]
    call.talk(1)
    world.passes(0.5)
    assert [notice[1] for notice in call.plane.notices] == ["one-way", "two-way"]
    world.passes(61.0)
    until(lambda: [notice[1] for notice in call.plane.notices][-1] == "ended")


def test_a_lane_does_not_take_over_what_was_heard_on_the_one_before(world: World) -> None:
    call = with_lanes(world)
    port = call.plane._pairs[call.slots[0].host, call.slots[0].port].rtp
    with call.plane._lock:
        made, number = lanes(call), port.lane
        made.close(port)
        heard = port.heard
        made.heard[number] += 60.0  # as if another call had its number meanwhile
        made.open(port)
        assert made.heard[port.lane] == heard


def test_a_session_without_a_line_ends_in_the_end(world: World) -> None:
    plane = world.plane()
    plane.put(Session("s1", "call", 1, True, (None,)))
    for _ in range(3):
        world.passes(1.0)
    assert plane.held()
    world.passes(60.0 * 20)
    until(lambda: not plane.held())


def test_a_number_stays_taken_until_no_packet_can_be_on_its_way() -> None:
    """A packet that was read before its lane was closed is written nowhere, and to nobody else's socket."""
    made = Lanes()
    one, other = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
    for sock in (one, other):
        sock.bind(("127.0.0.1", 0))
    one.connect(other.getsockname())
    number, address = one.fileno(), one.getsockname()
    made.sink(one)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        assert stranger.fileno() != number
        stranger.bind(address)  # the socket is gone
        assert os.write(number, b"on its way") == 10
        other.setblocking(False)
        with pytest.raises(BlockingIOError):
            other.recv(100)
        made.bury()
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.write(number, b"x")
    other.close()
    made.end()


def test_nothing_is_left_open(world: World) -> None:
    before = len(os.listdir("/proc/self/fd"))
    mine = World()
    call = with_lanes(mine)
    for _ in range(3):
        call.put(caller=call.caller.end(source="127.0.0.9"))
        call.talk()
    mine.close()
    for end in mine.ends:
        end.close()
    assert len(os.listdir("/proc/self/fd")) == before
