import pytest

from centrex.base import Transport
from centrex.proxy.leg import NOWHERE
from centrex.sip.message import parse
from centrex.sip.names import RECORD_ROUTE, ROUTE
from centrex.trace import Rule
from tests.support.calling import Phone, Sent, names, quiet, rules, values
from tests.support.hunting import hunted, planned
from tests.support.proxy import DOMAIN, Proxy, respond
from tests.support.relays import offer, relayed


@pytest.fixture
def proxy() -> Proxy:
    return Proxy(users=["alice", "bob"])


@pytest.fixture
def alice(proxy: Proxy) -> Phone:
    return Phone(proxy, "alice", "192.0.2.7")


def rung_out(proxy: Proxy, alice: Phone, bob: Phone, body: str = "") -> bytes:
    """The caller was told that nobody picks up."""
    extra = "Content-Type: application/sdp\n" if body else ""
    invite = bob.gets(alice.calls("bob", body=body, extra=extra), "INVITE")
    bob.says(invite, 180)
    sent = proxy.advance(122)
    assert "480" in names(sent)
    return invite


def heard(sent: Sent, bob: Phone) -> list[bytes]:
    assert not [flow for flow, _ in sent if flow is not bob.flow and flow.link is not NOWHERE]
    return [data for flow, data in sent if flow is bob.flow]


@pytest.mark.parametrize("kind", ["udp", "tcp", "nat"])
def test_it_goes_the_way_the_invite_went(proxy: Proxy, alice: Phone, kind: str) -> None:
    transport = Transport.TCP if kind == "tcp" else Transport.UDP
    behind = "10.0.0.5:5060" if kind == "nat" else ""
    bob = Phone(proxy, "bob", "192.0.2.8", transport=transport, behind=behind)
    invite = rung_out(proxy, alice, bob)
    ack, bye = heard(bob.says(invite, 200), bob)
    assert (ack[:4], bye[:4]) == (b"ACK ", b"BYE ")
    assert parse(ack).uri == parse(bye).uri == bob.contact.encode()
    assert not values(ack, ROUTE)
    bob.says(bye, 200)
    proxy.advance(120)
    assert quiet(proxy)


def test_proxies_between_are_passed(proxy: Proxy, alice: Phone) -> None:
    bob = Phone(proxy, "bob", "192.0.2.8")
    invite = rung_out(proxy, alice, bob)
    own = values(invite, RECORD_ROUTE)
    between = ["<sip:192.0.2.8:5060;lr;far>", "<sip:192.0.2.8:5060;lr;near>"]
    assert own
    lines = b"".join(b"Record-Route: %b\r\n" % value.encode() for value in between)
    answer = respond(invite, 200, extra=f"Contact: <{bob.contact}>\n")
    answer = answer.replace(b"Record-Route: ", lines + b"Record-Route: ", 1)
    for data in heard(proxy.receive(answer, bob.flow), bob):
        assert values(data, ROUTE) == between[::-1]


def test_a_bye_that_is_lost_is_repeated(proxy: Proxy, alice: Phone) -> None:
    bob = Phone(proxy, "bob", "192.0.2.8")
    _, bye = heard(bob.says(rung_out(proxy, alice, bob), 200), bob)
    assert (bob.flow, bye) in proxy.advance(0.6)
    bob.says(bye, 200)
    assert "BYE" not in names(proxy.advance(20))


def test_its_media_are_not_taken_on(proxy: Proxy, alice: Phone) -> None:
    farm = relayed(proxy)
    bob = Phone(proxy, "bob", "192.0.2.8")
    invite = rung_out(proxy, alice, bob, body=offer("192.0.2.7", 4000))
    told = len(farm.told)
    heard(bob.says(invite, 200, body=offer("192.0.2.8", 5000)), bob)
    assert len(farm.told) == told
    assert proxy.core.relaying is not None
    assert proxy.core.relaying.of(b"call-1") is None
    assert rules(proxy)[-1].value == "leg-ended"


@pytest.mark.parametrize(
    ("told", "other"),
    [
        (b"Record-Route: ", b'Record-Route: <sip:192.0.2.8:5060;lr;c"=u>\r\nRecord-Route: '),
        (b"Contact: <sip:bob@192.0.2.8", b"Contact: <sip:bob@192.0.2.8:x"),
    ],
)
def test_one_that_cannot_be_spoken_to_is_left(
    proxy: Proxy, alice: Phone, told: bytes, other: bytes
) -> None:
    bob = Phone(proxy, "bob", "192.0.2.8")
    answer = respond(rung_out(proxy, alice, bob), 200, extra="Contact: <sip:bob@192.0.2.8>\n")
    assert told in answer
    for _ in range(2):
        assert not proxy.receive(answer.replace(told, other, 1), bob.flow)
    assert rules(proxy).count(Rule.LEG_LEFT) == 1
    assert Rule.LEG_ENDED not in rules(proxy)
    proxy.advance(120)
    assert quiet(proxy)


def test_why_it_is_hung_up_is_told(proxy: Proxy, alice: Phone) -> None:
    """RFC 3326: to nobody in time, to a caller who has given up."""
    bob = Phone(proxy, "bob", "192.0.2.8")
    _, bye = heard(bob.says(rung_out(proxy, alice, bob), 200), bob)
    assert b'Reason: SIP;cause=480;text="Answered too late"' in parse(bye).lines
    carol = Phone(proxy, "carol", "192.0.2.9")
    planned(proxy, hunted({"to": "bob", "ring": 2}, "carol"))
    again = {"branch": "z9hG4bK2", "call_id": "call-2"}
    first = bob.gets(alice.calls("sales", **again), "INVITE")
    bob.says(first, 180)
    second = carol.gets(proxy.advance(2.2), "INVITE")
    carol.says(second, 180)
    alice.sends("CANCEL", f"sip:sales@{DOMAIN}", **again)
    assert "487" in names(carol.says(second, 487))
    _, bye = heard(bob.says(first, 200), bob)
    assert b'Reason: SIP;cause=487;text="The caller has hung up"' in parse(bye).lines
