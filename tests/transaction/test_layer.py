"""The layer: the ACK it writes, streams that fail, and that nothing stays behind."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from centrex.sip.message import parse
from centrex.transaction.client import ClientTransaction
from centrex.transaction.layer import USER_TIMER, ack_for
from centrex.transaction.machine import In
from tests.support.machines import Bench
from tests.support.proxy import FakeFlows, request, respond


def test_the_ack_of_a_failure() -> None:
    """§17.1.1.3: Call-ID, From, Request-URI, one Via and Routes of the INVITE, To of the response."""
    flow = FakeFlows().get("192.0.2.7", 5060)
    invite = request(
        "INVITE",
        "sip:bob@192.0.2.8",
        flow,
        branch="z9hG4bKx",
        cseq=31,
        extra="Via: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bKy\nRoute: <sip:p1;lr>\nRoute: <sip:p2;lr>",
        body="v=0",
    )
    ack = parse(ack_for(invite, parse(respond(invite, 486, to_tag="busy"))))
    assert ack.fault is None
    assert ack.lines == [
        b"ACK sip:bob@192.0.2.8 SIP/2.0",
        b"Via: SIP/2.0/UDP 192.0.2.7:5060;branch=z9hG4bKx;rport",
        b"Max-Forwards: 70",
        b"Route: <sip:p1;lr>",
        b"Route: <sip:p2;lr>",
        b"From: <sip:alice@example.com>;tag=a",
        b"To: <sip:bob@192.0.2.8>;tag=busy",
        b"Call-ID: call-1",
        b"CSeq: 31 ACK",
        b"Content-Length: 0",
    ]
    assert ack.body == b""


def test_a_failing_stream_takes_all_its_transactions_and_no_others() -> None:
    bench = Bench()
    bench.ask("INVITE", reliable=True, branch="z9hG4bK1")
    bench.ask("OPTIONS", reliable=True, branch="z9hG4bK2")
    other = bench.ask("OPTIONS", branch="z9hG4bK3")
    bench.layer.flow_failed(bench.tcp, bench.now)
    assert bench.told == [("failure", bench.tcp)] * 2
    assert list(bench.layer.clients.values()) == [other]
    bench.layer.flow_failed(bench.tcp, bench.now)
    assert len(bench.told) == 2


def test_those_that_wait_on_a_failing_stream_are_told_in_the_order_they_began(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bench = Bench()
    clients = [bench.ask("INVITE", reliable=True, branch=f"z9hG4bK{n}") for n in range(50)]
    order: list[ClientTransaction] = []
    monkeypatch.setattr(bench, "on_failure", lambda client, _: order.append(client))
    bench.layer.flow_failed(bench.tcp, bench.now)
    assert order == clients


def test_the_users_own_timers_come_back_to_it() -> None:
    bench = Bench()
    bench.layer.timers.arm(2.0, bench.now, "mine", USER_TIMER + 7)
    bench.advance(3)
    assert bench.told == [("timer", USER_TIMER + 7)]


def test_a_forgotten_client_lets_go_of_everything() -> None:
    bench = Bench()
    client = bench.ask("INVITE", reliable=True)
    bench.layer.forget_client(client)
    assert not bench.layer.clients
    assert not bench.layer._by_stream
    assert client.user is None
    assert client.request == b""
    bench.advance(40)
    assert bench.told == []


EVENTS = st.sampled_from([100, 180, 200, 302, 486, 603, 0, 1])


@given(
    st.sampled_from(["INVITE", "OPTIONS"]),
    st.booleans(),
    st.lists(st.tuples(EVENTS, st.floats(0, 12)), max_size=8),
)
def test_whatever_a_client_hears_it_is_forgotten(
    method: str, reliable: bool, events: list[tuple[int, float]]
) -> None:
    bench = Bench()
    client = bench.ask(method, reliable=reliable)
    for status, pause in events:
        bench.advance(pause)
        if status >= 100:
            bench.hear(client, status)
        else:
            bench.layer.flow_failed(bench.tcp, bench.now)
    if client.state <= 2:  # a user gives up what it no longer waits for (timer C)
        bench.advance(40)
        if bench.layer.clients:
            bench.layer.forget_client(client)
    bench.advance(100)
    assert bench.empty
    told = [what for what in bench.told if what[0] != "slow"]
    finals = [what for what in told if what[0] != "response" or int(str(what[1])) >= 300]
    assert len(finals) <= 1


@given(
    st.sampled_from(["INVITE", "OPTIONS"]),
    st.booleans(),
    st.lists(st.tuples(st.sampled_from([100, 180, 200, 404, 1, 2]), st.floats(0, 12)), max_size=8),
)
def test_whatever_a_server_is_told_it_sends_one_final_response(
    method: str, reliable: bool, events: list[tuple[int, float]]
) -> None:
    bench = Bench()
    server = bench.serve(method, reliable=reliable)
    taken = []
    for status, pause in [*events, (404, 0.0)]:
        bench.advance(pause)
        if status >= 100:
            if bench.say(server, status) and status >= 200:
                taken.append(status)
        else:
            bench.layer.receive_again(server, In.ACK if status == 1 else In.REQUEST, bench.now)
    bench.advance(100)
    assert bench.empty
    assert len(taken) == 1 or (method == "INVITE" and set(taken) == {200})
