import json
import re
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from centrex.events import Event, Field, Kind, Severity
from centrex.events.render import as_json, as_text

STAMP = datetime(2026, 11, 22, 17, 34, 23, 123_999, tzinfo=UTC)
TOKEN = re.compile(r' ([a-z-]+)=("[^"]*"|[^ "=]+)')


def event(fields: dict[str, Field], call_id: bytes = b"") -> Event:
    return Event(Kind.CALLS, Severity.INFO, "call.answered", fields, call_id)


def test_a_line_reads_time_severity_kind_name_source_fields_call_id() -> None:
    fields: dict[str, Field] = {"from": b"sip:1001@x", "src": "192.0.2.7:5060", "status": 200}
    assert as_text(event(fields, b"a@b"), STAMP) == (
        "2026-11-22T17:34:23.123Z info  calls call.answered src=192.0.2.7:5060 "
        'from="sip:1001@x" status=200 call-id="a@b"'
    )


@pytest.mark.parametrize(
    ("severity", "word"),
    [
        (Severity.DEBUG, "debug"),
        (Severity.INFO, "info "),
        (Severity.NOTICE, "note "),
        (Severity.WARNING, "warn "),
        (Severity.ERROR, "error"),
    ],
)
def test_severities_align(severity: Severity, word: str) -> None:
    line = as_text(Event(Kind.GUARD, severity, "guard.banned", {}), STAMP)
    assert line == f"2026-11-22T17:34:23.123Z {word} guard guard.banned"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (7, "7"),
        (1.5, "1.5"),
        (True, "true"),
        ("udp", "udp"),
        ("udp 192.0.2.7:5060", '"udp 192.0.2.7:5060"'),
        ("", '""'),
        (b"udp", '"udp"'),
        (b'a" src=192.0.2.1 b="', '"a\\x22 src\\x3d192.0.2.1 b=\\x22"'),
        (b"SRC=1", '"src\\x3d1"'),
        (b"a\r\nb", '"a\\x0d\\x0ab"'),
        (b"\\x22", '"\\x5cx22"'),
        (b"sip:a@b;transport=tcp", '"sip:a@b;transport=tcp"'),
        (b"x" * 500, '"' + "x" * 200 + '…"'),
    ],
)
def test_values_are_quoted_unless_they_are_ours_and_plain(value: Field, text: str) -> None:
    assert as_text(event({"what": value}), STAMP).partition(" what=")[2] == text


def test_keys_are_written_with_hyphens_and_never_look_like_the_source() -> None:
    fields: dict[str, Field] = {"user_agent": 1, "dst_src": 2, "a b=c": 3}
    line = as_text(event(fields), STAMP)
    assert line.endswith(" user-agent=1 dst-src-=2 a-b-c-=3")


hostile = st.one_of(
    st.binary(max_size=60),
    st.text(max_size=60),
    st.sampled_from([b'" src=1.2.3.4 x="', 'a" src=1.2.3.4', b"\n2026 error guard", b"src=9", "="]),
)


@given(source=hostile, sender=hostile, called=hostile, call_id=st.binary(max_size=40))
def test_nothing_a_stranger_sends_becomes_a_field_or_a_line(
    source: Field, sender: Field, called: Field, call_id: bytes
) -> None:
    line = as_text(event({"to": called, "src": source, "from": sender}, call_id), STAMP)
    head, rest = line[:49], line[49:]
    assert head == "2026-11-22T17:34:23.123Z info  calls call.answere"
    assert line.isprintable()
    tokens = TOKEN.findall(rest)
    assert "d" + "".join(f" {key}={value}" for key, value in tokens) == rest
    expected = ["src", "to", "from"] + (["call-id"] if call_id else [])
    assert [key for key, _ in tokens] == expected
    assert line.lower().count("src=") == 1


def test_json_is_one_object_a_line() -> None:
    fields: dict[str, Field] = {"src": "192.0.2.7:5060", "from": b'a\x1b\n"', "status": 200}
    line = as_json(event(fields, b"a@b"), STAMP)
    assert json.loads(line) == {
        "at": "2026-11-22T17:34:23.123Z",
        "severity": "info",
        "kind": "calls",
        "event": "call.answered",
        "src": "192.0.2.7:5060",
        "fields": {"from": 'a\\x1b\\x0a"', "status": 200},
        "call_id": "a@b",
    }
    assert "\n" not in line


def test_json_leaves_out_what_is_unknown_and_knows_no_infinity() -> None:
    line = as_json(event({"rate": float("inf"), "loss": float("nan")}), STAMP)
    record = json.loads(line, parse_constant=pytest.fail)
    assert record["fields"] == {"rate": "inf", "loss": "nan"}
    assert "src" not in record
    assert "call_id" not in record


@given(source=hostile, value=hostile, key=st.text(max_size=20), call_id=st.binary(max_size=40))
def test_json_is_always_valid_and_printable(
    source: Field, value: Field, key: str, call_id: bytes
) -> None:
    line = as_json(event({"src": source, key or "k": value}, call_id), STAMP)
    assert line.isprintable()
    assert json.loads(line)["event"] == "call.answered"
