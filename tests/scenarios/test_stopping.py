"""Stopping: nothing new begins, what is up may end, and nobody is left waiting."""

import pytest

from centrex.trace import Rule
from tests.support.calling import Phone, Talk, find, names, quiet, rules, start
from tests.support.proxy import DOMAIN, Proxy

BOB = f"sip:bob@{DOMAIN}"


@pytest.fixture
def proxy() -> Proxy:
    return Proxy(users=["alice", "bob"])


@pytest.fixture
def alice(proxy: Proxy) -> Phone:
    return Phone(proxy, "alice", "192.0.2.7")


@pytest.fixture
def bob(proxy: Proxy) -> Phone:
    return Phone(proxy, "bob", "192.0.2.8")


@pytest.mark.parametrize("method", ["INVITE", "MESSAGE", "SUBSCRIBE"])
def test_what_would_begin_is_503_with_retry_after(
    proxy: Proxy, alice: Phone, bob: Phone, method: str
) -> None:
    proxy.core.drain()
    (answer,) = alice.sends(method, BOB)
    assert start(answer[1]) == "503"
    assert b"Retry-After:" in answer[1]
    assert Rule.STOPPING in rules(proxy)


def test_what_is_up_may_end_and_what_rings_may_be_answered(
    proxy: Proxy, alice: Phone, bob: Phone
) -> None:
    talk = Talk(alice, bob)
    invite = bob.gets(alice.calls("bob", call_id="two", branch="z9hG4bKtwo"), "INVITE")
    proxy.core.drain()
    assert names(bob.says(invite, 200)) == ["200"]
    assert names(talk.from_caller("INFO")) == ["INFO"]
    assert names(talk.from_callee("INVITE", extra=f"Contact: <{bob.contact}>")) == ["100", "INVITE"]
    bye = bob.gets(talk.from_caller("BYE"), "BYE")
    assert names(bob.says(bye, 200)) == ["200"]


def test_busy_until_the_last_answer(proxy: Proxy, alice: Phone, bob: Phone) -> None:
    assert not proxy.core.busy
    message = bob.gets(alice.sends("MESSAGE", BOB), "MESSAGE")
    assert proxy.core.busy
    bob.says(message, 200)
    assert not proxy.core.busy


def test_abort_ends_all_that_is_under_way(proxy: Proxy, alice: Phone, bob: Phone) -> None:
    silent = alice.calls("bob", call_id="silent", branch="z9hG4bK1")
    ringing = bob.gets(alice.calls("bob", call_id="rings", branch="z9hG4bK2"), "INVITE")
    bob.says(ringing, 180)
    alice.sends("MESSAGE", BOB, call_id="message")
    proxy.core.drain()
    proxy.core.abort(proxy.now)
    sent = proxy.taken()
    assert sorted(names(sent)) == ["503", "503", "503", "CANCEL"]
    for call_id in ("silent", "rings", "message"):
        assert Rule.STOPPING in rules(proxy, call_id)
    assert not proxy.core.busy
    # a late answer is passed on still, a late 180 of the other is cancelled
    assert names(bob.says(ringing, 487)) == ["ACK"]
    assert names(bob.says(find(silent, "INVITE"), 180)) == ["CANCEL"]
    proxy.core.abort(proxy.now)
    assert proxy.taken() == []
    proxy.advance(200)
    assert quiet(proxy)


def test_abort_while_a_name_is_looked_up() -> None:
    proxy = Proxy(trusted=["192.0.2.7"])
    alice = Phone(proxy, "alice", "192.0.2.7", register=False)
    alice.sends("INVITE", "sip:zoe@far.example")
    proxy.core.abort(proxy.now)
    assert len(proxy.taken()) == 1
    assert not proxy.core.busy
    proxy.core.answer(proxy.core.asks[-1].id, "too late", proxy.now)
    assert proxy.taken() == []
    proxy.advance(100)
    assert quiet(proxy)
