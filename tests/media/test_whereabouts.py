"""Where one side wants its media, and what of that can be right."""

import pytest

from centrex.media.terms import Address, Slot
from centrex.media.whereabouts import (
    end_of,
    is_hidden,
    is_numeric,
    is_private,
    names,
    odd_lines,
)
from centrex.sdp import parse
from tests.support.relays import offer


@pytest.mark.parametrize(
    ("host", "source", "hidden"),
    [
        ("192.168.1.10", "8.8.8.8", True),
        ("100.64.0.1", "8.8.8.8", True),
        ("fd00::1", "2606:4700::1", True),
        ("192.168.1.10", "192.168.1.1", False),
        ("8.8.4.4", "8.8.8.8", False),
        ("8.8.8.8", "8.8.8.8", False),
        ("10.0.0.1", "", False),
        ("phone.example.com", "8.8.8.8", True),
        ("0.0.0.0", "8.8.8.8", False),
    ],
)
def test_hidden(host: str, source: str, hidden: bool) -> None:
    assert is_hidden(host, source) is hidden


def test_private() -> None:
    assert is_private("10.0.0.1")
    assert not is_private("127.0.0.1")
    assert not is_private("8.8.8.8")


def test_a_name_is_none() -> None:
    assert is_numeric("2001:db8::1")
    assert not is_numeric("phone.example.com")


@pytest.mark.parametrize(
    ("host", "source", "wanted"),
    [
        ("192.0.2.7", "192.0.2.7", "192.0.2.7"),
        ("192.0.2.9", "", "192.0.2.9"),
        ("127.0.0.1", "127.0.0.1", "127.0.0.1"),
        ("127.0.0.1", "192.0.2.7", None),
        ("0.0.0.0", "192.0.2.7", None),
        ("255.255.255.255", "192.0.2.7", None),
    ],
)
def test_where_packets_may_be_wanted(host: str, source: str, wanted: str | None) -> None:
    (media,) = parse(offer(host, 4000).encode()).media
    end = end_of(media, source, natted=False)
    assert end.rtp == (None if wanted is None else Address(wanted, 4000))
    assert end.rtcp == (None if wanted is None else Address(wanted, 4001))
    assert end.source == source


@pytest.mark.parametrize(
    ("control", "source", "wanted"),
    [
        ("8.8.4.4", "8.8.8.8", "8.8.4.4"),
        ("10.0.0.5", "8.8.8.8", "8.8.8.8"),
        ("10.0.0.5", "192.168.1.1", "10.0.0.5"),
        ("127.0.0.1", "8.8.8.8", "8.8.8.8"),
        ("phone.example.com", "8.8.8.8", "8.8.8.8"),
    ],
)
def test_rtcp_goes_to_no_network_of_the_relay_s_own(control: str, source: str, wanted: str) -> None:
    """Who describes himself in public has nothing to seek there."""
    (media,) = parse(offer("8.8.8.8", 4000, f"a=rtcp:161 IN IP4 {control}").encode()).media
    end = end_of(media, source, natted=False)
    assert end.rtp == Address("8.8.8.8", 4000)
    assert end.rtcp == Address(wanted, 161)


def test_lines_that_name_a_slot_of_ours() -> None:
    told = parse(
        b"v=0\r\nc=IN IP4 192.0.2.9\r\nm=audio 4000 RTP/AVP 0\r\nm=video 4002 RTP/AVP 34\r\n"
    )
    for host, port, named in (
        ("192.0.2.9", 4002, True), ("192.0.2.9", 4004, False), ("192.0.2.8", 4000, False)
    ):  # fmt: skip
        assert names(told, Slot("10.0.0.1", host, port)) is named
    held = parse(b"v=0\r\nc=IN IP4 0.0.0.0\r\nm=audio 4000 RTP/AVP 0\r\n")
    assert names(held, Slot("10.0.0.1", "192.0.2.9", 4000))


def test_lines_that_no_relay_can_carry() -> None:
    told = parse(
        b"v=0\r\nc=IN IP4 192.0.2.9\r\nm=audio 4000 RTP/AVP 0\r\nm=message 9 TCP/MSRP *\r\n"
        b"m=image 0 TCP/T38 t38\r\n"
    )
    assert odd_lines(told) == {1}
