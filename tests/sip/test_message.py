import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from centrex.base import PeerError
from centrex.sip import names
from centrex.sip.message import MAX_LINES, can_be_answered, parse, unfold
from centrex.sip.validate import check_request, check_response
from tests.support.sipgrammar import messages

REQUEST = (
    b"INVITE sip:bob@example.com SIP/2.0\r\nv: SIP/2.0/UDP a\r\nVIA : SIP/2.0/UDP b\r\n"
    b"Subject:  one\r\n\ttwo \r\n three\r\nf: <sip:a@b>\r\nTo: <sip:a@b>\r\ni:1\r\n"
    b"CSeq: 1\tINVITE\r\n\r\nbody"
)


def test_lines_are_found_in_every_spelling() -> None:
    message = parse(REQUEST)
    assert (message.method, message.uri, message.status) == (b"INVITE", b"sip:bob@example.com", 0)
    assert message.fault is None
    assert message.values(names.VIA) == [b"SIP/2.0/UDP a", b"SIP/2.0/UDP b"]
    assert message.indices(names.VIA) == [1, 2]
    assert message.value(names.CALL_ID) == b"1"
    assert message.values(names.CALL_ID) == [b"1"]
    assert message.indices(names.CALL_ID) == [6]
    assert message.value(names.ROUTE) == b""
    assert not message.values(names.ROUTE)
    assert not message.indices(names.ROUTE)
    assert message.lines[3] == b"Subject:  one\r\n\ttwo \r\n three"
    assert message.body == b"body"
    assert message.to_bytes() == REQUEST
    assert can_be_answered(message)


def test_folds_become_one_space() -> None:
    assert unfold(b"  one\r\n\ttwo \r\n three\t") == b"one two three"


def test_edited_lines_are_found_again() -> None:
    message = parse(REQUEST)
    del message.lines[1]
    message.lines.insert(1, b"Route: <sip:x;lr>")
    message.rescan()
    assert message.value(names.ROUTE) == b"<sip:x;lr>"
    assert message.indices(names.VIA) == [2]
    assert not message.repeated >> names.VIA & 1


@pytest.mark.parametrize(
    "line", [b"SIP/2.0 180 Ringing", b"SIP/2.0 200 ", b"SIP/2.0 486", b"sip/2.0 200 OK"]
)
def test_status_lines(line: bytes) -> None:
    message = parse(line + b"\r\nCSeq: 7\tINVITE\r\n\r\n")
    assert message.status == int(line[8:11])
    assert message.method == b"INVITE"
    assert not can_be_answered(message)


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"\x00",
        b"SIP/2.0 99 x",
        b"SIP/2.0 700 x",
        b"SIP/2.0 4294967301 x",
        b"SIP/2.0 2000",
        b"SIP/2.0 +20 x",
        b"GET / HTTP/1.1",
        b"INVITE sip:a@b",
    ],
)
def test_what_has_no_sip_start_line_is_not_answered(line: bytes) -> None:
    with pytest.raises(PeerError):
        parse(line + b"\r\nVia: x\r\n\r\n")


@pytest.mark.parametrize(
    ("line", "status"),
    [
        (b"INVITE  sip:a@b  SIP/2.0", 400),
        (b"INVITE sip:a@b; lr SIP/2.0", 400),
        (b"INVITE sip:a@b SIP/2.0  ", 400),
        (b"INVITE SIP/2.0", 400),
        (b"INVITE sip:a@b SIP/7.0", 505),
        (b"INVITE sip:a@b SIP/2.0.1", 505),
    ],
)
def test_a_broken_request_line_can_be_answered(line: bytes, status: int) -> None:
    message = parse(REQUEST.replace(b"INVITE sip:bob@example.com SIP/2.0", line, 1))
    assert message.fault is not None
    assert message.fault.status == status
    assert can_be_answered(message)


def test_the_version_has_no_case() -> None:
    assert parse(REQUEST.replace(b"SIP/2.0\r\n", b"sip/2.0\r\n", 1)).fault is None


@pytest.mark.parametrize(
    "line",
    [
        b"NoColon",
        b"Call-IDx",
        b"Via",
        b": x",
        b"Bad Name: x",
        b"X: a\nVia: b",
        b"X: a\rVia: b",
        b"Call-ID: 2",
        b"\xd0: x",
    ],
)
def test_broken_lines_are_faults(line: bytes) -> None:
    message = parse(REQUEST.replace(b"Subject:", line + b"\r\nSubject:"))
    assert message.fault is not None
    assert message.fault.status == 400
    assert can_be_answered(message)


def test_a_header_block_without_end_is_a_fault() -> None:
    for cut in (b"\r\n\r\nbody", b"\r\nbody"):
        message = parse(REQUEST.removesuffix(cut).removesuffix(b"\r"))
        assert message.fault is not None
        assert message.body == b""
    assert can_be_answered(parse(REQUEST.removesuffix(b"\r\n\r\nbody")))


def test_the_number_of_lines_is_bounded() -> None:
    data = REQUEST.replace(b"Subject:", b"X: y\r\n" * MAX_LINES + b"Subject:")
    message = parse(data)
    assert message.fault is not None
    assert message.fault.status == 513
    assert len(message.lines) == MAX_LINES


@given(messages())
def test_written_as_it_was_read(data: bytes) -> None:
    message = parse(data)
    assert message.fault is None
    assert message.to_bytes() == data
    (check_response if message.status else check_request)(message)
    assert message.to_bytes() == data


@given(messages(), st.integers(1, 5))
def test_untouched_lines_survive_an_edit(data: bytes, place: int) -> None:
    message = parse(data)
    before = list(message.lines)
    message.lines.insert(place, b"Via: SIP/2.0/UDP new;branch=z9hG4bKn")
    message.rescan()
    again = parse(message.to_bytes())
    assert again.lines[:place] + again.lines[place + 1 :] == before
    assert again.at == message.at
    assert again.repeated == message.repeated


@given(messages(), st.lists(st.tuples(st.integers(0, 10**6), st.binary(max_size=3)), max_size=4))
def test_any_damage_is_a_message_or_a_peer_error(
    data: bytes, damage: list[tuple[int, bytes]]
) -> None:
    for at, octets in damage:
        place = at % len(data)
        data = data[:place] + octets + data[place + 1 :]
        assume(data)
    assert verdict(data) in (0, 400, 501, 505, 513)


@given(st.binary(max_size=200))
def test_anything_is_a_message_or_a_peer_error(data: bytes) -> None:
    assert verdict(data) in (0, 400, 501, 505, 513)


def verdict(data: bytes) -> int:
    try:
        message = parse(data)
        (check_response if message.status else check_request)(message)
    except PeerError as error:
        return error.status
    return 0
