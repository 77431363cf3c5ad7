"""Phones that do not answer are marked, tried all the same, and unmarked by whatever they say."""

from typing import Any

import pytest

from centrex.base import Flow, Transport
from centrex.proxy import contacts as module
from centrex.proxy.contacts import address_of
from centrex.registrar.binding import Binding
from centrex.trace import Rule
from centrex.trace.explain import explain
from tests.support.calling import Phone, names, rules, start
from tests.support.hunting import invites
from tests.support.proxy import Proxy


@pytest.fixture
def proxy() -> Proxy:
    return Proxy(users=["alice", "bob"])


@pytest.fixture
def alice(proxy: Proxy) -> Phone:
    return Phone(proxy, "alice", "192.0.2.7")


def binding(proxy: Proxy, user: str = "bob", at: int = 0) -> Binding:
    held = proxy.registry.held(user.encode())
    return held[at]


def asked(proxy: Proxy, user: str = "bob") -> list[tuple[Flow, bytes]]:
    assert proxy.core.contacts.ask(proxy.core, user.encode(), binding(proxy, user), proxy.now)
    return proxy.taken()


def events(proxy: Proxy) -> list[str]:
    told = [event.name for event in proxy.core.events if event.name.startswith("contact.")]
    proxy.core.events.clear()
    return told


def test_one_that_answers(proxy: Proxy) -> None:
    bob = Phone(proxy, "bob", "192.0.2.8")
    ((flow, data),) = asked(proxy)
    assert flow is bob.flow
    assert data.startswith(b"OPTIONS sip:bob@192.0.2.8:5060 SIP/2.0\r\n")
    assert b"\r\nFrom: <sip:registrar@example.com>;tag=" in data
    assert b"\r\nTo: <sip:bob@example.com>\r\n" in data
    assert not asked(proxy), "it is being asked already"
    bob.says(data, 486)
    known = proxy.core.contacts.of(binding(proxy))
    assert known is not None
    assert known.answers
    assert not known.open
    assert not proxy.core.contacts.marked


@pytest.mark.parametrize(
    "sign", ["OPTIONS", "keep-alive", "REGISTER", "a late answer", "nonsense", "INVITE"]
)
def test_one_that_does_not_is_marked_until_anything_comes_from_it(proxy: Proxy, sign: str) -> None:
    bob = Phone(proxy, "bob", "192.0.2.8")
    ((_, data),) = asked(proxy)
    proxy.advance(31)
    assert not proxy.core.contacts.marked
    proxy.advance(2)
    assert list(proxy.core.contacts.marked) == [("192.0.2.8", 5060)]
    assert proxy.core.contacts.is_silent(binding(proxy))
    assert events(proxy) == ["contact.silent"]
    told = explain(b"reg", proxy.journal.story(b"reg-bob-192.0.2.8-5060"), str)
    assert "does not answer when it is asked by OPTIONS" in told.headline
    proxy.advance(7)
    if sign == "keep-alive":
        proxy.receive(b"\r\n\r\n", bob.flow)
    elif sign == "a late answer":
        bob.says(data, 200)
    elif sign == "nonsense":
        proxy.receive(b"hello", bob.flow)
    elif sign == "REGISTER":
        bob.sends("REGISTER", "sip:example.com", target="sip:bob@example.com", cseq=2)
    else:
        bob.sends(sign, "sip:example.com")
    assert not proxy.core.contacts.marked
    assert events(proxy) == ["contact.answers"]
    told = explain(b"reg", proxy.journal.story(b"reg-bob-192.0.2.8-5060"), str)
    assert any("answers again, after 8 s" in text for _, _, text in told.lines)


def test_one_that_a_call_met_with_silence(proxy: Proxy, alice: Phone) -> None:
    bob = Phone(proxy, "bob", "192.0.2.8")
    alice.calls("bob")
    proxy.advance(6)
    assert proxy.core.contacts.is_silent(binding(proxy))
    assert Rule.TARGET_SILENT in rules(proxy)
    sent = alice.calls("bob", branch="z9hG4bKagain", call_id="again")
    assert invites(sent) == ["192.0.2.8"], "never lost"
    assert Rule.TARGET_IS_SILENT in rules(proxy, "again")
    told = explain(b"again", proxy.journal.story(b"again"), str)
    assert any("it is tried all the same" in text for _, _, text in told.lines)
    bob.says(bob.gets(sent, "INVITE"), 180)
    assert not proxy.core.contacts.marked


def test_it_is_asked_at_once_where_phones_are_asked(proxy: Proxy, alice: Phone) -> None:
    bob = Phone(proxy, "bob", "192.0.2.8")
    proxy.core.contacts.asks = True
    alice.calls("bob")
    sent = proxy.advance(6)
    bob.says(next(data for _, data in sent if start(data) == "OPTIONS"), 200)
    assert not proxy.core.contacts.marked, "it was only slow"


@pytest.mark.parametrize("what", ["rang", "refused", "within"])
def test_what_is_no_silence(proxy: Proxy, alice: Phone, what: str) -> None:
    bob = Phone(proxy, "bob", "192.0.2.8")
    invite = bob.gets(alice.calls("bob"), "INVITE")
    if what == "rang":
        bob.says(invite, 180)
    elif what == "refused":
        bob.says(invite, 500)
    else:
        bob.says(invite, 200)
        alice.sends("INFO", bob.contact, target="sip:bob@example.com", to_tag="bob", cseq=2)
    proxy.advance(200)
    assert not proxy.core.contacts.marked


def test_a_place_that_is_no_phone_is_not_marked(proxy: Proxy, alice: Phone) -> None:
    outside = Proxy(users=["alice"], trusted=["192.0.2.0/24"])
    caller = Phone(outside, "alice", "192.0.2.7")
    caller.calls("sip:bob@203.0.113.9")
    outside.advance(6)
    assert Rule.TARGET_SILENT in rules(outside)
    assert not len(outside.core.contacts)


def test_a_phone_behind_another_proxy_is_not_judged(proxy: Proxy, alice: Phone) -> None:
    trusting = Proxy(users=["alice", "bob"], trusted=["192.0.2.0/24"], auth=True)
    path = "Path: <sip:192.0.2.99;lr>\nSupported: path\n"
    Phone(trusting, "bob", "192.0.2.8", extra=path)
    one = binding(trusting)
    assert one.path
    assert address_of(one) is None
    assert not trusting.core.contacts.ask(trusting.core, b"bob", one, trusting.now)


def test_a_phone_on_a_connection_is_asked_by_it_alone(proxy: Proxy) -> None:
    bob = Phone(proxy, "bob", "192.0.2.8", 40_000, transport=Transport.TCP)
    ((flow, data),) = asked(proxy)
    assert flow is bob.flow
    bob.says(data, 200)
    bob.flow.open = False
    assert not proxy.core.contacts.ask(proxy.core, b"bob", binding(proxy), proxy.now)


def test_a_connection_that_breaks_while_it_is_asked(proxy: Proxy) -> None:
    bob = Phone(proxy, "bob", "192.0.2.8", 40_000, transport=Transport.TCP)
    asked(proxy)
    proxy.core.flow_failed(bob.flow, proxy.now)
    proxy.advance(0.1)
    assert proxy.core.contacts.is_silent(binding(proxy))


def test_users_at_one_address_share_a_mark(proxy: Proxy) -> None:
    for user in ("alice", "bob"):
        Phone(proxy, user, "192.0.2.8")
    asked(proxy)
    assert proxy.core.contacts.ask(proxy.core, b"alice", binding(proxy, "alice"), proxy.now)
    assert not proxy.taken()
    proxy.advance(33)
    assert proxy.core.contacts.is_silent(binding(proxy, "alice"))


# where calls go


def with_phones(proxy: Proxy, *phones: tuple[str, str]) -> None:
    for host, params in phones:
        Phone(proxy, "bob", host, params=params)


def silent(proxy: Proxy, *hosts: str) -> None:
    for one in proxy.registry.held(b"bob"):
        address = address_of(one)
        assert address is not None
        if address[0] in hosts:
            assert proxy.core.contacts.ask(proxy.core, b"bob", one, proxy.now)
    proxy.advance(33)
    assert {host for host, _ in proxy.core.contacts.marked} == set(hosts)


ONE, TWO, THREE = "192.0.2.11", "192.0.2.12", "192.0.2.13"


@pytest.mark.parametrize(
    ("qs", "marked", "groups"),
    [
        ((1.0, 0.5, 0.2), (), [[ONE], [TWO], [THREE]]),
        ((1.0, 0.5, 0.2), (ONE,), [[ONE, TWO], [THREE]]),
        ((1.0, 0.5, 0.2), (TWO,), [[ONE, TWO], [THREE]]),
        ((1.0, 0.5, 0.2), (THREE,), [[ONE], [TWO, THREE]]),
        ((1.0, 0.5, 0.2), (ONE, TWO), [[ONE, TWO, THREE]]),
        ((1.0, 0.5, 0.2), (ONE, TWO, THREE), [[ONE, TWO, THREE]]),
        ((1.0, 1.0, 0.2), (ONE,), [[ONE, TWO], [THREE]]),
        ((1.0, 0.5, 0.5), (ONE, TWO), [[ONE, TWO, THREE]]),
    ],
)
def test_nobody_waits_for_one_that_does_not_answer(
    proxy: Proxy, alice: Phone, qs: Any, marked: Any, groups: list[list[str]]
) -> None:
    with_phones(proxy, *((host, f";q={q}") for host, q in zip((ONE, TWO, THREE), qs, strict=True)))
    silent(proxy, *marked)
    sent = alice.calls("bob", call_id="call-2")
    assert sorted(invites(sent)) == groups[0]
    for group in groups[1:]:
        for flow, data in list(sent):
            if start(data) == "INVITE":
                sent = Phone(proxy, "bob", flow.host, register=False).says(data, 480)
        assert sorted(invites(sent)) == group


def test_who_answers_rings_as_long_as_the_last_one_does(proxy: Proxy, alice: Phone) -> None:
    """An old contact of lower preference, gone for good, takes nothing from the phone that is there."""
    with_phones(proxy, (ONE, ";q=1"), (TWO, ";q=0.5"))
    silent(proxy, TWO)
    sent = alice.calls("bob", call_id="call-2")
    bob = Phone(proxy, "bob", ONE, register=False)
    invite = next(data for flow, data in sent if flow.host == ONE)
    bob.says(invite, 180)
    assert "CANCEL" not in names(proxy.advance(100))
    alice.gets(bob.says(invite, 200), "200")


def test_a_device_is_not_rung_twice_at_once(proxy: Proxy, alice: Phone) -> None:
    """Its flows are tried in turn (RFC 5626 §7), first the one that answers."""
    mark = ';+sip.instance="<urn:uuid:00000000-0000-1000-8000-000A95A0E128>";reg-id='
    with_phones(proxy, (ONE, mark + "1"))
    proxy.now += 1
    with_phones(proxy, (TWO, mark + "2"))
    assert invites(alice.calls("bob")) == [TWO], "the newest first"
    proxy.advance(200)
    proxy.receive(b"\r\n\r\n", proxy.flows.get(ONE, 5060))
    silent(proxy, TWO)
    assert invites(alice.calls("bob", branch="z9hG4bK2", call_id="call-2")) == [ONE]


# bounds


def test_what_is_known_is_forgotten_with_the_registration(proxy: Proxy) -> None:
    with_phones(proxy, (ONE, ""))
    silent(proxy, ONE)
    proxy.core.contacts.tick(proxy.core, proxy.now)
    assert len(proxy.core.contacts) == len(proxy.core.contacts.marked) == 1
    proxy.registry.remove(b"bob")
    proxy.core.contacts.tick(proxy.core, proxy.now)
    assert len(proxy.core.contacts) == len(proxy.core.contacts.marked) == 0


def test_no_more_are_asked_at_once_than_that(proxy: Proxy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_OPEN", 1)
    with_phones(proxy, (ONE, ""))
    Phone(proxy, "alice", TWO)
    asked(proxy)
    core = proxy.core
    assert not core.contacts.ask(core, b"alice", binding(proxy, "alice"), proxy.now)
    assert proxy.statistics.drops["contact-check-full"] == 1
    proxy.advance(33)
    assert core.contacts.ask(core, b"alice", binding(proxy, "alice"), proxy.now)


def test_no_more_are_known_than_that(proxy: Proxy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST", 1)
    with_phones(proxy, (ONE, ""))
    Phone(proxy, "alice", TWO)
    asked(proxy)
    assert not proxy.core.contacts.ask(proxy.core, b"alice", binding(proxy, "alice"), proxy.now)
    assert len(proxy.core.contacts) == 1
