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

from tests.support.nat_lab import PRESERVING, RANDOM, SERVER, NatLab, nat_lab
from tests.support.phones import HELD, INCOMING, REGISTERED, RESUMED, UP
from tests.support.ports import free_port
from tests.support.relay_lab import Namespace
from tests.support.relay_process import SECRET, Relay
from tests.support.server import CentrexServer
from tests.support.tone_phone import TonePhone
from tests.support.wire import control, until

TONES = (440, 1000)


def _may_make_namespaces() -> bool:
    try:
        Namespace().close()
    except OSError:
        return False
    return True


pytestmark = [
    pytest.mark.peer("baresip", "ip", "nft"),
    pytest.mark.slow,
    pytest.mark.timeout(60),
    pytest.mark.skipif(
        not _may_make_namespaces(), reason="no right to make network namespaces (root has it)"
    ),
]


class World:
    """The laboratory with a server and two phones that are registered."""

    def __init__(
        self,
        folder: Path,
        stack: ExitStack,
        nats: tuple[str, str],
        mode: str = "auto",
        offload: str = "auto",
    ) -> None:
        self.lab: NatLab = stack.enter_context(nat_lab(nats))
        stack.enter_context(self.lab.server.inside())
        overrides: dict[str, object] = {"media.mode": mode}
        apart, port = offload == "userspace", free_port("127.0.0.1")
        if apart:
            overrides |= {
                "media.embedded": False,
                "media.secret": SECRET,
                "media.control_port": port,
            }
        self.server = CentrexServer(
            folder, users=["alice", "bob"], address=SERVER, overrides=overrides
        )
        stack.enter_context(self.server)
        if apart:
            stack.enter_context(Relay(folder, "apart", port, host=SERVER, offload=offload))
            until(lambda: [row["state"] for row in self.relays()] == ["available"], timeout=10)
        self.alice, self.bob = (
            stack.enter_context(TonePhone(user, self.server, folder, room, hz))
            for user, room, hz in zip(("alice", "bob"), self.lab.phones, TONES, strict=True)
        )
        for phone in (self.alice, self.bob):
            phone.await_(REGISTERED)

    def call(self) -> None:
        self.alice.dial("bob")
        self.bob.await_(INCOMING)
        self.bob.accept()
        self.alice.await_(UP)
        self.bob.await_(UP)

    def both_hear(self, *, within: float = 5.0) -> None:
        for phone, other in ((self.alice, self.bob), (self.bob, self.alice)):
            assert phone.hears(other.hz, within=within), (
                f"{phone.user} hears nothing of {other.user}"
            )

    def both_are_deaf(self) -> None:
        for phone, other in ((self.alice, self.bob), (self.bob, self.alice)):
            assert not phone.hears(other.hz, within=1.0)

    def relays(self) -> list[dict[str, object]]:
        return list(control(self.server, "relays")["relays"])

    def relay(self) -> dict[str, object]:
        (row,) = self.relays()
        return row


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as opened:
        yield opened


@pytest.mark.parametrize(
    "nats",
    [(PRESERVING, PRESERVING), (RANDOM, RANDOM), (PRESERVING, RANDOM)],
    ids=["preserving", "random", "mixed"],
)
def test_both_hear_each_other(tmp_path: Path, stack: ExitStack, nats: tuple[str, str]) -> None:
    world = World(tmp_path, stack, nats)
    world.call()
    world.both_hear()
    assert world.relay()["sessions"] == 1


def test_both_hear_each_other_without_the_kernel(tmp_path: Path, stack: ExitStack) -> None:
    world = World(tmp_path, stack, (RANDOM, RANDOM), offload="userspace")
    assert world.relay()["path"] == "userspace"
    world.call()
    world.both_hear()


def test_without_a_relay_nobody_hears_anything(tmp_path: Path, stack: ExitStack) -> None:
    world = World(tmp_path, stack, (RANDOM, RANDOM), mode="never")
    world.call()
    world.both_are_deaf()


def test_hold_and_resume(tmp_path: Path, stack: ExitStack) -> None:
    world = World(tmp_path, stack, (RANDOM, RANDOM))
    world.call()
    world.both_hear()
    world.alice.hold()
    world.alice.await_(HELD)
    time.sleep(0.3)  # what was under way arrives
    assert not world.bob.gets(world.alice.hz, within=0.5)
    world.alice.resume()
    world.alice.await_(RESUMED)
    assert world.bob.gets(world.alice.hz, within=3)
    assert world.alice.gets(world.bob.hz, within=3)


def test_a_line_that_drops_and_comes_back(tmp_path: Path, stack: ExitStack) -> None:
    world = World(tmp_path, stack, (RANDOM, RANDOM))
    world.call()
    world.both_hear()
    world.lab.reconnect(0)
    world.both_hear(within=15)


def test_the_relay_is_killed(tmp_path: Path, stack: ExitStack) -> None:
    world = World(tmp_path, stack, (RANDOM, PRESERVING))
    world.call()
    world.both_hear()
    before = world.server.relay_pid
    os.kill(before, signal.SIGKILL)
    world.both_hear(within=5)
    assert until(lambda: world.server.relay_pid not in (0, before))
    world.both_hear()


def test_the_server_is_killed(tmp_path: Path, stack: ExitStack) -> None:
    world = World(tmp_path, stack, (RANDOM, PRESERVING))
    world.call()
    world.both_hear()
    world.server.kill9()
    world.both_hear()
    world.server.start()
    world.both_hear()
    assert until(lambda: world.relay()["sessions"] == 1)
