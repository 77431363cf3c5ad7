"""RFC 3261 figure 6, and timers E, F and K."""

import pytest

from centrex.transaction.machine import State
from centrex.transaction.non_invite_client import TABLE
from tests.support.machines import Bench, moves

EVERY_4_S = [3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]


def test_the_table_is_the_figure() -> None:
    live = {
        ("RESEND",): None,
        ("TIMEOUT",): "TERMINATED",
        ("TRANSPORT_ERROR",): "TERMINATED",
        ("PROVISIONAL",): "PROCEEDING",
        ("SUCCESS",): "COMPLETED",
        ("FAILURE",): "COMPLETED",
    }
    expected = {
        (state, event): to or state
        for state in ("TRYING", "PROCEEDING")
        for (event,), to in live.items()
    }
    assert moves(TABLE) == expected | {("COMPLETED", "LINGER"): "TERMINATED"}


def test_timer_e_doubles_up_to_t2_and_timer_f_ends_it() -> None:
    bench = Bench()
    bench.ask("OPTIONS")
    assert bench.advance(60) == [0.5, 1.5, *EVERY_4_S]
    assert bench.told == [("slow", 3.5), ("timeout", 32.0)]
    assert bench.empty


def test_after_a_provisional_response_timer_e_is_t2() -> None:
    bench = Bench()
    client = bench.ask("OPTIONS")
    bench.advance(0.6)
    bench.hear(client, 100)
    assert client.state is State.PROCEEDING
    assert bench.advance(60) == [1.5, 5.5, 9.5, 13.5, 17.5, 21.5, 25.5, 29.5]
    assert [one for one in bench.told if one[0] != "slow"] == [("response", 100), ("timeout", 32.0)]
    assert bench.empty


@pytest.mark.parametrize("status", [200, 404])
def test_a_final_response_is_passed_up_once_and_timer_k_absorbs_the_rest(status: int) -> None:
    bench = Bench()
    client = bench.ask("OPTIONS")
    bench.advance(0.2)
    bench.hear(client, status)
    bench.hear(client, status)
    bench.hear(client, 100)
    assert bench.told == [("response", status)]
    assert bench.advance(4.9) == []
    assert bench.layer.clients
    bench.advance(0.2)
    assert bench.empty
    assert bench.layer.repeated == 2


def test_timer_k_is_zero_and_nothing_is_repeated_on_a_reliable_transport() -> None:
    bench = Bench()
    client = bench.ask("OPTIONS", reliable=True)
    assert bench.advance(20) == []
    bench.hear(client, 200)
    bench.advance(0.001)
    assert not bench.layer.clients
    assert not bench.layer._by_stream
    bench.advance(40)
    assert bench.empty


def test_timer_f_on_a_reliable_transport() -> None:
    bench = Bench()
    bench.ask("OPTIONS", reliable=True)
    bench.advance(40)
    assert bench.told == [("timeout", 32.0)]
    assert bench.empty


@pytest.mark.parametrize("heard", [False, True])
def test_a_transport_error_is_told(heard: bool) -> None:
    bench = Bench()
    client = bench.ask("OPTIONS", reliable=True)
    if heard:
        bench.hear(client, 100)
    bench.layer.flow_failed(bench.tcp, bench.now)
    assert bench.told[-1] == ("failure", bench.tcp)
    assert not bench.layer.clients
