"""linphonec and baresip call each other through Centrex: two stacks that share nothing."""

from collections.abc import Iterator
from typing import TypeAlias

import pytest

from tests.support.callwatch import CallWatch
from tests.support.phones import (
    CLOSED,
    HELD,
    INCOMING,
    REGISTERED,
    RESUMED,
    RINGING,
    UP,
    Baresip,
    Linphone,
    Phone,
)
from tests.support.server import CentrexServer

pytestmark = [
    pytest.mark.peer("baresip", "linphonec"),
    pytest.mark.slow,
    pytest.mark.timeout(120),
]
TRANSPORTS = ("udp", "tcp", "tls")
Pair: TypeAlias = tuple[Phone, Phone]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CentrexServer]:
    users = [f"{maker}-{transport}" for maker in ("lin", "bare") for transport in TRANSPORTS]
    with CentrexServer(
        tmp_path_factory.mktemp("server"),
        users=[*users, "absent", "modern"],
        transports=TRANSPORTS,
        overrides={"auth.algorithms": ["MD5"]},
    ) as running:
        yield running


@pytest.fixture(scope="module", params=TRANSPORTS)
def phones(
    request: pytest.FixtureRequest,
    server: CentrexServer,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Pair]:
    transport: str = request.param
    folder = tmp_path_factory.mktemp(transport)
    with (
        Linphone(f"lin-{transport}", server, folder, transport) as linphone,
        Baresip(f"bare-{transport}", server, folder, transport) as baresip,
    ):
        linphone.await_(REGISTERED)
        baresip.await_(REGISTERED)
        yield linphone, baresip


@pytest.fixture(params=["from-linphone", "from-baresip"])
def pair(request: pytest.FixtureRequest, phones: Pair) -> Pair:
    """Caller and callee."""
    for phone in phones:
        phone.make_idle()
    return phones if request.param == "from-linphone" else (phones[1], phones[0])


def _connect(caller: Phone, callee: Phone) -> None:
    caller.dial(callee.user)
    callee.await_(INCOMING)
    caller.await_(RINGING)
    callee.accept()
    caller.await_(UP)
    callee.await_(UP)


def _closed(*phones: Phone) -> None:
    for phone in phones:
        phone.await_(CLOSED)


def test_both_are_registered(server: CentrexServer, phones: Pair) -> None:
    rows = {row["aor"]: row for row in server.registrations()}
    for phone in phones:
        assert rows[server.uri(phone.user)]["transport"].lower() == phone.transport


def test_a_call_is_answered_and_the_caller_hangs_up(server: CentrexServer, pair: Pair) -> None:
    caller, callee = pair
    with CallWatch(server) as watch:
        _connect(caller, callee)
        call_id = watch.is_listed("up", caller.user, callee.user)
        caller.hang_up()
        _closed(caller, callee)
    watch.story_tells(call_id, callee.user, "caller")


def test_the_callee_hangs_up(server: CentrexServer, pair: Pair) -> None:
    caller, callee = pair
    with CallWatch(server) as watch:
        _connect(caller, callee)
        call_id = watch.is_listed("up", caller.user, callee.user)
        callee.hang_up()
        _closed(caller, callee)
    watch.story_tells(call_id, callee.user, "callee")


def test_the_caller_cancels_while_it_rings(server: CentrexServer, pair: Pair) -> None:
    caller, callee = pair
    with CallWatch(server, failed=True) as watch:
        caller.dial(callee.user)
        callee.await_(INCOMING)
        caller.await_(RINGING)
        call_id = watch.is_listed("ringing", caller.user, callee.user)
        caller.hang_up()
        _closed(caller, callee)
    watch.story_tells(call_id, "cancel")


def test_the_callee_refuses(server: CentrexServer, pair: Pair) -> None:
    caller, callee = pair
    with CallWatch(server, failed=True) as watch:
        caller.dial(callee.user)
        callee.await_(INCOMING)
        caller.await_(RINGING)
        call_id = watch.is_listed("ringing", caller.user, callee.user)
        callee.hang_up()
        callee.await_(CLOSED)
        status = "603" if isinstance(callee, Linphone) else "486"
        assert caller.await_(CLOSED).reason.startswith(status)
    watch.story_tells(call_id, status)


def test_the_call_is_held_and_resumed_by_either_side(server: CentrexServer, pair: Pair) -> None:
    caller, callee = pair
    with CallWatch(server):
        _connect(caller, callee)
        for phone in pair:
            phone.hold()
            phone.await_(HELD)
            phone.resume()
            phone.await_(RESUMED)
        callee.hang_up()
        _closed(caller, callee)


@pytest.mark.parametrize(("callee", "status"), [("nobody", "404"), ("absent", "480")])
def test_nobody_can_be_reached(
    server: CentrexServer, phones: Pair, callee: str, status: str
) -> None:
    linphone, _ = phones
    with CallWatch(server, failed=True):
        linphone.dial(callee)
        assert linphone.await_(CLOSED).reason.startswith(status)


def test_it_registers_with_the_default_algorithms(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    folder = tmp_path_factory.mktemp("modern")
    with (
        CentrexServer(folder, users=["modern"]) as server,
        Linphone("modern", server, folder) as phone,
    ):
        phone.await_(REGISTERED)
        (row,) = server.registrations()
        assert row["aor"] == server.uri("modern")
        phone.quit()
