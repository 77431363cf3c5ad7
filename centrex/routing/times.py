"""When a plan applies: days of the week, dates and hours, as an operator writes them.

    mon-fri 08:00-18:00      sat,sun      2026-12-24..2026-12-26      22:00-06:00

Several words of one condition must all hold; of several conditions one is enough. Times are local; a
span of hours that ends before it begins goes on after midnight, and belongs to the day it began.
"""

import datetime as dt
import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

_DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_HOURS: Final = re.compile(r"(\d{1,2}):(\d\d)-(\d{1,2}):(\d\d)")
_DATES: Final = re.compile(r"(\d{4}-\d\d-\d\d)(?:\.\.(\d{4}-\d\d-\d\d))?")
_DAY: Final = 24 * 60
_WEEK: Final = 8
"""Days after which all days of the week were there, each with the day before it."""
_SOME_DAY: Final = dt.date(2026, 1, 1).toordinal()
_MOST_LOOKED_AT: Final = 50_000


@dataclass(frozen=True, slots=True)
class Times:
    """One condition.

    Attributes:
        days: Days of the week, Monday is 0; all where nothing is said.
        hours: From and to, in minutes since midnight.
        dates: First and last day.
    """

    days: frozenset[int] = frozenset(range(7))
    hours: tuple[int, int] = (0, _DAY)
    dates: tuple[dt.date, dt.date] = (dt.date.min, dt.date.max)

    def covers(self, moment: dt.datetime) -> bool:
        """Whether it holds at a local time."""
        first, last = self.hours
        minute = moment.hour * 60 + moment.minute
        if first < last:
            return first <= minute < last and self._is_day(moment.date())
        if minute >= first:
            return self._is_day(moment.date())
        before = moment.date() - dt.timedelta(days=1) if moment.date() > dt.date.min else None
        return minute < last and before is not None and self._is_day(before)

    def _is_day(self, day: dt.date) -> bool:
        return day.weekday() in self.days and self.dates[0] <= day <= self.dates[1]


def are_within(some: Collection[Times], others: Collection[Times]) -> bool:
    """Whether at each moment at which one of some holds, one of the others does.

    Looked at are all moments at which that may change, a week from each date on that is named, and from the
    day after it, to which hours may go on; where they are very many, the answer is that it is not so.
    """
    all_of_them = (*some, *others)
    named = {_SOME_DAY}
    for one in all_of_them:
        first, last = (day.toordinal() for day in one.dates)
        named |= {first - _WEEK, first, first + 1, last + 1, last + 2}
    within = range(2, dt.date.max.toordinal() + 1)  # what went on into the first day nobody knows
    days = {day for start in named for day in range(start, start + _WEEK) if day in within}
    minutes = {0} | {minute % _DAY for one in all_of_them for minute in one.hours}
    if len(days) * len(minutes) * len(all_of_them) > _MOST_LOOKED_AT:
        return False
    moments = (
        dt.datetime.combine(dt.date.fromordinal(day), dt.time(minute // 60, minute % 60))
        for day in days
        for minute in minutes
    )
    return all(
        any(one.covers(moment) for one in others)
        for moment in moments
        if any(one.covers(moment) for one in some)
    )


def parse_times(text: str) -> Times:
    """Return what a condition says.

    Raises:
        ValueError: It says nothing that can be understood.
    """
    days: frozenset[int] | None = None
    hours: tuple[int, int] | None = None
    dates: tuple[dt.date, dt.date] | None = None
    words = text.lower().split()
    if not words:
        raise ValueError("says nothing; leave it out for always")
    for word in words:
        if (found := _HOURS.fullmatch(word)) and hours is None:
            hours = _hours(found, word)
        elif (found := _DATES.fullmatch(word)) and dates is None:
            dates = _dates(found, word)
        elif days is None:
            days = _days(word)
        else:
            raise ValueError(f"cannot be understood from {word!r} on")
    default = Times()
    return Times(days or default.days, hours or default.hours, dates or default.dates)


def _hours(found: "re.Match[str]", word: str) -> tuple[int, int]:
    first = int(found[1]) * 60 + int(found[2])
    last = int(found[3]) * 60 + int(found[4])
    if int(found[2]) > 59 or int(found[4]) > 59 or first >= _DAY or last > _DAY or first == last:
        raise ValueError(f"{word} are no hours, such as 08:00-18:00")
    return first, last


def _dates(found: "re.Match[str]", word: str) -> tuple[dt.date, dt.date]:
    try:
        first = dt.date.fromisoformat(found[1])
        last = dt.date.fromisoformat(found[2]) if found[2] else first
    except ValueError:
        raise ValueError(f"{word} is no date, such as 2026-12-24..2026-12-26") from None
    if last < first:
        raise ValueError(f"{word} ends before it begins")
    return first, last


def _days(word: str) -> frozenset[int]:
    found: set[int] = set()
    for part in word.split(","):
        first, dash, last = part.partition("-")
        if first not in _DAYS or (dash and last not in _DAYS):
            raise ValueError(
                f"{word!r} cannot be understood; days are mon to sun, hours 08:00-18:00, "
                "dates 2026-12-24"
            )
        at, end = _DAYS.index(first), _DAYS.index(last or first)
        found.add(at)
        while at != end:
            at = (at + 1) % 7
            found.add(at)
    return frozenset(found)
