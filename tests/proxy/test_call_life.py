from centrex.calls import CallState
from centrex.events import Kind
from centrex.proxy import call_life
from tests.support.calling import Phone, Talk
from tests.support.proxy import Proxy


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
