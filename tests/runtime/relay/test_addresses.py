"""A relay that listens on all addresses follows those its machine has."""

from collections.abc import Iterator, Sequence

import pytest

from centrex.base import Unavailable
from centrex.runtime.monitor import Held
from centrex.runtime.relay.addresses import MOST, AddressKeeper, all_addresses, most_calls
from centrex.runtime.relay.plane import Plane
from tests.support.ports import loopback

pytestmark = pytest.mark.wire


class Machine:
    """A machine whose addresses change, with a plane on it and a proxy that is told."""

    def __init__(self, *hosts: str, advertise: str = "") -> None:
        self.hosts = list(hosts)
        self.shown: dict[str, str] = {}
        self.plane = Plane(
            hosts=[(host, host) for host in hosts],
            ports=(31000, 48999),
            kernel=None,
            silence_s=60.0,
        )
        self.told: list[dict[str, str]] = []
        self.words: list[str] = []
        self.keeper = AddressKeeper(
            self.plane,
            lambda: all_addresses(self.read),
            shown=lambda host: self.shown.get(host, advertise or host),
            told=lambda: [self],
            report=self.words.append,
        )

    def read(self) -> Sequence[Held]:
        if not self.hosts:
            raise Unavailable("the kernel does not tell")
        return [Held("eth0", 6 if ":" in host else 4, 0, host) for host in self.hosts]

    def rehosted(self) -> None:
        self.told.append(self.plane.hosts)


@pytest.fixture
def machine() -> Iterator[Machine]:
    made = Machine(loopback())
    yield made
    made.plane.close()


def test_an_address_comes_and_ports_can_be_had_there(machine: Machine) -> None:
    machine.keeper.look()
    assert not machine.told
    fresh = loopback()
    machine.hosts.append(fresh)
    for _ in range(3):
        machine.keeper.look()
    assert machine.told == [{host: host for host in machine.hosts}]
    assert machine.plane.lease(fresh, 2)[0].host == fresh
    assert len(machine.words) == 1
    assert fresh in machine.words[0]


def test_an_address_goes_and_what_is_open_there_stays(machine: Machine) -> None:
    old = machine.hosts[0]
    (slot,) = machine.plane.lease(old, 1)
    machine.hosts = [loopback()]
    machine.keeper.look()
    assert machine.told == [{machine.hosts[0]: machine.hosts[0]}]
    with pytest.raises(Unavailable, match="no address of this relay"):
        machine.plane.lease(old, 1)
    assert machine.plane.figures()["ports_leased"] == 2
    machine.plane.free([slot])
    assert machine.plane.figures()["ports_leased"] == 0


def test_an_address_that_cannot_be_used_yet_is_tried_again(machine: Machine) -> None:
    machine.hosts.append("192.0.2.77")
    for _ in range(3):
        machine.keeper.look()
    assert not machine.told
    assert list(machine.plane.hosts) == machine.hosts[:1]
    assert machine.words == ["no port at 192.0.2.77: Cannot assign requested address"]


def test_what_is_advertised_holds_for_new_ones_too() -> None:
    machine = Machine(loopback(), advertise="203.0.113.9")
    machine.hosts.append(loopback())
    machine.keeper.look()
    assert set(machine.plane.hosts.values()) == {"203.0.113.9"}
    machine.plane.close()


def test_what_is_told_in_place_of_an_address_changes(machine: Machine) -> None:
    """First it is offered no more, so that proxies give back what would be told as before."""
    (host,) = machine.hosts
    machine.shown[host] = "203.0.113.5"
    machine.keeper.look()
    machine.keeper.look()
    assert machine.told == [{}, {host: "203.0.113.5"}]
    assert f"{host} (203.0.113.5)" in machine.words[0]
    assert machine.plane.lease(host, 1)[0].shown == "203.0.113.5"


def test_one_of_which_that_is_not_known_is_not_offered(machine: Machine) -> None:
    (host,) = machine.hosts
    machine.shown[host] = ""
    machine.keeper.look()
    assert machine.told == [{}]
    assert "no address at all" in machine.words[0]
    del machine.shown[host]
    machine.keeper.look()
    assert machine.told[1:] == [{host: host}]


def test_a_system_that_does_not_tell_changes_nothing(machine: Machine) -> None:
    before = machine.plane.hosts
    machine.hosts = []
    machine.keeper.look()
    machine.keeper.look()
    assert machine.words == ["the kernel does not tell"]
    assert machine.plane.hosts == before


def test_addresses_of_one_link_are_left_out_and_there_is_a_bound() -> None:
    hosts = ["fe80::1", "192.0.2.1", "192.0.2.1", *(f"2001:db8::{n:x}" for n in range(1, 99))]
    found = all_addresses(lambda: [Held("eth0", 4, 0, host) for host in hosts])
    assert found[:2] == ["192.0.2.1", "2001:db8::1"]
    assert len(found) == MOST


@pytest.mark.parametrize(
    ("hosts", "calls"),
    [
        (["192.0.2.1"], 2500),
        (["192.0.2.1", "2001:db8::1"], 5000),
        (["127.0.0.1", "::1", "192.0.2.1"], 2500),
        (["127.0.0.1", "127.0.0.2"], 5000),
        (["fe80::1%eth0"], 2500),
        ([], 1),
    ],
)
def test_the_calls_that_the_ports_are_enough_for(hosts: list[str], calls: int) -> None:
    assert most_calls(hosts, 5000) == calls
