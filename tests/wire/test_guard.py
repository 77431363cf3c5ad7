"""The flood guard of a running server: floods are limited, wrong passwords lead to a ban."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.ports import loopback
from tests.support.server import CentrexServer
from tests.support.sipclient import SipClient
from tests.support.wire import control, drops, flood, ping, until

pytestmark = [pytest.mark.wire, pytest.mark.slow, pytest.mark.timeout(60)]

BURST, RATE, FAILURES = 30, 5, 5
EXEMPT = loopback()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CentrexServer]:
    with CentrexServer(
        tmp_path_factory.mktemp("server"),
        users=["alice"],
        overrides={
            "network.guard.requests_per_second": RATE,
            "network.guard.burst": BURST,
            "network.guard.auth_failures_per_minute": FAILURES,
            "network.guard.exempt": [f"{EXEMPT}/32"],
        },
    ) as running:
        yield running


def test_a_flood_is_limited_counted_and_told(server: CentrexServer) -> None:
    before = drops(server, "guard-limited")
    with SipClient("alice", server) as client:
        answered, took_s = flood(client, 300)
        assert BURST <= answered <= BURST + RATE * (took_s + 1)
        assert drops(server, "guard-limited") - before == 300 - answered
        source = client.link.local[0]
    until(lambda: f"guard.limited src={source}" in server.log.read_text())
    with SipClient("alice", server) as other:
        assert ping(other).status == 200


def test_an_exempt_source_is_not_limited(server: CentrexServer) -> None:
    with SipClient("alice", server, host=EXEMPT) as client:
        assert flood(client, 300)[0] == 300


def test_wrong_passwords_lead_to_a_ban_that_can_be_released(server: CentrexServer) -> None:
    with (
        SipClient("alice", server, password="guessed") as guesser,
        SipClient("alice", server) as other,
    ):
        source = guesser.link.local[0]
        for _ in range(FAILURES + 1):
            assert guesser.register().status == 403
        (ban,) = server.ask("bans")["bans"]
        assert ban["source"] == source
        assert "wrong passwords" in ban["reason"]
        assert 590 <= ban["seconds_left"] <= 600
        guesser.send(guesser.request("OPTIONS", f"sip:{server.domain}"))
        guesser.expect_none(200, within=0.3)
        assert drops(server, "guard-banned") >= 1
        assert other.register().status == 200
        assert server.command("bans", "release", source)[0] == 0
        assert ping(guesser).status == 200
        assert server.ask("bans")["bans"] == []
        code, _, errors = server.command("bans", "release", source)
        assert (code, "Traceback" in errors) == (1, False)


def test_a_registered_source_is_not_banned_for_its_neighbours_mistakes(
    server: CentrexServer,
) -> None:
    with SipClient("alice", server) as phone:
        assert phone.register().status == 200
        host = phone.link.local[0]
        with SipClient("alice", server, password="guessed", host=host) as guesser:
            for _ in range(FAILURES + 3):
                guesser.register()
        assert control(server, "bans")["bans"] == []
        assert phone.register(expires=0).status == 200


def test_a_ban_outlives_a_restart(tmp_path: Path) -> None:
    with CentrexServer(
        tmp_path,
        users=["alice"],
        overrides={
            "network.guard.exempt": [],
            "network.guard.auth_failures_per_minute": 1,
        },
    ) as server:
        with SipClient("alice", server, password="guessed") as guesser:
            guesser.register()
            guesser.register()
            source = guesser.link.local[0]
        assert [ban["source"] for ban in control(server, "bans")["bans"]] == [source]
        server.restart()
        assert [ban["source"] for ban in control(server, "bans")["bans"]] == [source]
