"""Reload: every live key takes effect at once, calls and registrations stay, a broken file does nothing."""

import hashlib
import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from centrex import api
from tests.support.server import CentrexServer, password_of
from tests.support.sipclient import Call, Incoming, SipClient
from tests.support.sipmessage import Message, parameter
from tests.support.wire import (
    change,
    connect,
    control,
    flood,
    hang_up,
    lines_since,
    ping,
    reloaded,
    until,
)

pytestmark = [pytest.mark.wire, pytest.mark.timeout(60)]

USERS = ("alice", "bob", "carol", "caller", "callee")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CentrexServer]:
    with CentrexServer(
        tmp_path_factory.mktemp("server"),
        users=USERS,
        overrides={"registrar.recovery_interval": 3600, "registrar.recovery_changes": 100_000},
    ) as running:
        yield running


@pytest.fixture(scope="module", autouse=True)
def long_call(server: CentrexServer) -> Iterator[tuple[Call, Incoming]]:
    """A call that is up while everything else is changed, and hung up at the end."""
    with (
        SipClient("caller", server) as caller,
        SipClient("callee", server, transport="tcp") as callee,
    ):
        assert caller.register().status == callee.register().status == 200
        call, incoming = connect(caller, callee)
        yield call, incoming
        (row,) = control(server, "calls")["calls"]
        assert (row["id"], row["state"]) == (call.call_id, "up")
        hang_up(call, incoming)
        assert control(server, "calls")["calls"] == []


@pytest.fixture
def alice(server: CentrexServer) -> Iterator[SipClient]:
    with SipClient("alice", server) as phone:
        yield phone


def bare(phone: SipClient, method: str = "MESSAGE", user: str = "carol") -> Message:
    """Send a request without credentials."""
    return phone.transact(phone.request(method, phone.server.uri(user)))


def bare_register(phone: SipClient, *headers: tuple[str, str], to: str = "") -> Message:
    uri = f"sip:{phone.server.domain}"
    contact = ("Contact", f"<{phone.contact}>")
    to = to or f"<{phone.aor}>"
    return phone.transact(phone.request("REGISTER", uri, to=to, headers=[contact, *headers]))


def test_nothing_changed_is_said_so(server: CentrexServer) -> None:
    assert server.command("reload") == (0, "nothing has changed\n", "")


def test_a_change_is_told_with_what_it_does(server: CentrexServer) -> None:
    before = server.config.read_text()
    change(server, registrar__max_contacts=3, network__port=5999)
    try:
        answer = server.ask("reload")
    finally:
        server.config.write_text(before)
    told = {one["key"]: (one["old"], one["new"], one["effect"]) for one in answer["changed"]}
    assert told == {
        "registrar.max_contacts": (10, 3, "live"),
        "network.port": (server.port, 5999, "restart"),
    }
    control(server, "reload")


# [auth]


def test_auth_enabled(server: CentrexServer, alice: SipClient) -> None:
    assert bare_register(alice).status == 401
    with reloaded(server, auth__enabled=False):
        assert bare_register(alice, ("Expires", "0")).status == 200
    assert bare_register(alice).status == 401


def test_auth_realm(server: CentrexServer, alice: SipClient) -> None:
    with reloaded(server, auth__realm="elsewhere"):
        assert 'realm="elsewhere"' in bare_register(alice).get("www-authenticate")
        assert alice.register().status == 403  # the passwords are hashed with the other realm
    assert alice.register(expires=0).status == 200


def test_auth_methods(server: CentrexServer, alice: SipClient) -> None:
    assert bare(alice).status == 407
    with reloaded(server, auth__methods=["INVITE", "REGISTER"]):
        assert bare(alice).status == 480
        assert bare(alice, "INVITE").status == 407
        assert bare_register(alice).status == 401
    assert bare(alice).status == 407


def test_auth_algorithms(server: CentrexServer, alice: SipClient) -> None:
    def offered() -> list[str]:
        offers = bare_register(alice).all("www-authenticate")
        return [parameter(";" + offer.replace(",", ";"), "algorithm") for offer in offers]

    assert offered() == ["SHA-256", "MD5"]
    with reloaded(server, auth__algorithms=["MD5"]):
        assert offered() == ["MD5"]
    assert offered() == ["SHA-256", "MD5"]


def test_auth_nonce_life(server: CentrexServer, alice: SipClient) -> None:
    """Nonces outlive a reload, unless their life was changed: then they are stale."""
    uri = server.uri("carol")
    assert alice.credentials.answer(bare(alice), "MESSAGE", uri)

    def again() -> Message:
        header = alice.credentials.again("MESSAGE", uri)
        assert header is not None
        return alice.transact(alice.request("MESSAGE", uri, headers=[header]))

    assert again().status == 480
    with reloaded(server, auth__login_must_match_user=False):
        assert again().status == 480
    with reloaded(server, auth__nonce_life=60):
        answer = again()
        assert answer.status == 407
        assert "stale=true" in answer.get("proxy-authenticate").lower()


def test_auth_login_must_match_user(server: CentrexServer) -> None:
    with SipClient("alice", server) as phone:
        phone.aor = server.uri("bob")
        assert phone.register().status == 403
        with reloaded(server, auth__login_must_match_user=False):
            assert phone.register().status == 200
            assert phone.register(expires=0).status == 200


def test_auth_trusted(server: CentrexServer, alice: SipClient) -> None:
    with reloaded(server, auth__trusted=[f"{alice.link.local[0]}/32"]):
        assert bare(alice).status == 480
    assert bare(alice).status == 407


def test_auth_credentials(server: CentrexServer, alice: SipClient) -> None:
    with SipClient("dora", server) as dora:
        assert dora.register().status == 403
        assert bare(alice, "OPTIONS", "dora").status == 407
        ha1 = hashlib.sha256(f"dora:{server.domain}:{password_of('dora')}".encode()).hexdigest()
        row = {"login": "dora", "ha1_sha256": ha1}
        with reloaded(server, auth__credentials=[row]):
            assert dora.register().status == 200
            assert dora.register(expires=0).status == 200
            assert alice.register().status == 403  # her login is gone
        with reloaded(server, auth__credentials=[{**row, "enabled": False}]):
            assert dora.register().status == 403
        assert dora.register().status == 403
        assert alice.register(expires=0).status == 200


def test_auth_credentials_file(server: CentrexServer, tmp_path: Path) -> None:
    file = tmp_path / "passwords"

    def write(password: str) -> None:
        ha1 = hashlib.sha256(f"emil:{server.domain}:{password}".encode()).hexdigest()
        file.write_text(f"emil:{server.domain}:{ha1}\n")
        file.chmod(0o600)

    write("first")
    with (
        reloaded(server, auth__credentials_file=str(file)),
        SipClient("emil", server, password="first") as before,
        SipClient("emil", server, password="second") as after,
    ):
        assert before.register().status == 200
        assert after.register().status == 403
        write("second")  # the same key, another content: read again all the same
        control(server, "reload")
        assert after.register().status == 200
        assert before.register().status == 403
        assert after.register(expires=0).status == 200


# [registrar]


def test_registrar_name(server: CentrexServer, alice: SipClient) -> None:
    def status(user: str) -> int:
        return ping(alice, server.uri(user)).status

    assert (status("registrar"), status("front")) == (200, 407)
    with reloaded(server, registrar__name="front"):
        assert (status("registrar"), status("front")) == (407, 200)


def granted(phone: SipClient, *headers: tuple[str, str]) -> int:
    """Register with credentials; return the seconds that are granted."""
    answer = phone.ask(
        "REGISTER",
        f"sip:{phone.server.domain}",
        to=f"<{phone.aor}>",
        headers=[("Contact", f"<{phone.contact}>"), *headers],
    )
    assert answer.status == 200
    return int(parameter(answer.get("contact"), "expires"))


def test_registrar_default_expires(server: CentrexServer, alice: SipClient) -> None:
    assert granted(alice) == 3600
    with reloaded(server, registrar__default_expires=120):
        assert granted(alice) == 120


def test_registrar_max_expires(server: CentrexServer, alice: SipClient) -> None:
    with reloaded(server, registrar__max_expires=3700):
        assert granted(alice, ("Expires", "9000")) == 3700
    assert granted(alice, ("Expires", "9000")) == 9000


def test_registrar_min_expires(server: CentrexServer, alice: SipClient) -> None:
    assert alice.register(expires=100).status == 200
    with reloaded(server, registrar__min_expires=300):
        answer = alice.register(expires=100)
        assert (answer.status, answer.get("min-expires")) == (423, "300")
    assert alice.register(expires=0).status == 200


def test_registrar_max_contacts(server: CentrexServer) -> None:
    with SipClient("bob", server) as one, SipClient("bob", server) as other:
        assert one.register().status == 200
        with reloaded(server, registrar__max_contacts=1):
            refused = other.register()
            assert refused.status >= 400
            assert refused.get("warning")
            assert one.register().status == 200
        assert other.register().status == 200
        assert other.register(expires=0, contact="*").status == 200


def test_registrar_recovery_changes(server: CentrexServer, alice: SipClient) -> None:
    with reloaded(server, registrar__recovery_changes=1):
        assert alice.register().status == 200
        until(lambda: alice.sent_by in saved(server))
    assert alice.register(expires=0).status == 200


def test_registrar_recovery_interval(server: CentrexServer, alice: SipClient) -> None:
    assert alice.register().status == 200
    assert alice.sent_by not in saved(server)
    with reloaded(server, registrar__recovery_interval=1):
        until(lambda: alice.sent_by in saved(server))
    assert alice.register(expires=0).status == 200


def saved(server: CentrexServer) -> str:
    """What the recovery file holds."""
    file = server.folder / "state" / "registrations"
    return file.read_text("latin-1") if file.exists() else ""


def test_registrar_case_sensitive_waits_for_a_restart(
    server: CentrexServer, alice: SipClient
) -> None:
    with reloaded(server, registrar__case_sensitive=True) as told:
        assert [one["effect"] for one in told["changed"]] == ["restart"]
        alice.aor = server.uri("ALICE")
        assert alice.register().status == 200
        assert alice.register(expires=0).status == 200


# [events]


def an_event_of(server: CentrexServer, kind: str) -> tuple[str, ...]:
    """Make something of a kind happen; return the names under which it is logged."""
    with SipClient("alice", server) as phone:
        if kind == "registrations":
            assert phone.register().status == phone.register(expires=0).status == 200
            return "registration.added", "registration.removed"
        phone.credentials.password = "wrong"
        assert phone.register().status == 403
        return ("auth.refused",)


@pytest.mark.parametrize("kind", ["registrations", "authentication"])
def test_events_kinds(server: CentrexServer, kind: str) -> None:
    mark = server.log.stat().st_size
    names = an_event_of(server, kind)
    text = "\n".join(lines_since(server, mark))
    assert all(f" {kind} {name} " in text for name in names)
    with reloaded(server, **{f"events__{kind}": False}):
        mark = server.log.stat().st_size
        names = an_event_of(server, kind)
        text = "\n".join(lines_since(server, mark))
        assert not any(name in text for name in names)


def test_events_calls(server: CentrexServer, alice: SipClient) -> None:
    def talk() -> str:
        mark = server.log.stat().st_size
        with SipClient("bob", server) as bob:
            assert bob.register().status == 200
            hang_up(*connect(alice, bob))
            assert bob.register(expires=0).status == 200
        return "\n".join(lines_since(server, mark))

    names = ("call.started", "call.answered", "call.ended")
    text = talk()
    assert [f" calls {name} " in text for name in names] == [False, False, True]
    with reloaded(server, events__level="debug"):
        text = talk()
        assert all(f" calls {name} " in text for name in names)
    with reloaded(server, events__level="notice"):
        text = talk()
        assert not any(f" calls {name} " in text for name in names)
    with reloaded(server, events__calls=False):
        text = talk()
        assert not any(name in text for name in names)
        assert "registration.added" in text


def test_events_routing(server: CentrexServer, alice: SipClient) -> None:
    """Somebody wants to be relayed who has not logged in."""
    for wanted in (True, False):
        with reloaded(server, auth__methods=["REGISTER"], events__routing=wanted):
            mark = server.log.stat().st_size
            assert ping(alice, "sip:x@192.0.2.1").status == 403
            assert ("relay.denied" in "\n".join(lines_since(server, mark))) is wanted


@pytest.mark.slow
def test_events_guard(server: CentrexServer) -> None:
    for wanted in (True, False):
        with (
            reloaded(server, **TIGHT, events__guard=wanted),
            SipClient("alice", server) as phone,
        ):
            mark = server.log.stat().st_size
            flood(phone, 20)
            limited = f"guard.limited src={phone.link.local[0]}"
            if wanted:  # the guard is asked for its events each second
                logged(server, mark, limited)
            else:
                seconds_pass(server)
                assert limited not in "\n".join(lines_since(server, mark))


def logged(server: CentrexServer, mark: int, text: str) -> None:
    until(lambda: text in server.log.read_bytes()[mark:].decode())


def seconds_pass(server: CentrexServer) -> None:
    def uptime() -> float:
        return float(control(server, "status")["uptime_s"])

    began = uptime()
    until(lambda: uptime() - began > 1.2)


def test_events_file_and_format(server: CentrexServer, alice: SipClient, tmp_path: Path) -> None:
    log = tmp_path / "events.json"
    with reloaded(server, events__file=str(log), events__format="json"):
        assert alice.register(expires=0).status == 200
        until(lambda: log.exists() and "server.reloaded" in log.read_text())
        assert alice.register().status == 200
        until(lambda: alice.registration in log.read_text())
    rows = [json.loads(line) for line in log.read_text().splitlines()]
    # what happened just before may have been written late, and so stand there too
    added = next(row for row in rows if row.get("call_id") == alice.registration)
    assert added["event"] == "registration.added"
    assert added["kind"] == "registrations"
    assert added["severity"] == "info"
    assert added["src"] == f"udp {alice.sent_by}"
    assert added["fields"]["aor"] == alice.aor
    assert alice.register(expires=0).status == 200


def test_a_log_is_rotated_by_renaming_it_and_reloading(
    server: CentrexServer, alice: SipClient, tmp_path: Path
) -> None:
    log, old = tmp_path / "events.log", tmp_path / "events.log.1"
    with reloaded(server, events__file=str(log)):
        assert alice.register().status == 200
        until(lambda: log.exists() and "registration.added" in log.read_text())
        log.rename(old)
        os.kill(server.pid, signal.SIGHUP)
        until(lambda: log.exists() and "server.reloaded" in log.read_text())
        assert alice.register(expires=0).status == 200
        until(lambda: "registration.removed" in log.read_text())
        left = f'registration.removed src="udp {alice.sent_by}"'
        assert left in log.read_text()
        assert left not in old.read_text()


# [network.guard]

TIGHT = {
    "network__guard__exempt": [],
    "network__guard__burst": 5,
    "network__guard__requests_per_second": 1,
}


@pytest.mark.slow
def test_guard_exempt_burst_and_rate(server: CentrexServer) -> None:
    with SipClient("alice", server) as phone:
        assert flood(phone, 40)[0] == 40
        for burst in (5, 20):
            with reloaded(server, **{**TIGHT, "network__guard__burst": burst}):
                answered, took_s = flood(phone, 40)
                assert burst <= answered <= burst + took_s + 1
            assert flood(phone, 40)[0] == 40
        fast = {"network__guard__requests_per_second": 1000, "network__guard__burst": 1000}
        with reloaded(server, **{**TIGHT, **fast}):
            assert flood(phone, 40)[0] == 40
        with reloaded(server, **TIGHT, network__guard__enabled=False):
            assert flood(phone, 40)[0] == 40


@pytest.mark.parametrize(("failures", "seconds"), [(2, 100), (4, 7)])
def test_guard_failures_and_ban_seconds(server: CentrexServer, failures: int, seconds: int) -> None:
    with (
        reloaded(
            server,
            network__guard__exempt=[],
            network__guard__auth_failures_per_minute=failures,
            network__guard__ban_seconds=seconds,
        ),
        SipClient("alice", server, password="wrong") as phone,
    ):
        for number in range(failures + 1):
            assert control(server, "bans")["bans"] == [], number
            assert phone.register().status == 403
        (ban,) = control(server, "bans")["bans"]
        assert ban["source"] == phone.link.local[0]
        assert seconds - 5 <= ban["seconds_left"] <= seconds
    assert control(server, "bans")["bans"] == []  # whoever is exempt is not banned


# [network]


def test_network_aliases(server: CentrexServer, alice: SipClient) -> None:
    def status() -> int:
        return bare_register(alice, to="<sip:alice@other.test>").status

    def ours() -> int:
        return ping(alice, "sip:other.test").status

    assert ours() == 407
    with reloaded(server, network__aliases=["other.test"]):
        assert ours() == 200
        assert status() == 401
    assert ours() == 407


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_network_max_message_bytes(server: CentrexServer, transport: str) -> None:
    def status(octets: int) -> int:
        with SipClient("alice", server, transport=transport) as phone:
            data = phone.request("MESSAGE", server.uri("carol"), body="x" * octets)
            return phone.transact(data).status

    assert (status(2_000), status(9_000)) == (407, 513)
    with reloaded(server, network__max_message_bytes=1_500):
        assert (status(1_000), status(2_000)) == (407, 513)
    with reloaded(server, network__max_message_bytes=20_000):
        assert (status(9_000), status(21_000)) == (407, 513)


# what is broken


def test_a_broken_file_changes_nothing_and_all_of_it_is_told(
    server: CentrexServer, alice: SipClient
) -> None:
    before = server.config.read_text()
    change(server, auth__enabled=False, registrar__max_contacs=3, network__guard__burst=0)
    try:
        code, _, errors = server.command("reload")
        assert code == 2
        assert "registrar.max_contacs" in errors
        assert "registrar.max_contacts" in errors  # the nearest name
        assert "network.guard.burst" in errors
        assert "Traceback" not in errors
        with pytest.raises(api.Refused, match=r"network\.guard\.burst"):
            control(server, "reload")
        assert bare_register(alice).status == 401
        mark = server.log.stat().st_size
        os.kill(server.pid, signal.SIGHUP)
        until(lambda: b"server.reload-failed" in server.log.read_bytes()[mark:])
        assert bare_register(alice).status == 401
    finally:
        server.config.write_text(before)
    control(server, "reload")


def test_sighup_reloads(server: CentrexServer, alice: SipClient) -> None:
    before = server.config.read_text()
    change(server, auth__enabled=False)
    os.kill(server.pid, signal.SIGHUP)
    try:
        until(lambda: bare_register(alice, ("Expires", "0")).status == 200)
    finally:
        server.config.write_text(before)
        control(server, "reload")


def test_registrations_and_calls_stay(
    server: CentrexServer, long_call: tuple[Call, Incoming]
) -> None:
    call, incoming = long_call
    with reloaded(server, network__aliases=["other.test"], auth__nonce_life=99):
        users = {row["aor"] for row in control(server, "registrations")["registrations"]}
        assert {server.uri("caller"), server.uri("callee")} <= users
        call.reinvite_sent("v=0\r\n")
        again = incoming.expect("INVITE")
        contact = [("Contact", f"<{incoming.client.contact}>")]
        incoming.client.respond(again, 200, headers=contact, body="v=0\r\n")
        call.answered()
        incoming.expect("ACK")
