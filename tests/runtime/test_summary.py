from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from centrex.base import Flow, Transport
from centrex.events import Event, Kind
from centrex.events.render import as_json, as_text
from centrex.runtime.summary import received, sent
from tests.support.registering import flow_from, register_request

FLOW = flow_from("192.0.2.7", 5062)
REGISTER = register_request(b"<sip:1001@192.0.2.7>").to_bytes()
RINGING = (
    b"SIP/2.0 180 Ringing\r\nv: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\n"
    b"i:\r\n abc@x\r\ncseq : 17\r\n  INVITE\r\n\r\n"
)
STAMP = datetime(2026, 1, 1, tzinfo=UTC)


def test_what_comes_in_has_its_source() -> None:
    event = received(REGISTER, FLOW)
    assert isinstance(event, Event)
    assert (event.kind, event.name) == (Kind.SIP_SUMMARY, "sip.received")
    assert event.call_id == b"c1"
    assert event.fields == {
        "src": "udp 192.0.2.7:5062",
        "local": "192.0.2.1:5060",
        "message": b"REGISTER",
        "cseq": b"1 REGISTER",
        "octets": len(REGISTER),
    }


def test_what_goes_out_has_its_destination_and_no_source() -> None:
    event = sent(RINGING, flow_from("192.0.2.8", transport=Transport.TCP))
    assert isinstance(event, Event)
    assert event.name == "sip.sent"
    assert event.call_id == b"abc@x"
    assert event.fields == {
        "dst": "tcp 192.0.2.8:5060",
        "local": "192.0.2.1:5060",
        "message": 180,
        "cseq": b"17 INVITE",
        "octets": len(RINGING),
    }
    assert "src=" not in as_text(event, STAMP)


@pytest.mark.parametrize(
    "data",
    [b"", b"\r\n\r\n", b"\0", b"\0\0\0\0", b"hello", b"\xff" * 65_000, b"GET / HTTP/1.1\r\n\r\n"],
)
def test_what_is_no_sip_gives_nothing(data: bytes) -> None:
    assert received(data, FLOW) is None


@pytest.mark.parametrize(
    "data",
    [
        b"INVITE sip:x SIP/2.0\r\n\r\n",
        b"INVITE sip:x SIP/2.0\r\nCSeq:\r\nCall-ID:\r\n\r\n",
        b"SIP/2.0 200 OK\r\nCSeq:\r\n\r\n",
        b"INVITE sip:x SIP/2.0\r\nCall-ID: a",
        b"INVITE sip:x SIP/2.0\r\n" + b"Call-ID: a\r\n" * 5000 + b"\r\n",
        b"INVITE sip:x SIP/7.0\r\nCall-ID: a\r\n\r\n",
        b"I\x1b[2J sip:x SIP/2.0\r\nCall-ID: src=1.2.3.4\n" + b"x" * 60_000 + b"\r\n\r\n",
    ],
)
def test_a_broken_message_still_gives_one_short_line(data: bytes) -> None:
    event = received(data, FLOW)
    assert isinstance(event, Event)
    line = as_text(event, STAMP)
    assert len(line) < 2000
    assert line.isprintable()
    assert line.count("src=") == 1
    assert as_json(event, STAMP).isprintable()


def _both(data: bytes, flow: Flow) -> None:
    for event in (received(data, flow), sent(data, flow)):
        if event is not None:
            assert as_text(event, STAMP).isprintable()


@given(st.binary(max_size=400))
def test_no_input_harms(data: bytes) -> None:
    _both(data, FLOW)


@given(st.lists(st.tuples(st.integers(0, len(REGISTER) - 1), st.integers(0, 255)), max_size=20))
def test_no_mutation_harms(changes: list[tuple[int, int]]) -> None:
    for whole in (REGISTER, RINGING):
        data = bytearray(whole)
        for place, octet in changes:
            data[place % len(data)] = octet
        _both(bytes(data), FLOW)
