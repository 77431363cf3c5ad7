"""Slots leased ahead: enough of them, of the right kind, asked for before they are used up."""

import json
from typing import Any

import pytest

from centrex.farm.relay import Relay
from centrex.media.terms import Slot
from tests.support.farmlink import Ringing, Wire

V4, OTHER, V6 = "192.0.2.1", "198.51.100.1", "2001:db8::1"


def asked(wire: Wire) -> list[dict[str, Any]]:
    lines, wire.lines = wire.lines, []
    return [json.loads(line) for line in lines]


def slots(host: str, count: int, first: int = 30000) -> list[Slot]:
    return [Slot(host, host, first + 2 * number) for number in range(count)]


def came(*hosts: str, source: str = "192.0.2.99:40000") -> tuple[Relay, Wire]:
    relay, wire = Relay("one", 0.0), Wire(source)
    relay.came(wire, list(hosts), 0.0, anew=True)
    assert not wire.lines, "its sessions are told first"
    relay.keep()
    assert json.loads(wire.lines.pop(0)) == {"t": "keep", "ports": {}}
    return relay, wire


def test_each_address_is_leased_at_when_it_comes() -> None:
    _, wire = came(V4, V6)
    assert [(one["host"], one["count"]) for one in asked(wire)] == [(V4, 512), (V6, 512)]


def test_addresses_come_and_go() -> None:
    relay, wire = came(V4, V6)
    relay.leased(V4, slots(V4, 512), 512)
    relay.leased(V6, slots(V6, 512), 512)
    asked(wire)
    relay.rehosted([OTHER, V6])
    assert [(one["host"], one["count"]) for one in asked(wire)] == [(OTHER, 512)]
    assert relay.slot(4, V4) is None, "what was leased there is gone"
    relay.leased(V4, slots(V4, 4), 4)
    assert relay.slot(4, V4) is None, "a late answer changes nothing"
    relay.leased(OTHER, slots(OTHER, 512), 512)
    found = [relay.slot(4, V4), relay.slot(6)]
    assert [one.host for one in found if one is not None] == [OTHER, V6]


def test_a_slot_is_of_its_family_and_near_if_it_can_be() -> None:
    relay, _ = came(V4, OTHER, V6)
    assert relay.slot(4) is None
    for host in (V4, OTHER, V6):
        relay.leased(host, slots(host, 512), 512)
    found = [
        relay.slot(4), relay.slot(4, OTHER), relay.slot(6), relay.slot(6, V4), relay.slot(4, "x")
    ]  # fmt: skip
    assert [one.host for one in found if one is not None] == [V4, OTHER, V6, V6, V4]


@pytest.mark.parametrize(
    ("source", "near", "chosen"),
    [
        pytest.param("10.33.0.3:40000", "10.33.0.1", "10.33.0.3", id="as-it-connects"),
        pytest.param("10.33.0.3:40000", "172.17.0.1", "172.17.0.1", id="the-proxy's-own"),
        pytest.param("203.0.113.7:40000", "10.99.0.1", "172.17.0.1", id="one-of-the-same-kind"),
        pytest.param("10.33.0.3:40000", "172.17.0.9", "172.17.0.1", id="one-of-the-same-network"),
        pytest.param("203.0.113.7:40000", "8.8.8.1", "8.8.8.8", id="a-public-one"),
        pytest.param("10.33.0.3:40000", "", "10.33.0.3", id="to-whom-it-may-be"),
        pytest.param("127.0.0.1:40000", "127.9.0.1", "127.0.0.1", id="on-this-machine"),
        pytest.param(
            "127.0.0.1:40000", "10.99.0.1", "172.17.0.1", id="to-others-from-this-machine"
        ),
        pytest.param("this machine", "127.9.0.1", "127.0.0.1", id="the-own-relay"),
        pytest.param("this machine", "192.0.2.1", "172.17.0.1", id="the-own-relay-to-others"),
    ],
)
def test_an_end_is_told_an_address_that_leads_to_the_relay(
    source: str, near: str, chosen: str
) -> None:
    hosts = ["127.0.0.1", "172.17.0.1", "10.33.0.3", "8.8.8.8"]
    relay, _ = came(*hosts, source=source)
    for host in hosts:
        relay.leased(host, slots(host, 4), 4)
    slot = relay.slot(4, near)
    assert slot is not None
    assert slot.host == chosen


def test_the_loopback_of_another_machine_serves_nobody() -> None:
    relay, wire = came("127.0.0.1", "10.33.0.3", "::1", source="10.33.0.3:40000")
    assert [one["host"] for one in asked(wire)] == ["10.33.0.3"]
    assert not relay.speaks(6)


def test_an_address_of_no_use_does_not_stand_in_for_one_that_is_used_up() -> None:
    relay, wire = came("127.0.0.1", "10.33.0.1", source="this machine")
    relay.leased("127.0.0.1", slots("127.0.0.1", 4), 4)
    asked(wire)
    assert relay.slot(4, "10.33.0.1") is None
    assert relay.expects_ports


def test_more_are_asked_for_before_they_are_used_up() -> None:
    relay, wire = came(V4)
    relay.leased(V4, slots(V4, 512), 512)
    asked(wire)
    taken = [relay.slot(4) for _ in range(257)]
    assert len(set(taken)) == 257
    assert [one["count"] for one in asked(wire)] == [257]
    relay.slot(4)
    assert not asked(wire), "what was asked for is on its way"


def test_a_rush_makes_the_batches_larger_and_rest_smaller() -> None:
    relay, wire = came(V4)
    relay.leased(V4, slots(V4, 512), 512)
    asked(wire)
    while relay.slot(4) is not None:
        pass
    (request,) = asked(wire)
    relay.leased(V4, slots(V4, request["count"], 40000), request["count"])
    while relay.slot(4) is not None:
        pass
    (request,) = asked(wire)
    assert request["count"] > 512
    relay.leased(V4, slots(V4, 900, 50000), request["count"])
    for _ in range(5):
        relay.settle()
    assert not asked(wire)


def test_a_lease_that_brought_nothing_is_asked_for_again() -> None:
    relay, wire = came(V4)
    asked(wire)
    relay.leased(V4, [], 512)
    assert not asked(wire)
    relay.settle()
    assert [one["count"] for one in asked(wire)] == [512]


def test_many_addresses_are_leased_at_sparingly() -> None:
    relay, wire = came(*[f"192.0.2.{number}" for number in range(1, 9)])
    assert {one["count"] for one in asked(wire)} == {64}
    relay.leased("192.0.2.1", slots("192.0.2.1", 64), 64)
    relay.slot(4)
    relay.settle()
    assert [one["count"] for one in asked(wire)] == [449]


@pytest.mark.parametrize("anew", [False, True])
def test_what_was_leased_outlives_the_link_but_not_the_relay(anew: bool) -> None:
    relay, _ = came(V4)
    relay.leased(V4, slots(V4, 500), 512)
    relay.left("cut", 1.0)
    relay.send("put", x=1)
    taken = [slot for slot in (relay.slot(4), relay.slot(4)) if slot is not None]
    relay.expected["s"] = Ringing(*taken)
    wire = Wire()
    relay.came(wire, [V4], 2.0, anew=anew)
    relay.keep()
    kept, *leases = asked(wire)
    ports = kept["ports"][V4]
    assert len(ports) == (2 if anew else 500)
    assert {slot.port for slot in taken} <= set(ports)
    assert [one["count"] for one in leases] == ([512] if anew else [])
    assert relay.shortage == ""


def test_a_relay_lends_no_more_than_a_share() -> None:
    relay, wire = came(V4)
    asked(wire)
    relay.leased(V4, slots(V4, 6), 512, most=6)
    assert not asked(wire)
    for _ in range(3):
        assert relay.slot(4) is not None
    assert [one["count"] for one in asked(wire)] == [3]
    relay.leased(V4, [], 3, most=6, why="there are too many sockets")
    assert relay.shortage == "", "there is one yet"
    for _ in range(3):
        assert relay.slot(4) is not None
    asked(wire)
    assert relay.shortage == ""
    relay.leased(V4, [], 6, most=6, why="there are too many sockets")
    assert relay.shortage == "there are too many sockets"
    relay.leased(V4, [], 0, most=6)
    assert relay.shortage == "no port is left"


def test_what_others_have_it_carry_counts() -> None:
    relay, _ = came(V4)
    relay.capacity = 10
    relay.leased(V4, slots(V4, 512), 512)
    assert relay.room_for([]) == 0.0
    relay.foreign = 9
    assert relay.room_for([4]) == 0.9
    assert relay.room_for([4, 6]) == 1.0, "it has no such address"
    relay.expected["s"] = Ringing()
    assert relay.load == 1.0
    assert relay.room_for([4]) == 1.0


def test_one_without_ports_or_drained_has_room_for_nothing() -> None:
    relay, _ = came(V4)
    assert relay.room_for([]) == relay.room_for([4]) == 1.0
    relay.leased(V4, slots(V4, 512), 512)
    assert relay.room_for([]) == relay.room_for([4]) == 0.0
    relay.draining = True
    assert relay.room_for([]) == relay.room_for([4]) == 1.0
