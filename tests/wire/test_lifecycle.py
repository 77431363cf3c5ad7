"""An instance as a process: how it starts, tells that it is ready, refuses to start, and stops."""

import hashlib
import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.server import CentrexServer, cpu_s
from tests.support.sipclient import SipClient
from tests.support.wire import control, until

pytestmark = [pytest.mark.wire, pytest.mark.slow, pytest.mark.timeout(60)]

LINES = 100_000


class Notified(CentrexServer):
    """A server under a service manager, whose socket is ours."""

    manager: str = ""

    def _environment(self) -> dict[str, str]:
        told = {"NOTIFY_SOCKET": self.manager, "WATCHDOG_USEC": "200000"}
        return {**super()._environment(), **told}


def ended(server: CentrexServer) -> int:
    """Wait for the process; return its exit code."""
    process = server._process
    assert process is not None
    return process.wait(15)


def start_fails(server: CentrexServer, *arguments: str) -> tuple[int, str]:
    """Start a server that will not run; return its exit code and what it says."""
    try:
        code, _, errors = server.command("start", *arguments)
    finally:
        server._root.cleanup()
    return code, errors


def test_a_service_manager_is_told_of_every_change(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(10)
        seen: list[bytes] = []

        def next_but_watchdog() -> bytes:
            while (told := manager.recv(4096)).startswith(b"WATCHDOG=1"):
                seen.append(told)
            return told

        server = Notified(tmp_path / "server")
        server.manager = str(tmp_path / "notify")
        with server:
            assert next_but_watchdog() == b"READY=1\nSTATUS=serving centrex.test"
            os.kill(server.pid, signal.SIGHUP)
            assert next_but_watchdog().startswith(b"RELOADING=1\nMONOTONIC_USEC=")
            assert next_but_watchdog().startswith(b"READY=1")
            until(lambda: manager.recv(4096).startswith(b"WATCHDOG=1"))
        assert next_but_watchdog().startswith(b"STOPPING=1")


def test_centrex_stop_ends_it(tmp_path: Path) -> None:
    with CentrexServer(tmp_path) as server:
        code, out, errors = server.command("stop")
        assert (code, out.strip(), errors) == (0, "stopped", "")
        assert ended(server) == 0
        code, _, errors = server.command("status")
        assert code == 3
        assert "Traceback" not in errors


@pytest.fixture
def ringing(tmp_path: Path) -> Iterator[tuple[CentrexServer, SipClient, SipClient]]:
    """A server that has been told to stop while a phone rings."""
    with (
        CentrexServer(tmp_path, users=["alice", "bob"]) as server,
        SipClient("alice", server) as alice,
        SipClient("bob", server) as bob,
    ):
        assert alice.register().status == bob.register().status == 200
        yield server, alice, bob


def test_what_is_under_way_may_end_and_nothing_new_begins(
    ringing: tuple[CentrexServer, SipClient, SipClient],
) -> None:
    server, alice, bob = ringing
    call = alice.invite("bob")
    incoming = bob.incoming()
    incoming.respond(180)
    call.expect(180)
    control(server, "stop", grace_s=60)
    until(lambda: control(server, "status")["state"] == "stopping")
    late = alice.invite("bob").expect(503)
    assert late.get("retry-after")
    assert "stopped" in late.get("warning")
    incoming.answer()
    call.answered()
    assert ended(server) == 0


def test_a_second_signal_makes_it_hurry(
    ringing: tuple[CentrexServer, SipClient, SipClient],
) -> None:
    server, alice, bob = ringing
    call = alice.invite("bob")
    bob.incoming().respond(180)
    call.expect(180)
    control(server, "stop", grace_s=60)
    until(lambda: control(server, "status")["state"] == "stopping")
    os.kill(server.pid, signal.SIGTERM)
    call.expect(503)
    bob.expect("CANCEL")
    assert ended(server) == 0


def test_one_process_for_one_instance(tmp_path: Path) -> None:
    with CentrexServer(tmp_path) as server:
        code, _, errors = server.command("start")
        assert code != 0
        assert "already" in errors
        assert str(server.pid) in errors
        assert "Traceback" not in errors
        assert control(server, "status")["pid"] == server.pid


@pytest.mark.parametrize("kind", [socket.SOCK_DGRAM, socket.SOCK_STREAM])
def test_a_port_in_use_is_told_in_words(tmp_path: Path, kind: int) -> None:
    server = CentrexServer(tmp_path)
    with socket.socket(socket.AF_INET, kind) as holder:
        holder.bind((server.host, server.port))
        if kind == socket.SOCK_STREAM:
            holder.listen()
        code, errors = start_fails(server)
    assert code == 1
    assert str(server.port) in errors
    assert "in use" in errors
    assert "Traceback" not in errors


def test_a_closed_ready_descriptor_is_told_in_words(tmp_path: Path) -> None:
    server = CentrexServer(tmp_path)
    code, errors = start_fails(server, "--ready-fd", "77")
    assert code == 1
    assert "77" in errors
    assert "Traceback" not in errors


def test_a_broken_configuration_is_told_whole(tmp_path: Path) -> None:
    server = CentrexServer(
        tmp_path, overrides={"network.prot": 1, "auth.nonce_life": "x", "registrar.max_contacts": 0}
    )
    code, errors = start_fails(server)
    assert code == 2
    for key in ("network.prot", "auth.nonce_life", "registrar.max_contacts", "network.port"):
        assert key in errors
    assert "Traceback" not in errors


def test_a_large_credentials_file_is_loaded_in_time(tmp_path: Path) -> None:
    """100,000 lines within 2 s of processor time, from the start of the process to its being ready."""
    passwords = tmp_path / "passwords"
    with passwords.open("w") as file:
        for number in range(LINES):
            secret = f"u{number}:centrex.test:secret-u{number}".encode()
            ha1 = hashlib.md5(secret, usedforsecurity=False).hexdigest()
            file.write(f"u{number}:centrex.test:{ha1}\n")
    passwords.chmod(0o600)
    with CentrexServer(tmp_path / "few") as server:
        few_s = cpu_s(server.pid)
    with CentrexServer(
        tmp_path / "many", overrides={"auth.credentials_file": str(passwords)}
    ) as many:
        assert cpu_s(many.pid) - few_s < 2.0
        assert control(many, "status")["auth"]["logins"] == LINES
        with SipClient(f"u{LINES - 1}", many) as phone:
            assert phone.register().status == 200
