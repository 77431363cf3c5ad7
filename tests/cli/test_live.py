import json
from typing import Any

import pytest

from tests.support.command_line import CommandLine
from tests.support.fake_instance import FakeInstance

BINDING = {
    "aor": "sip:1001@example.com",
    "contact": "sip:1001@192.0.2.7:5062;x=\x1b]0;owned\x07",
    "transport": "UDP",
    "source": "192.0.2.7:5062",
    "q": 1.0,
    "expires_s": 3540,
    "user_agent": "Phone\u202e \u200b1.0",
    "path": [],
    "call_id": "abc",
}
CALL = {
    "id": "abc@phone",
    "from": "sip:1001@example.com",
    "to": "sip:1002@example.com",
    "state": "up",
    "started_at": "2026-01-01T00:00:00Z",
    "answered_at": "2026-01-01T00:00:02Z",
    "duration_s": 61.5,
    "caller": "192.0.2.7:5060",
    "callee": "192.0.2.8:5060",
}
EXPLANATION = {
    "call_id": "abc",
    "headline": "1001 could not register: wrong password",
    "advice": ["Type the password again."],
    "lines": [{"at": "12:00:00.000", "rule": "wrong-password", "text": "REGISTER \x1b[31m"}],
}
BAN = {
    "source": "192.0.2.66",
    "reason": "wrong passwords",
    "until": "2026-01-01T00:10:00Z",
    "seconds_left": 599.5,
}

pytestmark = pytest.mark.wire


def test_registrations_are_listed_and_escaped(line: CommandLine) -> None:
    answer = {"registrations": [BINDING]}
    with FakeInstance(line.paths.control, {"registrations": answer}) as instance:
        result = line.run("registrations", "--aor", "sip:1001@example.com")
        assert line.json("registrations") == answer
    assert instance.asked == [
        ("registrations", {"aor": "sip:1001@example.com", "offset": 0, "limit": 500}),
        ("registrations", {"offset": 0, "limit": 500}),
    ]
    assert "\\x1b]0;owned\\x07" in result.stdout
    assert "Phone\\u202e \\u200b1.0" in result.stdout
    assert "3540 s" in result.stdout
    assert "\x1b" not in result.stdout


@pytest.mark.parametrize(("verb", "row"), [("registrations", BINDING), ("calls", CALL)])
def test_a_list_of_any_length_is_fetched_by_the_page(
    verb: str, row: dict[str, Any], line: CommandLine
) -> None:
    pages = [
        {verb: [row, row], "total": 3, "next": 2},
        {verb: [row], "total": 3, "next": None},
    ]
    with FakeInstance(line.paths.control, {verb: pages}) as instance:
        assert line.json(verb) == {verb: [row, row, row]}
        assert len(line.run(verb).stdout.splitlines()) == 4
    assert [params["offset"] for _, params in instance.asked] == [0, 2, 0, 2]


def test_json_is_plain_ascii(line: CommandLine) -> None:
    binding = {**BINDING, "user_agent": "\x7f\x9b\u202e"}
    with FakeInstance(line.paths.control, {"registrations": {"registrations": [binding]}}):
        shown = line.run("registrations", "--json").stdout
    assert shown.isascii()
    assert all(character.isprintable() or character == "\n" for character in shown)
    assert json.loads(shown)["registrations"] == [binding]


def test_registrations_are_removed(line: CommandLine) -> None:
    with FakeInstance(line.paths.control, {"registrations.remove": {"removed": 2}}) as instance:
        assert line.run("registrations", "remove", "sip:a@b").stdout == "removed 2\n"
        assert line.json("registrations", "remove", "sip:a@b") == {"removed": 2}
    assert instance.asked[0] == ("registrations.remove", {"aor": "sip:a@b"})


def test_watchers_are_listed(line: CommandLine) -> None:
    row = {
        "watcher": "sip:1001@x",
        "target": "sip:1002@x",
        "package": "dialog",
        "expires_s": 3000,
        "state": "active",
        "notified": 7,
        "source": "udp 192.0.2.7:5060",
        "behind": 12,
    }
    answer = {"available": True, "rows": [row], "total": 1, "next": None}
    with FakeInstance(line.paths.control, {"subscriptions": answer}):
        assert line.json("subscriptions") == {"subscriptions": [row]}
        assert line.run("subscriptions").stdout.splitlines()[1].split() == [
            "sip:1001@x", "sip:1002@x", "dialog", "active", "3000", "s", "7",
            "12", "udp", "192.0.2.7:5060",
        ]  # fmt: skip
    with FakeInstance(line.paths.control, {"subscriptions": {**answer, "rows": []}}):
        assert line.run("subscriptions").stdout == "nobody watches anything\n"


def test_gateways_are_listed(line: CommandLine) -> None:
    row = {
        "name": "pstn",
        "address": "sip:192.0.2.51",
        "state": "gone",
        "status": None,
        "why": "it does not answer",
        "since_s": 12,
    }
    with FakeInstance(line.paths.control, {"gateways": {"gateways": [row]}}):
        assert line.json("gateways") == {"gateways": [row]}
        assert line.run("gateways").stdout.splitlines()[1].split() == [
            "pstn", "sip:192.0.2.51", "gone", "12", "-", "it", "does", "not", "answer",
        ]  # fmt: skip
    with FakeInstance(line.paths.control, {"gateways": {"gateways": []}}):
        assert line.run("gateways").stdout == "there is no gateway\n"


def test_calls_are_listed(line: CommandLine) -> None:
    with FakeInstance(line.paths.control, {"calls": {"calls": [CALL]}}):
        result = line.run("calls")
        assert line.json("calls") == {"calls": [CALL]}
    assert "sip:1002@example.com  up     61" in result.stdout


def test_empty_tables_say_so(line: CommandLine) -> None:
    answers: dict[str, dict[str, Any]] = {
        "registrations": {"registrations": []},
        "calls": {"calls": []},
        "bans": {"bans": []},
    }
    with FakeInstance(line.paths.control, answers):
        assert line.run("registrations").stdout == "no phone is registered\n"
        assert line.run("calls").stdout == "no call is in progress\n"
        assert line.run("bans").stdout == "nobody is banned\n"


def test_a_story_is_told(line: CommandLine) -> None:
    with FakeInstance(line.paths.control, {"explain": EXPLANATION}) as instance:
        result = line.run("explain", "abc")
        assert line.json("explain", "abc") == EXPLANATION
    assert instance.asked[0] == ("explain", {"call_id": "abc"})
    assert result.stdout.startswith("1001 could not register: wrong password\n  * Type")
    assert "12:00:00.000  REGISTER \\x1b[31m  [wrong-password]" in result.stdout


def test_an_unknown_call_leads_to_near_ones(line: CommandLine) -> None:
    error = {"code": "not-found", "message": "no such call", "nearest": ["abd\x07"]}
    with FakeInstance(line.paths.control, {"explain": error}):
        result = line.run("explain", "abc")
    assert result.exit_code == 1
    assert result.stderr == "error: no such call\n  nearest: abd\\x07\n"


def test_bans_are_listed_and_released(line: CommandLine) -> None:
    answers: dict[str, dict[str, Any]] = {
        "bans": {"bans": [BAN]},
        "bans.release": {"released": True},
    }
    with FakeInstance(line.paths.control, answers) as instance:
        assert "192.0.2.66  wrong passwords  2026-01-01T00:10:00Z  599 s" in line.run("bans").stdout
        assert line.json("bans") == {"bans": [BAN]}
        assert line.run("bans", "release", "192.0.2.66").stdout == "192.0.2.66 is heard again\n"
        assert line.json("bans", "release", "192.0.2.66") == {"released": True}
    assert instance.asked[-1] == ("bans.release", {"source": "192.0.2.66"})


def test_a_call_is_ended(line: CommandLine) -> None:
    with FakeInstance(line.paths.control, {"calls.end": {"ended": True}}) as instance:
        result = line.run("calls", "end", "-odd\x1b@phone")
        assert result.stdout == "-odd\\x1b@phone is ended\n"
        assert line.json("calls", "end", "abc@phone") == {"ended": True}
    assert instance.asked[0] == ("calls.end", {"id": "-odd\x1b@phone"})


def test_a_call_that_is_over_cannot_be_ended(line: CommandLine) -> None:
    error = {"code": "not-found", "message": "no call with that Call-ID", "nearest": ["abc@phone"]}
    with FakeInstance(line.paths.control, {"calls.end": error}):
        result = line.run("calls", "end", "abc")
    assert result.exit_code == 1
    assert "nearest: abc@phone" in result.stderr
