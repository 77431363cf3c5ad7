"""Which calls rtpengine relays, what it is asked, and that messages wait for it and keep their order."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from centrex.trace import Rule
from tests.support.calling import Phone, Sent, Talk, names, rules, v6
from tests.support.proxy import DOMAIN, Proxy, respond
from tests.support.relays import line, offer
from tests.support.rtpengine_asked import HOST, NAME, FakeRtpengine

SDP = "Content-Type: application/sdp\n"
ALICE, BOB, MOBILE = "192.0.2.7", "192.0.2.8", "192.0.2.9"


@pytest.fixture
def proxy() -> Proxy:
    return Proxy(users=["alice", "bob"])


@pytest.fixture
def engine(proxy: Proxy) -> FakeRtpengine:
    return FakeRtpengine(proxy)


@pytest.fixture
def alice(proxy: Proxy) -> Phone:
    return Phone(proxy, "alice", ALICE)


@pytest.fixture
def bob(proxy: Proxy) -> Phone:
    return Phone(proxy, "bob", BOB)


def call(alice: Phone, *, body: str | None = None, **more: Any) -> Sent:
    text = offer(ALICE, 4000) if body is None else body
    return alice.calls("bob", body=text, extra=SDP if text else "", **more)


def invited(engine: FakeRtpengine, alice: Phone, bob: Phone, **more: Any) -> bytes:
    assert names(call(alice, **more)) == ["100"], "the INVITE waits"
    return bob.gets(engine.answers(), "INVITE")


def answered(engine: FakeRtpengine, alice: Phone, bob: Phone) -> Talk:
    """A call that is up."""
    invite = invited(engine, alice, bob)
    assert not bob.says(invite, 200, body=offer(BOB, 5000)), "the 200 waits"
    talk = Talk.standing(alice, bob, invite, alice.gets(engine.answers(), "200"))
    bob.gets(talk.from_caller("ACK"), "ACK")
    return talk


def fields(engine: FakeRtpengine, number: int = -1) -> dict[str, Any]:
    return dict(engine.told[number].fields)


# what is asked


def test_an_offer_and_its_answer(
    proxy: Proxy, engine: FakeRtpengine, alice: Phone, bob: Phone
) -> None:
    invite = invited(engine, alice, bob)
    assert line(invite).host == HOST
    told = fields(engine)
    assert (told["command"], told["from-tag"], "to-tag" in told) == ("offer", b"a", False)
    assert told["sdp"] == offer(ALICE, 4000).encode()
    assert told["flags"] == ["strict-source", "trust-address"]
    assert told["ICE"] == "remove"
    assert not bob.says(invite, 200, body=offer(BOB, 5000))
    ok = alice.gets(engine.answers(), "200")
    assert line(ok).host == HOST
    answer = fields(engine)
    assert (answer["command"], answer["from-tag"], answer["to-tag"]) == ("answer", b"a", b"bob")
    assert answer["via-branch"] == told["via-branch"]
    assert engine.told[-1].at == NAME
    assert not engine.told[-1].elsewhere, "only who had the offer can take the answer"
    assert engine.media.calls_of(NAME) == [b"call-1"]
    assert Rule.MEDIA_RELAYED in rules(proxy)


def test_an_end_behind_nat_is_believed_only_where_it_came_from(proxy: Proxy) -> None:
    engine = FakeRtpengine(proxy, mode="auto")
    alice = Phone(proxy, "alice", ALICE, behind="10.0.0.5:5060")
    bob = Phone(proxy, "bob", BOB)
    invite = invited(engine, alice, bob, body=offer("10.0.0.5", 4000))
    told = fields(engine)
    assert told["received-from"] == ["IP4", ALICE]
    assert told["flags"] == ["strict-source", "SIP-source-address"]
    bob.says(invite, 200, body=offer(BOB, 5000))
    engine.answers()
    assert "received-from" not in fields(engine)


def test_phones_that_reach_each_other_are_left_alone(proxy: Proxy) -> None:
    engine = FakeRtpengine(proxy, mode="auto")
    alice, bob = Phone(proxy, "alice", ALICE), Phone(proxy, "bob", BOB)
    assert line(bob.gets(call(alice), "INVITE")).host == ALICE
    assert not engine.waiting
    assert Rule.MEDIA_DIRECT in rules(proxy)


def test_switched_off_it_asks_nothing(proxy: Proxy) -> None:
    engine = FakeRtpengine(proxy, mode="never")
    alice, bob = Phone(proxy, "alice", ALICE), Phone(proxy, "bob", BOB)
    bob.gets(call(alice), "INVITE")
    assert not engine.waiting
    assert Rule.MEDIA_DIRECT in rules(proxy)


def test_a_late_offer(engine: FakeRtpengine, alice: Phone, bob: Phone) -> None:
    """The INVITE describes nothing: the 200 offers and the ACK answers (RFC 3261 §13.2.1)."""
    invite = bob.gets(call(alice, body=""), "INVITE")
    assert not bob.says(invite, 200, body=offer(BOB, 5000))
    ok = alice.gets(engine.answers(), "200")
    assert line(ok).host == HOST
    assert (fields(engine)["command"], fields(engine)["from-tag"]) == ("offer", b"bob")
    talk = Talk.standing(alice, bob, invite, ok)
    assert not talk.from_caller("ACK", body=offer(ALICE, 4000), extra=SDP)
    ack = bob.gets(engine.answers(), "ACK")
    assert line(ack).host == HOST
    told = fields(engine)
    assert (told["command"], told["from-tag"], told["to-tag"]) == ("answer", b"bob", b"a")


def test_a_reliable_offer_is_answered_by_prack(
    engine: FakeRtpengine, alice: Phone, bob: Phone
) -> None:
    """RFC 6337 §2.2 pattern 4: the offer in a reliable 183, the answer in its PRACK."""
    invite = bob.gets(call(alice, body=""), "INVITE")
    extra = "Require: 100rel\nRSeq: 1\n"
    assert not bob.says(invite, 183, body=offer(BOB, 5000), extra=extra)
    alice.gets(engine.answers(), "183")
    talk = Talk.standing(alice, bob, invite, _ringing(invite, bob))
    assert "100" not in names(talk.from_caller("PRACK", body=offer(ALICE, 4000), extra=SDP))
    prack = bob.gets(engine.answers(), "PRACK")
    assert line(prack).host == HOST
    assert (fields(engine)["command"], fields(engine)["from-tag"]) == ("answer", b"bob")


def _ringing(invite: bytes, bob: Phone) -> bytes:
    """Return a response as the caller would have it, for its routes and its contact."""
    return respond(invite, 183, to_tag="bob", extra=f"Contact: <{bob.contact}>\n")


@pytest.mark.parametrize("method", ["INVITE", "UPDATE"])
@pytest.mark.parametrize("side", ["caller", "callee"])
def test_offers_within_the_call(
    engine: FakeRtpengine, alice: Phone, bob: Phone, method: str, side: str
) -> None:
    talk = answered(engine, alice, bob)
    mine, other = (alice, bob) if side == "caller" else (bob, alice)
    send = talk.from_caller if side == "caller" else talk.from_callee
    sent = send(method, body=offer(mine.flow.host, 4444), extra=SDP)
    assert method not in names(sent)
    request = other.gets(engine.answers(), method)
    assert line(request).host == HOST
    told = fields(engine)
    tags = (b"a", b"bob") if side == "caller" else (b"bob", b"a")
    assert (told["command"], told["from-tag"], told["to-tag"]) == ("offer", *tags)
    assert engine.told[-1].at == NAME
    assert not other.says(request, 200, body=offer(other.flow.host, 5555))
    assert line(mine.gets(engine.answers(), "200")).host == HOST
    told = fields(engine)
    assert (told["command"], told["from-tag"], told["to-tag"]) == ("answer", *tags)


def test_a_refused_offer_is_taken_back(engine: FakeRtpengine, alice: Phone, bob: Phone) -> None:
    talk = answered(engine, alice, bob)
    talk.from_caller("INVITE", body=offer(ALICE, 4444), extra=SDP)
    request = bob.gets(engine.answers(), "INVITE")
    before = len(engine.told)
    bob.says(request, 488)
    engine.answers()
    again = [(ask.fields["command"], ask.fields["sdp"]) for ask in engine.told[before:]]
    assert again == [("offer", offer(ALICE, 4000).encode()), ("answer", offer(BOB, 5000).encode())]


def test_ipv6_on_the_other_side_is_asked_for(proxy: Proxy, engine: FakeRtpengine) -> None:
    Phone(proxy, "bob", BOB)
    carol = v6(proxy, "2001:db8::7")
    data = Phone(proxy, "alice", ALICE).write(
        "INVITE", f"sip:bob@{DOMAIN}", body=offer("2001:db8::7", 4000), extra=SDP
    )
    proxy.receive(data.replace(ALICE.encode(), b"[2001:db8::7]"), carol)
    (ask,) = engine.waiting
    assert ask.fields["address-family"] == "IP4", "what the callee is to see"


# waiting


def test_what_is_the_same_is_not_asked_again(
    engine: FakeRtpengine, alice: Phone, bob: Phone
) -> None:
    invite = invited(engine, alice, bob)
    bob.says(invite, 183, body=offer(BOB, 5000))
    ringing = alice.gets(engine.answers(), "183")
    ok = alice.gets(bob.says(invite, 200, body=offer(BOB, 5000)), "200")
    assert line(ok).port == line(ringing).port
    assert engine.commands() == ["offer", "answer"]
    alice.gets(bob.says(invite, 200, body=offer(BOB, 5000)), "200")
    assert not engine.waiting


def test_a_200_does_not_overtake_the_183_that_waits(
    engine: FakeRtpengine, alice: Phone, bob: Phone
) -> None:
    invite = invited(engine, alice, bob)
    assert not bob.says(invite, 183, body=offer(BOB, 5000))
    assert not bob.says(invite, 180)
    assert not bob.says(invite, 200, body=offer(BOB, 5002))
    assert not bob.says(invite, 200, body=offer(BOB, 5002)), "a repetition"
    assert names(engine.answers()) == ["183", "180", "200"]
    assert not engine.media._queues
    assert not engine.media._asked


def test_waiting_responses_are_bounded(
    proxy: Proxy, engine: FakeRtpengine, alice: Phone, bob: Phone
) -> None:
    invite = invited(engine, alice, bob)
    for number in range(30):
        assert not bob.says(invite, 183, body=offer(BOB, 5000 + number))
    assert len(engine.answers()) == 8
    assert proxy.statistics.drops["rtpengine-queue-full"] == 22
    assert not proxy.statistics.amiss


def test_a_caller_who_gives_up_while_the_offer_waits(
    proxy: Proxy, engine: FakeRtpengine, alice: Phone, bob: Phone
) -> None:
    call(alice)
    sent = alice.sends("CANCEL", f"sip:bob@{DOMAIN}", branch="z9hG4bKcall")
    assert sorted(names(sent)) == ["200", "487"]
    assert not engine.answers(), "no INVITE leaves any more"
    assert engine.commands()[0] == "offer"
    assert not len(engine.media)


def test_a_caller_who_gives_up_while_the_answer_waits(
    engine: FakeRtpengine, alice: Phone, bob: Phone
) -> None:
    invite = invited(engine, alice, bob)
    bob.says(invite, 180)
    assert not bob.says(invite, 200, body=offer(BOB, 5000))
    sent = alice.sends("CANCEL", f"sip:bob@{DOMAIN}", branch="z9hG4bKcall")
    assert names(sent) == ["200"], "who has answered is not cancelled any more (§9.1)"
    assert line(alice.gets(engine.answers(), "200")).host == HOST


# forks and hunts


def test_each_branch_has_ports_of_its_own(proxy: Proxy, engine: FakeRtpengine) -> None:
    alice = Phone(proxy, "alice", ALICE)
    desk, mobile = Phone(proxy, "bob", BOB), Phone(proxy, "bob", "192.0.2.9")
    assert names(call(alice)) == ["100"]
    sent = engine.answers()
    invites = [desk.gets(sent, "INVITE"), mobile.gets(sent, "INVITE")]
    assert line(invites[0]).port != line(invites[1]).port
    mobile.says(invites[1], 200, body=offer("192.0.2.9", 5000), tag="m")
    sent = engine.answers()
    assert line(alice.gets(sent, "200")).host == HOST
    told = [dict(ask.fields) for ask in engine.told]
    (deleted,) = [one for one in told if one["command"] == "delete"]
    (kept,) = [one for one in told if one["command"] == "answer"]
    offered = {one["via-branch"] for one in told if one["command"] == "offer"}
    assert {deleted["via-branch"], kept["via-branch"]} == offered


@pytest.mark.parametrize("early", [False, True])
def test_the_next_one_who_is_called_is_named_to_it_as_well(
    proxy: Proxy, engine: FakeRtpengine, alice: Phone, bob: Phone, early: bool
) -> None:
    """The offer is the same; but what it has for the first one goes when the next one answers."""
    mobile = Phone(proxy, "bob", MOBILE, params=";q=0.1")
    call(alice)
    invite = bob.gets(engine.answers(), "INVITE")
    if early:
        bob.says(invite, 183, body=offer(BOB, 5000), tag="d")
        engine.answers()
    bob.says(invite, 486, tag="d")
    second = mobile.gets(engine.answers(), "INVITE")
    mobile.says(second, 200, body=offer(MOBILE, 6000), tag="m")
    assert line(alice.gets(engine.answers(), "200")).host == HOST
    told = [dict(ask.fields) for ask in engine.told]
    first, following = (one["via-branch"] for one in told if one["command"] == "offer")
    assert [one["via-branch"] for one in told if one["command"] == "delete"] == [first]
    assert [one for one in told if one["command"] == "answer"][-1]["via-branch"] == following


def _answers(engine: FakeRtpengine) -> list[Any]:
    """Return whose answers were told, in order."""
    return [ask.fields["to-tag"] for ask in engine.told if ask.fields["command"] == "answer"]


@pytest.mark.parametrize("late", [183, 200])
def test_who_answers_first_is_heard_whatever_the_other_still_says(
    proxy: Proxy, engine: FakeRtpengine, alice: Phone, late: int
) -> None:
    desk, mobile = Phone(proxy, "bob", BOB), Phone(proxy, "bob", MOBILE)
    call(alice)
    sent = engine.answers()
    mine, other = desk.gets(sent, "INVITE"), mobile.gets(sent, "INVITE")
    mobile.says(other, 183, body=offer(MOBILE, 6000), tag="m")
    engine.answers()
    desk.says(mine, 200, body=offer(BOB, 5000), tag="d")
    alice.gets(engine.answers(), "200")
    sent = mobile.says(other, late, body=offer(MOBILE, 6002), tag="m")
    assert not engine.answers(), "of the other one nothing is told"
    assert names(sent) == (["ACK", "BYE"] if late == 200 else [])
    assert _answers(engine) == [b"m", b"d"]


def test_one_who_is_late_while_the_first_one_s_answer_waits(
    proxy: Proxy, engine: FakeRtpengine, alice: Phone
) -> None:
    desk, mobile = Phone(proxy, "bob", BOB), Phone(proxy, "bob", MOBILE)
    call(alice)
    sent = engine.answers()
    desk.says(desk.gets(sent, "INVITE"), 200, body=offer(BOB, 5000), tag="d")
    lost = mobile.says(mobile.gets(sent, "INVITE"), 200, body=offer(MOBILE, 6000), tag="m")
    assert names(lost) == ["ACK", "BYE"]
    assert line(alice.gets(engine.answers(), "200")).host == HOST


@pytest.mark.parametrize("described", [True, False])
def test_one_branch_forks_and_the_first_one_picks_up(
    engine: FakeRtpengine, alice: Phone, bob: Phone, described: bool
) -> None:
    """Answers in 183s; the 200 of the first one has the same, or none."""
    invite = invited(engine, alice, bob)
    for tag, host in (("x", BOB), ("y", MOBILE)):
        bob.says(invite, 183, body=offer(host, 5000), tag=tag)
        engine.answers()
    bob.says(invite, 200, body=offer(BOB, 5000) if described else "", tag="x")
    engine.answers()
    assert _answers(engine) == [b"x", b"y", b"x"]


def test_what_one_says_who_did_not_get_the_call_is_not_told(
    engine: FakeRtpengine, alice: Phone, bob: Phone
) -> None:
    talk = answered(engine, alice, bob)
    told = len(engine.told)
    talk.callee = Phone(engine.proxy, "other", BOB, register=False)
    update = bob.gets(talk.from_caller("UPDATE", body=offer(ALICE, 4444), extra=SDP), "UPDATE")
    assert line(update).port == 0
    assert not engine.waiting
    assert len(engine.told) == told


# calls that were not relayed


def test_a_late_offer_decides(proxy: Proxy) -> None:
    engine = FakeRtpengine(proxy, mode="auto")
    alice, bob = Phone(proxy, "alice", ALICE), Phone(proxy, "bob", BOB)
    invite = bob.gets(call(alice, body=""), "INVITE")
    assert Rule.MEDIA_DIRECT not in rules(proxy)
    bob.says(invite, 200, body=offer("phone.invalid", 5000))
    ok = alice.gets(engine.answers(), "200")
    assert line(ok).host == HOST
    talk = Talk.standing(alice, bob, invite, ok)
    talk.from_caller("ACK", body=offer(ALICE, 4000), extra=SDP)
    assert line(bob.gets(engine.answers(), "ACK")).host == HOST
    assert engine.commands() == ["offer", "answer"]


@pytest.mark.parametrize("side", ["caller", "callee"])
def test_who_moves_behind_nat_is_relayed_from_there_on(proxy: Proxy, side: str) -> None:
    engine = FakeRtpengine(proxy, mode="auto")
    alice, bob = Phone(proxy, "alice", ALICE), Phone(proxy, "bob", BOB)
    invite = bob.gets(call(alice), "INVITE")
    ok = alice.gets(bob.says(invite, 200, body=offer(BOB, 5000)), "200")
    talk = Talk.standing(alice, bob, invite, ok)
    mover, other = (alice, bob) if side == "caller" else (bob, alice)
    send = talk.from_caller if side == "caller" else talk.from_callee
    body = offer(mover.flow.host, 4444)
    assert "INVITE" in names(send("INVITE", body=body, extra=SDP)), "it still needs none"
    mover.behind = "10.0.0.5:5060"
    send("INVITE", body=offer("10.0.0.5", 4444), extra=SDP, branch="z9hG4bKmoved")
    again = other.gets(engine.answers(), "INVITE")
    assert line(again).host == HOST
    other.says(again, 200, body=offer(other.flow.host, 5000))
    assert line(mover.gets(engine.answers(), "200")).host == HOST
    tags = (b"a", b"bob") if side == "caller" else (b"bob", b"a")
    assert [(one.fields["from-tag"], one.fields["to-tag"]) for one in engine.told] == [tags, tags]


# the end


@pytest.mark.parametrize("how", ["BYE", "busy", "cancelled"])
def test_ports_are_given_back(
    proxy: Proxy, engine: FakeRtpengine, alice: Phone, bob: Phone, how: str
) -> None:
    if how == "BYE":
        talk = answered(engine, alice, bob)
        bob.says(bob.gets(talk.from_caller("BYE"), "BYE"), 200)
    else:
        invite = invited(engine, alice, bob)
        bob.says(invite, 180)
        if how == "cancelled":
            alice.sends("CANCEL", f"sip:bob@{DOMAIN}", branch="z9hG4bKcall")
        bob.says(invite, 487 if how == "cancelled" else 486)
    engine.answers()
    assert fields(engine)["command"] == "delete"
    assert fields(engine)["call-id"] == b"call-1"
    assert not len(engine.media)


# when it does not answer


@pytest.mark.parametrize("how", ["silent", "failing"])
def test_without_it_calls_pass(
    proxy: Proxy, engine: FakeRtpengine, alice: Phone, bob: Phone, how: str
) -> None:
    engine.silent, engine.failing = how == "silent", "Out of ports" if how == "failing" else ""
    invite = invited(engine, alice, bob)
    assert line(invite).host == ALICE
    ok = alice.gets(bob.says(invite, 200, body=offer(BOB, 5000)), "200")
    assert line(ok).host == BOB
    assert Rule.MEDIA_UNRELAYED in rules(proxy)
    assert not len(engine.media)


def test_without_it_calls_are_refused(proxy: Proxy) -> None:
    engine = FakeRtpengine(proxy, refuse=True)
    engine.silent = True
    alice, _ = Phone(proxy, "alice", ALICE), Phone(proxy, "bob", BOB)
    assert names(call(alice)) == ["100"]
    sent = engine.answers()
    assert names(sent) == ["503"]
    assert b"no rtpengine answers" in alice.gets(sent, "503")


@pytest.mark.parametrize("silent", [True, False])
def test_a_late_offer_is_refused_before_it_is_made(proxy: Proxy, silent: bool) -> None:
    engine = FakeRtpengine(proxy, refuse=True)
    engine.silent = silent
    alice, bob = Phone(proxy, "alice", ALICE), Phone(proxy, "bob", BOB)
    assert names(call(alice, body="")) == ["100"]
    sent = engine.answers()
    assert engine.commands()[0] == "ping"
    if silent:
        assert b"no rtpengine answers" in alice.gets(sent, "503")
        assert not len(engine.media)
    else:
        assert bob.gets(sent, "INVITE")
    assert not engine.media._asked


def test_a_caller_who_gives_up_before_that_is_known(proxy: Proxy) -> None:
    engine = FakeRtpengine(proxy, refuse=True)
    engine.silent = True
    alice, _ = Phone(proxy, "alice", ALICE), Phone(proxy, "bob", BOB)
    call(alice, body="")
    sent = alice.sends("CANCEL", f"sip:bob@{DOMAIN}", branch="z9hG4bKcall")
    assert sorted(names(sent)) == ["200", "487"]
    assert not engine.answers()


def test_a_late_offer_that_cannot_be_translated_is_answered_as_it_was(
    engine: FakeRtpengine, alice: Phone, bob: Phone
) -> None:
    invite = bob.gets(call(alice, body=""), "INVITE")
    engine.failing = "Out of ports"
    bob.says(invite, 200, body=offer(BOB, 5000))
    ok = alice.gets(engine.answers(), "200")
    assert line(ok).host == BOB
    engine.failing = ""
    talk = Talk.standing(alice, bob, invite, ok)
    ack = bob.gets(talk.from_caller("ACK", body=offer(ALICE, 4000), extra=SDP), "ACK")
    assert line(ack).host == ALICE


@pytest.mark.parametrize("refuse", [True, False])
def test_an_offer_within_a_call_that_no_rtpengine_takes(proxy: Proxy, refuse: bool) -> None:
    engine = FakeRtpengine(proxy, refuse=refuse)
    alice, bob = Phone(proxy, "alice", ALICE), Phone(proxy, "bob", BOB)
    talk = answered(engine, alice, bob)
    engine.failing = "Out of ports"
    talk.from_caller("INVITE", body=offer(ALICE, 4444), extra=SDP)
    sent = engine.answers()
    if refuse:
        assert b"Out of ports" in alice.gets(sent, "488")
        assert names(sent) == ["488"]
    else:
        assert line(bob.gets(sent, "INVITE")).host == ALICE
    assert len(engine.media) == 1, "the call stands"


def test_two_phones_and_no_rtpengine_are_one_refusal(proxy: Proxy) -> None:
    engine = FakeRtpengine(proxy, refuse=True)
    engine.silent = True
    alice = Phone(proxy, "alice", ALICE)
    for host in (BOB, MOBILE):
        Phone(proxy, "bob", host)
    call(alice)
    assert names(engine.answers()) == ["503"]
    finals = [one[2] for one in proxy.journal.story(b"call-1") if one[1] is Rule.ANSWERED]
    assert finals == [503]


def test_an_answer_that_cannot_be_translated_declines(
    proxy: Proxy, engine: FakeRtpengine, alice: Phone, bob: Phone
) -> None:
    invite = invited(engine, alice, bob)
    bob.says(invite, 200, body=offer(BOB, 5000))
    engine.failing = "Unknown call-id"
    assert line(alice.gets(engine.answers(), "200")).port == 0
    assert Rule.MEDIA_UNFIT in rules(proxy)


def test_a_call_from_before_a_restart_is_found_again(
    engine: FakeRtpengine, alice: Phone, bob: Phone
) -> None:
    talk = answered(engine, alice, bob)
    later = Proxy(users=["alice", "bob"], run=b"00000001")
    again = FakeRtpengine(later)
    again.knows = {b"call-1"}
    for phone in (alice, bob):
        phone.proxy, phone.flow = later, later.flows.get(phone.flow.host, 5060)
    talk.from_caller("INVITE", body=offer(ALICE, 4444), extra=SDP)
    assert line(bob.gets(again.answers(), "INVITE")).host == HOST
    assert again.commands() == ["query", "offer"]
    bob.says(bob.gets(talk.from_caller("BYE"), "BYE"), 200)
    again.answers()
    assert again.commands()[-1] == "delete"


def test_a_call_from_before_that_is_not_relayed_stays_so(
    engine: FakeRtpengine, alice: Phone, bob: Phone
) -> None:
    talk = answered(engine, alice, bob)
    later = Proxy(users=["alice", "bob"], run=b"00000001")
    again = FakeRtpengine(later)
    for phone in (alice, bob):
        phone.proxy, phone.flow = later, later.flows.get(phone.flow.host, 5060)
    talk.from_caller("INVITE", body=offer(ALICE, 4444), extra=SDP)
    assert line(bob.gets(again.answers(), "INVITE")).host == ALICE
    assert again.commands() == ["query"]


def test_what_waits_behind_an_offer_that_is_not_taken_on_passes_as_it_is() -> None:
    proxy = Proxy(users=["alice", "bob"])
    engine = FakeRtpengine(proxy)
    engine.failing = "out of ports"
    alice, bob = Phone(proxy, "alice", ALICE), Phone(proxy, "bob", BOB)
    invite = bob.gets([*alice.calls("bob"), *engine.answers()], "INVITE")
    bob.says(invite, 183, body=offer(BOB, 5000))
    bob.says(invite, 200, body=offer(BOB, 5000))
    sent = engine.answers()
    assert [line(alice.gets(sent, what)).host for what in ("183", "200")] == [BOB, BOB]
    assert not engine.media._queues


@given(
    st.lists(
        st.sampled_from(["180", "183", "183b", "200", "486", "cancel", "reply", "reply-last"]),
        max_size=12,
    )
)
def test_whatever_comes_first_the_caller_gets_one_final_answer(happens: list[str]) -> None:
    """Replies late, in any order, between responses and a CANCEL: one final response, none after it."""
    proxy = Proxy(users=["alice", "bob"])
    engine = FakeRtpengine(proxy)
    alice, bob = Phone(proxy, "alice", ALICE), Phone(proxy, "bob", BOB)
    sent = [*call(alice), *engine.answers()]
    invite = bob.gets(sent, "INVITE")
    for what in [*happens, "200", "reply"]:
        if what == "cancel":
            sent += alice.sends("CANCEL", f"sip:bob@{DOMAIN}", branch="z9hG4bKcall", cseq=1)
        elif what.startswith("reply"):
            sent += engine.answers(last=what == "reply-last")
        else:
            body = "" if what in ("180", "486") else offer(BOB, 5000 + len(what))
            sent += bob.says(invite, int(what[:3]), body=body)
    sent += engine.answers()
    finals = {
        data
        for to, data in sent
        if to is alice.flow and data[8:11] >= b"200" and b"CSeq: 1 INVITE" in data
    }
    assert len(finals) == 1, names(sent)
    assert not engine.media._queues
    assert not engine.media._asked
