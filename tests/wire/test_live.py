"""What the commands tell of a running server: status, registrations, calls, and why something failed."""

from collections.abc import Iterator

import pytest

from tests.support.server import CentrexServer
from tests.support.sipclient import SipClient
from tests.support.wire import connect, hang_up

pytestmark = [pytest.mark.wire, pytest.mark.slow, pytest.mark.timeout(60)]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CentrexServer]:
    with CentrexServer(
        tmp_path_factory.mktemp("server"), users=["alice", "bob", "offline"]
    ) as running:
        yield running


@pytest.fixture
def alice(server: CentrexServer) -> Iterator[SipClient]:
    with SipClient("alice", server) as phone:
        yield phone


@pytest.fixture
def bob(server: CentrexServer) -> Iterator[SipClient]:
    with SipClient("bob", server, transport="tcp") as phone:
        assert phone.register(headers=[("User-Agent", "Bob \x1b[31mPhone")]).status == 200
        yield phone
        assert phone.register(expires=0).status == 200


def test_status_counts_what_happens(
    server: CentrexServer, alice: SipClient, bob: SipClient
) -> None:
    before = server.status()
    assert (before["state"], before["pid"]) == ("running", server.pid)
    assert (before["domain"], before["config_file"]) == (server.domain, str(server.config))
    assert before["auth"] == {"enabled": True, "realm": server.domain, "logins": 3}
    assert before["registrar"]["bindings"] == 1
    call, incoming = connect(alice, bob)
    during = server.status()["statistics"]["calls"]
    assert (during["now"], during["total"]) == (1, before["statistics"]["calls"]["total"] + 1)
    hang_up(call, incoming)
    alice.invite("offline").expect(480)
    after = server.status()["statistics"]
    assert after["calls"]["now"] == 0
    assert after["calls"]["failed"] == before["statistics"]["calls"]["failed"] + 1
    assert after["messages"]["in"] > before["statistics"]["messages"]["in"]
    assert after["challenges"]["sent"] > 0
    code, out, _ = server.command("status")
    assert code == 0
    assert server.domain in out


def test_registrations(server: CentrexServer, bob: SipClient) -> None:
    (row,) = server.registrations()
    assert row["aor"] == server.uri("bob")
    assert row["contact"] == bob.contact
    assert (row["transport"], row["source"]) == ("tcp", bob.sent_by)
    assert 3590 <= row["expires_s"] <= 3600
    assert (row["q"], row["path"], row["call_id"]) == (1.0, [], bob.registration)
    code, out, _ = server.command("registrations")
    assert (code, bob.contact in out, "\x1b" in out) == (0, True, False)
    assert server.ask("registrations", "--aor", server.uri("offline"))["registrations"] == []


def test_a_registration_is_removed(server: CentrexServer, bob: SipClient) -> None:
    assert server.ask("registrations", "remove", server.uri("bob")) == {"removed": 1}
    assert server.registrations() == []
    assert server.command("registrations", "remove", server.uri("bob"))[0] == 1


def test_calls(server: CentrexServer, alice: SipClient, bob: SipClient) -> None:
    call = alice.invite("bob")
    incoming = bob.incoming()
    incoming.respond(180)
    call.expect(180)
    (row,) = server.calls()
    assert (row["id"], row["state"], row["answered_at"]) == (call.call_id, "ringing", None)
    incoming.answer()
    call.answered()
    incoming.expect("ACK")
    (row,) = server.calls()
    assert (row["state"], row["from"], row["to"]) == ("up", alice.aor, server.uri("bob"))
    assert row["caller"] == f"udp {alice.sent_by}"
    assert row["callee"] == f"tcp {bob.sent_by}"
    assert row["started_at"] <= row["answered_at"]
    assert "up" in server.command("calls")[1]
    hang_up(call, incoming)
    assert server.calls() == []


def test_the_log_is_shown_and_followed(server: CentrexServer, bob: SipClient) -> None:
    rows = server.ask("log", "--kind", "registrations")["events"]
    assert rows[-1]["name"] == "registration.added"
    assert rows[-1]["aor"] == server.uri("bob")
    code, out, _ = server.command("log", "-n", "1", "--kind", "registrations")
    assert (code, out.count("\n"), "\x1b" in out) == (0, 1, False)
    assert out.split()[0] == rows[-1]["at"]
    assert "registrations registration.added src=" in out
    assert server.command("log", "--kind", "nonsense")[0] == 2


def test_a_call_is_ended_at_both_phones(
    server: CentrexServer, alice: SipClient, bob: SipClient
) -> None:
    call, _ = connect(alice, bob)
    assert server.ask("calls", "end", call.call_id) == {"ended": True}
    for phone in (alice, bob):
        bye = phone.expect("BYE", call_id=call.call_id)
        assert bye.uri == phone.contact
        assert "operator" in bye.get("reason")
        phone.respond(bye, 200)
    assert server.calls() == []
    assert "the operator ended it" in server.story(call.call_id)


def test_a_call_that_rings_is_ended_at_both_phones(
    server: CentrexServer, alice: SipClient, bob: SipClient
) -> None:
    call = alice.invite("bob")
    incoming = bob.incoming()
    incoming.respond(180)
    call.expect(180)
    assert server.command("calls", "end", call.call_id)[0] == 0
    assert "operator" in call.expect(487).get("reason")
    incoming.cancelled()
    assert server.calls() == []


def test_why_a_registration_failed(server: CentrexServer) -> None:
    with SipClient("alice", server, password="guessed") as phone:
        assert phone.register().status == 403
        told = server.ask("explain", phone.registration)
    assert told["call_id"] == phone.registration
    assert "could not register" in told["headline"]
    assert "wrong password" in told["headline"]
    assert phone.link.local[0] in told["headline"]
    assert any("centrex user passwd alice" in advice for advice in told["advice"])
    assert [line["rule"] for line in told["lines"]].count("challenged") == 1


def test_why_a_login_is_unknown(server: CentrexServer) -> None:
    with SipClient("mallory", server) as phone:
        assert phone.register().status == 403
        story = server.story(phone.registration)
    assert "mallory" in story
    assert "centrex user" in story


def test_why_a_call_failed(server: CentrexServer, alice: SipClient) -> None:
    unknown = alice.invite("nobody")
    unknown.expect(404)
    story = server.story(unknown.call_id)
    assert "nobody" in story
    assert "no such user" in story or "unknown" in story or "no user" in story
    offline = alice.invite("offline")
    offline.expect(480)
    story = server.story(offline.call_id[-12:])  # a part of it is enough
    assert "offline" in story
    assert "register" in story
    code, out, _ = server.command("explain", offline.call_id)
    assert code == 0
    assert "offline" in out


def test_nothing_is_known_of_it(server: CentrexServer, alice: SipClient) -> None:
    call = alice.invite("offline")
    call.expect(480)
    code, _, errors = server.command("explain", "not-there", "--json")
    assert code == 1
    assert call.call_id in errors
    assert "Traceback" not in errors
