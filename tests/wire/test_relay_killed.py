"""A relay on another machine, killed together with its server: its calls go on."""

import signal
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.ports import free_port
from tests.support.relay_process import SECRET, Relay
from tests.support.relayed_talk import Talk
from tests.support.server import CentrexServer
from tests.support.sipclient import SipClient
from tests.support.wire import control, stocked, until

pytestmark = [pytest.mark.wire, pytest.mark.slow, pytest.mark.timeout(120)]


def sessions(server: CentrexServer) -> int | None:
    rows = {row["name"]: row for row in control(server, "relays")["relays"]}
    return rows["far"]["sessions"] if "far" in rows else None


def test_a_relay_with_a_folder_of_its_own_goes_on_where_its_server_is_killed_too(
    tmp_path: Path,
) -> None:
    """Voice is there again before the server is; which is told, and knows its call."""
    port, folder = free_port("127.0.0.1"), tmp_path / "far" / "state"
    overrides = {
        "media.mode": "always",
        "media.embedded": False,
        "media.secret": SECRET,
        "media.control_port": port,
        "media.heartbeat": 1,
    }
    more = {"state_dir": str(folder)}
    with ExitStack() as stack:
        server = stack.enter_context(
            CentrexServer(tmp_path, users=["alice", "bob"], overrides=overrides)
        )
        relay = stack.enter_context(Relay(tmp_path, "far", port, offload="userspace", more=more))
        alice, bob = (stack.enter_context(SipClient(user, server)) for user in ("alice", "bob"))
        assert bob.register().status == 200
        stocked(server, "far")
        talk, over = Talk(alice, bob), Talk(alice, bob)
        talk.settle()
        over.end()
        written = folder / "far.calls"
        until(lambda: written.exists() and b'"end"' in written.read_bytes())
        assert folder.stat().st_mode & 0o077 == 0
        other = Relay(tmp_path, "far", port, more=more)
        assert other.process.wait(10) == 1
        assert "already running" in other.log.read_text()
        relay.process.kill()
        relay.process.wait()
        server.kill9()
        relay.start()
        talk.hear(within=15.0)
        server.start()
        until(lambda: sessions(server) == 1)
        talk.hear()
        places = talk.places
        assert talk.reinvite() == places
        talk.settle()
        begun = relay.log.read_text().count("logged in")
        relay.process.send_signal(signal.SIGHUP)
        until(lambda: relay.log.read_text().count("logged in") > begun)
        talk.hear(within=15.0)
        until(lambda: sessions(server) == 1)
        talk.settle()
        talk.end()
        until(lambda: sessions(server) == 0)


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    relay = Relay(tmp_path, "far", 1, more={"state_dir": str(file)})
    assert relay.process.wait(10) == 1
    assert f"state_dir: {file}: File exists" in relay.log.read_text()


@pytest.mark.parametrize("after_s", [0.0, 0.02, 0.05, 0.1, 0.2, 0.4])
def test_a_relay_that_is_told_to_end_while_it_begins_anew_ends(
    after_s: float, tmp_path: Path
) -> None:
    """The signal had been lost with the process that got it, or had been the end of it at once."""
    relay = Relay(tmp_path, "far", free_port("127.0.0.1"))
    until(lambda: "cannot be reached" in relay.log.read_text())
    relay.process.send_signal(signal.SIGHUP)
    time.sleep(after_s)
    relay.process.terminate()
    assert relay.process.wait(10) == 0
