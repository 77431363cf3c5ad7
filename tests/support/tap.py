"""What comes into a network for a phone, packet by packet, with the times at which it came.

A tap keeps what a phone is sent, whatever the phone makes of it. The kernel notes the times, so that
nobody needs to listen while a test does something else.
"""

import array
import socket
import struct
import time
from itertools import pairwise
from types import TracebackType
from typing import Final, NamedTuple, Self

from tests.support.relay_lab import Namespace
from tests.support.tones import from_pcmu, share

PACKET_S: Final = 0.02
_IPV4: Final = 0x0800
_ROOM_OCTETS: Final = 4 << 20
"""Room for a minute of one stream."""
_RECEIVE_BUFFER, _TIMES = 33, 35
"""SO_RCVBUFFORCE and SO_TIMESTAMPNS of Linux, which Python does not name."""
_TIME: Final = struct.Struct("@ll")
_PURE: Final = 0.8
"""The least share of a tone in a packet that is that tone: 20 ms are short."""


class Heard(NamedTuple):
    """One packet of PCMU in RTP."""

    at: float
    """When it came: seconds, as `time.time` counts them."""
    number: int
    """Its sequence number."""
    sound: bytes
    """What it carries."""


def rtp_of(packet: bytes, host: str) -> tuple[int, bytes] | None:
    """Return number and sound of PCMU in RTP that an IPv4 packet has for a host; None of others."""
    head = (packet[0] & 15) * 4
    if packet[9] != socket.IPPROTO_UDP or packet[16:20] != socket.inet_aton(host):
        return None
    rtp = packet[head + 8 :]
    if len(rtp) < 12 or rtp[0] != 0x80 or rtp[1] & 127:
        return None
    return int.from_bytes(rtp[2:4], "big"), rtp[12:]


class Tap:
    """Listens at one interface of a network, from now on.

    Args:
        room: The network.
        host: The address for which packets are taken.
        interface: Where they come in.
    """

    def __init__(self, room: Namespace, host: str, interface: str = "eth0") -> None:
        self._host = host
        self._heard: list[Heard] = []
        with room.inside():
            self._ear = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM)
        self._ear.setsockopt(socket.SOL_SOCKET, _RECEIVE_BUFFER, _ROOM_OCTETS)
        self._ear.setsockopt(socket.SOL_SOCKET, _TIMES, 1)
        self._ear.setblocking(False)
        self._ear.bind((interface, _IPV4))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ear.close()

    def heard(self) -> list[Heard]:
        """Return all that has come since the tap was opened."""
        while True:
            try:
                packet, notes, _, source = self._ear.recvmsg(2048, 64)
            except BlockingIOError:
                return self._heard
            found = rtp_of(packet, self._host)
            if found is not None and source[2] != socket.PACKET_OUTGOING:
                ((_, _, when),) = notes
                seconds, nanoseconds = _TIME.unpack(when)
                self._heard.append(Heard(seconds + nanoseconds / 1e9, *found))

    def comes(self, hz: int, *, seconds: float = 0.25, within: float) -> bool:
        """Whether from now on a tone, and nothing else, comes for so long, within a time."""
        deadline = time.monotonic() + within
        before, wanted = len(self.heard()), round(seconds / PACKET_S)
        while time.monotonic() < deadline:
            last = self.heard()[before:][-wanted:]
            if len(last) == wanted and share(_samples(last), hz) > 0.9:
                return True
            time.sleep(PACKET_S)
        return False

    def lost(self) -> int:
        """Return how many packets are missing between the first that came and the last."""
        numbers = [one.number for one in self.heard()]
        steps = [(later - one) & 0xFFFF for one, later in pairwise(numbers)]
        return sum(step - 1 for step in steps if 0 < step < 0x8000)

    def pause(self, hz: int) -> float:
        """Return for how many seconds at most a tone stayed away, from its first packet to now."""
        times = [one.at for one in self.heard() if share(from_pcmu(one.sound), hz) > _PURE]
        assert times, "it has never come"
        return max(later - one for one, later in zip(times, [*times[1:], time.time()], strict=True))


def _samples(packets: list[Heard]) -> "array.array[int]":
    return from_pcmu(b"".join(one.sound for one in packets))
