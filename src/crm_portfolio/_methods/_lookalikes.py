"""How likely is it that one like these buys, and what would it bring? Sheet 5.6."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from crm_portfolio._methods import _medians
from crm_portfolio._methods._cuts import Groups
from crm_portfolio._methods._indices import Floats
from crm_portfolio._methods._shrinkage import beta_binomial

__all__ = ["medians", "rates"]

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
    cell, size, one = row * shape[1] + column, shape[0] * shape[1], np.ones_like(row)
    own = _medians.medians(cell, amounts, one, size)
    of_all = _medians.medians(column, amounts, one, shape[1])
    buyers = np.bincount(cell, minlength=size).astype(np.int64).reshape(shape)
    is_own = buyers >= least
    return np.where(is_own, own.reshape(shape), of_all[None, :]), buyers, is_own
