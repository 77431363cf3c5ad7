"""What the kernel carries of a stream, and what it does not carry though it should."""

from collections.abc import Iterator

import pytest

from centrex.runtime.relay.kernel import Carried
from tests.support.planes import World, settled
from tests.support.rtp_ends import until

pytestmark = pytest.mark.wire


@pytest.fixture
def world() -> Iterator[World]:
    made = World()
    yield made
    made.close()


def test_what_passes_beside_the_kernel_is_not_lost(world: World) -> None:
    """Fragments, say: the kernel missed them, and they came all the same."""
    kernel, call = settled(world)
    before = call.figures()[0]["packets"]
    key = call.caller.address, call.slots[0].rtp
    call.caller.sequence += 200
    call.callee.gets(call.caller.send(call.slots[0], 5))
    kernel.counts[key] = Carried(300, 51600, 6, 0.002)
    world.passes(1.1)
    until(lambda: call.figures()[0]["packets"] == before + 305)
    assert call.figures()[0]["lost"] == 1, "of the six that it missed, five were seen"
    kernel.counts[key] = Carried(600, 103200, 8, 0.002)
    world.passes(1.1)
    until(lambda: call.figures()[0]["packets"] == before + 605)
    assert call.figures()[0]["lost"] == 3


def test_what_the_kernel_does_not_measure_is_not_told(world: World) -> None:
    """nf_tables counts packets and octets; that nothing was lost on a way is more than it knows."""
    kernel, call = settled(world)
    key = call.caller.address, call.slots[0].rtp
    kernel.counts[key] = Carried(0, 0)
    world.passes(1.1)
    until(lambda: call.figures()[0]["lost"] == 0)  # what came before passed through our sockets
    kernel.counts[key] = Carried(300, 51600)
    world.passes(1.1)
    until(lambda: call.figures()[0]["lost"] is None)
    assert call.figures()[0]["jitter_ms"] is None
    assert call.figures()[1]["lost"] == 0


def test_what_the_kernel_gives_up_is_ours_again(world: World) -> None:
    """The host's firewall drops what the kernel sends on, say."""
    kernel, call = settled(world)
    del kernel.table[call.caller.address, call.slots[0].rtp]
    world.passes(1.1)
    assert [end["kernel"] for end in call.figures()] == [False, True]
    assert call.plane.figures()["kernel_failures"] == 1
    call.talk()
    assert call.figures()[0]["lost"] == 0


def test_a_kernel_that_is_unsure_is_looked_at_soon(world: World) -> None:
    kernel, call = settled(world)
    kernel.unsure = True
    del kernel.table[call.caller.address, call.slots[0].rtp]
    world.clock.ahead += 0.99
    until(lambda: not call.figures()[0]["kernel"])
    del kernel.table[call.callee.address, call.slots[1].rtp]
    looked = call.plane._look_at
    world.clock.ahead += 0.11
    until(lambda: not call.figures()[1]["kernel"])
    assert call.plane._look_at == looked, "before all are looked after"
