from collections.abc import Iterator
from pathlib import Path

import pytest

from centrex.base import Unavailable
from centrex.media.terms import Address
from centrex.runtime.relay.kernel import Entry
from centrex.runtime.relay.netlink import ROUTE, Netlink
from centrex.runtime.relay.nftables_ways import Ways
from tests.support.relay_lab import Lab, forward, lab

pytestmark = pytest.mark.peer

OUTSIDE = Entry(
    Address("10.1.0.2", 4000),
    Address("10.1.0.1", 30000),
    Address("10.2.0.1", 30002),
    Address("10.2.0.2", 5000),
)
FROM_HERE = OUTSIDE._replace(source=Address("10.1.0.1", 4000))
TO_HERE = OUTSIDE._replace(target=Address("10.1.0.1", 5000))


@pytest.fixture(scope="module")
def rooms() -> Iterator[Lab]:
    try:
        with lab() as rooms:
            yield rooms
    except (PermissionError, FileNotFoundError) as error:
        pytest.skip(f"no network namespaces here: {error}")


@pytest.fixture
def ways(rooms: Lab) -> Iterator[Ways]:
    with rooms.relay.inside():
        ways = Ways(Netlink(ROUTE))
        yield ways
        ways.close()


@pytest.fixture
def unset(rooms: Lab, tmp_path: Path) -> Iterator[Ways]:
    with rooms.relay.inside():
        ways = Ways(Netlink(ROUTE), tmp_path)
        yield ways
        ways.close()


def test_what_is_the_hosts_own_is_known(ways: Ways) -> None:
    hosts = ("10.1.0.1", "10.2.0.1", "127.0.0.1", "127.1.2.3", "::1", "fd02::1")
    assert all(ways.local(host) for host in hosts)
    assert not any(ways.local(host) for host in ("10.1.0.2", "fd02::2", "192.0.2.1", "nobody"))


def test_only_what_comes_from_outside_is_returned(ways: Ways) -> None:
    assert ways.from_outside([OUTSIDE, FROM_HERE, TO_HERE]) == [OUTSIDE, TO_HERE]
    assert ways.from_outside([]) == []


def test_forwarding_is_asked_of_the_interface_it_comes_by(unset: Ways, tmp_path: Path) -> None:
    conf = tmp_path / "ipv4" / "conf" / "to1"
    with pytest.raises(Unavailable, match="cannot be read"):
        unset.from_outside([OUTSIDE])
    conf.mkdir(parents=True)
    (conf / "forwarding").write_text("0\n", encoding="ascii")
    with pytest.raises(Unavailable, match=r"net\.ipv4\.ip_forward, for to1, is off"):
        unset.from_outside([OUTSIDE])
    (conf / "forwarding").write_text("1\n", encoding="ascii")
    assert unset.from_outside([OUTSIDE]) == [OUTSIDE]


def test_a_host_that_forwards_nothing_is_known(unset: Ways, tmp_path: Path) -> None:
    assert not unset.forwards()
    for interface in ("all", "lo", "to1"):
        conf = tmp_path / "ipv4" / "conf" / interface
        conf.mkdir(parents=True)
        (conf / "forwarding").write_text("0\n", encoding="ascii")
    assert not unset.forwards()
    (tmp_path / "ipv4" / "conf" / "to1" / "forwarding").write_text("1\n", encoding="ascii")
    assert unset.forwards()


def test_the_kernels_own_settings_are_asked(ways: Ways, rooms: Lab) -> None:
    for on in (False, True):
        forward(rooms, on)
        assert ways.forwards() == on


def test_ends_on_this_host_need_no_forwarding(unset: Ways) -> None:
    assert unset.from_outside([FROM_HERE, TO_HERE]) == [TO_HERE]


def test_a_host_without_a_route_is_told(ways: Ways) -> None:
    with pytest.raises(Unavailable, match=r"no route to 192\.0\.2\.1 \(Network is unreachable\)"):
        ways.from_outside([OUTSIDE._replace(target=Address("192.0.2.1", 5000))])


def test_the_loopback_is_not_reached_from_outside(ways: Ways) -> None:
    with pytest.raises(Unavailable, match="from outside"):
        ways.from_outside([OUTSIDE._replace(target=Address("127.0.0.1", 5000))])
    with pytest.raises(Unavailable, match="nothing leaves this host from"):
        ways.from_outside([FROM_HERE._replace(leaves=Address("127.0.0.1", 30002))])


def test_what_takes_another_way_from_the_relay_s_own_address_is_left_to_that(
    ways: Ways, rooms: Lab
) -> None:
    """A host with two providers: nf_tables routes a packet before it bears the address it leaves from."""
    far = OUTSIDE._replace(target=Address("10.9.0.9", 5000))
    rooms.relay.run("ip", "route", "add", "10.9.0.9", "via", "10.2.0.2")
    assert ways.from_outside([far]) == [far]
    rooms.relay.run("ip", "route", "add", "10.9.0.9", "via", "10.1.0.3", "table", "77")
    rooms.relay.run("ip", "rule", "add", "from", far.leaves.host, "table", "77")
    try:
        with pytest.raises(Unavailable, match=r"what leaves from 10\.2\.0\.1 takes another way"):
            ways.from_outside([far])
        assert ways.from_outside([OUTSIDE]) == [OUTSIDE]
    finally:
        rooms.relay.run("ip", "rule", "del", "table", "77")
