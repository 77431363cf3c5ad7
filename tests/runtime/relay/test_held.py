"""What is told of a session as the relay holds it."""

from collections.abc import Iterator

import pytest

from tests.support.planes import World
from tests.support.rtp_ends import until

pytestmark = pytest.mark.wire


@pytest.fixture
def world() -> Iterator[World]:
    made = World()
    yield made
    made.close()


def test_a_phone_takes_its_place_back_from_who_was_there_first(world: World) -> None:
    """It began so late that a neighbour was believed; now it goes on, and the neighbour is nobody."""
    call = world.call()
    neighbour = world.end(call.caller.host, stream=666)
    for _ in range(8):
        neighbour.send(call.slots[0])
        world.passes(1.1)
    until(lambda: bool(call.figures()[0]["locked"]))
    call.caller.send(call.slots[0])
    until(lambda: call.figures()[0]["drops"].get("second-source", 0) == 1)
    neighbour.send(call.slots[0])
    world.clock.ahead += 1.1
    call.talk()
    neighbour.send(call.slots[0], 3)
    until(lambda: call.figures()[0]["drops"].get("second-source", 0) == 4)
    assert call.figures()[0]["relearned"] == 1
    world.passes(1.1)
    world.passes(1.1)
    told = [(name, words) for name, kind, words, _ in call.plane.notices if kind == "displaced"]
    was = f"{neighbour.host}:{neighbour.port}"
    assert told == [
        (
            "s1",
            f"what was taken for the caller, at {was}, gave way to what fits better what it said",
        )
    ], "once"


@pytest.mark.parametrize("how", ["end", "drop"])
def test_one_that_is_ended_leaves_nothing_behind(world: World, how: str) -> None:
    call = world.call()
    call.talk()
    told = getattr(call.plane, how)("s1")
    assert (told is None) is (how == "drop"), "whoever drops it wants no figures"
    assert not call.plane.sessions()
    figures = call.plane.figures()
    assert (figures["sessions"], figures["packets"]) == (0, 16), "they count in all"
    assert all(port.owner is None for port in call.plane._ports.values())
    call.caller.send(call.slots[0])
    world.passes(1.1)
    assert call.callee.drained() == []
    getattr(call.plane, how)("s1")


def test_reports_are_a_sign_of_life_in_a_call_on_hold(world: World) -> None:
    call = world.call(world.plane(silence_s=60.0))
    call.talk()
    (held,) = call.plane._held.values()
    heard = held.heard()
    assert held.alive(heard) == (max(heard), heard[1])
    for stream in held.streams:
        assert stream is not None
        stream.pairs[1].rtcp.heard = max(heard) + 5
    assert held.heard() == heard, "they are no media"
    assert held.alive(heard) == (max(heard) + 5, heard[1])
