"""Offers of both sides at the same time: each is accepted or refused by itself."""

import pytest

from centrex.media.terms import Address, Stream
from tests.support.calling import Phone, Talk
from tests.support.proxy import Proxy
from tests.support.relays import FakeFarm, FakeRelay, line, offer, relayed
from tests.support.rtpengine_asked import FakeRtpengine

SDP = "Content-Type: application/sdp"
ALICE, BOB = "192.0.2.7", "192.0.2.8"
FILM = "m=video 4446 RTP/AVP 96"


class Crossing:
    """A call of two phones that describe themselves anew at once."""

    def __init__(self, slots: int = 1000) -> None:
        self.proxy = Proxy(users=["alice", "bob"])
        self.farm: FakeFarm = relayed(self.proxy, FakeRelay(slots=slots))
        self.alice = Phone(self.proxy, "alice", ALICE)
        self.bob = Phone(self.proxy, "bob", BOB)
        body = offer(ALICE, 4000)
        invite = self.bob.gets(self.alice.calls("bob", body=body, extra=SDP), "INVITE")
        ok = self.alice.gets(self.bob.says(invite, 200, body=offer(BOB, 5000)), "200")
        self.talk = Talk.standing(self.alice, self.bob, invite, ok)

    def alice_offers(self, port: int, *lines: str, method: str = "INVITE") -> bytes:
        body = offer(ALICE, port, *lines)
        return self.bob.gets(self.talk.from_caller(method, body=body, extra=SDP), method)

    def bob_offers(self, port: int, *lines: str, cseq: int = 1, method: str = "INVITE") -> bytes:
        body = offer(BOB, port, *lines)
        sent = self.talk.from_callee(method, body=body, extra=SDP, cseq=cseq)
        return self.alice.gets(sent, method)

    def ports(self, number: int = 0) -> list[int | None]:
        """Return where the relay sends what is for each side: port numbers."""
        stream = self.farm.only.streams[number]
        assert isinstance(stream, Stream)
        return [end.rtp.port if end.rtp is not None else None for end in stream.ends]


@pytest.mark.parametrize("method", ["INVITE", "UPDATE"])
def test_a_pending_offer_outlives_the_refusal_of_another(method: str) -> None:
    """RFC 3261 §14.2, RFC 3311 §5.2: 491 to whoever offers while an offer of the other is pending."""
    call = Crossing()
    hers = call.alice_offers(4444)
    his = call.bob_offers(5555, method=method)
    call.alice.says(his, 491)
    assert call.ports() == [4000, 5000], "nothing was accepted yet"
    call.bob.says(hers, 200, body=offer(BOB, 5000))
    assert call.ports() == [4444, 5000]
    stream = call.farm.only.streams[0]
    assert stream is not None
    assert stream.ends[0].rtp == Address(ALICE, 4444)


def test_so_does_the_one_that_came_second() -> None:
    call = Crossing()
    hers, his = call.alice_offers(4444), call.bob_offers(5555)
    call.bob.says(hers, 491)
    assert call.ports() == [4000, 5000]
    call.alice.says(his, 200, body=offer(ALICE, 4000))
    assert call.ports() == [4000, 5555]


@pytest.mark.parametrize("first", ["hers", "his"])
def test_both_are_refused(first: str) -> None:
    call = Crossing()
    hers, his = call.alice_offers(4444), call.bob_offers(5555)
    if first == "hers":
        call.bob.says(hers, 491)
        call.alice.says(his, 491)
    else:
        call.alice.says(his, 491)
        call.bob.says(hers, 491)
    assert call.ports() == [4000, 5000]
    call.bob.says(call.alice_offers(4446), 200, body=offer(BOB, 5002))
    assert call.ports() == [4446, 5002]


def test_an_offer_accepted_within_another_one_outlives_that() -> None:
    """An UPDATE of who answered a re-INVITE early (RFC 6141 §3.1) is not undone by its refusal."""
    call = Crossing()
    hers = call.alice_offers(4444)
    call.bob.says(hers, 183, body=offer(BOB, 5002))
    assert call.ports() == [4444, 5002]
    his = call.bob_offers(5555, method="UPDATE")
    assert call.ports() == [4444, 5002]
    call.alice.says(his, 200, body=offer(ALICE, 4444))
    assert call.ports() == [4444, 5555]
    call.bob.says(hers, 488)
    assert call.ports() == [4444, 5555]


@pytest.mark.parametrize("early", [False, True], ids=["unanswered", "answered early"])
@pytest.mark.parametrize("status", [200, 488])
def test_an_update_of_the_same_side_that_is_refused_takes_back_itself_alone(
    early: bool, status: int
) -> None:
    """Whoever has a re-INVITE on its way may send an UPDATE within it (RFC 6141 §3.1)."""
    call = Crossing()
    hers = call.alice_offers(4444)
    if early:
        call.bob.says(hers, 183, body=offer(BOB, 5002))
    update = call.alice_offers(4446, method="UPDATE")
    call.bob.says(update, 488)
    assert call.ports() == ([4444, 5002] if early else [4000, 5000])
    told = "" if early and status == 200 else offer(BOB, 5002)
    call.bob.says(hers, status, body=told if status == 200 else "")
    assert call.ports() == ([4444, 5002] if status == 200 else [4000, 5000])
    call.bob.says(call.alice_offers(4448), 200, body=offer(BOB, 5004))
    assert call.ports() == [4448, 5004]


@pytest.mark.parametrize("status", [200, 488])
def test_one_that_is_accepted_holds_whatever_becomes_of_the_re_invite(status: int) -> None:
    """RFC 6141 §3.2: its sender, too, goes on as the UPDATE has left things."""
    call = Crossing()
    hers = call.alice_offers(4444)
    call.bob.says(hers, 183, body=offer(BOB, 5002))
    call.bob.says(call.alice_offers(4446, method="UPDATE"), 200, body=offer(BOB, 5006))
    assert call.ports() == [4446, 5006]
    call.bob.says(hers, status)
    assert call.ports() == [4446, 5006]


def test_a_refused_update_within_it_leaves_what_the_other_side_has_pending() -> None:
    call = Crossing()
    hers = call.alice_offers(4444)
    call.bob.says(hers, 183, body=offer(BOB, 5002))
    his = call.bob_offers(5555, method="UPDATE")
    update = call.alice_offers(4446, method="UPDATE")
    call.bob.says(update, 491)
    call.alice.says(his, 200, body=offer(ALICE, 4444))
    call.bob.says(hers, 200)
    assert call.ports() == [4444, 5555]


def test_lines_of_the_pending_offer_are_those_that_are_answered() -> None:
    """Not those of the one that was refused meanwhile: she offers film, he does not."""
    call = Crossing()
    hers = call.alice_offers(4444, FILM)
    assert call.alice.says(call.bob_offers(5555), 491)
    call.bob.says(hers, 200, body=offer(BOB, 5000, FILM))
    assert call.ports() == [4444, 5000]
    assert call.ports(1) == [4446, 4446]


def test_a_line_that_was_declined_in_it_stays_so() -> None:
    call = Crossing(slots=2)
    hers = call.alice_offers(4444, FILM)
    assert line(hers, 1).port == 0
    call.alice.says(call.bob_offers(5555), 491)
    call.farm.relays[0].left = 2
    ok = call.alice.gets(call.bob.says(hers, 200, body=offer(BOB, 5000, FILM)), "200")
    assert line(ok, 1).port == 0, "it was not offered"


def test_an_acknowledged_early_answer_settles_nothing() -> None:
    """The 200 to a PRACK says nothing of the re-INVITE, which may yet be refused."""
    call = Crossing()
    hers = call.alice_offers(4444)
    call.bob.says(hers, 183, body=offer(BOB, 5002))
    prack = call.bob.gets(call.talk.from_caller("PRACK"), "PRACK")
    call.bob.says(prack, 200)
    assert call.ports() == [4444, 5002]
    call.bob.says(hers, 488)
    assert call.ports() == [4000, 5000]


@pytest.mark.parametrize("late", [False, True])
def test_rtpengine_is_told_again_of_the_offer_that_is_pending(late: bool) -> None:
    """Where the other one was refused; also if that was to come with the answer, and never came."""
    proxy = Proxy(users=["alice", "bob"])
    engine = FakeRtpengine(proxy)
    alice, bob = Phone(proxy, "alice", ALICE), Phone(proxy, "bob", BOB)
    alice.calls("bob", body=offer(ALICE, 4000), extra=SDP)
    invite = bob.gets(engine.answers(), "INVITE")
    bob.says(invite, 200, body=offer(BOB, 5000))
    talk = Talk.standing(alice, bob, invite, alice.gets(engine.answers(), "200"))
    talk.from_caller("INVITE", body=offer(ALICE, 4444), extra=SDP)
    hers = bob.gets(engine.answers(), "INVITE")
    his = talk.from_callee("INVITE", **({} if late else {"body": offer(BOB, 5555), "extra": SDP}))
    theirs = alice.gets(his if late else engine.answers(), "INVITE")
    before = len(engine.told)
    alice.says(theirs, 491)
    engine.answers()
    again = [(ask.fields["command"], ask.fields["sdp"]) for ask in engine.told[before:]]
    stable = [("offer", offer(ALICE, 4000).encode()), ("answer", offer(BOB, 5000).encode())]
    assert again == ([] if late else [*stable, ("offer", offer(ALICE, 4444).encode())])
    bob.says(hers, 200, body=offer(BOB, 5000))
    alice.gets(engine.answers(), "200")
    assert engine.told[-1].fields["command"] == "answer", "though it is what he said before"
    before = len(engine.told)
    talk.from_caller("INVITE", body=offer(ALICE, 4446), extra=SDP)
    bob.says(bob.gets(engine.answers(), "INVITE"), 488)
    engine.answers()
    again = [(ask.fields["command"], ask.fields["sdp"]) for ask in engine.told[before + 1 :]]
    assert again == [("offer", offer(ALICE, 4444).encode()), stable[1]]


@pytest.mark.parametrize("early", [False, True], ids=["unanswered", "answered early"])
def test_rtpengine_is_told_again_of_the_re_invite_whose_update_was_refused(early: bool) -> None:
    proxy = Proxy(users=["alice", "bob"])
    engine = FakeRtpengine(proxy)
    alice, bob = Phone(proxy, "alice", ALICE), Phone(proxy, "bob", BOB)
    alice.calls("bob", body=offer(ALICE, 4000), extra=SDP)
    invite = bob.gets(engine.answers(), "INVITE")
    bob.says(invite, 200, body=offer(BOB, 5000))
    talk = Talk.standing(alice, bob, invite, alice.gets(engine.answers(), "200"))
    talk.from_caller("INVITE", body=offer(ALICE, 4444), extra=SDP)
    hers = bob.gets(engine.answers(), "INVITE")
    if early:
        bob.says(hers, 183, body=offer(BOB, 5002))
        engine.answers()
    talk.from_caller("UPDATE", body=offer(ALICE, 4446), extra=SDP)
    update = bob.gets(engine.answers(), "UPDATE")
    before = len(engine.told)
    bob.says(update, 488)
    engine.answers()
    offers = [ask.fields["sdp"] for ask in engine.told[before:] if ask.fields["command"] == "offer"]
    assert offers[-1] == offer(ALICE, 4444).encode()
    bob.says(hers, 200, body=offer(BOB, 5002))
    engine.answers()
    assert engine.told[-1].fields["command"] == "answer"


@pytest.mark.parametrize("repeated", [False, True])
def test_rtpengine_is_told_of_before_where_a_re_invite_is_refused_that_was_answered_early(
    repeated: bool,
) -> None:
    """What was answered in a 183 holds once it is accepted, whether or not the 200 says it again."""
    proxy = Proxy(users=["alice", "bob"])
    engine = FakeRtpengine(proxy)
    alice, bob = Phone(proxy, "alice", ALICE), Phone(proxy, "bob", BOB)
    alice.calls("bob", body=offer(ALICE, 4000), extra=SDP)
    invite = bob.gets(engine.answers(), "INVITE")
    bob.says(invite, 200, body=offer(BOB, 5000))
    talk = Talk.standing(alice, bob, invite, alice.gets(engine.answers(), "200"))

    def reinvite(port: int) -> bytes:
        talk.from_caller("INVITE", body=offer(ALICE, port), extra=SDP)
        data = bob.gets(engine.answers(), "INVITE")
        bob.says(data, 183, body=offer(BOB, port + 1000))
        engine.answers()
        return data

    def restored(data: bytes) -> list[object]:
        before = len(engine.told)
        bob.says(data, 488)
        engine.answers()
        return [ask.fields["sdp"] for ask in engine.told[before:]]

    assert restored(reinvite(4444)) == [offer(ALICE, 4000).encode(), offer(BOB, 5000).encode()]
    bob.says(reinvite(4446), 200, body=offer(BOB, 5446) if repeated else "")
    engine.answers()
    assert restored(reinvite(4448)) == [offer(ALICE, 4446).encode(), offer(BOB, 5446).encode()]
