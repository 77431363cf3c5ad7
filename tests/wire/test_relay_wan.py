"""A relay behind a router whose public address is found, and changes."""

from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest

from tests.support.ports import free_port, loopback
from tests.support.relay_process import SECRET, Relay
from tests.support.relayed_talk import Talk
from tests.support.server import CentrexServer
from tests.support.sipclient import SipClient
from tests.support.stun_server import StunServer
from tests.support.wire import stocked, until

pytestmark = [pytest.mark.wire, pytest.mark.slow, pytest.mark.timeout(90)]


def test_calls_are_told_the_public_address_once_it_is_found_and_follow_it(tmp_path: Path) -> None:
    port = free_port("127.0.0.1")
    overrides = {
        "media.mode": "always",
        "media.embedded": False,
        "media.secret": SECRET,
        "media.control_port": port,
        "media.heartbeat": 1,
    }
    with ExitStack() as stack:
        server = stack.enter_context(
            CentrexServer(tmp_path, users=["alice", "bob"], overrides=overrides)
        )
        stun = stack.enter_context(StunServer(loopback()))
        wan = {"enabled": True, "stun_servers": [stun.place], "interval": 5}
        more = {"advertise": "auto", "wan": wan}
        relay = stack.enter_context(Relay(tmp_path, "far", port, more=more))
        alice, bob = (stack.enter_context(SipClient(user, server)) for user in ("alice", "bob"))
        assert bob.register().status == 200
        until(lambda: "logged in" in relay.log.read_text())

        def places() -> set[str]:
            talk = Talk(alice, bob)
            found = {place.host for place in talk.places}
            relayed = talk.relayed
            talk.end()
            return found if relayed else set()

        def told(address: str) -> bool:
            return f"({address})" in relay.log.read_text()

        assert not places(), "nobody knows its address"
        for address in ("203.0.113.5", "203.0.113.6"):
            stun.address = address
            until(partial(told, address), timeout=20)
            stocked(server, "far")
            assert places() == {address}
