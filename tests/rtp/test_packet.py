"""The fixed headers of RTP and RTCP, and the packets a relay sends by itself."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from centrex.rtp.packet import is_packet, is_rtcp, primer, receiver_report, ssrc

RTP = bytes.fromhex("80080001000000a0deadbeef") + b"x" * 20
SENDER_REPORT = bytes.fromhex("80c80006cafebabe") + b"\0" * 20


def test_rtp_and_rtcp_are_told_apart() -> None:
    assert is_packet(RTP, len(RTP))
    assert not is_rtcp(RTP)
    assert ssrc(RTP) == 0xDEADBEEF
    assert is_packet(SENDER_REPORT, len(SENDER_REPORT))
    assert is_rtcp(SENDER_REPORT)
    assert ssrc(SENDER_REPORT) == 0xCAFEBABE


@pytest.mark.parametrize(
    "data",
    [b"\x80" * 7, b"\0" * 12, b"\xc0" * 12, b"\x80\x08" + b"\0" * 9, b"\0\1\0\0\x21\x12\xa4\x42"],
)
def test_what_is_neither(data: bytes) -> None:
    """Too short, other versions, an RTP head cut off, STUN."""
    assert not is_packet(data, len(data))


def test_the_marker_bit_makes_no_rtcp() -> None:
    """RFC 5761 §4: payload types 64 to 95 are left out, so that 0x80 | type is no RTCP type."""
    assert not is_rtcp(bytes([0x80, 0x80 | 0]) + b"\0" * 10)
    assert not is_rtcp(bytes([0x80, 0x80 | 101]) + b"\0" * 10)


@pytest.mark.parametrize(("payload", "octets"), [(0, 160), (8, 160), (18, 0), (111, 0)])
def test_a_primer_is_rtp(payload: int, octets: int) -> None:
    data = primer(payload, 70000, 2**40, 2**33 + 5)
    assert is_packet(data, len(data))
    assert (data[1], ssrc(data), len(data)) == (payload, 5, 12 + octets)


def test_an_empty_report_is_rtcp() -> None:
    data = receiver_report(7)
    assert is_packet(data, len(data))
    assert is_rtcp(data)
    assert (ssrc(data), len(data)) == (7, 8)


@given(st.binary(max_size=64))
def test_any_octets(data: bytes) -> None:
    if is_packet(data, len(data)):
        assert 0 <= ssrc(data) < 2**32
