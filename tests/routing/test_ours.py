"""What is ours."""

import pytest

from centrex.base import Local, Transport
from centrex.routing.ours import Ours
from centrex.sip.uri import SipUri, parse_uri


def uri(text: str) -> SipUri:
    parsed = parse_uri(text.encode())
    assert isinstance(parsed, SipUri)
    return parsed


@pytest.fixture
def ours() -> Ours:
    return Ours(
        ["Example.com", "alias.example"],
        [Local(Transport.UDP, "192.0.2.1", 5060), Local(Transport.TLS, "2001:db8::1", 5061)],
    )


@pytest.mark.parametrize(
    ("text", "owned"),
    [
        ("sip:example.com", True),
        ("sip:bob@EXAMPLE.COM:5060", True),
        ("sips:alias.example:5061", True),
        ("sip:192.0.2.1", True),
        ("sip:[2001:db8::1]:5061", True),
        ("sip:[2001:DB8::1]", True),
        ("sip:example.com:5070", False),
        ("sip:192.0.2.2", False),
        ("sip:example.com.evil", False),
        ("sip:evilexample.com", False),
        ("sip:sub.example.com", False),
    ],
)
def test_host_and_port_decide(ours: Ours, text: str, owned: bool) -> None:
    assert ours.owns(uri(text)) is owned


def test_domains_and_addresses_are_names_of_ours(ours: Ours) -> None:
    for host in (b"example.com", b"alias.example", b"192.0.2.1", b"2001:db8::1"):
        assert ours.is_domain(host)
    assert not ours.is_domain(b"far.example")


def test_every_change_counts_a_generation(ours: Ours) -> None:
    before = ours.generation
    ours.rename(["new.example"])
    assert ours.owns(uri("sip:new.example"))
    assert not ours.owns(uri("sip:example.com"))
    assert ours.owns(uri("sip:192.0.2.1")), "addresses stay"
    ours.add(Local(Transport.UDP, "198.51.100.1", 5080))
    assert ours.owns(uri("sip:198.51.100.1:5080"))
    assert ours.generation == before + 2
