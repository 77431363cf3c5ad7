"""Gateways are asked by OPTIONS whether they are there, and calls go by the answer."""

from typing import Any

import pytest

from centrex.base import Transport
from centrex.routing.rfc3263 import Target as Place
from tests.support.calling import Phone, names, start
from tests.support.hunting import invites, planned
from tests.support.proxy import Proxy

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
