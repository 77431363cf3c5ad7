"""One small relay for two proxies: full is full, for calls that are up and for calls that ring."""

from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.ports import free_port
from tests.support.relay_process import SECRET, Relay
from tests.support.relayed_talk import Talk
from tests.support.rtp_ends import RtpEnd
from tests.support.server import CentrexServer
from tests.support.sipclient import SipClient
from tests.support.sipmessage import sdp
from tests.support.wire import control, until

pytestmark = [pytest.mark.wire, pytest.mark.slow, pytest.mark.timeout(90)]


def _rows(server: CentrexServer) -> dict[str, dict[str, object]]:
    return {str(row["name"]): row for row in control(server, "relays")["relays"]}


def _knows(server: CentrexServer, calls: int, others: int) -> None:
    """Wait until a server knows that so many calls are its own, and so many are the other one's."""

    def told() -> bool:
        row = _rows(server)["small"]
        return (row["sessions"], row["others"]) == (calls, others)

    until(told)


def _lends(alice: SipClient, bob: SipClient) -> bool:
    """Try whether a call finds ports: they are lent once both proxies have told what they hold."""
    call = alice.invite("bob", body=sdp("127.0.0.1", 4000))
    for _ in range(200):
        invite = bob.find(lambda one: one.call_id == call.call_id, 0.05)
        if invite is not None:
            bob.respond(invite, 486)
            call.expect(486)
            bob.forget()  # the INVITE may have been repeated
            return True
        refusal = alice.find(lambda one: one.status == 503 and one.call_id == call.call_id, 0.05)
        if refusal is not None:
            call.ack(refusal)
            return False
    raise AssertionError("the call is neither refused nor offered")


def _settings(port: int) -> dict[str, object]:
    return {
        "media.mode": "always",
        "media.embedded": False,
        "media.secret": SECRET,
        "media.control_port": port,
        "media.heartbeat": 300,
        "media.without_relay": "refuse",
    }


def test_two_proxies_fill_a_relay_of_two_calls_and_no_more(tmp_path: Path) -> None:
    """Heartbeats are five minutes apart: what each knows of the other, it is told at once."""
    with ExitStack() as stack:
        servers = []
        for name in ("office", "branch"):
            (tmp_path / name).mkdir()
            settings = _settings(free_port())
            made = CentrexServer(tmp_path / name, users=["alice", "bob"], overrides=settings)
            servers.append((stack.enter_context(made), settings["media.control_port"]))
        (office, first), (branch, second) = servers
        assert isinstance(first, int)
        proxies = [
            {"address": "127.0.0.1", "port": port, "secret": SECRET} for port in (first, second)
        ]
        stack.enter_context(
            Relay(tmp_path, "small", first, more={"proxies": proxies, "max_sessions": 2})
        )
        phones = {
            server: [stack.enter_context(SipClient(user, server)) for user in ("alice", "bob")]
            for server in (office, branch)
        }
        for server in (office, branch):
            assert phones[server][1].register().status == 200
            until(lambda: "small" in _rows(server), timeout=20)  # noqa: B023 - waited for here
        until(lambda: _lends(*phones[office]))
        for server in (office, branch):
            _knows(server, 0, 0)
        talk = Talk(*phones[office])
        _knows(office, 1, 0)
        _knows(branch, 0, 1)
        alice, bob = phones[office]
        end = RtpEnd(alice.link.local[0])
        ringing = alice.invite("bob", body=sdp(end.host, end.port))
        incoming = bob.incoming()
        incoming.respond(180)
        ringing.expect(180)
        _knows(branch, 0, 2)
        refused = phones[branch][0].invite("bob", body=sdp("127.0.0.1", 4000))
        assert refused.expect(503).status == 503
        incoming.respond(200, body=sdp(bob.link.local[0], 40000))
        ringing.answered()
        incoming.expect("ACK")
        _knows(office, 2, 0)
        _knows(branch, 0, 2)
        refused = phones[branch][0].invite("bob", body=sdp("127.0.0.1", 4000))
        assert refused.expect(503).status == 503
        talk.end()
        _knows(branch, 0, 1)
        third = Talk(*phones[branch])
        third.settle()
        _knows(office, 1, 1)
        third.end()
        end.close()
