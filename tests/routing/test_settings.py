"""What plans, gateways and standing names may say."""

from typing import Any

import pytest
from pydantic import ValidationError

from centrex.routing.settings import DirectoryEntry, Gateway, Plan, RoutingSettings, Step


@pytest.mark.parametrize(
    "row",
    [
        {
            "name": "1001",
            "destinations": ("1001", "sip:a@b", "sips:a@b:5061;transport=tls", "1@gw"),
        },
        {"pattern": r"9(\d+)(x)?", "destinations": (r"\1", r"\g<2>@gw", r"sip:\0@gw.example:5070")},
        {"name": "x", "destinations": ({"to": "y", "ring": 5, "expand": True},), "times": ("mon",)},
    ],
)
def test_plans(row: dict[str, Any]) -> None:
    assert Plan(**row).enabled


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({}, "either a name or a pattern"),
        ({"name": "a", "pattern": "b"}, "either a name or a pattern"),
        ({"pattern": "(?=x)"}, "RE2"),
        ({"pattern": r"9(\d+)", "destinations": (r"\2",)}, "no group 2"),
        ({"name": "a", "destinations": (r"\1",)}, "no group 1"),
        ({"name": "a", "destinations": ("",)}, "without spaces"),
        ({"name": "a", "destinations": ("a b",)}, "without spaces"),
        ({"name": "a", "destinations": ("<sip:a@b>",)}, "brackets"),
        ({"name": "a", "destinations": ("sip:",)}, "SIP URI"),
        ({"name": "a", "destinations": ("sip:a@b:99999",)}, "SIP URI"),
        ({"name": "a", "destinations": ("tel:123",)}, "sip:"),
        ({"name": "a", "destinations": ("@pstn",)}, "no number before @pstn"),
        ({"name": "a", "destinations": ({"to": "a", "ring": 4000},)}, "3600"),
        ({"name": "a", "times": ("noon",)}, "days are"),
    ],
)
def test_what_is_refused_in_plans(row: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        Plan(**row)


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({"name": "a b", "addresses": ("sip:x",)}, "letters"),
        ({"name": "a", "addresses": ()}, "at least 1"),
        ({"name": "a", "addresses": ("gw.example",)}, "must begin with sip"),
        ({"name": "a", "addresses": ("sip:user@gw",)}, "no user"),
        ({"name": "a", "addresses": ("sip:x",), "check_interval": -1}, "greater"),
    ],
)
def test_what_is_refused_in_gateways(row: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        Gateway(**row)


def test_the_rest() -> None:
    assert "secret" not in repr(Gateway(name="a", addresses=("sip:x",), password="secret"))
    assert Step(to="a").ring == 0
    assert RoutingSettings(time_zone="Europe/Berlin").redirects == "pass"
    with pytest.raises(ValidationError, match="time zone"):
        RoutingSettings(time_zone="Mars/Base")
    assert DirectoryEntry(name="a", contact="sip:a@b").enabled
    with pytest.raises(ValidationError, match="contact"):
        DirectoryEntry(name="a", contact="a@b")
