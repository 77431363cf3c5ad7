"""Calls to phones of IPv4 and of IPv6 at once: each is offered what it can reach."""

from typing import Any

import pytest

from centrex.media.terms import Address, Slot
from centrex.proxy.media_path import Mode
from centrex.proxy.relaying import Relaying
from centrex.trace import Rule
from tests.support.calling import Phone, Sent, Talk, names, rules, v6
from tests.support.proxy import Proxy
from tests.support.relays import FakeFarm, FakeRelay, line, offer, relayed
from tests.support.rtpengine_asked import FakeRtpengine

SDP = "Content-Type: application/sdp\n"
ALICE, DESK, TABLET = "192.0.2.7", "192.0.2.8", "2001:db8::8"
FOUR, SIX = "198.51.100.1", "2001:db8:5::1"


@pytest.fixture
def proxy() -> Proxy:
    return Proxy(users=["alice", "bob"])


@pytest.fixture
def alice(proxy: Proxy) -> Phone:
    return Phone(proxy, "alice", ALICE)


def _desk(proxy: Proxy, params: str = "") -> Phone:
    return Phone(proxy, "bob", DESK, params=params)


def _tablet(proxy: Proxy, params: str = "") -> Phone:
    v6(proxy, TABLET)
    return Phone(proxy, "bob", TABLET, behind=f"[{TABLET}]:5060", params=params)


def _phones(proxy: Proxy, first: str) -> tuple[Phone, Phone]:
    """Desk and tablet, of which one registered first."""
    if first == "desk":
        return _desk(proxy), _tablet(proxy)
    tablet = _tablet(proxy)
    return _desk(proxy), tablet


def call(alice: Phone, *more: str, **others: Any) -> Sent:
    return alice.calls("bob", body=offer(ALICE, 4000, *more), extra=SDP, **others)


def _streams(farm: FakeFarm) -> list[tuple[tuple[Slot, Slot], list[Address | None]]]:
    """Slots and ends of the streams there are."""
    return [(one.slots, [end.rtp for end in one.ends]) for one in farm.only.streams if one]


def _free(farm: FakeFarm, relay: FakeRelay) -> bool:
    """Whether each slot that was taken is in use, or was given back."""
    streams = [one for session in farm.sessions.values() for one in session.streams if one]
    used = {slot for stream in streams for slot in stream.slots}
    gone = {slot for session in farm.told for one in session.streams if one for slot in one.slots}
    return 1000 - relay.left == len(used | gone | set(farm.returned))


@pytest.mark.parametrize("first", ["desk", "tablet"])
@pytest.mark.parametrize("answers", ["desk", "tablet"])
@pytest.mark.parametrize("mode", ["always", "auto"])
def test_each_phone_is_offered_an_address_of_its_own_family(
    proxy: Proxy, alice: Phone, first: str, answers: str, mode: Mode
) -> None:
    relay = FakeRelay()
    farm = relayed(proxy, relay, mode=mode)
    desk, tablet = _phones(proxy, first)
    sent = call(alice)
    to_desk, to_tablet = desk.gets(sent, "INVITE"), tablet.gets(sent, "INVITE")
    direct = mode == "auto" and first == "desk"  # it needs no relay, and nothing else was known yet
    assert line(to_desk).host == (ALICE if direct else FOUR)
    assert line(to_tablet).host == SIX
    if answers == "desk":
        ok = alice.gets(desk.says(to_desk, 200, body=offer(DESK, 5000)), "200")
    else:
        ok = alice.gets(tablet.says(to_tablet, 200, body=offer(TABLET, 5000)), "200")
    if direct and answers == "desk":
        assert line(ok).host == DESK
        return
    theirs, shown = (DESK, to_desk) if answers == "desk" else (TABLET, to_tablet)
    ((slots, ends),) = _streams(farm)
    assert ends == [Address(ALICE, 4000), Address(theirs, 5000)]
    assert [slots[0].host, slots[0].port] == [FOUR, line(ok).port]
    assert slots[1].port == line(shown).port
    assert _free(farm, relay)


def test_early_media_of_both_are_relayed_until_one_answers(proxy: Proxy, alice: Phone) -> None:
    relay = FakeRelay()
    farm = relayed(proxy, relay)
    desk, tablet = _phones(proxy, "desk")
    sent = call(alice)
    to_desk, to_tablet = desk.gets(sent, "INVITE"), tablet.gets(sent, "INVITE")
    early = alice.gets(desk.says(to_desk, 183, body=offer(DESK, 5000), tag="d"), "183")
    other = alice.gets(tablet.says(to_tablet, 183, body=offer(TABLET, 6000), tag="t"), "183")
    told = _streams(farm)
    assert [ends[1] for _, ends in told] == [Address(DESK, 5000), Address(TABLET, 6000)]
    assert [slots[0].port for slots, _ in told] == [line(early).port, line(other).port]
    sent = tablet.says(to_tablet, 200, tag="t")
    alice.gets(sent, "200")
    assert _streams(farm) == told[1:]
    assert farm.only.answered
    assert _free(farm, relay)


def test_who_picks_up_without_a_word_has_said_it_before(proxy: Proxy, alice: Phone) -> None:
    """Its description came in a reliable 183, and another phone has described itself since."""
    farm = relayed(proxy)
    desk, tablet = _phones(proxy, "tablet")
    sent = call(alice)
    to_desk, to_tablet = desk.gets(sent, "INVITE"), tablet.gets(sent, "INVITE")
    desk.says(to_desk, 183, body=offer(DESK, 5000), tag="d")
    tablet.says(to_tablet, 183, body=offer(TABLET, 6000), tag="t")
    desk.says(to_desk, 200, tag="d")
    ((_, ends),) = _streams(farm)
    assert ends[1] == Address(DESK, 5000)


def test_a_call_goes_on_and_ends_at_the_ports_of_whoever_answered(
    proxy: Proxy, alice: Phone
) -> None:
    farm = relayed(proxy)
    desk, tablet = _phones(proxy, "desk")
    sent = call(alice)
    invite = tablet.gets(sent, "INVITE")
    assert desk.gets(sent, "INVITE")
    ok = alice.gets(tablet.says(invite, 200, body=offer(TABLET, 5000)), "200")
    talk = Talk.standing(alice, tablet, invite, ok)
    again = talk.from_caller("INVITE", body=offer(ALICE, 4444), extra=SDP)
    data = tablet.gets(again, "INVITE")
    assert (line(data).host, line(data).port) == (SIX, line(invite).port)
    tablet.says(data, 488)
    ((_, ends),) = _streams(farm)
    assert ends == [Address(ALICE, 4000), Address(TABLET, 5000)]
    tablet.says(tablet.gets(talk.from_caller("BYE"), "BYE"), 200)
    assert not farm.sessions


def test_a_hunt_keeps_the_ports_of_each_family(proxy: Proxy, alice: Phone) -> None:
    farm = relayed(proxy)
    first, second = _desk(proxy, ";q=0.9"), _tablet(proxy, ";q=0.8")
    third = Phone(proxy, "bob", "192.0.2.18", params=";q=0.7")
    invite = first.gets(call(alice), "INVITE")
    first.says(invite, 183, body=offer(DESK, 5000), tag="d")
    other = second.gets(first.says(invite, 486, tag="d"), "INVITE")
    assert line(other).host == SIX
    last = third.gets(second.says(other, 486), "INVITE")
    assert (line(last).host, line(last).port) == (line(invite).host, line(invite).port)
    third.says(last, 200, body=offer("192.0.2.18", 6000))
    ((slots, ends),) = _streams(farm)
    assert ends[1] == Address("192.0.2.18", 6000)
    assert slots[1].port == line(last).port


def test_nobody_answers_and_all_ports_are_free(proxy: Proxy, alice: Phone) -> None:
    relay = FakeRelay()
    farm = relayed(proxy, relay)
    desk, tablet = _phones(proxy, "desk")
    sent = call(alice)
    desk.says(desk.gets(sent, "INVITE"), 486)
    tablet.says(tablet.gets(sent, "INVITE"), 486)
    assert 1000 - relay.left == len(farm.returned) == 4
    assert not farm.expected


# which relay, and what if it has not both


@pytest.mark.parametrize("first", ["desk", "tablet"])
def test_a_relay_that_has_both_is_preferred(proxy: Proxy, alice: Phone, first: str) -> None:
    four, six = FakeRelay("four", hosts=(FOUR,)), FakeRelay("six", hosts=(SIX,))
    relayed(proxy, four, six, FakeRelay("both"))
    desk, tablet = _phones(proxy, first)
    sent = call(alice)
    assert line(desk.gets(sent, "INVITE")).host == FOUR
    assert line(tablet.gets(sent, "INVITE")).host == SIX
    relaying = proxy.core.relaying
    assert isinstance(relaying, Relaying)
    carried = relaying.of(b"call-1")
    assert carried is not None
    assert carried.by == "both"


@pytest.mark.parametrize("first", ["desk", "tablet"])
@pytest.mark.parametrize("refuse", [False, True])
def test_a_relay_of_one_family_offers_what_it_has(
    proxy: Proxy, alice: Phone, first: str, refuse: bool
) -> None:
    relay = FakeRelay(hosts=(FOUR,))
    farm = relayed(proxy, relay, refuse=refuse)
    desk, tablet = _phones(proxy, first)
    sent = call(alice)
    assert names(sent).count("INVITE") == 2
    assert line(desk.gets(sent, "INVITE")).host == FOUR
    invite = tablet.gets(sent, "INVITE")
    assert line(invite).host == FOUR
    told = [one[2:] for one in proxy.journal.story(b"call-1") if one[1] is Rule.MEDIA_FAMILY]
    assert told == [("relay", "IPv6 address", tablet.contact.encode(), 4)]
    ok = alice.gets(tablet.says(invite, 200, body=offer("192.0.2.88", 5000)), "200")
    assert line(ok).host == FOUR
    ((_, ends),) = _streams(farm)
    assert ends[1] == Address("192.0.2.88", 5000), "it has an address of that family, after all"
    assert _free(farm, relay)


def test_ports_of_the_second_family_are_waited_for(proxy: Proxy, alice: Phone) -> None:
    relay = FakeRelay(slots=2)
    farm = relayed(proxy, relay)
    farm.expects_ports = True
    desk, tablet = _phones(proxy, "desk")
    sent = call(alice)
    assert line(desk.gets(sent, "INVITE")).host == FOUR
    assert names(sent).count("INVITE") == 1
    relay.left = 2
    relaying = proxy.core.relaying
    assert isinstance(relaying, Relaying)
    relaying.go_on(proxy.core, proxy.now + 0.1)
    assert line(tablet.gets(proxy.taken(), "INVITE")).host == SIX
    assert Rule.MEDIA_FAMILY not in rules(proxy)


def test_but_not_for_long(proxy: Proxy, alice: Phone) -> None:
    farm = relayed(proxy, FakeRelay(slots=2))
    farm.expects_ports = True
    _, tablet = _phones(proxy, "desk")
    call(alice)
    relaying = proxy.core.relaying
    assert isinstance(relaying, Relaying)
    relaying.go_on(proxy.core, proxy.now + 1)
    assert line(tablet.gets(proxy.taken(), "INVITE")).host == FOUR
    told = [one[2:] for one in proxy.journal.story(b"call-1") if one[1] is Rule.MEDIA_FAMILY]
    assert told == [("relay", "IPv6 port left", tablet.contact.encode(), 4)]


# with rtpengine


@pytest.mark.parametrize("parallel", [True, False])
def test_rtpengine_is_asked_for_an_address_of_each_family(
    proxy: Proxy, alice: Phone, parallel: bool
) -> None:
    engine = FakeRtpengine(proxy)
    first = _desk(proxy, ";q=0.9")
    second = _tablet(proxy, ";q=0.9" if parallel else ";q=0.8")
    assert names(call(alice)) == ["100"]
    sent = engine.answers()
    if not parallel:
        first.says(first.gets(sent, "INVITE"), 486)
        sent = engine.answers()
    assert second.gets(sent, "INVITE")
    offers = [ask.fields for ask in engine.told if ask.fields["command"] == "offer"]
    assert [fields["address-family"] for fields in offers] == ["IP4", "IP6"]


# who moves from one to the other within a call


HOME, AWAY = offer(ALICE, 4000), offer("2001:db8::7", 4002)


def _talk(alice: Phone, desk: Phone) -> Talk:
    invite = desk.gets(call(alice), "INVITE")
    return Talk.standing(
        alice, desk, invite, alice.gets(desk.says(invite, 200, body=offer(DESK, 5000)), "200")
    )


def _moves(talk: Talk, body: str) -> bytes:
    return talk.callee.gets(talk.from_caller("INVITE", body=body, extra=SDP), "INVITE")


def test_who_moves_to_the_other_version_gets_a_port_of_it(proxy: Proxy, alice: Phone) -> None:
    farm = relayed(proxy, relay := FakeRelay())
    talk = _talk(alice, desk := _desk(proxy))
    before = _streams(farm)
    invite = _moves(talk, AWAY)
    assert line(invite).host == FOUR
    pending = _streams(farm)
    assert before[0] in pending, "until it is accepted all is heard where it was"
    assert len(pending) == 2
    ok = alice.gets(desk.says(invite, 200, body=offer(DESK, 5002)), "200")
    ((slots, ends),) = _streams(farm)
    assert [(slot.host, slot.port) for slot in slots] == [
        (SIX, line(ok).port), (FOUR, line(invite).port)
    ]  # fmt: skip
    assert line(ok).host == SIX
    assert ends == [Address("2001:db8::7", 4002), Address(DESK, 5002)]
    ok = alice.gets(desk.says(_moves(talk, HOME), 200, body=offer(DESK, 5004)), "200")
    assert line(ok).host == FOUR
    ((_, ends),) = _streams(farm)
    assert ends == [Address(ALICE, 4000), Address(DESK, 5004)]
    assert _free(farm, relay)


def test_one_that_is_refused_stays_where_it_was(proxy: Proxy, alice: Phone) -> None:
    farm = relayed(proxy, relay := FakeRelay())
    talk = _talk(alice, desk := _desk(proxy))
    before = _streams(farm)
    desk.says(_moves(talk, AWAY), 488)
    assert _streams(farm) == before
    assert _free(farm, relay)


def test_one_whose_relay_has_none_of_that_version_keeps_its_port(
    proxy: Proxy, alice: Phone
) -> None:
    farm = relayed(proxy, FakeRelay(hosts=(FOUR,)))
    talk = _talk(alice, desk := _desk(proxy))
    ((slots, _),) = _streams(farm)
    invite = _moves(talk, AWAY)
    assert (line(invite).host, line(invite).port) == (FOUR, slots[1].port)
    desk.says(invite, 200, body=offer(DESK, 5000))
    assert [slots for slots, _ in _streams(farm)] == [slots]


def test_who_says_so_in_a_late_offer(proxy: Proxy, alice: Phone) -> None:
    farm = relayed(proxy, relay := FakeRelay())
    talk = _talk(alice, desk := _desk(proxy))
    invite = desk.gets(talk.from_caller("INVITE"), "INVITE")
    ok = alice.gets(desk.says(invite, 200, body=offer("2001:db8::8", 5002)), "200")
    ack = desk.gets(talk.from_caller("ACK", body=offer(ALICE, 4004), extra=SDP), "ACK")
    ((slots, ends),) = _streams(farm)
    assert [(slot.host, slot.port) for slot in slots] == [
        (FOUR, line(ok).port), (SIX, line(ack).port)
    ]  # fmt: skip
    assert ends == [Address(ALICE, 4004), Address("2001:db8::8", 5002)]
    assert _free(farm, relay)
