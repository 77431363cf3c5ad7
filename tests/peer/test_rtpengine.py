"""Calls whose media Debian's rtpengine relays: shares, fail-over, restarts, with real packets."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.support.relayed_talk import Talk
from tests.support.rtp_ends import RtpEnd
from tests.support.rtpengine_site import Site
from tests.support.sipclient import SipClient
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


def test_a_call_through_rtpengine(tmp_path: Path, stack: ExitStack) -> None:
    site = Site(tmp_path, stack, count=1)
    (rtpengine,) = site.rtpengines
    assert site.states() == ["available"]
    talk = site.talk()
    assert talk.relayed
    assert {place.host for place in talk.places} == {rtpengine.host}
    talk.settle()
    (call,) = control(site.server, "calls")["calls"]
    assert call["relay"] == rtpengine.control

    def streams() -> list[dict[str, Any]]:
        (row,) = site.server.ask("relays", "calls", name=rtpengine.control)["calls"]
        assert row["call_id"] == talk.call.call_id
        talk.hear()
        return list(row["streams"][0])

    until(lambda: all(end["locked"] for end in streams()))  # it takes its time
    for told, end in zip(streams(), talk.ends, strict=True):
        assert told["signalled"] == told["learned"] == f"{end.host}:{end.port}"
        assert told["packets"] >= 8
    code, out, _ = site.server.command("relays", "calls", rtpengine.control)
    assert code == 0
    assert talk.call.call_id in out
    assert site.server.command("relays")[0] == 0
    assert rtpengine.calls == 1
    talk.end()
    until(lambda: rtpengine.calls == 0)
    assert site.sessions() == [0]
    told = control(site.server, "explain", call_id=talk.call.call_id)
    assert any("through the relay rtpengine" in line["text"] for line in told["lines"])
    named = f"the rtpengine at {rtpengine.host}:{rtpengine.port} has it now"
    assert [line["text"] for line in told["lines"]].count(named) == 1


def test_several_share_the_calls_and_one_is_drained(tmp_path: Path, stack: ExitStack) -> None:
    site = Site(tmp_path, stack, count=3)
    talks = [site.talk() for _ in range(18)]
    while not all(site.sessions()) and len(talks) < 80:  # chance makes the Call-IDs
        talks.append(site.talk())
    for talk in talks:
        talk.settle()
    before = site.sessions()
    assert sum(before) == len(talks)
    assert all(count > 0 for count in before), before
    code, out, _ = site.server.command("relays", "drain", site.rtpengines[1].control)
    assert (code, f"{before[1]} go on" in out) == (0, True)
    assert site.states() == ["available", "draining", "available"]
    more = [site.talk() for _ in range(6)]
    assert site.sessions()[1] == before[1]
    for talk in (*talks, *more):
        talk.hear()
        talk.end()
    until(lambda: not sum(one.calls for one in site.rtpengines))


@pytest.mark.parametrize("how", ["killed", "silent"])
def test_another_takes_over_when_one_is_gone(tmp_path: Path, stack: ExitStack, how: str) -> None:
    site = Site(tmp_path, stack, count=2)
    first, second = site.rtpengines
    if how == "killed":
        first.kill()
    else:
        first.pause()
    for _ in range(4):
        talk = site.talk()
        assert talk.places[0].host == second.host
        talk.settle()
        talk.end()
    until(lambda: site.states() == ["gone", "available"])
    until(lambda: "relay.left" in site.server.log_tail())
    if how == "killed":
        first.start()
    else:
        first.resume()
    until(lambda: site.states() == ["available", "available"])


def test_a_restarted_server_finds_its_calls_again(tmp_path: Path, stack: ExitStack) -> None:
    site = Site(tmp_path, stack, count=2)
    talk = site.talk()
    talk.settle()
    site.server.kill9()
    talk.hear()
    site.server.start()
    talk.hear()
    holding = [one for one in site.rtpengines if one.calls]
    assert len(holding) == 1
    again = talk.reinvite()
    assert {place.host for place in again} == {holding[0].host}
    talk.settle()
    talk.end()
    until(lambda: holding[0].calls == 0)


def test_a_call_that_moves_to_another_rtpengine(tmp_path: Path, stack: ExitStack) -> None:
    """The one that carries a call dies; a re-INVITE brings voice back through the other."""
    site = Site(tmp_path, stack, count=2)
    talk = site.talk()
    talk.settle()
    carrying = next(one for one in site.rtpengines if one.calls)
    other = next(one for one in site.rtpengines if one is not carrying)
    carrying.kill()
    assert {place.host for place in talk.reinvite()} == {other.host}
    talk.settle()
    talk.end()
    until(lambda: other.calls == 0)


def test_one_that_was_started_anew_has_no_calls_until_they_offer_again(
    tmp_path: Path, stack: ExitStack
) -> None:
    """Nor does an offer that says nothing new, as it refreshes a session, leave them with the old ports."""
    site = Site(tmp_path, stack, count=1)
    (rtpengine,) = site.rtpengines
    talk = site.talk()
    talk.reinvite()
    talk.settle()
    assert site.sessions() == [1]
    until(lambda: rtpengine.up_s >= 5, timeout=15)  # it tells its age in whole seconds
    rtpengine.kill()
    rtpengine.start()
    until(lambda: site.sessions() == [0])
    (call,) = control(site.server, "calls")["calls"]
    assert call["relay"] == ""
    assert site.server.ask("relays", "calls", name=rtpengine.control)["calls"] == []
    until(lambda: "relay.began-anew" in site.server.log_tail())
    talk.reinvite()
    talk.settle()
    assert (site.sessions(), rtpengine.calls) == ([1], 1)
    talk.end()


def test_none_is_there_and_calls_are_refused(tmp_path: Path, stack: ExitStack) -> None:
    site = Site(tmp_path, stack, count=1, without_relay="refuse")
    site.rtpengines[0].kill()
    call = site.alice.invite("bob")
    call.expect(503)
    code, out, _ = site.server.command("explain", call.call_id, "--json")
    assert code == 0
    assert "no rtpengine answers" in json.loads(out)["headline"]


def test_none_is_there_and_calls_pass(tmp_path: Path, stack: ExitStack) -> None:
    site = Site(tmp_path, stack, count=1)
    site.rtpengines[0].kill()
    talk = site.talk()
    assert not talk.relayed
    talk.end()
    assert control(site.server, "statistics")["media_amiss"]["media-unrelayed"] >= 1


@pytest.mark.parametrize("late", ["183", "200"])
def test_two_phones_of_one_user_answer_at_once(tmp_path: Path, stack: ExitStack, late: str) -> None:
    """Who is first is heard, whatever the other one still says."""
    site = Site(tmp_path, stack, count=1)
    mobile = stack.enter_context(SipClient("bob", site.server))
    assert mobile.register().status == 200
    ends = [
        RtpEnd(phone.link.local[0], stream=n)
        for n, phone in enumerate((site.alice, site.bob, mobile))
    ]
    bodies = [sdp(end.host, end.port) for end in ends]
    call = site.alice.invite("bob", body=bodies[0])
    winner, loser = site.bob.incoming(), mobile.incoming()
    loser.respond(183, body=bodies[2])
    call.expect(183)
    winner.respond(200, body=bodies[1])
    answer = call.answered()
    winner.expect("ACK")
    loser.respond(int(late), body=bodies[2])
    if late == "200":
        loser.expect("ACK")
        loser.ended()
    talk = Talk.standing(call, winner, ends[:2], answer.body)
    talk.settle()
    for end in ends:
        end.close()


@pytest.mark.parametrize("described", [True, False])
def test_one_that_rang_twice_and_the_first_picks_up(
    tmp_path: Path, stack: ExitStack, described: bool
) -> None:
    """A proxy behind us forks: two dialogs on one branch, early media from both."""
    site = Site(tmp_path, stack, count=1)
    ends = [RtpEnd(site.alice.link.local[0], stream=1)]
    ends += [RtpEnd(site.bob.link.local[0], stream=n) for n in (2, 3)]
    bodies = [sdp(end.host, end.port) for end in ends]
    call = site.alice.invite("bob", body=bodies[0])
    incoming = site.bob.incoming()
    mine = incoming.tag
    incoming.respond(183, body=bodies[1])
    early = call.expect(183)
    incoming.tag = "another"
    incoming.respond(183, body=bodies[2])
    call.expect(183)
    incoming.tag = mine
    incoming.respond(200, body=bodies[1] if described else "")
    call.answered()
    incoming.expect("ACK")
    talk = Talk.standing(call, incoming, ends[:2], early.body)
    talk.settle()
    for end in ends:
        end.close()
