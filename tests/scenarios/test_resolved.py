"""Targets that must be looked up, and ways that fail (RFC 3263 §4, RFC 3261 §16.9, §18.1.1)."""

import pytest

from centrex.base import Flow, Transport
from centrex.proxy.ask import Resolve
from centrex.proxy.context import Context
from centrex.proxy.hang_up import hang_up
from centrex.routing.rfc3263 import Target as Place
from centrex.sip.names import VIA
from centrex.trace import Rule
from tests.support.calling import Phone, Sent, names, quiet, routes, rules, start, values
from tests.support.proxy import Proxy, respond

FAR = "sip:zoe@far.example"
ONE, TWO, THREE = (Place(Transport.UDP, f"198.51.100.{n}", 5060, "far.example") for n in (1, 2, 3))
LONG = "X-Long: " + "x" * 1200


@pytest.fixture
def proxy() -> Proxy:
    return Proxy(users=["alice", "bob"], trusted=["192.0.2.0/24"])


@pytest.fixture
def alice(proxy: Proxy) -> Phone:
    return Phone(proxy, "alice", "192.0.2.7")


def answer(proxy: Proxy, *places: Place, why: str = "") -> Sent:
    """Answer the newest question."""
    proxy.core.answer(proxy.core.asks[-1].id, why or places, proxy.now)
    return proxy.taken()


def only_request(sent: Sent) -> tuple[Flow, bytes]:
    """Return the one request among what left, save CANCEL and ACK."""
    (found,) = [
        one
        for one in sent
        if not start(one[1]).isdigit() and start(one[1]) not in ("ACK", "CANCEL")
    ]
    return found


def test_the_answer_of_dns_is_used(proxy: Proxy, alice: Phone) -> None:
    assert names(alice.calls(FAR)) == ["100"]
    (ask,) = proxy.core.asks
    assert isinstance(ask, Resolve)
    assert ask.destination.host == "far.example"
    flow, data = only_request(answer(proxy, ONE, TWO))
    assert (flow.host, flow.port) == ("198.51.100.1", 5060)
    assert data.startswith(b"INVITE sip:zoe@far.example SIP/2.0")


def test_next_address_on_503(proxy: Proxy, alice: Phone) -> None:
    alice.calls(FAR)
    flow, data = only_request(answer(proxy, ONE, TWO, THREE))
    proxy.receive(respond(data, 100), flow)
    sent = proxy.receive(respond(data, 503), flow)
    flow2, data2 = only_request(sent)
    assert flow2.host == TWO.host
    assert values(data2, VIA)[0] != values(data, VIA)[0], "a new branch (RFC 3263 §4.3)"
    # the silence of the second counts from its own beginning, whatever the first had said
    proxy.advance(4.9)
    flow3, _ = only_request(proxy.advance(0.2))
    assert flow3.host == THREE.host
    assert "408" in names(proxy.advance(5.1))


def test_time_is_not_taken_from_the_next_address(proxy: Proxy, alice: Phone) -> None:
    alice.calls(FAR)
    flow, data = only_request(answer(proxy, ONE, TWO))
    proxy.advance(4)
    only_request(proxy.receive(respond(data, 503), flow))
    assert set(names(proxy.advance(4.9))) == {"INVITE"}
    assert "408" in names(proxy.advance(0.2))


def test_time_is_not_taken_from_the_next_address_when_a_connection_fails(
    proxy: Proxy, alice: Phone
) -> None:
    alice.calls(FAR)
    flow, _ = only_request(answer(proxy, ONE._replace(transport=Transport.TCP), TWO))
    proxy.advance(4)
    proxy.core.flow_failed(flow, proxy.now)
    only_request(proxy.taken())
    assert set(names(proxy.advance(4.9))) == {"INVITE"}


def test_next_address_when_the_transport_fails(proxy: Proxy, alice: Phone) -> None:
    alice.calls(FAR)
    flow, _ = only_request(answer(proxy, ONE._replace(transport=Transport.TCP), TWO))
    assert flow.transport is Transport.TCP
    proxy.core.flow_failed(flow, proxy.now)
    flow, data = only_request(proxy.taken())
    assert (flow.transport, flow.host) == (Transport.UDP, TWO.host)
    assert names(proxy.receive(respond(data, 200), flow)) == ["200"]


def test_next_address_on_silence_and_a_late_answer_of_the_first(proxy: Proxy, alice: Phone) -> None:
    alice.calls(FAR)
    flow1, data1 = only_request(answer(proxy, ONE, TWO))
    sent = proxy.advance(5.1)
    flow2, data2 = sent[-1]
    assert flow2.host == TWO.host
    proxy.receive(respond(data2, 180), flow2)
    # the first wakes up: it is not wanted any more
    assert names(proxy.receive(respond(data1, 180), flow1)) == ["CANCEL"]
    assert names(proxy.receive(respond(data1, 487), flow1)) == ["ACK"]
    assert names(proxy.receive(respond(data2, 486), flow2)) == ["ACK", "486"]


def test_a_late_2xx_of_the_first_address_cancels_the_second(proxy: Proxy, alice: Phone) -> None:
    alice.calls(FAR)
    flow1, data1 = only_request(answer(proxy, ONE, TWO))
    flow2, data2 = proxy.advance(5.1)[-1]
    proxy.receive(respond(data2, 180), flow2)
    sent = proxy.receive(respond(data1, 200), flow1)
    assert names(sent) == ["200", "CANCEL"]
    assert sent[1][0] is flow2
    proxy.receive(respond(data2, 487), flow2)
    proxy.core.calls.end(next(iter(proxy.core.calls)))
    proxy.advance(200)
    assert quiet(proxy)


def test_a_silent_address_leaves_nothing_behind(proxy: Proxy, alice: Phone) -> None:
    alice.calls(FAR)
    answer(proxy, ONE, TWO, THREE)
    sent = proxy.advance(16)
    assert "408" in names(sent)
    alice.sends("ACK", FAR, branch="z9hG4bKcall", to_tag="x")
    proxy.advance(300)
    assert quiet(proxy)


def test_cancelled_while_a_name_is_looked_up(proxy: Proxy, alice: Phone) -> None:
    alice.calls(FAR)
    sent = alice.sends("CANCEL", FAR, branch="z9hG4bKcall")
    assert names(sent) == ["200", "487"]
    assert answer(proxy, ONE) == []
    alice.sends("ACK", FAR, branch="z9hG4bKcall", to_tag="x")
    proxy.advance(300)
    assert quiet(proxy)


def test_cancelled_means_no_further_address(proxy: Proxy, alice: Phone) -> None:
    alice.calls(FAR)
    flow, data = only_request(answer(proxy, ONE, TWO))
    proxy.receive(respond(data, 100), flow)
    assert names(alice.sends("CANCEL", FAR, branch="z9hG4bKcall")) == ["200", "CANCEL"]
    assert names(proxy.receive(respond(data, 503), flow)) == ["ACK", "487"]


def test_one_fork_answered_means_no_further_address_for_the_other(
    proxy: Proxy, alice: Phone
) -> None:
    """The loser of a fork may time out long after the request was let go of."""
    Phone(proxy, "bob", "192.0.2.20", extra="Contact: <sip:bob@far.example>")
    sent = alice.calls("bob")
    flow, data = only_request(sent)
    answer(proxy, ONE, TWO)
    assert "200" in names(proxy.receive(respond(data, 200), flow))
    sent = proxy.advance(100)
    assert {flow.host for flow, _ in sent} == {ONE.host}


@pytest.mark.parametrize("places", [(), (Place(Transport.TLS, "198.51.100.9", 5061, ""),)])
def test_a_name_that_leads_nowhere_is_500(
    proxy: Proxy, alice: Phone, places: tuple[Place, ...]
) -> None:
    """§16.7: a 503 of a target goes upstream as 500; the words tell an operator why."""
    proxy.flows.unreachable.add("198.51.100.9")
    alice.calls(FAR)
    sent = answer(proxy, *places) if places else answer(proxy, why="NXDOMAIN")
    assert names(sent) == ["500"]
    assert b"Warning: 399 centrex" in sent[0][1]
    assert {Rule.DNS_FAILED, Rule.TARGET_UNREACHABLE} & set(rules(proxy))
    alice.sends("ACK", FAR, branch="z9hG4bKcall", to_tag="x")
    proxy.advance(300)
    assert quiet(proxy)


def test_a_dead_name_goes_to_the_next_group(proxy: Proxy, alice: Phone) -> None:
    Phone(proxy, "bob", "192.0.2.20", params=";q=1.0", extra="Contact: <sip:bob@192.0.2.21>;q=0.5")
    alice.calls("bob")
    proxy.flows.unreachable.add("192.0.2.20")
    assert "INVITE" in names(alice.calls("bob", call_id="two", branch="z9hG4bKtwo"))


def test_a_large_request_goes_by_tcp(proxy: Proxy, alice: Phone) -> None:
    Phone(proxy, "bob", "192.0.2.8")
    flow, data = only_request(alice.calls("bob", extra=LONG))
    assert flow.transport is Transport.TCP
    assert values(data, VIA)[0].startswith("SIP/2.0/TCP 192.0.2.1:5060")
    assert b";transport=tcp;lr;" in data
    assert Rule.SWITCHED_TRANSPORT in rules(proxy)


def test_a_large_request_falls_back_to_udp_where_tcp_fails(proxy: Proxy, alice: Phone) -> None:
    bob = Phone(proxy, "bob", "192.0.2.8")
    flow, _ = only_request(alice.calls("bob", extra=LONG))
    proxy.flows.no_tcp.add(("192.0.2.8", 5060))
    proxy.core.flow_failed(flow, proxy.now)
    flow, data = only_request(proxy.taken())
    assert flow is bob.flow
    assert values(data, VIA)[0].startswith("SIP/2.0/UDP 192.0.2.1:5060")
    assert names(bob.says(data, 200)) == ["200"]
    assert names(alice.calls("bob", extra=LONG, call_id="two", branch="z9hG4bKtwo")) == [
        "100",
        "INVITE",
    ]


def test_falling_back_to_udp_ends_the_matter(proxy: Proxy, alice: Phone) -> None:
    """A connection that is neither refused nor made: the flows do not know yet that it is none."""
    Phone(proxy, "bob", "192.0.2.8")
    alice.calls("bob", extra=LONG)
    proxy.advance(30)
    assert not proxy.core.busy


def test_a_large_request_to_a_phone_behind_nat_stays_on_its_flow(
    proxy: Proxy, alice: Phone
) -> None:
    bob = Phone(proxy, "bob", "192.0.2.8", 33000, behind="10.0.0.8:5060")
    flow, _ = only_request(alice.calls("bob", extra=LONG))
    assert flow is bob.flow


@pytest.mark.parametrize(
    "uri",
    [
        "sip:zoe@198.51.100.1;transport=sctp",
        "sips:zoe@198.51.100.1;transport=udp",
        "tel:+4930123456",
    ],
)
def test_a_uri_that_leads_nowhere_is_480(proxy: Proxy, alice: Phone, uri: str) -> None:
    sent = alice.sends("INVITE", uri)
    assert names(sent)[-1] in ("480", "404")
    assert rules(proxy)


def test_no_transport_of_that_kind_here(proxy: Proxy, alice: Phone) -> None:
    proxy.flows.unreachable.add("2001:db8::9")
    assert names(alice.sends("INVITE", "sip:zoe@[2001:db8::9]")) == ["100", "480"]


def test_a_silent_non_invite_goes_on_to_the_next_address(proxy: Proxy, alice: Phone) -> None:
    alice.sends("MESSAGE", FAR)
    answer(proxy, ONE, TWO)
    sent = proxy.advance(33)
    assert sent[-1][0].host == TWO.host


def taken_by_the_second(proxy: Proxy, alice: Phone, status: int = 200) -> tuple[Flow, bytes, Sent]:
    """Return the flow and INVITE of the place that took a call, and its answer as Alice has it."""
    alice.calls(FAR)
    answer(proxy, ONE, TWO)
    flow, data = only_request(proxy.advance(5.1)[-1:])
    assert flow.host == TWO.host
    told = f"Contact: <{FAR}>\n"
    return flow, data, proxy.receive(respond(data, status, to_tag="zoe", extra=told), flow)


@pytest.mark.parametrize("extra", ["", "X-Unusual: yes\nSubject : hello\n"])
def test_within_a_dialog_the_place_that_took_the_call_comes_first(
    proxy: Proxy, alice: Phone, extra: str
) -> None:
    _, _, sent = taken_by_the_second(proxy, alice)
    route = routes(sent[0][1], caller=True) + "\n" + extra
    alice.sends("ACK", FAR, to_tag="zoe", extra=route)
    ((flow, data),) = answer(proxy, ONE, TWO)
    assert (start(data), flow.host) == ("ACK", TWO.host)
    for number, method in enumerate(("INFO", "BYE"), 2):
        alice.sends(method, FAR, to_tag="zoe", cseq=number, extra=route)
        flow, data = only_request(answer(proxy, ONE, TWO))
        assert (start(data), flow.host) == (method, TWO.host)


def test_a_call_that_ended_is_let_go_of_with_the_answer_to_its_bye(
    proxy: Proxy, alice: Phone
) -> None:
    """The transaction is kept for 32 s more; a call has much to keep."""
    _, _, sent = taken_by_the_second(proxy, alice)
    (call,) = proxy.core.calls
    route = routes(sent[0][1], caller=True)
    alice.sends("BYE", FAR, to_tag="zoe", cseq=2, extra=route)
    flow, data = only_request(answer(proxy, ONE, TWO))
    (ctx,) = (
        one.user
        for one in proxy.core.layer.servers.values()
        if isinstance(one.user, Context) and one.user.method == b"BYE"
    )
    assert ctx.ended is call
    proxy.receive(respond(data, 200), flow)
    assert ctx.ended is None


def test_the_place_that_rings_comes_first(proxy: Proxy, alice: Phone) -> None:
    _, _, sent = taken_by_the_second(proxy, alice, 183)
    extra = routes(sent[0][1], caller=True) + "\nRAck: 1 1 INVITE"
    alice.sends("PRACK", FAR, to_tag="zoe", cseq=2, extra=extra)
    assert only_request(answer(proxy, ONE, TWO))[0].host == TWO.host


def test_another_dialog_of_the_call_goes_by_the_order_of_dns(proxy: Proxy, alice: Phone) -> None:
    flow, data, sent = taken_by_the_second(proxy, alice)
    route = routes(sent[0][1], caller=True)
    told = f"Contact: <{FAR}>\n"
    proxy.receive(respond(data, 200, to_tag="other", extra=told), flow)
    alice.sends("BYE", FAR, to_tag="other", cseq=2, extra=route)
    assert only_request(answer(proxy, ONE, TWO))[0].host == ONE.host


def test_what_the_callee_sends_goes_where_the_call_came_from(proxy: Proxy) -> None:
    far = Phone(proxy, "zoe", TWO.host, register=False)
    bob = Phone(proxy, "bob", "192.0.2.20")
    invite = bob.gets(far.calls("bob"), "INVITE")
    bob.says(invite, 200)
    extra = routes(invite, caller=False)
    bob.sends("BYE", FAR, to_tag="a", from_tag="bob", sender="bob", extra=extra)
    assert only_request(answer(proxy, ONE, TWO))[0].host == TWO.host


def test_a_call_that_is_ended_here_is_ended_at_the_place_that_took_it(
    proxy: Proxy, alice: Phone
) -> None:
    taken_by_the_second(proxy, alice)
    (call,) = proxy.core.calls
    hang_up(proxy.core, call, proxy.now)
    proxy.taken()
    flow, data = only_request(answer(proxy, ONE, TWO))
    assert (start(data), flow.host) == ("BYE", TWO.host)
