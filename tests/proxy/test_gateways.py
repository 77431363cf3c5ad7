"""Gateways are asked by OPTIONS whether they are there, and calls go by the answer."""

import datetime as dt
from typing import Any

import pytest

from centrex.base import Transport
from centrex.proxy.context import Context
from centrex.proxy.hunting import CoreView
from centrex.routing.hunt import hunt
from centrex.routing.rfc3263 import Target as Place
from centrex.trace import Rule
from tests.support.calling import Phone, names, start
from tests.support.hunting import invites, planned
from tests.support.proxy import Proxy

NOON = dt.datetime(2026, 11, 26, 12, tzinfo=dt.UTC)
ONE, TWO = "198.51.100.1", "198.51.100.2"
ROW: dict[str, Any] = {
    "name": "pstn",
    "addresses": (f"sip:{ONE}", f"sip:{TWO}"),
    "check_interval": 30,
}
PLAN: dict[str, Any] = {"pattern": r"9(\d+)", "destinations": (r"\1@pstn",)}


@pytest.fixture
def proxy() -> Proxy:
    made = Proxy(users=["alice"], trusted=["192.0.2.7"])
    planned(made, PLAN, gateways=[ROW])
    return made


def tick(proxy: Proxy) -> list[Any]:
    proxy.core.gateways.tick(proxy.core, proxy.now)
    return proxy.taken()


def answer(proxy: Proxy, sent: list[Any], host: str, status: int) -> None:
    gateway = Phone(proxy, "gw", host, register=False)
    gateway.says(gateway.gets(sent, "OPTIONS"), status)


def works(proxy: Proxy) -> list[bool]:
    return [probe.works for probe in proxy.core.gateways.probes]


def calling(proxy: Proxy, host: str) -> str:
    """Return which gateway a call from a host counts as."""
    ctx = Context(b"INVITE", b"sip:alice@example.com", proxy.flows.get(host, 5060), b"c", [])
    return proxy.core.gateways.calling(ctx)


def test_each_address_is_asked_in_its_time(proxy: Proxy) -> None:
    sent = tick(proxy)
    assert [(flow.host, start(data)) for flow, data in sent] == [(ONE, "OPTIONS"), (TWO, "OPTIONS")]
    data = sent[0][1]
    assert data.startswith(b"OPTIONS sip:198.51.100.1 SIP/2.0\r\n")
    for header in (
        b"Via: ",
        b"From: <sip:192.0.2.1:5060>;tag=",
        b"Max-Forwards: 70",
        b"Contact: <sip:",
    ):
        assert b"\r\n" + header in data
    answer(proxy, sent, ONE, 200)
    answer(proxy, sent, TWO, 404)
    assert works(proxy) == [True, True], "any answer is one"
    proxy.now += 29
    assert not tick(proxy)
    proxy.now += 1
    assert len(tick(proxy)) == 2


@pytest.mark.parametrize("how", ["silent", "503"])
def test_one_that_is_gone_is_the_last_to_be_tried(proxy: Proxy, how: str) -> None:
    sent = tick(proxy)
    answer(proxy, sent, TWO, 200)
    if how == "503":
        answer(proxy, sent, ONE, 503)
    else:
        proxy.advance(33)
    assert works(proxy) == [False, True]
    assert [event.name for event in proxy.core.events if "gateway" in event.name] == [
        "gateway.gone"
    ]
    alice = Phone(proxy, "alice", "192.0.2.7")
    assert invites(alice.calls("9123")) == [TWO]
    proxy.now += 30
    sent = tick(proxy)
    answer(proxy, sent, ONE, 200)
    assert works(proxy) == [True, True]
    assert "gateway.back" in [event.name for event in proxy.core.events]
    assert invites(alice.calls("9123", branch="z9hG4bK2", call_id="c2")) == [ONE]


def seconds(proxy: Proxy, count: int) -> list[Any]:
    """Let seconds pass as a server does: timers, then a look at the gateways; return what left."""
    sent: list[Any] = []
    for _ in range(count):
        sent += proxy.advance(1) or []
        sent += tick(proxy)
    return sent


@pytest.mark.parametrize(("interval", "noticed"), [(1, 4), (3, 6), (30, 10), (600, 10)])
def test_silence_is_noticed_in_a_few_seconds(proxy: Proxy, interval: int, noticed: int) -> None:
    planned(proxy, PLAN, gateways=[{**ROW, "check_interval": interval}])
    tick(proxy)
    seconds(proxy, noticed - 1)
    assert works(proxy) == [True, True]
    seconds(proxy, 1)
    assert works(proxy) == [False, False]
    for _ in range(60):
        seconds(proxy, 1)
        assert len(proxy.core.layer.clients) <= 2, "one question at a time to each"


def test_one_question_that_is_lost_does_no_harm(proxy: Proxy) -> None:
    tick(proxy)
    again = seconds(proxy, 5)
    assert len({data for _, data in again if b"OPTIONS sip:198.51.100.1 " in data}) == 2
    answer(proxy, again[-2:], ONE, 200)
    answer(proxy, again[-2:], TWO, 200)
    seconds(proxy, 24)
    assert works(proxy) == [True, True]
    assert not any("gateway" in event.name for event in proxy.core.events)


def test_an_old_question_does_not_speak_for_one_that_came_back(proxy: Proxy) -> None:
    tick(proxy)
    old = proxy.core.gateways.probes[0].question
    assert old is not None
    seconds(proxy, 11)
    assert works(proxy) == [False, False]
    sent = seconds(proxy, 30)
    answer(proxy, sent[-2:], ONE, 200)
    assert works(proxy) == [True, False]
    old.failed(proxy.core, "it does not answer", proxy.now)
    old.answered(proxy.core, 503, proxy.now)
    proxy.advance(40)
    assert works(proxy) == [True, False]


def test_two_gateways_with_one_address_are_asked_each_in_its_time(proxy: Proxy) -> None:
    rows = [
        {"name": "a", "addresses": (f"sip:{ONE}",), "check_interval": 10},
        {"name": "b", "addresses": (f"sip:{ONE}",), "check_interval": 60},
    ]
    planned(proxy, PLAN, gateways=rows)
    a, b = proxy.core.gateways.probes
    assert (a.name, a.interval, b.name, b.interval) == ("a", 10, "b", 60)
    sent = tick(proxy)
    assert len(sent) == 2
    for flow, data in sent:
        answer(proxy, [(flow, data)], ONE, 200)
    proxy.now += 10
    assert len(tick(proxy)) == 1
    assert proxy.core.gateways.works("a", f"sip:{ONE}")
    proxy.core.gateways.failed(proxy.core, a, "it answers 503", proxy.now)
    assert not proxy.core.gateways.works("a", f"sip:{ONE}")
    assert proxy.core.gateways.works("b", f"sip:{ONE}"), "the other one's question was answered"


def test_a_call_that_was_not_served_speaks_for_its_own_gateway_and_transport(proxy: Proxy) -> None:
    """Two accounts at one provider, and one address by two transports."""
    rows = [
        {"name": "pstn", "addresses": (f"sip:{ONE}", f"sips:{ONE}", f"sip:{ONE};transport=tcp")},
        {"name": "other", "addresses": (f"sip:{ONE}",)},
    ]
    planned(proxy, PLAN, gateways=rows)
    alice = Phone(proxy, "alice", "192.0.2.7")
    gateway = Phone(proxy, "gw", ONE, register=False)
    sent = gateway.says(gateway.gets(alice.calls("9123"), "INVITE"), 503)
    assert [flow.transport for flow, data in sent if start(data) == "INVITE"] == [Transport.TLS]
    assert works(proxy) == [False, True, True, True]
    (gone,) = proxy.core.gateways.gone
    assert gone.why == "a call was not served there: it answered 503"
    (event,) = [one for one in proxy.core.events if one.name == "gateway.gone"]
    assert event.fields == {"gateway": "pstn", "address": f"sip:{ONE}", "why": gone.why}


@pytest.mark.parametrize(
    ("how", "why"),
    [
        ("silent", "it gave no sign of life for 5 s"),
        ("refused", "tcp 198.51.100.1:5060 cannot be reached"),
        ("unknown", "no such name"),
        ("without", "no such transport here"),
    ],
)
def test_why_a_call_was_not_served_is_kept(how: str, why: str, proxy: Proxy) -> None:
    """And the next address is tried, whether the call could be sent or not."""
    one = {"silent": f"sip:{ONE}", "unknown": "sip:gw.example", "without": "sips:[2001:db8::9]"}
    row = {**ROW, "addresses": (one.get(how, f"sip:{ONE};transport=tcp"), f"sip:{TWO}")}
    planned(proxy, PLAN, gateways=[row])
    proxy.flows.unreachable.add("2001:db8::9")
    alice = Phone(proxy, "alice", "192.0.2.7")
    sent = alice.calls("9123")
    if how == "silent":
        sent = proxy.advance(5.1)
    elif how == "refused":
        proxy.core.flow_failed(sent[-1][0], proxy.now)
        sent = proxy.taken()
    elif how == "unknown":
        proxy.core.answer(proxy.core.asks[0].id, "no such name", proxy.now)
        sent = proxy.taken()
    assert invites(sent)[-1] == TWO
    (gone,) = proxy.core.gateways.gone
    assert gone.why == f"a call was not served there: {why}"


def test_a_call_tells_how_the_gateway_was(proxy: Proxy) -> None:
    alice = Phone(proxy, "alice", "192.0.2.7")
    alice.calls("9123")
    assert "not been heard of" in told(proxy)
    answer(proxy, tick(proxy), ONE, 503)
    (gone,) = proxy.core.gateways.gone
    assert (gone.address, gone.why) == (f"sip:{ONE}", "it answers 503")
    view = CoreView(proxy.core, proxy.now)
    match = proxy.core.routes.plans.find("9123", lambda: NOON)
    assert match is not None
    routes = proxy.core.routes
    (stop,) = hunt(match, routes.plans, routes.gateways, view, NOON, may_leave=True)
    assert stop.gone == (f"sip:123@{ONE}".encode(),)
    answer(proxy, [sent for sent in seconds(proxy, 30) if sent[0].host == TWO][-1:], TWO, 503)
    alice.calls("9123", branch="z9hG4bK3", call_id="c3")
    assert "it counts as gone: " in told(proxy, "c3")


def told(proxy: Proxy, call_id: str = "call-1") -> str:
    found = [
        facts
        for _, rule, *facts in proxy.core.journal.story(call_id.encode())
        if rule is Rule.GATEWAY_TRIED
    ]
    assert found, proxy.core.journal.story(call_id.encode())
    return str(found[-1][2])


def test_a_name_is_looked_up(proxy: Proxy) -> None:
    planned(proxy, PLAN, gateways=[{**ROW, "addresses": ("sip:gw.example.net",)}])
    assert not tick(proxy)
    (ask,) = proxy.core.asks
    proxy.core.asks.clear()
    proxy.now += 60
    assert not tick(proxy), "one question at a time"
    proxy.core.answer(ask.id, [Place(Transport.UDP, ONE, 5060, "")], proxy.now)
    assert names(proxy.taken()) == ["OPTIONS"]
    proxy.now += 60
    tick(proxy)
    (ask,) = proxy.core.asks
    proxy.core.answer(ask.id, "no such name", proxy.now)
    assert works(proxy) == [False]


PLACES = [Place(Transport.UDP, host, 5060, "") for host in (ONE, TWO)]


def by_name(proxy: Proxy, count: int) -> list[Any]:
    """Let seconds pass where DNS gives two places; return what left."""
    sent: list[Any] = []
    for _ in range(count):
        sent += seconds(proxy, 1) + resolve(proxy)
    return sent


def resolve(proxy: Proxy) -> list[Any]:
    for ask in tuple(proxy.core.asks):
        proxy.core.answer(ask.id, PLACES, proxy.now)
    proxy.core.asks.clear()
    return proxy.taken()


def asked(sent: list[Any]) -> list[str]:
    """Return whom new questions went to."""
    return [flow.host for flow, data in dict.fromkeys(sent) if start(data) == "OPTIONS"]


def test_of_a_name_with_several_places_one_that_answers_is_enough(proxy: Proxy) -> None:
    """And calls try first what is not known to be silent (RFC 3263 §4.3)."""
    planned(proxy, PLAN, gateways=[{**ROW, "addresses": ("sip:gw.example.net",)}])
    alice = Phone(proxy, "alice", "192.0.2.7")

    def called(number: int) -> list[str]:
        alice.calls("9123", branch=f"z9hG4bK{number}", call_id=f"c{number}")
        sent = resolve(proxy)
        (host,) = invites(sent)
        gateway = Phone(proxy, "gw", host, register=False)
        gateway.says(gateway.gets(sent, "INVITE"), 486)
        return [host]

    assert asked(by_name(proxy, 1)) == [ONE]
    assert called(1) == [ONE]
    sent = by_name(proxy, 7)
    assert asked(sent)[-1] == TWO
    answer(proxy, [one for one in sent if one[0].host == TWO][-1:], TWO, 200)
    for _ in range(3):
        assert called(len(proxy.journal)) == [TWO]
        sent = by_name(proxy, 40)
        assert set(asked(sent)) == {ONE, TWO}
        answer(proxy, [one for one in sent if one[0].host == TWO][-1:], TWO, 200)
        assert works(proxy) == [True]
    sent = by_name(proxy, 27)
    answer(proxy, [one for one in sent if one[0].host == ONE][-1:], ONE, 200)
    assert called(99) == [ONE], "it is back"
    by_name(proxy, 60)
    assert works(proxy) == [False], "none answers"


def test_a_call_learns_which_of_its_places_is_silent(proxy: Proxy) -> None:
    planned(proxy, PLAN, gateways=[{**ROW, "addresses": ("sip:gw.example.net",)}])
    alice = Phone(proxy, "alice", "192.0.2.7")
    alice.calls("9123")
    gateway = Phone(proxy, "gw", ONE, register=False)
    sent = gateway.says(gateway.gets(resolve(proxy), "INVITE"), 503)
    assert invites(sent) == [TWO]
    (facts,) = [facts for _, rule, *facts in proxy.journal.story(b"call-1")
                if rule is Rule.NEXT_ADDRESS]  # fmt: skip
    assert facts == [b"sip:123@gw.example.net", f"udp {ONE}:5060", "it answered 503"]
    alice.calls("9123", branch="z9hG4bK2", call_id="c2")
    assert invites(resolve(proxy)) == [TWO]
    assert works(proxy) == [True]


def test_a_question_that_cannot_be_sent_to_one_place_goes_to_the_next(proxy: Proxy) -> None:
    planned(proxy, PLAN, gateways=[{**ROW, "addresses": ("sip:gw.example.net",)}])
    proxy.flows.unreachable.add(ONE)
    by_name(proxy, 1)
    assert works(proxy) == [True]
    assert asked(by_name(proxy, 1)) == [TWO]


def test_the_name_of_one_that_is_not_asked_is_looked_up_all_the_same(proxy: Proxy) -> None:
    """It may call, and ask who speaks to it: so it is to be known by its address."""
    row = {**ROW, "addresses": ("sip:gw.example.net",), "check_interval": 0}
    planned(proxy, PLAN, gateways=[row])
    tick(proxy)
    assert not proxy.core.asks, "who asks nobody need not be known"
    planned(proxy, PLAN, gateways=[{**row, "login": "us", "password": "secret"}])
    for address in (ONE, TWO):
        assert not tick(proxy)
        (ask,) = proxy.core.asks
        proxy.core.asks.clear()
        proxy.core.answer(ask.id, [Place(Transport.UDP, address, 5060, "")], proxy.now)
        assert calling(proxy, address) == "pstn"
        assert calling(proxy, TWO if address == ONE else ONE) == ""
        assert not proxy.taken(), "it is not asked whether it is there"
        proxy.now += 59
        assert not tick(proxy)
        assert not proxy.core.asks
        proxy.now += 1
    tick(proxy)
    proxy.core.answer(proxy.core.asks[0].id, "no such name", proxy.now)
    assert calling(proxy, TWO) == "pstn"
    assert works(proxy) == [True], "what is not asked is not judged"
    assert not any("gateway" in event.name for event in proxy.core.events)


def test_of_one_that_was_taken_out_nothing_is_told(proxy: Proxy) -> None:
    planned(proxy, PLAN, gateways=[{**ROW, "addresses": ("sip:gw.example.net",)}])
    tick(proxy)
    (ask,) = proxy.core.asks
    planned(proxy, PLAN, gateways=[])
    proxy.core.answer(ask.id, "no such name", proxy.now)
    assert not any("gateway" in event.name for event in proxy.core.events)


def test_what_is_known_outlasts_a_reload(proxy: Proxy) -> None:
    answer(proxy, tick(proxy), ONE, 503)
    planned(proxy, PLAN, gateways=[ROW])
    assert works(proxy) == [False, True]
    planned(proxy, PLAN, gateways=[{**ROW, "check_interval": 0}])
    assert works(proxy) == [True, True], "who is not asked counts as there"
    proxy.now += 600
    assert not tick(proxy)
    planned(proxy, PLAN, gateways=[{**ROW, "enabled": False}])
    assert works(proxy) == []


def test_a_transport_that_is_not_there(proxy: Proxy) -> None:
    proxy.flows.unreachable.add(ONE)
    tick(proxy)
    assert works(proxy) == [False, True]
