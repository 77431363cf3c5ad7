"""Real watchers: SIPp as a busy lamp key, liblinphone as a phone that shows who is there."""

from pathlib import Path

import pytest

from tests.support import linphone_watcher
from tests.support.linphone_watcher import LinphoneWatcher
from tests.support.phones import settle
from tests.support.server import CentrexServer
from tests.support.sipclient import SipClient
from tests.support.sipp import Sipp, login_rows
from tests.support.wire import control

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]
MD5_ONLY = {"auth.algorithms": ["MD5"]}
DIRECTORY = {
    "directory.entries": [{"name": "door", "display": "Door", "contact": "sip:door@192.0.2.9"}]
}


def _watched(server: CentrexServer) -> list[str]:
    return [row["state"] for row in control(server, "subscriptions")["rows"]]


def _await_active(server: CentrexServer) -> None:
    """One watches; it tells of a NOTIFY before its 200 to that has come here, and so long it waits."""
    settle(lambda: _watched(server) == ["active"], "its last NOTIFY is answered")


@pytest.mark.peer("sipp")
def test_busy_lamp_keys_follow_a_call(tmp_path: Path) -> None:
    keys = [f"key{number}" for number in range(5)]
    rows = [(user, line, "callee0") for user, line in login_rows(keys)]
    users = [*keys, "caller0", "callee0"]
    with (
        CentrexServer(tmp_path, users=users, overrides=MD5_ONLY) as server,
        Sipp("callee", server, tmp_path, count=1, hold_ms=50) as callee,
    ):
        with SipClient("callee0", server) as phone:
            contact = f"<sip:callee0@{callee.host}:{callee.port}>"
            assert phone.register(contact=contact).status == 200
        with Sipp(
            "watcher", server, tmp_path, count=len(keys), files={"watchers.csv": rows}
        ) as watching:
            settle(lambda: len(_watched(server)) == len(keys), "all keys watch")
            files: dict[str, list[tuple[str, ...]]] = {
                "callers.csv": [tuple(row) for row in login_rows(["caller0"])],
                "callees.csv": [("callee0",)],
            }
            with Sipp("caller", server, tmp_path, count=1, hold_ms=2500, files=files) as caller:
                assert caller.finish()["SuccessfulCall(C)"] == 1
            assert watching.finish()["SuccessfulCall(C)"] == len(keys)
        assert _watched(server) == []


@pytest.mark.peer("linphonec")
@pytest.mark.skipif(not linphone_watcher.available(), reason="needs liblinphone")
def test_linphone_watches_who_is_there(tmp_path: Path) -> None:
    with CentrexServer(
        tmp_path, users=["wanda", "bob"], overrides={**MD5_ONLY, **DIRECTORY}
    ) as server:
        target = server.uri("registrar")
        with LinphoneWatcher("wanda", server, tmp_path, target, "reg") as watcher:
            watcher.await_("subscription", "active")
            with SipClient("bob", server) as bob:
                assert bob.register().status == 200
                watcher.await_("notify", f'aor="{server.uri("bob")}"')
                assert bob.register(expires=0).status == 200
            watcher.await_("notify", 'event="unregistered"')
            told = "".join(one["text"] for one in watcher.seen if one["what"] == "notify")
            assert "<display-name>Door</display-name>" in told
            assert f'aor="{server.uri("wanda")}"' in told
            _await_active(server)
        settle(lambda: not _watched(server), "it has ended its subscription")


@pytest.mark.peer("linphonec")
@pytest.mark.skipif(not linphone_watcher.available(), reason="needs liblinphone")
def test_linphone_watches_a_busy_lamp_and_hears_when_the_server_stops(tmp_path: Path) -> None:
    users = ["wanda", "bob", "carol"]
    with (
        CentrexServer(tmp_path, users=users, overrides=MD5_ONLY) as server,
        LinphoneWatcher("wanda", server, tmp_path, server.uri("bob"), "dialog") as watcher,
        SipClient("bob", server) as bob,
        SipClient("carol", server) as carol,
    ):
        watcher.await_("notify", 'state="full"')
        assert bob.register().status == 200
        call = carol.invite("bob")
        watcher.await_("notify", "<state>trying</state>")
        bob.incoming().respond(486)
        told = watcher.await_("notify", 'event="rejected"')
        assert server.uri("carol") in told["text"]
        call.expect(486)
        server.stop()  # which tells its watchers to subscribe anew
        watcher.await_("notify", 'version="3"')
        watcher.await_("subscription", "terminated")
        server.start()
        watcher.await_("subscription", "active", timeout=60)
        watcher.await_("notify", 'version="0"')
        _await_active(server)


@pytest.mark.peer("linphonec")
@pytest.mark.skipif(not linphone_watcher.available(), reason="needs liblinphone")
def test_linphone_is_told_on_after_a_crash(tmp_path: Path) -> None:
    """It takes a CSeq and a version that leap, and hears nothing of the crash."""
    with (
        CentrexServer(tmp_path, users=["wanda", "bob"], overrides=MD5_ONLY) as server,
        LinphoneWatcher("wanda", server, tmp_path, server.uri("bob"), "reg") as watcher,
        SipClient("bob", server) as bob,
    ):
        watcher.await_("notify", 'state="full"')
        settle((tmp_path / "state" / "subscriptions.json").exists, "it is on disk")
        server.kill9()
        server.start()
        watcher.await_("notify", 'state="full"')
        assert bob.register().status == 200
        watcher.await_("notify", bob.contact)
        _await_active(server)
        assert not [one for one in watcher.seen if one["text"] in ("terminated", "error")]
