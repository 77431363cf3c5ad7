"""An INVITE that describes nothing, and no relay for what its answer offers: refused whole, or not at all."""

import pytest

from centrex.proxy.media_path import Mode
from centrex.proxy.relaying import Relaying
from centrex.trace import Rule
from tests.support.calling import Phone, Talk, find, names, quiet, rules
from tests.support.proxy import Proxy
from tests.support.relays import FakeRelay, line, offer, relayed
from tests.support.rtpengine_asked import FakeRtpengine

SDP = "Content-Type: application/sdp\n"
ALICE, BOB, MOBILE = "192.0.2.7", "192.0.2.8", "192.0.2.9"
HIDDEN = "phone.invalid"
"""A media address that nobody can reach but its owner."""
WHY = b'Reason: SIP;cause=488;text="No media relay"'


@pytest.fixture
def proxy() -> Proxy:
    return Proxy(users=["alice", "bob"])


@pytest.fixture
def alice(proxy: Proxy) -> Phone:
    return Phone(proxy, "alice", ALICE)


@pytest.fixture
def bob(proxy: Proxy) -> Phone:
    return Phone(proxy, "bob", BOB)


@pytest.mark.parametrize("mode", ["always", "auto"])
@pytest.mark.parametrize("rings", [True, False])
def test_who_picks_up_in_vain_is_hung_up_and_the_caller_is_told(
    proxy: Proxy, alice: Phone, bob: Phone, mode: Mode, rings: bool
) -> None:
    farm = relayed(proxy, FakeRelay(slots=0), mode=mode, refuse=True)
    mobile = Phone(proxy, "bob", MOBILE)
    sent = alice.calls("bob")
    invite, other = bob.gets(sent, "INVITE"), mobile.gets(sent, "INVITE")
    mobile.says(other, 180)
    if rings:
        bob.says(invite, 180)
    sent = bob.says(invite, 200, body=offer(HIDDEN, 5000))
    assert sorted(names(sent)) == ["503", "ACK", "BYE", "CANCEL"]
    refusal = alice.gets(sent, "503")
    assert b'Warning: 399 centrex "the relay relay has no port left"' in refusal or (
        b'Warning: 399 centrex "no media relay is available"' in refusal
    )
    bye = bob.gets(sent, "BYE")
    assert WHY in bye
    mobile.says(mobile.gets(sent, "CANCEL"), 200)
    mobile.says(other, 487)
    again = bob.says(invite, 200, body=offer(HIDDEN, 5000))
    assert names(again) == ["ACK"], "repeated, it is acknowledged again"
    bob.says(bye, 200)
    assert Rule.MEDIA_REFUSED in rules(proxy)
    assert Rule.LEG_ENDED in rules(proxy)
    proxy.advance(200)
    assert quiet(proxy)
    assert not farm.told
    assert not farm.expected
    assert not len(proxy.core.relaying)  # type: ignore[arg-type]


def test_who_offers_while_ringing_is_cancelled(proxy: Proxy, alice: Phone, bob: Phone) -> None:
    """A reliable 183 (RFC 3262 §5)."""
    relayed(proxy, FakeRelay(slots=0), refuse=True)
    invite = bob.gets(alice.calls("bob", extra="Supported: 100rel\n"), "INVITE")
    reliable = "Require: 100rel\nRSeq: 1\n"
    sent = bob.says(invite, 183, body=offer(BOB, 5000), extra=reliable)
    assert sorted(names(sent)) == ["503", "CANCEL"]
    assert WHY in bob.gets(sent, "CANCEL")
    crossed = bob.says(invite, 200, body=offer(BOB, 5000))
    assert sorted(names(crossed)) == ["ACK", "BYE"], "it picked up before it heard that"
    bob.says(bob.gets(crossed, "BYE"), 200)
    proxy.advance(200)
    assert quiet(proxy)


def test_where_that_is_not_wished_it_passes(proxy: Proxy, alice: Phone, bob: Phone) -> None:
    relayed(proxy, FakeRelay(slots=0))
    invite = bob.gets(alice.calls("bob"), "INVITE")
    ok = alice.gets(bob.says(invite, 200, body=offer(HIDDEN, 5000)), "200")
    assert line(ok).host == HIDDEN
    assert Rule.MEDIA_UNRELAYED in rules(proxy)


def test_an_answer_is_never_refused(proxy: Proxy, alice: Phone, bob: Phone) -> None:
    """What it answers has passed."""
    relayed(proxy, FakeRelay(slots=0), refuse=True)
    invite = bob.gets(alice.calls("bob", body=offer(ALICE, 0), extra=SDP), "INVITE")
    sent = bob.says(invite, 200, body=offer(BOB, 5000))
    assert names(sent) == ["200"], "though its line answers none that was wanted"
    assert Rule.MEDIA_UNRELAYED in rules(proxy)


def _standing(alice: Phone, bob: Phone) -> Talk:
    invite = bob.gets(alice.calls("bob", body=offer(ALICE, 4000), extra=SDP), "INVITE")
    ok = alice.gets(bob.says(invite, 200, body=offer(BOB, 5000)), "200")
    return Talk.standing(alice, bob, invite, ok)


def test_within_a_call_it_is_declined_and_the_call_stands(
    proxy: Proxy, alice: Phone, bob: Phone
) -> None:
    """A 2xx cannot be refused; what it offers can be kept from passing by."""
    farm = relayed(proxy, mode="auto", refuse=True)
    talk = _standing(alice, bob)
    farm.relays.clear()
    data = bob.gets(talk.from_caller("INVITE"), "INVITE")
    body = offer(HIDDEN, 5000, "m=message 7000 TCP/MSRP *")
    ok = alice.gets(bob.says(data, 200, body=body), "200")
    assert [line(ok, number).port for number in (0, 1)] == [0, 7000]
    assert Rule.MEDIA_DECLINED in rules(proxy)
    assert Rule.MEDIA_UNRELAYED not in rules(proxy)
    bob.says(bob.gets(talk.from_caller("BYE"), "BYE"), 200)
    proxy.advance(200)
    assert quiet(proxy)


# the same with rtpengine


def test_rtpengine_that_goes_meanwhile(proxy: Proxy, alice: Phone, bob: Phone) -> None:
    engine = FakeRtpengine(proxy, refuse=True)
    assert names(alice.calls("bob")) == ["100"]
    invite = bob.gets(engine.answers(), "INVITE")
    bob.says(invite, 200, body=offer(BOB, 5000))
    assert not bob.says(invite, 200, body=offer(BOB, 5000)), "it waits with the first one"
    engine.silent = True
    sent = engine.answers()
    assert sorted(names(sent)) == ["503", "ACK", "BYE"]
    assert b"no rtpengine answers" in find(sent, "503")
    assert WHY in bob.gets(sent, "BYE")
    assert names(bob.says(invite, 200, body=offer(BOB, 5000))) == ["ACK"]
    bob.says(bob.gets(sent, "BYE"), 200)
    proxy.advance(200)
    assert quiet(proxy)
    assert not engine.media._queues
    assert not len(engine.media)


def test_rtpengine_that_goes_within_a_call(proxy: Proxy, alice: Phone, bob: Phone) -> None:
    engine = FakeRtpengine(proxy, mode="auto", refuse=True)
    talk = _standing(alice, bob)
    data = bob.gets(talk.from_caller("INVITE"), "INVITE")
    assert not bob.says(data, 200, body=offer(HIDDEN, 5000))
    engine.silent = True
    ok = alice.gets(engine.answers(), "200")
    assert line(ok).port == 0
    assert Rule.MEDIA_DECLINED in rules(proxy)


@pytest.mark.parametrize("mode", ["always", "auto"])
def test_who_rings_after_the_call_has_failed_begins_nothing(
    proxy: Proxy, alice: Phone, bob: Phone, mode: Mode
) -> None:
    farm = relayed(proxy, relay := FakeRelay(), mode=mode)
    invite = bob.gets(alice.calls("bob"), "INVITE")
    assert "408" in names(proxy.advance(6))
    assert names(bob.says(invite, 183, body=offer(HIDDEN, 5000))) == ["CANCEL"]
    media = proxy.core.relaying
    assert media is not None
    assert (media.of(b"call-1"), farm.expected) == (None, {})
    assert set(farm.returned) == relay.given


@pytest.mark.parametrize("end", ["BYE", "lost"])
def test_what_is_offered_after_the_end_takes_no_ports(
    proxy: Proxy, alice: Phone, bob: Phone, end: str
) -> None:
    """A re-INVITE is answered when its call is over; nobody would give back what that took."""
    farm = relayed(proxy, relay := FakeRelay())
    invite = bob.gets(alice.calls("bob", body=offer(ALICE, 4000), extra=SDP), "INVITE")
    ok = alice.gets(bob.says(invite, 200, body=offer(BOB, 5000)), "200")
    talk = Talk.standing(alice, bob, invite, ok)
    session, taken = farm.only, set(relay.given)
    again = bob.gets(talk.from_caller("INVITE"), "INVITE")
    if end == "BYE":
        talk.from_caller("BYE")
    else:
        assert isinstance(proxy.core.relaying, Relaying)
        assert proxy.core.relaying.lost(b"call-1", session.id)
    body = offer(BOB, 5000, "m=video 5002 RTP/AVP 99", "m=video 5004 RTP/AVP 99")
    ok = alice.gets(bob.says(again, 200, body=body), "200")
    assert [line(ok, number).port > 0 for number in range(3)] == [True, False, False]
    assert relay.given == taken


@pytest.mark.parametrize("ends", ["", "\r\n", "\r\n\r\n"])
def test_early_media_are_relayed_however_their_description_ends(
    proxy: Proxy, alice: Phone, bob: Phone, ends: str
) -> None:
    relayed(proxy)
    invite = bob.gets(alice.calls("bob", body=offer(ALICE, 4000), extra=SDP), "INVITE")
    assert alice.gets(bob.says(invite, 180), "180")
    early = alice.gets(bob.says(invite, 183, body=offer(BOB, 5000) + ends), "183")
    assert line(early).host == "198.51.100.1"


def test_a_call_that_describes_nothing_is_expected_at_no_relay(
    proxy: Proxy, alice: Phone, bob: Phone
) -> None:
    farm = relayed(proxy)
    invite = bob.gets(alice.calls("bob"), "INVITE")
    bob.says(invite, 180)
    assert not farm.expected
    alice.gets(bob.says(invite, 200), "200")
    assert not farm.expected
    assert not farm.told


def test_an_offer_that_cannot_be_read_leaves_that_of_another_phone(
    proxy: Proxy, alice: Phone, bob: Phone
) -> None:
    """Both answer one INVITE that describes nothing; only what the first has offered passes by."""
    farm = relayed(proxy, relay := FakeRelay())
    mobile = Phone(proxy, "bob", MOBILE)
    sent = alice.calls("bob")
    invite, other = bob.gets(sent, "INVITE"), mobile.gets(sent, "INVITE")
    mobile.says(other, 183, body="rubbish\r\n", tag="m")
    early = alice.gets(bob.says(invite, 183, body=offer(BOB, 5000)), "183")
    assert line(early).host == "198.51.100.1"
    assert len(farm.expected) == 1, "its ports are held"
    for phone, data in ((bob, invite), (mobile, other)):
        phone.says(data, 486)
    assert not farm.expected
    assert set(farm.returned) == relay.given
