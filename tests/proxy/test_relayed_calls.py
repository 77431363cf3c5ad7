"""Calls that relays carry: taken on, and over, however they end."""

import pytest

from centrex.media.exchange import CALLEE, CALLER, Exchange, Where
from centrex.media.terms import End, Session, Slot, Stream
from centrex.proxy.carried import Carried
from centrex.proxy.relayed_calls import RelayedCalls
from centrex.sdp import parse
from tests.support.calling import Phone, Talk
from tests.support.proxy import Proxy
from tests.support.relays import FakeFarm, FakeRelay, offer, relayed

MEMO = '["a", "b", [null, [false, false]]]'
A, B = Where("192.0.2.7", "192.0.2.1", False), Where("192.0.2.8", "192.0.2.1", False)


def _carried(calls: RelayedCalls, relay: FakeRelay, name: str = "s") -> Carried:
    """A call that was offered."""
    exchange = Exchange(name, b"c1", b"a", relay.slot)
    carried = calls._carried[b"c1"] = Carried(relay, exchange)
    exchange.describe(CALLER, parse(offer("192.0.2.7", 4000).encode()), A, B)
    calls._note(carried)
    calls.tell(0.0)
    return carried


def test_ports_of_a_call_that_was_never_told_are_free() -> None:
    farm = FakeFarm(FakeRelay())
    calls = RelayedCalls(farm)
    _carried(calls, farm.relays[0])
    assert farm.expected
    calls.end(Proxy().core, b"c1", "the call failed", 0.0)
    assert (len(farm.returned), farm.told, farm.ended) == (2, [], [])
    assert calls.of(b"c1") is None


def test_one_that_was_told_is_ended_there_once() -> None:
    farm = FakeFarm(FakeRelay())
    calls, core = RelayedCalls(farm), Proxy().core
    carried = _carried(calls, farm.relays[0])
    carried.exchange.describe(CALLEE, parse(offer("192.0.2.8", 5000).encode()), B, A, tag=b"b")
    calls._note(carried)
    calls.tell(0.0)
    assert len(farm.told) == 1
    for _ in range(2):
        calls.end(core, b"c1", "hung up", 0.0)
    assert farm.ended == [("s", "hung up")]
    calls._note(carried)
    calls.tell(0.0)
    assert len(farm.told) == 1, "it is over"


@pytest.mark.parametrize("by_relay", [False, True])
def test_ports_of_a_line_that_was_not_told_yet_are_free(by_relay: bool) -> None:
    """It was offered just now, in a call that ends before its relay is told."""
    farm = FakeFarm(FakeRelay())
    calls = RelayedCalls(farm)
    carried = _carried(calls, farm.relays[0])
    exchange = carried.exchange
    exchange.describe(CALLEE, parse(offer("192.0.2.8", 5000).encode()), B, A, tag=b"b")
    exchange.answer(b"b", 4)
    calls._note(carried)
    calls.tell(0.0)
    (session,) = farm.told
    film = offer("192.0.2.7", 4000, "m=video 4002 RTP/AVP 99")
    exchange.describe(CALLER, parse(film.encode()), A, B)
    calls._note(carried)
    if by_relay:
        assert calls.lost(b"c1", "s")
    else:
        calls.end(Proxy().core, b"c1", "hung up", 0.0)
    calls.tell(0.0)
    (voice,) = session.streams
    assert voice is not None
    assert set(farm.returned) == farm.relays[0].given - set(voice.slots)
    assert len(farm.returned) == 2


def test_a_relay_s_end_is_of_the_session_it_names() -> None:
    farm = FakeFarm(FakeRelay())
    calls = RelayedCalls(farm)
    _carried(calls, farm.relays[0])
    assert not calls.lost(b"c1", "another")
    assert calls.lost(b"c1", "s")
    assert len(calls) == 0
    assert calls._orphans.why(b"c1") == "it was relayed before"


@pytest.mark.parametrize("natted", [[True, False], [False, True], [False, False]])
def test_who_was_behind_nat_is_so_after_a_restart(natted: list[bool]) -> None:
    """His re-INVITE may not show it, but what comes from where he really is must not be a stranger's."""
    calls = RelayedCalls(FakeFarm())
    slots = Slot("192.0.2.1", "192.0.2.1", 30000), Slot("192.0.2.1", "192.0.2.1", 30002)
    ends = End(natted=natted[0]), End(natted=natted[1])
    told = Session("x", "c1", 1, True, (None, Stream(slots, ends)), MEMO)
    assert calls.adopt(FakeRelay(), told)
    carried = calls.of(b"c1")
    assert carried is not None
    assert carried.natted == natted


@pytest.mark.parametrize("by", ["caller", "callee"])
def test_who_is_behind_nat_is_known_where_all_else_was_forgotten(by: str) -> None:
    """Server and relay were killed at once: the Route still says by which way a phone is reached.

    Addresses outside are private, too (a carrier's NAT), so that descriptions tell nothing.
    """
    proxy, later = (Proxy(users=["alice", "bob"], run=run) for run in (b"00000001", b"00000002"))
    relayed(proxy)
    alice = Phone(proxy, "alice", A.source, behind="10.0.0.5:5060")
    bob = Phone(proxy, "bob", B.source, behind="10.0.0.5:5060")
    told = {"extra": "Content-Type: application/sdp\n", "body": offer("10.0.0.5", 4000)}
    invite = bob.gets(alice.calls("bob", **told), "INVITE")
    ok = alice.gets(bob.says(invite, 200, body=offer("10.0.0.5", 5000)), "200")
    talk = Talk.standing(alice, bob, invite, ok)
    farm = relayed(later)
    for phone in (alice, bob):
        phone.proxy, phone.flow = later, later.flows.get(phone.flow.host, 5060)
    sends, answerer = (talk.from_caller, bob) if by == "caller" else (talk.from_callee, alice)
    again = answerer.gets(sends("INVITE", **told), "INVITE")
    answerer.says(again, 200, body=offer("10.0.0.5", 5000))
    (stream,) = farm.only.streams
    assert stream is not None
    assert [end.natted for end in stream.ends] == [True, True]


@pytest.mark.parametrize(
    "memo", ["", "[]", "null", '["a", "b", [1]]', '["a", 1, []]', "{", '["a", "b", [null]]']
)
def test_a_session_of_somebody_else_is_not_taken_on(memo: str) -> None:
    calls = RelayedCalls(FakeFarm())
    assert not calls.adopt(FakeRelay(), Session("x", "c", 1, True, (), memo))
    assert not len(calls)


def test_what_never_comes_to_media_is_given_up() -> None:
    """An INVITE that is not listed was answered, and nobody has described anything since."""
    farm = FakeFarm(FakeRelay())
    calls, core = RelayedCalls(farm), Proxy().core
    carried = _carried(calls, farm.relays[0])
    for now in (1000.0, 1059.0):
        calls.sweep(core, now)
        assert calls.of(b"c1") is carried
    calls.sweep(core, 1060.0)
    assert calls.of(b"c1") is None
    assert len(farm.returned) == 2
    assert not farm.expected


@pytest.mark.parametrize("kept", ["listed", "called", "told"])
def test_what_may_yet_come_to_media_stays(kept: str) -> None:
    farm = FakeFarm(FakeRelay())
    proxy = Proxy(users=["bob"])
    calls, core = RelayedCalls(farm), proxy.core
    carried = _carried(calls, farm.relays[0])
    if kept == "listed":
        assert core.calls.begin(
            b"c1", b"a@x", b"b@x", b"a", proxy.flows.get("192.0.2.7", 5060), 0.0
        )
    elif kept == "told":
        carried.exchange.describe(CALLEE, parse(offer("192.0.2.8", 5000).encode()), B, A, tag=b"b")
        calls._note(carried)
        calls.tell(0.0)
    else:
        carried.forks.append(_Waits())  # type: ignore[arg-type]
    for now in (1000.0, 1060.0, 1120.0):
        calls.sweep(core, now)
    assert calls.of(b"c1") is carried


class _Waits:
    """An INVITE that is not answered yet."""

    answered = False
