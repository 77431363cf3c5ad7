"""Slots leased ahead: enough of them, of the right kind, asked for before they are used up."""

import json
from typing import Any

from centrex.farm.relay import Relay
from centrex.media.terms import Slot
from tests.support.farmlink import Wire

V4, OTHER, V6 = "192.0.2.1", "198.51.100.1", "2001:db8::1"


def asked(wire: Wire) -> list[dict[str, Any]]:
    lines, wire.lines = wire.lines, []
    return [json.loads(line) for line in lines]


def slots(host: str, count: int, first: int = 30000) -> list[Slot]:
    return [Slot(host, host, first + 2 * number) for number in range(count)]


def came(*hosts: str) -> tuple[Relay, Wire]:
    relay, wire = Relay("one", 0.0), Wire()
    relay.came(wire, list(hosts), 0.0)
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


def test_what_was_leased_goes_with_the_link() -> None:
    relay, _ = came(V4)
    relay.leased(V4, slots(V4, 512), 512)
    relay.left("cut", 1.0)
    assert relay.slot(4) is None
    relay.leased(V4, slots(V4, 1), 1)
    assert relay.slot(4) is None
    relay.send("put", x=1)
