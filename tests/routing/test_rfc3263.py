"""RFC 3263 §4, held as a conversation with a zone written down as a dictionary."""

from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from random import Random
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from centrex.base import Transport
from centrex.routing.rfc3263 import (
    MAX_TARGETS,
    Answer,
    Destination,
    Naptr,
    Question,
    Srv,
    Target,
    is_host_name,
    locate,
    numeric_host,
    order_srv,
)

UDP, TCP, TLS = Transport.UDP, Transport.TCP, Transport.TLS
ALL = frozenset({UDP, TCP, TLS})
Zone = Mapping[tuple[str, str], Answer]


def lowest(_highest: int) -> int:
    return 0


def ask(
    destination: Destination,
    zone: Zone,
    speak: AbstractSet[Transport] = ALL,
    *,
    draw: Callable[[int], int] = lowest,
    families: Sequence[Literal[4, 6]] = (4, 6),
) -> tuple[tuple[Target, ...], list[Question]]:
    """Hold the conversation; returns the targets and every question asked."""
    asked: list[Question] = []
    conversation = locate(destination, speak, draw, families=families)
    try:
        questions = next(conversation)
        while True:
            asked += questions
            questions = conversation.send(tuple(zone.get(q, ()) for q in questions))
    except StopIteration as end:
        return end.value, asked


def naptr(order: int, service: str, replacement: str, flags: str = "s") -> Naptr:
    return Naptr(order, 50, flags, service, replacement)


# The zone of RFC 3263 §4.1 and §4.2
EXAMPLE: Zone = {
    ("NAPTR", "example.com"): [
        naptr(90, "SIP+D2U", "_sip._udp.example.com"),
        naptr(50, "SIPS+D2T", "_sips._tcp.example.com."),
        naptr(70, "SIP+D2T", "_sip._tcp.example.com"),
        naptr(10, "E2U+sip", "elsewhere.example.com", "u"),
    ],
    ("SRV", "_sip._tcp.example.com"): [
        Srv(0, 1, 5060, "server1.example.com."),
        Srv(0, 2, 5070, "server2.example.com."),
    ],
    ("SRV", "_sips._tcp.example.com"): [Srv(0, 1, 5061, "server1.example.com")],
    ("SRV", "_sip._udp.example.com"): [Srv(5, 0, 5060, "server2.example.com")],
    ("A", "server1.example.com"): ["192.0.2.1"],
    ("A", "server2.example.com"): ["192.0.2.2"],
    ("AAAA", "server2.example.com"): ["2001:db8::2"],
    ("A", "example.com"): ["192.0.2.9"],
}
NAME = "example.com"


@pytest.mark.parametrize(
    ("destination", "target"),
    [
        (Destination(host="192.0.2.7"), (UDP, "192.0.2.7", 5060)),
        (Destination(host="192.0.2.7", port=5099), (UDP, "192.0.2.7", 5099)),
        (Destination(host="192.0.2.7", transport=TCP), (TCP, "192.0.2.7", 5060)),
        (Destination(host="192.0.2.7", secure=True), (TLS, "192.0.2.7", 5061)),
        (Destination(host="192.0.2.7", secure=True, transport=TCP), (TLS, "192.0.2.7", 5061)),
        (Destination(host="[2001:DB8:0::1]"), (UDP, "2001:db8::1", 5060)),
        (Destination(host="2001:db8::1", transport=TLS), (TLS, "2001:db8::1", 5061)),
    ],
)
def test_a_numeric_host_needs_no_question(
    destination: Destination, target: tuple[Transport, str, int]
) -> None:
    assert ask(destination, {}) == ((Target(*target, target[1]),), [])


def test_naptr_gives_the_order_of_the_transports() -> None:
    targets, asked = ask(Destination(host="Example.COM."), EXAMPLE)
    assert targets == (
        Target(TLS, "192.0.2.1", 5061, NAME),
        Target(TCP, "192.0.2.1", 5060, NAME),
        Target(TCP, "192.0.2.2", 5070, NAME),
        Target(TCP, "2001:db8::2", 5070, NAME),
        Target(UDP, "192.0.2.2", 5060, NAME),
        Target(UDP, "2001:db8::2", 5060, NAME),
    )
    assert asked[0] == ("NAPTR", NAME)
    assert [q.name for q in asked[1:4]] == [
        "_sips._tcp.example.com",
        "_sip._tcp.example.com",
        "_sip._udp.example.com",
    ]


def test_naptr_services_not_spoken_are_left_out() -> None:
    targets, _ = ask(Destination(host=NAME), EXAMPLE, {UDP}, families=(4,))
    assert targets == (Target(UDP, "192.0.2.2", 5060, NAME),)


def test_sips_takes_tls_alone() -> None:
    targets, asked = ask(Destination(host=NAME, secure=True), EXAMPLE)
    assert targets == (Target(TLS, "192.0.2.1", 5061, NAME),)
    assert ("SRV", "_sip._udp.example.com") not in asked


@pytest.mark.parametrize(
    ("destination", "speak"),
    [
        (Destination(host=NAME, secure=True, transport=UDP), ALL),
        (Destination(host=NAME, secure=True), {UDP, TCP}),
        (Destination(host=NAME, transport=TLS), {UDP, TCP}),
        (Destination(host="192.0.2.1", transport=TCP), {UDP}),
        (Destination(host="exa mple.com"), ALL),
        (Destination(host="a..b"), ALL),
        (Destination(host=""), ALL),
        (Destination(host="fe80::1%eth0"), ALL),
        (Destination(host="x" * 64 + ".com"), ALL),
        (Destination(host="a." * 127 + "toolong"), ALL),
    ],
)
def test_what_leads_nowhere_asks_nothing(
    destination: Destination, speak: AbstractSet[Transport]
) -> None:
    assert ask(destination, EXAMPLE, speak) == ((), [])


def test_a_port_means_addresses_only() -> None:
    targets, asked = ask(Destination(host=NAME, port=5080), EXAMPLE)
    assert targets == (Target(UDP, "192.0.2.9", 5080, NAME),)
    assert asked == [("A", NAME), ("AAAA", NAME)]
    targets, _ = ask(Destination(host=NAME, port=5080, secure=True), EXAMPLE)
    assert targets == (Target(TLS, "192.0.2.9", 5080, NAME),)


def test_a_transport_means_its_srv_records_and_no_naptr() -> None:
    targets, asked = ask(Destination(host=NAME, transport=TCP), EXAMPLE, families=(4,))
    assert [t.host for t in targets] == ["192.0.2.1", "192.0.2.2"]
    assert asked[0] == ("SRV", "_sip._tcp.example.com")


def test_without_naptr_every_transport_spoken_is_asked_for() -> None:
    zone = {q: a for q, a in EXAMPLE.items() if q[0] != "NAPTR"}
    targets, asked = ask(Destination(host=NAME), zone, families=(4,))
    assert [t.transport for t in targets] == [UDP, TCP, TCP, TLS]
    assert len([q for q in asked if q.kind == "SRV"]) == 3


@pytest.mark.parametrize(
    ("destination", "target"),
    [
        (Destination(host=NAME), Target(UDP, "192.0.2.9", 5060, NAME)),
        (Destination(host=NAME, secure=True), Target(TLS, "192.0.2.9", 5061, NAME)),
        (Destination(host=NAME, transport=TCP), Target(TCP, "192.0.2.9", 5060, NAME)),
    ],
)
def test_without_srv_the_address_and_default_port_serve(
    destination: Destination, target: Target
) -> None:
    assert ask(destination, {("A", NAME): ["192.0.2.9"]})[0] == (target,)


def test_a_dot_says_that_the_service_is_not_there() -> None:
    zone: Zone = {("SRV", "_sip._tcp.example.com"): [Srv(0, 0, 0, ".")], ("A", NAME): ["192.0.2.9"]}
    assert ask(Destination(host=NAME, transport=TCP), zone)[0] == ()


def test_a_naptr_without_its_srv_still_decides_the_transport() -> None:
    zone: Zone = {
        ("NAPTR", NAME): [naptr(1, "SIP+D2T", "_sip._tcp.example.com")],
        ("A", NAME): ["192.0.2.9"],
    }
    assert ask(Destination(host=NAME), zone)[0] == (Target(TCP, "192.0.2.9", 5060, NAME),)


def test_the_family_preferred_comes_first_at_each_server() -> None:
    zone: Zone = {("A", NAME): ["192.0.2.9"], ("AAAA", NAME): ["2001:db8::9"]}
    targets, _ = ask(Destination(host=NAME, port=5060), zone, families=(6, 4))
    assert [t.host for t in targets] == ["2001:db8::9", "192.0.2.9"]
    assert ask(Destination(host="2001:db8::9"), zone, families=(4,))[0] == ()


def test_equal_targets_stand_once_and_long_lists_are_cut() -> None:
    zone: Zone = {
        ("SRV", "_sip._udp.example.com"): [Srv(1, 1, 5060, NAME), Srv(2, 1, 5060, NAME)],
        ("A", NAME): ["192.0.2.9"],
    }
    assert len(ask(Destination(host=NAME, transport=UDP), zone)[0]) == 1
    many: Zone = {
        ("SRV", "_sip._udp.example.com"): [Srv(1, 1, port, NAME) for port in range(1, 2000)],
        ("A", NAME): [f"192.0.2.{n}" for n in range(200)],
    }
    assert len(ask(Destination(host=NAME, transport=UDP), many)[0]) == MAX_TARGETS


def test_srv_goes_by_priority_then_by_the_number_drawn() -> None:
    records = [Srv(20, 5, 1, "d"), Srv(10, 60, 1, "a"), Srv(10, 20, 1, "b"), Srv(10, 0, 1, "c")]
    assert [r.target for r in order_srv(records, lowest)] == ["c", "a", "b", "d"]
    assert [r.target for r in order_srv(records, lambda highest: highest)] == ["b", "a", "c", "d"]
    draws = iter([61, 1, 0, 0])
    assert [r.target for r in order_srv(records, lambda _: next(draws))] == ["b", "a", "c", "d"]


@given(
    st.lists(
        st.builds(
            Srv, st.integers(0, 3), st.integers(0, 65535), st.integers(0, 65535), st.just("x")
        )
    ),
    st.randoms(use_true_random=False),
)
def test_ordering_loses_nothing_and_keeps_priorities(records: list[Srv], rng: Random) -> None:
    ordered = order_srv(records, lambda highest: rng.randint(0, highest))
    assert sorted(ordered) == sorted(records)
    assert [r.priority for r in ordered] == sorted(r.priority for r in records)


def test_weights_show_in_the_long_run() -> None:
    rng = Random(7)
    heavy = sum(
        order_srv([Srv(0, 75, 1, "h"), Srv(0, 25, 1, "l")], lambda n: rng.randint(0, n))[0].target
        == "h"
        for _ in range(2000)
    )
    assert 1400 < heavy < 1600


@given(st.text())
def test_any_text_is_a_name_or_an_address_or_neither(text: str) -> None:
    assert not (numeric_host(text) and ":" in text and is_host_name(text))
    targets, _ = ask(Destination(host=text), {})
    assert all(numeric_host(t.host) for t in targets)
