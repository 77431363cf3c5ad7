"""A call that rings at phones of both IP versions, through a real relay: each hears and is heard."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.ports import loopback
from tests.support.relayed_talk import Talk, place_of
from tests.support.relays import offer
from tests.support.rtp_ends import RtpEnd
from tests.support.server import CentrexServer
from tests.support.sipclient import SipClient
from tests.support.wire import Six, control, has_ipv6, stocked, until

pytestmark = [pytest.mark.wire, pytest.mark.slow, pytest.mark.timeout(60)]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CentrexServer]:
    if not has_ipv6():
        pytest.skip("this machine has no IPv6 loopback")
    host = loopback()
    folder: Path = tmp_path_factory.mktemp("server")
    with CentrexServer(
        folder,
        users=["alice", "bob"],
        address=host,
        overrides={
            "network.address": [host, "::1"],
            "network.guard.exempt": ["127.0.0.0/8", "::1"],
            "media.mode": "always",
            "media.heartbeat": 1,
        },
    ) as running:
        stocked(running, "local")
        yield running


@pytest.mark.parametrize("answers", ["desk", "tablet"])
@pytest.mark.parametrize("early", [False, True])
def test_who_answers_is_heard_whatever_its_version(
    server: CentrexServer, answers: str, early: bool
) -> None:
    with (
        SipClient("alice", server) as alice,
        SipClient("bob", server) as desk,
        Six("bob", server) as tablet,
    ):
        for phone in (desk, tablet):
            assert phone.register().status == 200
        ends = {
            "alice": RtpEnd(alice.link.local[0], stream=1),
            "desk": RtpEnd(desk.link.local[0], stream=2),
            "tablet": RtpEnd("::1", stream=3),
        }
        said = {name: offer(end.host, end.port) for name, end in ends.items()}
        call = alice.invite("bob", body=said["alice"])
        invites = {"desk": desk.incoming(), "tablet": tablet.incoming()}
        shown = {name: place_of(one.invite.body).host for name, one in invites.items()}
        assert ":" not in shown["desk"]
        assert ":" in shown["tablet"]
        other = "tablet" if answers == "desk" else "desk"
        for name in (answers, other):
            if early:
                invites[name].respond(183, body=said[name])
            else:
                invites[name].respond(180)
        invites[answers].respond(200, body=said[answers])
        answer = call.answered()
        invites[answers].expect("ACK")
        invites[other].cancelled()
        two = [ends["alice"], ends[answers]]
        talk = Talk.standing(call, invites[answers], two, answer.body)
        talk.settle()
        (told,) = control(server, "relays")["relays"]
        assert told["sessions"] == 1
        talk.end()
        until(lambda: control(server, "relays")["relays"][0]["sessions"] == 0)
        for phone in (desk, tablet):
            assert phone.register(expires=0).status == 200
        ends[other].close()
