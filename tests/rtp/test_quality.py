"""Loss and jitter of a stream (RFC 3550 §A.1, A.3, A.8)."""

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from centrex.rtp.quality import Quality


def feed(quality: Quality, sequences: Iterable[int], source: int = 1) -> None:
    """Take packets in as the relay does: what is not the next one is told."""
    for sequence in sequences:
        if sequence != quality.next:
            quality.out_of_order(sequence, source)
        else:
            quality.next = (sequence + 1) & 0xFFFF


@pytest.mark.parametrize(
    ("sequences", "lost"),
    [
        ([5, 6, 7], 0),
        ([5, 7, 8], 1),
        ([5, 7, 6, 8], 0),
        ([5, 6, 6, 7], 0),
        ([5, 6, 6, 7, 9, 10], 0),
        ([5, 6, 9, 9, 9, 9, 9], 0),
        ([65534, 65535, 0, 1], 0),
        ([65535, 2], 2),
        ([5, 40000, 40001, 40003], 1),
        ([5, 40000, 6, 7], 0),
        ([5, 40000, 6, 8], 1),
        ([100, 3, 4], 0),
    ],
)
def test_loss(sequences: list[int], lost: int) -> None:
    """A gap counts, what comes late or twice is taken off, a new beginning is none (§A.1, §A.3).

    A lone packet from far off is no beginning, and there is no less than no loss.
    """
    quality = Quality()
    feed(quality, sequences)
    assert quality.lost == lost


@given(st.integers(0, 0xFFFF), st.lists(st.booleans(), min_size=2, max_size=300))
def test_what_is_missing_between_first_and_last_is_lost(first: int, came: list[bool]) -> None:
    came[0] = came[-1] = True
    quality = Quality()
    feed(quality, [(first + n) & 0xFFFF for n, there in enumerate(came) if there])
    assert quality.lost == came.count(False)


@given(st.lists(st.tuples(st.integers(0, 0xFFFF), st.integers(1, 20)), max_size=12))
def test_a_source_that_begins_has_lost_nothing(sources: list[tuple[int, int]]) -> None:
    quality = Quality()
    for number, (first, count) in enumerate(sources):
        feed(quality, [(first + n) & 0xFFFF for n in range(count)], 100 + number)
        assert quality.next == (first + count) & 0xFFFF
    assert quality.lost == 0


def test_what_each_source_has_lost_adds_up() -> None:
    quality = Quality()
    for source in range(1, 9):  # more than are remembered
        feed(quality, [source * 7000, source * 7000 + 2], source)
    feed(quality, [5, 5, 5], 20)
    assert quality.lost == 8


def test_two_sources_in_turn_are_followed_each() -> None:
    quality = Quality()
    for step in range(50):
        feed(quality, [100 + step], 1)
        if step not in (7, 8):
            feed(quality, [60000 + step], 2)
    assert quality.lost == 2


def test_jitter_is_that_of_the_source_that_is_heard() -> None:
    quality = Quality()
    feed(quality, [16], 1)
    quality.jitter_s = 0.5
    feed(quality, [900], 2)
    assert quality.jitter_s == 0.0
    feed(quality, [17], 1)
    assert quality.jitter_s == 0.5


def test_what_passed_elsewhere_leaves_no_gap() -> None:
    quality = Quality()
    feed(quality, [1, 2])
    quality.carried(3, 0.002)
    quality.resume()
    feed(quality, [900, 901])
    assert (quality.lost, quality.jitter_s) == (3, 0.002)
    quality.carried(-5, 0.0)
    assert (quality.lost, quality.jitter_s) == (0, 0.002)


def test_what_came_past_whoever_counts_is_not_lost() -> None:
    quality = Quality()
    for _ in range(5):
        quality.beside()
    quality.carried(3, 0.0)
    assert quality.lost == 0
    quality.carried(4, 0.0)
    assert quality.lost == 2
    quality.beside()
    quality.carried(0, 0.0)
    quality.carried(1, 0.0)
    assert quality.lost == 3, "that one was part of another gap, or of none"


def test_jitter_is_what_arrives_otherwise_than_it_was_sent() -> None:
    quality = Quality()
    for _ in range(400):
        quality.sample(1000, 10.0, 8000)
        quality.compare(1160, 10.03)  # 20 ms of speech, 30 ms apart
    assert quality.jitter_s == pytest.approx(0.010, rel=1e-6)


def test_the_jitter_of_a_short_call_is_that_of_what_was_measured() -> None:
    quality = Quality()
    for arrival in (10.03, 10.02, 10.04):  # 10, 0 and 20 ms from where it belongs
        quality.sample(1000, 10.0, 8000)
        quality.compare(1160, arrival)
    assert quality.jitter_s == pytest.approx(0.010, rel=1e-6)
    quality.carried(0, 0.002)
    quality.sample(1000, 10.0, 8000)
    quality.compare(1160, 10.02)
    assert quality.jitter_s == pytest.approx(0.002 * 15 / 16, rel=1e-6)


def test_the_jitter_of_a_source_that_comes_back_is_averaged_on() -> None:
    """The first of two came too short a time for any measurement."""
    quality = Quality()
    for sequence, source in ((10, 1), (500, 2), (11, 1)):
        quality.out_of_order(sequence, source)
    for arrival in (10.03, 10.02):
        quality.sample(1000, 10.0, 8000)
        quality.compare(1160, arrival)
    assert quality.jitter_s == pytest.approx(0.005, rel=1e-6)
    quality.out_of_order(501, 2)
    assert quality.jitter_s == 0.0
    quality.out_of_order(12, 1)
    quality.sample(1000, 10.0, 8000)
    quality.compare(1160, 10.04)
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
