"""Two baresip phones call each other through Centrex, over UDP, TCP and TLS, with digest."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final, TypeAlias

import pytest

from tests.support.callwatch import CallWatch
from tests.support.phones import (
    CLOSED,
    HELD,
    INCOMING,
    MEDIA,
    REGISTERED,
    RESUMED,
    RINGING,
    UP,
    Baresip,
    settle,
)
from tests.support.server import CentrexServer

pytestmark = [pytest.mark.peer("baresip"), pytest.mark.slow, pytest.mark.timeout(120)]

TIMER_B_S: Final = 32.0
Pair: TypeAlias = tuple[Baresip, Baresip]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CentrexServer]:
    users = [f"{transport}{number}" for transport in ("udp", "tcp", "tls") for number in (1, 2)]
    with CentrexServer(
        tmp_path_factory.mktemp("server"),
        users=[*users, "absent", "patient1", "patient2"],
        transports=("udp", "tcp", "tls"),
    ) as running:
        yield running


@pytest.fixture(scope="module", autouse=True)
def long_call(
    server: CentrexServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Baresip, Baresip, float]]:
    """A call that is up, beside all the others, for as long as this module's tests take."""
    folder = tmp_path_factory.mktemp("patient")
    with (
        Baresip("patient1", server, folder) as caller,
        Baresip("patient2", server, folder) as callee,
    ):
        _register(caller, callee)
        _connect(caller, callee)
        yield caller, callee, time.monotonic()


@pytest.fixture(scope="module", params=["udp", "tcp", "tls"])
def phones(
    request: pytest.FixtureRequest,
    server: CentrexServer,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Pair]:
    transport: str = request.param
    folder = tmp_path_factory.mktemp(transport)
    with (
        Baresip(f"{transport}1", server, folder, transport) as caller,
        Baresip(f"{transport}2", server, folder, transport) as callee,
    ):
        _register(caller, callee)
        yield caller, callee


@pytest.fixture
def pair(phones: Pair) -> Pair:
    """Caller and callee."""
    for phone in phones:
        phone.make_idle()
    return phones


def _register(*phones: Baresip) -> None:
    for phone in phones:
        phone.await_(REGISTERED)


def _connect(caller: Baresip, callee: Baresip) -> str:
    caller.dial(callee.user)
    call_id = callee.await_(INCOMING).call_id
    caller.await_(RINGING)
    callee.accept()
    caller.await_(UP)
    callee.await_(UP)
    return call_id


def _watch(server: CentrexServer, *, failed: bool = False) -> CallWatch:
    return CallWatch(server, failed=failed, besides=1)


def test_both_are_registered_with_where_they_are(server: CentrexServer, pair: Pair) -> None:
    rows = {row["aor"]: row for row in server.registrations()}
    for phone in pair:
        row = rows[server.uri(phone.user)]
        assert phone.host in row["contact"]
        # baresip leaves it to the system where its connections come from
        assert (phone.host if phone.transport == "udp" else "127.0.0.1") in row["source"]
        assert row["transport"].lower() == phone.transport
        assert 0 < row["expires_s"] <= 60
        assert "baresip" in row["user_agent"]


def test_a_call_is_answered_and_the_caller_hangs_up(server: CentrexServer, pair: Pair) -> None:
    caller, callee = pair
    with _watch(server) as watch:
        caller.dial(callee.user)
        call_id = callee.await_(INCOMING).call_id
        caller.await_(RINGING)
        assert watch.is_listed("ringing", caller.user, callee.user) == call_id
        callee.accept()
        caller.await_(UP)
        callee.await_(UP)
        caller.await_(MEDIA)
        callee.await_(MEDIA)
        assert watch.is_listed("up", caller.user, callee.user) == call_id
        caller.hang_up()
        assert "by peer" in callee.await_(CLOSED).reason
        caller.await_(CLOSED)
    watch.story_tells(call_id, callee.user, "caller")


def test_the_callee_hangs_up(server: CentrexServer, pair: Pair) -> None:
    caller, callee = pair
    with _watch(server) as watch:
        call_id = _connect(caller, callee)
        callee.hang_up()
        assert "by peer" in caller.await_(CLOSED).reason
        callee.await_(CLOSED)
    watch.story_tells(call_id, callee.user, "callee")


def test_the_caller_cancels_while_it_rings(server: CentrexServer, pair: Pair) -> None:
    caller, callee = pair
    with _watch(server, failed=True) as watch:
        caller.dial(callee.user)
        call_id = callee.await_(INCOMING).call_id
        caller.await_(RINGING)
        caller.hang_up()
        callee.await_(CLOSED)
        caller.await_(CLOSED)
    watch.story_tells(call_id, "cancel")


def test_the_callee_is_busy(server: CentrexServer, pair: Pair) -> None:
    caller, callee = pair
    with _watch(server, failed=True) as watch:
        caller.dial(callee.user)
        callee.await_(INCOMING)
        callee.hang_up()
        callee.await_(CLOSED)
        closed = caller.await_(CLOSED)
        assert closed.reason.startswith("486")
    watch.story_tells(closed.call_id, "486")


def test_the_user_is_unknown(server: CentrexServer, pair: Pair) -> None:
    caller, _ = pair
    with _watch(server, failed=True) as watch:
        caller.dial("nobody")
        closed = caller.await_(CLOSED)
        assert closed.reason.startswith("404")
    watch.story_tells(closed.call_id, "nobody", "404")


def test_the_user_is_known_but_not_there(server: CentrexServer, pair: Pair) -> None:
    caller, _ = pair
    with _watch(server, failed=True) as watch:
        caller.dial("absent")
        closed = caller.await_(CLOSED)
        assert closed.reason.startswith("480")
    watch.story_tells(closed.call_id, "absent", "480")


@pytest.mark.parametrize("holder", [0, 1], ids=["caller", "callee"])
def test_a_call_is_held_and_resumed(server: CentrexServer, pair: Pair, holder: int) -> None:
    caller, callee = pair
    with _watch(server):
        _connect(caller, callee)
        pair[holder].hold()
        pair[holder].await_(HELD)
        pair[holder].resume()
        pair[holder].await_(RESUMED)
        caller.hang_up()
        callee.await_(CLOSED)
        caller.await_(CLOSED)


def test_phones_of_different_transports_talk(
    server: CentrexServer, tmp_path: Path, pair: Pair
) -> None:
    caller, _ = pair
    other = "tcp1" if caller.transport == "udp" else "udp1"
    with Baresip(other, server, tmp_path, other[:3]) as callee:
        _register(callee)
        with _watch(server):
            _connect(caller, callee)
            caller.await_(MEDIA)
            callee.hang_up()
            caller.await_(CLOSED)
            callee.await_(CLOSED)


def test_a_phone_that_is_switched_off_is_known_but_not_there(
    server: CentrexServer, tmp_path: Path, pair: Pair
) -> None:
    caller, _ = pair
    with Baresip("absent", server, tmp_path, caller.transport) as phone:
        _register(phone)
        phone.quit()
    aor = server.uri("absent")
    settle(lambda: aor not in {row["aor"] for row in server.registrations()}, "it has left")
    caller.dial("absent")
    assert caller.await_(CLOSED).reason.startswith("480")


def test_it_is_offered_md5_alone_and_that_is_told_once(
    server: CentrexServer, tmp_path: Path
) -> None:
    def told() -> list[str]:
        lines = server.log_tail(10_000).splitlines()
        return [line for line in lines if "auth.quirk" in line and f"{phone.host}:" in line]

    with Baresip("absent", server, tmp_path) as phone:
        _register(phone)
        settle(lambda: bool(told()), "it is told")
    (line,) = told()
    assert "baresip v" in line


def test_a_call_lasts_longer_than_any_transaction(
    server: CentrexServer, long_call: tuple[Baresip, Baresip, float]
) -> None:
    caller, callee, since = long_call
    settle(
        lambda: time.monotonic() - since > TIMER_B_S + 2 or caller.has_seen(CLOSED),
        "the time is over",
        timeout=TIMER_B_S + 10,
    )
    assert not caller.has_seen(CLOSED)
    assert not callee.has_seen(CLOSED)
    (call,) = server.calls()
    assert call["state"] == "up"
    assert call["duration_s"] > TIMER_B_S
    caller.hang_up()
    assert "by peer" in callee.await_(CLOSED).reason
    settle(lambda: not server.calls(), "no call is left")
