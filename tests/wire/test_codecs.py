"""The codec of a call as an operator sees it: that of the answer, whoever relays."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.server import CentrexServer
from tests.support.sipclient import SipClient
from tests.support.sipmessage import sdp
from tests.support.wire import control

pytestmark = [pytest.mark.wire, pytest.mark.timeout(60)]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[CentrexServer]:
    with CentrexServer(tmp_path, users=("alice", "bob")) as one:
        yield one


def codec(server: CentrexServer) -> str:
    (row,) = control(server, "calls")["calls"]
    return str(row["codec"])


@pytest.mark.slow
@pytest.mark.parametrize("offered", [True, False])
def test_it_is_that_of_the_answer(server: CentrexServer, offered: bool) -> None:
    with SipClient("alice", server) as alice, SipClient("bob", server) as bob:
        bob.register()
        host = alice.link.local[0]
        offer = sdp(host).replace("RTP/AVP 0", "RTP/AVP 0 9 96") + "a=rtpmap:96 opus/48000/2\r\n"
        call = alice.invite("bob", body=offer if offered else "")
        incoming = bob.incoming()
        assert codec(server) == ""
        answer = sdp(host).replace("RTP/AVP 0", "RTP/AVP 96 101")
        answer += "a=rtpmap:101 telephone-event/8000\r\na=rtpmap:96 opus/48000/2\r\n"
        incoming.respond(200, body=answer)
        call.answered()
        # where the 200 is the first to describe media it offers, and the ACK settles it
        assert codec(server) == ("opus" if offered else "")
        code, out, _ = server.command("calls")
        assert code == 0
        assert ("opus" in out) is offered
