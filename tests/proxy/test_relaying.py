"""Which calls are relayed, what their messages say then, and when the ports are free again."""

from typing import Any

import pytest

from centrex.media.terms import Address
from centrex.proxy.relaying import Relaying
from centrex.trace import Rule
from tests.support.calling import Phone, Talk, find, names, rules, v6
from tests.support.proxy import DOMAIN, Proxy, respond
from tests.support.relays import FakeRelay, line, offer, relayed

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


def call(alice: Phone, *, body: str = "", **more: Any) -> list[tuple[Any, bytes]]:
    return alice.calls("bob", body=body or offer(ALICE, 4000), extra=SDP, **more)


# which calls


def test_two_phones_that_reach_each_other_are_left_alone(
    proxy: Proxy, alice: Phone, bob: Phone
) -> None:
    farm = relayed(proxy, mode="auto")
    invite = bob.gets(call(alice), "INVITE")
    assert line(invite).host == ALICE
    ok = alice.gets(bob.says(invite, 200, body=offer(BOB, 5000)), "200")
    assert line(ok).host == BOB
    assert not farm.told
    assert Rule.MEDIA_DIRECT in rules(proxy)


@pytest.mark.parametrize("behind", ["", "10.0.0.5:5060"])
def test_that_relaying_is_switched_off_is_told(proxy: Proxy, alice: Phone, behind: str) -> None:
    relayed(proxy, mode="never")
    bob = Phone(proxy, "bob", BOB, behind=behind)
    invite = bob.gets(call(alice), "INVITE")
    bob.says(invite, 180, body=offer(BOB, 5000))
    bob.says(invite, 200, body=offer(BOB, 5000))
    told = [one for one in proxy.journal.story(b"call-1") if one[1] is Rule.MEDIA_DIRECT]
    assert [one[2] for one in told] == [
        'media.mode is "never"' + (", though the callee is behind NAT" if behind else "")
    ]


@pytest.mark.parametrize("behind", ["caller", "callee"])
def test_an_end_behind_nat_is_relayed(proxy: Proxy, behind: str) -> None:
    farm = relayed(proxy, mode="auto")
    private = "10.0.0.5:5060"
    alice = Phone(proxy, "alice", ALICE, behind=private if behind == "caller" else "")
    bob = Phone(proxy, "bob", BOB, behind=private if behind == "callee" else "")
    invite = bob.gets(call(alice), "INVITE")
    assert line(invite).host == RELAY
    caller, callee = farm.only.streams[0].ends  # type: ignore[union-attr]
    assert caller.natted is (behind == "caller")
    bob.says(invite, 200, body=offer("10.0.0.5" if behind == "callee" else BOB, 5000))
    caller, callee = farm.only.streams[0].ends  # type: ignore[union-attr]
    assert callee.natted is (behind == "callee")
    assert callee.source == BOB
    assert Rule.MEDIA_RELAYED in rules(proxy)


def test_media_of_another_address_than_the_signalling(
    proxy: Proxy, alice: Phone, bob: Phone
) -> None:
    """A phone whose Via is right, but whose description is private, as with a halfway clever router."""
    farm = relayed(proxy, mode="auto")
    invite = bob.gets(call(alice, body=offer("192.168.1.9", 4000)), "INVITE")
    # 192.0.2.0/24 is a documentation network, and so as private as the other one
    assert line(invite).host == "192.168.1.9"
    assert not farm.told


def test_families_differ(proxy: Proxy, alice: Phone, bob: Phone) -> None:
    farm = relayed(proxy, mode="auto")
    carol = v6(proxy, "2001:db8::7")
    sent = proxy.receive(
        alice.write("INVITE", f"sip:bob@{DOMAIN}", body=offer("2001:db8::7", 4000), extra=SDP),
        alice.flow,
    )
    invite = bob.gets(sent, "INVITE")
    assert line(invite).host == RELAY
    stream = farm.only.streams[0]
    assert stream is not None
    assert [slot.host for slot in stream.slots] == ["2001:db8:5::1", RELAY]
    assert carol.host == "2001:db8::7"


def test_never_is_never(proxy: Proxy, bob: Phone) -> None:
    alice = Phone(proxy, "alice", ALICE, behind="10.0.0.5:5060")
    assert proxy.core.relaying is None
    invite = bob.gets(call(alice, body=offer("10.0.0.5", 4000)), "INVITE")
    assert line(invite).host == "10.0.0.5"


# what the messages say


def test_both_ways_through_one_relay(proxy: Proxy, alice: Phone, bob: Phone) -> None:
    farm = relayed(proxy)
    invite = bob.gets(call(alice), "INVITE")
    stream = farm.only.streams[0]
    assert stream is not None
    facing_alice, facing_bob = stream.slots
    assert (line(invite).host, line(invite).port) == (RELAY, facing_bob.port)
    assert stream.ends[0].rtp == Address(ALICE, 4000)
    assert stream.ends[0].rtcp == Address(ALICE, 4001)
    assert stream.ends[1].rtp is None
    ok = alice.gets(bob.says(invite, 200, body=offer(BOB, 5000)), "200")
    assert (line(ok).host, line(ok).port) == (RELAY, facing_alice.port)
    session = farm.only
    assert session.answered
    assert session.streams[0] is not None
    assert session.streams[0].ends[1].rtp == Address(BOB, 5000)
    assert session.streams[0].slots == (facing_alice, facing_bob)


def test_the_address_next_to_each_phone_is_preferred(
    proxy: Proxy, alice: Phone, bob: Phone
) -> None:
    farm = relayed(proxy, FakeRelay(hosts=("198.51.100.9", "192.0.2.1")))
    call(alice)
    stream = farm.only.streams[0]
    assert stream is not None
    assert [slot.host for slot in stream.slots] == ["192.0.2.1", "192.0.2.1"]


def test_an_offer_in_the_answer(proxy: Proxy, alice: Phone, bob: Phone) -> None:
    """RFC 3264 §4: an INVITE without a description; the 200 offers, the ACK answers."""
    farm = relayed(proxy)
    invite = bob.gets(alice.calls("bob"), "INVITE")
    assert not farm.told
    ok = alice.gets(bob.says(invite, 200, body=offer(BOB, 5000)), "200")
    assert line(ok).host == RELAY
    talk = Talk.standing(alice, bob, invite, ok)
    ack = bob.gets(talk.from_caller("ACK", body=offer(ALICE, 4000), extra=SDP), "ACK")
    assert line(ack).host == RELAY
    stream = farm.only.streams[0]
    assert stream is not None
    assert [end.rtp for end in stream.ends] == [Address(ALICE, 4000), Address(BOB, 5000)]


def test_early_media_keeps_its_ports(proxy: Proxy, alice: Phone, bob: Phone) -> None:
    farm = relayed(proxy)
    invite = bob.gets(call(alice), "INVITE")
    early = alice.gets(bob.says(invite, 183, body=offer(BOB, 5000)), "183")
    assert not farm.only.answered
    ok = alice.gets(bob.says(invite, 200, body=offer(BOB, 5000)), "200")
    assert line(early).port == line(ok).port
    again = alice.gets(bob.says(invite, 200, body=offer(BOB, 5000)), "200")
    assert again == ok
    assert [session.revision for session in farm.told] == [1, 2]


def test_the_next_destination_gets_the_same_ports(proxy: Proxy, alice: Phone) -> None:
    farm = relayed(proxy)
    first = Phone(proxy, "bob", BOB, params=";q=0.9")
    second = Phone(proxy, "bob", "192.0.2.18", params=";q=0.5")
    invite = first.gets(call(alice), "INVITE")
    first.says(invite, 183, body=offer(BOB, 5000))
    sent = first.says(invite, 486)
    other = second.gets(sent, "INVITE")
    assert (line(other).host, line(other).port) == (line(invite).host, line(invite).port)
    stream = farm.only.streams[0]
    assert stream is not None
    assert stream.ends[1].rtp is None, "what the first one said is forgotten"
    second.says(other, 200, body=offer("192.0.2.18", 6000))
    stream = farm.only.streams[0]
    assert stream is not None
    assert stream.ends[1].rtp == Address("192.0.2.18", 6000)


def test_several_lines_and_one_declined(proxy: Proxy, alice: Phone, bob: Phone) -> None:
    farm = relayed(proxy)
    video = ("m=video 4002 RTP/AVP 99", "a=rtpmap:99 H264/90000", "a=rtcp:4010")
    invite = bob.gets(call(alice, body=offer(ALICE, 4000, *video)), "INVITE")
    assert len({line(invite).port, line(invite, 1).port}) == 2
    answer = offer(BOB, 5000, "m=video 0 RTP/AVP 99")
    ok = alice.gets(bob.says(invite, 200, body=answer), "200")
    assert line(ok, 1).port == 0
    audio, film = farm.only.streams
    assert audio is not None
    assert film is None
    assert len(farm.returned) == 2, "nobody has told the relay of them"


def test_rtcp_on_one_port_needs_both_sides(proxy: Proxy, alice: Phone, bob: Phone) -> None:
    """RFC 5761 §5.1.1."""
    farm = relayed(proxy)
    invite = bob.gets(call(alice, body=offer(ALICE, 4000, "a=rtcp-mux")), "INVITE")
    stream = farm.only.streams[0]
    assert stream is not None
    assert stream.ends[0].rtcp == Address(ALICE, 4001)
    bob.says(invite, 200, body=offer(BOB, 5000, "a=rtcp-mux"))
    stream = farm.only.streams[0]
    assert stream is not None
    assert [end.rtcp for end in stream.ends] == [end.rtp for end in stream.ends]


def test_hold_and_a_new_address(proxy: Proxy, alice: Phone, bob: Phone) -> None:
    farm = relayed(proxy)
    talk = _talk(alice, bob)
    before = farm.only.streams
    held = talk.from_caller("INVITE", body=offer(ALICE, 4444, "a=sendonly"), extra=SDP)
    again = bob.gets(held, "INVITE")
    assert farm.only.streams == before, "until it is answered she sends from where she was"
    stream = before[0]
    assert stream is not None
    assert line(again).port == stream.slots[1].port
    assert not line(again).receives
    ok = alice.gets(bob.says(again, 200, body=offer(BOB, 5000, "a=recvonly")), "200")
    assert line(ok).port == stream.slots[0].port
    (stream,) = farm.only.streams
    assert stream is not None
    end = stream.ends[0]
    assert (end.rtp, end.receives, end.sends) == (Address(ALICE, 4444), False, True)
    assert not stream.ends[1].sends


def test_a_refused_change_does_not_hold(proxy: Proxy, alice: Phone, bob: Phone) -> None:
    """RFC 3264 §8: things stand as before the offer."""
    farm = relayed(proxy)
    talk = _talk(alice, bob)
    before = farm.only.streams
    again = bob.gets(talk.from_caller("INVITE", body=offer(ALICE, 4444), extra=SDP), "INVITE")
    bob.says(again, 183, body=offer(BOB, 5555))
    assert farm.only.streams != before
    bob.says(again, 488)
    assert farm.only.streams == before


def test_an_offer_of_whoever_did_not_get_the_call_has_no_lines_to_decline(
    proxy: Proxy, alice: Phone, bob: Phone
) -> None:
    relayed(proxy, FakeRelay(slots=2))
    talk = _talk(alice, bob)
    talk.from_caller("INVITE", body=offer(ALICE, 4444, "m=video 4446 RTP/AVP 96"), extra=SDP)
    assert Rule.MEDIA_DECLINED in rules(proxy)
    told = rules(proxy).count(Rule.MEDIA_DECLINED)
    talk.callee.name = "another"
    talk.from_caller("INVITE", body=offer(ALICE, 4444), extra=SDP)
    assert rules(proxy).count(Rule.MEDIA_DECLINED) == told


def test_a_change_that_nobody_answers_does_not_hold(proxy: Proxy, alice: Phone, bob: Phone) -> None:
    """A 408 to an UPDATE is not sent (RFC 4320 §4.2), and is one all the same."""
    farm = relayed(proxy)
    talk = Talk(alice, bob, body=offer("192.0.2.7", 4000), extra="Content-Type: application/sdp")
    before = farm.only.streams
    body = offer("192.0.2.7", 4444)
    talk.from_caller("UPDATE", body=body, extra="Content-Type: application/sdp")
    proxy.advance(40)
    assert farm.only.streams == before


def test_the_callee_changes_its_side(proxy: Proxy, alice: Phone, bob: Phone) -> None:
    farm = relayed(proxy)
    talk = _talk(alice, bob)
    update = talk.from_callee("UPDATE", body=offer(BOB, 5555), extra=SDP)
    data = alice.gets(update, "UPDATE")
    alice.says(data, 200)
    stream = farm.only.streams[0]
    assert stream is not None
    assert line(data).port == stream.slots[0].port
    assert stream.ends[1].rtp == Address(BOB, 5555)


def test_a_body_in_parts(proxy: Proxy, alice: Phone, bob: Phone) -> None:
    relayed(proxy)
    sdp = offer(ALICE, 4000)
    body = f"--x\r\nContent-Type: application/sdp\r\n\r\n{sdp}\r\n--x\r\n\r\nhello\r\n--x--\r\n"
    sent = alice.calls("bob", body=body, extra="Content-Type: multipart/mixed;boundary=x\n")
    data = bob.gets(sent, "INVITE")
    assert RELAY.encode() in data
    assert b"\r\n\r\nhello\r\n--x--" in data


def test_what_cannot_be_read_passes_unchanged(proxy: Proxy, alice: Phone, bob: Phone) -> None:
    farm = relayed(proxy)
    data = bob.gets(call(alice, body="v=0\r\nm=audio x RTP/AVP 0\r\n"), "INVITE")
    assert data.endswith(b"m=audio x RTP/AVP 0\r\n")
    assert not farm.told
    assert Rule.MEDIA_UNREADABLE in rules(proxy)
    assert proxy.statistics.amiss == {"media-unreadable": 1, "media-unrelayed": 1}
    assert not any(proxy.statistics.drops.values()), "nothing is dropped by it"


# without a relay


def test_another_relay_is_tried_where_the_first_lacks_ports(
    proxy: Proxy, alice: Phone, bob: Phone
) -> None:
    farm = relayed(proxy, FakeRelay("empty", slots=1), FakeRelay("full"), refuse=True)
    assert line(bob.gets(call(alice), "INVITE")).host == RELAY
    assert len(farm.returned) == 1
    relaying = proxy.core.relaying
    assert isinstance(relaying, Relaying)
    carried = relaying.of(b"call-1")
    assert carried is not None
    assert carried.by == "full"


def test_a_family_that_no_relay_has_is_named(proxy: Proxy, alice: Phone, bob: Phone) -> None:
    farm = relayed(proxy, FakeRelay(hosts=("198.51.100.1",)), refuse=True)
    farm.expects_ports = True
    carol = v6(proxy, "2001:db8::7")
    data = alice.write("INVITE", f"sip:bob@{DOMAIN}", body=offer("2001:db8::7", 4000), extra=SDP)
    sent = proxy.receive(data, carol)
    assert b"no relay has an IPv6 address" in find(sent, "503"), "nobody waits for that"
    assert bob.name == "bob"


def test_no_relay_and_media_pass_by(proxy: Proxy, alice: Phone, bob: Phone) -> None:
    farm = relayed(proxy)
    farm.relays.clear()
    invite = bob.gets(call(alice), "INVITE")
    assert line(invite).host == ALICE
    assert Rule.MEDIA_UNRELAYED in rules(proxy)
    assert proxy.statistics.amiss["media-unrelayed"] == 1


def test_no_relay_and_the_call_is_refused(proxy: Proxy, alice: Phone, bob: Phone) -> None:
    farm = relayed(proxy, refuse=True)
    farm.relays.clear()
    sent = call(alice)
    assert names(sent) == ["100", "503"]
    assert b"no media relay is available" in find(sent, "503")
    assert Rule.MEDIA_REFUSED in rules(proxy)
    proxy.advance(40)
    assert not len(proxy.core.calls)


@pytest.mark.parametrize("slots", [0, 1])
def test_a_relay_without_ports_is_no_relay(
    proxy: Proxy, alice: Phone, bob: Phone, slots: int
) -> None:
    farm = relayed(proxy, FakeRelay(slots=slots), refuse=True)
    assert names(call(alice)) == ["100", "503"]
    assert not farm.told
    farm.relays[0].left = 10
    assert "INVITE" in names(call(alice, call_id="call-2", branch="z9hG4bKother"))


# the end


def test_ports_are_free_when_the_call_has_ended(proxy: Proxy, alice: Phone, bob: Phone) -> None:
    farm = relayed(proxy)
    talk = _talk(alice, bob)
    bob.says(bob.gets(talk.from_caller("BYE"), "BYE"), 200)
    assert not farm.sessions
    assert [reason for _, reason in farm.ended] == ["hung up"]


@pytest.mark.parametrize("status", [486, 603])
def test_ports_are_free_when_nobody_picks_up(
    proxy: Proxy, alice: Phone, bob: Phone, status: int
) -> None:
    farm = relayed(proxy)
    bob.says(bob.gets(call(alice), "INVITE"), status)
    assert not farm.expected
    assert not farm.told, "there was nothing to carry"
    assert len(farm.returned) == 2


def test_a_relay_is_told_when_there_is_something_to_carry(
    proxy: Proxy, alice: Phone, bob: Phone
) -> None:
    farm = relayed(proxy)
    invite = bob.gets(call(alice), "INVITE")
    bob.says(invite, 180)
    assert len(farm.expected) == 1
    assert not farm.told
    bob.says(invite, 200, body=offer(BOB, 5000))
    assert len(farm.told) == 1
    assert not farm.expected


def test_ports_of_half_a_call_go_back(proxy: Proxy, alice: Phone, bob: Phone) -> None:
    """Ports for the first of two lines, and one of the two for the second: all are free again."""
    farm = relayed(proxy, FakeRelay(slots=3))
    invite = bob.gets(call(alice, body=offer(ALICE, 4000, "m=video 4002 RTP/AVP 99")), "INVITE")
    assert line(invite).host == ALICE, "it passes by"
    assert len(farm.returned) == 3


def test_ports_are_free_when_the_caller_gives_up(proxy: Proxy, alice: Phone, bob: Phone) -> None:
    farm = relayed(proxy)
    invite = bob.gets(call(alice), "INVITE")
    bob.says(invite, 180)
    alice.sends("CANCEL", f"sip:bob@{DOMAIN}", branch="z9hG4bKcall")
    bob.says(invite, 487)
    assert not farm.expected
    assert len(farm.returned) == 2


def test_silence_ends_the_relay_s_part_and_a_new_offer_begins_anew(
    proxy: Proxy, alice: Phone, bob: Phone
) -> None:
    farm = relayed(proxy)
    talk = _talk(alice, bob)
    relaying = proxy.core.relaying
    assert isinstance(relaying, Relaying)
    name = farm.only.id
    assert not relaying.lost(b"call-1", "another")
    assert relaying.lost(b"call-1", name)
    assert not relaying.lost(b"call-1", name)
    data = bob.gets(talk.from_caller("INVITE", body=offer(ALICE, 4000), extra=SDP), "INVITE")
    assert line(data).host == RELAY
    del farm.sessions[name]
    assert farm.only.id != name
    ok = alice.gets(bob.says(data, 200, body=offer(BOB, 5000)), "200")
    stream = farm.only.streams[0]
    assert stream is not None
    assert [slot.port for slot in stream.slots] == [line(ok).port, line(data).port]
    bob.says(bob.gets(talk.from_caller("BYE"), "BYE"), 200)
    assert [reason for _, reason in farm.ended] == ["hung up"]
    assert not len(relaying._orphans)


def test_a_relay_that_does_not_come_back_is_left_with_the_next_offer(
    proxy: Proxy, alice: Phone, bob: Phone
) -> None:
    relay, other = FakeRelay("old"), FakeRelay("new", hosts=("198.51.100.77",))
    farm = relayed(proxy, relay, other)
    talk = _talk(alice, bob)
    data = bob.gets(talk.from_caller("INVITE", body=offer(ALICE, 4444), extra=SDP), "INVITE")
    assert line(data).host == RELAY
    bob.says(data, 200, body=offer(BOB, 5000))
    relay.lost = True
    data = bob.gets(talk.from_caller("INVITE", body=offer(ALICE, 4444), extra=SDP), "INVITE")
    assert line(data).host == "198.51.100.77"
    assert b"o=- 1 2 IN" in data, "it is another description, though alice's is the same"
    assert [reason for _, reason in farm.ended] == ["the relay is lost"]
    ok = alice.gets(bob.says(data, 200, body=offer(BOB, 5000)), "200")
    assert line(ok).host == "198.51.100.77"
    assert b"o=- 1 2 IN" in ok
    other.lost = True
    relay.lost = False
    data = bob.gets(talk.from_caller("INVITE", body=offer(ALICE, 4444), extra=SDP), "INVITE")
    assert line(data).host == RELAY
    assert b"o=- 1 3 IN" in data


def test_who_was_behind_nat_is_so_after_the_relay_has_ended_its_part(
    proxy: Proxy, alice: Phone
) -> None:
    farm = relayed(proxy, mode="auto")
    bob = Phone(proxy, "bob", BOB, behind="10.0.0.5:5060")
    talk = _talk(alice, bob)
    relaying = proxy.core.relaying
    assert isinstance(relaying, Relaying)
    assert relaying.lost(b"call-1", farm.only.id)
    farm.sessions.clear()
    data = bob.gets(talk.from_caller("INVITE", body=offer(ALICE, 4000), extra=SDP), "INVITE")
    assert line(data).host == RELAY
    bob.says(data, 200, body=offer("10.0.0.5", 5000))
    stream = farm.only.streams[0]
    assert stream is not None
    assert [end.natted for end in stream.ends] == [False, True]


def test_what_comes_after_the_end_begins_nothing(proxy: Proxy, alice: Phone, bob: Phone) -> None:
    """An answer that crosses the end of its call: it is passed on, but no relay is told."""
    farm = relayed(proxy)
    invite = bob.gets(call(alice), "INVITE")
    bob.says(invite, 180)
    relaying = proxy.core.relaying
    assert isinstance(relaying, Relaying)
    relaying.end(proxy.core, b"call-1", "the call failed", proxy.now)
    ok = alice.gets(bob.says(invite, 200, body=offer(BOB, 5000)), "200")
    assert line(ok).host == RELAY
    assert not farm.told
    assert not farm.expected


# after a restart


def test_a_session_that_a_relay_held_is_taken_up_again(proxy: Proxy) -> None:
    farm = relayed(proxy)
    alice, bob = Phone(proxy, "alice", ALICE), Phone(proxy, "bob", BOB)
    talk = _talk(alice, bob)
    session = farm.only
    later = Proxy(users=["alice", "bob"], run=b"00000001")
    again = relayed(later)
    assert isinstance(later.core.relaying, Relaying)
    assert later.core.relaying.adopt(again.relays[0], session)
    assert later.core.relaying.adopt(again.relays[0], session), "told twice, it is one"
    again.sessions[session.id] = session
    for phone in (alice, bob):
        phone.proxy, phone.flow = later, later.flows.get(phone.flow.host, 5060)
    data = bob.gets(talk.from_caller("INVITE", body=offer(ALICE, 4444), extra=SDP), "INVITE")
    stream = again.only.streams[0]
    assert stream is not None
    assert line(data).port == stream.slots[1].port
    assert again.only.revision == session.revision
    bob.says(data, 200, body=offer(BOB, 5000))
    assert again.only.revision == session.revision + 1
    bob.says(bob.gets(talk.from_caller("BYE"), "BYE"), 200)
    assert not again.sessions


def _talk(alice: Phone, bob: Phone) -> Talk:
    """A call that is up, with descriptions both ways."""
    invite = bob.gets(call(alice), "INVITE")
    return Talk.standing(
        alice, bob, invite, alice.gets(bob.says(invite, 200, body=offer(BOB, 5000)), "200")
    )


def test_respond_writes_bodies() -> None:
    assert respond(b"INVITE a SIP/2.0\r\n\r\n", 200, body="abc").endswith(b": 3\r\n\r\nabc")


# a rush


def test_calls_wait_for_ports_that_are_being_leased(proxy: Proxy, alice: Phone, bob: Phone) -> None:
    relay = FakeRelay(slots=0)
    farm = relayed(proxy, relay)
    farm.expects_ports = True
    relaying = proxy.core.relaying
    assert isinstance(relaying, Relaying)
    assert names(call(alice)) == ["100"]
    relaying.go_on(proxy.core, proxy.now + 0.1)
    assert not proxy.taken(), "it goes on waiting"
    assert not len(relaying)
    relay.left = 2
    relaying.go_on(proxy.core, proxy.now + 0.2)
    assert line(bob.gets(proxy.taken(), "INVITE")).host == RELAY
    relaying.go_on(proxy.core, proxy.now + 0.3)
    assert not proxy.taken()


def test_they_do_not_wait_long(proxy: Proxy, alice: Phone, bob: Phone) -> None:
    farm = relayed(proxy, FakeRelay(slots=0))
    farm.expects_ports = True
    relaying = proxy.core.relaying
    assert isinstance(relaying, Relaying)
    assert names(call(alice)) == ["100"]
    relaying.go_on(proxy.core, proxy.now + 1)
    assert line(bob.gets(proxy.taken(), "INVITE")).host == ALICE
    assert Rule.MEDIA_UNRELAYED in rules(proxy)


@pytest.mark.usefixtures("bob")
def test_who_gives_up_meanwhile_is_not_called(proxy: Proxy, alice: Phone) -> None:
    relay = FakeRelay(slots=0)
    farm = relayed(proxy, relay)
    farm.expects_ports = True
    relaying = proxy.core.relaying
    assert isinstance(relaying, Relaying)
    call(alice)
    sent = alice.sends("CANCEL", "sip:bob@example.com", branch="z9hG4bKcall")
    assert sorted(names(sent)) == ["200", "487"]
    relay.left = 2
    relaying.go_on(proxy.core, proxy.now + 0.1)
    assert not proxy.taken()
    assert relay.left == 2


def test_only_so_many_wait(proxy: Proxy, alice: Phone, bob: Phone) -> None:
    farm = relayed(proxy, FakeRelay(slots=0))
    farm.expects_ports = True
    for number in range(2000):
        sent = call(alice, branch=f"z9hG4bK{number}", call_id=f"c{number}")
        assert names(sent) == ["100"]
    sent = call(alice, branch="z9hG4bKlast", call_id="last")
    assert line(bob.gets(sent, "INVITE")).host == ALICE
