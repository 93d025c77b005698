"""What is the middle one of each group?"""

from __future__ import annotations

import numpy as np

from crm_portfolio._methods._cuts import Groups
from crm_portfolio._methods._indices import Amounts, Floats

__all__ = ["medians"]


def medians(
    keys: Groups, values: Amounts | Floats, counts: Groups, size: int
) -> Floats:
    """The median value of each key, each value that many times; NaN without any."""
    found = np.full(size, np.nan)
    order = np.lexsort((values, keys))
    keys, values, counts = keys[order], values[order], counts[order]
    firsts = np.searchsorted(keys, np.arange(size))
    ends = np.searchsorted(keys, np.arange(size), side="right")
    upto = np.concatenate([[0], np.cumsum(counts)])
    low, high = upto[firsts], upto[ends]
    has = high > low
    for_low = np.searchsorted(upto, low + (high - low - 1) // 2, side="right") - 1
    for_high = np.searchsorted(upto, low + (high - low) // 2, side="right") - 1
    found[has] = (values[for_low[has]] + values[for_high[has]]) / 2
    return found
