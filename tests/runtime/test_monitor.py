import json
import socket
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from centrex.base import Unavailable
from centrex.runtime import monitor
from centrex.runtime.monitor import (
    AddressWatch,
    Held,
    Move,
    interface_addresses,
    remember,
    stand_ins,
)
from tests.support.engine import Machine

LO = Held("lo", 4, 254, "127.0.0.1")
OLD = Held("eth0", 4, 0, "192.0.2.7")
NEW = Held("eth0", 4, 0, "192.0.2.9")
linux = pytest.mark.skipif(sys.platform != "linux", reason="rtnetlink is Linux's")


@linux
def test_the_kernel_tells_the_loopback_address() -> None:
    assert LO in interface_addresses()


@linux
def test_of_a_point_to_point_link_our_own_end_is_told() -> None:
    """In a network of its own, where that is allowed."""
    program = """
import ctypes, os, socket, struct, sys
if ctypes.CDLL(None, use_errno=True).unshare(0x40000000 | (0 if os.geteuid() == 0 else 0x10000000)):
    sys.exit(77)
from centrex.runtime.monitor import interface_addresses
sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
def attribute(kind, value):
    return struct.pack("=HH", 4 + len(value), kind) + value
body = struct.pack("=BBBBI", 2, 32, 0, 0, socket.if_nametoindex("lo"))
body += attribute(2, socket.inet_aton("192.0.2.1")) + attribute(1, socket.inet_aton("192.0.2.2"))
sock.send(struct.pack("=IHHII", 16 + len(body), 20, 0x605, 1, 0) + body)
code = struct.unpack_from("=i", sock.recv(4096), 16)[0]
if code:
    sys.exit(77)
print([tuple(one) for one in interface_addresses() if one.version == 4])
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=25
    )
    if done.returncode == 77:
        pytest.skip("no network namespace can be made here")
    assert done.stdout.strip() == "[('lo', 4, 0, '192.0.2.1')]", done.stderr


def test_elsewhere_it_is_said_plainly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(Unavailable, match="on Linux only"):
        interface_addresses()


def answer(*attributes: tuple[int, bytes], family: int = 2, flags: int = 0) -> bytes:
    body = struct.pack("=BBBBI", family, 24, flags, 0, socket.if_nametoindex("lo"))
    for kind, value in attributes:
        body += struct.pack("=HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)
    return struct.pack("=IHHII", 16 + len(body), 20, 2, 1, 0) + body


V4, V6 = socket.inet_aton("192.0.2.1"), socket.inet_pton(socket.AF_INET6, "2001:db8::1")


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (answer((1, V4)), ["192.0.2.1"]),
        (answer((3, b"label\0"), (1, V4)), ["192.0.2.1"]),
        (answer((1, b"\xff" * 4), (2, V4)), ["192.0.2.1"]),
        (answer((1, V6), family=10), ["2001:db8::1"]),
        (answer((1, V6), family=10, flags=0x40), []),
        (answer((1, V6), (8, struct.pack("=I", 0x20)), family=10, flags=0x80), []),
        (answer((1, V6)), []),
        (answer((1, V4), family=99), []),
        (answer(), []),
        (answer((1, V4)) + answer((1, V4)), ["192.0.2.1"] * 2),
    ],
)
@linux
def test_addresses_are_read_from_the_kernels_answer(data: bytes, found: list[str]) -> None:
    held: list[Held] = []
    assert monitor._read(data, held)
    assert [one.address for one in held] == found


def test_the_end_and_a_refusal_are_told_apart() -> None:
    assert not monitor._read(struct.pack("=IHHII", 20, 3, 2, 1, 0) + bytes(4), [])
    with pytest.raises(OSError, match="refuses"):
        monitor._read(struct.pack("=IHHII", 36, 2, 0, 1, 0) + bytes(20), [])
    with pytest.raises(OSError, match="refuses"):
        monitor._read(struct.pack("=IHHII", 3, 20, 0, 1, 0), [])


def test_an_interface_that_has_gone_meanwhile_holds_nothing() -> None:
    body = struct.pack("=BBBBI", 2, 24, 0, 0, 2**31 - 1) + struct.pack("=HH", 8, 1) + V4
    assert monitor._held(body) is None


def test_a_new_address_of_the_same_interface_is_a_move() -> None:
    machine = Machine(LO, OLD)
    watch = AddressWatch([OLD.address], machine)
    assert watch.look() == []
    machine.held = [LO, NEW]
    move = Move(OLD.address, NEW.address, "eth0")
    assert watch.look() == [move]
    assert watch.vanished == {OLD.address}
    assert watch.look() == [move]
    assert watch.vanished == frozenset()
    assert watch.gone == (), "something takes its place"
    watch.moved(move)
    assert watch.look() == []
    machine.held = [LO, OLD]
    assert watch.look() == [Move(NEW.address, OLD.address, "eth0")]


@pytest.mark.parametrize(
    "other",
    [
        Held("eth1", 4, 0, "192.0.2.9"),
        Held("eth0", 6, 0, "2001:db8::9"),
        Held("eth0", 4, 253, "169.254.1.1"),
    ],
    ids=["another interface", "another version", "another scope"],
)
def test_another_address_is_no_move(other: Held) -> None:
    machine = Machine(OLD)
    watch = AddressWatch([OLD.address], machine)
    machine.held = [other]
    assert watch.look() == []


def test_an_address_that_comes_back_was_never_gone() -> None:
    machine = Machine(OLD)
    watch = AddressWatch([OLD.address], machine)
    machine.held = []
    assert watch.look() == []
    assert list(watch.gone) == [OLD]
    machine.held = [OLD]
    assert watch.look() == []
    assert list(watch.gone) == []


def test_an_address_that_is_new_goes_before_one_that_was_there() -> None:
    spare = Held("eth0", 4, 0, "192.0.2.8")
    machine = Machine(spare, OLD)
    watch = AddressWatch([OLD.address], machine)
    machine.held = [spare, NEW]
    assert [move.new for move in watch.look()] == [NEW.address]


def test_two_addresses_do_not_move_to_one() -> None:
    second = Held("eth0", 4, 0, "192.0.2.8")
    machine = Machine(OLD, second)
    watch = AddressWatch([OLD.address, second.address], machine)
    machine.held = [NEW]
    assert watch.look() == [Move(OLD.address, NEW.address, "eth0")]


def test_what_no_interface_holds_is_not_watched() -> None:
    watch = AddressWatch(["0.0.0.0", "::", "203.0.113.1", OLD.address], Machine(OLD))
    assert watch.unwatched == ("203.0.113.1",)
    assert watch.interfaces == {OLD.address: "eth0"}


def test_the_interface_stands_in_for_an_address_that_has_gone(tmp_path: Path) -> None:
    path = tmp_path / "addresses.json"
    remember({OLD.address: "eth0"}, path)
    remember({}, path)
    before = path.stat().st_ino
    remember({OLD.address: "eth0"}, path)
    assert path.stat().st_ino == before
    hosts = [OLD.address, "0.0.0.0", "203.0.113.1"]
    assert stand_ins(hosts, path, Machine(OLD, NEW)) == hosts
    assert stand_ins(hosts, path, Machine(NEW)) == [NEW.address, *hosts[1:]]
    assert stand_ins(hosts, path, Machine(LO)) == hosts
    assert stand_ins([OLD.address, NEW.address], path, Machine(NEW)) == [OLD.address, NEW.address]
    path.write_text("[" * 100_000)
    assert stand_ins(hosts, path, Machine(NEW)) == hosts, "spoilt"


@pytest.mark.parametrize("content", [b"", b"[]", b"\xff", b'"x"'])
def test_a_spoilt_memory_is_none(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "addresses.json"
    path.write_bytes(content)
    assert stand_ins([OLD.address], path, Machine(NEW)) == [OLD.address]
    remember({OLD.address: "eth0"}, path)
    assert json.loads(path.read_bytes()) == {OLD.address: "eth0"}
