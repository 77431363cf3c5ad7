"""When a plan applies, as an operator writes it."""

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from centrex.routing.times import Times, are_within, parse_times

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


@pytest.mark.parametrize(
    ("some", "others", "within"),
    [
        (["mon-sun"], ["mon-fri", "sat,sun"], True),
        (["mon-sun"], ["mon-fri", "sat"], False),
        (["00:00-24:00"], ["08:00-18:00", "18:00-08:00"], True),
        (["00:00-24:00"], ["08:00-18:00", "18:01-08:00"], False),
        (["mon-sun"], ["08:00-18:00", "18:00-08:00"], True),
        (["sat 10:00-12:00"], ["fri 22:00-11:00", "sat 11:00-12:00"], True),
        (["sat 10:00-12:00"], ["thu 22:00-11:00", "sat 11:00-12:00"], False),
        (["2026-12-24..2026-12-26"], ["2026-12-24..2026-12-25", "2026-12-26..2027-01-01"], True),
        (["2026-12-24..2026-12-26"], ["2026-12-24", "2026-12-26"], False),
        (["22:00-06:00 2026-12-24"], ["2026-12-24", "2026-12-25 00:00-06:00"], True),
        (["mon-sun"], ["2026-01-01..9999-12-31", "0001-01-01..2025-12-30"], False),
    ],
)  # fmt: skip
def test_what_is_within_several(some: list[str], others: list[str], within: bool) -> None:
    assert are_within(list(map(parse_times, some)), list(map(parse_times, others))) == within


def test_very_many_are_not_looked_at() -> None:
    many = [parse_times(f"2026-01-{day:02} {hour}:17-{hour + 1}:18") for day in range(1, 32) for hour in range(22)]  # fmt: skip
    assert not are_within(many, many)


TIMES = st.builds(
    lambda days, first, length, start, more: Times(
        frozenset(days), (first * 60, (first + length) % 24 * 60 or 24 * 60),
        (start, start + dt.timedelta(days=more)),
    ),
    st.sets(st.integers(0, 6), min_size=3),
    st.integers(0, 23),
    st.integers(1, 23),
    st.dates(dt.date(2026, 11, 26), dt.date(2026, 11, 30)),
    st.integers(0, 12),
)  # fmt: skip


@given(st.lists(TIMES, min_size=1, max_size=2), st.lists(TIMES, min_size=1, max_size=4))
def test_it_is_so_hour_by_hour(some: list[Times], others: list[Times]) -> None:
    begin = dt.datetime(2026, 11, 20, tzinfo=UTC)
    moments = [begin + dt.timedelta(hours=hour) for hour in range(24 * 30)]
    by_hour = all(
        any(one.covers(moment) for one in others)
        for moment in moments
        if any(one.covers(moment) for one in some)
    )
    assert are_within(some, others) == by_hour
