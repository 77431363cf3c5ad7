"""Pairs of ports: even and odd, really bound, drawn at random."""

import random
import socket

import pytest

from centrex.runtime.relay.ports import Opener
from tests.support.ports import free_port, loopback

pytestmark = pytest.mark.wire


def opener(host: str, first: int, last: int) -> Opener:
    return Opener([(host, "203.0.113.1")], (first, last), random.Random(1).randrange)


def test_a_pair_is_even_and_odd_and_bound() -> None:
    host = loopback()
    pair = opener(host, 31001, 31999).any(host)
    assert pair is not None
    assert pair.slot.port % 2 == 0
    assert pair.slot.shown == "203.0.113.1"
    assert pair.rtp.sock.getsockname() == (host, pair.slot.port)
    assert pair.rtcp.sock.getsockname() == (host, pair.slot.port + 1)
    assert pair.rtcp.rtcp
    pair.close()


def test_a_range_can_be_used_up() -> None:
    host = loopback()
    first = free_port(host, run=10)
    made = opener(host, first, first + 8)
    pairs = []
    while (pair := made.any(host)) is not None:
        pairs.append(pair)
    assert len(pairs) == made.pairs
    assert len({pair.slot.port for pair in pairs}) == len(pairs)
    pairs[0].close()
    again = made.any(host)
    assert again is not None
    for pair in (*pairs[1:], again):
        pair.close()


def test_a_port_of_somebody_else_is_left_alone() -> None:
    host = loopback()
    made = opener(host, 31000, 31999)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind((host, 31501))
        assert made.at(host, 31500) is None
        other.close()
        pair = made.at(host, 31500)
        assert pair is not None
        pair.close()


def test_an_address_that_is_not_there() -> None:
    with pytest.raises(OSError, match="assign"):
        opener("192.0.2.77", 31000, 31999).any("192.0.2.77")


def test_ipv6() -> None:
    pair = opener("::1", 31000, 31999).any("::1")
    assert pair is not None
    address = pair.rtp.wire(pair.slot.rtp)
    assert pair.rtp.sock.getsockname() == address
    pair.close()
