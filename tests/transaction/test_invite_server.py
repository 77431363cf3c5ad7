"""RFC 3261 figure 7 with Accepted from RFC 6026 §7.1, and timers G, H, I and L."""

import pytest

from centrex.transaction.invite_server import TABLE
from centrex.transaction.machine import In, State
from tests.support.machines import Bench, moves


def test_the_table_is_the_figure() -> None:
    assert moves(TABLE) == {
        ("PROCEEDING", "REQUEST"): "PROCEEDING",
        ("PROCEEDING", "PROVISIONAL"): "PROCEEDING",
        ("PROCEEDING", "SUCCESS"): "ACCEPTED",
        ("PROCEEDING", "FAILURE"): "COMPLETED",
        ("PROCEEDING", "TRANSPORT_ERROR"): "TERMINATED",
        ("COMPLETED", "REQUEST"): "COMPLETED",
        ("COMPLETED", "RESEND"): "COMPLETED",
        ("COMPLETED", "ACK"): "CONFIRMED",
        ("COMPLETED", "TIMEOUT"): "TERMINATED",
        ("COMPLETED", "TRANSPORT_ERROR"): "TERMINATED",
        ("CONFIRMED", "LINGER"): "TERMINATED",
        ("ACCEPTED", "SUCCESS"): "ACCEPTED",
        ("ACCEPTED", "ACK"): "ACCEPTED",
        ("ACCEPTED", "LINGER"): "TERMINATED",
    }


def test_a_repeated_invite_gets_the_last_provisional_response_again() -> None:
    bench = Bench()
    server = bench.serve("INVITE")
    bench.layer.receive_again(server, In.REQUEST, bench.now)
    assert bench.sends == []
    bench.say(server, 100)
    bench.say(server, 180)
    bench.layer.receive_again(server, In.REQUEST, bench.now)
    assert [data[8:11] for _, data in bench.sends] == [b"100", b"180", b"180"]


def test_timer_g_repeats_a_failure_until_timer_h() -> None:
    bench = Bench()
    server = bench.serve("INVITE")
    assert bench.say(server, 486)
    expected = [0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]
    assert bench.advance(60) == expected
    assert bench.empty


def test_an_ack_stops_timer_g_and_timer_i_absorbs_further_ones() -> None:
    bench = Bench()
    server = bench.serve("INVITE")
    bench.say(server, 486)
    bench.advance(1)
    assert not bench.layer.receive_again(server, In.ACK, bench.now)
    assert not bench.layer.receive_again(server, In.ACK, bench.now)
    assert server.state is State.CONFIRMED
    assert bench.advance(4.9) == []
    assert bench.layer.servers
    bench.advance(0.2)
    assert not bench.layer.servers
    bench.advance(40)
    assert bench.empty


def test_on_a_reliable_transport_nothing_is_repeated_and_timer_i_is_zero() -> None:
    bench = Bench()
    server = bench.serve("INVITE", reliable=True)
    bench.say(server, 486)
    assert bench.advance(20) == []
    bench.layer.receive_again(server, In.ACK, bench.now)
    assert not bench.layer.servers
    bench.serve("INVITE", reliable=True)
    server = next(iter(bench.layer.servers.values()))
    bench.say(server, 486)
    bench.advance(32.1)  # timer H
    assert bench.empty


@pytest.mark.parametrize("reliable", [False, True])
def test_accepted_passes_acks_and_further_2xx_until_timer_l(reliable: bool) -> None:
    bench = Bench()
    server = bench.serve("INVITE", reliable=reliable)
    assert bench.say(server, 200)
    assert bench.say(server, 200)
    assert not bench.say(server, 486)
    assert not bench.say(server, 180)
    before = len(bench.sends)
    bench.layer.receive_again(server, In.REQUEST, bench.now)
    assert len(bench.sends) == before, "a repeated INVITE is absorbed (RFC 6026 §7.1)"
    assert bench.layer.receive_again(server, In.ACK, bench.now), "the ACK of a 2xx is the user's"
    assert bench.advance(31.9) == [], "a proxy does not repeat a 2xx"
    assert bench.layer.servers
    bench.advance(0.2)
    assert bench.empty


def test_a_second_final_response_is_not_taken() -> None:
    bench = Bench()
    server = bench.serve("INVITE")
    assert bench.say(server, 486)
    assert not bench.say(server, 200)
    assert not bench.say(server, 603)
    assert len(bench.sends) == 1
