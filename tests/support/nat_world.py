"""Two phones behind two NATs, registered at a server outside: what tests of voice through NAT begin with."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

from tests.support.nat_lab import OTHER, PRESERVING, RANDOM, SERVER, NatLab, nat_lab
from tests.support.phones import CLOSED, INCOMING, REGISTERED, UP
from tests.support.ports import free_port
from tests.support.relay_process import SECRET, Relay
from tests.support.server import CentrexServer
from tests.support.tap import Tap
from tests.support.tone_phone import TonePhone
from tests.support.wire import control, until

TONES: Final = (440, 1000)
SYMMETRIC: Final = (RANDOM, RANDOM)
MIXED: Final = (RANDOM, PRESERVING)

WITHOUT: Final = {
    "as it comes": (),
    "nftables": ("setpriv", "--bounding-set", "-bpf,-perfmon,-sys_admin"),
    "userspace": ("setpriv", "--bounding-set", "-all"),
}
"""What takes from a server and its relay the privileges for any better data path."""


class World:
    """The laboratory with a server and two phones.

    Args:
        folder: For the files of all.
        stack: Ends it all.
        nats: The kind of NAT before each phone.
        mode: `media.mode`.
        way: One of `WITHOUT`: what the relay may do.
        apart: Whether the relay is on another host, and by its configuration without the kernel.
    """

    def __init__(
        self,
        folder: Path,
        stack: ExitStack,
        nats: tuple[str, str],
        *,
        mode: str = "auto",
        way: str = "as it comes",
        apart: bool = False,
    ) -> None:
        self.lab: NatLab = stack.enter_context(nat_lab(nats))
        stack.enter_context(self.lab.server.inside())
        overrides: dict[str, object] = {"media.mode": mode}
        port = free_port(SERVER)
        if apart:
            overrides |= {
                "media.embedded": False,
                "media.secret": SECRET,
                "media.control_address": SERVER,
                "media.control_port": port,
            }
        self.server = stack.enter_context(
            CentrexServer(
                folder,
                users=["alice", "bob", "carol"],
                address=SERVER,
                overrides=overrides,
                through=WITHOUT[way],
            )
        )
        if apart:
            stack.enter_context(
                Relay(
                    folder,
                    "apart",
                    port,
                    host=OTHER,
                    offload="userspace",
                    proxy=SERVER,
                    room=self.lab.other,
                )
            )
            until(lambda: [row["state"] for row in self._relays()] == ["available"])
        self.alice, self.bob = self.phones = tuple(
            stack.enter_context(TonePhone(user, self.server, folder, room, hz))
            for user, room, hz in zip(("alice", "bob"), self.lab.phones, TONES, strict=True)
        )
        for phone in self.phones:
            phone.await_(REGISTERED)

    def call(self) -> None:
        """Have alice call bob."""
        self.alice.dial("bob")
        self.bob.await_(INCOMING)
        self.bob.accept()
        self.alice.await_(UP)
        self.bob.await_(UP)

    def hang_up(self) -> None:
        """Have alice hang up, and bob hear of it."""
        self.alice.hang_up()
        self.alice.await_(CLOSED)
        self.bob.await_(CLOSED)
        assert until(lambda: not control(self.server, "calls")["calls"])

    def both_hear(self, *, within: float = 15.0) -> None:
        """Assert that each phone records the other's tone, and nothing else."""
        for phone, other in self.pairs:
            assert phone.hears(other.hz, within=within), f"{phone.user} does not hear {other.user}"

    @property
    def pairs(self) -> tuple[tuple[TonePhone, TonePhone], ...]:
        """Each phone with the other."""
        return (self.alice, self.bob), (self.bob, self.alice)

    @contextmanager
    def taps(self) -> Iterator[tuple[Tap, Tap]]:
        """Listen to what each of the two is sent."""
        with self.alice.tap() as alice, self.bob.tap() as bob:
            yield alice, bob

    def relay(self) -> dict[str, object]:
        """Return the one relay's row of `centrex relays`."""
        (row,) = self._relays()
        return row

    def streams(self) -> list[dict[str, Any]]:
        """Return what `centrex relays calls` tells of the one call: of its caller, of its callee."""
        (call,) = control(self.server, "relays.calls", name=self.relay()["name"])["relays.calls"]
        (streams,) = call["streams"]
        return list(streams)

    def _relays(self) -> list[dict[str, object]]:
        return list(control(self.server, "relays")["relays"])
