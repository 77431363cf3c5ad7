import ipaddress
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from centrex.runtime.pcapng import Packet, pcapng
from tests.support.wireshark import dissected

V4 = ("192.0.2.7", 5060), ("192.0.2.1", 5062)
V6 = ("2001:db8::7", 5060), ("2001:db8::1", 5061)
INVITE = b"INVITE sip:1002@x SIP/2.0\r\nCall-ID: c\r\n\r\n"
AT = 1_795_000_000.123456


def packet(data: bytes = INVITE, ends: Any = V4, *, stream: bool = False, **more: Any) -> Packet:
    return Packet(at=AT, source=ends[0], target=ends[1], stream=stream, data=data, **more)


def blocks(file: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at < len(file):
        kind, length = struct.unpack_from("<II", file, at)
        assert length % 4 == 0
        assert struct.unpack_from("<I", file, at + length - 4) == (length,)
        yield kind, file[at + 8 : at + length - 4]
        at += length
    assert at == len(file)


def folded(data: bytes) -> int:
    """Add up the words of what holds its own checksum: all ones where that is right."""
    total = 0
    for at in range(0, len(data), 2):
        total += int.from_bytes(data[at : at + 2].ljust(2, b"\0"), "big")
    while total > 0xFFFF:
        total = (total >> 16) + (total & 0xFFFF)
    return total


def read(file: bytes) -> list[dict[str, Any]]:
    """Take a file apart again, by the book, and check each sum in it."""
    (section, head), (interface, link), *rest = blocks(file)
    assert (section, head[:8]) == (0x0A0D0D0A, struct.pack("<IHH", 0x1A2B3C4D, 1, 0))
    assert (interface, struct.unpack("<HHI", link)) == (1, (101, 0, 0))
    return [_frame(body) for kind, body in rest if kind == 6]


def _frame(body: bytes) -> dict[str, Any]:
    interface, high, low, kept, length = struct.unpack_from("<IIIII", body)
    assert (interface, kept) == (0, length)
    frame, options = body[20 : 20 + length], body[20 + length + -length % 4 :]
    if frame[0] >> 4 == 4:
        assert folded(frame[:20]) == 0xFFFF
        assert struct.unpack_from("!H", frame, 2) == (length,)
        protocol, ends, payload = frame[9], (frame[12:16], frame[16:20]), frame[20:]
        pseudo = frame[12:20] + struct.pack("!BBH", 0, protocol, len(payload))
    else:
        assert struct.unpack_from("!H", frame, 4) == (length - 40,)
        protocol, ends, payload = frame[6], (frame[8:24], frame[24:40]), frame[40:]
        pseudo = frame[8:40] + struct.pack("!II", len(payload), protocol)
    assert folded(pseudo + payload) == 0xFFFF
    ports = struct.unpack_from("!HH", payload)
    size = 8 if protocol == 17 else (payload[12] >> 4) * 4
    if protocol == 17:
        assert struct.unpack_from("!H", payload, 4) == (len(payload),)
    return {
        "at": ((high << 32) + low) / 1e6,
        "ends": tuple(
            (str(ipaddress.ip_address(raw)), port) for raw, port in zip(ends, ports, strict=True)
        ),
        "protocol": protocol,
        "numbers": struct.unpack_from("!II", payload, 4) if protocol == 6 else None,
        "data": payload[size:],
        "options": options,
    }


@pytest.mark.parametrize("ends", [V4, V6])
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("data", [INVITE, INVITE + b"x", b""])
def test_a_message_is_read_back_as_it_was(ends: Any, stream: bool, data: bytes) -> None:
    (frame,) = read(pcapng([packet(data, ends, stream=stream)]))
    assert frame["data"] == data
    assert frame["ends"] == ends
    assert frame["protocol"] == (6 if stream else 17)
    assert abs(frame["at"] - AT) < 2e-6


def test_the_numbers_of_a_connection_go_on_each_way() -> None:
    back = packet(b"4567", V4[::-1], stream=True)
    frames = read(pcapng([packet(b"123", stream=True), back, packet(b"x", stream=True)]))
    assert [frame["numbers"] for frame in frames] == [(1, 1), (1, 4), (4, 5)]


def test_a_long_message_takes_several_segments() -> None:
    data = bytes(range(256)) * 300
    frames = read(pcapng([packet(data, stream=True)]))
    assert len(frames) == 3
    assert b"".join(frame["data"] for frame in frames) == data


def test_the_longest_datagram_there_is() -> None:
    (frame,) = read(pcapng([packet(b"z" * 65_507)]))
    assert len(frame["data"]) == 65_507


def test_what_was_decrypted_says_so() -> None:
    (frame,) = read(pcapng([packet(stream=True, comment="TLS, decrypted")]))
    assert struct.unpack_from("<HH", frame["options"]) == (1, 14)
    assert frame["options"][4:18] == b"TLS, decrypted"


@pytest.mark.parametrize("ends", [(V4[0], V6[1]), (("example.com", 5060), V4[1])])
def test_addresses_that_cannot_be_are_refused(ends: Any) -> None:
    with pytest.raises(ValueError, match=r"IP versions|does not appear"):
        pcapng([packet(ends=ends)])


def test_nothing_is_a_file_too() -> None:
    assert read(pcapng([])) == []


LONG = INVITE[:-2] + b"Content-Length: 70000\r\n\r\n" + b"x" * 70_000


@pytest.mark.peer("tshark")
@pytest.mark.slow
def test_wireshark_reads_it(tmp_path: Path) -> None:
    """Whatever the ports: by datagrams, by connections, and what was TLS, in both families."""
    hosts = ("192.0.2.7", "192.0.2.1"), ("2001:db8::7", "2001:db8::1")
    ports = (5060, 5060), (40_000, 5070), (40_001, 5061), (5061, 40_002), (5090, 41_000)
    packets = [
        packet(data, ((near, here), (far, there)), stream=stream)
        for near, far in hosts
        for here, there in ports
        for stream in (False, True)
        for data in ([INVITE, LONG] if stream else [INVITE])
    ]
    file = tmp_path / "call.pcapng"
    file.write_bytes(pcapng(packets))
    read = [
        (source, target, "UDP" if "udp" in protocols else "TCP")
        for source, target, protocols in dissected(file)
    ]
    assert read == [
        (*(f"{host}:{port}" for host, port in (one.source, one.target)),
         "TCP" if one.stream else "UDP")
        for one in packets
    ]  # fmt: skip
