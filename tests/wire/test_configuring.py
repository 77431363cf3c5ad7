"""A real server's configuration: edited over its control socket, backed up and restored beside it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from centrex.config import pending
from centrex.runtime import control
from tests.support.server import CentrexServer
from tests.support.sipclient import SipClient
from tests.support.wire import until

pytestmark = [pytest.mark.wire, pytest.mark.slow, pytest.mark.timeout(60)]

NONCE = {"op": "set", "key": "auth.nonce_life", "value": 60}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[CentrexServer]:
    with CentrexServer(tmp_path, users=["1001"]) as running:
        yield running


def ask(server: CentrexServer, command: str, **params: Any) -> dict[str, Any]:
    socket = Path(server._root.name) / "run" / server.name / "control.sock"
    return control.call(socket, command, params)


def apply(server: CentrexServer, *changes: dict[str, Any], confirm_s: int = 0) -> dict[str, Any]:
    fingerprint = ask(server, "config.open")["fingerprint"]
    return ask(
        server, "config.apply", fingerprint=fingerprint, changes=changes, confirm_s=confirm_s
    )


def nonce_life(server: CentrexServer) -> int:
    return int(ask(server, "config")["values"]["auth.nonce_life"]["value"])


def test_a_server_that_is_killed_before_the_change_is_confirmed_starts_with_the_former_one(
    server: CentrexServer,
) -> None:
    before = server.config.read_text()
    apply(server, NONCE, confirm_s=300)
    assert nonce_life(server) == 60
    server.kill9()
    server.kill_relay()
    server.start()
    assert nonce_life(server) == 300
    assert server.config.read_text() == before
    assert "was not confirmed" in str(server.status()["warnings"])
    until(lambda: "was not confirmed" in server.log_tail())
    apply(server, NONCE, confirm_s=300)
    ask(server, "config.confirm")
    server.kill9()
    server.kill_relay()
    server.start()
    assert nonce_life(server) == 60
    assert server.status()["warnings"] == []


def test_nobody_else_changes_the_file_while_a_change_waits(server: CentrexServer) -> None:
    apply(server, NONCE, confirm_s=300)
    for words in (
        ("config", "set", "auth.nonce_life", "90"),
        ("user", "add", "1002", "--generate"),
        ("user", "remove", "1001"),
    ):
        code, _, errors = server.command(*words)
        assert code == 1
        assert "waits to be confirmed" in errors
    ask(server, "config.rollback")
    assert server.command("user", "add", "1002", "--generate")[0] == 0
    assert not pending.record_of(server.config).exists()


def test_who_is_removed_has_no_phone_any_more(server: CentrexServer) -> None:
    with SipClient("1001", server) as phone:
        assert phone.register().status == 200
        assert len(server.registrations()) == 1
        assert server.ask("user", "remove", "1001")["signed_off"] == 1
        assert server.registrations() == []
        assert phone.register().status in {401, 403}


def test_a_running_server_is_backed_up_and_restored(server: CentrexServer) -> None:
    file = server.folder / "b.tar.gz"
    server.ask("backup", "--registrations", name=str(file))
    apply(server, NONCE, {"op": "password", "login": "1002", "password": "p"})
    assert server.status()["auth"]["logins"] == 2
    told = server.ask("restore", "--reload", name=str(file))
    assert told["reloaded"]
    assert told["running"]
    assert nonce_life(server) == 300
    assert server.status()["auth"]["logins"] == 1
