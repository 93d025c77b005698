"""How steep is the slope that is left to a target, by the calendar and by the season?

Rules: sheet 5.4.
"""

from __future__ import annotations

from typing import Final

import attrs
import numpy as np

from crm_portfolio._methods._indices import Amounts, Floats

__all__ = ["FEWEST_YEARS", "CatchUp", "InSeason", "seasonal_weights"]

FEWEST_YEARS: Final = 2
"""Under so many past years there is no season."""


@attrs.frozen
class CatchUp:
    """What is required in each step that is left, held against what was made so far.

    Attributes:
        required: Of each step left; 0 where the target is met, None where none is left.
        current: Of each step that is over; None where none is.
        steepness: How many times the current is required; None where so far there is
            nothing, or less, to compare with.
    """

    is_met: bool
    required: float | None
    current: float | None
    steepness: float | None

    @classmethod
    def of(cls, achieved: float, target: float, *, elapsed: int, left: int) -> CatchUp:
        is_met = achieved >= target
        missing = max(target - achieved, 0.0)
        required = missing / left if left else None
        current = achieved / elapsed if elapsed else None
        if required is None or current is None or current <= 0:
            return cls(is_met, required, current, None)
        return cls(is_met, required, current, required / current)


@attrs.frozen
class InSeason:
    """What would be reached by now, had the year gone as the years before it went.

    Attributes:
        gap: Achieved less expected.
        projection: The whole at this pace; None where nothing is usually made by now.
    """

    expected: float
    gap: float
    projection: float | None

    @classmethod
    def of(cls, achieved: float, target: float, share: float) -> InSeason:
        """The share is that of the steps which are over."""
        expected = target * share
        projection = achieved / share if share > 0 else None
        return cls(expected, achieved - expected, projection)


def seasonal_weights(years: Amounts | Floats) -> Floats | None:
    """The mean share of each step; they add up to one.

    Args:
        years: A row a past year. One that brought nothing, or less, has no shares and is
            left out.
    """
    totals = years.sum(axis=1)
    told = totals > 0
    if int(told.sum()) < FEWEST_YEARS:
        return None
    weights: Floats = np.mean(years[told] / totals[told, None], axis=0)
    return weights
