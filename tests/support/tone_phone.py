"""Phones in networks of their own that play a tone and record what they hear."""

import array
import time
from pathlib import Path

from tests.support.nat_lab import PHONE
from tests.support.phones import Baresip, Linphone
from tests.support.relay_lab import Namespace
from tests.support.server import CentrexServer
from tests.support.tap import Tap
from tests.support.tones import RATE, read_recording, share, write_tone

_PLAYS_S = 120
_LISTENS_S = 0.25


class TonePhone(Baresip):
    """A baresip.

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

    def tap(self, interface: str = "eth0") -> Tap:
        """Listen to what the phone is sent, also where it records no more.

        baresip 1.0 begins no new recording after it was held.
        """
        return Tap(self.room, PHONE, interface)

    def is_deaf(self) -> bool:
        """Whether it has recorded nothing so far, or silence."""
        return not any(self._recorded())

    def _recorded(self) -> "array.array[int]":
        samples = array.array("h")
        for path in sorted(self.folder.glob("dump-*dec*.wav")):
            samples += read_recording(path)
        return samples


class ToneLinphone(Linphone):
    """A linphonec; the arguments are those of `TonePhone`."""

    def __init__(
        self, user: str, server: CentrexServer, folder: Path, room: Namespace, hz: int
    ) -> None:
        super().__init__(user, server, folder)
        self.room, self.hz, self.host = room, hz, PHONE
        self._tone, self._recording = self.folder / "tone.wav", self.folder / "heard.wav"
        write_tone(self._tone, hz, _PLAYS_S)

    def _start(self) -> None:
        with self.room.inside():
            super()._start()
        self._type(f"play {self._tone}")
        self._type(f"record {self._recording}")

    def has_heard(self, hz: int) -> bool:
        """Whether a tone, and nothing else, is what it recorded last; known after the call."""
        if not self._recording.exists():
            return False
        last = read_recording(self._recording)[-int(RATE * _LISTENS_S) :]
        return share(last, hz) > 0.9
