"""Streams that the kernel carries by eBPF: between real networks, and octet for octet."""

import ctypes
import multiprocessing
import os
import shutil
import socket
import struct
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from multiprocessing.synchronize import Event
from pathlib import Path

import pytest

from centrex.base import Unavailable
from centrex.media.terms import Address
from centrex.rtp.packet import primer, receiver_report
from centrex.runtime.relay.ebpf import path as path_module
from centrex.runtime.relay.ebpf import syscall
from centrex.runtime.relay.ebpf.elf import read_program
from centrex.runtime.relay.ebpf.path import EbpfPath, open_ebpf
from centrex.runtime.relay.kernel import Carried, Entry
from tests.support.relay_lab import (
    ARRIVES,
    BACK,
    CALLEE,
    CALLER,
    LEAVES,
    THERE,
    Ends,
    Lab,
    forward,
    in_v6,
    lab,
    narrowed,
    nothing_comes,
    received,
)

pytestmark = pytest.mark.peer

SOURCE = Path(str(files("centrex.runtime.relay.ebpf").joinpath("relay.bpf.c")))


@pytest.fixture(scope="module")
def rooms() -> Iterator[Lab]:
    try:
        with lab() as built:
            forward(built, False)  # it needs nobody's permission to forward
            yield built
    except PermissionError:
        pytest.skip("no right to make network namespaces")
    except FileNotFoundError:
        pytest.skip("no `ip` to make network namespaces with")


@contextmanager
def opened(rooms: Lab, name: str = "test", *, limit: int = 100) -> Iterator[EbpfPath]:
    with rooms.relay.inside():
        try:
            made = open_ebpf(name, limit=limit)
        except Unavailable as error:
            pytest.skip(str(error))
        try:
            yield made
        finally:
            made.close(keep=False)


@pytest.fixture
def path(rooms: Lab) -> Iterator[EbpfPath]:
    with opened(rooms) as made:
        yield made


@pytest.fixture
def ends(rooms: Lab) -> Iterator[Ends]:
    made = Ends(rooms)
    yield made
    made.close()


@pytest.mark.parametrize("ip6", [False, True], ids=["IPv4", "IPv6"])
def test_both_ends_hear_each_other_and_are_counted(rooms: Lab, path: EbpfPath, ip6: bool) -> None:
    there, back = (in_v6(THERE), in_v6(BACK)) if ip6 else (THERE, BACK)
    path.install([there, back])
    ends = Ends(rooms, there)
    for length in (0, 1, 172, 1400):
        ends.caller.sendto(bytes(length), there.arrives)
        assert received(ends.callee) == (bytes(length), there.leaves)
    ends.callee.sendto(bytes(172), back.arrives)
    assert received(ends.caller) == (bytes(172), there.arrives)
    assert path.carried() == {there.key: Carried(4, 1573, 0), back.key: Carried(1, 172, 0)}
    assert nothing_comes(ends.facing_caller)
    assert nothing_comes(ends.facing_callee)
    ends.close()


def test_packets_of_others_reach_our_socket(rooms: Lab, path: EbpfPath, ends: Ends) -> None:
    path.install([THERE])
    other = rooms.left.udp("10.1.0.3", 4000)
    other.sendto(b"stranger", ARRIVES)
    assert received(ends.facing_caller) == (b"stranger", Address("10.1.0.3", 4000))
    assert nothing_comes(ends.callee)
    other.close()


def test_it_is_taken_back_at_once_with_its_figures(path: EbpfPath, ends: Ends) -> None:
    path.install([THERE])
    ends.caller.sendto(b"one", ARRIVES)
    received(ends.callee)
    assert path.remove([THERE.key, BACK.key]) == {THERE.key: Carried(1, 3, 0)}
    ends.caller.sendto(b"two", ARRIVES)
    assert received(ends.facing_caller) == (b"two", CALLER)
    assert nothing_comes(ends.callee)
    assert path.entries() == ()


def test_another_target_keeps_the_figures(rooms: Lab, path: EbpfPath, ends: Ends) -> None:
    path.install([THERE])
    ends.caller.sendto(b"one", ARRIVES)
    received(ends.callee)
    path.install([THERE._replace(target=Address("10.2.0.2", 5002))])
    other = rooms.right.udp("10.2.0.2", 5002)
    ends.caller.sendto(b"two", ARRIVES)
    assert received(other)[0] == b"two"
    assert path.carried()[THERE.key] == Carried(2, 6, 0)
    other.close()


def test_hairpin_through_one_interface(rooms: Lab, path: EbpfPath) -> None:
    """Both phones on the same side of the relay."""
    there = Entry(CALLER, ARRIVES, Address("10.1.0.1", 30002), Address("10.1.0.3", 4000), 8000)
    path.install([there])
    caller, callee = rooms.left.udp(*CALLER), rooms.left.udp("10.1.0.3", 4000)
    caller.sendto(b"hello", ARRIVES)
    assert received(callee) == (b"hello", Address("10.1.0.1", 30002))
    caller.close()
    callee.close()


def test_ends_on_the_relay_s_own_host(rooms: Lab, path: EbpfPath) -> None:
    here = "127.0.0.1"
    there = Entry(
        Address(here, 4000), Address(here, 30000), Address(here, 30002), Address(here, 5000), 8000
    )
    path.install([there])
    caller, callee = rooms.relay.udp(*there.source), rooms.relay.udp(*there.target)
    caller.sendto(b"hello", there.arrives)
    assert received(callee) == (b"hello", there.leaves)
    caller.close()
    callee.close()


def test_from_this_host_to_another(rooms: Lab, path: EbpfPath) -> None:
    """The way back, from a wire to this host, is left to our socket, and says so."""
    mine = Address("10.1.0.1", 4000)
    there = Entry(mine, ARRIVES, LEAVES, CALLEE, 8000)
    path.install([there])
    caller, callee = rooms.relay.udp(*mine), rooms.right.udp(*CALLEE)
    caller.sendto(b"hello", ARRIVES)
    assert received(callee) == (b"hello", LEAVES)
    with pytest.raises(Unavailable, match="not for the kernel"):
        path.install([Entry(CALLEE, LEAVES, ARRIVES, mine, 8000)])
    caller.close()
    callee.close()


def test_no_route_is_refused_and_nothing_is_carried(path: EbpfPath) -> None:
    nowhere = THERE._replace(target=Address("203.0.113.9", 5000), source=Address("10.1.0.3", 1))
    with pytest.raises(Unavailable, match="no route"):
        path.install([BACK, nowhere])
    assert path.carried() == {}


def test_a_full_map_refuses_the_whole(rooms: Lab) -> None:
    with opened(rooms, "full", limit=2) as small:
        entries = [THERE._replace(source=Address("10.1.0.2", 4000 + n)) for n in range(600)]
        with pytest.raises(Unavailable, match="no more streams"):
            small.install(entries)
        assert small.carried() == {}


def test_loss_and_jitter(path: EbpfPath, ends: Ends) -> None:
    path.install([THERE])
    for sequence in (65533, 65534, 0, 1, 4, 3, 5):  # 65535, 2 are lost; 3 comes late
        ends.caller.sendto(primer(8, sequence, 160 * sequence, 7), ARRIVES)
        received(ends.callee)
    carried = path.carried()[THERE.key]
    assert (carried.packets, carried.lost) == (7, 2)
    assert 0 < carried.jitter_s < 1
    for sequence in (2000, 2001, 2003):  # another source begins, and misses one
        ends.caller.sendto(primer(8, sequence, 160 * sequence, 8), ARRIVES)
        received(ends.callee)
    assert path.carried()[THERE.key].lost == 3


def test_rtcp_among_rtp_is_ours_to_read(path: EbpfPath, ends: Ends) -> None:
    path.install([THERE, BACK._replace(clock_rate=0)])
    ends.caller.sendto(receiver_report(7), ARRIVES)
    assert received(ends.facing_caller) == (receiver_report(7), CALLER)
    ends.callee.sendto(receiver_report(7), LEAVES)
    assert received(ends.caller) == (receiver_report(7), ARRIVES), "of no interest to anybody"
    assert path.carried()[THERE.key].packets == 0


def test_oversized_and_odd_packets_are_ours(rooms: Lab, path: EbpfPath, ends: Ends) -> None:
    path.install([THERE])
    ends.caller.sendto(bytes(4000), ARRIVES)  # fragments
    assert received(ends.facing_caller)[0] == bytes(4000)
    ends.caller.setsockopt(socket.IPPROTO_IP, socket.IP_OPTIONS, b"\x07\x07\x04" + bytes(5))
    ends.caller.sendto(b"options", ARRIVES)
    assert received(ends.facing_caller)[0] == b"options"
    ends.caller.setsockopt(socket.IPPROTO_IP, socket.IP_OPTIONS, b"")
    ends.caller.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, 1)
    ends.caller.sendto(b"old", ARRIVES)
    assert received(ends.facing_caller)[0] == b"old"


@pytest.mark.parametrize("ip6", [False, True], ids=["IPv4", "IPv6"])
@pytest.mark.parametrize("narrow", ["link", "route"])
def test_what_is_too_long_for_its_way_on_is_ours(
    rooms: Lab, path: EbpfPath, ip6: bool, narrow: str
) -> None:
    """PPPoE, a tunnel: our socket sends it in fragments."""
    there = in_v6(THERE) if ip6 else THERE
    head = 48 if ip6 else 28
    with narrowed(rooms, narrow, there.target.host):
        path.install([there])
        ends = Ends(rooms, there)
        longest = bytes(1300 - head)
        ends.caller.sendto(longest, there.arrives)
        assert received(ends.callee) == (longest, there.leaves)
        ends.caller.sendto(longest + b"x", there.arrives)
        assert received(ends.facing_caller) == (longest + b"x", there.source)
        ends.facing_callee.sendto(longest + b"x", there.target)
        assert received(ends.callee) == (longest + b"x", there.leaves)
        assert path.carried()[there.key].packets == 1
        ends.close()


def test_a_way_that_becomes_narrower_is_noticed_and_not_believed_to_be_wide_again(
    rooms: Lab, path: EbpfPath, ends: Ends, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the kernel has learned of a path (RFC 1191) it forgets after ten minutes, and it is as it was."""
    monkeypatch.setattr(path_module, "_LOOK_S", -1.0)
    path.install([THERE])
    with narrowed(rooms, "route"):
        path.carried()
    path.carried()
    ends.caller.sendto(bytes(1400), ARRIVES)
    assert received(ends.facing_caller)[0] == bytes(1400)


def test_a_packet_without_checksum_stays_one(path: EbpfPath, ends: Ends) -> None:
    path.install([THERE])
    ends.caller.setsockopt(socket.SOL_SOCKET, 11, 1)  # SO_NO_CHECK
    ends.caller.sendto(b"unsummed", ARRIVES)
    assert received(ends.callee) == (b"unsummed", LEAVES)


def test_a_route_that_changes_is_followed(
    rooms: Lab, path: EbpfPath, monkeypatch: pytest.MonkeyPatch
) -> None:
    far = Address("10.9.0.9", 5000)
    rooms.relay.run("ip", "route", "add", "10.9.0.0/24", "via", "10.1.0.3")
    path.install([THERE._replace(target=far)])
    rooms.relay.run("ip", "route", "replace", "10.9.0.0/24", "via", "10.2.0.2")
    rooms.right.run("ip", "addr", "add", "10.9.0.9/32", "dev", "lo")
    monkeypatch.setattr(path_module, "_LOOK_S", -1.0)
    path.carried()
    callee, caller = rooms.right.udp(*far), rooms.left.udp(*CALLER)
    caller.sendto(b"hello", ARRIVES)
    assert received(callee) == (b"hello", LEAVES)
    rooms.relay.run("ip", "route", "del", "10.9.0.0/24")
    caller.close()
    callee.close()


@pytest.mark.parametrize("ip6", [False, True], ids=["IPv4", "IPv6"])
def test_a_way_that_depends_on_the_relay_s_own_address(
    rooms: Lab, path: EbpfPath, ip6: bool
) -> None:
    """A host with two providers: what bears the address of one leaves by that one."""
    there = in_v6(THERE) if ip6 else THERE
    first, far, second = (
        ("fd01::3", "fd08::9", "fd02::2") if ip6 else ("10.1.0.3", "10.8.0.9", "10.2.0.2")
    )
    ip = ("ip", "-6" if ip6 else "-4")
    entry = there._replace(target=Address(far, 5000))
    rooms.relay.run(*ip, "route", "add", far, "via", first)
    rooms.relay.run(*ip, "route", "add", far, "via", second, "table", "77")
    rooms.relay.run(*ip, "rule", "add", "from", there.leaves.host, "table", "77")
    rooms.right.run(*ip, "addr", "add", far, "dev", "lo")
    try:
        path.install([entry])
        callee, caller = rooms.right.udp(*entry.target), rooms.left.udp(*entry.source)
        caller.sendto(b"hello", entry.arrives)
        assert received(callee) == (b"hello", entry.leaves)
        caller.close()
        callee.close()
    finally:
        rooms.relay.run(*ip, "rule", "del", "table", "77")
        rooms.relay.run(*ip, "route", "del", far)
        rooms.relay.run(*ip, "route", "flush", "table", "77")


def test_two_relays_on_one_host(rooms: Lab, path: EbpfPath, ends: Ends) -> None:
    with opened(rooms, "other") as other:
        path.install([THERE])
        other.install([BACK])
        ends.caller.sendto(b"there", ARRIVES)
        assert received(ends.callee)[0] == b"there"
        ends.callee.sendto(b"back", LEAVES)
        assert received(ends.caller)[0] == b"back"
        assert set(path.carried()) == {THERE.key}
    ends.callee.sendto(b"back", LEAVES)
    assert received(ends.facing_callee)[0] == b"back"


def _hold(namespace: str, ready: Event, name: str) -> None:
    """Open the path in a process of its own, carry something, and wait to be killed."""
    with open(namespace) as there:
        assert ctypes.CDLL(None).setns(there.fileno(), 0x40000000) == 0
    made = open_ebpf(name, limit=100)
    made.install([THERE, BACK])
    ready.set()
    time.sleep(60)


def test_streams_outlive_a_killed_process_and_are_adopted(rooms: Lab, ends: Ends) -> None:
    with opened(rooms, "probe") as probe:
        if probe._pins is None:
            pytest.skip("no bpf file system to keep it in")
    context = multiprocessing.get_context("spawn")
    ready = context.Event()
    process = context.Process(target=_hold, args=(rooms.relay.path, ready, "killed"))
    process.start()
    assert ready.wait(8)
    process.kill()
    process.join()
    ends.caller.sendto(b"still here", ARRIVES)
    assert received(ends.callee)[0] == b"still here"
    with opened(rooms, "killed") as heir:
        assert set(heir.entries()) == {THERE, BACK}
        assert heir.carried()[THERE.key].packets == 1
        ends.caller.sendto(b"and now", ARRIVES)
        assert received(ends.callee)[0] == b"and now"
        assert heir.remove([THERE.key])[THERE.key].packets == 2
    ends.callee.sendto(b"gone", LEAVES)
    assert received(ends.facing_callee)[0] == b"gone"


def test_what_another_version_left_is_removed(rooms: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    with rooms.relay.inside():
        try:
            old = open_ebpf("versions", limit=100)
        except Unavailable as error:
            pytest.skip(str(error))
        if old._pins is None:
            old.close(keep=False)
            pytest.skip("no bpf file system to keep it in")
        old.install([THERE])
        old.close(keep=True)
    monkeypatch.setattr(path_module, "LAYOUT", "another")
    with opened(rooms, "versions") as fresh:
        assert fresh.entries() == ()


def test_a_name_is_for_one_relay(rooms: Lab, path: EbpfPath) -> None:
    with rooms.relay.inside(), pytest.raises(Unavailable, match="another relay named test"):
        open_ebpf("test", limit=100)


def test_what_a_killed_relay_left_is_swept(rooms: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(path_module, "_ABANDONED_S", -1.0)
    with rooms.relay.inside():
        try:
            left = open_ebpf("abandoned", limit=100)
        except Unavailable as error:
            pytest.skip(str(error))
        pins = left._pins
        left.close(keep=True)
    if pins is None:
        pytest.skip("no bpf file system to keep it in")
    assert pins.exists()
    with opened(rooms, "living") as living, opened(rooms, "another"):
        assert not pins.exists()
        assert living._pins is not None
        assert living._pins.exists()


def test_one_name_in_two_networks_is_two_relays(rooms: Lab, ends: Ends) -> None:
    """As in two containers that share the bpf file system: neither takes up, or removes, the other's."""
    with opened(rooms, "twin") as mine:
        if mine._pins is None:
            pytest.skip("no bpf file system to keep it in")
        assert mine.caveat == ""
        mine.install([THERE])
        with rooms.left.inside():
            other = open_ebpf("twin", limit=100)
            assert other.entries() == ()
            assert other._pins is not None
            other.close(keep=False)
            assert not other._pins.exists()
        assert mine._pins.exists()
        ends.caller.sendto(b"still here", ARRIVES)
        assert received(ends.callee)[0] == b"still here"


def test_what_is_left_is_as_old_as_its_relay_is_dead(
    rooms: Lab, path: EbpfPath, monkeypatch: pytest.MonkeyPatch
) -> None:
    if path._pins is None:
        pytest.skip("no bpf file system to keep it in")
    folder = path._pins.parent
    os.utime(folder, (1.0, 1.0))
    monkeypatch.setattr(path_module, "_LOOK_S", -1.0)
    path.carried()
    assert time.time() - folder.stat().st_mtime < 60.0


def test_what_lives_in_another_network_is_not_swept(
    rooms: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened(rooms, "far") as mine:
        if mine._pins is None:
            pytest.skip("no bpf file system to keep it in")
        monkeypatch.setattr(path_module, "_ABANDONED_S", -1.0)
        with rooms.left.inside():
            open_ebpf("near", limit=100).close(keep=False)
        assert mine._pins.exists()


def test_a_folder_that_goes_as_it_is_taken_is_made_again(
    rooms: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody sweeps it, an old one, just then."""
    lock = path_module._locked
    swept: list[Path] = []

    def late(folder: Path) -> int | None:
        if not swept:
            swept.append(folder)
            folder.rmdir()
        return lock(folder)

    monkeypatch.setattr(path_module, "_locked", late)
    with opened(rooms, "raced") as made:
        if not swept:
            pytest.skip("no bpf file system to keep it in")
        assert made._pins is not None
        assert made._pins.parent == swept[0]


def test_without_a_bpf_file_system_it_works_but_keeps_nothing(rooms: Lab, tmp_path: Path) -> None:
    with rooms.relay.inside():
        try:
            made = open_ebpf("unkept", limit=100, root=tmp_path)
        except Unavailable as error:
            pytest.skip(str(error))
        assert made._pins is None
        assert "ends with the relay" in made.caveat
        made.install([THERE])
        made.close(keep=True)
    assert not list(tmp_path.iterdir())


def test_what_cannot_be_had_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(code: bytes, name: str) -> int:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(path_module, "_pins", lambda name, root: None)
    monkeypatch.setattr(syscall.HashMap, "create", lambda *_: refuse(b"", ""))
    with pytest.raises(Unavailable, match="no right to load programs"):
        open_ebpf("x", limit=1)
    monkeypatch.setattr("sys.platform", "darwin")
    with pytest.raises(Unavailable, match="not on this kind of machine"):
        open_ebpf("x", limit=1)


def test_a_program_that_does_wrong_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(syscall, "test_run", lambda program, data: (-1, data))
    monkeypatch.setattr(path_module, "_pins", lambda name, root: None)
    with pytest.raises(Unavailable, match=r"its own test fails|no right"):
        open_ebpf("x", limit=1)


def test_the_object_is_what_the_source_builds(tmp_path: Path) -> None:
    """With the compiler that is recorded beside it; another one may well choose other instructions."""
    built = SOURCE.with_suffix(".built").read_text().strip()
    if shutil.which("clang") is None:
        pytest.skip("no clang to build it with")
    version = subprocess.run(["clang", "--version"], capture_output=True, text=True, check=True)
    if version.stdout.splitlines()[0] != built:
        pytest.skip(f"it was built by {built}, and this is {version.stdout.splitlines()[0]}")
    makefile = (Path(__file__).parents[4] / "Makefile").read_text()
    (flags,) = (line for line in makefile.splitlines() if line.startswith("BPF_FLAGS"))
    headers = subprocess.run(
        ["gcc", "-print-multiarch"], capture_output=True, text=True, check=True
    )
    out = tmp_path / "relay.o"
    subprocess.run(
        ["clang", *flags.partition(":=")[2].split(), "-idirafter",
         f"/usr/include/{headers.stdout.strip()}", "-c", str(SOURCE), "-o", str(out)],
        check=True,
    )  # fmt: skip
    assert read_program(out.read_bytes(), "tc") == read_program(
        SOURCE.with_suffix(".o").read_bytes(), "tc"
    )


def test_layouts_are_the_program_s() -> None:
    assert path_module._KEY.size == 36
    assert path_module._VALUE.size == 104
    fields = struct.Struct("=36sIIII4xQ")
    assert fields.size == path_module._FIGURES_AT + 8
