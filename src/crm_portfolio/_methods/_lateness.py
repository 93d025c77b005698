"""How many days late is an account on average, by what it owes?

Rules: sheet 7.5, with amendment 23.
"""

from __future__ import annotations

import numpy as np

from crm_portfolio._methods._cuts import Groups
from crm_portfolio._methods._indices import Floats

__all__ = ["mean_days"]


def mean_days(weighted: Groups, weight: Groups) -> Floats:
    """Σ amount · days / Σ amount, from both sums; NaN where nothing weighs.

    Signed days make the signed mean, days floored at 0 the floored one, and counts in
    place of amounts the mean of invoices that all weigh the same.
    """
    found = np.full(weight.size, np.nan)
    np.divide(weighted, weight, out=found, where=weight > 0)
    return found
