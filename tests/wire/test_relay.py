"""Calls whose media go through relays, as an operator has them: real processes, real packets."""

import json
import os
import shutil
import signal
import struct
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.ports import free_port
from tests.support.relay_process import SECRET, Relay
from tests.support.relayed_talk import Load, Talk
from tests.support.rtp_ends import RtpEnd
from tests.support.server import CentrexServer
from tests.support.sipclient import SipClient
from tests.support.sipmessage import sdp
from tests.support.wire import change, control, stocked, until

pytestmark = [pytest.mark.wire, pytest.mark.slow, pytest.mark.timeout(120)]
UNPRIVILEGED = ("setpriv", "--bounding-set=-all", "--inh-caps=-all", "--no-new-privs")
"""Starts a program that may do nothing that not everybody may."""


def relays(server: CentrexServer) -> dict[str, dict[str, object]]:
    return {str(row["name"]): row for row in control(server, "relays")["relays"]}


def elsewhere(port: int) -> dict[str, object]:
    """Return the settings of a server whose relays are started by themselves."""
    return {
        "media.mode": "always",
        "media.embedded": False,
        "media.secret": SECRET,
        "media.control_port": port,
        "media.heartbeat": 1,
    }


@pytest.fixture
def server(tmp_path: Path) -> Iterator[CentrexServer]:
    overrides = {"media.mode": "always", "media.heartbeat": 1}
    with CentrexServer(tmp_path, users=["alice", "bob"], overrides=overrides) as running:
        stocked(running, "local")
        yield running


@pytest.fixture
def phones(server: CentrexServer) -> Iterator[tuple[SipClient, SipClient]]:
    with SipClient("alice", server) as alice, SipClient("bob", server) as bob:
        assert bob.register().status == 200
        yield alice, bob


def test_a_call_through_the_relay_of_the_engine(
    server: CentrexServer, phones: tuple[SipClient, SipClient]
) -> None:
    talk = Talk(*phones)
    assert talk.relayed
    talk.settle()
    report = b"\x81\xc9\x00\x07" + struct.pack("!7I", 2, 1, 9, 0, 40, 0, 0)
    control_end = RtpEnd(talk.ends[0].host, port=talk.ends[0].port + 1)
    control_end.sock.sendto(report, (talk.places[0].host, talk.places[0].port + 1))
    control_end.close()
    assert until(lambda: "9 lost, 5.0 ms" in server.command("relays", "calls", "local")[1])
    (row,) = control(server, "relays")["relays"]
    assert (row["name"], row["state"], row["sessions"]) == ("local", "available", 1)
    (call,) = control(server, "calls")["calls"]
    assert call["relay"] == "local"
    code, out, _ = server.command("relays")
    assert code == 0
    assert "local" in out
    (row,) = server.ask("relays", "calls", name="local")["calls"]
    assert row["call_id"] == talk.call.call_id
    caller, callee = row["streams"][0]
    for told, end in ((caller, talk.ends[0]), (callee, talk.ends[1])):
        assert told["signalled"] == told["learned"] == f"{end.host}:{end.port}"
        assert told["locked"]
    code, out, _ = server.command("relays", "calls", "local")
    assert code == 0
    assert caller["learned"] in out
    assert "ITS REPORT" in out
    assert server.command("relays", "calls", "nobody")[0] == 1
    talk.end()
    assert until(lambda: relays(server)["local"]["sessions"] == 0)
    told = control(server, "explain", call_id=talk.call.call_id)
    assert any("through the relay local" in line["text"] for line in told["lines"])


def test_a_relay_that_is_killed_comes_back_and_calls_go_on(
    server: CentrexServer, phones: tuple[SipClient, SipClient]
) -> None:
    talk = Talk(*phones)
    talk.settle()
    before = server.relay_pid
    os.kill(before, signal.SIGKILL)
    talk.hear(within=15.0)
    until(lambda: server.relay_pid not in (0, before))
    until(lambda: relays(server)["local"]["state"] == "available")
    talk.settle()
    talk.end()
    until(lambda: "relay.died" in server.log_tail())


@pytest.mark.parametrize("how", ["killed", "stopped"])
def test_an_engine_that_comes_back_finds_its_calls_again(
    server: CentrexServer, phones: tuple[SipClient, SipClient], how: str
) -> None:
    """After a crash, or an upgrade: the call goes on, and what is asked of it is done."""
    talk = Talk(*phones)
    talk.settle()
    relay = server.relay_pid
    if how == "killed":
        server.kill9()
    else:
        server.stop()
        assert "relay.stays" in server.log_tail()
    talk.settle()
    server.start()
    assert server.relay_pid == relay
    assert until(lambda: relays(server).get("local", {}).get("sessions") == 1)
    talk.settle()
    talk.end()
    assert until(lambda: relays(server)["local"]["sessions"] == 0)


def test_engine_and_relay_are_killed_together_and_calls_go_on(
    server: CentrexServer, phones: tuple[SipClient, SipClient]
) -> None:
    """Neither is there to tell the other; the relay finds what the one before it has written down."""
    talk, over = Talk(*phones), Talk(*phones)
    talk.settle()
    over.end()
    relay = server.relay_pid
    written = Path(f"/proc/{relay}/cmdline").read_bytes().split(b"\0")
    ledger = Path(written[written.index(b"--lock") + 1].decode()).with_suffix(".calls")
    until(lambda: b'"end"' in ledger.read_bytes())
    os.kill(relay, signal.SIGKILL)
    server.kill9()
    server.start()
    assert until(lambda: relays(server).get("local", {}).get("sessions") == 1)
    assert server.relay_pid != relay
    talk.hear(within=15.0)
    places = talk.places
    assert talk.reinvite() == places, "its ports are the same, for the engine knows it"
    talk.settle()
    talk.end()
    assert until(lambda: relays(server)["local"]["sessions"] == 0)


def test_a_relay_of_a_former_engine_takes_over_new_settings(
    server: CentrexServer, phones: tuple[SipClient, SipClient]
) -> None:
    talk = Talk(*phones)
    talk.settle()
    server.kill9()
    change(server, media__port_range=[22000, 22999])
    server.start()
    assert until(lambda: "relay.renewed" in server.log_tail())
    assert until(lambda: relays(server).get("local", {}).get("sessions") == 1)
    talk.hear(within=15.0)
    assert phones[1].register().status == 200
    other = Talk(*phones)
    assert 22000 <= other.places[0].port < 23000
    for one in (other, talk):
        one.settle()
        one.end()


def test_the_engine_takes_its_relay_along_when_it_is_stopped(server: CentrexServer) -> None:
    assert server.relay_pid
    server.stop()
    assert not server.relay_pid, "it has released its lock"


def test_relays_of_other_machines(tmp_path: Path) -> None:
    """Equal shares; drained; a wrong secret is refused and shown; a restart in place."""
    port = free_port("127.0.0.1")
    overrides = elsewhere(port)
    with ExitStack() as stack:
        server = stack.enter_context(
            CentrexServer(tmp_path, users=["alice", "bob"], overrides=overrides)
        )
        alice, bob = (stack.enter_context(SipClient(user, server)) for user in ("alice", "bob"))
        assert bob.register().status == 200
        lonely = Talk(alice, bob)
        assert not lonely.relayed, "no relay is there"
        lonely.end()
        one, two, three = (
            stack.enter_context(Relay(tmp_path, name, port)) for name in ("one", "two", "three")
        )
        stack.enter_context(Relay(tmp_path, "wrong", port, secret="guessed"))

        def states() -> dict[str, object]:
            return {name: row["state"] for name, row in relays(server).items()}

        everybody = {
            "one": "available",
            "two": "available",
            "three": "available",
            "wrong": "refused",
        }
        until(lambda: states() == everybody, timeout=20)
        wrong = relays(server)["wrong"]
        assert (wrong["why"], wrong["capacity"]) == ("it does not know the secret", None)
        until(lambda: "another secret" in (tmp_path / "wrong.log").read_text())
        stocked(server, "one", "two", "three")
        talks = [Talk(alice, bob) for _ in range(6)]
        for talk in talks:
            assert talk.relayed
            talk.settle()
        assert [relays(server)[name]["sessions"] for name in ("one", "two", "three")] == [2, 2, 2]
        code, out, _ = server.command("relays", "drain", "two")
        assert (code, out.strip()) == (0, "two gets no new calls; 2 go on")
        more = [Talk(alice, bob) for _ in range(4)]
        assert [relays(server)[name]["sessions"] for name in ("one", "two", "three")] == [4, 2, 4]
        for talk in (*talks, *more):
            talk.settle()
        assert states()["two"] == "draining"
        assert server.command("relays", "drain", "two", "--off")[0] == 0
        assert server.command("relays", "drain", "four")[0] == 1
        one.process.send_signal(signal.SIGHUP)
        for talk in talks:
            talk.hear(within=15.0)
        three.process.kill()
        three.process.wait()
        until(lambda: states()["three"] == "gone")
        three.start()
        for talk in talks:
            talk.hear(within=15.0)
        until(lambda: states() == everybody, timeout=20)
        assert server.log_tail(1_000_000).count("relay.refused") == 1, "it tries every five seconds"
        for talk in (*talks, *more):
            talk.end()
        assert two.process.poll() is None
        until(lambda: not any(row["sessions"] for row in relays(server).values()))


def test_one_of_three_is_drained_under_load(tmp_path: Path) -> None:
    """While all calls talk and new ones come: nobody misses a packet, and it is empty in the end."""
    port = free_port("127.0.0.1")
    overrides = elsewhere(port)
    names = ("one", "two", "three")
    with ExitStack() as stack:
        server = stack.enter_context(
            CentrexServer(tmp_path, users=["alice", "bob"], overrides=overrides)
        )
        alice, bob = (stack.enter_context(SipClient(user, server)) for user in ("alice", "bob"))
        assert bob.register().status == 200
        for name in names:
            stack.enter_context(Relay(tmp_path, name, port))

        def sessions() -> list[object]:
            held = relays(server)
            return [held[name]["sessions"] for name in names]

        assert until(
            lambda: [row["state"] for row in relays(server).values()] == ["available"] * 3,
            timeout=20,
        )
        stocked(server, *names)
        talks = [Talk(alice, bob) for _ in range(9)]
        for talk in talks:
            talk.settle()
        assert sessions() == [3, 3, 3]
        carried = {row["call_id"] for row in server.ask("relays", "calls", name="two")["calls"]}
        theirs = [talk for talk in talks if talk.call.call_id in carried]
        assert len(theirs) == 3
        with Load(talks) as load:
            assert server.command("relays", "drain", "two")[0] == 0
            later = [Talk(alice, bob) for _ in range(6)]
            until(lambda: load.sent > 9 * 2 * 40)
        assert load.lost() == 0
        assert sessions() == [6, 3, 6]
        for talk in theirs:
            talk.end()
        assert until(lambda: sessions() == [6, 0, 6])
        for talk in later:
            talk.settle()
        for talk in (*later, *(talk for talk in talks if talk not in theirs)):
            talk.end()


@pytest.mark.skipif(
    os.geteuid() == 0 and shutil.which("setpriv") is None, reason="setpriv (util-linux) is missing"
)
def test_a_relay_without_privileges_carries_calls_and_says_how(tmp_path: Path) -> None:
    port = free_port("127.0.0.1")
    overrides = {
        "media.mode": "always",
        "media.embedded": False,
        "media.secret": SECRET,
        "media.control_port": port,
        "media.heartbeat": 1,
    }
    through = UNPRIVILEGED if os.geteuid() == 0 else ()
    with (
        CentrexServer(tmp_path, users=["alice", "bob"], overrides=overrides) as server,
        SipClient("alice", server) as alice,
        SipClient("bob", server) as bob,
        Relay(tmp_path, "plain", port, through=through) as relay,
    ):
        assert bob.register().status == 200
        assert until(
            lambda: relays(server).get("plain", {}).get("state") == "available", timeout=15
        )
        status = Path(f"/proc/{relay.process.pid}/status").read_text()
        assert "CapEff:\t0000000000000000" in status, "the test itself has failed to take them away"
        row = relays(server)["plain"]
        assert row["path"] == "userspace"
        assert "eBPF: no right" in str(row["path_why"])
        assert "nf_tables: the right" in str(row["path_why"])
        code, out, _ = server.command("relays")
        assert code == 0
        assert "userspace" in out
        assert until(lambda: 'path=userspace why="eBPF: no right' in server.log_tail())
        stocked(server, "plain")
        talk = Talk(alice, bob)
        assert talk.relayed
        talk.settle()
        (call,) = server.ask("relays", "calls", name="plain")["calls"]
        assert not any(end["kernel"] for end in call["streams"][0])
        talk.end()


def test_relaying_can_be_switched_on_while_the_engine_runs(tmp_path: Path) -> None:
    with CentrexServer(tmp_path, users=["alice", "bob"]) as server:
        assert not server.relay_pid
        with SipClient("alice", server) as alice, SipClient("bob", server) as bob:
            assert bob.register().status == 200
            change(server, media={"mode": "always", "heartbeat": 1})
            assert server.command("reload")[0] == 0
            stocked(server, "local")
            talk = Talk(alice, bob)
            assert talk.relayed
            talk.settle()
            talk.end()
            change(server, media={"mode": "never"})
            assert server.command("reload")[0] == 0
            talk = Talk(alice, bob)
            assert not talk.relayed
            talk.end()


@pytest.mark.parametrize("late", [183, 200])
def test_two_phones_of_one_user_answer_at_once(
    server: CentrexServer, phones: tuple[SipClient, SipClient], late: int
) -> None:
    """Who is first is heard, whatever the other one still says."""
    alice, bob = phones
    with SipClient("bob", server) as mobile:
        assert mobile.register().status == 200
        ends = [
            RtpEnd(phone.link.local[0], stream=n) for n, phone in enumerate((alice, bob, mobile))
        ]
        bodies = [sdp(end.host, end.port) for end in ends]
        call = alice.invite("bob", body=bodies[0])
        winner, loser = bob.incoming(), mobile.incoming()
        winner.respond(200, body=bodies[1])
        answer = call.answered()
        winner.expect("ACK")
        loser.respond(late, body=bodies[2])
        if late == 200:
            loser.expect("ACK")
            loser.ended()
        Talk.standing(call, winner, ends[:2], answer.body).settle()
        for end in ends:
            end.close()


@pytest.mark.parametrize("refuse", [True, False])
def test_voice_goes_on_where_video_finds_no_port(tmp_path: Path, refuse: bool) -> None:
    overrides = {
        "media.mode": "always",
        "media.port_range": [40000, 40003],
        "media.without_relay": "refuse" if refuse else "pass",
    }
    film = "m=video 40100 RTP/AVP 99\r\n"
    with (
        CentrexServer(tmp_path, users=["alice", "bob"], overrides=overrides) as server,
        SipClient("alice", server) as alice,
        SipClient("bob", server) as bob,
    ):
        assert bob.register().status == 200
        until(lambda: relays(server).get("local", {}).get("state") == "available")
        talk = Talk(alice, bob)
        assert talk.relayed
        talk.settle()
        talk.call.reinvite_sent(sdp(talk.ends[0].host, talk.ends[0].port) + film)
        if refuse:
            talk.call.expect(488)
        else:
            again = talk.incoming.expect("INVITE")
            assert "m=video 0 RTP/AVP 99" in again.body
            body = sdp(talk.ends[1].host, talk.ends[1].port) + film
            lines = [("Contact", f"<{bob.contact}>")]
            bob.respond(again, 200, body=body, headers=lines)
            assert "m=video 0 RTP/AVP 99" in talk.call.answered().body
            talk.incoming.expect("ACK")
        talk.hear(within=15.0)
        talk.end()


def test_no_relay_and_calls_are_refused(tmp_path: Path) -> None:
    overrides = {"media.mode": "always", "media.embedded": False, "media.without_relay": "refuse"}
    with (
        CentrexServer(tmp_path, users=["alice", "bob"], overrides=overrides) as server,
        SipClient("alice", server) as alice,
        SipClient("bob", server) as bob,
    ):
        assert bob.register().status == 200
        call = alice.invite("bob")
        call.expect(503)
        code, out, _ = server.command("explain", call.call_id, "--json")
        assert code == 0
        assert "no media relay is available" in json.loads(out)["headline"]


def test_a_relay_that_cannot_start_says_why(tmp_path: Path) -> None:
    for address, words in (("192.0.2.77", "no port at 192.0.2.77"), ("here", "address")):
        relay = Relay(tmp_path, f"r{words[:2]}", 1, host=address)
        assert relay.process.wait(10) in (1, 2)
        assert words in relay.log.read_text()


@pytest.mark.parametrize("more", [{}, {"max_sessions": 100}])
def test_fewer_ports_than_wanted_are_told_where_a_number_was_wanted(
    tmp_path: Path, more: dict[str, int]
) -> None:
    """Nobody who left it to the relay need raise, or lower, a number that he never wrote."""
    few = {"port_range": [31000, 31099], **more}
    with Relay(tmp_path, "few", free_port("127.0.0.1"), more=few) as relay:
        assert until(lambda: "cannot be reached" in relay.log.read_text())
        assert ("are enough for 25 calls" in relay.log.read_text()) is bool(more)


def test_a_relay_is_started_anew_only_if_it_could_begin(tmp_path: Path) -> None:
    """Its file is read first; whoever waited for it to be ready is not told again."""
    with CentrexServer(
        tmp_path,
        users=["alice", "bob"],
        overrides={
            "media.mode": "always",
            "media.embedded": False,
            "media.secret": SECRET,
            "media.control_port": (port := free_port("127.0.0.1")),
            "media.heartbeat": 1,
        },
    ) as server:
        relay = Relay(tmp_path, "one", port)
        relay.process.terminate()
        relay.process.wait(10)
        read, write = os.pipe()
        relay.start("--ready-fd", str(write), pass_fds=[write])
        os.close(write)
        with relay, SipClient("alice", server) as alice, SipClient("bob", server) as bob:
            assert os.read(read, 100) == b"ready\n"
            os.close(read)
            assert bob.register().status == 200
            stocked(server, "one")
            talk = Talk(alice, bob)
            assert talk.relayed
            talk.settle()
            good = relay.file.read_text()
            relay.file.write_text(f'max_sesions = 77\nsilence_timeout = "long"\n{good}')
            relay.process.send_signal(signal.SIGHUP)
            assert until(lambda: "it goes on as before" in relay.log.read_text())
            said = relay.log.read_text()
            assert "max_sesions: unknown key (did you mean max_sessions?)" in said
            assert "silence_timeout: must be a whole number" in said
            talk.hear()
            assert relays(server)["one"]["capacity"] == 3000
            relay.file.write_text(f"max_sessions = 9000\n{good}")
            relay.process.send_signal(signal.SIGHUP)
            assert until(lambda: relays(server)["one"]["capacity"] == 4500, timeout=20)
            said = relay.log.read_text()
            assert said.count("are enough for 4500 calls: it takes no more") == 1
            assert relay.process.poll() is None
            talk.hear(within=15.0)
            talk.end()
