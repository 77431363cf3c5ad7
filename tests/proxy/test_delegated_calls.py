"""Calls that rtpengine carries: by which instance, and what of that holds when one goes or begins anew."""

import pytest

from centrex.proxy.carried import Delegated
from centrex.proxy.delegated_calls import DelegatedCalls
from centrex.trace import Rule
from tests.support.calling import Phone, Talk, rules
from tests.support.proxy import Proxy
from tests.support.relays import line, offer
from tests.support.rtpengine_asked import HOST, NAME, FakeRtpengine

SDP = "Content-Type: application/sdp\n"
ALICE, BOB = "192.0.2.7", "192.0.2.8"
OTHER = "udp:192.0.2.101:2223"


@pytest.fixture
def proxy() -> Proxy:
    return Proxy(users=["alice", "bob"])


@pytest.fixture
def engine(proxy: Proxy) -> FakeRtpengine:
    return FakeRtpengine(proxy)


def answered(proxy: Proxy, engine: FakeRtpengine) -> Talk:
    alice, bob = Phone(proxy, "alice", ALICE), Phone(proxy, "bob", BOB)
    sent = alice.calls("bob", body=offer(ALICE, 4000), extra=SDP)
    invite = bob.gets([*sent, *engine.answers()], "INVITE")
    bob.says(invite, 200, body=offer(BOB, 5000))
    return Talk.standing(alice, bob, invite, alice.gets(engine.answers(), "200"))


def refresh(talk: Talk, engine: FakeRtpengine) -> bytes:
    """Have the caller offer what it has offered before; return what the callee gets."""
    sent = talk.from_caller("INVITE", body=offer(ALICE, 4000), extra=SDP)
    data = talk.callee.gets([*sent, *engine.answers()], "INVITE")
    talk.callee.says(data, 200, body=offer(BOB, 5000))
    engine.answers()
    return data


def facts(proxy: Proxy) -> list[object]:
    return [one[2] for one in proxy.journal.story(b"call-1") if one[1] is Rule.MEDIA_TAKEN_ON]


def test_it_is_told_which_instance_has_a_call(proxy: Proxy, engine: FakeRtpengine) -> None:
    talk = answered(proxy, engine)
    assert facts(proxy) == ["192.0.2.100:2223"]
    refresh(talk, engine)
    assert facts(proxy) == ["192.0.2.100:2223"], "once"
    engine.name = OTHER
    data = talk.callee.gets(
        [
            *talk.from_caller("INVITE", body=offer(ALICE, 4444), extra=SDP),
            *engine.answers(),
        ],
        "INVITE",
    )
    assert line(data).host == HOST
    assert facts(proxy) == ["192.0.2.100:2223", "192.0.2.101:2223"]
    assert (engine.media.calls_of(NAME), engine.media.calls_of(OTHER)) == ([], [b"call-1"])


def test_one_that_nobody_takes_on_is_no_instance_s(proxy: Proxy, engine: FakeRtpengine) -> None:
    engine.silent = True
    alice = Phone(proxy, "alice", ALICE)
    Phone(proxy, "bob", BOB)
    alice.calls("bob", body=offer(ALICE, 4000), extra=SDP)
    engine.answers()
    assert Rule.MEDIA_TAKEN_ON not in rules(proxy)


def test_an_instance_that_was_started_anew_has_none(proxy: Proxy, engine: FakeRtpengine) -> None:
    talk = answered(proxy, engine)
    refresh(talk, engine)
    refresh(talk, engine)
    asked = len(engine.told)
    assert engine.media.calls_of(NAME) == [b"call-1"]
    engine.media.began_anew(NAME)
    assert engine.media.calls_of(NAME) == []
    assert engine.media.of(b"call-1") is not None, "its next offer goes there all the same"
    refresh(talk, engine)
    assert engine.commands()[asked:] == ["offer", "answer"]
    assert engine.media.calls_of(NAME) == [b"call-1"]


@pytest.mark.parametrize("again", [NAME, OTHER])
def test_a_call_with_other_ports_is_described_with_a_later_version(
    proxy: Proxy, engine: FakeRtpengine, again: str
) -> None:
    """RFC 3264 §8: a phone may leave aside what has the version that it knows."""
    talk = answered(proxy, engine)
    assert b"o=- 1 1 IN" in refresh(talk, engine)
    for version in (b"o=- 1 2 IN", b"o=- 1 3 IN"):
        engine.media.left(engine.name)
        engine.media.began_anew(engine.name)
        engine.name = NAME if engine.name == OTHER else again
        assert version in refresh(talk, engine)
        assert version in refresh(talk, engine), "as long as that one has it"


@pytest.mark.parametrize(("gone", "commands"), [(NAME, ["offer", "answer"]), (OTHER, [])])
def test_where_an_instance_is_gone_its_calls_ask_for_another(
    proxy: Proxy, engine: FakeRtpengine, gone: str, commands: list[str]
) -> None:
    talk = answered(proxy, engine)
    refresh(talk, engine)
    asked = len(engine.told)
    engine.media.left(gone)
    assert engine.media.calls_of(NAME) == [b"call-1"], "it may only be silent"
    refresh(talk, engine)
    assert engine.commands()[asked:] == commands


def test_those_that_are_over_are_forgotten(proxy: Proxy) -> None:
    calls = DelegatedCalls()
    carried = calls._keep_track(proxy.core, Delegated(b"c", b"a"))
    assert (len(calls), calls.of(b"c")) == (1, carried)
    assert calls._lose_track(b"c") is carried
    assert calls._lose_track(b"c") is None
    assert not calls._unknown
