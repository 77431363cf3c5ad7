"""The ear of the tests at a network: which packets it takes, and what it says of their times."""

import socket
import struct
import time
from collections.abc import Iterator

import pytest

from tests.support.relay_lab import Namespace
from tests.support.tap import PACKET_S, Tap, rtp_of
from tests.support.tones import samples_of, to_pcmu

HOST, OTHER = "192.0.2.1", "192.0.2.2"
SOUND = bytes(range(160))


def rtp(number: int, sound: bytes = SOUND, *, kind: int = 0) -> bytes:
    return struct.pack("!BBHII", 0x80, kind, number, 0, 7) + sound


def ipv4(payload: bytes, host: str = HOST, *, protocol: int = 17, options: int = 0) -> bytes:
    head = struct.pack(
        "!BBHHHBBH4s4s",
        0x45 + options,
        0,
        28 + options * 4 + len(payload),
        0,
        0,
        64,
        protocol,
        0,
        socket.inet_aton(OTHER),
        socket.inet_aton(host),
    )
    return head + bytes(options * 4) + struct.pack("!HHHH", 1, 2, 8 + len(payload), 0) + payload


@pytest.mark.parametrize("options", [0, 2])
def test_rtp_for_the_host_is_taken(options: int) -> None:
    assert rtp_of(ipv4(rtp(513), options=options), HOST) == (513, SOUND)
    assert rtp_of(ipv4(rtp(513, kind=0x80), options=options), HOST) == (513, SOUND), "with marker"


@pytest.mark.parametrize(
    "packet",
    [
        ipv4(rtp(1), OTHER),
        ipv4(rtp(1), protocol=6),
        ipv4(rtp(1, kind=8)),
        ipv4(rtp(1, kind=200)),
        ipv4(b"OPTIONS sip:1 SIP/2.0"),
        ipv4(b"\x80\x00"),
        ipv4(b""),
    ],
    ids=["another's", "TCP", "PCMA", "RTCP", "SIP", "too short", "empty"],
)
def test_nothing_else_is(packet: bytes) -> None:
    assert rtp_of(packet, HOST) is None


@pytest.fixture
def room() -> Iterator[Namespace]:
    try:
        made = Namespace()
    except PermissionError:
        pytest.skip("no right to make network namespaces")
    made.run("ip", "link", "set", "lo", "up")
    yield made
    made.close()


@pytest.mark.slow
@pytest.mark.peer("ip")
def test_a_pause_is_measured(room: Namespace) -> None:
    tone, other = (to_pcmu(samples_of(hz, PACKET_S)) for hz in (440, 1000))
    sender = room.udp("127.0.0.1", 0)
    with sender, Tap(room, "127.0.0.1", "lo") as tap:
        for number, (sound, wait) in enumerate(
            ((tone, 0.0), (tone, 0.1), (other, 0.1), (tone, 0.0))
        ):
            sender.sendto(rtp(number, sound), ("127.0.0.1", 9))
            time.sleep(wait)
        assert [one.number for one in tap.heard()] == [0, 1, 2, 3]
        assert 0.2 <= tap.pause(440) < 20
        assert tap.lost() == 0
        assert not tap.comes(440, within=0.05), "that was before"
        time.sleep(0.3)
        assert tap.pause(440) >= 0.3, "it is away now"
        for number in (0xFFFE, 2):
            sender.sendto(rtp(number, tone), ("127.0.0.1", 9))
        assert tap.lost() == 3, "those between the last two; to begin anew is no loss"
