"""What a plan makes of a call, without a proxy."""

import datetime as dt
import time
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from centrex.routing.hunt import MOST_STOPS, Stop, hunt, with_user
from centrex.routing.plans import Plans
from centrex.routing.settings import Gateway, Plan
from centrex.routing.target import Target
from centrex.sip.uri import SipUri, parse_uri

NOON = dt.datetime(2026, 11, 26, 12, tzinfo=dt.UTC)


class View:
    """Users a and b are there; c is known; gateway addresses with a 1 are down."""

    def contacts(self, user: bytes) -> Sequence[Target]:
        return [Target(b"sip:%b@192.0.2.1" % user)] if user in (b"a", b"b") else []

    def knows(self, user: bytes) -> bool:
        return user in (b"a", b"b", b"c")

    def is_ours(self, uri: SipUri) -> bool:
        return uri.host == b"here"

    def user_of(self, uri: SipUri) -> bytes:
        return uri.user.replace(b"-", b"")

    def may_go(self, uri: bytes) -> bool:
        return True

    def gateway_works(self, name: str, address: str) -> bool:
        return (name, address) != ("gw", "sip:gw1")


def stops(number: str, *rows: dict[str, Any], leave: bool = True) -> list[Stop]:
    plans = Plans([Plan(**row) for row in rows], str.lower)
    gateways = {
        "gw": Gateway(name="gw", addresses=("sip:gw1", "sip:gw2:99", "sips:gw3")),
        "off": Gateway(name="off", addresses=("sip:x",), enabled=False),
    }
    match = plans.find(number, lambda: NOON)
    assert match is not None
    return hunt(match, plans, gateways, View(), NOON, may_leave=leave)


def test_each_kind_of_destination() -> None:
    found = stops(
        "n",
        {
            "name": "n",
            "destinations": (
                "a",
                "c",
                "z",
                {"to": "5@gw", "ring": 9},
                "5@off",
                "5@no",
                "sip:x@far",
                "sip:-b@here",
            ),
        },
    )
    assert [(stop.to, stop.kind, stop.why) for stop in found] == [
        ("a", "user", ""),
        ("c", "user", "no phone is registered"),
        ("z", "user", "there is no such user"),
        ("5@gw", "gateway", ""),
        ("5@off", "gateway", "the gateway off is switched off"),
        ("5@no", "gateway", "there is no gateway no"),
        ("sip:x@far", "outside", ""),
        ("sip:-b@here", "user", ""),
    ]
    gateway = found[3].targets[0]
    assert (gateway.uri, gateway.others) == (b"sip:5@gw2:99", (b"sips:5@gw3", b"sip:5@gw1"))
    assert (gateway.gateway, gateway.ring_s) == ("gw", 9.0)
    assert found[7].targets[0].uri == b"sip:b@192.0.2.1"


def test_no_number_is_left_for_a_gateway() -> None:
    (found,) = stops("9", {"pattern": r"9(\d*)", "destinations": (r"\1@gw",)})
    assert (found.targets, found.why) == ([], "no number is left to call there")


def test_one_pattern_may_lead_to_another_number_of_it() -> None:
    """One takes a 0 off, again and again; only the same number once more is a circle."""
    row = {"pattern": r"0(\d+)", "destinations": ({"to": r"\1", "expand": True}, "a")}
    assert [stop.to for stop in stops("007", row)] == ["7", "a", "a"]
    row = {"pattern": r"d(\d)", "destinations": ({"to": "d2", "expand": True}, "b")}
    found = stops("d1", row)
    assert [(stop.to, stop.why) for stop in found] == [
        ("d2", "its plan leads back here"), ("b", ""), ("b", "")]  # fmt: skip
    row = {"pattern": r"9(\d+)", "destinations": ({"to": r"99\1", "expand": True},)}
    assert [stop.why for stop in stops("91", row)] == ["its plan leads back here"]


def test_plans_within_plans_are_bounded_though_they_lead_nowhere() -> None:
    def row(level: int) -> dict[str, Any]:
        inner = {"to": f"e{level + 1}", "expand": True}
        return {"name": f"e{level}", "destinations": (inner,) * 8}

    begins = time.process_time()
    found = stops("e0", *map(row, range(7)), {"name": "e7"})
    assert time.process_time() - begins < 1
    assert (len(found), found[-1].why) == (1, "there are too many plans within plans")


def test_strangers_stay_inside() -> None:
    row = {"pattern": r"9(\d+)", "destinations": ("a", r"\1@gw", r"sip:\1@far")}
    found = stops("95", row, leave=False)
    assert [bool(stop.targets) for stop in found] == [True, False, False]
    assert "log in" in found[1].why
    assert all(stop.targets for stop in stops("95", {**row, "strangers": True}, leave=False))
    named = {"name": "n", "destinations": ("5@gw",)}
    assert stops("n", named, leave=False)[0].targets


def test_plans_within_plans_are_bounded() -> None:
    rows: list[dict[str, Any]] = [
        {"name": f"n{n}", "destinations": ({"to": f"n{n + 1}", "expand": True}, "a")}
        for n in range(12)
    ]
    found = stops("n0", *rows)
    assert [stop.why for stop in found].count("its plan leads back here") == 1
    fan = ({"to": "x", "expand": True},) * 40
    big: list[dict[str, Any]] = [
        {"name": "n", "destinations": fan},
        {"name": "x", "destinations": ({"to": "y", "expand": True},) * 40},
        {"name": "y", "destinations": ("a",)},
    ]
    assert len(stops("n", *big)) == MOST_STOPS


def test_a_plan_open_to_strangers_does_not_open_another() -> None:
    rows: list[dict[str, Any]] = [
        {"pattern": "1", "destinations": ({"to": "95", "expand": True},)},
        {"pattern": r"9(\d)", "destinations": (r"\1@gw",)},
    ]
    assert not stops("1", *rows, leave=False)[0].targets


@pytest.mark.parametrize(
    ("address", "uri"),
    [
        ("sip:gw", b"sip:1%23@gw"),
        ("sips:gw:5061;transport=tls", b"sips:1%23@gw:5061;transport=tls"),
    ],
)
def test_a_number_at_an_address(address: str, uri: bytes) -> None:
    assert with_user(address, "1#") == uri


@given(st.text(min_size=1, max_size=20))
def test_no_number_gets_out_of_its_place(number: str) -> None:
    """Whatever is dialled: the host is the plan's, and the user is the number."""
    row = {"pattern": r"(?s)(.*)", "destinations": (r"sip:\1@far:5070;transport=tcp", r"\1@gw")}
    for stop in stops(number, row):
        (target,) = stop.targets
        for raw in (target.uri, *target.others):
            uri = parse_uri(raw)
            assert isinstance(uri, SipUri)
            assert uri.host in (b"far", b"gw1", b"gw2", b"gw3")
            assert b"\r" not in raw
            assert b"\n" not in raw
