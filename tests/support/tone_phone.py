"""A baresip in a network of its own that plays a tone and records what it hears."""

import array
import socket
import time
from pathlib import Path

from tests.support.nat_lab import PHONE, SERVER
from tests.support.phones import Baresip
from tests.support.relay_lab import Namespace
from tests.support.server import CentrexServer
from tests.support.tones import RATE, from_pcmu, read_recording, share, write_tone

_PLAYS_S = 120
_LISTENS_S = 0.25
_IPV4 = 0x0800
_FROM, _TO = bytes(map(int, SERVER.split("."))), bytes(map(int, PHONE.split(".")))


def _pcmu(packet: bytes) -> bytes:
    """Return what an IPv4 packet brings the phone of PCMU in RTP; nothing where it is another."""
    head = (packet[0] & 15) * 4
    udp = packet[9] == socket.IPPROTO_UDP and packet[12:20] == _FROM + _TO
    rtp = packet[head + 8 :] if udp else b""
    return rtp[12:] if rtp[:1] == b"\x80" and rtp[1] & 127 == 0 else b""


class TonePhone(Baresip):
    """One phone.

    Args:
        user: Login and user part.
        server: Where it registers.
        folder: A folder for its files.
        room: The network it is in.
        hz: Its tone.
    """

    def __init__(
        self, user: str, server: CentrexServer, folder: Path, room: Namespace, hz: int
    ) -> None:
        super().__init__(user, server, folder)
        self.room, self.hz, self.host = room, hz, PHONE
        self._tone = self.folder / "tone.wav"
        write_tone(self._tone, hz, _PLAYS_S)

    def _start(self) -> None:
        with self.room.inside():
            super()._start()

    def _configuration(self) -> str:
        lines = super()._configuration().splitlines()
        kept = [line for line in lines if not line.startswith("audio_source")]
        more = [
            f"audio_source aufile,{self._tone}",
            "module aufile.so",
            "module sndfile.so",
            f"snd_path {self.folder}",
        ]
        return "\n".join([*kept, *more]) + "\n"

    def hears(self, hz: int, *, within: float) -> bool:
        """Whether a tone, and nothing else, is heard without a gap at some time from now on."""
        deadline = time.monotonic() + within
        heard_before = self._recorded()
        wanted = int(RATE * _LISTENS_S)
        while time.monotonic() < deadline:
            samples = self._recorded()
            fresh = samples[max(len(heard_before), len(samples) - wanted) :]
            if len(fresh) == wanted and share(fresh, hz) > 0.9:
                return True
            time.sleep(0.05)
        return False

    def gets(self, hz: int, *, within: float) -> bool:
        """Whether a tone, and nothing else, comes in by RTP; for when a phone records no more.

        baresip 1.0 begins no new recording after it was held.
        """
        deadline = time.monotonic() + within
        wanted = int(RATE * _LISTENS_S)
        samples = array.array("h")
        with self.room.inside():
            ear = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(_IPV4))
        with ear:
            while (left := deadline - time.monotonic()) > 0:
                ear.settimeout(left)
                try:
                    samples += from_pcmu(_pcmu(ear.recv(2048)))
                except TimeoutError:
                    return False
                if len(samples) >= wanted and share(samples[-wanted:], hz) > 0.9:
                    return True
        return False

    def _recorded(self) -> "array.array[int]":
        samples = array.array("h")
        for path in sorted(self.folder.glob("dump-*dec*.wav")):
            samples += read_recording(path)
        return samples
