"""When do the sales that are open make good what was lost?

Sheet 4.3: remaining revenue and cumulated wins, by month of their expected close, against
a target; the expected wins, and draws of each sale as won or not.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import ceil
from typing import Any

import attrs
import numpy as np
import numpy.typing as npt

from crm_portfolio._methods._cuts import Groups
from crm_portfolio._methods._indices import Amounts, Floats, part

__all__ = ["Openings", "Wins", "wins_by_month"]

_FULL, _LEAST = 50_000_000, 1_000


@attrs.frozen(eq=False)
class Openings:
    """Sales that may be won: equal ones in one place, ``count`` of them.

    Attributes:
        month: After the start of the loss; 1 is the first, 0 is before it.
        odds: Of each one, 0 to 1.
        minor: What each one brings in a year.
    """

    month: Groups
    odds: Floats
    minor: Amounts
    count: Groups

    @property
    def size(self) -> int:
        return int(self.count.sum())

    def arranged(self) -> Openings:
        """By what they say alone, so that what is drawn depends on nothing else."""
        return self.only(np.lexsort((self.count, self.odds, self.month, self.minor)))

    def each(self) -> Iterator[tuple[Any, ...]]:
        return zip(self.month, self.odds, self.minor, self.count, strict=True)

    def by_month(self) -> Iterator[tuple[int, float, float, float]]:
        """Of each month: the mean, standard deviation and most of what they bring."""
        for month in np.unique(self.month):
            which = self.month == month
            odds, minor = self.odds[which], self.minor[which].astype(np.float64)
            most = self.count[which] * minor
            variance = (most * minor * odds * (1 - odds)).sum()
            yield (
                int(month),
                float(most @ odds),
                float(variance**0.5),
                float(most.sum()),
            )

    def only(self, places: npt.NDArray[np.int64]) -> Openings:
        return Openings(
            self.month[places],
            self.odds[places],
            self.minor[places],
            self.count[places],
        )


@attrs.frozen(eq=False)
class Wins:
    """Yearly revenue won by the end of each month, from month 0 on, in minor units.

    Attributes:
        expected: Sums of odds times amounts.
        drawn: One row a draw, in order of nothing.
    """

    expected: Floats
    drawn: Floats

    def month_expected(self, missing: float, *, not_before: int) -> int | None:
        """The first month in which the expected wins fill the gap."""
        return _first(self.expected >= missing - 0.5, not_before)

    def month_reached(
        self, missing: float, level: float, *, not_before: int
    ) -> int | None:
        """The first month by which the gap is filled in that share of the draws."""
        reached = (self.drawn >= missing - 0.5).sum(axis=0)
        return _first(reached >= self._needed(level), not_before)

    def surpassed(self, level: float) -> Floats:
        """By month, what at least that share of the draws reaches."""
        at = len(self.drawn) - self._needed(level)
        reached: Floats = np.partition(self.drawn, at, axis=0)[at]
        return reached

    def _needed(self, level: float) -> int:
        return max(1, ceil(part(len(self.drawn), level)))


def wins_by_month(
    openings: Openings, *, months: int, ramp_months: int, seed: int, draws: int
) -> Wins:
    """What the open sales bring up to each of these months, in whatever order they come.

    A win is worth the same part of its amount in the n-th month after it came as a loss
    is, with the ramp. Long lists take fewer draws, never under 1,000 of those asked; of
    very long ones only the largest are drawn singly, and what the others of a month bring
    is a normal sum of their own mean and variance.
    """
    draws = max(min(draws, _LEAST), min(draws, _FULL // max(1, openings.month.size)))
    generator = np.random.default_rng(seed)
    expected = np.zeros(months + 1)
    drawn = np.zeros((months + 1, draws), dtype=np.int64)
    first, others = _largest(openings.arranged(), _FULL // draws)
    for month, odds, minor, count in first.each():
        # Drawn even beyond the horizon, so that a longer one changes nothing before it.
        won = generator.binomial(count, odds, draws)
        if month <= months:
            expected[month] += count * odds * minor
            drawn[month] += won * minor
    for month, mean, spread, most in others.by_month():
        normal = generator.standard_normal(draws)
        if month <= months:
            expected[month] += mean
            drawn[month] += np.rint(np.clip(mean + spread * normal, 0, most)).astype(
                int
            )
    return Wins(
        _ramped(np.cumsum(expected), ramp_months),
        _ramped(np.cumsum(drawn, axis=0), ramp_months).T,
    )


def _largest(openings: Openings, most: int) -> tuple[Openings, Openings]:
    """So many of those that may bring most, in their own order, and the others."""
    worth = openings.count * openings.minor
    order = np.argsort(-worth, kind="stable")
    return openings.only(np.sort(order[:most])), openings.only(np.sort(order[most:]))


def _ramped(cumulated: npt.NDArray[Any], ramp_months: int) -> Floats:
    """The mean of the last months: each win then counts by the months since it came."""
    ramp = max(1, ramp_months)
    summed = np.zeros(cumulated.shape, dtype=cumulated.dtype)
    for back in range(min(ramp, len(cumulated))):
        summed[back:] += cumulated[: len(cumulated) - back]
    ramped: Floats = np.asarray(summed / ramp, dtype=np.float64)
    return ramped


def _first(is_reached: npt.NDArray[np.bool_], not_before: int) -> int | None:
    reached = np.flatnonzero(is_reached[not_before:])
    return int(reached[0]) + not_before if reached.size else None
