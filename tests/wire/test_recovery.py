"""Registrations outlive their server: a clean restart, and a sudden end."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.server import CentrexServer
from tests.support.sipclient import SipClient
from tests.support.wire import connect, control, hang_up, until

pytestmark = [pytest.mark.wire, pytest.mark.slow, pytest.mark.timeout(60)]

PHONES = 20
USERS = ["caller", *(f"phone{number}" for number in range(PHONES))]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[CentrexServer]:
    with CentrexServer(
        tmp_path, users=USERS, overrides={"registrar.recovery_interval": 1}
    ) as running:
        yield running


@pytest.fixture
def phones(server: CentrexServer) -> Iterator[list[SipClient]]:
    with ExitStack() as stack:
        made = [
            stack.enter_context(SipClient(f"phone{number}", server)) for number in range(PHONES)
        ]
        for number, phone in enumerate(made):
            answer = phone.register(
                parameters=f';q=0.{number % 10};+sip.instance="<urn:x:{number}>"'
            )
            assert answer.status == 200
        yield made


def rows(server: CentrexServer) -> list[dict[str, object]]:
    """What stands, without what time changes."""
    found: list[dict[str, object]] = control(server, "registrations")["registrations"]
    for row in found:
        assert 3500 < int(str(row.pop("expires_s"))) <= 3600
    return sorted(found, key=lambda row: str(row["aor"]))


def test_a_restart_keeps_all(server: CentrexServer, phones: list[SipClient]) -> None:
    assert phones[0].register(expires=0).status == 200
    before = rows(server)
    server.restart()
    assert rows(server) == before
    assert len(before) == PHONES - 1
    with SipClient("caller", server) as caller:
        hang_up(*connect(caller, phones[7]))
        caller.invite("phone0").expect(480)


def test_a_sudden_end_loses_an_interval_at_most(
    server: CentrexServer, phones: list[SipClient]
) -> None:
    """What was acknowledged longer ago than `recovery_interval` is there again."""
    file = server.folder / "state" / "registrations"
    until(lambda: file.exists() and file.read_bytes().count(b"phone19@") > 0)
    before = rows(server)
    server.kill9()
    server.start()
    assert rows(server) == before
    with SipClient("caller", server) as caller:
        for phone in phones[:3]:
            hang_up(*connect(caller, phone))


def test_a_phone_registers_as_before_after_a_sudden_end(
    server: CentrexServer, phones: list[SipClient]
) -> None:
    """Its Call-ID and CSeq are remembered: the next refresh is taken, an old one is not."""
    file = server.folder / "state" / "registrations"
    until(lambda: file.exists() and file.read_bytes().count(b"phone19@") > 0)
    server.kill9()
    server.start()
    assert phones[3].register().status == 200
    phones[3]._registered -= 4
    assert phones[3].register().status >= 400
    assert len(rows(server)) == PHONES


def test_a_damaged_file_is_told_and_does_not_stop_it(
    server: CentrexServer, phones: list[SipClient]
) -> None:
    server.stop()
    file = server.folder / "state" / "registrations"
    head, _, rest = file.read_bytes().partition(b"\n")
    file.write_bytes(head + b"\n\xff\x00garbage\n" + rest)
    server.start()
    assert any("damaged" in warning for warning in control(server, "status")["warnings"])
    assert len(rows(server)) == PHONES
    assert phones[0].register().status == 200
