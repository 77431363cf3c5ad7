"""Tones in files: written for a phone to play, and recognised in what another has recorded.

Samples are signed, 16 bits, 8,000 a second, one channel.
"""

import array
import math
import sys
import wave
from pathlib import Path

RATE = 8000


def samples_of(hz: float, seconds: float, *, amplitude: float = 0.5) -> "array.array[int]":
    """Return a tone's samples."""
    step, height = 2 * math.pi * hz / RATE, amplitude * 32767
    count = int(RATE * seconds)
    return array.array("h", (int(height * math.sin(step * number)) for number in range(count)))


def write_tone(path: Path, hz: float, seconds: float) -> None:
    """Write a tone as a WAV file."""
    with wave.open(str(path), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(RATE)
        out.writeframes(samples_of(hz, seconds).tobytes())


def read_recording(path: Path) -> "array.array[int]":
    """Return the samples of a WAV file, also of one that is still being written."""
    data = path.read_bytes()
    begins = data.find(b"data")
    sound = data[begins + 8 :] if begins > 0 else b""
    samples = array.array("h", sound[: len(sound) // 2 * 2])
    if sys.byteorder == "big":
        samples.byteswap()
    return samples


def from_pcmu(payload: bytes) -> "array.array[int]":
    """Return the samples of PCMU (G.711 mu-law)."""
    return array.array("h", map(_MU_LAW.__getitem__, payload))


def to_pcmu(samples: "array.array[int]") -> bytes:
    """Return samples as PCMU, each as the nearest step of the scale."""
    return bytes(min(range(256), key=lambda octet: abs(_MU_LAW[octet] - one)) for one in samples)


def _mu_law(octet: int) -> int:
    octet = ~octet & 0xFF
    size = (((octet & 0x0F) << 3) + 0x84 << (octet >> 4 & 7)) - 0x84
    return -size if octet & 0x80 else size


_MU_LAW = [_mu_law(octet) for octet in range(256)]


def share(samples: "array.array[int]", hz: float) -> float:
    """Return which share of the samples' power is at a frequency (Goertzel), from 0 to 1."""
    power = sum(sample * sample for sample in samples)
    if not power:
        return 0.0
    coefficient = 2 * math.cos(2 * math.pi * hz / RATE)
    before = last = 0.0
    for sample in samples:
        before, last = last, sample + coefficient * last - before
    found = before * before + last * last - coefficient * before * last
    return 2 * found / (len(samples) * power)
