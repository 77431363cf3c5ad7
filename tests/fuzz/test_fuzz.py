"""Whatever arrives: no exception, no unbounded table, and every ping is answered."""

import gc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from centrex.base import Transport
from centrex.sip.message import parse
from tests.fuzz.run import fuzz_cores, fuzz_server
from tests.support.fuzz_calls import MEDIA, CallFuzz, Media
from tests.support.fuzz_core import CoreFuzz
from tests.support.mutate import METHODS, Mutator, fresh, torture
from tests.support.proxy import DOMAIN, Proxy, request, respond

ALL, HALF, GROWTH = 220_000, 110_000, 0.10

pieces = st.one_of(
    st.binary(max_size=40),
    st.sampled_from([line + b"\r\n" for case in torture() for line in case.split(b"\r\n")]),
)
messages = st.one_of(
    st.lists(pieces, max_size=30).map(b"".join),
    st.tuples(st.sampled_from(METHODS), st.integers(0, 2**32), st.sampled_from(torture())).map(
        lambda given: Mutator(given[1]).spoil(fresh(given[0]), given[2])
    ),
)


def ping(proxy: Proxy) -> None:
    flow = proxy.flows.get("192.0.2.200", 5060)
    ((to, data),) = proxy.receive(request("OPTIONS", f"sip:{DOMAIN}", flow), flow)
    assert (to, data[:12]) == (flow, b"SIP/2.0 200 ")


def settles(fuzz: CoreFuzz) -> None:
    """See that nothing grew beyond its bound, and that nothing is left once all is quiet."""
    fuzz.check_bounds()
    fuzz.rest()
    fuzz.check_rest()


@given(st.lists(messages, max_size=8), st.booleans())
def test_no_message_harms_the_core(given: list[bytes], auth: bool) -> None:
    proxy = Proxy(auth=auth, users=["alice"], trusted=["203.0.113.0/24"])
    proxy.register("user1", proxy.flows.get("203.0.113.5", 5060))
    for number, data in enumerate(given):
        transport = Transport.TCP if number % 3 == 2 else Transport.UDP
        host = "203.0.113.7" if number % 2 else "192.0.2.7"
        for _, out in proxy.receive(data, proxy.flows.get(host, 5060, transport)):
            parse(out)
        proxy.advance(0.4)
    ping(proxy)


@given(st.integers(0, 2**32), st.sampled_from([100, 180, 200, 302, 404, 503, 600]))
def test_no_answer_harms_the_core(seed: int, status: int) -> None:
    proxy = Proxy(trusted=["203.0.113.0/24"])
    caller, phone = (proxy.flows.get(f"203.0.113.{n}", 5060) for n in (7, 8))
    sent = proxy.receive(request("INVITE", "sip:x@203.0.113.8", caller), caller)
    (invite,) = [data for to, data in sent if to is phone]
    answer = respond(invite, status, extra="Contact: <sip:x@203.0.113.8>")
    proxy.receive(Mutator(seed).spoil(answer, torture()[seed % len(torture())]), phone)
    ping(proxy)
    proxy.advance(400)
    assert proxy.core.layer.servers == {}
    assert proxy.core.layer.clients == {}


@pytest.mark.parametrize("auth", [False, True])
def test_some_thousand_spoiled_messages(auth: bool) -> None:
    fuzz = CoreFuzz(7, auth=auth)
    fuzz.run(4_000)
    assert fuzz.counts["pings answered"] == 80
    assert fuzz.counts["forwarded"] > 100
    settles(fuzz)


@pytest.mark.slow
@pytest.mark.timeout(120)
@pytest.mark.parametrize(("seed", "media"), [(1083, "rtpengine"), (1105, "always"), (8, "auto")])
def test_nothing_is_left_of_forks_of_which_some_are_relayed(seed: int, media: Media) -> None:
    fuzz = CallFuzz(seed, auth=seed % 2 == 1, media=media)
    fuzz.run(6_000)
    settles(fuzz)


@pytest.mark.parametrize("media", MEDIA)
def test_some_thousand_messages_of_calls(media: Media) -> None:
    fuzz = CallFuzz(7, media=media)
    fuzz.run(3_000)
    assert fuzz.counts["pings answered"] == 60
    assert fuzz.counts["acted"] > 50
    settles(fuzz)


def test_equal_seeds_do_the_same() -> None:
    one, other = (list(map(Mutator(3).spoil, torture(), torture())) for _ in range(2))
    assert one == other


def test_a_peer_that_takes_tcp_and_says_nothing_is_given_up() -> None:
    """A large request is tried by TCP and by UDP, once each (RFC 3261 §18.1.1)."""
    proxy = Proxy(trusted=["203.0.113.0/24"])
    caller = proxy.flows.get("203.0.113.7", 5060)
    data = request("MESSAGE", "sip:x@198.51.100.1", caller, body="x" * 2000)
    sent = proxy.receive(data, caller) + proxy.advance(300)
    tried = [to.transport for to, _ in sent if to.host == "198.51.100.1"]
    assert tried[0] is Transport.TCP
    assert set(tried[1:]) == {Transport.UDP}
    assert proxy.core.layer.servers == {}
    assert proxy.core.layer.clients == {}


def test_a_success_whose_to_cannot_be_read_is_dropped() -> None:
    proxy = Proxy()
    caller, phone = (proxy.flows.get(f"203.0.113.{n}", 5060) for n in (7, 8))
    proxy.register("bob", phone)
    sent = proxy.receive(request("INVITE", f"sip:bob@{DOMAIN}", caller), caller)
    (invite,) = [data for to, data in sent if to is phone]
    proxy.receive(respond(invite, 180), phone)
    answer = respond(invite, 200).replace(b"To: <", b"To: ")
    assert proxy.receive(answer, phone) == []
    assert proxy.statistics.drops["malformed"] == 1


def test_a_failure_whose_via_cannot_be_read_is_dropped() -> None:
    proxy = Proxy()
    caller, phone = (proxy.flows.get(f"203.0.113.{n}", 5060) for n in (7, 8))
    proxy.register("bob", phone)
    sent = proxy.receive(request("INVITE", f"sip:bob@{DOMAIN}", caller), caller)
    (invite,) = [data for to, data in sent if to is phone]
    answer = respond(invite, 404).replace(b"Via: SIP/2.0/UDP", b'Via: S",P/2.0/UDP', 1)
    assert proxy.receive(answer, phone) == []
    assert proxy.statistics.drops["malformed"] == 1


def test_what_is_refused_is_freed_without_the_collector() -> None:
    """An error that is kept must not hold the frames it went through: the collector runs rarely."""
    proxy = Proxy()
    flow = proxy.flows.get("203.0.113.7", 5060)
    usual = request("OPTIONS", f"sip:{DOMAIN}", flow)
    spoiled = (
        usual.replace(b"From: <", b"From: "),
        usual.replace(b"To: ", b"To : \0:"),
        usual.replace(b"Via: SIP/2.0/", b"Via: "),
        usual.removesuffix(b"\r\n"),
        usual.replace(b"Call-ID", b"CSeq"),
        usual.replace(b"Max-Forwards: 70", b"Max-Forwards: 700"),
    )
    gc.collect()
    gc.disable()
    try:
        for number in range(50):
            for data in spoiled:
                proxy.receive(data.replace(b"z9hG4bK", b"z9hG4bK%d" % number), flow)
        proxy.advance(100)
        assert gc.collect() < 50
    finally:
        gc.enable()


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_cores_under_fire() -> None:
    counts = fuzz_cores(HALF, seed=1)
    assert counts["fed"] == HALF
    assert counts["pings answered"] == HALF // 50


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_server_under_fire(tmp_path: Path) -> None:
    figures = fuzz_server(tmp_path, ALL - HALF, seed=1)
    assert figures.sent == ALL - HALF
    assert figures.reacted > 1000
    assert (figures.answered, figures.pings) == (figures.pings, figures.sent // 25)
    assert figures.errors == ()
    assert figures.growth < GROWTH, figures.memory_kib
