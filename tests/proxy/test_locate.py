"""The targets of a request; whole flows are in `tests/scenarios`."""

from typing import Any

import pytest

from centrex.base import Transport
from centrex.registrar.registry import MustAsk
from centrex.trace import Rule
from tests.support.calling import Phone, names, rules
from tests.support.hunting import planned
from tests.support.proxy import DOMAIN, Proxy


def test_where_a_registry_must_be_asked_first_it_is_503() -> None:
    proxy = Proxy(users=["bob"])
    asks = type("Away", (), {"lookup": lambda self, user, now: MustAsk(user)})
    proxy.core.registry = asks()
    alice = Phone(proxy, "alice", "192.0.2.7", register=False)
    assert names(alice.sends("MESSAGE", f"sip:bob@{DOMAIN}")) == ["503"]
    assert Rule.NOBODY_THERE in rules(proxy)
    assert names(alice.sends("REGISTER", f"sip:{DOMAIN}", target=f"sip:bob@{DOMAIN}")) == ["503"]


def test_escapes_and_case_of_the_user_part() -> None:
    proxy = Proxy(users=["bob"])
    Phone(proxy, "bob", "192.0.2.8")
    alice = Phone(proxy, "alice", "192.0.2.7", register=False)
    for user in ("bob", "%62ob", "BOB", "bob;x=y", "bob:secret"):
        sent = alice.sends("MESSAGE", f"sip:{user}@{DOMAIN}", call_id=user)
        assert names(sent)[0] in ("MESSAGE", "404"), user
    assert names(alice.sends("MESSAGE", f"sip:%62ob@{DOMAIN}")) == ["MESSAGE"]


def test_a_telephone_number_is_looked_up_like_a_user() -> None:
    """RFC 3966: its visual separators do not count, and we are the gateway for all that are no other's."""
    proxy = Proxy(users=["4711", "+4930123"], trusted=["192.0.2.7"])
    desk = Phone(proxy, "4711", "192.0.2.8")
    lobby = Phone(proxy, "+4930123", "192.0.2.9")
    alice = Phone(proxy, "alice", "192.0.2.7", register=False)
    for number, (uri, phone) in enumerate(
        [
            ("tel:+49-30-(123)", lobby),
            ("tel:47.11", desk),
            ("TEL:47-11;phone-context=Example.com", desk),
            ("tel:4711;phone-context=+49-30", desk),
        ]
    ):
        for method in ("INVITE", "MESSAGE"):
            sent = alice.sends(method, uri, call_id=f"{method}{number}", branch=f"z9hG4bK{number}")
            assert phone.gets(sent, method).split(b" ")[1] == phone.contact.encode()
    assert names(alice.sends("INVITE", "tel:+1-23", call_id="x")) == ["404"]
    sent = alice.sends("INVITE", "tel:4711;phone-context=far.example", call_id="far")
    assert names(sent) == ["404"]
    assert b"somebody else's dial plan" in sent[0][1]
    more: dict[str, Any] = {"target": f"sip:alice@{DOMAIN}", "call_id": "r"}
    assert names(alice.sends("REGISTER", "tel:4711", **more)) == ["416"]


@pytest.mark.parametrize("usual", [True, False])
def test_so_is_one_in_a_sip_uri_that_says_so(*, usual: bool) -> None:
    """RFC 3261 §19.1.6: `user=phone`; a name that is somebody's as it is written comes first."""
    proxy = Proxy(users=["4711", "+4930123", "10-99"], trusted=["192.0.2.7"])
    desk = Phone(proxy, "4711", "192.0.2.8")
    lobby = Phone(proxy, "+4930123", "192.0.2.9")
    exact = Phone(proxy, "10-99", "192.0.2.10")
    came = Phone(proxy, "12-34", "192.0.2.11")
    planned(
        proxy,
        {"name": "1-5", "destinations": ("4711",)},
        {"pattern": r"2(\d+)", "destinations": ("4711",)},
    )
    alice = Phone(proxy, "alice", "192.0.2.7", register=False)
    extra = "" if usual else "X : y\n"
    for user, phone in (
        ("+49-30-(123)", lobby), ("47.11", desk), ("47-11", desk), ("10-99", exact),
        ("12-34", came), ("1-5", desk), ("2-3", desk),
    ):  # fmt: skip
        where = f"sip:{user}@{DOMAIN};user=phone"
        sent = alice.sends("INVITE", where, call_id=user, branch=f"z9hG4bK{user}", extra=extra)
        phone.gets(sent, "INVITE")
    assert names(alice.sends("INVITE", f"sip:47-11@{DOMAIN}", call_id="x", extra=extra)) == ["404"]


def test_who_registers_a_number_is_called_by_it() -> None:
    proxy = Proxy(users=["+4930123"])
    lobby = Phone(proxy, "+4930123", "192.0.2.9", register=False)
    more: dict[str, Any] = {"extra": f"Contact: <{lobby.contact}>", "call_id": "r"}
    to = f"sip:+49-30-123@{DOMAIN};user=phone"
    assert names(lobby.sends("REGISTER", f"sip:{DOMAIN}", target=to, **more)) == ["200"]
    alice = Phone(proxy, "alice", "192.0.2.7", register=False)
    for uri in ("tel:+49-30-123", f"sip:+4930123@{DOMAIN}", f"sip:+493-0123@{DOMAIN};user=phone"):
        lobby.gets(alice.sends("INVITE", uri, call_id=uri, branch=f"z9hG4bK{uri}"), "INVITE")


def test_a_contact_of_unknown_scheme_does_not_stop_the_others() -> None:
    proxy = Proxy(users=["bob"])
    bob = Phone(proxy, "bob", "192.0.2.8", extra="Contact: <mailto:bob@example.com>")
    alice = Phone(proxy, "alice", "192.0.2.7", register=False)
    sent = alice.sends("MESSAGE", f"sip:bob@{DOMAIN}")
    assert (bob.flow, "MESSAGE") in [
        (flow, name) for (flow, _), name in zip(sent, names(sent), strict=True)
    ]


def test_a_connection_that_is_gone_leaves_the_other_contacts() -> None:
    proxy = Proxy(users=["bob"])
    Phone(proxy, "bob", "192.0.2.9", 40000, transport=Transport.TCP).flow.open = False
    bob = Phone(proxy, "bob", "192.0.2.8")
    alice = Phone(proxy, "alice", "192.0.2.7", register=False)
    sent = alice.sends("MESSAGE", f"sip:bob@{DOMAIN}")
    assert [flow for flow, _ in sent] == [bob.flow]
