"""Which day is it where we work, and how long have we worked, at a moment?

Moments are whole seconds since 1970 in UTC, days are counted from 1970. Engines have no
time zones in common; a table with a row for each UTC day is all they need.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from typing import Any, Final
from zoneinfo import ZoneInfo

import attrs
import numpy as np
import pyarrow as pa

from crm_portfolio._frames import Backend, from_arrow, nw
from crm_portfolio._methods._working_hours import (
    SECONDS_A_DAY,
    WEEKDAYS,
    WorkingTime,
    working_time,
)
from crm_portfolio.analysis._facts._lines import day_number, floor_div

__all__ = ["Clock", "seconds"]

_MICROSECONDS: Final = 1_000_000
_FIRST: Final = date(1970, 1, 2)
_ONE: Final = timedelta(days=1)


def seconds(moment: Any, backend: Backend) -> Any:
    """Whole seconds since 1970, as the engine tells them fastest."""
    if backend == "duckdb":
        return moment.dt.total_microseconds() // _MICROSECONDS
    if backend == "pyspark":
        return moment.cast(nw.Int64)
    if backend == "ibis":
        there = moment.dt.replace_time_zone(None)
        return day_number(there, backend) * SECONDS_A_DAY + _in_day(there.dt)
    return moment.dt.timestamp("us") // _MICROSECONDS


def _in_day(moment: Any) -> Any:
    hours, minutes, whole = (
        each.cast(nw.Int64)
        for each in (moment.hour(), moment.minute(), moment.second())
    )
    return (hours * 60 + minutes) * 60 + whole


@attrs.frozen(eq=False)
class Clock:
    """The days of a span of time where we work, as tables an engine can join.

    Attributes:
        moments: By UTC day: the local day it begins on, the second at which the next one
            begins, and how long we have worked.
        days: By local day: its first second, and that of the next.
    """

    moments: Any
    days: Any
    spans: int
    zone: ZoneInfo

    @classmethod
    def of(
        cls,
        first: date,
        last: date,
        *,
        zone: str,
        backend: Backend,
        weekdays: Collection[int] = WEEKDAYS,
        hours: tuple[float, float] = (9, 17),
        holidays: Collection[date] = (),
    ) -> Clock:
        """The clock from the first to the last day, both included."""
        first, last = max(first, _FIRST) - _ONE, last + 2 * _ONE
        worked, local = _counted(
            first,
            last,
            zone=zone,
            weekdays=tuple(weekdays),
            hours=hours,
            holidays=frozenset(holidays),
        )
        made = (_by_moment(worked, local), _by_day(worked.first, local))
        moments, days = (nw.from_native(from_arrow(t, backend)).lazy() for t in made)
        return cls(moments, days, len(worked.opens), ZoneInfo(zone))

    def second_after(self, day: date) -> int:
        """The first second after a local day."""
        return int(datetime.combine(day + _ONE, time(), self.zone).timestamp())

    def told(self, frame: Any, moment: str, *, day: str = "", worked: str = "") -> Any:
        """The frame with the local day of a moment, and how long we had worked by then.

        Null where the moment is, and where it is of no day of the clock.
        """
        at = nw.col(moment)
        since = at - nw.col("utc_day") * SECONDS_A_DAY
        turned = nw.when(since >= nw.col("turns")).then(1).otherwise(0)
        total = nw.col("worked_before")
        for span in range(self.spans):
            opens, closes = nw.col(f"opens_{span}"), nw.col(f"closes_{span}")
            inside = nw.when(since > closes).then(closes).otherwise(since)
            total += nw.when(inside > opens).then(inside - opens).otherwise(0)
        found = {day: nw.col("local_day") + turned} if day else {}
        found |= {worked: total} if worked else {}
        helpers = self.moments.collect_schema().names()
        return (
            frame.with_columns(utc_day=floor_div(at, SECONDS_A_DAY))
            .join(self.moments, on="utc_day", how="left")
            .with_columns(**found)
            .drop(helpers)
        )


@lru_cache(maxsize=32)
def _counted(
    first: date,
    last: date,
    *,
    zone: str,
    weekdays: tuple[int, ...],
    hours: tuple[float, float],
    holidays: frozenset[date],
) -> tuple[WorkingTime, Any]:
    """The working time of these days and when each begins; the same years come often."""
    worked = working_time(
        first, last, zone=zone, weekdays=weekdays, hours=hours, holidays=holidays
    )
    return worked, _midnights(first, last, ZoneInfo(zone))


def _midnights(first: date, last: date, clocks: ZoneInfo) -> Any:
    """When each local day begins, and the one after the last."""
    days = [first + at * _ONE for at in range((last - first).days + 2)]
    return np.array(
        [int(datetime.combine(day, time(), clocks).timestamp()) for day in days],
        dtype=np.int64,
    )


def _by_moment(worked: WorkingTime, local: Any) -> pa.Table:
    begins = worked.days * SECONDS_A_DAY
    here = np.searchsorted(local, begins, side="right") - 1
    following = local[np.minimum(here + 1, local.size - 1)]
    columns = {
        "utc_day": worked.days,
        "local_day": worked.first + here,
        "turns": following - begins,
        "worked_before": worked.before,
    }
    for span, (opens, closes) in enumerate(
        zip(worked.opens, worked.closes, strict=True)
    ):
        columns |= {f"opens_{span}": opens, f"closes_{span}": closes}
    return pa.table(
        {name: pa.array(each, pa.int64()) for name, each in columns.items()}
    )


def _by_day(first: int, local: Any) -> pa.Table:
    day = first + np.arange(local.size - 1)
    named = {"local_day": day, "begins": local[:-1], "ends": local[1:]}
    return pa.table({name: pa.array(each, pa.int64()) for name, each in named.items()})
