"""Forking, repetition and the races of CANCEL, message by message, through a real server."""

import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.support.phones import settle
from tests.support.server import CentrexServer
from tests.support.sipclient import Call, Incoming, SipClient, new_branch, sdp

pytestmark = [pytest.mark.wire, pytest.mark.slow, pytest.mark.timeout(60)]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CentrexServer]:
    with CentrexServer(tmp_path_factory.mktemp("server"), users=["alice", "bob"]) as running:
        yield running


@pytest.fixture(scope="module")
def hasty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CentrexServer]:
    """A server that soon goes on to the next phone."""
    with CentrexServer(
        tmp_path_factory.mktemp("hasty"),
        users=["alice", "bob"],
        overrides={"timeouts.start_response": 1, "timeouts.rollover": 2},
    ) as running:
        yield running


@pytest.fixture
def alice(server: CentrexServer) -> Iterator[SipClient]:
    before = {call["id"] for call in server.calls()}
    with SipClient("alice", server) as phone:
        assert phone.register().status == 200
        yield phone
        phone.register(expires=0)
    settle(lambda: {call["id"] for call in server.calls()} <= before, "no call is left")


@pytest.fixture
def bob(server: CentrexServer) -> Iterator[SipClient]:
    with SipClient("bob", server) as phone:
        assert phone.register().status == 200
        yield phone
        phone.register(expires=0)


@pytest.fixture
def three(server: CentrexServer, request: pytest.FixtureRequest) -> Iterator[list[SipClient]]:
    """Three phones of Bob's; their q values are the test's parameter."""
    with ExitStack() as stack:
        phones = [stack.enter_context(SipClient("bob", server)) for _ in range(3)]
        for phone, q in zip(phones, getattr(request, "param", ("1.0",) * 3), strict=True):
            assert phone.register(parameters=f";q={q}").status == 200
        yield phones
        for phone in phones:
            phone.register(expires=0)


def _talk_and_hang_up(call: Call, leg: Incoming) -> None:
    call.ack()
    leg.expect("ACK")
    _hang_up(call, leg)


def _hang_up(call: Call, leg: Incoming) -> None:
    bye = call.bye_sent()
    leg.ended()
    assert call.final(bye).status == 200


# forking


def test_three_phones_ring_and_the_first_to_answer_gets_the_call(
    alice: SipClient, three: list[SipClient]
) -> None:
    call = alice.invite("bob")
    legs = [phone.incoming() for phone in three]
    assert len({leg.invite.branch for leg in legs}) == 3
    for leg in legs:
        leg.respond(180)
    call.expect(180)
    legs[1].answer()
    call.expect(200)
    for leg in (legs[0], legs[2]):
        leg.cancelled()
    _talk_and_hang_up(call, legs[1])
    alice.expect_none(487, within=0.1)


def test_two_answer_at_once_and_the_caller_hears_of_both(
    alice: SipClient, three: list[SipClient]
) -> None:
    call = alice.invite("bob")
    legs = [phone.incoming() for phone in three]
    legs[2].respond(180)
    legs[0].answer()
    legs[1].answer()
    first = call.expect(200)
    call.ack()
    second = alice.expect(200, call_id=call.call_id)
    tags = {first.get("to").rpartition("tag=")[2], second.get("to").rpartition("tag=")[2]}
    assert tags == {legs[0].tag, legs[1].tag}
    legs[2].cancelled()
    winner, loser = (legs[0], legs[1]) if legs[0].tag in first.get("to") else (legs[1], legs[0])
    winner.expect("ACK")
    _hang_up(call, winner)
    call.enter(second)
    _talk_and_hang_up(call, loser)


def test_one_declines_for_all(alice: SipClient, three: list[SipClient]) -> None:
    call = alice.invite("bob")
    legs = [phone.incoming() for phone in three]
    for leg in legs:
        leg.respond(180)
    legs[0].respond(603)
    legs[0].expect("ACK")
    for leg in legs[1:]:
        leg.cancelled()
    call.expect(603)


def test_the_best_refusal_goes_to_the_caller(alice: SipClient, three: list[SipClient]) -> None:
    call = alice.invite("bob")
    legs = [phone.incoming() for phone in three]
    for leg, status in zip(legs, (500, 486, 500), strict=True):
        leg.respond(180)
        leg.respond(status)
        leg.expect("ACK")
    call.expect(486)


@pytest.mark.parametrize("three", [("0.2", "1.0", "0.6")], indirect=True)
def test_phones_of_different_q_are_tried_in_turn(alice: SipClient, three: list[SipClient]) -> None:
    call = alice.invite("bob")
    last, first, second = three
    leg = first.incoming()
    leg.respond(180)
    second.expect_none("INVITE", within=0.3)
    leg.respond(486)
    leg.expect("ACK")
    leg = second.incoming()
    last.expect_none("INVITE", within=0.1)
    leg.respond(480)
    leg.expect("ACK")
    leg = last.incoming()
    leg.respond(180)
    leg.answer()
    call.expect(200)
    _talk_and_hang_up(call, leg)


def test_a_phone_that_only_rings_gives_way_to_the_next(hasty: CentrexServer) -> None:
    with (
        SipClient("alice", hasty) as alice,
        SipClient("bob", hasty) as desk,
        SipClient("bob", hasty) as mobile,
        SipClient("bob", hasty) as lobby,
    ):
        for phone, q in ((desk, "1.0"), (mobile, "0.5"), (lobby, "0.5")):
            assert phone.register(parameters=f";q={q}").status == 200
        call = alice.invite("bob")
        leg = desk.incoming()
        began = time.monotonic()
        leg.respond(180)
        leg.cancelled()
        assert time.monotonic() - began > 1.5
        legs = [phone.incoming() for phone in (mobile, lobby)]
        legs[1].respond(180)
        legs[0].answer()
        call.expect(200)
        legs[1].cancelled()
        _talk_and_hang_up(call, legs[0])


def test_a_phone_that_says_nothing_gives_way_to_the_next(hasty: CentrexServer) -> None:
    with (
        SipClient("alice", hasty) as alice,
        SipClient("bob", hasty) as dead,
        SipClient("bob", hasty) as living,
    ):
        for phone, q in ((dead, "1.0"), (living, "0.5")):
            assert phone.register(parameters=f";q={q}").status == 200
        began = time.monotonic()
        call = alice.invite("bob")
        dead.incoming()
        leg = living.incoming()
        assert 0.8 < time.monotonic() - began < 4.5, "the usual patience is five seconds"
        leg.answer()
        call.expect(200)
        _talk_and_hang_up(call, leg)


# repetition


def test_a_repeated_invite_reaches_the_callee_once(alice: SipClient, bob: SipClient) -> None:
    call = alice.invite("bob")
    leg = bob.incoming()
    leg.respond(180)
    call.expect(180)
    bob.forget()
    alice.send(call.invite)
    call.expect(180)
    bob.expect_none("INVITE", within=0.2)
    leg.answer()
    call.expect(200)
    _talk_and_hang_up(call, leg)


def test_a_repeated_200_is_passed_on_each_time_and_its_ack_too(
    alice: SipClient, bob: SipClient
) -> None:
    call = alice.invite("bob")
    leg = bob.incoming()
    answer = leg.answer()
    call.expect(200)
    bob.send(answer)
    call.expect(200)
    ack = call.ack()
    leg.expect("ACK")
    alice.send(ack)
    leg.expect("ACK")
    _hang_up(call, leg)


def test_an_ack_is_passed_on_once(alice: SipClient, bob: SipClient) -> None:
    call = alice.invite("bob")
    leg = bob.incoming()
    leg.answer()
    call.expect(200)
    call.ack()
    leg.expect("ACK")
    bob.expect_none("ACK", within=0.8)
    _hang_up(call, leg)


def test_a_repeated_bye_reaches_the_callee_once(alice: SipClient, bob: SipClient) -> None:
    call = alice.invite("bob")
    leg = bob.incoming()
    leg.answer()
    call.expect(200)
    call.ack()
    leg.expect("ACK")
    bye = call.bye_sent()
    leg.ended()
    assert call.final(bye).status == 200
    bob.forget()
    alice.send(bye)
    assert call.final(bye).status == 200
    bob.expect_none("BYE", within=0.2)


def test_a_late_callee_is_asked_again_while_the_caller_waits(
    alice: SipClient, bob: SipClient
) -> None:
    began = time.monotonic()
    call = alice.invite("bob")
    call.expect(100)  # of the server itself: the callee says nothing yet
    first = bob.incoming()
    second, third = bob.expect("INVITE"), bob.expect("INVITE")
    assert second.raw == third.raw == first.invite.raw
    assert time.monotonic() - began > 1.2
    first.respond(180)
    call.expect(180)
    bob.forget()
    bob.expect_none("INVITE", within=3.0)  # the next one would have come two seconds later
    first.answer()
    call.expect(200)
    _talk_and_hang_up(call, first)


def test_a_hold_goes_through_by_the_dialogs_own_way(alice: SipClient, bob: SipClient) -> None:
    call = alice.invite("bob")
    leg = bob.incoming()
    leg.answer()
    call.expect(200)
    call.ack()
    leg.expect("ACK")
    call.reinvite_sent(sdp(alice.link.local[0], direction="sendonly"))
    again = leg.expect("INVITE")
    assert "a=sendonly" in again.body
    bob.respond(
        again,
        200,
        headers=[("Contact", f"<{bob.contact}>")],
        body=sdp(bob.link.local[0], direction="recvonly"),
    )
    assert "a=recvonly" in call.answered().body
    leg.expect("ACK")
    _hang_up(call, leg)


# CANCEL


def test_a_cancel_before_the_callee_says_anything_waits_for_it(
    alice: SipClient, bob: SipClient
) -> None:
    call = alice.invite("bob")
    leg = bob.incoming()
    assert call.cancel().status == 200
    bob.expect_none("CANCEL", within=0.3)
    leg.respond(180)
    leg.cancelled()
    call.expect(487)


def test_a_cancel_right_after_the_invite(alice: SipClient, bob: SipClient) -> None:
    call = alice.invite("bob")
    assert call.cancel().status == 200
    leg = bob.incoming()
    leg.respond(100)
    leg.cancelled()
    call.expect(487)


def test_a_cancel_that_crosses_the_200_does_not_undo_the_call(
    alice: SipClient, bob: SipClient
) -> None:
    call = alice.invite("bob")
    leg = bob.incoming()
    leg.respond(180)
    call.expect(180)
    assert call.cancel().status == 200
    leg.answer()
    call.expect(200)
    cancel = leg.expect("CANCEL")
    bob.respond(cancel, 200, tag=leg.tag)
    alice.expect_none(487, within=0.1)
    _talk_and_hang_up(call, leg)


def test_a_cancel_after_the_200_changes_nothing(alice: SipClient, bob: SipClient) -> None:
    call = alice.invite("bob")
    leg = bob.incoming()
    leg.answer()
    call.expect(200)
    assert call.cancel(forget_tag=True).status in (200, 481)
    bob.expect_none("CANCEL", within=0.2)
    _talk_and_hang_up(call, leg)


def test_a_200_that_comes_after_the_487_is_passed_on(
    alice: SipClient, three: list[SipClient]
) -> None:
    call = alice.invite("bob")
    legs = [phone.incoming() for phone in three]
    legs[0].answer()
    call.expect(200)
    call.ack()
    legs[0].expect("ACK")
    legs[1].respond(180)
    legs[1].cancelled()
    legs[2].answer()
    late = alice.expect(200, call_id=call.call_id)
    assert legs[2].tag in late.get("to")
    _hang_up(call, legs[0])
    call.enter(late)
    _talk_and_hang_up(call, legs[2])


def test_a_cancel_of_nothing_is_answered_481(alice: SipClient) -> None:
    cancel = alice.request("CANCEL", alice.server.uri("bob"), branch=new_branch())
    assert alice.transact(cancel).status == 481
