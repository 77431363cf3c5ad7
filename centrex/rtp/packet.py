"""The few octets of an RTP or RTCP packet that a relay looks at, and the packet it sends by itself.

It takes no packet apart beyond its fixed header; payloads are nobody's business here.
"""

from typing import Final

_SILENCE: Final = {0: b"\xff" * 160, 8: b"\xd5" * 160}
"""20 ms of silence by payload type: G.711 in both its laws (RFC 3551 §4.5.14)."""


def is_packet(data: bytes | bytearray | memoryview, length: int) -> bool:
    """Whether it looks like RTP or RTCP: version 2, and as long as its fixed header (RFC 3550 §5.1)."""
    return length >= 8 and data[0] >> 6 == 2 and (length >= 12 or 192 <= data[1] <= 223)


def is_rtcp(data: bytes | bytearray | memoryview) -> bool:
    """Whether a packet is RTCP, where both come on one port (RFC 5761 §4)."""
    return 192 <= data[1] <= 223


def ssrc(data: bytes | bytearray | memoryview) -> int:
    """Return the synchronization source of a packet for which `is_packet` holds."""
    at = 4 if 192 <= data[1] <= 223 else 8
    return int.from_bytes(data[at : at + 4], "big")


def primer(payload: int, sequence: int, timestamp: int, source: int) -> bytes:
    """Return a packet of RTP that carries silence, or nothing where silence is not known.

    It opens a NAT's way and tells an end that waits for the first packet where to send
    (RFC 6263 §4.6, RFC 7362 §4).

    Args:
        payload: The payload type, 0 to 127.
        sequence: The sequence number.
        timestamp: The RTP timestamp.
        source: The synchronization source.
    """
    head = bytes((0x80, payload & 0x7F)) + (sequence & 0xFFFF).to_bytes(2, "big")
    head += (timestamp & 0xFFFFFFFF).to_bytes(4, "big") + (source & 0xFFFFFFFF).to_bytes(4, "big")
    return head + _SILENCE.get(payload, b"")


def receiver_report(source: int) -> bytes:
    """Return an RTCP receiver report without blocks, to open a NAT's way (RFC 3550 §6.4.2)."""
    return b"\x80\xc9\x00\x01" + (source & 0xFFFFFFFF).to_bytes(4, "big")
