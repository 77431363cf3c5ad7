from centrex.base import Transport
from centrex.sip.message import parse
from centrex.sip.names import CALL_ID, FROM, TO
from centrex.watching.package import REG
from centrex.watching.subscription import Subscription
from tests.support.proxy import FakeFlows


def subscription(number: int = 0, owner: bytes = b"wanda") -> Subscription:
    sub = Subscription(
        REG,
        b"bob",
        event=b"Event: reg",
        target=b"sip:bob@example.com",
        watcher=b"sip:wanda@example.com",
        owner=owner,
        login=owner,
        trusted=True,
        call_id=b"c%d" % number,
        own_tag=b"ours",
        their_tag=b"theirs",
        own_address=b"<sip:bob@example.com>;tag=ours",
        their_address=b"<sip:wanda@example.com>;tag=theirs",
    )
    sub.contact = b"sip:wanda@192.0.2.77:5060"
    sub.expires_at = 1060.4
    return sub


def test_a_notify_is_written_from_what_its_dialog_holds() -> None:
    sub, flow = subscription(), FakeFlows().get("192.0.2.77", 5060)
    sub.routes = b"Route: <sip:192.0.2.9;lr>\r\n"
    message = parse(sub.notify(b"z9hG4bKx", flow, b"<x/>", 1000.0))
    assert message.fault is None
    assert (message.method, message.uri, message.body) == (b"NOTIFY", sub.contact, b"<x/>")
    assert message.value(FROM) == b"<sip:bob@example.com>;tag=ours"
    assert message.value(TO) == b"<sip:wanda@example.com>;tag=theirs"
    assert message.value(CALL_ID) == b"c0"
    assert message.lines[1:4] == [
        b"Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKx",
        b"Max-Forwards: 70",
        b"Route: <sip:192.0.2.9;lr>",
    ]
    for line in (
        b"CSeq: 1 NOTIFY",
        b"Contact: <sip:192.0.2.1:5060>",
        b"Event: reg",
        b"Subscription-State: active;expires=60",
        b"Content-Type: application/reginfo+xml",
        b"Content-Length: 4",
    ):
        assert line in message.lines
    assert b"CSeq: 2 NOTIFY" in sub.notify(b"z9hG4bKy", flow, b"", 1000.0)
    assert sub.notified == 2


def test_the_last_one_tells_why() -> None:
    sub, flow = subscription(), FakeFlows().get("192.0.2.77", 5061, Transport.TLS)
    sub.ending = b"noresource"
    data = sub.notify(b"z9hG4bKx", flow, b"", 1000.0)
    assert b"\r\nSubscription-State: terminated;reason=noresource\r\n" in data
    assert b"\r\nContact: <sip:192.0.2.1:5061;transport=tls>\r\n" in data
