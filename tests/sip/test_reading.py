import pytest
from hypothesis import given
from hypothesis import strategies as st

from centrex.base import PeerError
from centrex.sip import reading
from centrex.sip.message import Message, parse
from centrex.sip.reading import ViaForm, read_request, read_response, top_via
from tests.support.proxy import FakeFlows, request

FLOW = FakeFlows().get("192.0.2.7", 5060)


def fast(data: bytes) -> object:
    try:
        message = parse(data)
        via, _ = top_via(message)
        return read_request(message, via)
    except PeerError as error:
        return error.status


def slow(data: bytes) -> object:
    try:
        message = parse(data)
        top_via(message)
        return reading._the_long_way(message)
    except PeerError as error:
        return error.status


LINES = (
    "From: <sip:alice@example.com>;tag=a", 'From: "A B" <sip:a@b>;tag=1;x=2', "From: sip:a@b",
    'From: "A <sip:a@b>', "f: A <sip:a@b>;tag=x", "To: <sip:b@c>;tag=", "To: <sip:b c@d>",
    "To: <sip:b@c>;tag=t", "Contact: *", "Contact: <sip:a@b>", "Contact: <sip:a@b", "Route: <sip:p;lr>",
    "Route: <sip:p:99999;lr>", "Route: <sip:p;lr>, <sip:q;lr>", "Max-Forwards: 256", "Max-Forwards: 7",
    "CSeq: 1 BYE", "CSeq: 99999999999 INVITE", "CSeq:1  INVITE", "Content-Length:   0",
    "Content-Length: 5", "Content-Length: x", "Require: path", "Call-ID: a b", "i: x@y", "Subject: z",
)  # fmt: skip


@given(st.lists(st.sampled_from(LINES), max_size=4), st.sampled_from(["INVITE", "OPTIONS", "BYE"]))
def test_the_short_way_gives_what_the_long_way_gives(lines: list[str], method: str) -> None:
    """Whatever stands first of a header is replaced, what was not there is added.

    Save for the Contacts of a REGISTER, which the registrar reads itself.
    """
    data = request(method, "sip:bob@example.com", FLOW).decode().split("\r\n")
    for line in lines:
        name = line.partition(":")[0]
        at = next((i for i, one in enumerate(data) if one.startswith(name + ":")), None)
        if at is None:
            data.insert(1, line)
        else:
            data[at] = line
    raw = "\r\n".join(data).encode()
    assert fast(raw) == slow(raw)
    assert fast(raw) == slow(raw), "and the same once the lines are known"


@pytest.mark.parametrize(
    ("line", "usual"),
    [
        (b"Via: SIP/2.0/UDP h:5070;branch=z9hG4bKx", True),
        (b"Via: SIP/2.0/UDP h:5070;rport;branch=z9hG4bK-1-2@192.0.2.7", True),
        (b"Via: SIP/2.0/UDP h;branch=z9hG4bKx;rport", True),
        (b"Via: SIP/2.0/UDP h;branch=z9hG4bK", False),
        (b"Via: SIP/2.0/UDP h;branch=z9hG4bKx;received=192.0.2.1", False),
        (b"Via: SIP/2.0/UDP h;branch=z9hG4bKx;rport=1", False),
        (b"Via: SIP/2.0/UDP h;branch=z9hG4bKx, SIP/2.0/UDP i;branch=z9hG4bKy", False),
        (b"Via: SIP/2.0/UDP h;rport", False),
    ],
)
def test_which_via_is_usual(line: bytes, usual: bool) -> None:
    data = request("OPTIONS", "sip:example.com", FLOW, via=line.decode())
    via, branch = top_via(parse(data))
    assert (type(via) is ViaForm) is usual
    assert branch == line.partition(b"branch=")[2].partition(b";")[0].partition(b",")[0]


def test_a_usual_via_is_amended_as_rfc_3581_says() -> None:
    line = b"Via: SIP/2.0/UDP 10.0.0.9:5060;rport;branch=z9hG4bKx"
    read = reading.read_via(line)
    assert read is not None
    form, branch = read
    assert form.amended(line, branch, FLOW) == (
        b"Via: SIP/2.0/UDP 10.0.0.9:5060;branch=z9hG4bKx;rport=5060;received=192.0.2.7"
    )


def response(*lines: bytes) -> Message:
    head = (b"SIP/2.0 200 OK", b"Via: SIP/2.0/UDP h;branch=z9hG4bKx", b"From: <sip:a@b>;tag=1")
    return parse(b"\r\n".join((*head, *lines, b"Call-ID: c", b"CSeq: 1 INVITE")) + b"\r\n\r\nbody")


def test_a_response_is_judged_and_cut_the_same_each_time() -> None:
    for _ in range(2):
        good = response(b"To: <sip:c@d>;tag=2", b"Content-Length: 2")
        read_response(good)
        assert good.body == b"bo"
        for bad in (b"Content-Length: 9", b"Content-Length: -1"):
            with pytest.raises(PeerError):
                read_response(response(b"To: <sip:c@d>;tag=2", bad))
        with pytest.raises(PeerError):
            read_response(response(b'To: "<sip:c@d>', b"Content-Length: 4"))
