"""Loss and jitter of a stream (RFC 3550 §A.1, A.3, A.8)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from centrex.rtp.quality import Quality


def feed(quality: Quality, sequences: list[int]) -> None:
    """Take packets in as the relay does: what is not the next one is told."""
    for sequence in sequences:
        if sequence != quality.next:
            quality.out_of_order(sequence)
        else:
            quality.next = (sequence + 1) & 0xFFFF


@pytest.mark.parametrize(
    ("sequences", "lost"),
    [
        ([5, 6, 7], 0),
        ([5, 7, 8], 1),
        ([5, 7, 6, 8], 0),
        ([5, 6, 6, 7], -1),
        ([65534, 65535, 0, 1], 0),
        ([65535, 2], 2),
        ([5, 40000, 40001], 0),
        ([100, 3, 4], -2),
    ],
)
def test_loss(sequences: list[int], lost: int) -> None:
    """A gap counts, what comes late or twice is taken off, a new beginning is none (§A.1, §A.3)."""
    quality = Quality()
    feed(quality, sequences)
    assert quality.lost == lost


@given(st.integers(0, 0xFFFF), st.lists(st.booleans(), min_size=2, max_size=300))
def test_what_is_missing_between_first_and_last_is_lost(first: int, came: list[bool]) -> None:
    came[0] = came[-1] = True
    quality = Quality()
    feed(quality, [(first + n) & 0xFFFF for n, there in enumerate(came) if there])
    assert quality.lost == came.count(False)


def test_jitter_is_what_arrives_otherwise_than_it_was_sent() -> None:
    quality = Quality()
    for _ in range(400):
        quality.sample(1000, 10.0, 8000)
        quality.compare(1160, 10.03)  # 20 ms of speech, 30 ms apart
    assert quality.jitter_s == pytest.approx(0.010, rel=1e-6)


def test_jitter_over_the_wrap_of_timestamps_and_without_a_rate() -> None:
    quality = Quality()
    quality.sample(2**32 - 80, 0.0, 8000)
    quality.compare(80, 0.02)
    assert quality.jitter_s == pytest.approx(0.0, abs=1e-9)
    quality.sample(0, 0.0, 0)
    quality.compare(8000, 0.0)
    assert quality.jitter_s == pytest.approx(0.0, abs=1e-9)


def test_a_gap_between_the_two_makes_no_jitter() -> None:
    quality = Quality()
    feed(quality, [16])
    quality.sample(0, 0.0, 8000)
    feed(quality, [18])
    quality.compare(8000, 0.0)
    assert quality.jitter_s == 0.0
