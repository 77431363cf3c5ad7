"""The ear of the tests: a tone is recognised, and nothing else is."""

import array
import random
from pathlib import Path

import pytest

from tests.support.tones import (
    RATE,
    from_pcmu,
    read_recording,
    samples_of,
    share,
    to_pcmu,
    write_tone,
)


@pytest.mark.parametrize("hz", [440, 1000, 1633])
def test_a_tone_is_recognised(hz: int) -> None:
    samples = samples_of(hz, 0.25)
    assert share(samples, hz) == pytest.approx(1, abs=0.02)
    assert share(samples, hz * 0.7) < 0.02


def test_a_quiet_tone_is_one_too() -> None:
    assert share(samples_of(440, 0.25, amplitude=0.01), 440) > 0.95


def test_silence_and_noise_are_none() -> None:
    assert share(array.array("h", [0] * RATE), 440) == 0
    assert share(array.array("h"), 440) == 0
    draw = random.Random(1)
    noise = array.array("h", (draw.randint(-9000, 9000) for _ in range(RATE // 4)))
    assert share(noise, 440) < 0.02


def test_of_two_tones_each_has_half() -> None:
    both = zip(samples_of(440, 0.25), samples_of(1000, 0.25), strict=True)
    mixed = array.array("h", (one // 2 + other // 2 for one, other in both))
    assert share(mixed, 440) == pytest.approx(0.5, abs=0.05)
    assert share(mixed, 1000) == pytest.approx(0.5, abs=0.05)


def test_a_file_is_read_while_it_is_written(tmp_path: Path) -> None:
    path = tmp_path / "tone.wav"
    write_tone(path, 440, 0.5)
    assert len(read_recording(path)) == RATE // 2
    path.write_bytes(path.read_bytes()[:2001])
    assert share(read_recording(path), 440) > 0.95
    path.write_bytes(b"")
    assert not read_recording(path)


def test_mu_law() -> None:
    """ITU-T G.711 table 2a: the ends of the scale, its middle, and the steps between."""
    assert list(from_pcmu(b"\x00\x80\xff\x7f\xfe\x8f")) == [-32124, 32124, 0, 0, 8, 16764]
    scale = list(from_pcmu(bytes(range(0x80, 0x100))))
    assert scale == sorted(scale, reverse=True)


def test_there_and_back() -> None:
    samples = samples_of(440, 0.02)
    back = from_pcmu(to_pcmu(samples))
    assert all(
        abs(one - other) <= 16 + abs(one) / 30 for one, other in zip(samples, back, strict=True)
    )
    assert share(back, 440) > 0.95
