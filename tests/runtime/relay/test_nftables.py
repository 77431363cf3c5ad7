import ctypes
import errno
import os
import shutil
import signal
import socket
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from centrex.base import Unavailable
from centrex.media.terms import Address
from centrex.runtime.relay import nftables_table
from centrex.runtime.relay.kernel import Carried, Entry
from centrex.runtime.relay.netlink import NETFILTER, ROUTE, Netlink
from centrex.runtime.relay.nftables import NftablesPath, open_nftables
from tests.support.relay_lab import (
    ARRIVES,
    BACK,
    CALLEE,
    CALLER,
    LEAVES,
    QUIET_S,
    THERE,
    Ends,
    Lab,
    forward,
    in_v6,
    lab,
    nothing_comes,
    received,
)

pytestmark = pytest.mark.peer

PORTS = (30000, 39999)
VOICE = bytes(172)


@pytest.fixture(scope="module")
def rooms() -> Iterator[Lab]:
    try:
        building = lab()
        with building as rooms:
            yield rooms
    except PermissionError:
        pytest.skip("no right to make network namespaces")
    except FileNotFoundError:
        pytest.skip("no `ip` to make network namespaces with")


@contextmanager
def opened(rooms: Lab, name: str = "test", *, limit: int = 100) -> Iterator[NftablesPath]:
    with rooms.relay.inside():
        path = open_nftables(name, ports=PORTS, limit=limit)
        try:
            yield path
        finally:
            path.close(keep=False)


@pytest.fixture
def path(rooms: Lab) -> Iterator[NftablesPath]:
    with opened(rooms) as path:
        yield path


@pytest.fixture
def ends(rooms: Lab) -> Iterator[Ends]:
    ends = Ends(rooms)
    yield ends
    for end in ends.all:
        end.close()


def needs_nft() -> None:
    if not shutil.which("nft"):
        pytest.skip("no nft to be another's rules")


@pytest.mark.parametrize("ip6", [False, True], ids=["IPv4", "IPv6"])
def test_both_ends_hear_each_other_and_are_counted(
    rooms: Lab, path: NftablesPath, ip6: bool
) -> None:
    there, back = (in_v6(THERE), in_v6(BACK)) if ip6 else (THERE, BACK)
    path.install([there, back])
    ends = Ends(rooms, there)
    for length in (2, 12, 172):
        ends.caller.sendto(bytes(length), there.arrives)
        assert received(ends.callee) == (bytes(length), there.leaves)
    ends.callee.sendto(VOICE, back.arrives)
    assert received(ends.caller) == (VOICE, there.arrives)
    assert path.carried() == {there.key: Carried(3, 186), back.key: Carried(1, 172)}
    assert nothing_comes(ends.facing_caller)
    assert nothing_comes(ends.facing_callee)
    for end in ends.all:
        end.close()


def test_a_packet_without_checksum_stays_one(path: NftablesPath, ends: Ends) -> None:
    path.install([THERE])
    ends.caller.setsockopt(socket.SOL_SOCKET, 11, 1)  # SO_NO_CHECK
    ends.caller.sendto(VOICE, ARRIVES)
    assert received(ends.callee) == (VOICE, LEAVES)


def test_a_datagram_in_pieces_comes_to_our_socket_whole(path: NftablesPath, ends: Ends) -> None:
    path.install([THERE])
    ends.caller.sendto(bytes(4000), ARRIVES)
    assert received(ends.facing_caller) == (bytes(4000), CALLER)


def test_what_no_entry_knows_comes_to_our_socket(
    rooms: Lab, path: NftablesPath, ends: Ends
) -> None:
    path.install([THERE])
    stranger = rooms.left.udp("10.1.0.3", CALLER.port)
    neighbour = rooms.left.udp(CALLER.host, CALLER.port + 1)
    for other in (stranger, neighbour):
        other.sendto(VOICE, ARRIVES)
        assert received(ends.facing_caller) == (VOICE, Address(*other.getsockname()))
        other.close()
    ends.callee.sendto(VOICE, LEAVES)
    assert received(ends.facing_callee) == (VOICE, CALLEE)
    assert path.carried() == {THERE.key: Carried(0, 0)}


def test_what_is_removed_comes_to_our_socket_at_once(path: NftablesPath, ends: Ends) -> None:
    path.install([THERE, BACK])
    ends.caller.sendto(VOICE, ARRIVES)
    assert path.remove([THERE.key, THERE.key, (CALLER, CALLEE)]) == {THERE.key: Carried(1, 172)}
    ends.caller.sendto(VOICE, ARRIVES)
    assert received(ends.facing_caller) == (VOICE, CALLER)
    assert path.entries() == [BACK]
    assert path.remove([THERE.key]) == {}


def test_an_entry_replaced_keeps_its_counters(rooms: Lab, path: NftablesPath, ends: Ends) -> None:
    moved = rooms.right.udp(CALLEE.host, 5002)
    path.install([THERE])
    ends.caller.sendto(VOICE, ARRIVES)
    path.install([THERE._replace(target=Address(*moved.getsockname()))])
    ends.caller.sendto(VOICE, ARRIVES)
    assert received(moved) == (VOICE, LEAVES)
    moved.close()
    assert path.carried() == {THERE.key: Carried(2, 344)}
    assert path.remove([THERE.key]) == {THERE.key: Carried(2, 344)}


def test_the_same_entry_again_changes_nothing(path: NftablesPath, ends: Ends) -> None:
    for _ in range(2):
        path.install([THERE, THERE])
        ends.caller.sendto(VOICE, ARRIVES)
    assert path.carried() == {THERE.key: Carried(2, 344)}


def test_entries_may_share_where_they_leave_to(path: NftablesPath, ends: Ends) -> None:
    other = THERE._replace(source=Address(CALLER.host, 4002))
    path.install([THERE, other])
    path.remove([other.key])
    ends.caller.sendto(VOICE, ARRIVES)
    assert received(ends.callee) == (VOICE, LEAVES)


def test_entries_that_nothing_could_tell_apart_are_refused(path: NftablesPath) -> None:
    twin = Entry(CALLER, Address("10.1.0.1", 30010), Address("10.1.0.1", LEAVES.port), CALLEE)
    path.install([THERE])
    with pytest.raises(Unavailable, match="told from those of another stream"):
        path.install([twin])
    assert path.entries() == [THERE]


def test_a_host_that_does_not_forward_carries_only_for_its_own_ends(
    rooms: Lab, path: NftablesPath
) -> None:
    assert path.caveat == ""
    forward(rooms, False)
    assert "net.ipv4.ip_forward is off" in path.caveat
    try:
        for entry in (THERE, in_v6(THERE)):
            with pytest.raises(Unavailable, match=r"does not forward packets \(net\.ipv"):
                path.install([entry])
        to_us = THERE._replace(target=Address("10.2.0.1", 5000))
        path.install([to_us])
        with rooms.left.udp(*CALLER) as caller, rooms.relay.udp(*to_us.target) as callee:
            caller.sendto(VOICE, ARRIVES)
            assert received(callee) == (VOICE, LEAVES)
        assert path.entries() == [to_us]
    finally:
        forward(rooms, True)


@pytest.mark.parametrize("ip6", [False, True], ids=["IPv4", "IPv6"])
def test_rtcp_among_rtp_is_ours_to_read(rooms: Lab, path: NftablesPath, ip6: bool) -> None:
    """It could not measure loss; the reports of both ends can be read at least."""
    entry = in_v6(THERE) if ip6 else THERE
    path.install([entry])
    with (
        rooms.left.udp(*entry.source) as caller,
        rooms.relay.udp(*entry.arrives) as ours,
        rooms.right.udp(*entry.target) as callee,
    ):
        for kind in (192, 200, 201, 223):
            report = bytes((0x80, kind)) + bytes(6)
            caller.sendto(report, entry.arrives)
            assert received(ours) == (report, entry.source)
        for kind in (0, 8, 191, 224):
            voice = bytes((0x80, kind)) + bytes(10)
            caller.sendto(voice, entry.arrives)
            assert received(callee) == (voice, entry.leaves)


@pytest.mark.parametrize("ip6", [False, True], ids=["IPv4", "IPv6"])
def test_both_ends_may_be_on_one_link(rooms: Lab, path: NftablesPath, ip6: bool) -> None:
    entry = Entry(CALLER, ARRIVES, Address("10.1.0.1", 30002), Address("10.1.0.3", 5000))
    entry = in_v6(entry) if ip6 else entry
    family = socket.AF_INET6 if ip6 else socket.AF_INET
    protocol = socket.IPPROTO_ICMPV6 if ip6 else socket.IPPROTO_ICMP
    path.install([entry])
    with (
        rooms.left.udp(*entry.source) as caller,
        rooms.left.udp(*entry.target) as callee,
        rooms.left.raw(family, protocol) as icmp,
    ):
        for _ in range(3):
            caller.sendto(VOICE, entry.arrives)
            assert received(callee) == (VOICE, entry.leaves)
        types = []
        icmp.settimeout(QUIET_S)
        with suppress(TimeoutError):
            while True:
                data = icmp.recv(2048)
                types.append(data[0] if ip6 else data[20])
    # nobody is told that the other is a neighbour
    assert (137 if ip6 else 5) not in types


@pytest.mark.parametrize(
    ("source", "arrives", "leaves", "target"),
    [
        ("10.1.0.2", "10.1.0.1", "10.2.0.1", "10.2.0.1"),
        ("10.2.0.1", "10.2.0.1", "10.1.0.1", "10.1.0.2"),
        ("10.2.0.1", "10.2.0.1", "10.1.0.1", "10.1.0.1"),
        ("127.0.0.1", "127.0.0.1", "127.0.0.1", "127.0.0.1"),
        ("127.0.0.1", "127.0.0.1", "10.1.0.1", "10.1.0.2"),
        ("fd01::2", "fd01::1", "fd02::1", "fd02::1"),
        ("fd02::1", "fd02::1", "fd01::1", "fd01::2"),
        ("::1", "::1", "::1", "::1"),
        ("::1", "::1", "fd01::1", "fd01::2"),
    ],
)
def test_an_end_may_be_on_this_host(
    rooms: Lab, path: NftablesPath, source: str, arrives: str, leaves: str, target: str
) -> None:
    entry = Entry(
        Address(source, 4000),
        Address(arrives, 30000),
        Address(leaves, 30002),
        Address(target, 5000),
    )

    def end(address: Address) -> socket.socket:
        return (rooms.left if address.host.endswith("2") else rooms.relay).udp(*address)

    path.install([entry])
    with end(entry.source) as caller, end(entry.target) as callee:
        for _ in range(15):
            caller.sendto(VOICE, entry.arrives)
            assert received(callee) == (VOICE, entry.leaves)
    for _ in range(2):
        assert path.carried() == {entry.key: Carried(15, 15 * 172)}


@pytest.mark.parametrize(
    ("entry", "why"),
    [
        (THERE._replace(target=Address("127.0.0.1", 5000)), "from outside"),
        (THERE._replace(leaves=Address("127.0.0.1", 30002)), "nothing leaves"),
        (THERE._replace(target=Address("192.0.2.1", 5000)), "no route"),
        (THERE._replace(leaves=Address("10.2.0.1", 29999)), "not within 30000 to 39999"),
        (THERE._replace(target=Address("fd02::2", 5000)), "not of the stream's address family"),
    ],
)
def test_what_cannot_pass_is_refused(path: NftablesPath, entry: Entry, why: str) -> None:
    with pytest.raises(Unavailable, match=why):
        path.install([BACK, entry])
    assert path.entries() == []


def test_entries_are_bounded(rooms: Lab) -> None:
    with opened(rooms, limit=2) as path:
        path.install([THERE, BACK])
        path.install([THERE._replace(clock_rate=16000)])
        with pytest.raises(Unavailable, match="limit of 2 entries"):
            path.install([in_v6(THERE)])
        assert len(path.entries()) == 2


def test_many_entries_go_in_one_transaction(rooms: Lab) -> None:
    many = [in_v6(THERE)._replace(source=Address("fd01::2", port)) for port in range(1024, 4024)]
    with opened(rooms, limit=3000) as path:
        path.install(many)
        assert len(path.carried()) == 3000
        assert len(path.remove([entry.key for entry in many])) == 3000
        assert path.carried() == {}


CHILD = """
    import sys, time
    from centrex.media.terms import Address
    from centrex.runtime.relay.kernel import Entry
    from centrex.runtime.relay.nftables import open_nftables
    path = open_nftables("test", ports=(30000, 39999), limit=100)
    path.install([eval(sys.argv[1])])
    print("installed", flush=True)
    time.sleep(60)
"""


def test_the_next_process_takes_over_what_a_killed_one_has_left(rooms: Lab, ends: Ends) -> None:
    with rooms.relay.inside():
        child = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(CHILD), repr(THERE)],
            stdout=subprocess.PIPE,
            cwd=Path(__file__).parents[3],
        )
    assert child.stdout is not None
    assert child.stdout.readline() == b"installed\n"
    child.send_signal(signal.SIGKILL)
    child.wait()
    child.stdout.close()
    ends.caller.sendto(VOICE, ARRIVES)
    assert received(ends.callee) == (VOICE, LEAVES)
    with opened(rooms) as path:
        assert path.entries() == [THERE]
        ends.caller.sendto(VOICE, ARRIVES)
        assert received(ends.callee) == (VOICE, LEAVES)
        assert path.carried() == {THERE.key: Carried(2, 344)}
        path.remove([THERE.key])
        ends.caller.sendto(VOICE, ARRIVES)
        assert received(ends.facing_caller) == (VOICE, CALLER)


def test_an_end_on_this_host_is_not_given_up_when_it_is_adopted(rooms: Lab) -> None:
    here = [Address("127.0.0.1", port) for port in (4000, 30000, 30002, 5000)]
    entry = Entry(here[0], here[1], here[2], here[3])
    with rooms.relay.inside():
        path = open_nftables("test", ports=PORTS, limit=100)
        path.install([entry])
        path.close(keep=True)
    with opened(rooms) as path, rooms.relay.udp(*entry.source) as caller:
        for _ in range(15):
            caller.sendto(VOICE, entry.arrives)
        for _ in range(2):
            assert path.carried() == {entry.key: Carried(15, 15 * 172)}


def test_what_is_kept_is_adopted_with_other_bounds(rooms: Lab) -> None:
    with rooms.relay.inside():
        path = open_nftables("test", ports=PORTS, limit=100)
        path.install([THERE, BACK, in_v6(THERE)])
        path.close(keep=True)
        path = open_nftables("test", ports=(30000, 30001), limit=100)
        assert path.entries() == []
        path.close(keep=False)


def test_a_table_of_another_layout_is_removed(rooms: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as older, rooms.relay.inside():
        older.setattr(nftables_table, "LAYOUT", 0)
        path = open_nftables("test", ports=PORTS, limit=100)
        path.install([THERE])
        path.close(keep=True)
    with opened(rooms) as path:
        assert path.entries() == []


def test_relays_stand_side_by_side(rooms: Lab, path: NftablesPath, ends: Ends) -> None:
    path.install([THERE])
    with opened(rooms, "another one") as other:
        again = BACK._replace(arrives=Address("10.2.0.1", 30004))
        other.install([again])
        ends.caller.sendto(VOICE, ARRIVES)
        assert received(ends.callee) == (VOICE, LEAVES)
        ends.callee.sendto(VOICE, again.arrives)
        assert received(ends.caller) == (VOICE, ARRIVES)
        assert path.carried() == {THERE.key: Carried(1, 172)}
        assert other.carried() == {again.key: Carried(1, 172)}
    ends.caller.sendto(VOICE, ARRIVES)
    assert received(ends.callee) == (VOICE, LEAVES)


HOSTS_RULES = """
    table inet host {
        chain marks {
            type filter hook prerouting priority mangle
            udp dport { 5000, 7000 } meta mark set 7
        }
        chain passes {
            type filter hook forward priority filter
            ct state established counter
        }
        chain checks {
            type filter hook postrouting priority 200
            meta mark 7 udp dport 5000 counter
        }
        chain masquerades {
            type nat hook postrouting priority srcnat
            udp dport 7000 masquerade
        }
    }
"""


@pytest.fixture
def host(rooms: Lab) -> Iterator[Lab]:
    """The same, with rules of the host's own, and a right side that the left side can reach."""
    needs_nft()
    rooms.relay.run("nft", "-f", "-", given=HOSTS_RULES)
    rooms.left.run("ip", "route", "add", "10.2.0.0/24", "via", "10.1.0.1")
    yield rooms
    rooms.left.run("ip", "route", "del", "10.2.0.0/24")
    rooms.relay.run("nft", "delete", "table", "inet", "host")


def test_the_hosts_own_rules_go_on(host: Lab, path: NftablesPath, ends: Ends) -> None:
    path.install([THERE, BACK])
    for _ in range(5):
        ends.caller.sendto(VOICE, ARRIVES)
        assert received(ends.callee) == (VOICE, LEAVES)
        ends.callee.sendto(VOICE, LEAVES)
        assert received(ends.caller) == (VOICE, ARRIVES)
    assert host.relay.read("netfilter/nf_conntrack_count") == "0"
    # a mark of the host's own is on our packets where the host has put it
    assert "udp dport 5000 counter packets 5 " in host.relay.run("nft", "list", "ruleset")
    with host.right.udp("10.2.0.2", 7000) as service:
        ends.caller.sendto(b"1", ("10.2.0.2", 7000))
        data, source = received(service)
        assert (data, source.host) == (b"1", "10.2.0.1")
        service.sendto(b"2", source)
        assert received(ends.caller) == (b"2", Address("10.2.0.2", 7000))
    assert "ct state established counter packets 1 " in host.relay.run("nft", "list", "ruleset")


def test_a_table_that_was_flushed_is_made_again(rooms: Lab, path: NftablesPath, ends: Ends) -> None:
    needs_nft()
    path.install([THERE])
    ends.caller.sendto(VOICE, ARRIVES)
    assert received(ends.callee) == (VOICE, LEAVES)
    assert path.carried() == {THERE.key: Carried(1, 172)}
    rooms.relay.run("nft", "flush", "ruleset")
    ends.caller.sendto(VOICE, ARRIVES)
    assert received(ends.facing_caller) == (VOICE, CALLER)
    path.carried()
    ends.caller.sendto(VOICE, ARRIVES)
    assert received(ends.callee) == (VOICE, LEAVES)
    assert path.carried() == {THERE.key: Carried(2, 344)}
    for change in (lambda: path.install([BACK]), lambda: path.remove([BACK.key])):
        rooms.relay.run("nft", "flush", "ruleset")
        change()
        ends.caller.sendto(VOICE, ARRIVES)
        assert received(ends.callee) == (VOICE, LEAVES)
    assert path.entries() == [THERE]


def test_what_the_hosts_rules_swallow_comes_back_to_our_socket(
    rooms: Lab, path: NftablesPath, ends: Ends
) -> None:
    needs_nft()
    rules = "add table inet host; add chain inet host f { type filter hook forward priority 0; policy drop; }"
    rooms.relay.run("nft", rules)
    try:
        path.install([THERE])
        for _ in range(10):
            ends.caller.sendto(VOICE, ARRIVES)
        assert path.carried() == {}
        ends.caller.sendto(VOICE, ARRIVES)
        assert received(ends.facing_caller) == (VOICE, CALLER)
        for entry in (THERE, BACK):
            with pytest.raises(Unavailable, match="host's own rules"):
                path.install([entry])
    finally:
        rooms.relay.run("nft", "delete", "table", "inet", "host")
    # nobody tells that they do so no longer: after a while it is tried again
    for _ in range(256):
        with suppress(Unavailable):
            path.install([THERE])
    for _ in range(10):
        ends.caller.sendto(VOICE, ARRIVES)
        assert received(ends.callee) == (VOICE, LEAVES)
    assert path.carried() == {THERE.key: Carried(10, 1720)}


def test_rules_that_come_later_are_noticed_too(rooms: Lab, path: NftablesPath, ends: Ends) -> None:
    """A firewall that is loaded while calls are up."""
    needs_nft()
    path.install([THERE])
    for _ in range(20):
        ends.caller.sendto(VOICE, ARRIVES)
        assert received(ends.callee) == (VOICE, LEAVES)
    readings = [path.carried() for _ in range(10)]
    assert readings[-1] == {THERE.key: Carried(20, 3440)}
    rules = "add table inet host; add chain inet host f { type filter hook forward priority 0; policy drop; }"
    rooms.relay.run("nft", rules)
    try:
        for _ in range(12):
            ends.caller.sendto(VOICE, ARRIVES)
        readings = [path.carried() for _ in range(2)]
        assert readings[-1] == {}
        ends.caller.sendto(VOICE, ARRIVES)
        assert received(ends.facing_caller) == (VOICE, CALLER)
        with pytest.raises(Unavailable, match="host's own rules"):
            path.install([THERE._replace(source=Address("10.1.0.3", 4000))])
    finally:
        rooms.relay.run("nft", "delete", "table", "inet", "host")


@contextmanager
def without_the_right() -> Iterator[None]:
    """Take CAP_NET_ADMIN (12) from this thread's effective capabilities for a while."""
    libc = ctypes.CDLL(None, use_errno=True)
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)
    data = (ctypes.c_uint32 * 6)()
    assert libc.capget(header, data) == 0
    data[0] ^= 1 << 12
    assert libc.capset(header, data) == 0
    try:
        yield
    finally:
        data[0] ^= 1 << 12
        assert libc.capset(header, data) == 0


def test_without_the_right_it_says_so(rooms: Lab) -> None:
    with (
        rooms.relay.inside(),
        without_the_right(),
        pytest.raises(Unavailable, match="CAP_NET_ADMIN"),
    ):
        open_nftables("test", ports=PORTS, limit=100)


@pytest.mark.parametrize("protocol", [NETFILTER, ROUTE])
def test_a_system_without_netlink_is_told_as_one(
    monkeypatch: pytest.MonkeyPatch, protocol: int
) -> None:
    opening = Netlink.__init__

    def lacking(self: Netlink, wanted: int, **rest: float) -> None:
        if wanted == protocol:
            raise OSError(errno.EPROTONOSUPPORT, "Protocol not supported")
        opening(self, wanted)

    monkeypatch.setattr(Netlink, "__init__", lacking)
    with pytest.raises(Unavailable, match="this kernel does not have it"):
        open_nftables("test", ports=PORTS, limit=100)


def test_a_kernel_without_nf_tables_is_told_as_one(
    rooms: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unknown(*_: object) -> bytes:
        raise OSError(errno.EOPNOTSUPP, "Operation not supported")

    monkeypatch.setattr(Netlink, "ask", unknown)
    with rooms.relay.inside(), pytest.raises(Unavailable, match="does not have it"):
        open_nftables("test", ports=PORTS, limit=100)


def test_a_kept_table_outlives_the_path_and_an_unkept_one_does_not(rooms: Lab) -> None:
    needs_nft()
    with rooms.relay.inside():
        for keep, left in ((True, "table inet centrex-test\n"), (False, "")):
            open_nftables("test", ports=PORTS, limit=100).close(keep=keep)
            assert rooms.relay.run("nft", "list", "tables") == left


def test_no_file_is_left_open(rooms: Lab) -> None:
    before = len(os.listdir("/proc/self/fd"))
    with rooms.relay.inside(), without_the_right(), suppress(Unavailable):
        open_nftables("test", ports=PORTS, limit=100)
    with opened(rooms):
        pass
    assert len(os.listdir("/proc/self/fd")) == before
