"""RFC 3261 figure 5 with Accepted from RFC 6026 §7.2, and timers A, B, D and M."""

import pytest

from centrex.sip.message import parse
from centrex.transaction.invite_client import TABLE
from centrex.transaction.machine import State
from tests.support.machines import Bench, moves


def test_the_table_is_the_figure() -> None:
    assert moves(TABLE) == {
        ("CALLING", "RESEND"): "CALLING",
        ("CALLING", "TIMEOUT"): "TERMINATED",
        ("CALLING", "TRANSPORT_ERROR"): "TERMINATED",
        ("CALLING", "PROVISIONAL"): "PROCEEDING",
        ("CALLING", "SUCCESS"): "ACCEPTED",
        ("CALLING", "FAILURE"): "COMPLETED",
        ("PROCEEDING", "PROVISIONAL"): "PROCEEDING",
        ("PROCEEDING", "SUCCESS"): "ACCEPTED",
        ("PROCEEDING", "FAILURE"): "COMPLETED",
        ("COMPLETED", "FAILURE"): "COMPLETED",
        ("COMPLETED", "TRANSPORT_ERROR"): "TERMINATED",
        ("COMPLETED", "LINGER"): "TERMINATED",
        ("ACCEPTED", "SUCCESS"): "ACCEPTED",
        ("ACCEPTED", "LINGER"): "TERMINATED",
    }


def test_timer_a_doubles_and_timer_b_ends_it_after_32_seconds() -> None:
    bench = Bench()
    bench.ask("INVITE")
    assert bench.advance(60) == [0.5, 1.5, 3.5, 7.5, 15.5, 31.5]
    assert bench.told == [("timeout", 32.0)]
    assert bench.empty


def test_a_reliable_transport_is_left_to_repeat_by_itself() -> None:
    bench = Bench()
    bench.ask("INVITE", reliable=True)
    assert bench.advance(31.9) == []
    assert not bench.told
    bench.advance(1)
    assert bench.told == [("timeout", 32.0)]
    assert bench.empty


def test_a_provisional_response_stops_timers_a_and_b() -> None:
    bench = Bench()
    client = bench.ask("INVITE")
    bench.advance(0.6)
    bench.hear(client, 100)
    assert bench.advance(300) == []
    assert bench.told == [("response", 100)]
    assert client.state is State.PROCEEDING
    bench.hear(client, 180)
    bench.hear(client, 183)
    assert bench.told[1:] == [("response", 180), ("response", 183)]


@pytest.mark.parametrize("status", [300, 404, 486, 503, 603])
def test_a_failure_is_acknowledged_each_time_and_passed_up_once(status: int) -> None:
    bench = Bench()
    client = bench.ask("INVITE")
    bench.hear(client, status)
    bench.hear(client, status)
    assert bench.told == [("response", status)]
    acks = [parse(data) for _, data in bench.sends[1:]]
    assert [ack.method for ack in acks] == [b"ACK", b"ACK"]
    assert bench.advance(31.9) == []  # timer D
    assert bench.layer.clients
    bench.advance(0.2)
    assert bench.empty


def test_timer_d_is_zero_on_a_reliable_transport() -> None:
    bench = Bench()
    client = bench.ask("INVITE", reliable=True)
    bench.hear(client, 486)
    assert bench.sends[-1][0] is bench.tcp
    bench.advance(0.001)
    assert not bench.layer.clients


@pytest.mark.parametrize("reliable", [False, True])
def test_every_2xx_is_passed_up_until_timer_m(reliable: bool) -> None:
    bench = Bench()
    client = bench.ask("INVITE", reliable=reliable)
    bench.hear(client, 200)
    bench.hear(client, 200)
    bench.hear(client, 200, to_tag="another")
    assert bench.told == [("response", 200)] * 3
    assert len(bench.sends) == 1, "the ACK of a 2xx is the caller's"
    bench.hear(client, 486)
    bench.hear(client, 180)
    assert len(bench.told) == 3
    assert bench.advance(31.9) == []
    assert bench.layer.clients
    bench.advance(0.2)
    assert bench.empty


def test_a_transport_error_is_told_only_while_calling() -> None:
    bench = Bench()
    bench.ask("INVITE", reliable=True)
    bench.layer.flow_failed(bench.tcp, bench.now)
    assert bench.told == [("failure", bench.tcp)]
    assert not bench.layer.clients
    assert not bench.layer._by_stream
    bench.told.clear()
    client = bench.ask("INVITE", reliable=True)
    bench.hear(client, 180)
    bench.layer.flow_failed(bench.tcp, bench.now)
    assert bench.told == [("response", 180)]
    assert client.state is State.PROCEEDING
