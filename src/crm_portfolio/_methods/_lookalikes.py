"""How likely is it that one like these buys, and what would it bring? Sheet 5.6."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from crm_portfolio._methods._cuts import Groups
from crm_portfolio._methods._indices import Floats
from crm_portfolio._methods._shrinkage import beta_binomial

__all__ = ["median_by", "medians", "rates"]

Places = npt.NDArray[np.int64]


def rates(
    bought: Groups, fitting: Groups, level: float
) -> tuple[Floats, Floats, Floats]:
    """P(buy | alike) by row, drawn towards that of its column, and its interval.

    NaN where nobody is that it fits.
    """
    rate, low, high = (np.full(bought.shape, np.nan) for _ in range(3))
    for at in range(bought.shape[1]):
        is_some = fitting[:, at] > 0
        found = beta_binomial(bought[is_some, at], fitting[is_some, at], level=level)
        rate[is_some, at] = found.rates
        low[is_some, at], high[is_some, at] = found.low, found.high
    return rate, low, high


def medians(
    row: Places,
    column: Places,
    amounts: Floats,
    shape: tuple[int, ...],
    *,
    least: int,
) -> tuple[Floats, Groups, npt.NDArray[np.bool_]]:
    """What the buyers of each cell bring; where they are few, what all of the column do.

    Also how many of the cell are known to, and whether they were enough.

    Args:
        amounts: One a buyer; NaN where it is unknown.
    """
    is_known = ~np.isnan(amounts)
    row, column, amounts = row[is_known], column[is_known], amounts[is_known]
    own, counts = median_by(row * shape[1] + column, amounts, shape[0] * shape[1])
    buyers = counts.reshape(shape)
    of_all, _ = median_by(column, amounts, shape[1])
    is_own = buyers >= least
    return np.where(is_own, own.reshape(shape), of_all[None, :]), buyers, is_own


def median_by(key: Places, amounts: Floats, count: int) -> tuple[Floats, Groups]:
    """The median of the amounts of each key, NaN where it has none; and how many."""
    ordered = amounts[np.lexsort((amounts, key))]
    counts = np.bincount(key, minlength=count).astype(np.int64)
    if not ordered.size:
        return np.full(count, np.nan), counts
    starts, last = np.cumsum(counts) - counts, ordered.size - 1
    low = ordered[np.minimum(starts + np.maximum(counts - 1, 0) // 2, last)]
    high = ordered[np.minimum(starts + counts // 2, last)]
    return np.where(counts > 0, (low + high) / 2, np.nan), counts
