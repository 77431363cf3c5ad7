"""`kill -9` under registration load, and the server started again: the phones are reachable."""

import hashlib
import time
from pathlib import Path

import pytest

from tests.support.registerload import RegisterLoad
from tests.support.server import CentrexServer, password_of
from tests.support.sipclient import SipClient

pytestmark = [pytest.mark.wire, pytest.mark.slow, pytest.mark.timeout(180)]
INTERVAL_S = 1
LATE_S = 2
"""How much later than it is due a busy machine may have written something down."""
PHONES = 80_000
"""More than register while the test runs, at the rate that the server can take."""


def _logins(path: Path, realm: str, users: list[str]) -> None:
    lines = []
    for user in users:
        secret = f"{user}:{realm}:{password_of(user)}".encode()
        lines.append(f"{user}:{realm}:{hashlib.sha256(secret).hexdigest()}\n")
    path.write_text("".join(lines))
    path.chmod(0o600)


def _owed(load: RegisterLoad) -> list[str]:
    """Return the users whose registrations are to be on the disk by now."""
    due = time.monotonic() - INTERVAL_S - LATE_S
    return [user for user, when in load.done.items() if when < due]


@pytest.mark.parametrize(
    ("changes", "interval"),
    [(1_000_000, INTERVAL_S), (50, 3600)],
    ids=["by interval", "by number of changes"],
)
def test_phones_are_reachable_after_a_crash(tmp_path: Path, changes: int, interval: int) -> None:
    """And after another one, as soon as the table has come back."""
    users = [f"u{number}" for number in range(PHONES)]
    logins = tmp_path / "credentials"
    _logins(logins, "centrex.test", users)
    server = CentrexServer(
        tmp_path,
        users=["caller"],
        overrides={
            "auth.credentials_file": str(logins),
            "registrar.recovery_changes": changes,
            "registrar.recovery_interval": interval,
        },
    )
    owed: list[str] = []
    with server, RegisterLoad(server, users) as load:
        for seconds in (2.7, 1.6):
            load.run(seconds * INTERVAL_S)
            while len(_owed(load)) <= 1000:  # too few to speak of a load
                load.run(0.2)
            owed = _owed(load)
            server.kill9()
            assert not load.refused
            server.restart()
            known = {row["aor"] for row in server.registrations()}
            lost = [user for user in owed if server.uri(user) not in known]
            assert not lost, f"{len(lost)} of {len(owed)}"
            load.done = {user: load.done[user] for user in load.done if server.uri(user) in known}
        with SipClient("caller", server) as caller:
            for user in (owed[0], owed[len(owed) // 2], owed[-1]):
                call = caller.invite(user)
                assert load.answers_a_call(user), f"{user} is not reached"
                call.expect(486)


def test_a_phone_behind_a_connection_is_not_called_after_a_crash_but_told_offline(
    tmp_path: Path,
) -> None:
    """Its connection has died with the server; only the phone can make a new one."""
    with CentrexServer(
        tmp_path, users=["caller", "desk"], overrides={"registrar.recovery_interval": 1}
    ) as server:
        with SipClient("desk", server, transport="tcp") as desk:
            assert desk.register().status == 200
            server.restart()
        with SipClient("caller", server) as caller:
            call = caller.invite("desk")
            call.expect(480)
