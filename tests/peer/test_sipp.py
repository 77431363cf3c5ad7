"""SIPp in numbers: many calls, late callees, cancellations, 10,000 registrations.

Forking and the races between single messages stand in `test_races.py`: SIPp matches what it gets to
a call by Call-ID alone, so it cannot be three contacts of one user. Lost packets stand in
`test_loss.py`: a SIPp callee gives a call up when an INVITE is repeated after its 200.
"""

import hashlib
from collections.abc import Iterable
from pathlib import Path

import pytest

from tests.support.phones import settle
from tests.support.server import CentrexServer, password_of
from tests.support.sipclient import SipClient
from tests.support.sipp import Sipp, login_rows
from tests.support.wire import control

pytestmark = [pytest.mark.peer("sipp"), pytest.mark.slow, pytest.mark.timeout(240)]
CALLERS = [f"caller{number}" for number in range(10)]
CALLEES = [f"callee{number}" for number in range(10)]
MD5_ONLY = {"auth.algorithms": ["MD5"]}
"""SIPp 3.6 can do no more."""


def _send_calls_to(sipp: Sipp, server: CentrexServer) -> None:
    """Register every callee with the address of a SIPp process."""
    for callee in CALLEES:
        with SipClient(callee, server) as phone:
            contact = f"<sip:{callee}@{sipp.host}:{sipp.port}>"
            assert phone.register(contact=contact).status == 200


def _files() -> dict[str, list[tuple[str, ...]]]:
    return {
        "callers.csv": [tuple(row) for row in login_rows(CALLERS)],
        "callees.csv": [(callee,) for callee in CALLEES],
    }


def _nothing_is_left(server: CentrexServer) -> None:
    settle(lambda: server.status()["statistics"]["calls"]["now"] == 0, "no call is left")


def test_calls_in_numbers(tmp_path: Path) -> None:
    count = 500
    with (
        CentrexServer(tmp_path, users=[*CALLERS, *CALLEES], overrides=MD5_ONLY) as server,
        Sipp("callee", server, tmp_path, count=count, hold_ms=50) as callees,
    ):
        _send_calls_to(callees, server)
        with Sipp(
            "caller", server, tmp_path, count=count, rate=100, hold_ms=200, files=_files()
        ) as callers:
            assert callers.finish()["SuccessfulCall(C)"] == count
        assert callees.finish()["SuccessfulCall(C)"] == count
        _nothing_is_left(server)
        calls = server.status()["statistics"]["calls"]
        assert calls["total"] == count
        assert calls["failed"] == 0
        assert calls["peak"] > 5


def test_callees_who_answer_late(tmp_path: Path) -> None:
    count = 60
    with (
        CentrexServer(tmp_path, users=[*CALLERS, *CALLEES], overrides=MD5_ONLY) as server,
        Sipp("late_callee", server, tmp_path, count=count) as callees,
    ):
        _send_calls_to(callees, server)
        with Sipp(
            "caller", server, tmp_path, count=count, rate=30, hold_ms=100, files=_files()
        ) as callers:
            counters = callers.finish()
        assert counters["SuccessfulCall(C)"] == count
        assert counters["Retransmissions(C)"] < count / 2, "100 stops the caller's repetitions"
        counters = callees.finish()
        assert counters["SuccessfulCall(C)"] == count
        _nothing_is_left(server)


def test_calls_that_are_cancelled(tmp_path: Path) -> None:
    count = 200
    with (
        CentrexServer(tmp_path, users=[*CALLERS, *CALLEES], overrides=MD5_ONLY) as server,
        Sipp("ringing_callee", server, tmp_path, count=count) as callees,
    ):
        _send_calls_to(callees, server)
        with Sipp("canceller", server, tmp_path, count=count, rate=50, files=_files()) as callers:
            assert callers.finish()["SuccessfulCall(C)"] == count
        assert callees.finish()["SuccessfulCall(C)"] == count
        _nothing_is_left(server)


def test_calls_that_the_operator_ends(tmp_path: Path) -> None:
    count = 40
    with (
        CentrexServer(tmp_path, users=[*CALLERS, *CALLEES], overrides=MD5_ONLY) as server,
        Sipp("callee", server, tmp_path, count=count) as callees,
    ):
        _send_calls_to(callees, server)
        with Sipp("patient_caller", server, tmp_path, count=count, files=_files()) as callers:
            settle(
                lambda: [row["state"] for row in server.calls()].count("up") == count,
                "all calls are up",
            )
            for row in server.calls():
                assert control(server, "calls.end", id=row["id"]) == {"ended": True}
            assert callers.finish()["SuccessfulCall(C)"] == count
        assert callees.finish()["SuccessfulCall(C)"] == count
        _nothing_is_left(server)


def _htdigest(path: Path, realm: str, users: Iterable[str]) -> None:
    lines = []
    for user in users:
        secret = f"{user}:{realm}:{password_of(user)}".encode()
        lines.append(f"{user}:{realm}:{hashlib.md5(secret, usedforsecurity=False).hexdigest()}\n")
    path.write_text("".join(lines))
    path.chmod(0o600)


def test_ten_thousand_phones_register_and_refresh(tmp_path: Path) -> None:
    count = 10_000
    users = [f"u{number}" for number in range(count)]
    logins = tmp_path / "credentials"
    _htdigest(logins, "centrex.test", users)
    overrides = {**MD5_ONLY, "auth.credentials_file": str(logins)}
    with CentrexServer(tmp_path, overrides=overrides) as server:
        assert server.status()["auth"]["logins"] == count
        with Sipp(
            "registering_phone",
            server,
            tmp_path,
            count=count,
            rate=400,
            hold_ms=3000,
            files={"users.csv": login_rows(users)},
            at_once=10_000,
            limit_s=150,
        ) as phones:
            assert phones.finish()["SuccessfulCall(C)"] == count
        status = server.status()
        assert status["registrar"]["users"] == count
        assert status["registrar"]["bindings"] == count
        registrations = status["statistics"]["registrations"]
        assert registrations["now"] == count
        assert registrations["total"] == 2 * count
        assert registrations["refused"] == 0
        server.restart()
        assert server.status()["registrar"]["bindings"] == count
