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
