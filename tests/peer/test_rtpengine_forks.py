"""Calls that ring at several phones, through Debian's rtpengine: whoever answers is heard, with real packets."""

from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from tests.support.relayed_talk import Talk
from tests.support.rtp_ends import RtpEnd
from tests.support.rtpengine_site import Site
from tests.support.sipclient import Call, SipClient
from tests.support.sipmessage import sdp
from tests.support.wire import control, until

pytestmark = [
    pytest.mark.peer("rtpengine"),
    pytest.mark.slow,
    pytest.mark.timeout(120),
]


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as opened:
        yield opened


class Forked:
    """A call of Alice's that a proxy before us has forked to Bob and Carol: one Call-ID, tag and CSeq."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.site = Site(folder, stack, count=1)
        (self.rtpengine,) = self.site.rtpengines
        carol = stack.enter_context(SipClient("carol", self.site.server))
        assert carol.register().status == 200
        phones = (self.site.alice, self.site.bob, carol)
        self.ends = [
            stack.enter_context(closing(RtpEnd(phone.link.local[0], stream=n)))
            for n, phone in enumerate(phones, 1)
        ]
        self.bodies = [sdp(end.host, end.port) for end in self.ends]
        first = self.site.alice.invite("bob", body=self.bodies[0])
        second = self._beside(first, "carol")
        self.calls = [first, second]
        self.incoming = [self.site.bob.incoming(), carol.incoming()]

    def _beside(self, first: Call, user: str) -> Call:
        """Send another INVITE of the same call."""
        alice, server = self.site.alice, self.site.server
        call = Call(alice, f"sip:{user}@{server.domain}", headers=(), body=self.bodies[0])
        call.call_id, call.tag, call.to = first.call_id, first.tag, first.to
        call.cseq = first.cseq - 1
        proof = alice.credentials.again("INVITE", call.uri)
        assert proof is not None
        call.send_invite(proof)
        return call

    def answers(self, winner: int) -> Talk:
        """Have one of them pick up; return the call."""
        self.incoming[winner].respond(200, body=self.bodies[1 + winner])
        call = self.calls[winner]
        answer = call.answered()
        self.incoming[winner].expect("ACK")
        ends = [self.ends[0], self.ends[1 + winner]]
        return Talk.standing(call, self.incoming[winner], ends, answer.body)


@pytest.fixture
def forked(tmp_path: Path, stack: ExitStack) -> Forked:
    return Forked(tmp_path, stack)


@pytest.mark.parametrize("winner", [0, 1])
@pytest.mark.parametrize("early", [False, True])
def test_of_a_call_forked_before_us_whoever_answers_is_heard(
    forked: Forked, winner: int, early: bool
) -> None:
    loser = 1 - winner
    for number in (winner, loser):
        status = 183 if early else 180
        forked.incoming[number].respond(status, body=forked.bodies[1 + number] if early else "")
        forked.calls[number].expect(status)
    talk = forked.answers(winner)
    assert talk.relayed
    talk.hear(within=15)
    forked.calls[loser].cancel()
    forked.incoming[loser].cancelled()
    forked.calls[loser].expect(487)
    talk.settle()
    (listed,) = control(forked.site.server, "calls")["calls"]
    assert listed["state"] == "up"
    assert listed["relay"] == forked.rtpengine.control
    assert forked.rtpengine.calls == 1
    talk.reinvite()
    talk.settle()
    talk.end()
    until(lambda: forked.rtpengine.calls == 0)


@pytest.mark.parametrize("loser", [0, 1])
def test_one_that_declines_leaves_the_other(forked: Forked, loser: int) -> None:
    forked.incoming[loser].respond(183, body=forked.bodies[1 + loser])
    forked.calls[loser].expect(183)
    forked.incoming[loser].respond(486)
    forked.calls[loser].expect(486)
    talk = forked.answers(1 - loser)
    assert talk.relayed
    talk.settle()
    talk.end()
    until(lambda: forked.rtpengine.calls == 0)


@pytest.mark.parametrize("winner", [0, 1])
def test_both_answer_and_the_second_is_hung_up(forked: Forked, winner: int) -> None:
    talk = forked.answers(winner)
    second = forked.answers(1 - winner)
    second.call.bye_sent()
    second.incoming.ended()
    talk.settle()
    talk.end()
    until(lambda: forked.rtpengine.calls == 0)


@pytest.mark.parametrize("how", ["early media", "none", "a late offer"])
def test_the_next_phone_is_heard_after_the_first_has_declined(
    tmp_path: Path, stack: ExitStack, how: str
) -> None:
    """Forked by ourselves, one after the other."""
    late = how == "a late offer"
    site = Site(tmp_path, stack, count=1)
    (rtpengine,) = site.rtpengines
    mobile = stack.enter_context(SipClient("bob", site.server))
    assert mobile.register(parameters=";q=0.1").status == 200
    ends = [
        stack.enter_context(closing(RtpEnd(phone.link.local[0], stream=n)))
        for n, phone in enumerate((site.alice, site.bob, mobile), 1)
    ]
    bodies = [sdp(end.host, end.port) for end in ends]
    call = site.alice.invite("bob", body="" if late else bodies[0])
    first = site.bob.incoming()
    if how == "early media":
        first.respond(183, body=bodies[1])
        call.expect(183)
    first.respond(486)
    second = mobile.incoming()
    second.respond(200, body=bodies[2])
    answer = call.expect(200)
    call.ack(body=bodies[0] if late else "")
    ack = second.expect("ACK")
    talk = Talk.standing(call, second, [ends[0], ends[2]], answer.body, ack.body)
    assert talk.relayed
    talk.settle()
    talk.end()
    until(lambda: rtpengine.calls == 0)


@pytest.mark.parametrize("winner", [0, 1])
@pytest.mark.parametrize("how", ["early media", "none", "a late offer"])
def test_of_two_phones_that_ring_at_once_whoever_answers_is_heard(
    tmp_path: Path, stack: ExitStack, how: str, winner: int
) -> None:
    """Forked by ourselves, at once; and it goes on with a re-INVITE."""
    late = how == "a late offer"
    site = Site(tmp_path, stack, count=1)
    (rtpengine,) = site.rtpengines
    mobile = stack.enter_context(SipClient("bob", site.server))
    assert mobile.register().status == 200
    phones = (site.alice, site.bob, mobile)
    ends = [
        stack.enter_context(closing(RtpEnd(phone.link.local[0], stream=n)))
        for n, phone in enumerate(phones, 1)
    ]
    bodies = [sdp(end.host, end.port) for end in ends]
    call = site.alice.invite("bob", body="" if late else bodies[0])
    incoming = [site.bob.incoming(), mobile.incoming()]
    for number, one in enumerate(incoming, 1):
        status = 183 if how == "early media" else 180
        one.respond(status, body=bodies[number] if status == 183 else "")
        call.expect(status)
    won = incoming[winner]
    won.respond(200, body=bodies[1 + winner])
    answer = call.expect(200)
    call.ack(body=bodies[0] if late else "")
    ack = won.expect("ACK")
    incoming[1 - winner].cancelled()
    talk = Talk.standing(call, won, [ends[0], ends[1 + winner]], answer.body, ack.body)
    assert talk.relayed
    talk.settle()
    talk.reinvite()
    talk.settle()
    talk.end()
    until(lambda: rtpengine.calls == 0)
