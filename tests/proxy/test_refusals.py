from typing import Any

from centrex.events import Kind, Severity
from centrex.proxy import stateless
from centrex.sip.message import parse
from tests.support.calling import Phone, Talk
from tests.support.proxy import DOMAIN, Proxy

ALL = frozenset(Kind)


def told(proxy: Proxy) -> list[tuple[str, Any, Any]]:
    events = [one for one in proxy.core.events if one.name.endswith(".refused")]
    proxy.core.events.clear()
    assert all(one.fields["src"] and one.call_id for one in events)
    return [(one.name, one.severity, one.fields.get("status")) for one in events]


def test_a_call_that_is_refused_at_once_is_told_with_why() -> None:
    proxy = Proxy(users=["bob"])
    alice = Phone(proxy, "alice", "192.0.2.7")
    alice.calls("nobody")
    (event,) = [one for one in proxy.core.events if one.name == "call.refused"]
    assert (event.kind, event.severity) == (Kind.CALLS, Severity.DEBUG)
    assert event.fields["status"] == 404
    assert event.fields["why"]
    assert event.fields["to"] == b"sip:nobody@example.com"
    assert event.call_id
    assert proxy.statistics.calls_failed == 1


def test_a_known_user_without_a_phone_and_a_call_that_goes_through() -> None:
    proxy = Proxy(users=["bob", "carol"])
    alice, bob = Phone(proxy, "alice", "192.0.2.7"), Phone(proxy, "bob", "192.0.2.8")
    alice.calls("carol")
    assert told(proxy) == [("call.refused", Severity.DEBUG, 480)]
    Talk(alice, bob, branch="z9hG4bKanother", call_id="call-2")
    assert told(proxy) == []


def test_a_challenge_is_no_refusal() -> None:
    proxy = Proxy(auth=True, users=["bob"])
    Phone(proxy, "alice", "192.0.2.7", register=False).calls("bob")
    assert told(proxy) == []


def test_a_registration_is_told_once_however_it_is_refused() -> None:
    proxy = Proxy(users=["bob"])
    bob = Phone(proxy, "bob", "192.0.2.8", register=False)
    contact = f"Contact: <{bob.contact}>"
    bob.sends("REGISTER", f"sip:{DOMAIN}", extra=contact, target="sip:bob@elsewhere.example")
    assert told(proxy) == [("registration.refused", Severity.DEBUG, 404)]
    bob.sends(
        "REGISTER", f"sip:{DOMAIN}", extra=f"{contact};expires=5", target=f"sip:bob@{DOMAIN}",
        call_id="brief", branch="z9hG4bKbrief",
    )  # fmt: skip
    assert told(proxy) == [("registration.refused", Severity.WARNING, 423)]


def _broken(method: str) -> bytes:
    return (
        f"{method} sip:bob@{DOMAIN} SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.7:5060;branch=\r\n"
        "From: <sip:a@b>;tag=1\r\nTo: <sip:b@c>\r\nCall-ID: broken\r\n"
        f"CSeq: 1 {method}\r\nMax-Forwards: 70\r\n\r\n"
    ).encode()


def test_what_is_turned_away_for_want_of_room_is_told() -> None:
    proxy = Proxy()
    flow = proxy.flows.get("192.0.2.7", 5060)
    for method in ("INVITE", "REGISTER", "BYE"):
        stateless.overloaded(proxy.core, parse(_broken(method)), flow, proxy.now)
    assert told(proxy) == [
        ("call.refused", Severity.DEBUG, 503),
        ("registration.refused", Severity.DEBUG, 503),
    ]


def test_nothing_is_made_while_nobody_looks_closely() -> None:
    proxy = Proxy(users=["bob"])
    proxy.core.listen(ALL, frozenset())
    alice = Phone(proxy, "alice", "192.0.2.7")
    proxy.core.events.clear()
    alice.calls("nobody")
    stateless.overloaded(proxy.core, parse(_broken("INVITE")), alice.flow, proxy.now)
    contact = f"Contact: <{alice.contact}>"
    alice.sends("REGISTER", f"sip:{DOMAIN}", extra=contact, target="sip:bob@elsewhere.example")
    assert told(proxy) == []
    assert proxy.statistics.calls_failed == 1
