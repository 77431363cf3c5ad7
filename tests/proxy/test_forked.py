"""A call that a proxy before us has forked: all its INVITEs go through one relay, and one of them wins."""

from typing import Any

import pytest

from centrex.calls import CallState
from centrex.events import Kind
from centrex.media.terms import Address
from centrex.proxy.hang_up import hang_up
from centrex.proxy.relaying import Relaying
from centrex.sip.message import Message
from centrex.sip.names import CONTACT, RECORD_ROUTE
from centrex.trace import Rule
from centrex.trace.explain import explain
from tests.support.calling import Phone, Sent, find, names, routes, rules, start, values
from tests.support.proxy import DOMAIN, Proxy
from tests.support.relays import FakeFarm, FakeRelay, line, offer, relayed
from tests.support.rtpengine_asked import HOST, FakeRtpengine
from tests.support.sipmessage import uri_in

SDP = "Content-Type: application/sdp\n"
BEFORE, ALICE, BOB, CAROL = "192.0.2.77", "192.0.2.7", "192.0.2.8", "192.0.2.9"
RELAY = "198.51.100.1"


class Forked:
    """A proxy before us that has forked Alice's call to Bob and Carol, whose phones are at ours."""

    def __init__(self, proxy: Proxy) -> None:
        self.proxy = proxy
        self.before = Phone(proxy, "alice", BEFORE, register=False)
        self.bob, self.carol = Phone(proxy, "bob", BOB), Phone(proxy, "carol", CAROL)

    def calls(self, user: str, body: str | None = None, **more: Any) -> Sent:
        """Send one of its INVITEs; return what leaves."""
        branch = more.pop("branch", f"z9hG4bK{user}")
        via = (
            f"Via: SIP/2.0/UDP {more.pop('host', BEFORE)}:5060;branch={branch}\r\n"
            f"Via: SIP/2.0/UDP {ALICE}:5060;branch=z9hG4bKalice"
        )
        told = offer(ALICE, 4000) if body is None else body
        extra = f"Contact: <sip:alice@{ALICE}>\n{SDP if told else ''}{more.pop('extra', '')}"
        data = self.before.write(
            "INVITE", f"sip:{user}@{DOMAIN}", branch=branch, via=via, body=told,
            target=f"sip:all@{DOMAIN}", extra=extra,
        )  # fmt: skip
        return self.proxy.receive(data, more.pop("flow", self.before.flow))

    def both(self, body: str | None = None) -> tuple[bytes, bytes]:
        """Send both INVITEs; return what Bob and Carol get."""
        first = self.bob.gets(self.calls("bob", body), "INVITE")
        return first, self.carol.gets(self.calls("carol", body), "INVITE")

    def gives_up(self, user: str, phone: Phone, invite: bytes) -> Sent:
        """Cancel one of them, as after the answer of another."""
        via = f"Via: SIP/2.0/UDP {BEFORE}:5060;branch=z9hG4bK{user}"
        uri, branch = f"sip:{user}@{DOMAIN}", f"z9hG4bK{user}"
        target = f"sip:all@{DOMAIN}"
        self.before.sends("CANCEL", uri, branch=branch, via=via, target=target)
        return phone.says(invite, 487)

    def sends(self, method: str, ok: bytes, tag: str, **more: Any) -> Sent:
        """Send a request in the dialog of whoever has answered."""
        route = "\n".join(f"Route: {value}" for value in values(ok, RECORD_ROUTE)[::-1])
        (contact,) = values(ok, CONTACT)
        extra = f"{route}\n{more.pop('extra', '')}"
        return self.before.sends(
            method, uri_in(contact), target=f"sip:all@{DOMAIN}", to_tag=tag,
            branch=f"z9hG4bK{method}{tag}", extra=extra, **more,
        )  # fmt: skip


@pytest.fixture
def proxy() -> Proxy:
    return Proxy(users=["alice", "bob", "carol"], trusted=[BEFORE, "192.0.2.78"])


@pytest.fixture
def forked(proxy: Proxy) -> Forked:
    return Forked(proxy)


def callee(farm: FakeFarm) -> Address | None:
    (stream,) = farm.only.streams
    assert stream is not None
    return stream.ends[1].rtp


def count(proxy: Proxy) -> int:
    assert isinstance(proxy.core.relaying, Relaying)
    return len(proxy.core.relaying)


@pytest.mark.parametrize("mode", ["always", "auto"])
def test_both_go_through_one_relay(proxy: Proxy, mode: Any) -> None:
    farm = relayed(proxy, mode=mode)
    forked = Forked(proxy)
    if mode == "auto":
        forked.bob = Phone(proxy, "bob", "192.0.2.18", behind="10.0.0.5:5060")
        first = find(forked.calls("bob"), "INVITE", forked.bob.flow)
        second = forked.carol.gets(forked.calls("carol"), "INVITE")
    else:
        first, second = forked.both()
    assert line(first).host == line(second).host == RELAY
    assert line(first).port == line(second).port
    assert len(farm.expected) == 1
    assert rules(proxy).count(Rule.MEDIA_RELAYED) == 2


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("winner", ["bob", "carol"])
def test_whoever_answers_has_it(proxy: Proxy, forked: Forked, winner: str, late: bool) -> None:
    """The others are cancelled by the proxy that forked."""
    farm = relayed(proxy, relay := FakeRelay())
    invites = dict(zip(("bob", "carol"), forked.both("" if late else None), strict=True))
    phones = {"bob": forked.bob, "carol": forked.carol}
    loser = "bob" if winner == "carol" else "carol"
    phones[loser].says(invites[loser], 183, body="" if late else offer("192.0.2.200", 7000))
    host = phones[winner].flow.host
    ok = find(phones[winner].says(invites[winner], 200, body=offer(host, 5000)), "200")
    assert line(ok).host == RELAY
    forked.gives_up(loser, phones[loser], invites[loser])
    extra, body = (SDP, offer(ALICE, 4000)) if late else ("", "")
    ack = phones[winner].gets(forked.sends("ACK", ok, winner, extra=extra, body=body), "ACK")
    if late:
        assert line(ack).host == RELAY
    assert callee(farm) == Address(host, 5000)
    assert farm.only.answered
    again = forked.sends("INVITE", ok, winner, extra=SDP, body=offer(ALICE, 4444), cseq=2)
    data = phones[winner].gets(again, "INVITE")
    assert line(data).host == RELAY
    assert line(find(phones[winner].says(data, 200, body=offer(host, 5002)), "200")).host == RELAY
    assert callee(farm) == Address(host, 5002)
    bye = phones[winner].gets(forked.sends("BYE", ok, winner, cseq=3), "BYE")
    phones[winner].says(bye, 200)
    assert [reason for _, reason in farm.ended] == ["hung up"]
    assert not count(proxy)
    assert relay.given


@pytest.mark.parametrize("order", [("bob", "carol"), ("carol", "bob")])
@pytest.mark.parametrize("early", [False, True])
def test_one_that_fails_leaves_the_other(
    proxy: Proxy, forked: Forked, order: tuple[str, str], early: bool
) -> None:
    farm = relayed(proxy, relay := FakeRelay())
    invites = dict(zip(("bob", "carol"), forked.both(), strict=True))
    phones = {"bob": forked.bob, "carol": forked.carol}
    if early:
        for name, phone in phones.items():
            phone.says(invites[name], 183, body=offer(phone.flow.host, 5000))
    phones[order[0]].says(invites[order[0]], 486)
    assert count(proxy) == 1
    assert not farm.returned
    assert not farm.ended
    phones[order[1]].says(invites[order[1]], 486)
    assert not count(proxy)
    assert not farm.expected
    assert not farm.sessions
    assert set(farm.returned) == (set() if early else relay.given)
    assert len(farm.ended) == early


def test_one_that_fails_leaves_the_other_to_be_answered(proxy: Proxy, forked: Forked) -> None:
    farm = relayed(proxy)
    first, second = forked.both()
    forked.bob.says(first, 486)
    ok = find(forked.carol.says(second, 200, body=offer(CAROL, 5000)), "200")
    assert line(ok).host == RELAY
    assert callee(farm) == Address(CAROL, 5000)
    forked.carol.gets(forked.sends("BYE", ok, "carol", cseq=2), "BYE")
    assert not count(proxy)


def test_what_the_second_has_said_is_not_forgotten_for_the_next_of_the_first(
    proxy: Proxy, forked: Forked
) -> None:
    farm = relayed(proxy)
    next_one = Phone(proxy, "bob", "192.0.2.19", params=";q=0.1")
    first, second = forked.both()
    forked.carol.says(second, 183, body=offer(CAROL, 5000))
    next_one.gets(forked.bob.says(first, 486), "INVITE")
    assert callee(farm) == Address(CAROL, 5000)


@pytest.mark.parametrize("winner", ["bob", "carol"])
def test_both_answer_at_once(proxy: Proxy, forked: Forked, winner: str) -> None:
    """RFC 3261 §13.2.2.4: the caller gets both, and hangs the second up."""
    farm = relayed(proxy)
    invites = dict(zip(("bob", "carol"), forked.both(), strict=True))
    phones = {"bob": forked.bob, "carol": forked.carol}
    loser = "bob" if winner == "carol" else "carol"
    host = phones[winner].flow.host
    ok = find(phones[winner].says(invites[winner], 200, body=offer(host, 5000)), "200")
    other = phones[loser].says(invites[loser], 200, body=offer("192.0.2.200", 7000))
    late = find(other, "200")
    assert line(late).host == RELAY
    phones[loser].gets(forked.sends("ACK", late, loser), "ACK")
    phones[loser].says(phones[loser].gets(forked.sends("BYE", late, loser, cseq=2), "BYE"), 200)
    assert callee(farm) == Address(host, 5000)
    phones[winner].gets(forked.sends("BYE", ok, winner, cseq=2), "BYE")
    assert not count(proxy)
    assert not farm.sessions


def test_it_is_hung_up_while_another_rings(proxy: Proxy, forked: Forked) -> None:
    farm = relayed(proxy)
    first, second = forked.both()
    ok = find(forked.carol.says(second, 200, body=offer(CAROL, 5000)), "200")
    forked.carol.gets(forked.sends("BYE", ok, "carol", cseq=2), "BYE")
    assert not farm.sessions
    forked.gives_up("bob", forked.bob, first)
    assert not count(proxy)


@pytest.mark.parametrize("refuse", [False, True])
def test_another_offer_is_not_relayed_with_it_and_that_is_told(
    proxy: Proxy, forked: Forked, refuse: bool
) -> None:
    """As where the proxy before us has a relay of its own for each branch."""
    proxy.core.wanted = frozenset({Kind.MEDIA})
    farm = relayed(proxy, refuse=refuse)
    first = forked.bob.gets(forked.calls("bob"), "INVITE")
    sent = forked.calls("carol", offer(BEFORE, 9000))
    if refuse:
        assert names(sent) == ["100", "503"]
        assert Rule.MEDIA_FORK_REFUSED in rules(proxy)
        story = proxy.journal.story(b"call-1")
        told = explain(b"call-1", story, str)
        assert "another offer (503)" in told.headline
        assert "at each branch" in told.advice[0]
    else:
        invite = forked.carol.gets(sent, "INVITE")
        assert line(invite).host == BEFORE
        assert Rule.MEDIA_UNRELAYED in rules(proxy)
        ok = find(forked.carol.says(invite, 183, body=offer(CAROL, 5000)), "183")
        assert line(ok).host == CAROL, "not half of it"
    assert proxy.statistics.amiss == {"media-unrelayed": 1}
    (event,) = [one for one in proxy.core.events if one.name == "media.unrelayed"]
    assert event.fields["refused"] is refuse
    assert line(find(forked.bob.says(first, 200, body=offer(BOB, 5000)), "200")).host == RELAY
    assert callee(farm) == Address(BOB, 5000)


def test_one_that_comes_another_way_is_told_of_and_not_refused(
    proxy: Proxy, forked: Forked
) -> None:
    """It may have been led back by a proxy that hides where it came from."""
    relayed(proxy, refuse=True)
    forked.calls("bob")
    flow = proxy.flows.get("192.0.2.78", 5060)
    sent = forked.calls("carol", flow=flow, host="192.0.2.78")
    assert line(forked.carol.gets(sent, "INVITE")).host == ALICE
    assert Rule.MEDIA_UNRELAYED in rules(proxy)


def test_one_that_comes_after_the_answer(proxy: Proxy, forked: Forked) -> None:
    relayed(proxy)
    first = forked.bob.gets(forked.calls("bob"), "INVITE")
    forked.bob.says(first, 200, body=offer(BOB, 5000))
    assert line(forked.carol.gets(forked.calls("carol"), "INVITE")).host == ALICE
    assert Rule.MEDIA_UNRELAYED in rules(proxy)


def test_a_stranger_s_invite_of_the_same_name_ends_nothing(proxy: Proxy, forked: Forked) -> None:
    relayed(proxy)
    first = forked.bob.gets(forked.calls("bob"), "INVITE")
    assert "404" in names(forked.calls("nobody"))
    assert count(proxy) == 1
    assert line(find(forked.bob.says(first, 200, body=offer(BOB, 5000)), "200")).host == RELAY
    assert "404" in names(forked.calls("nobody", branch="z9hG4bKmore"))
    assert count(proxy) == 1


def test_rings_are_passed_by_whom_they_belong_to(proxy: Proxy, forked: Forked) -> None:
    relayed(proxy)
    first, second = forked.both()
    for phone, invite, user in ((forked.bob, first, "bob"), (forked.carol, second, "carol")):
        ((flow, data),) = phone.says(invite, 183, body=offer(phone.flow.host, 5000))
        assert flow is forked.before.flow
        assert f"branch=z9hG4bK{user}".encode() in data
        assert start(data) == "183"
        assert line(data).host == RELAY


def test_one_that_was_led_back_is_seen_by_its_vias(proxy: Proxy, forked: Forked) -> None:
    """One of us may lie below several of others."""
    relayed(proxy)
    forked.calls("bob")
    sent = forked.calls("carol", extra=f"Via: SIP/2.0/UDP {DOMAIN}:5060;branch=z9hG4bKours\n")
    assert line(forked.carol.gets(sent, "INVITE")).host == ALICE
    assert Rule.MEDIA_UNRELAYED not in rules(proxy)


@pytest.mark.parametrize("offers", [False, True])
def test_a_third_one_after_the_first_has_failed(proxy: Proxy, forked: Forked, offers: bool) -> None:
    farm = relayed(proxy)
    first, second = forked.both()
    forked.bob.says(first, 486)
    sent = forked.calls("bob", offer(ALICE, 4444) if offers else None, branch="z9hG4bKthird")
    third = forked.bob.gets(sent, "INVITE")
    assert line(third).host == (ALICE if offers else RELAY)
    forked.bob.says(third, 486)
    assert line(find(forked.carol.says(second, 200, body=offer(CAROL, 5000)), "200")).host == RELAY
    (stream,) = farm.only.streams
    assert stream is not None
    assert stream.ends[0].rtp == Address(ALICE, 4000)


def test_one_after_all_others_have_failed_may_offer_something_else(
    proxy: Proxy, forked: Forked
) -> None:
    """The first goes directly, so that it is none of those."""
    relayed(proxy, mode="auto")
    desk, mobile = forked.carol, Phone(proxy, "carol", "192.0.2.19", behind="10.0.0.5:5060")
    forked.calls("bob")
    sent = forked.calls("carol")
    second = mobile.gets(sent, "INVITE")
    assert line(second).host == RELAY
    desk.says(desk.gets(sent, "INVITE"), 486)
    mobile.says(second, 486)
    sent = forked.calls("carol", offer(ALICE, 4444), branch="z9hG4bKthird")
    assert line(mobile.gets(sent, "INVITE")).host == RELAY
    assert Rule.MEDIA_UNRELAYED not in rules(proxy)


# what is listed of it


def text_of(invite: bytes | Message) -> bytes:
    return invite if isinstance(invite, bytes) else b"\r\n".join(invite.lines)


def listed(proxy: Proxy) -> list[tuple[CallState, bytes]]:
    """Return the calls in the list: where each stands, and the tag of who has answered."""
    return [(call.state, call.callee_tag) for call in proxy.core.calls]


@pytest.mark.parametrize("fails_first", [False, True])
@pytest.mark.parametrize("relay", [False, True])
def test_whoever_answers_is_listed(
    proxy: Proxy, forked: Forked, fails_first: bool, relay: bool
) -> None:
    """Of all INVITEs the first is in the list; the one that is answered need not be it."""
    if relay:
        relayed(proxy)
    first, second = forked.both()
    if fails_first:
        forked.bob.says(first, 486)
        assert not listed(proxy)
    ok = find(forked.carol.says(second, 200, body=offer(CAROL, 5000)), "200")
    assert listed(proxy) == [(CallState.UP, b"carol")]
    if not fails_first:
        forked.bob.says(first, 180)
        forked.gives_up("bob", forked.bob, first)
    assert listed(proxy) == [(CallState.UP, b"carol")]
    (call,) = proxy.core.calls
    assert call.caller_flow is forked.before.flow
    assert call.callee_flow is forked.carol.flow
    assert b"INVITE sip:carol@" in text_of(call.invite)
    forked.carol.gets(forked.sends("BYE", ok, "carol", cseq=2), "BYE")
    assert not listed(proxy)
    assert proxy.statistics.calls_now == 0
    assert proxy.statistics.calls_failed == fails_first


def test_one_that_is_listed_so_can_be_ended_by_the_operator(proxy: Proxy, forked: Forked) -> None:
    first, second = forked.both()
    forked.carol.says(second, 200, body=offer(CAROL, 5000))
    forked.gives_up("bob", forked.bob, first)
    (call,) = proxy.core.calls
    hang_up(proxy.core, call, proxy.now)
    sent = proxy.taken()
    assert names(sent) == ["BYE", "BYE"]
    bye = forked.carol.gets(sent, "BYE")
    assert b";tag=carol" in bye
    assert bye.startswith(b"BYE sip:carol@192.0.2.9")
    assert not listed(proxy)


def test_of_two_that_answer_the_first_is_listed(proxy: Proxy, forked: Forked) -> None:
    first, second = forked.both()
    forked.carol.says(second, 200, body=offer(CAROL, 5000))
    late = find(forked.bob.says(first, 200, body=offer(BOB, 5000)), "200")
    assert listed(proxy) == [(CallState.UP, b"carol")]
    forked.sends("BYE", late, "bob", cseq=2)
    assert listed(proxy) == [(CallState.UP, b"carol")]


def test_one_that_was_hung_up_is_not_listed_for_what_still_rings(
    proxy: Proxy, forked: Forked
) -> None:
    first, second = forked.both()
    ok = find(forked.carol.says(second, 200, body=offer(CAROL, 5000)), "200")
    forked.sends("BYE", ok, "carol", cseq=2)
    forked.bob.says(first, 180)
    forked.gives_up("bob", forked.bob, first)
    assert not listed(proxy)
    assert (proxy.statistics.calls_now, proxy.statistics.calls_failed) == (0, 0)


def test_who_comes_another_way_or_was_led_back_is_not_listed(proxy: Proxy, forked: Forked) -> None:
    """A stranger may know Call-ID and tag; and what was led back is listed by its first way."""
    forked.calls("bob")
    flow = proxy.flows.get("192.0.2.78", 5060)
    sent = forked.calls("carol", flow=flow, host="192.0.2.78")
    forked.carol.says(forked.carol.gets(sent, "INVITE"), 200)
    assert listed(proxy) == [(CallState.CALLING, b"")]
    ours = f"Via: SIP/2.0/UDP {DOMAIN}:5060;branch=z9hG4bKours\n"
    sent = forked.calls("carol", extra=ours, branch="z9hG4bKback")
    forked.carol.says(forked.carol.gets(sent, "INVITE"), 200)
    assert listed(proxy) == [(CallState.CALLING, b"")]


def test_one_that_is_answered_after_the_first_has_failed_began_when_it_came(
    proxy: Proxy, forked: Forked
) -> None:
    proxy.core.watchers.lamps.on = True
    first, second = forked.both()
    proxy.advance(3.0)
    began = proxy.now
    forked.bob.says(first, 486)
    forked.carol.says(second, 180)
    proxy.advance(2.0)
    forked.carol.says(second, 200)
    (call,) = proxy.core.calls
    assert call.answered - call.began == pytest.approx(5.0, abs=0.1)
    assert call.seen >= began + 2.0
    assert [user for user, _ in proxy.core.watchers.lamps.users_of(b"call-1")] == [
        b"alice",
        b"carol",
    ]


def test_lamps_show_who_has_answered(proxy: Proxy, forked: Forked) -> None:
    lamps = proxy.core.watchers.lamps
    lamps.on = True
    first, second = forked.both()
    forked.carol.says(second, 200, body=offer(CAROL, 5000))
    forked.bob.says(first, 180)
    assert [user for user, _ in lamps.users_of(b"call-1") if user != b"alice"] == [b"carol"]
    forked.gives_up("bob", forked.bob, first)
    assert [user for user, _ in lamps.users_of(b"call-1") if user != b"alice"] == [b"carol"]


# rtpengine


def by_rtpengine(forked: Forked, engine: FakeRtpengine) -> tuple[bytes, bytes]:
    """Have both called; return what Bob and Carol get."""
    forked.calls("bob")
    first = forked.bob.gets(engine.answers(), "INVITE")
    forked.calls("carol")
    second = forked.carol.gets(engine.answers(), "INVITE")
    assert [ask.fields["command"] for ask in engine.told] == ["offer", "offer"]
    assert len({ask.fields["via-branch"] for ask in engine.told}) == 2
    return first, second


@pytest.mark.parametrize("winner", ["bob", "carol"])
@pytest.mark.parametrize("crosses", [False, True])
def test_rtpengine_serves_both(proxy: Proxy, forked: Forked, winner: str, crosses: bool) -> None:
    engine = FakeRtpengine(proxy)
    invites = dict(zip(("bob", "carol"), by_rtpengine(forked, engine), strict=True))
    assert {line(invite).host for invite in invites.values()} == {HOST}
    phones = {"bob": forked.bob, "carol": forked.carol}
    loser = "bob" if winner == "carol" else "carol"
    host = phones[winner].flow.host
    phones[winner].says(invites[winner], 200, body=offer(host, 5000))
    ok = find(engine.answers(), "200")
    assert line(ok).host == HOST
    if crosses:
        sent = phones[loser].says(invites[loser], 200, body=offer("192.0.2.200", 7000))
        late = find(sent + engine.answers(), "200")
        assert b"192.0.2.200" not in late.partition(b"c=IN")[2]
        forked.sends("BYE", late, loser, cseq=2)
    else:
        forked.gives_up(loser, phones[loser], invites[loser])
    engine.answers()
    assert len(engine.media) == 1
    forked.sends("INVITE", ok, winner, extra=SDP, body=offer(ALICE, 4444), cseq=2)
    assert line(phones[winner].gets(engine.answers(), "INVITE")).host == HOST
    forked.sends("BYE", ok, winner, cseq=3)
    engine.answers()
    assert not len(engine.media)
    assert engine.told[-1].fields["command"] == "delete"
    assert "via-branch" not in engine.told[-1].fields


@pytest.mark.parametrize("order", [("bob", "carol"), ("carol", "bob")])
def test_rtpengine_keeps_it_until_all_have_failed(
    proxy: Proxy, forked: Forked, order: tuple[str, str]
) -> None:
    engine = FakeRtpengine(proxy)
    invites = dict(zip(("bob", "carol"), by_rtpengine(forked, engine), strict=True))
    phones = {"bob": forked.bob, "carol": forked.carol}
    for left, name in ((1, order[0]), (0, order[1])):
        phones[name].says(invites[name], 486)
        engine.answers()
        assert len(engine.media) == left


def test_rtpengine_has_one_that_came_another_way_and_is_never_listed(
    proxy: Proxy, forked: Forked
) -> None:
    """Once the listed one has failed, nobody but its phones may say that it has ended."""
    engine = FakeRtpengine(proxy, mode="auto")
    first = forked.bob.gets(forked.calls("bob"), "INVITE")
    flow = proxy.flows.get("192.0.2.78", 5060)
    for user in ("carol", "bob"):
        body, branch = offer("2001:db8::7", 4000), f"z9hG4bKother{user}"
        forked.calls(user, body, flow=flow, host="192.0.2.78", branch=branch)
    second = forked.carol.gets(engine.answers(), "INVITE")
    forked.carol.says(second, 200, body=offer(CAROL, 5000))
    engine.answers()
    assert not engine.media._unknown
    forked.bob.says(first, 486)
    assert not listed(proxy)
    assert list(engine.media._unknown) == [b"call-1"], "it counts among those we know nothing of"


@pytest.mark.parametrize("by_us", [True, False])
@pytest.mark.parametrize("cancelled", [True, False])
def test_one_that_needs_no_relay_takes_none_from_whoever_has_answered(
    proxy: Proxy, forked: Forked, *, by_us: bool, cancelled: bool
) -> None:
    """Only Carol is behind NAT: Bob's phone stops ringing, and her voice goes on."""
    engine = None if by_us else FakeRtpengine(proxy, mode="auto")
    farm = relayed(proxy, mode="auto") if engine is None else None
    forked.carol.flow.natted = True
    first = forked.bob.gets(forked.calls("bob"), "INVITE")
    assert line(first).host == ALICE
    sent = forked.calls("carol")
    second = forked.carol.gets(sent if engine is None else engine.answers(), "INVITE")
    sent = forked.carol.says(second, 200, body=offer(CAROL, 5000))
    ok = find(sent if engine is None else engine.answers(), "200")
    assert line(ok).host in (HOST, RELAY)
    if cancelled:
        forked.gives_up("bob", forked.bob, first)
    else:
        forked.bob.says(first, 486)
    relaying = proxy.core.relaying
    assert relaying is not None
    assert relaying.of(b"call-1") is not None
    assert farm is None or not farm.ended
    forked.sends("BYE", ok, "carol", cseq=2)
    assert relaying.of(b"call-1") is None


def test_what_is_hung_up_while_another_rings_is_given_back(proxy: Proxy, forked: Forked) -> None:
    engine = FakeRtpengine(proxy)
    _, second = by_rtpengine(forked, engine)
    forked.carol.says(second, 200, body=offer(CAROL, 5000))
    ok = find(engine.answers(), "200")
    forked.sends("BYE", ok, "another", cseq=2)
    assert len(engine.media) == 1
    forked.sends("BYE", ok, "carol", cseq=3)
    assert not len(engine.media)


@pytest.mark.parametrize("refuse", [False, True])
def test_rtpengine_and_another_offer(proxy: Proxy, forked: Forked, refuse: bool) -> None:
    engine = FakeRtpengine(proxy, refuse=refuse)
    forked.calls("bob")
    engine.answers()
    sent = forked.calls("carol", offer(BEFORE, 9000))
    assert names(sent)[-1] == ("503" if refuse else "INVITE")
    assert (Rule.MEDIA_FORK_REFUSED if refuse else Rule.MEDIA_UNRELAYED) in rules(proxy)


def test_a_bye_of_a_caller_without_a_tag_ends_nothing_that_still_rings(proxy: Proxy) -> None:
    """RFC 2543 knew no tags; RFC 3261 §15 lets a caller leave an early dialog by BYE."""
    engine = FakeRtpengine(proxy)
    alice, bob = Phone(proxy, "alice", ALICE), Phone(proxy, "bob", BOB)
    invite = alice.write(
        "INVITE", f"sip:bob@{DOMAIN}", body=offer(ALICE, 4000), branch="z9hG4bKcall",
        extra=f"Contact: <{alice.contact}>\n{SDP}",
    )  # fmt: skip
    proxy.receive(invite.replace(b";tag=a\r\n", b"\r\n"), alice.flow)
    early = alice.gets(bob.says(bob.gets(engine.answers(), "INVITE"), 180), "180")
    bye = alice.write(
        "BYE", bob.contact, target=f"sip:bob@{DOMAIN}", to_tag="bob", cseq=2,
        extra=f"{routes(early, caller=True)}\n",
    )  # fmt: skip
    bob.gets(proxy.receive(bye.replace(b";tag=a\r\n", b"\r\n"), alice.flow), "BYE")
    assert len(engine.media) == 1
