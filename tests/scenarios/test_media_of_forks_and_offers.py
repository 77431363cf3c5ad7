"""Relayed calls that go another way than usual: forks, lines without ports, offers that change it."""

from typing import Any

import pytest

from centrex.events import Kind
from centrex.media.terms import Address
from centrex.trace import Rule
from tests.support.calling import Phone, Talk, find, names, rules
from tests.support.proxy import Proxy
from tests.support.relays import FakeFarm, FakeRelay, line, offer, relayed

SDP = "Content-Type: application/sdp\n"
ALICE, BOB, MOBILE = "192.0.2.7", "192.0.2.8", "192.0.2.9"
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


@pytest.fixture
def desk_and_mobile(proxy: Proxy) -> tuple[Phone, Phone]:
    return Phone(proxy, "bob", BOB), Phone(proxy, "bob", MOBILE)


def call(alice: Phone, *, body: str = "", **more: Any) -> list[tuple[Any, bytes]]:
    return alice.calls("bob", body=body or offer(ALICE, 4000), extra=SDP, **more)


# several who are called


def _callee(farm: FakeFarm) -> Address | None:
    stream = farm.only.streams[0]
    assert stream is not None
    return stream.ends[1].rtp


def test_a_call_without_a_relay_is_counted_and_told_of_once(
    proxy: Proxy, alice: Phone, desk_and_mobile: tuple[Phone, Phone]
) -> None:
    """However many phones ring."""
    proxy.core.wanted = frozenset({Kind.MEDIA})
    relayed(proxy, FakeRelay(slots=0))
    sent = call(alice)
    assert names(sent).count("INVITE") == 2
    assert proxy.statistics.amiss["media-unrelayed"] == 1
    told = [one for one in proxy.core.events if one.name == "media.unrelayed"]
    assert len(told) == 1
    assert rules(proxy).count(Rule.MEDIA_UNRELAYED) == 1


@pytest.mark.parametrize("late", [183, 200])
def test_who_answers_first_is_heard_whatever_the_other_still_says(
    proxy: Proxy, alice: Phone, desk_and_mobile: tuple[Phone, Phone], late: int
) -> None:
    farm = relayed(proxy)
    desk, mobile = desk_and_mobile
    sent = call(alice)
    mine, other = desk.gets(sent, "INVITE"), mobile.gets(sent, "INVITE")
    mobile.says(other, 183, body=offer(MOBILE, 6000), tag="m")
    assert _callee(farm) == Address(MOBILE, 6000), "early media"
    alice.gets(desk.says(mine, 200, body=offer(BOB, 5000), tag="d"), "200")
    told = len(farm.told)
    sent = mobile.says(other, late, body=offer(MOBILE, 6002), tag="m")
    if late == 200:
        mobile.gets(sent, "ACK")
        mobile.says(mobile.gets(sent, "BYE"), 200)
    assert len(farm.told) == told
    assert _callee(farm) == Address(BOB, 5000)


def test_one_branch_forks_and_the_200_describes_nothing(
    proxy: Proxy, alice: Phone, bob: Phone
) -> None:
    """Answers in reliable 183s; the 200 of the first one has none (RFC 3262 §5)."""
    farm = relayed(proxy)
    invite = bob.gets(call(alice), "INVITE")
    reliable = "Require: 100rel\nRSeq: 1\n"
    for tag, host in (("x", BOB), ("y", MOBILE)):
        bob.says(invite, 183, body=offer(host, 5000), tag=tag, extra=reliable)
    bob.says(invite, 200, tag="x")
    assert _callee(farm) == Address(BOB, 5000)


def test_a_phone_behind_nat_beside_one_that_is_not(proxy: Proxy, alice: Phone) -> None:
    farm = relayed(proxy)
    home = Phone(proxy, "bob", BOB, behind="10.0.0.5:5060")
    Phone(proxy, "bob", MOBILE)
    home.says(home.gets(call(alice), "INVITE"), 200, body=offer(BOB, 5000))
    stream = farm.only.streams[0]
    assert stream is not None
    assert stream.ends[1].natted


def test_one_that_cannot_be_relayed_ends_the_call_for_all_its_phones(
    proxy: Proxy, alice: Phone, desk_and_mobile: tuple[Phone, Phone]
) -> None:
    farm = relayed(proxy, refuse=True)
    farm.relays.clear()
    assert desk_and_mobile
    sent = call(alice)
    assert names(sent) == ["100", "503"]
    assert b"no media relay is available" in find(sent, "503")
    finals = [one for one in proxy.journal.story(b"call-1") if one[1] is Rule.ANSWERED]
    assert [one[2] for one in finals] == [503]
    assert Rule.TARGET_CANCELLED not in rules(proxy)
    proxy.advance(40)
    assert not len(proxy.core.calls)


def test_a_phone_that_rings_already_is_cancelled_then(proxy: Proxy, alice: Phone) -> None:
    """One can be reached without a relay and rings; the next one cannot, and there is none."""
    farm = relayed(proxy, mode="auto", refuse=True)
    farm.relays.clear()
    desk = Phone(proxy, "bob", BOB)
    Phone(proxy, "bob", MOBILE, behind="10.0.0.5:5060")
    sent = call(alice)
    assert sorted(names(sent)) == ["100", "503", "INVITE"]
    assert "CANCEL" in names(desk.says(desk.gets(sent, "INVITE"), 180))


# a line too many


FILM = "m=video {} RTP/AVP 99"


@pytest.mark.parametrize("method", ["INVITE", "UPDATE"])
def test_a_new_line_without_ports_is_declined_and_voice_goes_on(
    proxy: Proxy, alice: Phone, bob: Phone, method: str
) -> None:
    farm = relayed(proxy, FakeRelay(slots=3))
    talk = _talk(alice, bob)
    before = farm.only.streams
    body = offer(ALICE, 4000, FILM.format(4002))
    data = bob.gets(talk.from_caller(method, body=body, extra=SDP), method)
    assert line(data).port == before[0].slots[1].port  # type: ignore[union-attr]
    assert line(data, 1).port == 0
    assert Rule.MEDIA_DECLINED in rules(proxy)
    assert proxy.statistics.amiss["media-declined"] == 1
    assert len(farm.returned) == 1, "what was taken in vain"
    ok = alice.gets(bob.says(data, 200, body=offer(BOB, 5000, FILM.format(5002))), "200")
    assert line(ok).port == before[0].slots[0].port  # type: ignore[union-attr]
    assert line(ok, 1).port == 0, "it answers what was declined"
    assert farm.only.streams == (*before, None)


@pytest.mark.parametrize("method", ["INVITE", "UPDATE"])
def test_or_the_offer_is_refused_and_the_call_stands(
    proxy: Proxy, alice: Phone, bob: Phone, method: str
) -> None:
    farm = relayed(proxy, FakeRelay(slots=2), refuse=True)
    talk = _talk(alice, bob)
    before = farm.only
    body = offer(ALICE, 4444, FILM.format(4002))
    sent = talk.from_caller(method, body=body, extra=SDP)
    refusal = alice.gets(sent, "488")
    assert b'Warning: 399 centrex "the relay relay has no port left"' in refusal
    assert method not in names(sent)
    assert farm.only == before
    data = bob.gets(talk.from_caller("INVITE", body=offer(ALICE, 4000), extra=SDP), "INVITE")
    assert line(data).port == before.streams[0].slots[1].port  # type: ignore[union-attr]


# calls that were not relayed


def test_a_late_offer_from_a_private_network(proxy: Proxy, alice: Phone, bob: Phone) -> None:
    """The first description decides, whoever it is from."""
    farm = relayed(proxy, mode="auto")
    invite = bob.gets(alice.calls("bob"), "INVITE")
    bob.says(invite, 180)
    assert not {Rule.MEDIA_DIRECT, Rule.MEDIA_RELAYED} & set(rules(proxy)), "nothing is known yet"
    ok = alice.gets(bob.says(invite, 200, body=offer("phone.invalid", 5000)), "200")
    assert line(ok).host == RELAY
    talk = Talk.standing(alice, bob, invite, ok)
    ack = bob.gets(talk.from_caller("ACK", body=offer(ALICE, 4000), extra=SDP), "ACK")
    assert line(ack).host == RELAY
    stream = farm.only.streams[0]
    assert stream is not None
    assert [end.rtp for end in stream.ends] == [Address(ALICE, 4000), None]
    assert stream.ends[1].natted
    assert farm.only.answered
    bob.says(bob.gets(talk.from_caller("BYE"), "BYE"), 200)
    assert not farm.sessions


def test_a_late_offer_that_needs_no_relay(proxy: Proxy, alice: Phone, bob: Phone) -> None:
    farm = relayed(proxy, mode="auto")
    invite = bob.gets(alice.calls("bob"), "INVITE")
    ok = alice.gets(bob.says(invite, 200, body=offer(BOB, 5000)), "200")
    assert line(ok).host == BOB
    assert Rule.MEDIA_DIRECT in rules(proxy)
    talk = Talk.standing(alice, bob, invite, ok)
    ack = bob.gets(talk.from_caller("ACK", body=offer(ALICE, 4000), extra=SDP), "ACK")
    assert line(ack).host == ALICE, "what answers an offer goes the way of the offer"
    assert not farm.relays[0].left < 1000


def test_a_late_offer_and_no_relay(proxy: Proxy, alice: Phone, bob: Phone) -> None:
    farm = relayed(proxy, mode="auto")
    farm.relays.clear()
    invite = bob.gets(alice.calls("bob"), "INVITE")
    ok = alice.gets(bob.says(invite, 200, body=offer("phone.invalid", 5000)), "200")
    assert line(ok).host == "phone.invalid"
    talk = Talk.standing(alice, bob, invite, ok)
    ack = bob.gets(talk.from_caller("ACK", body=offer(ALICE, 4000), extra=SDP), "ACK")
    assert line(ack).host == ALICE
    assert Rule.MEDIA_UNRELAYED in rules(proxy)


@pytest.mark.parametrize("method", ["INVITE", "UPDATE"])
@pytest.mark.parametrize("side", ["caller", "callee"])
def test_who_moves_behind_nat_is_relayed_from_there_on(
    proxy: Proxy, alice: Phone, bob: Phone, method: str, side: str
) -> None:
    farm = relayed(proxy, mode="auto")
    talk = _talk(alice, bob)
    assert not farm.told
    mover, other = (alice, bob) if side == "caller" else (bob, alice)
    mover.behind = "10.0.0.5:5060"
    send = talk.from_caller if side == "caller" else talk.from_callee
    data = other.gets(send(method, body=offer("10.0.0.5", 4444), extra=SDP), method)
    ok = mover.gets(other.says(data, 200, body=offer(other.flow.host, 5000)), "200")
    stream = farm.only.streams[0]
    assert stream is not None
    ports = [line(data).port, line(ok).port]
    at = side == "caller"
    assert ports == [stream.slots[at].port, stream.slots[not at].port]
    assert stream.ends[not at].natted
    assert not stream.ends[at].natted
    assert farm.only.answered
    bob.says(bob.gets(talk.from_caller("BYE"), "BYE"), 200)
    assert not farm.sessions


def test_an_offer_within_a_call_that_needs_no_relay(proxy: Proxy, alice: Phone, bob: Phone) -> None:
    farm = relayed(proxy, mode="auto")
    talk = _talk(alice, bob)
    for body in (offer(ALICE, 4444), offer("0.0.0.0", 4444)):
        data = bob.gets(talk.from_caller("INVITE", body=body, extra=SDP), "INVITE")
        assert body.encode() in data
    data = bob.gets(talk.from_caller("INVITE"), "INVITE")
    ok = alice.gets(bob.says(data, 200, body=offer("phone.invalid", 5000)), "200")
    assert line(ok).host == RELAY, "a late offer is looked at, too"
    assert len(farm.sessions) == 1


def test_an_update_that_describes_nothing_changes_nothing(
    proxy: Proxy, alice: Phone, bob: Phone
) -> None:
    """As it refreshes a session (RFC 4028 §7.4), from behind NAT and with no relay there."""
    farm = relayed(proxy, mode="auto", refuse=True)
    talk = _talk(alice, bob)
    farm.relays.clear()
    alice.behind = "10.0.0.5:5060"
    update = bob.gets(talk.from_caller("UPDATE"), "UPDATE")
    alice.gets(bob.says(update, 200), "200")
    assert Rule.MEDIA_REFUSED not in rules(proxy)


def test_a_late_offer_of_another_family_finds_the_relay_that_has_it(
    proxy: Proxy, alice: Phone, bob: Phone
) -> None:
    relayed(proxy, FakeRelay("four", hosts=("198.51.100.1",)), FakeRelay("both"))
    invite = bob.gets(alice.calls("bob"), "INVITE")
    ok = alice.gets(bob.says(invite, 200, body=offer("2001:db8::8", 5000)), "200")
    assert line(ok).host == RELAY
    told = [one[2:] for one in proxy.journal.story(b"call-1") if one[1] is Rule.MEDIA_RELAYED]
    assert told == [("four", "always relayed"), ("both", "the relay four has no port left")]


def test_an_offer_that_would_be_relayed_from_here_on_is_refused(
    proxy: Proxy, alice: Phone, bob: Phone
) -> None:
    farm = relayed(proxy, mode="auto")
    talk = _talk(alice, bob)
    alice.behind = "10.0.0.5:5060"
    data = bob.gets(talk.from_caller("INVITE", body=offer("10.0.0.5", 4444), extra=SDP), "INVITE")
    bob.says(data, 488)
    assert len(farm.returned) == 2, "things stand as before: not relayed"
    assert not farm.expected
    assert not farm.sessions


def test_a_body_that_cannot_be_read_is_answered_as_it_was(
    proxy: Proxy, alice: Phone, bob: Phone
) -> None:
    relayed(proxy)
    invite = bob.gets(call(alice, body="v=0\r\nm=audio x RTP/AVP 0\r\n"), "INVITE")
    ok = alice.gets(bob.says(invite, 200, body=offer(BOB, 5000)), "200")
    assert line(ok).host == BOB


def _talk(alice: Phone, bob: Phone) -> Talk:
    """A call that is up, with descriptions both ways."""
    invite = bob.gets(call(alice), "INVITE")
    return Talk.standing(
        alice, bob, invite, alice.gets(bob.says(invite, 200, body=offer(BOB, 5000)), "200")
    )


@pytest.mark.parametrize(("final", "early"), [(488, True), (488, False), (200, False)])
def test_a_change_that_describes_nothing_in_the_end_leaves_no_ports(
    proxy: Proxy, alice: Phone, bob: Phone, final: int, early: bool
) -> None:
    """Of a call that is unknown to us; the offer would be the answering side's."""
    farm = relayed(proxy)
    relaying = proxy.core.relaying
    assert relaying is not None
    invite = bob.gets(alice.calls("bob", to_tag="bob", branch="z9hG4bKlate"), "INVITE")
    if early:
        bob.says(invite, 183, body=offer(BOB, 5000))
        assert relaying.of(b"call-1") is not None
    bob.says(invite, final)
    assert relaying.of(b"call-1") is None
    assert farm.expected == {}
    assert farm.sessions == {}
