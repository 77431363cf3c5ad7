"""What is odd about plans."""

import datetime as dt
from dataclasses import replace
from typing import Any

import pytest

from centrex.routing.lint import Known, lint, lint_directory
from centrex.routing.settings import DirectorySettings, RoutingSettings

USERS = {"a", "b", "+49"}
TODAY = dt.date(2026, 11, 26)


KNOWN = Known(users=USERS, canonical=str.lower, hosts={"here"}, today=TODAY, registrar="Reg")


def findings(*plans: dict[str, Any], gateways: Any = (), users: Any = USERS) -> list[str]:
    settings = RoutingSettings.model_validate({"plans": plans, "gateways": gateways})
    return [f"{key}: {words}" for key, words in lint(settings, replace(KNOWN, users=users))]


def odd_names(*rows: dict[str, Any], known: Known = KNOWN) -> list[str]:
    settings = DirectorySettings.model_validate({"entries": rows})
    return [f"{key}: {words}" for key, words in lint_directory(settings, known)]


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
        ([{"name": "a", "destinations": ["b"], "times": ["sat", "mon"]}, {"name": "A", "destinations": ["b"], "times": ["mon"]}], "plans[1]: plan 2 never decides: plan 1"),
        ([{"pattern": "1", "destinations": ["b"], "times": ["sat"]}, {"pattern": "1", "destinations": ["b"], "times": ["sat"]}], "plans[1]: plan 2 never decides"),
        ([{"name": "a", "destinations": ["b"], "times": ["mon-sun"]}, {"name": "a", "destinations": ["b"]}], "plans[1]: plan 2 never decides"),
        ([{"name": "a", "destinations": ["b"], "times": [times]} for times in ("mon-fri", "sat,sun", "08:00-18:00")], "plans[2]: plan 3 never decides: plans before it are for the same, at all its times"),
        ([{"pattern": "1", "destinations": ["b"], "times": [times]} for times in ("08:00-18:00", "18:00-08:00", "mon-sun")], "plans[2]: plan 3 never decides: plans before it are for the same"),
        ([{"name": "7", "destinations": ["b"]}, {"pattern": "7", "destinations": ["a"]}], "plans[1]: plan 2 never decides: the only number it matches has plan 1 by name"),
        ([{"pattern": "[7]", "destinations": ["a"]}, {"name": "7", "destinations": ["b"]}], "plans[0]: plan 1 never decides: the only number it matches has plan 2 by name"),
        ([{"name": "a", "destinations": ["b"], "times": ["sat 2026-12-24", "sun"]}], "plans[0].times[0]: sat 2026-12-24 never holds: none of these dates is one of these days"),
        ([{"name": "reg", "destinations": ["b"]}], "plans[0].name: is the server's own name: calls to it are refused (405)"),
        ([{"name": "a", "destinations": [{"to": "70", "expand": True}]}, {"pattern": r"7(\d)", "destinations": [{"to": "75", "expand": True}]}], "plan 2 leads back to itself, 70 for one"),
        ([{"pattern": r"9(\d+)", "destinations": [{"to": r"99\1", "expand": True}]}], "plan 1 leads back to itself, 90 for one"),
        ([{"name": "a", "destinations": ["b"]}, {"name": "A", "destinations": ["b"]}], "plans[1]: plan 2 never decides: plan 1"),
        ([{"pattern": "1", "destinations": ["b"]}, {"pattern": "1", "destinations": ["b"]}], "plans[1]: plan 2 never decides"),
        ([{"pattern": ".*", "destinations": ["b"]}, {"pattern": "1", "destinations": ["b"]}], "plans[1]: plan 2 never decides"),
        ([{"pattern": r"9(\d+)", "destinations": ["b"]}, {"pattern": r"91(\d+)", "destinations": ["b"]}], "plan 1 before it matches all that 91"),
        ([{"name": "a", "destinations": ["b"], "times": ["2020-01-01", "mon 2026-11-01..2026-11-24"]}], "its dates are all past"),
        ([{"pattern": r"6(\d+)", "destinations": [{"to": r"6\1", "expand": True}]}], "plan 1 leads back to itself, 60 for one"),
        ([{"pattern": r"6\d", "destinations": [{"to": "a", "expand": True}]}, {"name": "a", "destinations": [{"to": "60", "expand": True}]}], "plan 2 leads back"),
        ([{"name": "a", "destinations": ["sip:ghost@Here"]}], "there is no user ghost here"),
        ([{"name": "a", "destinations": ["sip:here"]}], "names no user: it is the server itself"),
        ([{"name": "a", "destinations": ["sip:reg@here"]}], "names no user: it is the server itself"),
        ([{"name": "a", "destinations": [r"sip:\0@far;transport=sctp"]}], "leads nowhere: calls go by udp, tcp or tls"),
        ([{"name": "a", "destinations": ["sips:x@far;transport=udp"]}], "leads nowhere: calls go by udp, tcp or tls"),
        ([{"pattern": "[ab]", "destinations": ["x@gw"]}], "plan 1 takes calls for a, b: users here"),
        ([{"name": "a", "destinations": ["1234,voicemail"]}], 'two destinations are ["1234", "voicemail"]'),
        ([{"pattern": ".*", "destinations": ["b"]}], "matches every number"),
        ([{"pattern": r"\+?.+", "destinations": ["b"]}], "matches every number"),
        ([{"name": "a", "destinations": []}], "is empty"),
        ([{"name": "a", "destinations": ["x"]}], "there is no user x"),
        ([{"name": "a", "destinations": ["1@x"]}], "there is no gateway x"),
        ([{"name": "a", "destinations": [{"to": "b", "expand": True}]}, {"name": "b", "destinations": [{"to": "A", "expand": True}]}], "plans[1]: plan 2 leads back"),
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


def test_two_gateways_that_cannot_be_told_apart() -> None:
    """A call that comes in from there may be either's, and has to be answered for by one login."""
    row = {"login": "a", "password": "b"}
    one = {**row, "name": "one", "addresses": ["sip:GW.example:5060", "sip:192.0.2.1"]}
    for same in ("sip:gw.example:5060", "sip:192.0.2.1:5060", "sip:192.0.2.1;transport=udp"):
        two = {**row, "name": "two", "addresses": [same]}
        (said,) = findings(gateways=[one, two])
        assert said.startswith("routing.gateways[1].addresses")
        assert f"{same} is an address of one as well" in said
        assert not findings(gateways=[one, {**two, "login": "", "password": ""}])
        assert not findings(gateways=[one, {**two, "enabled": False}])
    for other in ("sip:gw.example:5080", "sip:gw.example:5060;transport=tcp", "sips:192.0.2.1"):
        assert not findings(gateways=[one, {**row, "name": "two", "addresses": [other]}])


def test_what_is_never_sent_of_a_destination() -> None:
    (said,) = findings({"name": "x", "destinations": ["sip:y@far?Subject=hello"]})
    assert said == "routing.plans[0].destinations[0]: what follows its ? is not sent: Subject=hello"
    assert not findings({"name": "x", "destinations": ["sip:a?b@far"]})


def test_addresses_that_lead_nowhere() -> None:
    gateway = {"name": "gw", "addresses": ["sip:a.example", "sip:b.example;transport=sctp"]}
    (told,) = findings(gateways=[gateway])
    assert told.startswith("routing.gateways[0].addresses[1]: leads nowhere: calls go by udp, tcp")
    assert not findings(gateways=[{**gateway, "enabled": False}])
    door = {"name": "door", "contact": "sip:door@192.0.2.9;transport=sctp"}
    (told,) = odd_names(door)
    assert told.startswith("directory.entries[0].contact: leads nowhere:")


def test_fixed_contacts_of_ours() -> None:
    for contact, words in (
        ("sip:ghost@Here", "there is no user ghost here"),
        ("sip:here", "names no user"),
        ("sip:reg@here", "names no user"),
        ("sip:Door@here;x=y", "is the name itself"),
    ):
        (told,) = odd_names({"name": "door", "contact": contact})
        assert told.startswith(f"directory.entries[0].contact: {words}"), told
    for contact in ("sip:A@here", "sip:ghost@there", "sip:+4-9@here;user=phone"):
        assert not odd_names({"name": "door", "contact": contact})
    assert not odd_names({"name": "a", "contact": "sip:x@here"}, known=replace(KNOWN, users=None))


def test_two_gateways_of_one_name() -> None:
    gateway = {"name": "gw", "addresses": ["sip:gw"]}
    assert "already the name" in findings(gateways=[gateway, gateway])[0]
    off = {"name": "gw", "addresses": ["sip:gw"], "enabled": False}
    assert "switched off" in findings({"name": "a", "destinations": ["1@gw"]}, gateways=[off])[0]


def test_what_is_not_odd() -> None:
    assert not findings(
        {"pattern": r"91(\d+)", "destinations": ["b"]},
        {"pattern": r"9(\d+)", "destinations": ["b"]},
        {"pattern": r"9(\d*)", "destinations": ["b"]},
        {"pattern": "[ab]", "destinations": [r"\0", "b"]},
        {"pattern": r"7\d", "destinations": [{"to": "a", "expand": True}]},
        {"pattern": r"0(\d+)", "destinations": [{"to": r"\1", "expand": True}, "b"]},
        {"pattern": "[67]7", "destinations": ["b"]},
        {"name": "67", "destinations": ["b"], "times": ["sat"]},
        {"name": "67", "destinations": ["a"], "times": ["sat", "sun"]},
        {
            "name": "d",
            "destinations": [{"to": "72", "expand": True}],
            "times": ["sun 2026-12-20..2026-12-27"],
        },
        {
            "name": "b",
            "destinations": ["sip:B@here", "sip:ghost@there", "sip:+4-9@here;user=phone"],
        },
        {"name": "c", "destinations": ["b"], "times": ["2020-01-01", "2026-11-25", "sat"]},
    )


def test_half_a_login() -> None:
    row = {"name": "gw", "addresses": ["sip:gw"]}
    assert "without a password" in findings(gateways=[{**row, "login": "a"}])[0]
    assert "never used" in findings(gateways=[{**row, "password": "a"}])[0]


def test_the_directory() -> None:
    rows = [{"name": name} for name in ("a", "A", "REG", "b c", "d")]
    off = {"name": "d", "enabled": False}
    told = odd_names(*rows, off)
    assert len(told) == 3
    for words, one in zip(
        ("[1].name: A is there already, as a", "own name", "space"), told, strict=True
    ):
        assert words in one
    assert len(odd_names(*rows, off, known=replace(KNOWN, canonical=str))) == 1


def test_many_plans_are_looked_through_in_a_moment() -> None:
    plans = [{"pattern": rf"{n:03}9(\d{{2,9}})", "destinations": ["b"]} for n in range(300)]
    assert not findings(*plans)
