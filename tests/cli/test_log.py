import json

import pytest

from tests.support.command_line import CommandLine
from tests.support.fake_instance import FakeInstance

pytestmark = pytest.mark.wire

EVENT = {
    "at": "2026-11-22T17:34:23.123Z",
    "kind": "calls",
    "severity": "notice",
    "name": "call.failed",
    "text": 'call.failed src=192.0.2.7:5060 from="\u202e\x1b[2J"',
    "call_id": "abc@phone",
    "fields": {"src": "192.0.2.7:5060"},
}


def test_the_latest_events_are_shown_as_the_log_has_them(line: CommandLine) -> None:
    with FakeInstance(line.paths.control, {"events.recent": {"rows": [EVENT]}}) as instance:
        result = line.run("log", "-n", "3", "--kind", "calls", "-k", "guard", "--level", "notice")
        assert line.json("log")["events"] == [EVENT]
    assert instance.asked == [
        ("events.recent", {"limit": 3, "level": "notice", "kinds": ["calls", "guard"]}),
        ("events.recent", {"limit": 50, "level": "info"}),
    ]
    assert result.stdout == (
        "2026-11-22T17:34:23.123Z note  calls call.failed src=192.0.2.7:5060 "
        'from="\\u202e\\x1b[2J"\n'
    )


def test_events_are_followed_until_the_instance_goes(line: CommandLine) -> None:
    batches = [{"rows": [EVENT], "lost": 0}, {"rows": [EVENT, EVENT], "lost": 7}]
    with FakeInstance(line.paths.control, {"events": batches}) as instance:
        result = line.run("log", "--follow", "-n", "0", "--kind", "calls")
    assert instance.asked == [("events", {"recent": 0, "level": "info", "kinds": ["calls"]})]
    assert result.exit_code == 3
    assert result.stdout.count("call.failed") == 3
    assert "7 events came too fast" in result.stderr
    assert "ended the connection" in result.stderr


def test_programs_read_a_line_of_json_for_each_event(line: CommandLine) -> None:
    with FakeInstance(line.paths.control, {"events": [{"rows": [EVENT, EVENT], "lost": 0}]}):
        result = line.run("log", "-f", "--json")
    assert [json.loads(text) for text in result.stdout.splitlines()] == [EVENT, EVENT]
    assert result.stdout.isascii()


def test_nobody_there_says_how_to_start_one(line: CommandLine) -> None:
    result = line.run("log", "--follow")
    assert (result.exit_code, "centrex start" in result.stderr) == (3, True)
