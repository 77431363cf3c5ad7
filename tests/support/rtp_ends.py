"""Ends of streams on loopback, and a relay's plane between them."""

import select
import socket
import time
from collections.abc import Callable
from typing import Any

from centrex.media.terms import Address, End, Session, Slot, Stream
from centrex.rtp.packet import primer
from centrex.runtime.relay.plane import Plane

WAIT_S = 10.0


class RtpEnd:
    """A socket that talks RTP."""

    def __init__(self, host: str, *, port: int = 0, stream: int = 7) -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.sock = socket.socket(family, socket.SOCK_DGRAM)
        self.sock.bind((host, port))
        self.sock.settimeout(WAIT_S)
        self.host, self.stream = host, stream
        self.port: int = self.sock.getsockname()[1]
        self.sequence = 0

    @property
    def address(self) -> Address:
        return Address(self.host, self.port)

    def end(self, **more: Any) -> End:
        """Return what signalling would say of it."""
        more.setdefault("rtp", self.address)
        more.setdefault("rtcp", Address(self.host, self.port + 1))
        more.setdefault("source", self.host)
        return End(**more)

    def send(self, slot: Slot | Address, count: int = 1, *, payload: int = 8) -> bytes:
        """Send packets to a slot's RTP port, or an address; return the last one."""
        target = slot.rtp if isinstance(slot, Slot) else slot
        data = b""
        for _ in range(count):
            self.sequence += 1
            data = primer(payload, self.sequence, 160 * self.sequence, self.stream)
            self.sock.sendto(data, tuple(target))
        return data

    def receive(self) -> tuple[bytes, Address]:
        """Return the next packet and where it came from."""
        data, source = self.sock.recvfrom(2048)
        return data, Address(*source[:2])

    def gets(self, data: bytes) -> Address:
        """Wait for one packet, past all others; return where it came from."""
        deadline = time.monotonic() + WAIT_S
        while time.monotonic() < deadline:
            got, source = self.receive()
            if got == data:
                return source
        raise AssertionError("the packet did not come")

    def drained(self) -> list[bytes]:
        """Return what waits."""
        out = []
        while select.select([self.sock], [], [], 0)[0]:
            out.append(self.sock.recv(2048))
        return out

    def close(self) -> None:
        self.sock.close()


class Call:
    """A session of one stream between two ends, through a plane."""

    def __init__(
        self,
        plane: Plane,
        caller: RtpEnd,
        callee: RtpEnd,
        *,
        name: str = "s1",
        answered: bool = True,
        ends: tuple[End, End] | None = None,
    ) -> None:
        self.plane, self.caller, self.callee, self.name = plane, caller, callee, name
        hosts = list(plane.hosts)
        six = [host for host in hosts if ":" in host]
        four = [host for host in hosts if ":" not in host]
        self.slots = tuple(
            plane.lease((six if ":" in end.host else four)[0], 1)[0] for end in (caller, callee)
        )
        self.revision = 0
        self.ends = ends or (caller.end(), callee.end())
        self.put(answered=answered)

    def put(
        self, caller: End | None = None, callee: End | None = None, *, answered: bool = True
    ) -> Session:
        """Tell the plane, with what has changed."""
        self.revision += 1
        self.ends = (caller or self.ends[0], callee or self.ends[1])
        first, second = self.slots
        told = Session(
            self.name, "call", self.revision, answered, (Stream((first, second), self.ends),)
        )
        self.plane.put(told)
        return told

    def figures(self) -> list[dict[str, Any]]:
        """Return caller's and callee's figures."""
        (told,) = self.plane.sessions([self.name])
        ends: list[dict[str, Any]] = told["streams"][0]
        return ends

    def talk(self, count: int = 8) -> None:
        """Have both send, and see that all of it arrives."""
        for one, other, slot in (
            (self.caller, self.callee, self.slots[0]),
            (self.callee, self.caller, self.slots[1]),
        ):
            for _ in range(count):
                other.gets(one.send(slot))


def until(condition: Callable[[], bool], what: str = "") -> None:
    """Wait for something that another thread brings about."""
    deadline = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.005)
