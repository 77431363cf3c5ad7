"""Responses on their way back: our Via, and what is counted and told of calls (RFC 3261 §16.7)."""

import pytest

from centrex.events import Kind
from centrex.proxy import call_life
from centrex.proxy.patience import Patience
from centrex.proxy.upstream import take_off_via
from centrex.sip.message import parse
from centrex.trace import Rule
from tests.support.calling import Phone, Talk, names
from tests.support.hunting import planned
from tests.support.proxy import DOMAIN, Proxy


@pytest.mark.parametrize(
    ("vias", "left"),
    [
        (["Via: one", "Via: two"], ["Via: two"]),
        (["v: one", "Via: two"], ["Via: two"]),
        (["Via: one, two"], ["Via: two"]),
        (["Via: one, two", "Via: three"], ["Via: two", "Via: three"]),
        (["Via: one,two , three"], ["Via: two , three"]),
        (['Via: a;x="1,2"', "Via: b"], ["Via: b"]),
    ],
)
def test_only_the_topmost_via_is_taken_off(vias: list[str], left: list[str]) -> None:
    head = ["SIP/2.0 200 OK", "X: 1", *vias, "CSeq: 1 INVITE", "", ""]
    message = parse("\r\n".join(head).encode())
    take_off_via(message)
    assert message.lines == [
        line.encode() for line in ["SIP/2.0 200 OK", "X: 1", *left, "CSeq: 1 INVITE"]
    ]


def told(proxy: Proxy) -> list[str]:
    return [event.name for event in proxy.core.events if event.kind is Kind.CALLS]


def test_a_call_is_told_from_start_to_end() -> None:
    proxy = Proxy(users=["bob"])
    alice, bob = Phone(proxy, "alice", "192.0.2.7"), Phone(proxy, "bob", "192.0.2.8")
    talk = Talk(alice, bob)
    proxy.advance(60)
    bye = alice.gets(talk.from_callee("BYE"), "BYE")
    alice.says(bye, 200)
    assert told(proxy) == ["call.started", "call.answered", "call.ended"]
    ended = proxy.core.events[-1]
    assert (ended.fields["by"], ended.fields["duration"]) == ("callee", 60.0)


def test_a_call_that_fails_is_told_once() -> None:
    proxy = Proxy(users=["bob"])
    alice, bob = Phone(proxy, "alice", "192.0.2.7"), Phone(proxy, "bob", "192.0.2.8")
    invite = bob.gets(alice.calls("bob"), "INVITE")
    bob.says(invite, 486)
    bob.says(invite, 486)
    assert told(proxy) == ["call.started", "call.failed"]
    assert proxy.statistics.calls_failed == 1
    assert not len(proxy.core.calls)


def test_a_call_nobody_speaks_of_is_forgotten() -> None:
    proxy = Proxy(users=["bob"])
    Talk(Phone(proxy, "alice", "192.0.2.7"), Phone(proxy, "bob", "192.0.2.8"))
    proxy.advance(13 * 3600)
    (call,) = proxy.core.calls.forgotten(proxy.now)
    call_life.forgotten(proxy.core, call, proxy.now)
    assert not len(proxy.core.calls)
    assert told(proxy)[-1] == "call.ended"


def test_a_warning_says_why_in_words() -> None:
    proxy = Proxy(users=["bob"])
    alice = Phone(proxy, "alice", "192.0.2.7")
    Phone(proxy, "bob", "192.0.2.8")
    alice.sends("INVITE", f"sip:bob@{DOMAIN}")
    sent = proxy.advance(5.1)
    assert names(sent)[-1] == "408"
    assert (
        b'Warning: 399 centrex "the target does not answer: it is off or out of reach"'
        in sent[-1][1]
    )


def test_what_is_told_of_silence_is_how_long_it_lasted() -> None:
    """By the step's own ring time, and by the settings that were in force when the call came."""
    proxy = Proxy(users=["alice", "bob"], patience=Patience(start_response_s=5))
    alice = Phone(proxy, "alice", "192.0.2.7")
    Phone(proxy, "bob", "192.0.2.8")
    planned(proxy, {"name": "n", "destinations": ({"to": "bob", "ring": 1}, "bob")})
    alice.calls("n")
    proxy.core.patience = Patience(start_response_s=2)
    proxy.advance(6.5)
    silences = [facts[1] for _, rule, *facts in proxy.journal.story(b"call-1")
                if rule is Rule.TARGET_SILENT]  # fmt: skip
    assert silences == [1, 5]
