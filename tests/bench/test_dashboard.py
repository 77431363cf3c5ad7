"""Calls beside an open dashboard: a short run of the bench; long runs tell the ratio."""

from pathlib import Path

import pytest

from tests.bench.dashboard import Round, attached, compared, inside, options
from tests.support.timed_calls import Timed

pytestmark = [pytest.mark.slow, pytest.mark.wire, pytest.mark.timeout(120)]

MOST_US = 15_000


@pytest.mark.parametrize("measured", [attached, inside])
def test_two_hundred_calls_a_second_pass_in_time(tmp_path: Path, measured: object) -> None:
    args = options(["--pairs", "1", "--seconds", "3"])
    rounds = attached(tmp_path, args) if measured is attached else inside(tmp_path, args)
    for one in rounds:
        assert one.timed.ended == one.timed.placed > 400
        assert one.at(99) < MOST_US, one.mode


def test_the_ratio_is_that_of_pairs() -> None:
    def of(mode: str, *setup_us: float) -> Round:
        return Round(mode=mode, timed=Timed(setup_us=list(setup_us)), cpu={})

    rounds = [
        of("headless", 100, 100), of("attached", 110, 110),
        of("attached", 300, 300), of("headless", 200, 200),
        of("headless", 100, 100), of("attached", 120, 120),
    ]  # fmt: skip
    told = compared(rounds)
    assert told["p99_ratio"] == pytest.approx((1.1, 1.2, 1.5))
    assert told["headless"]["p50_us"] == 100
