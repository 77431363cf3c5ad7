"""Ports of calls that have ended: they rest, are lent again at random, and are given up in the end."""

import socket
from collections.abc import Iterator

import pytest

from centrex.media.terms import Slot
from centrex.runtime.relay.ports import Pair, Port
from centrex.runtime.relay.spares import Spares
from tests.support.planes import World
from tests.support.rtp_ends import until

HOST = "192.0.2.1"


@pytest.fixture
def world() -> Iterator[World]:
    made = World()
    yield made
    made.close()


def pair(number: int, host: str = HOST) -> Pair:
    slot = Slot(host, host, 30000 + 2 * number)
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.close()
    return Pair(slot, Port(sock, slot.rtp, rtcp=False), Port(sock, slot.rtcp, rtcp=True))


def test_a_pair_rests_before_it_is_lent() -> None:
    spares = Spares(lambda below: 0)
    one = pair(1)
    spares.put(one, 10.0)
    assert one.spare
    assert spares.take(HOST, 11.9) is None
    assert spares.take("192.0.2.2", 12.0) is None
    assert spares.take(HOST, 12.0) is one
    assert not one.spare
    assert spares.take(HOST, 12.0) is None
    assert len(spares) == 0


def test_in_a_hurry_it_need_not_rest() -> None:
    spares = Spares(lambda below: 0)
    one = pair(1)
    spares.put(one, 10.0)
    assert spares.take(HOST, 10.0, hurry=True) is one


def test_which_one_is_drawn() -> None:
    spares = Spares(lambda below: below // 2)
    many = [pair(number) for number in range(5)]
    for one in many:
        spares.put(one, 0.0)
    taken = [spares.take(HOST, 5.0) for _ in many]
    assert set(taken) == set(many)
    assert taken != many


def test_one_that_was_claimed_is_lent_to_nobody_else() -> None:
    spares = Spares(lambda below: 0)
    one, other = pair(1), pair(2)
    for each in (one, other):
        spares.put(each, 0.0)
    spares.claim(one)
    assert not one.spare
    assert len(spares) == 1
    assert spares.take(HOST, 5.0) is other
    assert spares.take(HOST, 5.0) is None
    spares.put(one, 6.0)
    assert spares.take(HOST, 9.0) is one


def test_what_nobody_needs_is_given_up() -> None:
    spares = Spares(lambda below: 0)
    old, young = pair(1), pair(2)
    spares.put(old, 0.0)
    spares.put(young, 50.0)
    assert list(spares.overdue(61.0)) == [old]
    assert len(spares) == 1
    assert spares.take(HOST, 61.0) is young


# in a plane


def test_a_later_call_gets_the_ports_of_an_earlier_one(world: World) -> None:
    call = world.call()
    call.talk()
    slots = set(call.slots)
    late = call.caller
    call.plane.end("s1")
    assert call.plane.figures()["ports_used"] == 0
    late.send(call.slots[0], 3)
    until(lambda: call.plane.figures()["drops"].get("no-session", 0) == 3)
    assert not slots & set(call.plane.lease(call.slots[0].host, 2)), "they rest"
    world.passes(3)
    again = call.plane.lease(call.slots[0].host, 2)
    assert set(again) == slots
    assert call.plane.figures()["drops"]["no-session"] == 3, "counted once"


def test_a_session_that_names_its_old_ports_gets_them(world: World) -> None:
    """Ended at the relay, still there for the proxy, which tells it again."""
    call = world.call()
    call.talk()
    call.plane.end("s1")
    call.put(answered=True)
    call.talk()
    call.plane.end("s1")
    world.passes(3)
    assert len(set(call.plane.lease(call.slots[0].host, 4))) == 4


def test_nothing_of_a_former_call_is_left_in_a_port(world: World) -> None:
    call = world.call()
    call.talk()
    call.plane.end("s1")
    before = call.plane.figures()["packets"]
    world.passes(3)
    slots = call.plane.lease(call.slots[0].host, 2)
    for slot in slots:
        port = call.plane._pairs[slot.host, slot.port].rtp
        assert (port.packets, port.source, port.target, port.latch.source) == (0, None, None, None)
        assert port.connected is None
    assert call.plane.figures()["packets"] == before
