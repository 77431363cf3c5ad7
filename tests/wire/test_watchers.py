"""Watchers of a server that dies: they are told on by the next one."""

from pathlib import Path

import pytest

from tests.support.server import CentrexServer
from tests.support.sipclient import SipClient
from tests.support.sipmessage import Message
from tests.support.wire import until

pytestmark = [pytest.mark.wire, pytest.mark.slow, pytest.mark.timeout(60)]


def told(phone: SipClient) -> Message:
    notify = phone.expect("NOTIFY")
    phone.respond(notify, 200)
    return notify


def test_they_go_on_after_a_crash(tmp_path: Path) -> None:
    with (
        CentrexServer(tmp_path, users=["wanda", "bob"]) as server,
        SipClient("wanda", server) as wanda,
        SipClient("bob", server) as bob,
    ):
        assert wanda.register().status == 200
        lines = [("Event", "reg"), ("Expires", "600"), ("Contact", f"<{wanda.contact}>")]
        answer = wanda.ask("SUBSCRIBE", server.uri("bob"), headers=lines)
        assert answer.status == 200
        first = told(wanda)
        file = tmp_path / "state" / "subscriptions.json"
        until(file.exists)
        server.kill9()
        server.start()
        again = told(wanda)
        assert again.call_id == first.call_id
        assert again.cseq > first.cseq
        assert 'state="full"' in again.body
        assert bob.register().status == 200
        assert bob.contact in told(wanda).body
        server.stop()
        assert "terminated;reason=deactivated" in told(wanda).get("subscription-state")
        assert '"subscriptions": []' in file.read_text(encoding="utf-8")
        server.start()
