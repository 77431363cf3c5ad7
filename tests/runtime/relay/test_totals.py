"""What a relay has counted in all."""

from collections.abc import Iterator

import pytest

from centrex.base import Unavailable
from centrex.media.terms import Session
from tests.support.planes import World
from tests.support.rtp_ends import until

pytestmark = pytest.mark.wire


@pytest.fixture
def world() -> Iterator[World]:
    made = World()
    yield made
    made.close()


def test_ports_of_calls_leased_spare_and_free_are_all_there_are(world: World) -> None:
    plane = world.plane()
    host = next(iter(plane.hosts))
    everything = 2 * plane.pairs
    assert plane.figures()["ports_free"] == everything
    plane.lease(host, 10)
    call = world.call(plane)

    def ports() -> list[int]:
        told = plane.figures()
        return [told[f"ports_{name}"] for name in ("used", "leased", "spare", "free")]

    assert ports() == [4, 20, 0, everything - 24]
    plane.end(call.name)
    assert ports() == [0, 20, 4, everything - 24]


def test_ports_at_which_no_phone_can_be_served_are_not_free(world: World) -> None:
    """A relay without an `address` has its loopback ones, too."""
    plane = world.plane()
    plane._opener.shown = {host: host for host in ("127.0.0.1", "192.0.2.1", "::1")}
    assert plane.figures()["ports_free"] == 2 * plane.pairs
    plane._opener.shown = {"127.0.0.1": "127.0.0.1", "::1": "::1"}
    assert plane.figures()["ports_free"] == 4 * plane.pairs, "there are no others"


def test_what_goes_out_is_what_came_in_but_for_what_could_not_be_sent(world: World) -> None:
    call = world.call()
    call.talk()
    told = call.plane.figures()
    assert told["packets"] == told["packets_out"] > 0
    assert told["octets"] == told["octets_out"] > 0
    before = told
    call.plane.end(call.name)
    assert {**call.plane.figures(), "sessions": 1} | {
        name: before[name] for name in before if name.startswith("ports")
    } == before, "nothing is lost or counted twice when a call ends"


def test_a_report_that_has_nowhere_to_go_is_no_octet_out(world: World) -> None:
    call = world.call()
    call.talk()
    port = call.plane._pairs[call.slots[0].host, call.slots[0].port].rtcp
    port.peer.send = None  # type: ignore[union-attr]
    before = call.plane.figures()
    control = world.end(call.caller.host, port=call.caller.port + 1)
    control.sock.sendto(b"\x80\xc9\x00\x01abcd", tuple(call.slots[0].rtcp))
    until(lambda: call.plane.figures()["drops"].get("no-target", 0) == 1)
    told = call.plane.figures()
    assert told["octets"] == before["octets"] + 8
    assert told["octets_out"] == before["octets_out"]


def test_sessions_by_how_many_sides_are_not_learned(world: World) -> None:
    call = world.call()

    def waits() -> tuple[int, int, int]:
        told = call.plane.figures()
        return told["unlearned"], told["unlearned_one"], told["unlearned_both"]

    assert waits() == (2, 0, 1)
    call.caller.send(call.slots[0], 5)
    until(lambda: waits() == (1, 1, 0))
    call.callee.send(call.slots[1], 5)
    until(lambda: waits() == (0, 0, 0))


def test_what_was_learned_anew_is_counted_on_when_the_call_is_over(world: World) -> None:
    call = world.call()
    call.talk()
    world.passes(6.0)
    moved = world.end(call.caller.host, stream=5)
    moved.send(call.slots[0], 5)
    until(lambda: sum(len(port.early) for port in call.plane._ports.values()) == 5)
    world.clock.ahead += 0.16
    moved.send(call.slots[0])
    until(lambda: call.plane.figures()["relearned"] == 1)
    call.plane.end(call.name)
    assert call.plane.figures()["relearned"] == 1


def test_ports_that_could_not_be_leased_are_no_refused_calls(world: World) -> None:
    plane = world.plane(ports=(31000, 31199))  # such as no system gives to others unasked
    host = next(iter(plane.hosts))
    assert len(plane.lease(host, plane.pairs)) == 100
    assert plane.lease(host, 5) == []
    told = plane.figures()
    assert (told["refused"], told["ports_free"]) == (0, 0)


def test_a_call_that_cannot_be_served_is_refused(world: World) -> None:
    call = world.call()
    other = world.plane(next(iter(call.plane.hosts)))
    (held,) = call.plane.held()
    with pytest.raises(Unavailable):
        other.put(Session("s9", "call", 1, True, held.streams))
    assert other.figures()["refused"] == 1
    assert other.figures()["total"] == 0
    other.refuse()
    assert other.figures()["refused"] == 2
