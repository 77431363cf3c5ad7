"""What is odd about plans."""

from typing import Any

import pytest

from centrex.routing.lint import lint
from centrex.routing.settings import RoutingSettings

USERS = {"a", "b"}


def findings(*plans: dict[str, Any], gateways: Any = (), users: Any = USERS) -> list[str]:
    settings = RoutingSettings.model_validate({"plans": plans, "gateways": gateways})
    return [f"{key}: {words}" for key, words in lint(settings, users, str.lower)]


def test_all_is_well() -> None:
    gateway = {"name": "gw", "addresses": ["sip:gw"]}
    assert not findings(
        {"name": "a", "destinations": ["A", "b", "sip:x@far", r"1@gw"]},
        {"pattern": r"9(\d+)", "destinations": [r"\1@gw", r"\1"]},
        {"pattern": r"\d+", "destinations": ["a"]},
        gateways=[gateway],
    )


@pytest.mark.parametrize(
    ("plans", "words"),
    [
        ([{"name": "a", "destinations": ["b"]}, {"name": "A", "destinations": ["b"]}], "plans[1]: never decides: routing.plans[0]"),
        ([{"pattern": "1", "destinations": ["b"]}, {"pattern": "1", "destinations": ["b"]}], "plans[1]: never decides"),
        ([{"pattern": ".*", "destinations": ["b"]}, {"pattern": "1", "destinations": ["b"]}], "plans[1]: never decides"),
        ([{"pattern": ".*", "destinations": ["b"]}], "matches every number"),
        ([{"pattern": r"\+?.+", "destinations": ["b"]}], "matches every number"),
        ([{"name": "a", "destinations": []}], "is empty"),
        ([{"name": "a", "destinations": ["x"]}], "there is no user x"),
        ([{"name": "a", "destinations": ["1@x"]}], "there is no gateway x"),
        ([{"name": "a", "destinations": [{"to": "b", "expand": True}]}, {"name": "b", "destinations": [{"to": "A", "expand": True}]}], "plans[1]: leads back"),
    ],
)  # fmt: skip
def test_what_is_odd(plans: list[dict[str, Any]], words: str) -> None:
    assert any(words in one for one in findings(*plans)), findings(*plans)


def test_times_and_switches_keep_a_plan_from_hiding_others() -> None:
    assert not findings(
        {"name": "a", "times": ["sat"], "destinations": ["b"]},
        {"pattern": ".*", "times": ["sun"], "destinations": ["b"]},
        {"pattern": ".*", "enabled": False, "destinations": ["b"]},
        {"name": "a", "destinations": ["b"]},
        {"pattern": "1", "destinations": ["b"]},
    )


def test_users_that_are_not_all_known() -> None:
    assert not findings({"name": "a", "destinations": ["x"]}, users=None)


def test_two_gateways_of_one_name() -> None:
    gateway = {"name": "gw", "addresses": ["sip:gw"]}
    assert "already the name" in findings(gateways=[gateway, gateway])[0]
    off = {"name": "gw", "addresses": ["sip:gw"], "enabled": False}
    assert "switched off" in findings({"name": "a", "destinations": ["1@gw"]}, gateways=[off])[0]
