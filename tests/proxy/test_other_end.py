"""The cookie of a dialog leads to the dialog's other end, and nowhere else.

Addresses are public ones: on private networks phones may stand in for one another.
"""

import re
from collections.abc import Iterable
from typing import Any

import pytest

from centrex.calls.table import FORGOTTEN_AFTER
from centrex.trace import Rule
from tests.support.calling import Phone, Sent, Talk, answer_challenge, names, rules
from tests.support.proxy import DOMAIN, Proxy

MALLORY, BOB, GATEWAY = "9.9.9.9", "8.8.8.8", "1.1.1.1"
ELSEWHERE = f"sip:0900@{GATEWAY}"
OTHERS = (ELSEWHERE, f"sip:bob@{BOB};maddr={GATEWAY}", "sip:0900@gateway.example")


def called(
    caller: str = MALLORY, told: str = "", answer: str = "", **settings: Any
) -> tuple[Proxy, Talk]:
    """Return a call from a stranger to Bob; `told` and `answer` are the Contacts they give."""
    proxy = Proxy(users=["bob"], **settings)
    mallory = Phone(proxy, "mallory", caller, register=False)
    bob = Phone(proxy, "bob", BOB, register=False)
    proxy.core.access, access = Proxy(users=["bob"]).core.access, proxy.core.access
    proxy.register("bob", bob.flow, bob.contact)
    proxy.core.access = access
    mallory.contact, bob.contact = told or mallory.contact, answer or bob.contact
    return proxy, Talk(mallory, bob)


def leads(talk: Talk, uri: str) -> None:
    """Have the caller send what follows to a URI of his choice."""
    talk.ok = re.sub(rb"Contact: <[^>]*>", f"Contact: <{uri}>".encode(), talk.ok)


def went(sent: Sent) -> list[str]:
    """Return where requests went, or with what status they were refused."""
    there = [flow.host if not what.isdigit() else what for (flow, _), what in _named(sent)]
    return [one for one in there if one != "100"]


def _named(sent: Sent) -> Iterable[tuple[tuple[Any, bytes], str]]:
    return zip(sent, names(sent), strict=True)


@pytest.mark.parametrize("settings", [{}, {"auth": True, "methods": ["REGISTER"]}])
@pytest.mark.parametrize("method", ["INVITE", "MESSAGE", "REFER"])
def test_a_stranger_is_led_to_the_other_end_alone(settings: dict[str, Any], method: str) -> None:
    proxy, talk = called(**settings)
    assert went(talk.from_caller(method)) == [BOB]
    proxy.advance(40)
    for uri in OTHERS:
        leads(talk, uri)
        assert went(talk.from_caller(method)) == ["403"], uri
        assert Rule.RELAY_DENIED in rules(proxy)
        assert not proxy.core.asks


def test_nor_to_others_here_where_they_are_not_called_without_a_login() -> None:
    """Whom one of our users calls elsewhere has the cookie, too."""
    proxy = Proxy(users=["alice", "bob"], trusted=["8.8.8.8"], auth=True)
    alice, far = Phone(proxy, "alice", BOB), Phone(proxy, "far", MALLORY, register=False)
    proxy.register("bob", alice.flow)
    talk = Talk(alice, far, ELSEWHERE.replace(GATEWAY, MALLORY))
    assert went(talk.from_callee("INVITE")) == [BOB]
    talk.invite = re.sub(rb"Contact: <[^>]*>", b"Contact: <sip:bob@example.com>", talk.invite)
    assert went(talk.from_callee("INVITE", cseq=2)) == ["407"]
    far.flow = alice.flow
    assert went(talk.from_callee("INVITE", cseq=3)) == [BOB], "who is trusted may"


def test_nor_does_another_route_lead_him_there() -> None:
    proxy, talk = called()
    ours = re.search(rb"Record-Route: (.*)\r", talk.ok)
    assert ours is not None
    route = f"Route: {ours[1].decode()}, <{ELSEWHERE};lr>"
    assert went(talk.from_caller("INVITE", route=route)) == ["403"]
    assert Rule.ROUTE_DENIED in rules(proxy)


def test_what_begins_nothing_passes_as_before() -> None:
    _, talk = called()
    leads(talk, ELSEWHERE)
    for method in ("ACK", "UPDATE", "INFO", "BYE"):
        assert went(talk.from_caller(method)) == [GATEWAY]


def test_another_tag_is_another_dialog() -> None:
    _, talk = called()
    talk.callee.name = "somebody"
    assert went(talk.from_caller("INVITE")) == [BOB], "a phone of ours knows its dialogs"
    leads(talk, ELSEWHERE)
    assert went(talk.from_caller("INVITE")) == ["403"]
    leads(talk, f"sip:bob@{BOB}:5070")
    assert went(talk.from_caller("INVITE")) == ["403"]


def test_who_takes_the_callees_place_is_led_no_further() -> None:
    """Both tags are known to the caller, and so he may say that he is the other one."""
    _, talk = called(told=ELSEWHERE)
    callee, talk.callee = talk.callee, Phone.__new__(Phone)
    talk.callee.sends, talk.callee.name = talk.caller.sends, callee.name  # type: ignore[method-assign]
    assert went(talk.from_callee("INVITE")) == ["403"]
    assert went(talk.from_callee("UPDATE", cseq=2)) == [GATEWAY]
    leads(talk, ELSEWHERE)
    assert went(talk.from_caller("INVITE")) == ["403"]


def test_a_call_that_is_over_or_from_before() -> None:
    _, talk = called()
    talk.callee.says(talk.callee.gets(talk.from_caller("BYE"), "BYE"), 200)
    assert went(talk.from_caller("INVITE")) == ["403"]
    later = Proxy(users=["bob"], run=b"00000001")
    later.core.take_routes(later.core.routes, later.now)
    talk.caller.proxy, talk.caller.flow = later, later.flows.get(MALLORY, 5060)
    assert went(talk.from_caller("INVITE")) == [BOB], "it may be one that the last run knew"
    later.advance(FORGOTTEN_AFTER)
    assert went(talk.from_caller("INVITE")) == ["403"]


def test_who_logs_in_or_is_trusted_goes_where_he_likes() -> None:
    proxy, talk = called(auth=True, trusted=[MALLORY])
    leads(talk, ELSEWHERE)
    assert went(talk.from_caller("INVITE")) == [GATEWAY]
    proxy, talk = called(auth=True, methods=["REGISTER"])
    proxy.core.access = Proxy(users=["mallory"], auth=True).core.access
    leads(talk, ELSEWHERE)
    sent = talk.from_caller("INVITE")
    assert went(sent) == ["407"]
    line = answer_challenge(sent[-1][1], "INVITE", ELSEWHERE, "mallory")
    assert went(talk.from_caller("INVITE", extra=line)) == [GATEWAY]


@pytest.mark.parametrize(
    ("settings", "where"),
    [({"auth": True, "methods": ["REGISTER"]}, GATEWAY), ({}, "403")],
)
def test_an_end_that_says_it_is_elsewhere(settings: dict[str, Any], where: str) -> None:
    """It is believed, unless anybody may register: then both ends may be one."""
    _, talk = called(answer=ELSEWHERE, **settings)
    assert went(talk.from_caller("INVITE")) == [where]
    _, talk = called(told=ELSEWHERE, **settings)
    assert went(talk.from_callee("INVITE")) == [where]
    proxy, talk = called(answer="sip:bob@phone.example", **settings)
    assert went(talk.from_caller("INVITE")) == ([] if settings else ["403"])
    assert len(proxy.core.asks) == bool(settings)


@pytest.mark.parametrize("net", ["10.0.0", "127.0.0"])
def test_private_networks_are_their_own_affair(net: str) -> None:
    proxy = Proxy(users=["alice", "bob"])
    alice, bob = Phone(proxy, "alice", f"{net}.7"), Phone(proxy, "bob", f"{net}.8")
    bob.contact = "sip:bob@10.9.9.9"
    assert went(Talk(alice, bob).from_caller("INVITE")) == ["10.9.9.9"]
    bob.contact = ELSEWHERE
    talk = Talk(alice, bob, branch="z9hG4bK2", call_id="c2")
    assert went(talk.from_caller("INVITE")) == ["403"]


@pytest.mark.parametrize(("proxy_host", "where"), [("10.0.0.9", "10.0.0.8"), (MALLORY, "403")])
def test_a_call_that_another_proxy_leads_back_to_us(proxy_host: str, where: str) -> None:
    """The second time it comes from that proxy, and is the same call."""
    proxy = Proxy(users=["alice", "bob"])
    alice, bob = Phone(proxy, "alice", "10.0.0.7"), Phone(proxy, "bob", "10.0.0.8")
    far = Phone(proxy, "far", proxy_host)
    bob.contact = "sip:bob@10.0.0.8"
    first = far.gets(alice.calls("far"), "INVITE")
    again = first.replace(b"INVITE sip:far@", b"INVITE sip:bob@").replace(
        b"Via:", b"Via: SIP/2.0/UDP %b;branch=z9hG4bKfar\r\nVia:" % proxy_host.encode(), 1
    )
    again = re.sub(rb"sip:bob@[0-9.:]+ SIP", b"sip:bob@example.com SIP", again)
    invite = bob.gets(proxy.receive(again, far.flow), "INVITE")
    back = far.gets(bob.says(invite, 200), "200")
    own = re.sub(rb"Via: [^\r]*far[^\r]*\r\n", b"", back, count=1)
    alice.gets(proxy.receive(own, far.flow), "200")
    talk = Talk.standing(far, bob, invite, back)
    ours = [line for line in back.split(b"\r\n") if line.startswith(b"Record-Route")]
    route = ours[0].decode().replace("Record-Route", "Route")
    assert went(talk.from_caller("INVITE", route=route)) == [where]


@pytest.mark.parametrize(("phone", "where"), [("carol", "8.8.4.4"), ("", "403")])
def test_two_who_are_called_by_a_proxy_before_us(phone: str, where: str) -> None:
    """Both have one Call-ID and tag of the caller's; the second to be called answers."""
    proxy, talk = called()
    carol = Phone(proxy, "carol", "8.8.4.4", register=False)
    if phone:
        proxy.core.access, access = Proxy(users=["carol"]).core.access, proxy.core.access
        proxy.register(phone, carol.flow, carol.contact)
        proxy.core.access = access
    talk.callee = carol
    leads(talk, carol.contact)
    assert went(talk.from_caller("INVITE")) == [where]
    assert went(talk.from_caller("BYE")) == ["8.8.4.4"]
    talk.caller.flow = Phone(proxy, "other", "5.5.5.5", register=False).flow
    assert went(talk.from_caller("INVITE")) == ["403"], "nobody else may"
    assert went(talk.from_callee("INVITE")) == [MALLORY]


def test_an_end_that_has_moved_is_followed() -> None:
    proxy, talk = called()
    moved = Phone(proxy, "bob", "8.8.4.4", register=False)
    talk.callee.proxy, talk.callee.flow = proxy, moved.flow
    extra = f"Contact: <{moved.contact}>"
    invite = talk.caller.gets(talk.from_callee("INVITE", extra=extra), "INVITE")
    talk.caller.says(invite, 200)
    leads(talk, moved.contact)
    assert went(talk.from_caller("INVITE")) == ["8.8.4.4"]
    assert DOMAIN not in moved.contact
