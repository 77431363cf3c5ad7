"""Network namespaces for tests of a data path in the kernel: a relay between two networks.

They have no names: what is left of them goes with the process.
"""

import ctypes
import os
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from centrex.media.terms import Address
from centrex.runtime.relay.kernel import Entry

ARRIVES, LEAVES = Address("10.1.0.1", 30000), Address("10.2.0.1", 30002)
CALLER, CALLEE = Address("10.1.0.2", 4000), Address("10.2.0.2", 5000)
THERE = Entry(CALLER, ARRIVES, LEAVES, CALLEE, 8000)
BACK = Entry(CALLEE, LEAVES, ARRIVES, CALLER, 8000)
"""One stream through the laboratory, and the way back."""
QUIET_S = 0.05
"""How long nothing must come; what comes through these namespaces is there before `send` ends."""
_NEW_NETWORK = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)


def _own() -> int:
    return os.open("/proc/thread-self/ns/net", os.O_RDONLY)


def _enter(namespace: int) -> None:
    if _libc.setns(namespace, _NEW_NETWORK) != 0:
        raise OSError(ctypes.get_errno(), "setns")


class Namespace:
    """A network of its own; only root may make one."""

    def __init__(self) -> None:
        back = _own()
        try:
            if _libc.unshare(_NEW_NETWORK) != 0:
                raise PermissionError(ctypes.get_errno(), "unshare")
            self._file = _own()
            _enter(back)
        finally:
            os.close(back)

    @property
    def path(self) -> str:
        return f"/proc/{os.getpid()}/fd/{self._file}"

    @contextmanager
    def inside(self) -> Iterator[None]:
        """Let this thread, the sockets it opens and the processes it starts be in there."""
        back = _own()
        try:
            _enter(self._file)
            try:
                yield
            finally:
                _enter(back)
        finally:
            os.close(back)

    def run(self, *command: str, given: str = "") -> str:
        with self.inside():
            done = subprocess.run(
                command, input=given, capture_output=True, text=True, timeout=25, check=False
            )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def set(self, sysctl: str, value: str) -> None:
        with self.inside():
            (Path("/proc/sys/net") / sysctl).write_text(value, encoding="ascii")

    def read(self, sysctl: str) -> str:
        with self.inside():
            return (Path("/proc/sys/net") / sysctl).read_text(encoding="ascii").strip()

    def udp(self, host: str, port: int) -> socket.socket:
        """A socket in there, which waits ten seconds at most."""
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with self.inside():
            end = socket.socket(family, socket.SOCK_DGRAM)
        end.settimeout(10)
        end.bind((host, port))
        return end

    def raw(self, family: int, protocol: int) -> socket.socket:
        """A raw socket in there."""
        with self.inside():
            return socket.socket(family, socket.SOCK_RAW, protocol)

    def close(self) -> None:
        os.close(self._file)


@dataclass(frozen=True)
class Lab:
    """A relay's host with one network to its left and one to its right.

    Attributes:
        left: 10.1.0.2, 10.1.0.3 and fd01::2, fd01::3.
        relay: 10.1.0.1, fd01::1 towards the left, 10.2.0.1, fd02::1 towards the right.
        right: 10.2.0.2, fd02::2.
    """

    left: Namespace
    relay: Namespace
    right: Namespace


@contextmanager
def lab() -> Iterator[Lab]:
    """Build it; the relay's host forwards packets."""
    rooms = Lab(Namespace(), Namespace(), Namespace())
    try:
        for room in (rooms.left, rooms.relay, rooms.right):
            for which in ("all", "default"):
                room.set(f"ipv6/conf/{which}/accept_dad", "0")
        links = ["link set lo up"]
        for side, (room, hosts) in enumerate(((rooms.left, "23"), (rooms.right, "2")), start=1):
            links += [
                f"link add to{side} type veth peer name eth0 netns {room.path}",
                f"addr add 10.{side}.0.1/24 dev to{side}",
                f"addr add fd0{side}::1/64 dev to{side} nodad",
                f"link set to{side} up",
            ]
            rooms.relay.run("ip", "-batch", "-", given="\n".join(links))
            there = ["link set lo up", "link set eth0 up"]
            for host in hosts:
                there.append(f"addr add 10.{side}.0.{host}/24 dev eth0")
                there.append(f"addr add fd0{side}::{host}/64 dev eth0 nodad")
            room.run("ip", "-batch", "-", given="\n".join(there))
            links = []
        forward(rooms, True)
        yield rooms
    finally:
        for room in (rooms.left, rooms.relay, rooms.right):
            room.close()


def forward(rooms: Lab, on: bool) -> None:
    """Have the relay's host forward packets, or not."""
    for sysctl in ("ipv4/ip_forward", "ipv6/conf/all/forwarding"):
        rooms.relay.set(sysctl, str(int(on)))


@contextmanager
def narrowed(rooms: Lab, what: str, host: str = CALLEE.host) -> Iterator[None]:
    """Let nothing longer than 1300 octets pass to the right."""
    ip = ("ip", "-6" if ":" in host else "-4")
    links = ((rooms.relay, "to2"), (rooms.right, "eth0"))
    if what == "route":
        rooms.relay.run(*ip, "route", "add", host, "dev", "to2", "mtu", "1300")
    else:
        for room, link in links:
            room.run("ip", "link", "set", link, "mtu", "1300")
    try:
        yield
    finally:
        if what == "route":
            rooms.relay.run(*ip, "route", "del", host, "dev", "to2")
        else:
            for room, link in links:
                room.run("ip", "link", "set", link, "mtu", "1500")


class Ends:
    """Sockets: of the two ends, and the relay's own."""

    def __init__(self, rooms: Lab, there: Entry = THERE) -> None:
        self.caller = rooms.left.udp(*there.source)
        self.callee = rooms.right.udp(*there.target)
        self.facing_caller = rooms.relay.udp(*there.arrives)
        self.facing_callee = rooms.relay.udp(*there.leaves)
        self.all = (self.caller, self.callee, self.facing_caller, self.facing_callee)

    def close(self) -> None:
        for end in self.all:
            end.close()


def received(end: socket.socket) -> tuple[bytes, Address]:
    data, source = end.recvfrom(8192)
    return data, Address(*source[:2])


def nothing_comes(end: socket.socket) -> bool:
    end.settimeout(QUIET_S)
    try:
        end.recv(2048)
    except TimeoutError:
        return True
    else:
        return False
    finally:
        end.settimeout(10)


def in_v6(entry: Entry) -> Entry:
    def other(address: Address) -> Address:
        _, side, _, host = address.host.split(".")
        return Address(f"fd0{side}::{host}", address.port)

    return entry._replace(
        source=other(entry.source),
        arrives=other(entry.arrives),
        leaves=other(entry.leaves),
        target=other(entry.target),
    )
