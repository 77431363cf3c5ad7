"""Who may do what: digest, own identity, trusted sources, and no open relay (RFC 3261 §22, issue 2 §5)."""

from typing import Any

import pytest

from centrex.auth import ALGORITHMS, Login, ha1
from centrex.base import Unavailable
from centrex.sip.message import parse
from centrex.sip.names import PROXY_AUTHENTICATE, WARNING, WWW_AUTHENTICATE
from centrex.trace import Rule
from tests.support.calling import Phone, Sent, answer_challenge, find, names, rules, start
from tests.support.proxy import DOMAIN, Proxy

HOME = f"sip:{DOMAIN}"
BOB = f"sip:bob@{DOMAIN}"
OUTSIDE = "sip:+4930@198.51.100.1"


@pytest.fixture
def proxy() -> Proxy:
    proxy = Proxy(users=["alice", "bob", "4711", "+4930123"], auth=True)
    bob = Phone(proxy, "bob", "192.0.2.8", register=False)
    assert names(tried(bob, "REGISTER", HOME, target=BOB, extra=f"Contact: <{bob.contact}>")) == [
        "200"
    ]
    return proxy


@pytest.fixture
def alice(proxy: Proxy) -> Phone:
    return Phone(proxy, "alice", "192.0.2.7", register=False)


def tried(
    phone: Phone, method: str, uri: str, *, user: str = "", password: str = "secret", **more: object
) -> Sent:
    """Send a request, answer the challenge with credentials, return what leaves then."""
    sent = phone.sends(
        method, uri, cseq=1, branch=f"z9hG4bK{len(phone.proxy.journal)}{method}1", **more
    )
    ((_, challenge),) = sent
    if method == "INVITE":
        phone.sends("ACK", uri, branch=f"z9hG4bK{len(phone.proxy.journal) - 1}{method}1", **more)
    line = answer_challenge(challenge, method, uri, user or phone.name, password)
    extra = f"{more.pop('extra', '')}\n{line}"
    return phone.sends(method, uri, cseq=2, extra=extra, **more)


@pytest.mark.parametrize(
    ("method", "uri", "status"),
    [
        ("REGISTER", HOME, "401"),
        ("SUBSCRIBE", f"sip:registrar@{DOMAIN}", "401"),
        ("INVITE", BOB, "407"),
        ("INVITE", OUTSIDE, "407"),
        ("OPTIONS", BOB, "407"),
        ("BYE", BOB, "407"),
        ("TELEPORT", BOB, "407"),
    ],
)
def test_who_shows_nothing_is_challenged(
    proxy: Proxy, alice: Phone, method: str, uri: str, status: str
) -> None:
    (answer,) = alice.sends(method, uri)
    assert start(answer[1]) == status
    found = parse(answer[1]).values(WWW_AUTHENTICATE if status == "401" else PROXY_AUTHENTICATE)
    realm = f'Digest realm="{DOMAIN}", algorithm='.encode()
    assert [
        one.startswith(realm + name) for one, name in zip(found, (b"SHA-256", b"MD5"), strict=True)
    ]
    assert Rule.CHALLENGED in rules(proxy)
    assert proxy.statistics.challenges_sent >= 1


def test_an_options_ping_and_a_cancel_are_never_challenged(alice: Phone) -> None:
    assert names(alice.sends("OPTIONS", HOME)) == ["200"]
    assert names(alice.sends("CANCEL", BOB)) == ["481"]


def test_with_credentials_it_goes_on_without_them(proxy: Proxy, alice: Phone) -> None:
    sent = tried(alice, "INVITE", BOB, extra=f"Contact: <{alice.contact}>")
    data = find(sent, "INVITE")
    assert b"Authorization" not in data
    assert Rule.AUTHENTICATED in rules(proxy)
    sent = tried(alice, "MESSAGE", OUTSIDE, call_id="out")
    assert names(sent) == ["MESSAGE"]
    assert b"Authorization" not in sent[0][1]
    assert Rule.OUTSIDE_TARGET in rules(proxy, "out")


def test_credentials_for_others_are_passed_on(alice: Phone) -> None:
    other = 'Proxy-Authorization: Digest username="a", realm="far.example", nonce="n", uri="x", response="r"'
    sent = tried(alice, "MESSAGE", OUTSIDE, extra=other)
    assert other.encode() in sent[0][1]


def test_a_wrong_password_and_an_unknown_user_get_the_same_answer(
    proxy: Proxy, alice: Phone
) -> None:
    ghost = Phone(proxy, "ghost", "192.0.2.9", register=False)
    answers = [
        parse(tried(alice, "MESSAGE", BOB, password="wrong", call_id="w")[0][1]),
        parse(tried(ghost, "MESSAGE", BOB, call_id="g")[0][1]),
    ]
    assert {one.status for one in answers} == {403}
    assert len({one.value(WARNING) for one in answers}) == 1
    assert len({len(one.lines) for one in answers}) == 1
    assert Rule.CREDENTIALS_REFUSED in rules(proxy, "w")
    assert Rule.CREDENTIALS_REFUSED in rules(proxy, "g")


def test_an_old_nonce_is_stale_and_not_wrong(proxy: Proxy, alice: Phone) -> None:
    (challenge,) = alice.sends("MESSAGE", BOB)
    line = answer_challenge(challenge[1], "MESSAGE", BOB, "alice")
    proxy.advance(100_000)
    (answer,) = alice.sends("MESSAGE", BOB, cseq=2, extra=line)
    assert start(answer[1]) == "407"
    assert b"stale=true" in answer[1]


def test_a_nonce_of_another_source_is_worth_nothing(proxy: Proxy, alice: Phone) -> None:
    (challenge,) = alice.sends("MESSAGE", BOB)
    line = answer_challenge(challenge[1], "MESSAGE", BOB, "alice")
    thief = Phone(proxy, "alice", "198.51.100.66", register=False)
    assert names(thief.sends("MESSAGE", BOB, cseq=2, extra=line)) == ["407"]


def test_credentials_cannot_be_used_twice(proxy: Proxy, alice: Phone) -> None:
    (challenge,) = alice.sends("MESSAGE", BOB)
    line = answer_challenge(challenge[1], "MESSAGE", BOB, "alice")
    assert names(alice.sends("MESSAGE", BOB, cseq=2, extra=line)) == ["MESSAGE"]
    assert names(alice.sends("MESSAGE", BOB, cseq=3, extra=line)) == ["407"]


@pytest.mark.parametrize("sender", ["bob", "ALICE2", "alice%00", "alice%40evil", "registrar", ""])
def test_a_user_speaks_only_as_himself(proxy: Proxy, alice: Phone, sender: str) -> None:
    sent = tried(alice, "MESSAGE", BOB, sender=sender or "bob", call_id="spoof")
    assert names(sent) == ["403"]
    assert Rule.NOT_YOUR_IDENTITY in rules(proxy, "spoof")


@pytest.mark.parametrize("sender", ["alice", "Alice", "%61lice"])
def test_himself_in_any_spelling(alice: Phone, sender: str) -> None:
    assert names(tried(alice, "MESSAGE", BOB, sender=sender)) == ["MESSAGE"]


@pytest.mark.parametrize(
    ("uri", "status"),
    [
        ("tel:+49-30-123", "MESSAGE"), ("tel:+4930-(123);ext=7", "MESSAGE"),
        ("sip:+49-30-123@example.com;user=phone", "MESSAGE"),
        ("sip:+49-30-123@example.com", "403"), ("tel:49-30-123", "403"), ("tel:+49-30-124", "403"),
        ("sip:+49-30-123@far.example;user=phone", "403"),
    ],
)  # fmt: skip
def test_a_user_who_is_a_number_may_write_it_as_one(proxy: Proxy, uri: str, status: str) -> None:
    """RFC 3966 §5.1.1: what is there to be read does not count; a global number is no local one."""
    phone = Phone(proxy, "+4930123", "192.0.2.9", register=False)

    def said(extra: str, cseq: int) -> Sent:
        data = phone.write("MESSAGE", BOB, cseq=cseq, extra=extra)
        return proxy.receive(data.replace(b"sip:+4930123@example.com", uri.encode()), phone.flow)

    ((_, challenge),) = said("", 1)
    line = answer_challenge(challenge, "MESSAGE", BOB, "+4930123")
    assert names(said(line, 2)) == [status]


@pytest.mark.parametrize("local", ["tel:4711", "tel:47-11;phone-context=example.com"])
def test_and_so_may_one_who_is_a_local_number(proxy: Proxy, local: str) -> None:
    phone = Phone(proxy, "4711", "192.0.2.9", register=False)
    for uri, status in ((local, "MESSAGE"), ("tel:4711;phone-context=far.example", "403")):
        more = {"call_id": uri}

        def said(extra: str, cseq: int, uri: str = uri, more: dict[str, Any] = more) -> Sent:
            data = phone.write("MESSAGE", BOB, cseq=cseq, extra=extra, **more)
            return proxy.receive(data.replace(b"sip:4711@example.com", uri.encode()), phone.flow)

        ((_, challenge),) = said("", 1)
        line = answer_challenge(challenge, "MESSAGE", BOB, "4711")
        assert names(said(line, 2)) == [status]


@pytest.mark.parametrize(
    "line",
    [
        "From: <sip:alice@evil.example>;tag=a",
        "From: <tel:+4930>;tag=a",
        "From: <sip:example.com>;tag=a",
        "From: <mailto:alice@example.com>;tag=a",
        'From: "alice" <sip:bob@example.com>;tag=a',
        "From: sip:bob@example.com;user=alice;tag=a",
        "From: <sip:alice@example.com@evil>;tag=a",
        "From: <sip:bob:alice@example.com>;tag=a",
    ],
)
def test_no_other_spelling_passes_for_himself(proxy: Proxy, alice: Phone, line: str) -> None:
    def said(extra: str, cseq: int) -> Sent:
        data = alice.write("MESSAGE", BOB, cseq=cseq, extra=extra)
        data = data.replace(b"From: <sip:alice@example.com>;tag=a", line.encode())
        return proxy.receive(data, alice.flow)

    ((_, challenge),) = said("", 1)
    if start(challenge) == "400":
        return
    (answer,) = said(answer_challenge(challenge, "MESSAGE", BOB, "alice"), 2)
    assert start(answer[1]) == "403"


@pytest.mark.parametrize("method", ["INVITE", "MESSAGE", "SUBSCRIBE"])
@pytest.mark.parametrize(
    ("uri", "passes"),
    [
        ("sip:anonymous@anonymous.invalid", True),
        ("sip:anonymous@Anonymous.Invalid", True),
        ("sips:anonymous@anonymous.invalid", True),
        ("sip:bob@anonymous.invalid", False),
        ("sip:Anonymous@anonymous.invalid", False),
        ("sip:anonymous:bob@anonymous.invalid", False),
        ("sip:anonymous@anonymous.invalid:5070", False),
        ("sip:anonymous.invalid", False),
        ("sip:anonymous@example.com", False),
        ("sip:anonymous@anonymous.invalid.example", False),
    ],
)
def test_a_user_may_say_that_he_is_nobody(
    proxy: Proxy, alice: Phone, method: str, uri: str, passes: bool
) -> None:
    """RFC 3323 §4.1.1.3: by that one URI, with his own password."""

    def said(extra: str, cseq: int) -> Sent:
        extra += f"\nContact: <{alice.contact}>\nEvent: presence"
        data = alice.write(method, OUTSIDE, cseq=cseq, extra=extra)
        return proxy.receive(data.replace(b"sip:alice@example.com", uri.encode()), alice.flow)

    ((_, challenge),) = said("", 1)
    assert start(challenge) == "407"
    sent = said(answer_challenge(challenge, method, OUTSIDE, "alice"), 2)
    assert names(sent)[-1] == (method if passes else "403")
    assert (Rule.NOT_YOUR_IDENTITY in rules(proxy)) is not passes


def test_nobody_registers(proxy: Proxy, alice: Phone) -> None:
    contact = f"Contact: <{alice.contact}>"
    nobody = "sip:anonymous@anonymous.invalid"
    assert names(tried(alice, "REGISTER", HOME, target=nobody, extra=contact)) == ["403"]


def test_a_user_registers_only_himself(proxy: Proxy, alice: Phone) -> None:
    contact = f"Contact: <{alice.contact}>"
    sent = tried(alice, "REGISTER", HOME, target=BOB, extra=contact, call_id="r1")
    assert names(sent) == ["403"]
    assert Rule.NOT_YOUR_IDENTITY in rules(proxy, "r1")
    mine = f"sip:alice@{DOMAIN}"
    sent = tried(alice, "REGISTER", HOME, target=mine, extra=contact, call_id="r2")
    assert names(sent) == ["200"]
    assert Rule.REGISTERED in rules(proxy, "r2")


def test_a_group_login_speaks_for_its_users() -> None:
    hashes = [ha1(b"door", DOMAIN.encode(), b"secret", ALGORITHMS[n]) for n in (b"md5", b"sha-256")]
    door = Login(b"door", hashes[0], hashes[1], users=(b"d1", b"d2"))
    proxy = Proxy(users=["bob"], logins=[door], auth=True)
    phone = Phone(proxy, "d1", "192.0.2.9", register=False)
    assert names(tried(phone, "MESSAGE", OUTSIDE, user="door", call_id="1")) == ["MESSAGE"]
    assert names(tried(phone, "MESSAGE", OUTSIDE, user="door", sender="d3", call_id="2")) == ["403"]
    assert names(tried(phone, "MESSAGE", OUTSIDE, user="door", sender="door", call_id="3")) == [
        "403"
    ]


def test_where_logins_need_not_match_any_identity_may_be_used() -> None:
    proxy = Proxy(users=["alice"], auth=True, match_user=False)
    alice = Phone(proxy, "alice", "192.0.2.7", register=False)
    assert names(tried(alice, "MESSAGE", OUTSIDE, sender="anybody")) == ["MESSAGE"]


def test_a_trusted_source_needs_nothing() -> None:
    proxy = Proxy(users=["alice"], auth=True, trusted=["198.51.100.0/24"])
    gateway = Phone(proxy, "gw", "198.51.100.5", register=False)
    assert names(gateway.sends("MESSAGE", OUTSIDE, sender="+4930")) == ["MESSAGE"]
    assert names(gateway.sends("MESSAGE", f"sip:alice@{DOMAIN}", call_id="2")) == ["480"]
    neighbour = Phone(proxy, "gw", "198.51.101.5", register=False)
    assert names(neighbour.sends("MESSAGE", OUTSIDE, call_id="3")) == ["407"]


def test_only_some_methods_need_credentials() -> None:
    proxy = Proxy(users=["alice", "bob"], auth=True, methods=["REGISTER"])
    bob = Phone(proxy, "bob", "192.0.2.8", register=False)
    assert names(bob.sends("REGISTER", HOME, target=BOB)) == ["401"]
    tried(bob, "REGISTER", HOME, target=BOB, extra=f"Contact: <{bob.contact}>", call_id="r")
    stranger = Phone(proxy, "x", "198.51.100.66", register=False)
    assert names(stranger.sends("MESSAGE", BOB)) == ["MESSAGE"]
    assert names(stranger.sends("MESSAGE", OUTSIDE)) == ["403"], "and yet no open relay"


@pytest.mark.parametrize("auth", [False, True])
@pytest.mark.parametrize("method", ["INVITE", "MESSAGE", "OPTIONS", "REGISTER", "SUBSCRIBE", "BYE"])
@pytest.mark.parametrize(
    "uri",
    [OUTSIDE, "sip:victim@far.example", "sips:victim@far.example", "sip:198.51.100.1", "tel:+1900",
     "sip:bob@example.com:5999", "sip:bob@example.com.evil", "sip:bob%40example.com@far.example"],
)  # fmt: skip
def test_strangers_cannot_relay(auth: bool, method: str, uri: str) -> None:
    proxy = Proxy(users=["alice", "bob"], auth=auth)
    stranger = Phone(proxy, "alice", "198.51.100.66", register=False)
    sent = stranger.sends(method, uri)
    assert {flow for flow, _ in sent} == {stranger.flow}
    assert names(sent)[0] in ("401", "403", "404", "407", "416")
    assert proxy.core.asks == []
    assert rules(proxy)


@pytest.mark.parametrize("extra", ["Route: <sip:192.0.2.1;lr>", "To: x", "Contact: <sip:a@b>"])
def test_nor_with_a_to_tag_or_our_own_route(extra: str) -> None:
    proxy = Proxy(users=["alice", "bob"])
    stranger = Phone(proxy, "alice", "198.51.100.66", register=False)
    sent = stranger.sends("INVITE", OUTSIDE, to_tag="b", extra=extra)
    assert names(sent) in (["403"], ["400"])


def test_maddr_does_not_lead_a_local_user_elsewhere(proxy: Proxy) -> None:
    """A Request-URI of ours with maddr is still ours to route: by the registration, not by it."""
    open_proxy = Proxy(users=["bob"])
    bob = Phone(open_proxy, "bob", "192.0.2.8")
    stranger = Phone(open_proxy, "x", "198.51.100.66", register=False)
    sent = stranger.sends("MESSAGE", f"{BOB};maddr=203.0.113.1;transport=tcp")
    assert [flow for flow, _ in sent] == [bob.flow]


# the registrar's rules, through the core


def test_the_registrar_through_the_core() -> None:
    proxy = Proxy(users=["bob"])
    bob = Phone(proxy, "bob", "192.0.2.8", register=False)

    def register(extra: str, cseq: int, **more: object) -> bytes:
        more.setdefault("target", BOB)
        ((_, data),) = bob.sends("REGISTER", HOME, extra=extra, cseq=cseq, call_id="reg", **more)
        return data

    assert start(register(f"Contact: <{bob.contact}>;expires=30", 1)) == "423"
    assert b"Min-Expires: 60" in register(f"Contact: <{bob.contact}>;expires=30", 2)
    ok = register(f"Contact: <{bob.contact}>;expires=600", 3)
    assert b"expires=600" in ok
    assert bob.contact.encode() in register("", 4)
    assert start(register("Contact: *\nExpires: 60", 5)) == "400"
    assert start(register(f"Contact: <{bob.contact}>", 1)) == "500"
    assert b"Contact" not in register("Contact: *\nExpires: 0", 6)
    assert names(bob.sends("MESSAGE", BOB)) == ["480"]
    assert start(register("", 7, target="sip:bob@far.example")) == "404"
    assert start(register("", 8, target=HOME)) == "404"
    assert start(register("Require: wings", 9)) == "420"
    told = rules(proxy, "reg")
    for rule in (Rule.REGISTERED, Rule.FETCHED, Rule.UNREGISTERED, Rule.REGISTRATION_REFUSED):
        assert rule in told


def test_a_full_registry_says_503() -> None:
    proxy = Proxy(users=["bob"])
    bob = Phone(proxy, "bob", "192.0.2.8", register=False)

    def full(*_: object) -> None:
        raise Unavailable("the registry is full")

    proxy.core.registry = type("Full", (), {"lookup": lambda *_: (), "put": full})()
    (answer,) = bob.sends("REGISTER", HOME, target=BOB, extra=f"Contact: <{bob.contact}>")
    assert start(answer[1]) == "503"
    assert b"Retry-After" in answer[1]
