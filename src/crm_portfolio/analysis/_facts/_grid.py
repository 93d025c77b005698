"""Which days is the past asked about, and where among them does a moment lie?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any, Final, TypeAlias

import attrs

from crm_portfolio._frames import Backend, nw
from crm_portfolio.analysis._facts._attached import midnight
from crm_portfolio.analysis._facts._lines import day_number, floor_div

__all__ = [
    "A_DAY",
    "Expr",
    "Frame",
    "Grid",
    "at_place",
    "days_between",
    "is_closed",
    "places",
    "seconds_of_day",
    "status_of",
]

A_DAY: Final = 86_400
_BASE: Final = datetime(1970, 1, 1, tzinfo=UTC)
_NOBODY: Final = "\n"  # the name of no stage: an empty list is no SQL
Expr: TypeAlias = Any
Frame: TypeAlias = Any


@attrs.frozen
class Grid:
    """The days before whose first moment is asked what was known.

    Attributes:
        days: In order. The first is where counting begins; the last is the day after the
            as-of date.
        quiet_days: So long without an activity is silence.
        history_from: What was changed before is not told; None: all is.
        statuses: Stage → ``open``, ``won``, ``lost``, where all pipelines agree on it.
        rates: By currency, what a unit of it was worth on the eve of each day; None
            where nobody knows.
    """

    days: tuple[date, ...]
    zone: str
    digits: int
    quiet_days: int
    history_from: date | None
    statuses: Mapping[str, str]
    rates: Mapping[str, tuple[float | None, ...]]

    @property
    def count(self) -> int:
        return len(self.days)

    @property
    def edges(self) -> tuple[datetime, ...]:
        """The first moment of each day."""
        return tuple(midnight(day, self.zone) for day in self.days)

    @property
    def quiet(self) -> tuple[datetime, ...]:
        """Since when there has to be an activity, or there is silence."""
        back = timedelta(days=self.quiet_days)
        return tuple(midnight(day - back, self.zone) for day in self.days)

    def second(self, place: int) -> int:
        """The first moment of a day, in seconds."""
        return self._second(self.days[place])

    @property
    def dark(self) -> int:
        """The first place of which the changes tell."""
        start = self.history_from
        return 0 if start is None else sum(day < start for day in self.days)

    def named(self, status: str) -> list[str]:
        """The stages that mean this."""
        return [name for name, its in self.statuses.items() if its == status] or [
            _NOBODY
        ]

    def shifts(self) -> list[tuple[date, int]]:
        """From which day on the clocks stand by so many seconds more, all told."""
        offsets = [(day, self._offset(day)) for day in _each(self.days)]
        steps = [(offsets[0][0], offsets[0][1])]
        for (_, before), (day, now) in pairwise(offsets):
            if now != before:
                steps.append((day, now - before))
        return steps

    def _second(self, day: date) -> int:
        return int((midnight(day, self.zone) - _BASE).total_seconds())

    def _offset(self, day: date) -> int:
        naive = int((day - _BASE.date()).total_seconds())
        return naive - self._second(day)


def seconds_of_day(column: str, grid: Grid, backend: Backend) -> Expr:
    """The first moment of a day in the org's zone, in seconds."""
    day = nw.col(column)
    ahead = nw.lit(grid.shifts()[0][1], dtype=nw.Int64)
    for since, by in grid.shifts()[1:]:
        ahead = ahead + (day >= since).cast(nw.Int64) * by
    return day_number(day, backend) * A_DAY - ahead


def at_place(number: int) -> Expr:
    """A place, in 16 bits: engines keep several of each of millions, and a grid has few."""
    return nw.lit(number, dtype=nw.Int16)


def places(moment: Expr, edges: Sequence[Any]) -> Expr:
    """How many of the edges a moment has reached: the first place by which it is over."""
    return nw.when(~moment.is_null()).then(_halved(moment, edges, 0))


def _halved(moment: Expr, edges: Sequence[Any], before: int) -> Expr:
    """So that few of the edges are compared with each."""
    if not edges:
        return at_place(before)
    middle = len(edges) // 2
    later = _halved(moment, edges[middle + 1 :], before + middle + 1)
    earlier = _halved(moment, edges[:middle], before)
    return nw.when(moment >= edges[middle]).then(later).otherwise(earlier)


def days_between(start: Expr, end: Expr) -> Expr:
    """Whole days from one second to another, none where it is before."""
    took = floor_div(end - start, A_DAY)
    return nw.when(took < 0).then(nw.lit(0, dtype=nw.Int64)).otherwise(took)


def status_of(stage: Expr, grid: Grid) -> Expr:
    """What a stage means; empty where nobody knows."""
    name, found = stage.fill_null(""), nw.lit("")
    for status in ("open", "won", "lost"):
        is_it = name.is_in(grid.named(status))
        found = nw.when(is_it).then(nw.lit(status)).otherwise(found)
    return found


def is_closed(column: str) -> Expr:
    return (nw.col(column) == "won") | (nw.col(column) == "lost")


def _each(days: Sequence[date]) -> Iterator[date]:
    for number in range((days[-1] - days[0]).days + 1):
        yield days[0] + timedelta(days=number)
