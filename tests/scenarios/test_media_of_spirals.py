"""A call that another proxy leads back to us: its media are seen to once, on its first way through us."""

import re
from collections.abc import Callable

import pytest

from centrex.media.terms import Address
from centrex.sip.names import ROUTE
from tests.support.calling import Phone, Sent, names, routes, values
from tests.support.proxy import DOMAIN, Proxy
from tests.support.relays import FakeFarm, FakeRelay, line, offer, relayed
from tests.support.rtpengine_asked import HOST, FakeRtpengine

SDP = "Content-Type: application/sdp\n"
ALICE, OTHER, CAROL = "192.0.2.7", "192.0.2.77", "192.0.2.9"
RELAY = "198.51.100.1"


class Spiral:
    """A call from Alice to Bob, whom a proxy outside leads back to us, for Carol; it stays between."""

    def __init__(self, proxy: Proxy, asked: Callable[[], Sent] = list, *, behind: str = "") -> None:
        self.proxy, self._asked = proxy, asked
        self.alice = Phone(proxy, "alice", ALICE)
        self.other = Phone(proxy, "bob", OTHER)
        self.carol = Phone(proxy, "carol", CAROL, behind=behind)
        self._count = 0

    def begins(self, body: str = "") -> bytes:
        """Have Alice call; return what Carol gets."""
        sent = self.alice.calls("bob", body=body, extra=SDP if body else "") + self._asked()
        route = f"Record-Route: <sip:{OTHER};lr>\r\n"
        uri = f"sip:carol@{DOMAIN}"
        return self.carol.gets(self._leads_back(sent, "INVITE", uri, route), "INVITE")

    def answers(self, data: bytes, body: str) -> bytes:
        """Have Carol answer; return what Alice gets."""
        ok = self.other.gets(self.carol.says(data, 200, body=body) + self._asked(), "200")
        ok = re.sub(rb"Via: SIP/2.0/UDP 192.0.2.77[^\r]*\r\n", b"", ok, count=1)
        sent = self.proxy.receive(ok, self.other.flow)
        return self.alice.gets(sent + self._asked(), "200")

    def fails(self, data: bytes, status: int) -> Sent:
        """Have Carol answer that she does not take it; return what leaves."""
        answer = self.other.gets(self.carol.says(data, status), str(status))
        answer = re.sub(rb"Via: SIP/2.0/UDP 192.0.2.77[^\r]*\r\n", b"", answer, count=1)
        return self.proxy.receive(answer, self.other.flow)

    def goes_on(self, method: str, ok: bytes, cseq: int, body: str) -> bytes:
        """Have Alice send a request of the call; return what Carol gets."""
        extra = f"{routes(ok, caller=True)}\nContact: <{self.alice.contact}>\n{SDP if body else ''}"
        sent = self.alice.sends(
            method, self.carol.contact, target=f"sip:bob@{DOMAIN}", to_tag="carol", cseq=cseq,
            branch=f"z9hG4bK{method}{cseq}", extra=extra, body=body,
        )  # fmt: skip
        return self.carol.gets(self._leads_back(sent + self._asked(), method), method)

    def _leads_back(self, sent: Sent, method: str, uri: str = "", route: str = "") -> Sent:
        """Have the other proxy send on what it got."""
        self._count += 1
        data = self.other.gets(sent, method)
        first, _, rest = data.partition(b"\r\n")
        if uri:
            first = f"{method} {uri} SIP/2.0".encode()
        if values(data, ROUTE):
            rest = rest.replace(b"Route: <sip:192.0.2.77;lr>\r\n", b"", 1)
            rest = rest.replace(b"<sip:192.0.2.77;lr>, ", b"", 1)
        via = f"Via: SIP/2.0/UDP {OTHER};branch=z9hG4bKback{self._count}\r\n{route}"
        back = b"%b\r\n%b%b" % (first, via.encode(), rest)
        return self.proxy.receive(back, self.other.flow) + self._asked()


@pytest.fixture
def proxy() -> Proxy:
    return Proxy(users=["alice", "bob", "carol"])


def ends(farm: FakeFarm) -> list[int]:
    """Return at which ports the relay is to reach both ends, which are where they say."""
    (stream,) = farm.only.streams
    assert stream is not None
    alice, carol = (end.rtp for end in stream.ends)
    assert alice is not None
    assert carol is not None
    assert (alice.host, carol.host) == (ALICE, CAROL)
    return [alice.port, carol.port]


def test_offers_within_it(proxy: Proxy) -> None:
    farm, spiral = relayed(proxy), Spiral(proxy)
    invite = spiral.begins(offer(ALICE, 4000))
    ok = spiral.answers(invite, offer(CAROL, 6000))
    assert ends(farm) == [4000, 6000]
    shown = [(line(data).host, line(data).port) for data in (invite, ok)]
    for method, number in (("INVITE", 2), ("UPDATE", 3)):
        again = spiral.goes_on(method, ok, number, offer(ALICE, 4000 + number * 2))
        answer = spiral.answers(again, offer(CAROL, 6000 + number * 2))
        assert [(line(data).host, line(data).port) for data in (again, answer)] == shown
        assert ends(farm) == [4000 + number * 2, 6000 + number * 2]


HIDDEN = "10.0.0.5"


def test_one_whose_second_way_alone_needs_a_relay(proxy: Proxy) -> None:
    """Carol is behind a NAT, which is seen only when the call has come back."""
    farm = relayed(proxy, mode="auto")
    spiral = Spiral(proxy, behind=f"{HIDDEN}:5060")
    ok = spiral.answers(spiral.begins(offer(ALICE, 4000)), offer(HIDDEN, 6000))
    assert line(ok).host == RELAY
    session = farm.only
    assert session.answered
    assert "carol" in session.memo, "it is known whose answer it was"
    again = spiral.goes_on("INVITE", ok, 2, offer(ALICE, 4002))
    assert line(again).host == RELAY
    assert line(spiral.answers(again, offer(HIDDEN, 6002))).host == RELAY
    (stream,) = farm.only.streams
    assert stream is not None
    assert [end.rtp for end in stream.ends] == [Address(ALICE, 4002), Address(HIDDEN, 6002)]
    assert stream.ends[1].natted
    spiral.goes_on("BYE", ok, 3, "")
    assert not farm.sessions


def test_one_that_comes_to_nothing_leaves_no_ports_behind(proxy: Proxy) -> None:
    farm = relayed(proxy, relay := FakeRelay(), mode="auto")
    spiral = Spiral(proxy, behind=f"{HIDDEN}:5060")
    invite = spiral.begins(offer(ALICE, 4000))
    assert line(invite).host == RELAY
    assert "486" in names(spiral.fails(invite, 486))
    assert set(farm.returned) == relay.given
    assert not farm.expected


def test_a_hold_as_rfc_2543_had_it(proxy: Proxy) -> None:
    farm, spiral = relayed(proxy), Spiral(proxy)
    ok = spiral.answers(spiral.begins(offer(ALICE, 4000)), offer(CAROL, 6000))
    spiral.answers(spiral.goes_on("INVITE", ok, 2, offer("0.0.0.0", 4000)), offer(CAROL, 6000))
    (stream,) = farm.only.streams
    assert stream is not None
    assert not stream.ends[0].receives
    assert stream.ends[1].rtp == Address(CAROL, 6000)


def test_what_is_offered_late(proxy: Proxy) -> None:
    farm, spiral = relayed(proxy), Spiral(proxy)
    invite = spiral.begins()
    ok = spiral.answers(invite, offer(CAROL, 6000))
    ack = spiral.goes_on("ACK", ok, 1, offer(ALICE, 4000))
    assert ends(farm) == [4000, 6000]
    assert (line(ok).host, line(ack).host) == (RELAY, RELAY)
    spiral.answers(spiral.goes_on("INVITE", ok, 2, ""), offer(CAROL, 6002))
    spiral.goes_on("ACK", ok, 2, offer(ALICE, 4002))
    assert ends(farm) == [4002, 6002]


def test_rtpengine_is_not_told_of_its_own_descriptions(proxy: Proxy) -> None:
    engine = FakeRtpengine(proxy)
    spiral = Spiral(proxy, engine.answers)
    ok = spiral.answers(spiral.begins(offer(ALICE, 4000)), offer(CAROL, 6000))
    before = len(engine.told)
    again = spiral.goes_on("INVITE", ok, 2, offer(ALICE, 4002))
    ok = spiral.answers(again, offer(CAROL, 6002))
    assert (line(again).host, line(ok).host) == (HOST, HOST)
    offered, answered = (ask.fields for ask in engine.told[before:])
    assert (offered["command"], offered["sdp"]) == ("offer", offer(ALICE, 4002).encode())
    assert (answered["command"], answered["sdp"]) == ("answer", offer(CAROL, 6002).encode())
