"""Random commands and packets for a relay's plane: sessions come, change and go while anybody sends."""

import random
from collections import Counter
from typing import Final

from centrex.base import Unavailable
from centrex.media.terms import Address, End, Session, Slot, Stream
from centrex.rtp.packet import primer, receiver_report
from centrex.runtime.relay.plane import Plane
from tests.support.fake_kernel import FakeKernel
from tests.support.planes import World
from tests.support.ports import loopback
from tests.support.rtp_ends import RtpEnd, until

_MOST: Final = 12
"""Sessions at once."""


class PlaneFuzz:
    """One plane under fire.

    Args:
        world: Its world.
        seed: Equal seeds give the same commands.
        in_kernel: Whether something carries streams in its place, now and then refuses, and forgets.

    Attributes:
        counts: What was done.
    """

    def __init__(self, world: World, seed: int, *, in_kernel: bool) -> None:
        self.random = random.Random(seed)
        self.counts: Counter[str] = Counter()
        self._world = world
        self._kernel = FakeKernel() if in_kernel else None
        hosts = (loopback(), loopback(), "::1")
        self.plane: Plane = world.plane(*hosts, kernel=self._kernel)
        self._hosts = hosts
        near = loopback()
        self._ends = [
            world.end(host, stream=n) for n, host in enumerate((near, near, "", "", "::1"))
        ]
        self._slots: list[Slot] = []
        self._sessions: dict[str, Session] = {}
        self._steps = (
            (self._lease, 3), (self._free, 1), (self._begin, 4), (self._change, 6), (self._end, 2),
            (self._send, 40), (self._wait, 2), (self._look, 1), (self._stir, 2),
        )  # fmt: skip

    def run(self, steps: int) -> None:
        """Do so many things, one after the other."""
        doings, weights = zip(*self._steps, strict=True)
        for _ in range(steps):
            doing = self.random.choices(doings, weights)[0]
            self.counts[doing.__name__] += 1
            doing()
            assert self.plane.fault is None, self.plane.fault

    def rest(self) -> None:
        """End everything; see that nothing is left of it."""
        for name in self._sessions:
            self.plane.end(name)
        self.plane.free(self._slots)
        self._world.passes(3600.0)
        self._world.passes(3600.0)
        until(lambda: not self.plane._pairs, "ports stay open")
        told = self.plane.figures()
        assert (told["sessions"], told["ports_used"], told["ports_leased"]) == (0, 0, 0)
        own = {self.plane._bell, self.plane._ticks.number}
        assert self.plane._passing.takes.keys() == own
        assert not self.plane._ports
        assert not self.plane._passing.waiting
        assert self._kernel is None or not self._kernel.table
        assert self.plane.fault is None

    def _lease(self) -> None:
        host = self.random.choice((*self._hosts, "192.0.2.1"))
        try:
            self._slots += self.plane.lease(host, self.random.randrange(6))
        except Unavailable:
            self.counts["not leased"] += 1

    def _free(self) -> None:
        self.plane.free(self.random.sample(self._slots, min(len(self._slots), 3)))

    def _slot(self) -> Slot:
        if self._slots and self.random.random() < 0.9:
            return self.random.choice(self._slots)
        host = self.random.choice((*self._hosts, "192.0.2.1"))
        return Slot(host, host, 2 * self.random.randrange(1, 32_000))

    def _some_end(self) -> End:
        choice = self.random.choice
        at = choice(self._ends)
        rtp = choice((at.address, at.address, None, Address("10.255.255.9", at.port)))
        rtcp = choice((rtp, None if rtp is None else rtp._replace(port=rtp.port % 65_535 + 1)))
        return End(
            rtp, rtcp, choice((at.host, "", "192.0.2.9")), choice((True, False)),
            choice((True, False)), choice((True, False)), choice((0, 8, 99)), choice((8000, 90000)),
            choice((True, True, False)),
        )  # fmt: skip

    def _stream(self) -> Stream | None:
        if self.random.random() < 0.1:
            return None
        return Stream((self._slot(), self._slot()), (self._some_end(), self._some_end()))

    def _put(self, session: Session) -> None:
        try:
            self.plane.put(session)
        except Unavailable:
            self.counts["not put"] += 1
        else:
            self._sessions[session.id] = session

    def _begin(self) -> None:
        if len(self._sessions) >= _MOST:
            return
        name = f"s{self.random.randrange(40)}"
        streams = tuple(self._stream() for _ in range(self.random.randrange(3)))
        self._put(
            Session(name, "call", self.random.randrange(5), self.random.random() < 0.7, streams)
        )

    def _change(self) -> None:
        if not self._sessions:
            return
        session = self.random.choice(list(self._sessions.values()))
        streams = list(session.streams)
        if streams:
            at = self.random.randrange(len(streams))
            stream = streams[at]
            ends = (self._some_end(), self._some_end())
            streams[at] = self._stream() if stream is None else stream._replace(ends=ends)
        if self.random.random() < 0.1:
            streams.append(self._stream())
        revision = session.revision + self.random.choice((1, 1, 1, 0, -1))
        self._put(session._replace(revision=revision, streams=tuple(streams), answered=True))

    def _end(self) -> None:
        name = f"s{self.random.randrange(40)}"
        self._sessions.pop(name, None)
        self.plane.end(name)

    def _send(self) -> None:
        end: RtpEnd = self.random.choice(self._ends)
        slots = [slot for slot in self._slots if (":" in slot.host) == (":" in end.host)]
        if not slots:
            return
        slot = self.random.choice(slots)
        to = self.random.choice((slot.rtp, slot.rtp, slot.rtp, slot.rtcp))
        for _ in range(self.random.choice((1, 1, 1, 8))):
            end.sequence += self.random.choice((1, 1, 1, 1, 7, -3, 40_000))
            usual = primer(8, end.sequence, 160 * end.sequence, end.stream)
            report = receiver_report(end.stream)
            odd = self.random.randbytes(self.random.choice((1, 7, 11, 12, 200)))
            data = self.random.choice((usual, usual, usual, usual, report, odd, b"", bytes(3000)))
            end.sock.sendto(data, tuple(to))

    def _wait(self) -> None:
        self._world.clock.ahead += self.random.choice((0.02, 0.16, 0.5, 2.1, 6.0, 61.0))
        for end in self._ends:
            end.drained()

    def _look(self) -> None:
        known = {row["id"] for row in self.plane.sessions()}
        assert {session.id for session in self.plane.held()} <= known
        assert all(value >= 0 for value in self.plane.figures().values() if isinstance(value, int))

    def _stir(self) -> None:
        kernel = self._kernel
        if kernel is None:
            return
        kernel.refuses = self.random.random() < 0.3
        if kernel.table and self.random.random() < 0.3:
            kernel.table.pop(self.random.choice(list(kernel.table)), None)
