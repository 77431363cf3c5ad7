"""Whole calls: set-up, answer, hang-up, CANCEL, refusal, as RFC 3261 §16 and §9 have them."""

import pytest

from centrex.base import Transport
from centrex.calls import CallState
from centrex.sip.message import parse
from centrex.sip.names import MAX_FORWARDS, RECORD_ROUTE, ROUTE, VIA
from centrex.trace import Rule
from tests.support.calling import Phone, Talk, find, names, quiet, routes, rules, start, values
from tests.support.proxy import DOMAIN, Proxy, respond


@pytest.fixture
def proxy() -> Proxy:
    return Proxy(users=["alice", "bob", "carol"])


@pytest.fixture
def alice(proxy: Proxy) -> Phone:
    return Phone(proxy, "alice", "192.0.2.7")


@pytest.fixture
def bob(proxy: Proxy) -> Phone:
    return Phone(proxy, "bob", "192.0.2.8")


def test_a_call_is_set_up_and_torn_down(proxy: Proxy, alice: Phone, bob: Phone) -> None:
    sent = alice.calls("bob", body="v=0\r\n")
    assert names(sent) == ["100", "INVITE"]
    assert sent[0][0] is alice.flow
    invite = bob.gets(sent, "INVITE")
    message = parse(invite)
    assert message.uri == bob.contact.encode()
    assert message.body == b"v=0\r\n"
    assert message.value(MAX_FORWARDS) == b"69"
    vias = values(invite, VIA)
    assert vias[0].startswith("SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK")
    assert vias[1].endswith(";rport=5060;received=192.0.2.7")
    (record_route,) = values(invite, RECORD_ROUTE)
    assert record_route.startswith("<sip:192.0.2.1:5060;lr;cx=")

    sent = bob.says(invite, 180, "Ringing")
    ringing = alice.gets(sent, "180")
    assert values(ringing, VIA) == vias[1:]
    (call,) = proxy.core.calls
    assert call.state == CallState.RINGING

    sent = bob.says(invite, 200)
    ok = alice.gets(sent, "200")
    assert values(ok, VIA) == vias[1:]
    assert [call.state for call in proxy.core.calls] == [CallState.UP]

    dialog = {"target": f"sip:bob@{DOMAIN}", "to_tag": "bob", "extra": routes(ok, caller=True)}
    sent = alice.sends("ACK", bob.contact, **dialog)
    ack = parse(bob.gets(sent, "ACK"))
    assert names(sent) == ["ACK"]
    assert ack.uri == bob.contact.encode()
    assert not ack.at[ROUTE]
    assert proxy.advance(4) == [], "an ACK is sent once"

    sent = alice.sends("BYE", bob.contact, cseq=2, **dialog)
    assert names(sent) == ["BYE"]
    bye = bob.gets(sent, "BYE")
    assert not parse(bye).at[RECORD_ROUTE]
    assert alice.gets(bob.says(bye, 200), "200")
    assert not len(proxy.core.calls)
    assert rules(proxy)[-1] in (Rule.ENDED, Rule.TARGET_ANSWERED)
    assert proxy.statistics.calls_failed == 0
    proxy.advance(40)
    assert quiet(proxy)


def test_the_callee_may_hang_up_too(proxy: Proxy, alice: Phone, bob: Phone) -> None:
    talk = Talk(alice, bob)
    bye = alice.gets(talk.from_callee("BYE"), "BYE")
    assert parse(bye).uri == alice.contact.encode()
    assert bob.gets(alice.says(bye, 200), "200")
    assert not len(proxy.core.calls)


def test_a_re_invite_goes_by_the_dialog_and_begins_no_call(
    proxy: Proxy, alice: Phone, bob: Phone
) -> None:
    talk = Talk(alice, bob)
    sent = talk.from_callee("INVITE", extra=f"Contact: <{bob.contact}>")
    assert names(sent) == ["100", "INVITE"]
    invite = alice.gets(sent, "INVITE")
    assert not parse(invite).at[RECORD_ROUTE], "within a dialog it would change nothing (§16.6.4)"
    assert bob.gets(alice.says(invite, 200), "200")
    assert names(talk.from_callee("ACK")) == ["ACK"]
    assert len(proxy.core.calls) == 1
    proxy.advance(200)
    assert len(proxy.core.calls) == 1, "a call that is up has no timer"
    assert not proxy.core.layer.servers


def test_within_a_dialog_silence_lasts_until_timer_b(
    proxy: Proxy, alice: Phone, bob: Phone
) -> None:
    """A 408 ends the call (§12.2.1.2): a few lost seconds must not bring it about."""
    talk = Talk(alice, bob)
    talk.from_caller("ACK")
    talk.from_caller("INVITE", extra=f"Contact: <{alice.contact}>")
    sent = proxy.advance(31.9)
    assert set(names(sent)) == {"INVITE"}
    assert len(sent) == 6
    assert alice.gets(proxy.advance(0.2), "408")
    proxy.advance(400)
    assert not proxy.core.layer.servers
    assert not proxy.core.layer.clients


@pytest.mark.parametrize("status", [302, 404, 480, 486, 488, 600, 603])
def test_a_refusal_goes_back_and_both_acks_stay_hop_by_hop(
    proxy: Proxy, alice: Phone, bob: Phone, status: int
) -> None:
    invite = bob.gets(alice.calls("bob"), "INVITE")
    sent = bob.says(invite, status, "No")
    ack = parse(bob.gets(sent, "ACK"))
    assert ack.value(VIA) == parse(invite).value(VIA)
    refusal = alice.gets(sent, str(status))
    assert b"No" in refusal.split(b"\r\n")[0]
    assert proxy.advance(0.6) == [(alice.flow, refusal)], "timer G"
    assert names(alice.sends("ACK", f"sip:bob@{DOMAIN}", branch="z9hG4bKcall", to_tag="bob")) == []
    assert proxy.advance(40) == []
    assert quiet(proxy)
    assert proxy.statistics.calls_failed == 1


def test_repeated_messages_change_nothing(proxy: Proxy, alice: Phone, bob: Phone) -> None:
    first = alice.write("INVITE", f"sip:bob@{DOMAIN}", extra=f"Contact: <{alice.contact}>")
    invite = bob.gets(proxy.receive(first, alice.flow), "INVITE")
    assert names(proxy.receive(first, alice.flow)) == ["100"]
    ringing = bob.says(invite, 180)
    assert proxy.receive(first, alice.flow) == ringing
    ok = bob.says(invite, 200)
    assert bob.says(invite, 200) == ok, "the callee repeats its 200 until the ACK comes"
    assert proxy.receive(first, alice.flow) == []
    dialog = {"target": f"sip:bob@{DOMAIN}", "to_tag": "bob"}
    extra = routes(alice.gets(ok, "200"), caller=True)
    ack = alice.write("ACK", bob.contact, extra=extra, **dialog)
    for _ in range(2):
        assert names(proxy.receive(ack, alice.flow)) == ["ACK"], "each is passed on (§16.11)"
    bye = alice.write("BYE", bob.contact, cseq=2, extra=extra, **dialog)
    sent = bob.gets(proxy.receive(bye, alice.flow), "BYE")
    assert proxy.receive(bye, alice.flow) == []
    done = bob.says(sent, 200)
    assert names(done) == ["200"]
    assert bob.says(sent, 200) == []
    assert proxy.receive(bye, alice.flow) == done


def test_cancel_before_anything_was_heard_waits_for_a_provisional_response(
    proxy: Proxy, alice: Phone, bob: Phone
) -> None:
    """§9.1: no CANCEL may be sent before the INVITE was heard."""
    invite = bob.gets(alice.calls("bob"), "INVITE")
    assert names(alice.sends("CANCEL", f"sip:bob@{DOMAIN}", branch="z9hG4bKcall")) == ["200"]
    assert set(names(proxy.advance(1))) == {"INVITE"}
    cancel = bob.gets(bob.says(invite, 100), "CANCEL")
    assert parse(cancel).value(VIA) == parse(invite).value(VIA)
    bob.says(cancel, 200)
    sent = bob.says(invite, 487)
    assert names(sent) == ["ACK", "487"]
    alice.sends("ACK", f"sip:bob@{DOMAIN}", branch="z9hG4bKcall", to_tag="bob")
    proxy.advance(100)
    assert quiet(proxy)
    assert Rule.CANCELLED in rules(proxy)


def test_cancel_of_a_target_that_never_speaks_ends_as_487(
    proxy: Proxy, alice: Phone, bob: Phone
) -> None:
    alice.calls("bob")
    alice.sends("CANCEL", f"sip:bob@{DOMAIN}", branch="z9hG4bKcall")
    sent = proxy.advance(6)
    assert "CANCEL" not in names(sent)
    assert sorted(set(names(sent))) == ["487", "INVITE"]
    proxy.advance(100)
    assert quiet(proxy)


def test_cancel_while_it_rings(proxy: Proxy, alice: Phone, bob: Phone) -> None:
    invite = bob.gets(alice.calls("bob"), "INVITE")
    bob.says(invite, 180)
    reason = 'Reason: SIP;cause=600;text="Busy everywhere"'
    sent = alice.sends("CANCEL", f"sip:bob@{DOMAIN}", branch="z9hG4bKcall", extra=reason)
    assert names(sent) == ["200", "CANCEL"]
    cancel = bob.gets(sent, "CANCEL")
    asked, cancelled = parse(invite), parse(cancel)
    assert cancelled.uri == asked.uri
    assert reason.encode() in cancelled.lines
    for name in (b"Via: SIP/2.0/UDP 192.0.2.1", b"From:", b"To:", b"Call-ID:"):
        (mine,) = [line for line in cancelled.lines if line.startswith(name)]
        assert mine in asked.lines
    assert names(bob.says(cancel, 200)) == []
    assert names(bob.says(invite, 487)) == ["ACK", "487"]
    assert names(alice.sends("CANCEL", f"sip:bob@{DOMAIN}", branch="z9hG4bKcall")) == ["200"]


def test_cancel_that_crosses_the_200_does_no_harm(proxy: Proxy, alice: Phone, bob: Phone) -> None:
    invite = bob.gets(alice.calls("bob"), "INVITE")
    bob.says(invite, 180)
    sent = alice.sends("CANCEL", f"sip:bob@{DOMAIN}", branch="z9hG4bKcall")
    assert alice.gets(bob.says(invite, 200), "200"), "the 2xx wins (§16.7)"
    bob.says(bob.gets(sent, "CANCEL"), 200)
    (call,) = proxy.core.calls
    assert call.state is CallState.UP
    proxy.advance(300)
    assert not proxy.core.layer.servers
    assert not proxy.core.layer.clients


def test_cancel_after_the_200_is_answered_and_not_passed_on(alice: Phone, bob: Phone) -> None:
    Talk(alice, bob)
    assert names(alice.sends("CANCEL", f"sip:bob@{DOMAIN}", branch="z9hG4bKcall")) == ["200"]


def test_cancel_of_nothing_is_481(proxy: Proxy, alice: Phone, bob: Phone) -> None:
    assert names(alice.sends("CANCEL", f"sip:bob@{DOMAIN}", branch="z9hG4bKnone")) == ["481"]
    assert Rule.UNKNOWN_DIALOG in rules(proxy)
    alice.sends("OPTIONS", f"sip:bob@{DOMAIN}", branch="z9hG4bKo")
    assert names(alice.sends("CANCEL", f"sip:bob@{DOMAIN}", branch="z9hG4bKo")) == ["481"]


def test_a_cancelled_callee_that_never_ends_is_given_up(
    proxy: Proxy, alice: Phone, bob: Phone
) -> None:
    """§9.1: 64 x T1 after the CANCEL the INVITE counts as cancelled."""
    invite = bob.gets(alice.calls("bob"), "INVITE")
    bob.says(invite, 180)
    sent = alice.sends("CANCEL", f"sip:bob@{DOMAIN}", branch="z9hG4bKcall")
    bob.says(bob.gets(sent, "CANCEL"), 200)
    sent = proxy.advance(40)
    assert names(sent)[0] == "487"
    alice.sends("ACK", f"sip:bob@{DOMAIN}", branch="z9hG4bKcall", to_tag="x")
    proxy.advance(100)
    assert quiet(proxy)


@pytest.mark.parametrize("why", ["answered", "given up"])
def test_who_does_not_obey_a_cancel_is_not_said_to_have_rung_out(
    proxy: Proxy, alice: Phone, bob: Phone, why: str
) -> None:
    other = Phone(proxy, "bob", "192.0.2.18")
    sent = alice.calls("bob")
    for phone in (bob, other):
        phone.says(phone.gets(sent, "INVITE"), 180)
    proxy.advance(100)
    if why == "answered":
        other.says(other.gets(sent, "INVITE"), 200)
    else:
        alice.sends("CANCEL", f"sip:bob@{DOMAIN}", branch="z9hG4bKcall")
        other.says(other.gets(sent, "INVITE"), 487)
    told = names(proxy.advance(20.1))
    assert ("487" in told) == (why == "given up"), "nobody waits longer than the final answer"
    assert Rule.TARGET_RANG_OUT not in rules(proxy)
    assert rules(proxy).count(Rule.TARGET_NOT_STOPPED) == 1


def test_ringing_too_long_is_cancelled_and_answered_480(
    proxy: Proxy, alice: Phone, bob: Phone
) -> None:
    invite = bob.gets(alice.calls("bob"), "INVITE")
    bob.says(invite, 180)
    assert proxy.advance(119.9) == []
    sent = proxy.advance(0.2)
    assert names(sent) == ["CANCEL"]
    cancel = bob.gets(sent, "CANCEL")
    assert b'Reason: SIP;cause=480;text="Rang too long"' in parse(cancel).lines
    sent = proxy.advance(1.1)  # an answer that crosses the CANCEL would win
    assert "480" in names(sent)
    assert Rule.TARGET_RANG_OUT in rules(proxy)
    # it is picked up in that very moment: nobody waits for it any more
    sent = bob.says(invite, 200)
    assert names(sent) == ["ACK", "BYE"]
    bob.says(bob.gets(sent, "BYE"), 200)
    proxy.advance(200)
    assert quiet(proxy)


def test_an_answer_that_crosses_the_cancel_of_the_last_one_wins(
    proxy: Proxy, alice: Phone, bob: Phone
) -> None:
    invite = bob.gets(alice.calls("bob"), "INVITE")
    bob.says(invite, 180)
    sent = proxy.advance(120.1)
    assert names(sent) == ["CANCEL"]
    assert names(bob.says(invite, 200)) == ["200"]
    assert "480" not in names(proxy.advance(30))


def test_who_obeys_the_cancel_ends_the_wait(proxy: Proxy, alice: Phone, bob: Phone) -> None:
    invite = bob.gets(alice.calls("bob"), "INVITE")
    bob.says(invite, 180)
    proxy.advance(120.1)
    sent = bob.says(invite, 487)
    assert alice.gets(sent, "480"), "the caller did not cancel"


def test_silence_is_408_after_the_start_response_time(
    proxy: Proxy, alice: Phone, bob: Phone
) -> None:
    invite = bob.gets(alice.calls("bob"), "INVITE")
    sent = proxy.advance(4.9)
    assert names(sent) == ["INVITE"] * 3
    sent = proxy.advance(0.2)
    assert names(sent) == ["408"]
    assert Rule.TARGET_SILENT in rules(proxy)
    alice.sends("ACK", f"sip:bob@{DOMAIN}", branch="z9hG4bKcall", to_tag="x")
    assert proxy.advance(3) == [], "it is asked no more"
    # it wakes up after all: cancelled at once
    assert names(bob.says(invite, 180)) == ["CANCEL"]
    assert names(bob.says(invite, 487)) == ["ACK"]
    proxy.advance(100)
    assert quiet(proxy)


def test_over_a_connection_silence_is_408_too(proxy: Proxy, alice: Phone) -> None:
    Phone(proxy, "bob", "192.0.2.8", 40001, transport=Transport.TCP)
    assert names(alice.calls("bob")) == ["100", "INVITE"]
    assert names(proxy.advance(5.1)) == ["408"]
    proxy.advance(100)
    assert quiet(proxy)


def test_what_comes_for_nothing_is_dropped_and_counted(
    proxy: Proxy, alice: Phone, bob: Phone
) -> None:
    invite = bob.gets(alice.calls("bob"), "INVITE")
    stray = respond(invite, 200).replace(b"branch=z9hG4bK", b"branch=z9hG4bKx", 1)
    assert proxy.receive(stray, bob.flow) == []
    assert proxy.statistics.drops["stray-response"] == 1
    assert names(alice.sends("ACK", bob.contact, to_tag="b", call_id="none")) == []
    assert proxy.statistics.drops["stray-ack"] == 1


@pytest.mark.parametrize("via", ["", "Via: \n", "Via:\n", "Via: ,\n", "v: SIP/2.0/UDP\n"])
def test_a_response_with_a_broken_via_is_dropped(proxy: Proxy, bob: Phone, via: str) -> None:
    data = f"SIP/2.0 200 OK\n{via}From: <sip:a@b>;tag=1\nTo: <sip:c@d>;tag=2\nCall-ID: x\nCSeq: 1 INVITE\n\n"
    assert proxy.receive(data.replace("\n", "\r\n").encode(), bob.flow) == []
    assert sum(proxy.statistics.drops.values()) == 1


def test_a_response_that_lost_the_callers_via_is_not_passed_on(
    proxy: Proxy, alice: Phone, bob: Phone
) -> None:
    """§16.7 step 3; the caller must not wait for ever because of it."""
    invite = bob.gets(alice.calls("bob"), "INVITE")
    for status in (180, 200):
        lines = respond(invite, status).split(b"\r\n")
        second = [i for i, line in enumerate(lines) if line.startswith(b"Via:")][1]
        del lines[second]
        sent = proxy.receive(b"\r\n".join(lines), bob.flow)
        assert names(sent) == ([] if status == 180 else ["502"])
    assert Rule.TARGET_UNREACHABLE in rules(proxy)
    proxy.advance(300)
    assert quiet(proxy)


def test_vias_in_one_line_are_taken_apart(proxy: Proxy, alice: Phone, bob: Phone) -> None:
    invite = bob.gets(alice.calls("bob"), "INVITE")
    vias = values(invite, VIA)
    lines = [line for line in respond(invite, 180).split(b"\r\n") if not line.startswith(b"Via:")]
    lines.insert(1, b"v: " + ", ".join(vias).encode())
    ringing = alice.gets(proxy.receive(b"\r\n".join(lines), bob.flow), "180")
    assert values(ringing, VIA) == vias[1:]


def test_100_within_no_time_and_never_passed_on(alice: Phone, bob: Phone) -> None:
    sent = alice.calls("bob", extra="Timestamp: 54.5")
    assert start(sent[0][1]) == "100"
    assert b"Timestamp: 54.5" in sent[0][1]
    assert b";tag=" not in sent[0][1].split(b"To:")[1].split(b"\r\n")[0]
    assert bob.says(bob.gets(sent, "INVITE"), 100) == []


def test_an_unknown_method_and_unknown_headers_pass_untouched(alice: Phone, bob: Phone) -> None:
    odd = "X-Odd:  \tspaced  \nSubject : lunch?\nBlah: =?utf-8?q?=C3=A9?="
    sent = alice.sends("TELEPORT", f"sip:bob@{DOMAIN}", extra=odd)
    lines = find(sent, "TELEPORT").split(b"\r\n")
    for line in odd.encode().splitlines():
        assert line in lines
