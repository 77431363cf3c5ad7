"""Route and Record-Route: loose, strict, double, forged; and dialogs of phones behind NAT (§16.4, §16.6)."""

import re

import pytest

from centrex.base import Transport
from centrex.sip.message import parse
from centrex.sip.names import RECORD_ROUTE, ROUTE, VIA
from centrex.trace import Rule
from tests.support.calling import Phone, Talk, find, names, routes, rules, start, v6, values
from tests.support.proxy import DOMAIN, Proxy

BOB = f"sip:bob@{DOMAIN}"
HERE = "sip:192.0.2.1:5060"


def made(*, auth: bool = False, trusted: tuple[str, ...] = ()) -> Proxy:
    """Return a proxy whose users are registered from trusted addresses."""
    return Proxy(users=["alice", "bob"], auth=auth, trusted=trusted)


@pytest.fixture
def proxy() -> Proxy:
    return made()


@pytest.fixture
def alice(proxy: Proxy) -> Phone:
    return Phone(proxy, "alice", "192.0.2.7")


@pytest.fixture
def bob(proxy: Proxy) -> Phone:
    return Phone(proxy, "bob", "192.0.2.8")


def test_a_route_to_us_is_taken_off(alice: Phone, bob: Phone) -> None:
    for route in (
        f"<{HERE};lr>",
        f"<sip:{DOMAIN};lr>",
        f"<{HERE};transport=udp;lr>, <sip:{DOMAIN};lr>",
    ):
        data = find(alice.sends("MESSAGE", BOB, extra=f"Route: {route}"), "MESSAGE", bob.flow)
        assert not parse(data).at[ROUTE]


@pytest.mark.parametrize("auth", [False, True])
def test_a_strangers_route_to_elsewhere_is_403(auth: bool) -> None:
    proxy = made(auth=auth, trusted=("192.0.2.0/28",))
    Phone(proxy, "bob", "192.0.2.8")
    mallory = Phone(proxy, "mallory", "198.51.100.66", register=False)
    for route in ("<sip:198.51.100.1;lr>", f"<{HERE};lr>, <sip:198.51.100.1;lr>"):
        sent = mallory.sends("INVITE", BOB, extra=f"Route: {route}", call_id=f"r{len(route)}")
        assert names(sent) == (["407"] if auth else ["403"])
        if not auth:
            assert Rule.ROUTE_DENIED in rules(proxy, f"r{len(route)}")


def test_a_trusted_peers_route_is_followed(proxy: Proxy) -> None:
    proxy = made(trusted=("192.0.2.7",))
    peer = Phone(proxy, "alice", "192.0.2.7", register=False)
    sent = peer.sends("INVITE", BOB, extra=f"Route: <{HERE};lr>, <sip:198.51.100.1;lr>")
    data = find(sent, "INVITE")
    assert sent[-1][0].host == "198.51.100.1"
    assert values(data, ROUTE) == ["<sip:198.51.100.1;lr>"]
    assert parse(data).uri == BOB.encode()


def test_a_strict_router_after_us(proxy: Proxy) -> None:
    """§16.6 step 6: its URI becomes the Request-URI, ours goes to the end of the Route."""
    proxy = made(trusted=("192.0.2.7",))
    peer = Phone(proxy, "alice", "192.0.2.7", register=False)
    extra = "Route: <sip:strict@198.51.100.1>, <sip:198.51.100.2;lr>\nRoute: <sip:198.51.100.3;lr>"
    sent = peer.sends("INVITE", BOB, extra=extra)
    data = find(sent, "INVITE")
    assert sent[-1][0].host == "198.51.100.1"
    assert parse(data).uri == b"sip:strict@198.51.100.1"
    assert values(data, ROUTE) == ["<sip:198.51.100.2;lr>", "<sip:198.51.100.3;lr>", f"<{BOB}>"]


def test_a_strict_router_before_us(proxy: Proxy, alice: Phone, bob: Phone) -> None:
    """§16.4: it put our Record-Route value into the Request-URI, and the target behind the Routes."""
    talk = Talk(alice, bob)
    (mine,) = values(talk.ok, RECORD_ROUTE)
    sent = alice.sends(
        "BYE",
        mine.strip("<>"),
        target=BOB,
        to_tag="bob",
        cseq=2,
        extra=f"Route: <{bob.contact}>",
    )
    data = find(sent, "BYE", bob.flow)
    assert parse(data).uri == bob.contact.encode()
    assert not parse(data).at[ROUTE]
    assert not len(proxy.core.calls)


def test_a_strict_router_before_us_without_a_cookie_gains_nothing(proxy: Proxy) -> None:
    proxy = made(auth=True)
    mallory = Phone(proxy, "mallory", "198.51.100.66", register=False)
    sent = mallory.sends("INVITE", f"{HERE};lr", to_tag="b", extra="Route: <sip:900@203.0.113.1>")
    assert names(sent) == ["407"]
    sent = mallory.sends("OPTIONS", f"{HERE};lr", extra=f"Route: <{BOB}>")
    assert names(sent) == ["407"], "it is not for the server itself"


def test_the_path_of_others_is_kept_in_both_directions(proxy: Proxy) -> None:
    """Record-Route values of proxies before us stay; ours goes on top."""
    proxy = made(trusted=("192.0.2.7",))
    Phone(proxy, "bob", "192.0.2.8")
    peer = Phone(proxy, "alice", "192.0.2.7", register=False)
    sent = peer.calls("bob", extra="Record-Route: <sip:198.51.100.1;lr>")
    found = values(find(sent, "INVITE"), RECORD_ROUTE)
    assert len(found) == 2
    assert found[0].startswith(f"<{HERE};lr;cx=")
    assert found[1] == "<sip:198.51.100.1;lr>"


def test_in_dialog_requests_follow_what_is_left_of_the_route(
    proxy: Proxy, alice: Phone, bob: Phone
) -> None:
    talk = Talk(alice, bob)
    (mine,) = values(talk.ok, RECORD_ROUTE)
    sent = talk.from_caller("BYE", route=f"Route: {mine}, <sip:198.51.100.9;lr>")
    data = find(sent, "BYE")
    assert sent[0][0].host == "198.51.100.9"
    assert values(data, ROUTE) == ["<sip:198.51.100.9;lr>"]
    assert parse(data).uri == bob.contact.encode()


def test_two_transports_two_record_routes(proxy: Proxy, alice: Phone) -> None:
    """RFC 5658: each side sees the address it can speak to; both values are taken off again."""
    bob = Phone(proxy, "bob", "192.0.2.8", 40000, transport=Transport.TCP)
    talk = Talk(alice, bob)
    found = values(talk.invite, RECORD_ROUTE)
    assert [one.split(";lr")[0] for one in found] == [f"<{HERE};transport=tcp", f"<{HERE}"]
    data = bob.gets(talk.from_caller("ACK"), "ACK")
    assert not parse(data).at[ROUTE]
    data = alice.gets(talk.from_callee("BYE"), "BYE")
    assert not parse(data).at[ROUTE]
    assert values(data, VIA)[0].startswith("SIP/2.0/UDP")


def test_two_ip_versions_two_record_routes(proxy: Proxy, alice: Phone) -> None:
    flow = v6(proxy, "2001:db8::8")
    bob = Phone(proxy, "bob", "2001:db8::8", register=False)
    assert bob.flow is flow
    bob.contact = "sip:bob@[2001:db8::8]:5060"
    (answer,) = bob.sends(
        "REGISTER",
        f"sip:{DOMAIN}",
        target=BOB,
        extra=f"Contact: <{bob.contact}>",
        call_id="reg6",
        via="Via: SIP/2.0/UDP [2001:db8::8]:5060;branch=z9hG4bK6",
    )
    assert start(answer[1]) == "200"
    talk = Talk(alice, bob)
    found = values(talk.invite, RECORD_ROUTE)
    assert [one.split(";lr")[0] for one in found] == ["<sip:[2001:db8::1]:5060", f"<{HERE}"]
    assert bob.gets(talk.from_caller("BYE"), "BYE")


def behind_nat(proxy: Proxy) -> tuple[Phone, Phone]:
    """Two phones behind different NATs with the same private address."""
    one = Phone(proxy, "alice", "198.51.100.7", 41000, behind="10.0.0.2:5060")
    two = Phone(proxy, "bob", "203.0.113.8", 42000, behind="10.0.0.2:5060")
    return one, two


def test_phones_behind_nat_talk_by_the_flows_they_came_from() -> None:
    proxy = made()
    alice, bob = behind_nat(proxy)
    talk = Talk(alice, bob)
    assert values(talk.ok, VIA)[0].endswith(";rport=41000;received=198.51.100.7") or (
        "received=198.51.100.7" in values(talk.ok, VIA)[0]
    )
    (mine,) = values(talk.ok, RECORD_ROUTE)
    assert ";ca=u198.51.100.7-41000" in mine
    assert ";cb=u203.0.113.8-42000" in mine
    assert parse(bob.gets(talk.from_caller("ACK"), "ACK")).uri == bob.contact.encode()
    info = alice.gets(talk.from_callee("INFO"), "INFO")
    assert bob.gets(alice.says(info, 200), "200")
    assert alice.gets(talk.from_callee("BYE", cseq=2), "BYE")


def test_the_token_outlives_what_we_remember_of_the_call() -> None:
    proxy = made(auth=True, trusted=("198.51.100.7", "203.0.113.8"))
    alice, bob = behind_nat(proxy)
    talk = Talk(alice, bob)
    proxy.core.access.trusted = made().core.access.trusted
    proxy.core.calls.end(next(iter(proxy.core.calls)))  # a restart
    assert alice.gets(talk.from_callee("INFO"), "INFO")
    assert bob.gets(talk.from_caller("BYE"), "BYE")


def test_without_a_route_a_known_dialog_is_recognised() -> None:
    """Phones that forget the route set are let through as long as the call is remembered."""
    proxy = made(auth=True, trusted=("198.51.100.7", "203.0.113.8"))
    alice, bob = behind_nat(proxy)
    talk = Talk(alice, bob)
    proxy.core.access.trusted = made().core.access.trusted
    assert alice.gets(talk.from_callee("INFO", route=""), "INFO")
    assert bob.gets(talk.from_caller("INFO", route=""), "INFO")
    assert names(talk.from_caller("INFO", route="", from_tag="wrong")) == ["407"]
    proxy.core.calls.end(next(iter(proxy.core.calls)))
    assert names(talk.from_caller("BYE", route="")) == ["407"]


def test_a_plain_route_to_us_does_not_hide_a_known_dialog() -> None:
    """A phone with an outbound proxy may put it alone into each request."""
    proxy = made(auth=True, trusted=("198.51.100.7", "203.0.113.8"))
    alice, bob = behind_nat(proxy)
    talk = Talk(alice, bob)
    proxy.core.access.trusted = made().core.access.trusted
    assert bob.gets(talk.from_caller("INFO", route=f"Route: <sip:{DOMAIN};lr>"), "INFO")


def test_in_dialog_requests_pass_without_credentials_from_either_side() -> None:
    proxy = made(auth=True, trusted=("192.0.2.0/28",))
    alice, bob = Phone(proxy, "alice", "192.0.2.7"), Phone(proxy, "bob", "192.0.2.8")
    talk = Talk(alice, bob)
    proxy.core.access.trusted = made().core.access.trusted
    assert names(talk.from_caller("INVITE", extra=f"Contact: <{alice.contact}>")) == [
        "100",
        "INVITE",
    ]
    assert names(talk.from_callee("UPDATE")) == ["UPDATE"]
    assert names(talk.from_caller("BYE")) == ["BYE"]


def forgeries(mine: str) -> list[str]:
    """Return Route values that look like ours and are not."""
    cookie = re.search(r"cx=([0-9a-f]{16})", mine)
    assert cookie is not None
    flipped = ("0" if cookie[1][0] != "0" else "1") + cookie[1][1:]
    return [
        mine.replace(cookie[1], flipped),
        mine.replace(";cx=" + cookie[1], ""),
        mine.replace(";cx=" + cookie[1], ";cx="),
        mine.replace(">", ";ca=u203.0.113.99-5060>"),
        mine.replace(">", ";cb=u203.0.113.99-5060>"),
        mine.replace(cookie[1], cookie[1] + "0"),
        mine.replace(cookie[1], cookie[1][:-1]),
        mine.replace(";lr;", f";x={cookie[1]};lr;").replace(
            f"cx={cookie[1]}", "cx=0000000000000000"
        ),
    ]


@pytest.mark.parametrize("number", range(8))
def test_a_forged_cookie_is_worth_nothing(number: int) -> None:
    proxy = made(auth=True, trusted=("192.0.2.0/28",))
    alice, bob = Phone(proxy, "alice", "192.0.2.7"), Phone(proxy, "bob", "192.0.2.8")
    talk = Talk(alice, bob)
    (mine,) = values(talk.ok, RECORD_ROUTE)
    proxy.core.access.trusted = made().core.access.trusted
    proxy.core.calls.end(next(iter(proxy.core.calls)))
    sent = talk.from_caller("BYE", route=f"Route: {forgeries(mine)[number]}")
    assert names(sent) == ["407"]


def test_a_good_cookie_is_of_no_use_for_another_dialog() -> None:
    proxy = made(auth=True, trusted=("192.0.2.0/28",))
    alice, bob = Phone(proxy, "alice", "192.0.2.7"), Phone(proxy, "bob", "192.0.2.8")
    talk = Talk(alice, bob)
    route = routes(talk.ok, caller=True)
    proxy.core.access.trusted = made().core.access.trusted
    mallory = Phone(proxy, "mallory", "198.51.100.66", register=False)
    uri = "sip:+1900@203.0.113.1"
    for more in (
        {"call_id": "other", "to_tag": "bob"},
        {"from_tag": "x", "to_tag": "bob"},
        {"to_tag": ""},
        {"from_tag": "bob", "to_tag": "x"},
    ):
        assert names(mallory.sends("INVITE", uri, extra=route, **more)) == ["407"], more


def test_a_good_cookie_registers_nobody() -> None:
    """A REGISTER belongs to no dialog: sent on to ourselves it could come from a trusted address."""
    proxy = made(auth=True, trusted=("192.0.2.0/28",))
    alice, bob = Phone(proxy, "alice", "192.0.2.7"), Phone(proxy, "bob", "192.0.2.8")
    talk = Talk(alice, bob)
    route = routes(talk.ok, caller=True)
    proxy.core.access.trusted = made().core.access.trusted
    extra = f"{route}\nContact: <sip:evil@203.0.113.66>"
    for uri in (f"sip:{DOMAIN}", "sip:192.0.2.1", "sip:127.0.0.1"):
        sent = alice.sends("REGISTER", uri, target=BOB, to_tag="bob", extra=extra)
        assert names(sent) == ["401"]


@pytest.mark.parametrize("uri", [f"sip:{DOMAIN}", HERE, f"sip:registrar@{DOMAIN}"])
def test_a_dialog_does_not_lead_back_to_the_server_itself(
    proxy: Proxy, alice: Phone, bob: Phone, uri: str
) -> None:
    talk = Talk(alice, bob)
    extra = routes(talk.ok, caller=True)
    for method in ("INVITE", "OPTIONS", "MESSAGE"):
        sent = alice.sends(method, uri, to_tag="bob", extra=extra)
        assert names(sent) == ["481"]


def test_in_dialog_to_an_address_of_record_reaches_its_phones(alice: Phone, bob: Phone) -> None:
    """Some phones give their address-of-record as Contact."""
    talk = Talk(alice, bob)
    sent = alice.sends("BYE", BOB, to_tag="bob", cseq=2, extra=routes(talk.ok, caller=True))
    assert bob.gets(sent, "BYE")


def test_a_path_is_followed_by_who_registered_it() -> None:
    """RFC 3327: an edge proxy that is trusted registers a phone behind it."""
    proxy = made(trusted=("192.0.2.100",))
    Phone(proxy, "bob", "192.0.2.100", extra="Path: <sip:192.0.2.100;lr;ob=7>\nSupported: path")
    alice = Phone(proxy, "alice", "192.0.2.7")
    sent = alice.calls("bob")
    data = find(sent, "INVITE")
    assert values(data, ROUTE) == ["<sip:192.0.2.100;lr;ob=7>"]
    assert sent[-1][0].host == "192.0.2.100"


def test_a_strangers_path_is_refused() -> None:
    """Followed, it would make calls to his own user go wherever he likes, by our hand."""
    proxy = made()
    mallory = Phone(proxy, "mallory", "198.51.100.66", register=False)
    (answer,) = mallory.sends(
        "REGISTER",
        f"sip:{DOMAIN}",
        target=f"sip:mallory@{DOMAIN}",
        extra="Contact: <sip:+1900@203.0.113.1>\nPath: <sip:203.0.113.1;lr>",
        call_id="path",
    )
    assert start(answer[1]) == "403"
    assert Rule.REGISTRATION_REFUSED in rules(proxy, "path")


@pytest.mark.parametrize("contact", ["sip:+1900@203.0.113.1", "sip:+1900@gateway.example"])
def test_a_strangers_contact_at_a_third_party_leads_back_to_him(contact: str) -> None:
    """No open relay by registration: what he is called with comes back to his own address."""
    proxy = made()
    mallory = Phone(proxy, "mallory", "198.51.100.66", register=False)
    mallory.contact = contact
    sent = mallory.sends(
        "REGISTER",
        f"sip:{DOMAIN}",
        target=f"sip:mallory@{DOMAIN}",
        extra=f"Contact: <{contact}>",
        call_id="reg-m",
    )
    assert names(sent) == ["200"]
    sent = mallory.calls("mallory")
    assert {flow for flow, _ in sent} == {mallory.flow}
    assert proxy.core.asks == []


def test_a_logged_in_users_contact_may_be_elsewhere() -> None:
    proxy = made(trusted=("192.0.2.7",))
    alice = Phone(proxy, "alice", "192.0.2.7", register=False)
    alice.sends(
        "REGISTER",
        f"sip:{DOMAIN}",
        target=f"sip:alice@{DOMAIN}",
        extra="Contact: <sip:alice@203.0.113.1>",
        call_id="reg-a",
    )
    sent = alice.calls("alice")
    assert sent[-1][0].host == "203.0.113.1"


def test_a_sips_call_goes_by_tls_alone_and_says_so_in_its_route() -> None:
    """RFC 3261 §16.6 step 4, §26.2.2."""
    proxy = made()
    alice = Phone(proxy, "alice", "192.0.2.7", 40001, transport=Transport.TLS)
    plain = Phone(proxy, "bob", "192.0.2.8")
    assert names(alice.calls(f"sips:bob@{DOMAIN}", call_id="s0")) == ["480"]
    assert Rule.NOBODY_THERE in rules(proxy, "s0")
    bob = Phone(proxy, "bob", "192.0.2.9", 40002, transport=Transport.TLS)
    talk = Talk(alice, bob, uri=f"sips:bob@{DOMAIN}", call_id="s1", branch="z9hG4bKs1")
    (route,) = values(talk.ok, RECORD_ROUTE)
    assert route.startswith("<sips:192.0.2.1:5061;lr;cx=")
    for sent, phone in ((talk.from_caller("INFO"), bob), (talk.from_callee("BYE"), alice)):
        data = sent[-1][1]
        assert sent[-1][0] is phone.flow
        assert not parse(data).at[ROUTE]
    assert plain.flow not in [flow for flow, _ in sent]
