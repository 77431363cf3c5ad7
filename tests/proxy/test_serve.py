"""Events, statistics and the guard at a registration."""

from centrex.base import Transport
from centrex.events import Kind
from tests.support.calling import Phone, names
from tests.support.proxy import DOMAIN, Proxy


def told(proxy: Proxy) -> list[str]:
    return [event.name for event in proxy.core.events if event.kind is Kind.REGISTRATIONS]


def register(phone: Phone, extra: str, cseq: int) -> list[str]:
    aor = f"sip:{phone.name}@{DOMAIN}"
    return names(
        phone.sends("REGISTER", f"sip:{DOMAIN}", target=aor, extra=extra, cseq=cseq, call_id="r")
    )


def test_the_life_of_a_registration_is_told() -> None:
    proxy = Proxy(users=["bob"])
    bob = Phone(proxy, "bob", "192.0.2.8", register=False)
    contact = f"Contact: <{bob.contact}>"
    assert register(bob, contact + "\nUser-Agent: Desk/1", 1) == ["200"]
    assert register(bob, contact, 2) == ["200"]
    assert register(bob, contact + ";expires=0", 3) == ["200"]
    assert register(bob, contact + ";expires=5", 4) == ["423"]
    assert told(proxy) == [
        "registration.added",
        "registration.refreshed",
        "registration.removed",
        "registration.refused",
    ]
    assert proxy.core.events[0].fields["agent"] == b"Desk/1"
    assert proxy.statistics.registrations_total == 3
    assert proxy.statistics.registrations_refused == 1


def test_events_nobody_wants_are_not_made() -> None:
    proxy = Proxy(users=["bob"])
    proxy.core.listen(frozenset(), frozenset())
    Phone(proxy, "bob", "192.0.2.8")
    assert proxy.core.events == []
    proxy.core.listen(frozenset({Kind.REGISTRATIONS}), frozenset())
    carol = Phone(proxy, "carol", "192.0.2.9")
    again = {"call_id": "again", "target": f"sip:carol@{DOMAIN}"}
    assert names(
        carol.sends("REGISTER", f"sip:{DOMAIN}", extra=f"Contact: <{carol.contact}>", **again)
    ) == ["200"]
    assert told(proxy) == ["registration.added"]


def test_who_is_behind_nat_is_remembered_with_the_flow() -> None:
    proxy = Proxy(users=["bob"])
    cases = [
        (Phone(proxy, "plain", "192.0.2.8"), False),
        (Phone(proxy, "nat", "198.51.100.8", 40000, behind="10.0.0.8:5060"), True),
        (Phone(proxy, "port", "192.0.2.9", 40000, behind="192.0.2.9:5060"), True),
        (Phone(proxy, "tcp", "192.0.2.10", 40000, transport=Transport.TCP), True),
    ]
    for phone, natted in cases:
        (binding,) = proxy.registry.lookup(phone.name.encode(), proxy.now)
        assert binding.natted is natted, phone.name
        assert binding.flow is phone.flow


def test_a_registration_that_came_through_another_proxy_is_not_behind_nat() -> None:
    proxy = Proxy(users=["bob"], trusted=["192.0.2.100"])
    Phone(proxy, "bob", "192.0.2.100", extra="Via: SIP/2.0/UDP 10.0.0.1;branch=z9hG4bKx")
    (binding,) = proxy.registry.lookup(b"bob", proxy.now)
    assert not binding.natted


def test_what_the_server_itself_does_not_take_is_answered_with_what_it_does() -> None:
    """RFC 3261 §21.4.6: the methods of that address, not those that are passed on to phones."""
    proxy = Proxy(users=["bob"])
    alice = Phone(proxy, "alice", "192.0.2.7", register=False)
    for method in ("INVITE", "MESSAGE", "PUBLISH", "NEWS"):
        answer = alice.gets(alice.sends(method, f"sip:registrar@{DOMAIN}", call_id=method), "405")
        assert b"\r\nAllow: REGISTER, SUBSCRIBE, OPTIONS\r\n" in answer
