"""RFC 3261 figure 8 as amended by RFC 4320, and timer J."""

from centrex.transaction.machine import In, State
from centrex.transaction.non_invite_server import TABLE
from tests.support.machines import Bench, moves


def test_the_table_is_the_figure() -> None:
    expected = {
        (state, event): to
        for state in ("TRYING", "PROCEEDING")
        for event, to in {
            "PROVISIONAL": "PROCEEDING",
            "SUCCESS": "COMPLETED",
            "FAILURE": "COMPLETED",
            "TRANSPORT_ERROR": "TERMINATED",
            "TIMEOUT": "TERMINATED",  # RFC 4320 §4.2: never answered
        }.items()
    }
    assert moves(TABLE) == expected | {
        ("PROCEEDING", "REQUEST"): "PROCEEDING",
        ("COMPLETED", "REQUEST"): "COMPLETED",
        ("COMPLETED", "TRANSPORT_ERROR"): "TERMINATED",
        ("COMPLETED", "LINGER"): "TERMINATED",
    }


def test_a_repeated_request_is_absorbed_until_something_was_said() -> None:
    bench = Bench()
    server = bench.serve("OPTIONS")
    bench.layer.receive_again(server, In.REQUEST, bench.now)
    assert bench.sends == []
    bench.say(server, 100)
    bench.layer.receive_again(server, In.REQUEST, bench.now)
    assert [data[8:11] for _, data in bench.sends] == [b"100", b"100"]


def test_the_final_response_is_given_again_until_timer_j() -> None:
    bench = Bench()
    server = bench.serve("OPTIONS")
    assert bench.say(server, 200)
    assert bench.advance(31.9) == [], "only a repeated request brings it again"
    bench.layer.receive_again(server, In.REQUEST, bench.now)
    assert [data[8:11] for _, data in bench.sends] == [b"200", b"200"]
    assert not bench.say(server, 404)
    bench.advance(0.2)
    assert bench.empty


def test_timer_j_is_zero_on_a_reliable_transport() -> None:
    bench = Bench()
    server = bench.serve("OPTIONS", reliable=True)
    bench.say(server, 200)
    assert bench.empty
    assert server.state is State.TERMINATED


def test_a_request_that_is_never_answered_is_forgotten() -> None:
    bench = Bench()
    server = bench.serve("OPTIONS")
    bench.layer.timers.arm(3.0, bench.now, server, In.TIMEOUT)
    bench.advance(3.1)
    assert bench.empty
    bench.serve("OPTIONS")
    bench.layer.abandon(next(iter(bench.layer.servers.values())))
    assert bench.empty
    assert bench.sends == []
