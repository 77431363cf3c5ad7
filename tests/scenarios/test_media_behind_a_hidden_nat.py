"""A callee behind a NAT that its Contact does not show: relayed from the start, or as soon as it is known."""

from typing import Any

import pytest

from centrex.base import Transport
from centrex.proxy.relaying import Relaying
from centrex.trace import Rule
from tests.support.calling import Phone, Sent, Talk, rules, start
from tests.support.proxy import DOMAIN, Proxy
from tests.support.relays import line, offer, relayed
from tests.support.rtpengine_asked import HOST, FakeRtpengine

SDP = "Content-Type: application/sdp\n"
ALICE, BOB, MOBILE = "5.9.0.7", "5.9.0.8", "5.9.0.9"
PRIVATE = "192.168.1.9"
RELAY = "198.51.100.1"


@pytest.fixture
def proxy() -> Proxy:
    return Proxy(users=["alice", "bob"])


@pytest.fixture
def alice(proxy: Proxy) -> Phone:
    return Phone(proxy, "alice", ALICE)


@pytest.fixture
def bob(proxy: Proxy) -> Phone:
    return Phone(proxy, "bob", BOB)


def call(caller: Phone, user: str, number: int = 1, *more: str, host: str = "") -> Sent:
    body = offer(host or caller.flow.host, 4000, *more)
    more_words: dict[str, Any] = {"call_id": f"call-{number}", "branch": f"z9hG4bKcall{number}"}
    return caller.calls(user, body=body, extra=SDP, **more_words)


# what a registration tells


@pytest.mark.parametrize("transport", [Transport.UDP, Transport.TCP])
def test_a_private_via_beside_a_public_contact(
    proxy: Proxy, alice: Phone, transport: Transport
) -> None:
    relayed(proxy, mode="auto")
    bob = Phone(proxy, "bob", BOB, transport=transport, register=False, behind=f"{PRIVATE}:5060")
    word = transport.value.lower()
    contact = f"Contact: <sip:bob@{BOB}:5060;transport={word}>\n"
    bob.sends("REGISTER", f"sip:{DOMAIN}", target=f"sip:bob@{DOMAIN}", extra=contact)
    invite = bob.gets(call(alice, "bob"), "INVITE")
    assert line(invite).host == RELAY
    told = [one[3] for one in proxy.journal.story(b"call-1") if one[1] is Rule.MEDIA_RELAYED]
    assert told == ["the callee is behind NAT"]


def test_what_a_phone_said_before_it_learned_its_public_address(proxy: Proxy, alice: Phone) -> None:
    """Its first REGISTER is honest; from then on it writes what `received` told it."""
    relayed(proxy, mode="auto")
    Phone(proxy, "bob", BOB, behind=f"{PRIVATE}:5060")
    user = proxy.registry.remove(b"bob")
    assert user
    bob = Phone(proxy, "bob", BOB)
    assert line(bob.gets(call(alice, "bob"), "INVITE")).host == RELAY


# what a description tells


def test_an_answer_tells_it_and_what_is_offered_next_is_relayed(
    proxy: Proxy, alice: Phone, bob: Phone
) -> None:
    farm = relayed(proxy, mode="auto")
    invite = bob.gets(call(alice, "bob"), "INVITE")
    assert line(invite).host == ALICE
    ok = alice.gets(bob.says(invite, 200, body=offer(PRIVATE, 5000)), "200")
    assert line(ok).host == PRIVATE, "too late for this one"
    again = alice.gets(bob.says(invite, 200, body=offer(PRIVATE, 5000)), "200")
    assert again == ok
    told = [one[2:] for one in proxy.journal.story(b"call-1") if one[1] is Rule.MEDIA_TOO_LATE]
    assert told == [("the callee's media are behind NAT",)]
    assert proxy.statistics.amiss["media-too-late"] == 1
    talk = Talk.standing(alice, bob, invite, ok)
    data = bob.gets(talk.from_caller("INVITE", body=offer(ALICE, 4000), extra=SDP), "INVITE")
    assert line(data).host == RELAY
    bob.says(data, 200, body=offer(PRIVATE, 5000))
    stream = farm.only.streams[0]
    assert stream is not None
    assert [end.natted for end in stream.ends] == [False, True]
    bob.says(bob.gets(talk.from_caller("BYE"), "BYE"), 200)
    assert not farm.sessions
    assert line(bob.gets(call(alice, "bob", 2), "INVITE")).host == RELAY, "and the next call"


def test_an_early_answer_tells_it_too(proxy: Proxy, alice: Phone, bob: Phone) -> None:
    relayed(proxy, mode="auto")
    invite = bob.gets(call(alice, "bob"), "INVITE")
    bob.says(invite, 183, body=offer(PRIVATE, 5000))
    bob.says(invite, 200, body=offer(PRIVATE, 5000))
    assert rules(proxy).count(Rule.MEDIA_TOO_LATE) == 1


def test_an_offer_of_its_own_told_it(proxy: Proxy, alice: Phone, bob: Phone) -> None:
    relayed(proxy, mode="auto")
    assert line(alice.gets(call(bob, "alice", host=PRIVATE), "INVITE")).host == RELAY
    assert line(bob.gets(call(alice, "bob", 2), "INVITE")).host == RELAY


def test_what_another_proxy_stands_before_tells_nothing_of_it(
    proxy: Proxy, alice: Phone, bob: Phone
) -> None:
    """Two Via lines: the private media are those of a phone behind it."""
    relayed(proxy, mode="auto")
    via = f"Via: SIP/2.0/UDP {BOB}:5060;branch=z9hG4bKx\nVia: SIP/2.0/UDP 10.0.0.1;branch=z9hG4bKy"
    proxy.receive(
        bob.write("INVITE", f"sip:alice@{DOMAIN}", body=offer(PRIVATE, 1), extra=SDP, via=via),
        bob.flow,
    )
    assert line(bob.gets(call(alice, "bob", 2), "INVITE")).host == ALICE


def test_an_answer_of_another_family(proxy: Proxy, alice: Phone, bob: Phone) -> None:
    relayed(proxy, mode="auto")
    invite = bob.gets(call(alice, "bob"), "INVITE")
    ok = alice.gets(bob.says(invite, 200, body=offer("2a01:4f8::9", 5000)), "200")
    assert Rule.MEDIA_TOO_LATE in rules(proxy)
    talk = Talk.standing(alice, bob, invite, ok)
    data = bob.gets(talk.from_caller("INVITE", body=offer(ALICE, 4000), extra=SDP), "INVITE")
    assert line(data).host == RELAY
    told = [one[3] for one in proxy.journal.story(b"call-1") if one[1] is Rule.MEDIA_RELAYED]
    assert told == ["one phone speaks IPv4, the other IPv6"]
    relaying = proxy.core.relaying
    assert isinstance(relaying, Relaying)
    bob.says(bob.gets(talk.from_caller("BYE"), "BYE"), 200)
    assert not len(relaying._orphans)


def test_a_second_phone_that_picks_up_is_the_caller_s_affair_as_before(
    proxy: Proxy, alice: Phone, bob: Phone
) -> None:
    relayed(proxy, mode="auto")
    mobile = Phone(proxy, "bob", MOBILE)
    sent = call(alice, "bob")
    invites = bob.gets(sent, "INVITE"), mobile.gets(sent, "INVITE")
    alice.gets(bob.says(invites[0], 200, body=offer(BOB, 5000), tag="d"), "200")
    sent = mobile.says(invites[1], 200, body=offer(MOBILE, 5000), tag="m")
    assert [start(data) for _, data in sent] == ["200"]


def test_with_rtpengine(proxy: Proxy, alice: Phone, bob: Phone) -> None:
    engine = FakeRtpengine(proxy, mode="auto")
    invite = bob.gets(call(alice, "bob"), "INVITE")
    ok = alice.gets(bob.says(invite, 200, body=offer("2a01:4f8::9", 5000)), "200")
    assert Rule.MEDIA_TOO_LATE in rules(proxy)
    talk = Talk.standing(alice, bob, invite, ok)
    talk.from_caller("INVITE", body=offer(ALICE, 4000), extra=SDP)
    data = bob.gets(engine.answers(), "INVITE")
    assert line(data).host == HOST
    bob.says(data, 200, body=offer(PRIVATE, 5000))
    engine.answers()
    bob.says(bob.gets(talk.from_caller("BYE"), "BYE"), 200)
    assert not len(engine.media._orphans)
    assert not len(engine.media)


# a late offer: the answer is in the ACK, or in a PRACK


def late(alice: Phone, bob: Phone, host: str) -> Talk:
    """A call whose offer comes with its 200, and its answer with the ACK."""
    invite = bob.gets(alice.calls("bob"), "INVITE")
    ok = alice.gets(bob.says(invite, 200, body=offer(BOB, 5000)), "200")
    assert line(ok).host == BOB
    talk = Talk.standing(alice, bob, invite, ok)
    for _ in range(2):  # as the 200 was repeated
        ack = bob.gets(talk.from_caller("ACK", body=offer(host, 4000), extra=SDP), "ACK")
        assert line(ack).host == host
    return talk


def test_the_answer_in_an_ack_tells_it_too(proxy: Proxy, alice: Phone, bob: Phone) -> None:
    relayed(proxy, mode="auto")
    talk = late(alice, bob, PRIVATE)
    assert rules(proxy).count(Rule.MEDIA_TOO_LATE) == 1
    assert proxy.statistics.amiss == {"media-too-late": 1}
    assert alice.flow.natted
    data = alice.gets(talk.from_callee("INVITE", body=offer(BOB, 5000), extra=SDP), "INVITE")
    assert line(data).host == RELAY
    told = [one[3] for one in proxy.journal.story(b"call-1") if one[1] is Rule.MEDIA_RELAYED]
    assert told == ["the caller is behind NAT"]


def test_where_it_needs_no_relay_nothing_is_said(proxy: Proxy, alice: Phone, bob: Phone) -> None:
    relayed(proxy, mode="auto")
    late(alice, bob, ALICE)
    assert Rule.MEDIA_TOO_LATE not in rules(proxy)
    assert not alice.flow.natted


def test_the_answer_in_an_ack_of_another_family(proxy: Proxy, alice: Phone, bob: Phone) -> None:
    relayed(proxy, mode="auto")
    talk = late(alice, bob, "2a01:4f8::9")
    data = bob.gets(talk.from_caller("INVITE", body=offer(ALICE, 4000), extra=SDP), "INVITE")
    assert line(data).host == RELAY, "though this one would need none"


def test_the_answer_in_an_ack_with_rtpengine(proxy: Proxy, alice: Phone, bob: Phone) -> None:
    engine = FakeRtpengine(proxy, mode="auto")
    talk = late(alice, bob, "2a01:4f8::9")
    assert rules(proxy).count(Rule.MEDIA_TOO_LATE) == 1
    talk.from_caller("INVITE", body=offer(ALICE, 4000), extra=SDP)
    assert line(bob.gets(engine.answers(), "INVITE")).host == HOST


@pytest.mark.parametrize("mode", ["always", "never"])
def test_in_other_modes_nobody_looks(proxy: Proxy, alice: Phone, bob: Phone, mode: Any) -> None:
    farm = relayed(proxy, mode=mode)
    farm.relays.clear()
    late(alice, bob, PRIVATE)
    assert Rule.MEDIA_TOO_LATE not in rules(proxy)
