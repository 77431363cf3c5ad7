"""Two phones with the same private address, behind two NATs, hear each other: tones, recorded.

Without a relay the same topology is silent, which is what makes the rest a proof.
"""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from centrex.media.learning import REPLACED_S
from tests.support.nat_lab import OTHER, PRESERVING, ROUTERS
from tests.support.nat_world import MIXED, SYMMETRIC, World
from tests.support.phones import CLOSED, HELD, INCOMING, REGISTERED, RESUMED, UP
from tests.support.relay_lab import Namespace
from tests.support.tap import PACKET_S, Tap
from tests.support.tone_phone import ToneLinphone
from tests.support.tones import samples_of, to_pcmu
from tests.support.wire import until


def _may_make_namespaces() -> bool:
    try:
        Namespace().close()
    except OSError:
        return False
    return True


pytestmark = [
    pytest.mark.peer("baresip", "ip", "nft", "setpriv"),
    pytest.mark.slow,
    pytest.mark.timeout(120),
    pytest.mark.skipif(
        not _may_make_namespaces(), reason="no right to make network namespaces (root has it)"
    ),
]
WAYS = ("as it comes", "userspace")


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as opened:
        yield opened


@pytest.mark.parametrize(
    "nats",
    [(PRESERVING, PRESERVING), SYMMETRIC, MIXED],
    ids=["preserving", "random", "mixed"],
)
def test_both_hear_each_other(tmp_path: Path, stack: ExitStack, nats: tuple[str, str]) -> None:
    """And the relay has heard them where their routers put them."""
    world = World(tmp_path, stack, nats)
    world.call()
    world.both_hear()
    relay = world.relay()
    assert relay["sessions"] == 1
    for stream, router, nat in zip(world.streams(), ROUTERS, nats, strict=True):
        signalled, learned = _place(stream["signalled"]), _place(stream["learned"])
        assert (signalled[0], learned[0]) == ("192.168.1.10", router)
        assert (signalled[1] == learned[1]) == (nat == PRESERVING)
    in_kernel = [relay["path"] == "ebpf"] * 2
    assert until(lambda: [stream["kernel"] for stream in world.streams()] == in_kernel)
    world.hang_up()
    assert until(lambda: world.relay()["sessions"] == 0)


@pytest.mark.parametrize("way", ["nftables", "userspace"])
def test_both_hear_each_other_by_the_lesser_ways(
    tmp_path: Path, stack: ExitStack, way: str
) -> None:
    """A server that may not do more takes the best way it may, unasked, and says why."""
    world = World(tmp_path, stack, SYMMETRIC, way=way)
    world.lab.server.set("ipv4/ip_forward", "1")  # of late, so that it was missed
    world.call()
    world.both_hear()
    relay = world.relay()
    assert relay["path"] == way
    assert ("does not forward" in str(relay["path_why"])) == (way == "nftables")
    assert "eBPF: " in str(relay["path_why"])
    carried = [way != "userspace"] * 2
    assert until(lambda: [stream["kernel"] for stream in world.streams()] == carried)


def test_both_hear_each_other_by_a_relay_on_another_host(tmp_path: Path, stack: ExitStack) -> None:
    world = World(tmp_path, stack, SYMMETRIC, apart=True)
    world.call()
    world.both_hear()
    relay = world.relay()
    assert (relay["name"], relay["path"]) == ("apart", "userspace")
    assert {_place(stream["port"])[0] for stream in world.streams()} == {OTHER}


@pytest.mark.peer("linphonec")
def test_phones_of_different_makers_hear_each_other(tmp_path: Path, stack: ExitStack) -> None:
    """Linphone, which shares bob's address, calls baresip."""
    world = World(tmp_path, stack, SYMMETRIC)
    carol = ToneLinphone("carol", world.server, tmp_path, world.lab.phones[1], 1633)
    stack.enter_context(carol).await_(REGISTERED)
    carol.dial("alice")
    world.alice.await_(INCOMING)
    world.alice.accept()
    carol.await_(UP)
    assert world.alice.hears(carol.hz, within=15)
    time.sleep(0.5)
    carol.hang_up()
    world.alice.await_(CLOSED)
    carol.await_(CLOSED)
    assert until(lambda: carol.has_heard(world.alice.hz))
    assert world.bob.is_deaf()


@pytest.mark.parametrize(
    "nats", [(PRESERVING, PRESERVING), SYMMETRIC], ids=["preserving", "random"]
)
def test_without_a_relay_nobody_hears_anything(
    tmp_path: Path, stack: ExitStack, nats: tuple[str, str]
) -> None:
    """Though both speak: what each is told leads to its own network, as the addresses are the same."""
    world = World(tmp_path, stack, nats, mode="never")
    with world.taps() as taps:
        own = [stack.enter_context(phone.tap("lo")) for phone in world.phones]
        world.call()
        for tap, phone in zip(own, world.phones, strict=True):
            assert tap.comes(phone.hz, seconds=1, within=15), f"{phone.user} does not speak"
        assert [tap.heard() for tap in taps] == [[], []]
    assert all(phone.is_deaf() for phone in world.phones)


@pytest.mark.parametrize("holder", [0, 1], ids=["caller", "callee"])
def test_hold_and_resume(tmp_path: Path, stack: ExitStack, holder: int) -> None:
    world = World(tmp_path, stack, SYMMETRIC)
    phone, other = world.pairs[holder]
    world.call()
    world.both_hear()
    phone.hold()
    phone.await_(HELD)
    time.sleep(0.3)  # what was under way arrives
    with world.taps() as taps:
        assert not taps[1 - holder].comes(phone.hz, within=0.5)
        phone.resume()
        phone.await_(RESUMED)
        assert taps[1 - holder].comes(phone.hz, within=15)
        assert taps[holder].comes(other.hz, within=15)


@pytest.mark.parametrize("way", WAYS)
def test_a_line_that_drops_and_comes_back(tmp_path: Path, stack: ExitStack, way: str) -> None:
    """The caller's NAT has new ports for all it sends, in the middle of the call."""
    world = World(tmp_path, stack, SYMMETRIC, way=way)
    world.call()
    world.both_hear()
    before = [stream["learned"] for stream in world.streams()]
    with world.taps() as taps:
        _both_come(world, taps)
        world.lab.reconnect(0)
        time.sleep(0.3)
        world.both_hear()
        pauses = _pauses(world, taps)
    after = [stream["learned"] for stream in world.streams()]
    assert before[0] != after[0]
    assert before[1] == after[1]
    assert 1 < max(pauses) < 10, "the old port must have been silent for a while"
    world.hang_up()


@pytest.mark.parametrize("way", WAYS)
def test_the_relay_is_killed(tmp_path: Path, stack: ExitStack, way: str) -> None:
    """What the kernel carries goes on; what the process did is done by the next one soon."""
    world = World(tmp_path, stack, MIXED, way=way)
    world.call()
    world.both_hear()
    before = world.server.relay_pid
    in_kernel = world.relay()["path"] == "ebpf"
    with world.taps() as taps:
        _both_come(world, taps)
        killed = time.monotonic()
        os.kill(before, signal.SIGKILL)
        assert until(lambda: world.server.relay_pid not in (0, before))
        assert until(lambda: world.relay()["state"] == "available")
        away_s = 0.0 if in_kernel else time.monotonic() - killed
        world.both_hear()
        assert max(tap.lost() for tap in taps) * PACKET_S < away_s + 0.5
    world.hang_up()


@pytest.mark.parametrize("way", WAYS)
def test_the_server_is_killed(tmp_path: Path, stack: ExitStack, way: str) -> None:
    """And started again: not a packet is lost, and the call can be ended."""
    world = World(tmp_path, stack, MIXED, way=way)
    world.call()
    world.both_hear()
    with world.taps() as taps:
        world.server.kill9()
        world.both_hear()
        world.server.start()
        world.both_hear()
        assert until(lambda: world.relay()["sessions"] == 1)
        for tap in taps:
            numbers = [one.number for one in tap.heard()]
            assert numbers == [(numbers[0] + more) & 0xFFFF for more in range(len(numbers))]
    world.hang_up()


@pytest.mark.parametrize("way", WAYS)
def test_strangers_neither_hear_nor_are_heard(tmp_path: Path, stack: ExitStack, way: str) -> None:
    """Though they know the ports, are where a big NAT might be, and do not give up."""
    world = World(tmp_path, stack, SYMMETRIC, way=way)
    world.call()
    world.both_hear()
    sound = to_pcmu(samples_of(1633, 0.02))
    ports = [_place(stream["port"]) for stream in world.streams()]
    with world.lab.other.udp(OTHER, 0) as stranger, world.taps() as taps:
        end = time.monotonic() + REPLACED_S + 0.5
        sent = 0
        while time.monotonic() < end or min(len(tap.heard()) for tap in taps) <= 100:
            for place in ports:
                stranger.sendto(b"\x80\0" + sent.to_bytes(2) + bytes(8) + sound, place)
            sent += 1
            time.sleep(0.02)
        for tap in taps:
            heard = [one.sound for one in tap.heard()]
            assert sound not in heard
        assert max(tap.lost() for tap in taps) * PACKET_S < 0.5
        stranger.setblocking(False)
        with pytest.raises(BlockingIOError):
            stranger.recv(2048)
    assert until(lambda: min(sum(stream["drops"].values()) for stream in world.streams()) >= sent)
    world.hang_up()


def _heard(world: World) -> tuple[int, int]:
    """Return the tone that the caller is to hear, and the one for the callee."""
    return world.bob.hz, world.alice.hz


def _both_come(world: World, taps: tuple[Tap, Tap]) -> None:
    for tap, hz in zip(taps, _heard(world), strict=True):
        assert tap.comes(hz, within=15)


def _pauses(world: World, taps: tuple[Tap, Tap]) -> list[float]:
    """Return for how long each of the two heard nothing, at the longest."""
    return [tap.pause(hz) for tap, hz in zip(taps, _heard(world), strict=True)]


def _place(told: object) -> tuple[str, int]:
    host, _, port = str(told).rpartition(":")
    return host, int(port)
