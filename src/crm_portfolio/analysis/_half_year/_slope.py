"""How steep is the slope to the target of the year, with its season and the work ahead?"""

from __future__ import annotations

from datetime import date
from typing import Any, Final, Protocol

import attrs
import numpy as np
import pyarrow as pa

from crm_portfolio._methods._catch_up import (
    FEWEST_YEARS,
    CatchUp,
    InSeason,
    seasonal_weights,
)
from crm_portfolio._methods._indices import Amounts, Floats
from crm_portfolio.analysis._half_year._course import (
    Course,
    first_day,
    month_name,
    month_of,
)
from crm_portfolio.analysis._half_year._settings import ReviewSettings
from crm_portfolio.errors import SettingsError
from crm_portfolio.portfolio import Period, Portfolio
from crm_portfolio.results import Json, significant

__all__ = ["NO_SLOPE", "Ahead", "Slope"]

_YEAR = 12
_MONTHS: Final = pa.schema(
    [
        ("month", pa.string()),
        ("is_over", pa.bool_()),
        ("revenue", pa.float64()),
        ("cumulative", pa.float64()),
        ("season_share", pa.float64()),
        ("expected_cumulative", pa.float64()),
        ("required", pa.float64()),
        ("required_by_season", pa.float64()),
    ]
)
NO_SLOPE: Final = _MONTHS.empty_table()
"""Of a firm without a target."""


class Ahead(Protocol):
    """What is known of the work ahead, as `pipeline` tells it."""

    def due(self, period: Period) -> dict[str, Any]: ...

    def coverage_of(
        self, target: float, *, achieved: float, period: Period
    ) -> float | None: ...


@attrs.frozen(eq=False)
class Slope:
    """What is left to a target, in full months.

    Attributes:
        first, end: The months the target is for, counted as in the course.
        elapsed: How many of them are over; one that is still running is not.
        unknown_lines: Of the months that are over; where there are some, what is
            achieved is unknown.
        years: The past years whose shares make the season, the oldest first.
        weights: The share of each month; None without enough of them.
        due: The work expected in the months that are left; None where it is not known.
    """

    target: float
    first: int
    end: int
    elapsed: int
    months: Amounts
    unknown_lines: int
    before_book: int
    running: int | None
    digits: int
    years: tuple[int, ...]
    weights: Floats | None
    due: dict[str, Any] | None
    coverage: float | None

    @classmethod
    def of(
        cls,
        portfolio: Portfolio,
        course: Course,
        settings: ReviewSettings,
        period: Period,
        ahead: Ahead | None,
    ) -> Slope | None:
        """None without a target. The work ahead is known as of today alone."""
        if settings.target is None:
            return None
        first, end = _span(portfolio, settings, period)
        elapsed = min(max(course.end - first, 0), end - first)
        over = first + elapsed
        years, weights = _season(course, first, end, settings.season_years)
        slope = cls(
            settings.target,
            first,
            end,
            elapsed,
            course.between(first, over),
            course.unknown_lines(first, over),
            before_book=min(max(course.first - first, 0), elapsed),
            running=course.running if first <= course.end < end else None,
            digits=portfolio.minor_digits,
            years=years,
            weights=weights,
            due=None,
            coverage=None,
        )
        is_today = month_of(course.stands_on) == month_of(_after(portfolio.as_of))
        is_open = slope.left > 0 and is_today
        if ahead is None or slope.achieved is None or not is_open:
            return slope
        return slope._with(ahead)

    def _with(self, ahead: Ahead) -> Slope:
        assert self.achieved is not None
        left = Period.between(first_day(self.first + self.elapsed), first_day(self.end))
        share = ahead.coverage_of(self.target, achieved=self.achieved, period=left)
        return attrs.evolve(self, due=ahead.due(left), coverage=share)

    @property
    def left(self) -> int:
        return self.end - self.first - self.elapsed

    @property
    def achieved(self) -> float | None:
        """In the months that are over."""
        return None if self.unknown_lines else self._money(int(self.months.sum()))

    @property
    def share(self) -> float | None:
        """What is usually made in the months that are over, of the whole."""
        if self.weights is None:
            return None
        return float(self.weights[: self.elapsed].sum())

    def told(self) -> dict[str, Json]:
        achieved = self.achieved
        climb = None
        if achieved is not None:
            climb = CatchUp.of(
                achieved, self.target, elapsed=self.elapsed, left=self.left
            )
        return {
            "target": self.target,
            "start": first_day(self.first).isoformat(),
            "last_day": Period.between(
                first_day(self.first), first_day(self.end)
            ).last_day.isoformat(),
            "elapsed_months": self.elapsed,
            "left_months": self.left,
            "achieved": achieved,
            "unknown_line_count": self.unknown_lines,
            "running": None if self.running is None else self._money(self.running),
            "missing": None if achieved is None else self._missing(achieved),
            "is_met": climb.is_met if climb else None,
            "required": self._rounded(climb.required if climb else None),
            "current": self._rounded(climb.current if climb else None),
            "steepness": significant(climb.steepness if climb else None),
            "season": self._season_told(achieved),
            "due": self.due,
            "coverage_share": significant(self.coverage),
        }

    def _season_told(self, achieved: float | None) -> dict[str, Json] | None:
        if self.share is None or achieved is None:
            return None
        found = InSeason.of(achieved, self.target, self.share)
        return {
            "years": list(self.years),
            "elapsed_share": significant(self.share),
            "expected": self._rounded(found.expected),
            "gap": self._rounded(found.gap),
            "projection": self._rounded(found.projection),
        }

    def table(self) -> pa.Table:
        """A row a month of the target; what is left, even and by the season."""
        count = self.end - self.first
        is_over = np.arange(count) < self.elapsed
        made = self.months / 10**self.digits
        achieved = self.achieved
        missing = None if achieved is None else self._missing(achieved)
        shares = None if self.weights is None else [*map(float, self.weights)]
        even: list[float | None] = [None] * count
        by_season: list[float | None] = [None] * count
        if missing is not None and self.left:
            even = [None if over else missing / self.left for over in is_over]
            rest = 0.0 if shares is None else sum(shares[self.elapsed :])
            if shares is not None and rest > 0:
                by_season = [
                    None if over else missing * share / rest
                    for over, share in zip(is_over, shares, strict=True)
                ]
        upto = np.cumsum(self.months) / 10**self.digits
        usual = None if shares is None else self.target * np.cumsum(shares)
        gone: list[float | None] = [None] * self.left
        is_known = achieved is not None
        columns: dict[str, list[Any]] = {
            "revenue": [*map(float, made), *gone] if is_known else [None] * count,
            "cumulative": [*map(float, upto), *gone] if is_known else [None] * count,
            "season_share": shares or [None] * count,
            "expected_cumulative": [None] * count if usual is None else usual.tolist(),
            "required": even,
            "required_by_season": by_season,
        }
        months = [month_name(self.first + at) for at in range(count)]
        told: dict[str, list[Any]] = {"month": months, "is_over": is_over.tolist()}
        for name, values in columns.items():
            each = significant if name == "season_share" else self._rounded
            told[name] = [each(value) for value in values]
        return pa.table(told, schema=_MONTHS)

    def _missing(self, achieved: float) -> float:
        return self._rounded(max(self.target - achieved, 0.0)) or 0.0

    def _money(self, minor: int) -> float:
        return float(minor / 10**self.digits)

    def _rounded(self, amount: float | None) -> float | None:
        """To the minor unit."""
        return None if amount is None else round(amount, self.digits) + 0.0


def _after(day: date) -> date:
    return date.fromordinal(day.toordinal() + 1)


def _span(
    portfolio: Portfolio, settings: ReviewSettings, period: Period
) -> tuple[int, int]:
    """The months of the target: its own, or the business year the period ends in."""
    if settings.target_period is None:
        month = month_of(period.last_day)
        first = month - (month + 1 - portfolio.calendar.year_starts) % _YEAR
        return first, first + _YEAR
    own = settings.target_period.at(portfolio.as_of)
    assert own.start is not None
    assert own.end is not None
    if own.start == date.min or own.start.day > 1 or own.end.day > 1:
        raise SettingsError(
            "review.target_period is full months, from the first day of one to the last "
            "day of another"
        )
    return month_of(own.start), month_of(own.end)


def _season(
    course: Course, first: int, end: int, years: int
) -> tuple[tuple[int, ...], Floats | None]:
    """The same months of past years that the book holds in full, and their mean shares."""
    found: list[Amounts] = []
    told: list[int] = []
    for back in range(years, 0, -1):
        begins, ends = first - _YEAR * back, end - _YEAR * back
        is_whole = course.first <= begins and ends <= course.end
        if is_whole and not course.unknown_lines(begins, ends):
            months = course.between(begins, ends)
            if months.sum() > 0:
                found.append(months)
                told.append(first_day(ends - 1).year)
    if len(found) < FEWEST_YEARS:
        return tuple(told), None
    return tuple(told), seasonal_weights(np.stack(found))
