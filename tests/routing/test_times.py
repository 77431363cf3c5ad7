"""When a plan applies, as an operator writes it."""

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from centrex.routing.times import parse_times

UTC = dt.UTC
THURSDAY = dt.datetime(2026, 11, 26, 12, 0, tzinfo=UTC)


def at(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text)


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [
        ("mon-fri 08:00-18:00", ["2026-11-26T08:00", "2026-11-27T17:59"], ["2026-11-26T07:59", "2026-11-26T18:00", "2026-11-28T09:00"]),
        ("sat,sun", ["2026-11-28T00:00", "2026-11-29T23:59"], ["2026-11-27T23:59", "2026-11-30T00:00"]),
        ("fri-mon", ["2026-11-27T09:00", "2026-11-30T09:00"], ["2026-11-26T09:00"]),
        ("2026-12-24..2026-12-26", ["2026-12-24T00:00", "2026-12-26T23:59"], ["2026-12-23T23:59", "2026-12-27T00:00"]),
        ("2026-12-24", ["2026-12-24T12:00"], ["2026-12-25T00:00"]),
        ("22:00-06:00", ["2026-11-26T23:00", "2026-11-26T05:59"], ["2026-11-26T06:00", "2026-11-26T21:59"]),
        ("fri 22:00-06:00", ["2026-11-27T23:00", "2026-11-28T05:59"], ["2026-11-27T05:00", "2026-11-28T22:00"]),
        ("00:00-24:00", ["2026-11-26T00:00", "2026-11-26T23:59"], []),
        ("MON-FRI  8:00-9:00", ["2026-11-26T08:30"], ["2026-11-26T09:00"]),
    ],
)  # fmt: skip
def test_inside_and_outside(text: str, inside: list[str], outside: list[str]) -> None:
    times = parse_times(text)
    assert all(times.covers(at(one)) for one in inside)
    assert not any(times.covers(at(one)) for one in outside)


@pytest.mark.parametrize(
    "text",
    ["", " ", "monday", "mon-", "25:00-26:00", "08:00-08:00", "08:60-09:00", "08:00", "2026-13-01",
     "2026-12-26..2026-12-24", "mon tue", "08:00-09:00 10:00-11:00", "mon 08:00-09:00 x", "2026-02-30"],
)  # fmt: skip
def test_what_cannot_be_understood(text: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        parse_times(text)


@given(st.text("monfri08:-.,2 6", max_size=30))
def test_nothing_makes_it_stumble(text: str) -> None:
    try:
        times = parse_times(text)
    except ValueError:
        return
    assert times.covers(THURSDAY) in (True, False)


@given(st.datetimes(timezones=st.just(UTC)))
def test_hours_and_their_complement(moment: dt.datetime) -> None:
    assert parse_times("22:00-06:00").covers(moment) != parse_times("06:00-22:00").covers(moment)
