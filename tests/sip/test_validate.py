import pytest

from centrex.base import PeerError
from centrex.sip.message import Message, parse
from centrex.sip.validate import check_request, check_response

INVITE = """\
INVITE sip:bob@example.com SIP/2.0
Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK776asdhds;rport
Max-Forwards: 70
To: <sip:bob@example.com>
From: "Alice" <sip:alice@example.com>;tag=1928301774
Call-ID: a84b4c76e66710@pc33.example.com
CSeq: 314159 INVITE
Contact: <sip:alice@192.0.2.1:5060>
Content-Length: 3

v=0"""
RINGING = INVITE.replace("INVITE sip:bob@example.com SIP/2.0", "SIP/2.0 180 Ringing")


def message(text: str, old: str = "", new: str = "") -> Message:
    assert old in text
    return parse((text.replace(old, new, 1) if old else text).replace("\n", "\r\n").encode())


def test_an_ordinary_request_and_response_pass() -> None:
    check_request(message(INVITE))
    check_response(message(RINGING))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("Max-Forwards: 70\n", ""),
        ("70", "0068"),
        ("70", "255"),
        ("70", "0"),
        ("CSeq: 314159 INVITE", "CSEQ : 0009\n  INVITE"),
        ("Call-ID: a", "i:\n a"),
        ("Call-ID: a84b4c76e66710", 'Call-ID: ="a:<b>;,#|'),
        ("Content-Length: 3", "l:\t3"),
        ("Content-Length: 3\n", ""),
        (";tag=1928301774", ""),
        ("sip:bob@example.com SIP", "tel:+12015550123 SIP"),
        ("sip:bob@example.com SIP", "unknown:stuff SIP"),
        ("<sip:bob@example.com>", "isbn:2983792873"),
        ("Contact:", "Date: yesterday\nExpires: soon\nTimestamp: x\nContact:"),
        ("Contact:", 'Route: <sip:a;lr>, "x, y" <sip:b;lr>\nRoute: <sip:c>\nContact:'),
        ("Contact:", "Require: a, b\nProxy-Require: c\nMax-Breadth: 60\nContact:"),
        ("Contact:", "Via: SIP/2.0/UDP 255.255.255.255, SIP/2.0/TCP [::1]:5060\nContact:"),
        ("INVITE sip", "INVITE SIP"),
    ],
)
def test_accepted(old: str, new: str) -> None:
    check_request(message(INVITE, old, new))


@pytest.mark.parametrize(
    ("old", "new", "status"),
    [
        ("To: <sip:bob@example.com>\n", "", 400),
        ("Call-ID: a84b4c76e66710@pc33.example.com\n", "", 400),
        ("Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK776asdhds;rport\n", "", 400),
        ("70", "256", 400),
        ("70", "-1", 400),
        ("70", "seventy", 400),
        ("70", "", 400),
        ("314159", "4294967296", 400),
        ("314159", "2147483648", 400),
        ("314159 INVITE", "314159 invite", 400),
        ("314159 INVITE", "314159", 400),
        ("INVITE sip", "NEWMETHOD sip", 501),
        ("INVITE sip", "INV(ITE sip", 400),
        ("776asdhds", "", 400),
        (";rport", ";;", 400),
        ("Contact:", "Via: nonsense\nContact:", 400),
        ("Contact:", "Via: SIP/2.0/UDP a,\nContact:", 400),
        ("a84b4c76e66710@pc33.example.com", "", 400),
        ("a84b4c76e66710@", "a b", 400),
        ('"Alice" ', '"Alice ', 400),
        ("sip:alice@example.com", "sip:alice@exam ple.com", 400),
        ("sip:alice@example.com", "sip:ali%zce@example.com", 400),
        ("<sip:bob@example.com>", "alan@jasomi.com", 400),
        ("<sip:alice@192.0.2.1:5060>", "sip:alice@192.0.2.1?Route=x", 400),
        ("<sip:alice@192.0.2.1:5060>", "*", 400),
        ("Contact:", "Route: <sip:a\nContact:", 400),
        ("Contact:", "Route:\nContact:", 400),
        ("Contact:", "Require: a b\nContact:", 400),
        ("Contact:", "Proxy-Require: ,\nContact:", 400),
        ("Contact:", "Max-Breadth: x\nContact:", 400),
        ("Length: 3", "Length: 4", 400),
        ("Length: 3", "Length: -3", 400),
        ("Length: 3", "Length: five", 400),
        ("Length: 3", "Length: 99999999999999999999", 400),
        ("sip:bob@example.com SIP", "<sip:bob@example.com> SIP", 400),
        ("sip:bob@example.com SIP", "sip:bob@example.com?x=y SIP", 400),
        ("sip:bob@example.com SIP", "sip:bo%b@example.com SIP", 400),
        ("SIP/2.0\n", "SIP/3.0\n", 505),
    ],
)
def test_refused(old: str, new: str, status: int) -> None:
    with pytest.raises(PeerError) as caught:
        check_request(message(INVITE, old, new))
    assert caught.value.status == status


def test_every_missing_header_is_named() -> None:
    with pytest.raises(PeerError, match="Via, CSeq, Call-ID, From, To"):
        check_request(message("BYE sip:a@b SIP/2.0\n\n"))


def test_a_star_is_for_register() -> None:
    text = INVITE.replace("INVITE", "REGISTER").replace("<sip:alice@192.0.2.1:5060>", "*")
    check_request(message(text))


def test_what_follows_the_body_is_cut_off() -> None:
    for text, check in ((INVITE, check_request), (RINGING, check_response)):
        longer = message(text + "rubbish")
        check(longer)
        assert longer.body == b"v=0"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("314159", "9292394834772304023312"),
        ("To: <sip:bob@example.com>\n", ""),
        ("Length: 3", "Length: 4"),
        (";rport", ";;"),
        ("Contact:", "Via: SIP/2.0/UDP 255.255.255.255:5060\nContact:"),
        ("Contact:", "Broken\nContact:"),
    ],
)
def test_dropped(old: str, new: str) -> None:
    with pytest.raises(PeerError):
        check_response(message(RINGING, old, new))
