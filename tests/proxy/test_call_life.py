from collections.abc import Callable

import pytest

from centrex.calls import CallState
from centrex.events import Kind
from centrex.proxy import call_life, delegated_calls
from centrex.proxy.carried import Delegated
from tests.support.calling import Phone, Sent, Talk
from tests.support.proxy import Proxy
from tests.support.relays import offer, relayed
from tests.support.rtpengine_asked import FakeRtpengine


def made() -> tuple[Proxy, Phone, Phone]:
    proxy = Proxy(users=["bob"])
    return proxy, Phone(proxy, "alice", "192.0.2.7"), Phone(proxy, "bob", "192.0.2.8")


def names(proxy: Proxy) -> list[str]:
    told = [event.name for event in proxy.core.events if event.name.startswith("call.")]
    proxy.core.events.clear()
    return told


def test_a_call_is_told_from_its_invite_to_its_bye() -> None:
    proxy, alice, bob = made()
    names(proxy)
    talk = Talk(alice, bob)
    (call,) = proxy.core.calls
    assert (call.state, call.caller_flow, call.callee_flow) == (CallState.UP, alice.flow, bob.flow)
    talk.from_callee("BYE")
    assert names(proxy) == ["call.started", "call.answered", "call.ended"]
    assert (proxy.statistics.calls_total, proxy.statistics.calls_now) == (1, 0)


def test_a_call_that_is_forgotten_while_ringing_has_failed() -> None:
    proxy, alice, bob = made()
    bob.says(bob.gets(alice.calls("bob"), "INVITE"), 180)
    (call,) = proxy.core.calls
    assert call.state is CallState.RINGING
    call_life.forgotten(proxy.core, call, proxy.now)
    call_life.forgotten(proxy.core, call, proxy.now)
    assert (proxy.statistics.calls_failed, proxy.statistics.calls_now) == (1, 0)


def up(proxy: Proxy, alice: Phone, bob: Phone, asked: Callable[[], Sent] = list) -> Talk:
    """A call that is up, and relayed."""
    sdp = {"extra": "Content-Type: application/sdp\n", "body": offer("192.0.2.7", 4000)}
    sent = alice.calls("bob", **sdp) + asked()
    invite = bob.gets(sent, "INVITE")
    sent = bob.says(invite, 200, body=offer("192.0.2.8", 5000)) + asked()
    return Talk.standing(alice, bob, invite, alice.gets(sent, "200"))


def test_one_that_is_forgotten_while_it_is_up_is_relayed_until_it_ends() -> None:
    """An open line of which nobody speaks for half a day: its relay knows whether anybody is there."""
    proxy, alice, bob = made()
    farm = relayed(proxy)
    talk = up(proxy, alice, bob)
    (call,) = proxy.core.calls
    call_life.forgotten(proxy.core, call, proxy.now)
    assert (proxy.statistics.calls_now, len(proxy.core.calls)) == (0, 0)
    assert farm.sessions
    talk.from_caller("BYE")
    assert [why for _, why in farm.ended] == ["hung up"]


def test_one_that_rtpengine_relays_is_kept_within_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delegated_calls, "_MOST_UNKNOWN", 1)
    proxy, alice, bob = made()
    engine = FakeRtpengine(proxy)
    up(proxy, alice, bob, engine.answers)
    (call,) = proxy.core.calls
    call_life.forgotten(proxy.core, call, proxy.now)
    assert not engine.answers()
    assert engine.media.of(b"call-1") is not None
    assert "delete" not in engine.commands()
    engine.media._keep_track(proxy.core, Delegated(b"call-2", b"a"))
    assert engine.media.of(b"call-1") is None


def test_nothing_is_made_for_nobody() -> None:
    proxy, alice, bob = made()
    proxy.core.listen(frozenset(), frozenset())
    names(proxy)
    Talk(alice, bob).from_caller("BYE")
    assert names(proxy) == []
    proxy.core.listen(frozenset({Kind.CALLS}), frozenset())
    Talk(alice, bob, branch="z9hG4bKanother", call_id="call-2").from_caller("BYE")
    assert names(proxy) == ["call.ended"]
    assert proxy.statistics.calls_total == 2
