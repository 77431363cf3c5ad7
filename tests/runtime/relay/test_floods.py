"""Ends that send more than any phone does, and packets that go in a circle through several relays."""

import itertools
import time
from collections.abc import Iterator

import pytest

from centrex.media.terms import End, Session, Stream
from centrex.runtime.relay import floods
from centrex.runtime.relay.plane import Plane
from tests.support.fake_kernel import FakeKernel
from tests.support.planes import World, settled
from tests.support.ports import loopback
from tests.support.rtp_ends import Call, until

pytestmark = pytest.mark.wire
LESS = 200


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.setattr(floods, "MOST", LESS)
    made = World()
    yield made
    made.close()


def flood(call: Call, count: int) -> None:
    """Have the caller send, and wait until it is taken in."""
    before = call.figures()[0]["packets"]
    for sent in range(0, count, 20):
        call.caller.send(call.slots[0], 20)
        until(lambda sent=sent: call.figures()[0]["packets"] >= before + sent + 20)  # type: ignore[misc]
    call.callee.drained()


def flooded(world: World) -> Call:
    """Return a call whose caller has just sent too much."""
    world.clock.stand()
    call = world.call()
    call.talk()
    world.passes(1.1)
    flood(call, LESS + 60)
    world.passes(1.0)
    return call


def quiet_again(world: World) -> None:
    """Let the end rest, and have it read again."""
    world.clock.ahead += 1.1
    for plane in world.planes:
        plane._wake()
        until(lambda plane=plane: not plane._floods._until)  # type: ignore[misc]


def test_an_end_that_floods_is_not_read_for_a_second(world: World) -> None:
    call = flooded(world)
    assert [notice[:3] for notice in call.plane.notices] == [
        (
            "s1",
            "flood",
            "caller sends more than 200 packets a second; nothing of it passes for a while",
        )
    ]
    call.caller.send(call.slots[0], 10)
    call.caller.gets(call.callee.send(call.slots[1]))  # the other side still speaks
    time.sleep(0.1)
    assert call.callee.drained() == []
    quiet_again(world)
    assert call.figures()[0]["drops"] == {"flood": 10}
    call.talk()
    world.passes(1.1)
    assert len(call.plane.notices) == 1


def test_it_is_seen_where_its_packets_take_a_lane(world: World) -> None:
    world.clock.stand()
    call = world.call()
    for _ in range(4):
        call.talk()
        world.passes(1.0)
    port = call.plane._pairs[call.slots[0].host, call.slots[0].port].rtp
    until(lambda: port.lane >= 0)
    flood(call, LESS + 200)
    world.passes(1.0)
    assert [notice[1] for notice in call.plane.notices] == ["flood"]
    call.caller.send(call.slots[0], 10)
    quiet_again(world)
    assert call.figures()[0]["drops"] == {"flood": 10}
    call.talk()


def test_it_is_told_once_for_each_call(world: World) -> None:
    world.clock.stand()
    call = world.call()
    call.talk()
    for _ in range(2):
        world.passes(1.1)
        flood(call, LESS + 60)
        world.passes(1.0)
        quiet_again(world)
    assert [notice[1] for notice in call.plane.notices] == ["flood"]


def test_a_port_that_was_flooded_is_read_for_its_next_call(world: World) -> None:
    call = flooded(world)
    assert call.plane._floods._until
    call.plane.end("s1")
    assert not call.plane._floods._until
    pair = call.plane._pairs[call.slots[0].host, call.slots[0].port]
    call.caller.send(call.slots[0])
    until(lambda: pair.rtp.drops == {"no-session": 1})


def test_what_comes_in_many_seconds_is_no_flood(world: World) -> None:
    world.clock.stand()
    call = world.call()
    for _ in range(4):
        call.talk(LESS // 4)
        world.passes(1.0)
    assert not call.plane.notices


def test_what_the_kernel_carries_is_its_own_affair(world: World) -> None:
    world.clock.stand()
    kernel, call = settled(world)
    assert isinstance(kernel, FakeKernel)
    call.plane.notices.clear()
    for port in (pair.rtp for pair in call.plane._pairs.values()):
        with call.plane._lock:
            port.packets += 100 * LESS
    world.passes(1.0)
    assert not call.plane.notices


def test_a_circle_through_two_relays_comes_to_its_end(world: World) -> None:
    """Each of them sees a call like any other; what one sends the other sends back."""
    first, second = world.plane(loopback()), world.plane(loopback())
    slots = {plane: plane.lease(next(iter(plane.hosts)), 2) for plane in (first, second)}
    for plane, other in itertools.permutations((first, second)):
        one, two = slots[plane]
        ends = [End(rtp=far.rtp, rtcp=far.rtcp, source=far.host) for far in slots[other]]
        plane.put(Session("s1", "call", 1, True, (Stream((one, two), (ends[0], ends[1])),)))
    until(
        lambda: any(notice[1] == "flood" for plane in (first, second) for notice in plane.notices)
    )
    until(lambda: dropped(first) + dropped(second) > 0)
    until(lambda: is_still(first) and is_still(second), "it goes on in its circle")


def dropped(plane: Plane) -> int:
    """Return how much was dropped of what an end has sent too much of."""
    return int(plane.figures()["drops"].get("flood", 0))


def is_still(plane: Plane) -> bool:
    """Whether nothing passes for a moment."""
    before = plane.figures()["packets"]
    time.sleep(0.2)
    return bool(plane.figures()["packets"] - before < 4)
