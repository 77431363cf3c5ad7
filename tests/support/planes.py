"""Planes on loopback for a test, with ends around them and a clock that can be put forward."""

import random
import time
from typing import Any

from centrex.runtime.relay.plane import Plane
from tests.support.fake_kernel import FakeKernel
from tests.support.ports import loopback
from tests.support.rtp_ends import Call, RtpEnd, until


class Clock:
    """A clock that tests can put forward."""

    def __init__(self) -> None:
        self.ahead = 0.0
        self._stands: float | None = None

    def __call__(self) -> float:
        return (time.monotonic() if self._stands is None else self._stands) + self.ahead

    def stand(self) -> None:
        """Let no time pass by itself from now on, however long a busy machine takes."""
        self._stands = time.monotonic()

    def go_on(self) -> None:
        """Let time pass again."""
        self._stands = None


class World:
    """A plane, and what tests made of sockets around it."""

    def __init__(self) -> None:
        self.planes: list[Plane] = []
        self.ends: list[RtpEnd] = []
        self.clock = Clock()

    def plane(
        self,
        *hosts: str,
        kernel: FakeKernel | None = None,
        silence_s: float = 60.0,
        ports: tuple[int, int] = (31000, 48999),
    ) -> Plane:
        made = Plane(
            hosts=[(host, host) for host in hosts or (loopback(),)],
            ports=ports,
            kernel=kernel,
            silence_s=silence_s,
            draw=random.Random(5).randrange,
            clock=self.clock,
        )
        made.start()
        self.planes.append(made)
        return made

    def end(self, host: str = "", **more: Any) -> RtpEnd:
        made = RtpEnd(host or loopback(), **more)
        self.ends.append(made)
        return made

    def call(self, plane: Plane | None = None, **more: Any) -> Call:
        return Call(plane or self.plane(), self.end(stream=1), self.end(stream=2), **more)

    def passes(self, seconds: float) -> None:
        """Let time pass for the planes, and let them notice."""
        for plane in self.planes:
            with plane._lock:  # or else it would see some of them a second later
                plane._round = list(plane._held)
        self.clock.ahead += seconds
        for plane in self.planes:
            looked = plane._look_at
            plane._wake()
            until(lambda plane=plane, looked=looked: plane._look_at > looked)  # type: ignore[misc]

    def close(self) -> None:
        for plane in self.planes:
            plane.close()
        for end in self.ends:
            end.close()


def settled(world: World) -> tuple[FakeKernel, Call]:
    kernel = FakeKernel()
    call = world.call(world.plane(kernel=kernel))
    call.talk()
    until(lambda: len(kernel.table) == 2)
    world.passes(1.1)  # what was sent meanwhile is no part of what the kernel carries
    return kernel, call
