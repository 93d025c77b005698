"""How long was that, counted only while we work?

Moments are whole seconds since 1970 in UTC. Where we work, days begin and end by the
clocks of a time zone; here they are cut at UTC midnights, so that a table of days, joined
by number, is all an engine needs to count working time: that of the days before, and that
of the spans of the day itself. Rules: sheet 6.8.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import attrs
import numpy as np

from crm_portfolio._methods._cuts import Groups

__all__ = ["SECONDS_A_DAY", "WEEKDAYS", "WorkingTime", "working_time"]

SECONDS_A_DAY: Final = 86_400
WEEKDAYS: Final = (1, 2, 3, 4, 5)

_EPOCH: Final = date(1970, 1, 1)
_ONE: Final = timedelta(days=1)


@attrs.frozen(eq=False)
class WorkingTime:
    """Working time by UTC day.

    Attributes:
        first: The first day, counted from 1970; the others follow one by one.
        before: Seconds worked before each day begins.
        opens, closes: A row for each span that a day may have, in seconds of the day;
            both 0 where it has fewer.
    """

    first: int
    before: Groups
    opens: Groups
    closes: Groups

    @property
    def days(self) -> Groups:
        return self.first + np.arange(self.before.size)

    def until(self, moments: Groups) -> Groups:
        """Seconds worked until each moment; a day that is not among these is an error."""
        day, second = np.divmod(moments, SECONDS_A_DAY)
        at = day - self.first
        if ((at < 0) | (at >= self.before.size)).any():
            message = "a moment lies outside the days whose working time is known"
            raise ValueError(message)
        spans = np.clip(second, self.opens[:, at], self.closes[:, at])
        worked: Groups = self.before[at] + (spans - self.opens[:, at]).sum(axis=0)
        return worked

    def between(self, starts: Groups, ends: Groups) -> Groups:
        """Seconds worked from one moment to the other."""
        return self.until(ends) - self.until(starts)


def working_time(
    first: date,
    last: date,
    *,
    zone: str,
    weekdays: Collection[int] = WEEKDAYS,
    hours: tuple[float, float] = (9, 17),
    holidays: Collection[date] = (),
) -> WorkingTime:
    """The working time of these days, both included.

    Args:
        weekdays: 1 is Monday, 7 is Sunday, as ISO counts.
        hours: When a working day begins and ends, by the clocks of the zone; 24: midnight.
    """
    days: list[list[tuple[int, int]]] = [[] for _ in range((last - first).days + 1)]
    start = (first - _EPOCH).days
    working = _days(first, last, weekdays, holidays)
    for opens, closes in _spans(working, hours, ZoneInfo(zone)):
        for day in range(opens // SECONDS_A_DAY, (closes - 1) // SECONDS_A_DAY + 1):
            if 0 <= day - start < len(days):
                midnight = day * SECONDS_A_DAY
                piece = (
                    max(opens - midnight, 0),
                    min(closes - midnight, SECONDS_A_DAY),
                )
                days[day - start].append(piece)
    most = max(1, *(len(each) for each in days))
    cut = np.array([[*each, *[(0, 0)] * (most - len(each))] for each in days])
    opened, closed = np.moveaxis(cut.reshape(-1, most, 2), 2, 0)
    worked = (closed - opened).sum(axis=1)
    before = np.cumsum(worked) - worked
    return WorkingTime(start, before, opened.T.copy(), closed.T.copy())


def _days(
    first: date, last: date, weekdays: Collection[int], holidays: Collection[date]
) -> Iterator[date]:
    """The working days, one more on either side: their hours may reach into these."""
    free = frozenset(holidays)
    for at in range(-1, (last - first).days + 2):
        day = first + at * _ONE
        if day.isoweekday() in weekdays and day not in free:
            yield day


def _spans(
    days: Iterable[date], hours: tuple[float, float], clocks: ZoneInfo
) -> Iterator[tuple[int, int]]:
    """When each of these days begins and ends."""
    for day in days:
        opens, closes = (_moment(day, each, clocks) for each in hours)
        if opens < closes:
            yield opens, closes


def _moment(day: date, hour: float, clocks: ZoneInfo) -> int:
    minutes = round(hour * 60)
    day += minutes // (24 * 60) * _ONE
    local = datetime.combine(day, time(minutes % (24 * 60) // 60, minutes % 60), clocks)
    return int(local.astimezone(UTC).timestamp())
