"""Phones that a running server asks whether they are there, and what it shows of those that are not."""

from collections.abc import Iterator

import pytest

from tests.support.server import CentrexServer, Json
from tests.support.sipclient import SipClient
from tests.support.wire import change, until

pytestmark = [pytest.mark.wire, pytest.mark.slow, pytest.mark.timeout(180)]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CentrexServer]:
    with CentrexServer(
        tmp_path_factory.mktemp("server"),
        users=["alice", "bob"],
        overrides={"network.check_interval": 1, "timeouts.start_response": 1},
    ) as running:
        yield running


class Hidden(SipClient):
    """A phone behind NAT, which believes to have another address than it has."""

    @property
    def sent_by(self) -> str:
        return "10.1.2.3:5060"


def row(server: CentrexServer) -> Json:
    (found,) = [one for one in server.registrations() if "bob" in one["aor"]]
    return found


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_one_that_answers_when_it_is_asked(server: CentrexServer, transport: str) -> None:
    with SipClient("bob", server, transport=transport) as bob:
        assert bob.register().status == 200
        assert row(server)["answers"] is None
        for _ in range(3):
            bob.respond(bob.expect("OPTIONS"), 200)
        until(lambda: row(server)["answers"] is True)
        assert bob.register(expires=0).status == 200


def test_one_that_does_not_is_shown_until_it_speaks(server: CentrexServer) -> None:
    with SipClient("alice", server) as alice, SipClient("bob", server) as bob:
        answer = bob.register()
        assert answer.status == 200
        bob.expect("OPTIONS")
        alice.invite("bob").expect(408, timeout=20)
        shown = row(server)
        assert (shown["answers"], shown["silent_why"]) == (False, "called")
        assert shown["silent_since"].startswith("20")
        code, out, _ = server.command("registrations")
        assert code == 0
        line = next(one for one in out.splitlines() if "bob" in one)
        assert line.split()[-1] == "no"
        assert server.status()["registrar"]["silent"] == 1
        call_id = answer.call_id
        assert "it does not answer when it is called" in server.story(call_id)
        bob.send(b"\r\n\r\n")
        until(lambda: row(server)["answers"] is True)
        assert "answers again" in server.story(call_id)
        assert bob.register(expires=0).status == 200


def test_one_that_never_answers_its_questions(server: CentrexServer) -> None:
    with SipClient("bob", server) as bob:
        assert bob.register().status == 200
        bob.expect("OPTIONS")
        until(lambda: row(server)["answers"] is False, timeout=90)
        assert row(server)["silent_why"] == "asked by OPTIONS"
        assert bob.register().status == 200
        assert row(server)["answers"] is True
        assert bob.register(expires=0).status == 200


def test_keep_alives_by_options_and_by_octets(server: CentrexServer) -> None:
    for method in ("options", "crlf"):
        change(
            server,
            network__keepalive_method=method,
            network__keepalive_interval=3,
            network__check_interval=0,
        )
        assert server.command("reload")[0] == 0
        with Hidden("bob", server) as bob:
            assert bob.register().status == 200
            if method == "options":
                bob.respond(bob.expect("OPTIONS", timeout=20), 200)
                until(lambda: row(server)["answers"] is True)
            else:
                bob.expect_none("OPTIONS", within=4)
            assert bob.register(expires=0).status == 200
