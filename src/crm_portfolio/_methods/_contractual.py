"""What is a margin worth that comes year after year, until the client leaves?

Rules: sheet 7.8, the simple case: one margin, one retention, one rate of discount.
"""

from __future__ import annotations

from math import ceil

import numpy as np

from crm_portfolio._methods._indices import Floats

__all__ = ["expected_life", "worth_after_one", "worth_from_now", "worth_within"]


def worth_from_now(margin: Floats, retention: Floats, discount: float) -> Floats:
    """For ever, the first margin at once; NaN where it has no end.

    >>> worth_from_now(np.array([1000.0]), np.array([0.8]), 0.1).round(2).tolist()
    [3666.67]
    """
    return _divided(margin * (1 + discount), 1 + discount - retention)


def worth_after_one(margin: Floats, retention: Floats, discount: float) -> Floats:
    """For ever, the first margin after a year, of those who are still there.

    >>> worth_after_one(np.array([1000.0]), np.array([0.8]), 0.1).round(2).tolist()
    [2666.67]
    """
    return _divided(margin * retention, 1 + discount - retention)


def worth_within(
    margin: Floats, retention: Floats, discount: float, years: float
) -> Floats:
    """The first margin at once, and no more than so many years of it; a part counts so."""
    kept, worth = np.ones(margin.shape), np.zeros(margin.shape)
    for year in range(ceil(years)):
        worth += margin * kept * min(1.0, years - year)
        kept = kept * retention / (1 + discount)
    return worth


def expected_life(retention: Floats) -> Floats:
    """In years, from the one that runs on; NaN where nobody leaves.

    >>> expected_life(np.array([0.8])).round(9).tolist()
    [5.0]
    """
    return _divided(np.ones(retention.shape), 1 - retention)


def _divided(above: Floats, below: Floats) -> Floats:
    found = np.full(above.shape, np.nan)
    np.divide(above, below, out=found, where=below > 0)
    return found
