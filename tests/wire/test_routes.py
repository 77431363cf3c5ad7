"""Routing plans in a running server: by the command line, by calls, and after a reload."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.server import CentrexServer
from tests.support.sipclient import SipClient
from tests.support.wire import change, control

pytestmark = [pytest.mark.wire, pytest.mark.slow, pytest.mark.timeout(120)]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[CentrexServer]:
    overrides: dict[str, object] = {
        "timeouts.rollover": 1,
        "timeouts.start_response": 1,
        "directory.entries": [{"name": "reception"}],
        "routing.plans": [
            {"name": "reception", "destinations": ["bob", "carol"]},
            {"pattern": "7(.*)", "destinations": ["\\1"]},
            {"name": "fair", "destinations": ["bob"], "times": ["2020-01-01..2020-01-02"]},
        ],
    }
    with CentrexServer(tmp_path, users=["alice", "bob", "carol"], overrides=overrides) as running:
        yield running


def look_into(server: CentrexServer, *words: str) -> dict[str, Any]:
    """Return the answer of `centrex route test`, whether or not the number leads anywhere."""
    code, out, errors = server.command("route", "test", *words, "--json")
    assert not errors or "does not run" in errors
    told = json.loads(out)
    assert isinstance(told, dict)
    assert code == (0 if told["leads"] else 1)
    return told


def test_a_hunt_and_its_story(server: CentrexServer) -> None:
    with (
        SipClient("alice", server) as alice,
        SipClient("bob", server) as bob,
        SipClient("carol", server) as carol,
    ):
        for phone in (bob, carol):
            assert phone.register().status == 200
        told = look_into(server, "reception")
        assert [step["to"] for step in told["steps"]] == ["bob", "carol"]
        assert told["live"]
        assert [step["from_s"] for step in told["steps"]] == [0, 1]
        call = alice.invite("reception")
        bob.incoming().respond(486)
        incoming = carol.incoming()
        incoming.answer()
        call.answered()
        story = control(server, "explain", call_id=call.call_id)
        texts = [line["text"] for line in story["lines"]]
        assert any("the routing plan reception decides" in text for text in texts)
        code, out, _ = server.command("route", "test", "7carol")
        assert code == 0
        assert "plan 2" in out
        told = look_into(server, "tel:7-(1)0;phone-context=+49")
        assert told["number"] == "710"
        assert told["steps"][0]["to"] == "10"
        for wrong in ("tel:", "tel:1;phone-context=far.example"):
            assert server.command("route", "test", wrong)[0] != 0
        assert server.command("route", "test", "x", "--at", "noon")[0] == 2
        assert server.command("route", "test", "x", "--from", "nobody")[0] == 1


def test_a_number_that_leads_nowhere_is_a_finding(server: CentrexServer) -> None:
    """The exit status tells a script; where nothing runs, a user without a phone may have one."""
    code, out, _ = server.command("route", "test", "4711")
    assert (code, "404: there is no such user" in out) == (1, True)
    assert not look_into(server, "4711")["leads"]
    assert server.command("route", "test", "carol")[0] == 1
    assert server.command("route", "test", "reception")[0] == 1
    with SipClient("carol", server) as carol:
        assert carol.register().status == 200
        assert server.command("route", "test", "carol")[0] == 0
        assert server.command("route", "test", "reception")[0] == 0
    server.stop()
    assert server.command("route", "test", "carol")[0] == 0
    assert server.command("route", "test", "reception")[0] == 0
    assert server.command("route", "test", "4711")[0] == 1
    assert server.command("route", "test", "fair")[0] == 1


def test_a_sip_uri_is_looked_up_as_a_call_to_it_would_be(server: CentrexServer) -> None:
    for running in (True, False):
        if not running:
            server.stop()
        for uri in ("sip:reception@centrex.test", "SIP:recep%74ion@centrex.test;x=y"):
            assert look_into(server, uri)["plan"]["key"] == "reception"
        assert look_into(server, "sip:7-0@centrex.test;user=phone")["number"] == "70"
        for wrong, words in (
            ("sip:x@far.example", "is called as it stands: no plan decides"),
            ("sip:centrex.test", "is the server itself"),
            ("registrar", "is the server itself"),
            ("sip:[", "is no address"),
        ):
            code, _, errors = server.command("route", "test", wrong)
            assert (code in (1, 2), words in errors) == (True, True), (wrong, errors)


def test_the_time_is_told_with_its_zone(server: CentrexServer) -> None:
    plans = [{"name": "fair", "destinations": ["bob"], "times": ["08:00-18:00"]}]
    change(server, routing={"plans": plans, "time_zone": "Asia/Tokyo"})
    assert server.command("reload")[0] == 0
    out = server.command("route", "test", "fair", "--at", "2026-12-24T17:30")[1]
    assert "fair at 2026-12-24T17:30+09:00 (Asia/Tokyo)" in out
    assert "none of the plan's destinations" in out
    told = look_into(server, "fair", "--at", "2026-12-24T17:30-05:00")
    assert (told["at"], told["zone"]) == ("2026-12-25T07:30+09:00", "Asia/Tokyo")
    assert "+09:00 (Asia/Tokyo)" in server.command("route", "test", "fair")[1]


def test_a_reload_changes_where_calls_go(server: CentrexServer) -> None:
    with SipClient("alice", server) as alice, SipClient("carol", server) as carol:
        assert carol.register().status == 200
        change(server, routing={"plans": [{"name": "sales", "destinations": ["carol"]}]})
        assert server.command("reload")[0] == 0
        call = alice.invite("sales")
        carol.incoming().answer()
        call.answered()
        other = alice.invite("reception")
        other.expect(480)


def test_without_a_running_instance_the_file_answers(server: CentrexServer) -> None:
    server.stop()
    code, out, errors = server.command("route", "test", "reception")
    assert code == 0
    assert "480" in out
    assert "does not run" in errors
    assert look_into(server, "tel:7-0;phone-context=centrex.test")["number"] == "70"


def test_the_users_of_a_credentials_file_are_known(server: CentrexServer, tmp_path: Path) -> None:
    server.stop()
    file = tmp_path / "logins"
    change(server, auth__credentials_file=str(file))
    file.write_text(f"dora:centrex.test:{'0' * 32}\n")
    assert look_into(server, "dora")["outcome"] == "480: no phone is registered"
    assert look_into(server, "carol", "--from", "dora")["leads"]


def test_gateways_are_listed(server: CentrexServer) -> None:
    gateway = {"name": "pstn", "addresses": ["sip:127.0.0.1:9"], "check_interval": 0}
    change(server, routing={"gateways": [gateway]})
    assert server.command("reload")[0] == 0
    (row,) = control(server, "gateways")["gateways"]
    assert (row["name"], row["address"], row["state"]) == ("pstn", "sip:127.0.0.1:9", "unchecked")


def test_one_that_is_gone_is_told_of(server: CentrexServer) -> None:
    gateway = {"name": "pstn", "addresses": ["sip:127.0.0.1:9"], "check_interval": 1}
    plan = {"pattern": r"9(\d+)", "destinations": [r"\1@pstn"]}
    change(server, routing={"gateways": [gateway], "plans": [plan]})
    assert server.command("reload")[0] == 0
    with SipClient("alice", server) as alice:
        assert alice.register().status == 200
        deadline = time.monotonic() + 15
        while not (warnings := server.ask("status")["warnings"]) and time.monotonic() < deadline:
            time.sleep(0.2)
        assert any("the gateway pstn is gone at sip:127.0.0.1:9" in one for one in warnings)
        code, out, _ = server.command("gateways")
        assert (code, "gone" in out) == (0, True)
        assert "does not answer" in server.command("route", "test", "9123", "--from", "alice")[1]
        call = alice.invite("9123")
        ending = alice.find(lambda message: message.status >= 480 or message.status == 408)
        assert ending is not None
        story = control(server, "explain", call_id=call.call_id)
        assert "the gateway pstn" in story["headline"]
        assert "centrex gateways" in story["advice"][0]


def test_a_plan_that_is_not_in_force(server: CentrexServer) -> None:
    """By the command line as by a call: the number is known, and why nobody rings."""
    with SipClient("alice", server) as alice:
        told = look_into(server, "fair")
        assert told["outcome"] == "480: its routing plan is not in force now"
        call = alice.invite("fair")
        final = call.expect(480)
        call.ack()
        assert "its routing plan is not in force now" in final.get("warning")
        told = control(server, "explain", call_id=call.call_id)
        assert "is not in force now (480)" in told["headline"]
