"""A phone that has moved to another connection, or another port of its NAT, is reached there within a call."""

from typing import Any

import pytest

from centrex.base import Flow, Transport
from tests.support.calling import Phone, Sent, Talk, start
from tests.support.proxy import DOMAIN, Proxy

NAT = "203.0.113.9"
TCP = Transport.TCP


def connected(proxy: Proxy, user: str, port: int, host: str = NAT) -> Phone:
    return Phone(proxy, user, host, port, transport=TCP, behind=f"10.0.0.5:{port}")


def breaks(proxy: Proxy, phone: Phone) -> None:
    phone.flow.open = False
    del proxy.flows.known[TCP, phone.flow.host, phone.flow.port]
    proxy.core.flow_failed(phone.flow, proxy.now)


def to(sent: Sent, method: str) -> Flow:
    """Return the way by which a request left."""
    (flow,) = [flow for flow, data in sent if data.startswith(method.encode())]
    return flow


@pytest.fixture
def proxy() -> Proxy:
    return Proxy(users=["alice", "bob"])


@pytest.mark.parametrize("method", ["BYE", "INVITE", "UPDATE", "ACK"])
@pytest.mark.parametrize("is_known", [True, False])
def test_it_is_reached_by_the_new_one(proxy: Proxy, method: str, is_known: bool) -> None:
    alice, bob = Phone(proxy, "alice", "192.0.2.7"), connected(proxy, "bob", 40001)
    talk = Talk(alice, bob)
    if not is_known:
        (call,) = proxy.core.calls
        proxy.core.calls.end(call)
    breaks(proxy, bob)
    again = connected(proxy, "bob", 40002)
    assert to(talk.from_caller(method), method) is again.flow


def test_so_is_the_caller(proxy: Proxy) -> None:
    alice, bob = connected(proxy, "alice", 40001), Phone(proxy, "bob", "192.0.2.8")
    talk = Talk(alice, bob)
    breaks(proxy, alice)
    again = connected(proxy, "alice", 40002)
    assert to(talk.from_callee("BYE"), "BYE") is again.flow


def test_so_is_whose_phone_answered_for_another(proxy: Proxy) -> None:
    alice, bob = Phone(proxy, "alice", "192.0.2.7"), connected(proxy, "bob", 40001)
    talk = Talk(alice, bob)
    (call,) = proxy.core.calls
    call.user, talk.target = b"bob", "sip:sales@example.com"
    breaks(proxy, bob)
    again = connected(proxy, "bob", 40002)
    assert to(talk.from_caller("BYE"), "BYE") is again.flow


@pytest.mark.parametrize(
    "others", [(), ((NAT, "alice"),), (("203.0.113.10", "bob"),), ((NAT, "bob"), (NAT, "bob"))]
)
def test_it_is_not_taken_for_another(proxy: Proxy, others: Any) -> None:
    """One that is elsewhere, of somebody else, or of two: then its Contact leads there, as ever."""
    alice, bob = Phone(proxy, "alice", "192.0.2.7"), connected(proxy, "bob", 40001)
    talk = Talk(alice, bob)
    breaks(proxy, bob)
    for number, (host, user) in enumerate(others):
        connected(proxy, user, 40010 + number, host)
    flow = to(talk.from_caller("BYE"), "BYE")
    assert (flow.host, flow.port) == ("10.0.0.5", 40001)


@pytest.mark.parametrize("with_route", [True, False])
def test_a_phone_whose_nat_has_changed_its_port_is_followed(proxy: Proxy, with_route: bool) -> None:
    alice = Phone(proxy, "alice", "192.0.2.7")
    bob = Phone(proxy, "bob", NAT, 40001, behind="10.0.0.5:5060")
    talk = Talk(alice, bob)
    for number in (2, 3):
        bob.flow = proxy.flows.get(NAT, 40000 + number)
        assert refreshes(bob, number) == "200"
    route = None if with_route else ""
    assert to(talk.from_caller("INVITE", route=route), "INVITE").port == 40003
    other = Phone(proxy, "carol", NAT, 40001, behind="10.0.0.6:5060")
    assert to(talk.from_caller("BYE", route=route), "BYE") is other.flow, (
        "that port is another's now"
    )


def test_another_phone_at_the_same_private_address_is_not_followed(proxy: Proxy) -> None:
    alice = Phone(proxy, "alice", "192.0.2.7")
    bob = Phone(proxy, "bob", NAT, 40001, behind="10.0.0.5:5060")
    talk = Talk(alice, bob)
    Phone(proxy, "bob", "203.0.113.77", 5060, behind="10.0.0.5:5060")
    assert to(talk.from_caller("BYE"), "BYE").host == NAT


def test_nor_is_a_connection_that_is_gone(proxy: Proxy) -> None:
    alice = Phone(proxy, "alice", "192.0.2.7")
    bob = Phone(proxy, "bob", NAT, 40001, behind="10.0.0.5:5060")
    talk = Talk(alice, bob)
    old, bob.flow = bob.flow, proxy.flows.get(NAT, 40002, TCP)
    assert refreshes(bob, 2) == "200"
    assert to(talk.from_caller("UPDATE"), "UPDATE") is bob.flow
    bob.flow.open = False
    assert to(talk.from_caller("BYE"), "BYE") is old


def refreshes(phone: Phone, cseq: int) -> str:
    """Register the same contact again, from where the phone is now; return the status."""
    ((_, answer),) = phone.sends(
        "REGISTER", f"sip:{DOMAIN}", target=f"sip:{phone.name}@{DOMAIN}", cseq=cseq,
        extra=f"Contact: <{phone.contact}>", call_id=f"reg-{phone.name}-{NAT}-40001",
    )  # fmt: skip
    return start(answer)
