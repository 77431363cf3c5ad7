"""Messages as packets in a pcapng file, for Wireshark and its like.

The frames are made up around the messages: raw IPv4 or IPv6, and UDP or TCP, with true addresses,
times and checksums. Format: draft-ietf-opsawg-pcapng; all numbers little-endian but for those of the
packets themselves.
"""

import ipaddress
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

_RAW_IP: Final = 101
"""LINKTYPE_RAW: each packet begins with its IPv4 or IPv6 header."""
_SECTION, _INTERFACE, _PACKET = 0x0A0D0D0A, 1, 6
_COMMENT, _APPLICATION = 1, 4
_TCP, _UDP = 6, 17
_SEGMENT: Final = 32_768
"""Octets of a message in one TCP segment at most: an IP packet holds no more than 65,535."""
_PUSH_ACK: Final = 0x18
_HOPS: Final = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Packet:
    """One message on its way."""

    at: float
    """When, in seconds since 1970."""
    source: tuple[str, int]
    """The numeric address and port it came from."""
    target: tuple[str, int]
    stream: bool
    """Whether it went by a connection (TCP) instead of a datagram (UDP)."""
    data: bytes
    comment: str = ""


def pcapng(packets: Iterable[Packet]) -> bytes:
    """Return a whole file.

    Raises:
        ValueError: An address is not numeric, or the two of a packet are of different IP versions.
    """
    out = [_section(), _interface()]
    sent: dict[tuple[tuple[str, int], tuple[str, int]], int] = {}
    for packet in packets:
        if not packet.stream:
            out.append(_enhanced(packet, _datagram(packet)))
            continue
        ways = (packet.source, packet.target), (packet.target, packet.source)
        for start in range(0, max(len(packet.data), 1), _SEGMENT):
            data = packet.data[start : start + _SEGMENT]
            mine, theirs = (sent.get(way, 0) for way in ways)
            out.append(_enhanced(packet, _segment(packet, data, mine, theirs)))
            sent[ways[0]] = mine + len(data)
    return b"".join(out)


def _block(kind: int, body: bytes) -> bytes:
    length = 12 + len(body) + -len(body) % 4
    return struct.pack("<II", kind, length) + _padded(body) + struct.pack("<I", length)


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)


def _option(code: int, value: str) -> bytes:
    data = value.encode()
    return struct.pack("<HH", code, len(data)) + _padded(data) + bytes(4)


def _section() -> bytes:
    head = struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1)
    return _block(_SECTION, head + _option(_APPLICATION, "centrex"))


def _interface() -> bytes:
    return _block(_INTERFACE, struct.pack("<HHI", _RAW_IP, 0, 0))


def _enhanced(packet: Packet, frame: bytes) -> bytes:
    stamp = round(packet.at * 1_000_000)
    head = struct.pack("<IIIII", 0, stamp >> 32, stamp & 0xFFFFFFFF, len(frame), len(frame))
    options = _option(_COMMENT, packet.comment) if packet.comment else b""
    return _block(_PACKET, head + _padded(frame) + options)


def _datagram(packet: Packet) -> bytes:
    data = packet.data
    head = struct.pack("!HHHH", packet.source[1], packet.target[1], 8 + len(data), 0)
    total = _sum(_pseudo(packet, _UDP, len(head) + len(data)) + head + data) or 0xFFFF
    return _ip(packet, _UDP, head[:6] + struct.pack("!H", total) + data)


def _segment(packet: Packet, data: bytes, mine: int, theirs: int) -> bytes:
    numbers = (1 + mine) & 0xFFFFFFFF, (1 + theirs) & 0xFFFFFFFF
    ports = packet.source[1], packet.target[1]
    head = struct.pack("!HHIIBBHHH", *ports, *numbers, 5 << 4, _PUSH_ACK, 0xFFFF, 0, 0)
    total = _sum(_pseudo(packet, _TCP, len(head) + len(data)) + head + data)
    return _ip(packet, _TCP, head[:16] + struct.pack("!H", total) + head[18:] + data)


def _addresses(packet: Packet) -> tuple[bytes, bytes]:
    source, target = (
        ipaddress.ip_address(end[0].partition("%")[0]) for end in (packet.source, packet.target)
    )
    if source.version != target.version:
        raise ValueError(f"{source} and {target} are of different IP versions")
    return source.packed, target.packed


def _pseudo(packet: Packet, protocol: int, length: int) -> bytes:
    """Return what is summed up besides the segment itself (RFC 768, RFC 8200 §8.1)."""
    source, target = _addresses(packet)
    shape = "!BBH" if len(source) == 4 else "!IxxxB"
    rest = (0, protocol, length) if len(source) == 4 else (length, protocol)
    return source + target + struct.pack(shape, *rest)


def _ip(packet: Packet, protocol: int, payload: bytes) -> bytes:
    source, target = _addresses(packet)
    if len(source) == 16:
        return (
            struct.pack("!IHBB", 6 << 28, len(payload), protocol, _HOPS) + source + target + payload
        )
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(payload), 0, 0x4000, _HOPS, protocol, 0)
    total = _sum(head + source + target)
    return head[:10] + struct.pack("!H", total) + source + target + payload


def _sum(data: bytes) -> int:
    """Return the internet checksum (RFC 1071)."""
    words: tuple[int, ...] = struct.unpack(f"!{(len(data) + 1) // 2}H", data + bytes(len(data) % 2))
    total = sum(words)
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
