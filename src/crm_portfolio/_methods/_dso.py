"""For how many days of sales does an account owe us?

Rules: sheet 7.5, with amendment 23. Receivables and sales are of one kind, both with tax.
"""

from __future__ import annotations

import numpy as np

from crm_portfolio._methods._cuts import Groups
from crm_portfolio._methods._in_order import in_order
from crm_portfolio._methods._indices import Floats

__all__ = ["count_back", "days_of_sales"]


def days_of_sales(owed: Groups, sales: Groups, days: int) -> Floats:
    """Owed / sales · days; NaN without sales.

    Of all that is owed it is the simple DSO, of what is not yet due the best possible
    one; what lies between them are the average days delinquent.
    """
    found = np.full(owed.size, np.nan)
    np.divide(owed * float(days), sales, out=found, where=sales > 0)
    return found


def count_back(
    owed: Groups, payer: Groups, sales: Groups, days: Groups, days_after: Groups
) -> Floats:
    """Take the newest month's sales from what is owed, then the month before's, and go on.

    The last month counts for the part of its sales that was still to be taken. A month
    without sales adds its days. NaN where all sales there are do not make up for it.

    Args:
        owed: By payer.
        payer: The place in ``owed`` of each month with sales, in any order.
        sales: Of that month; one of 0 or less takes nothing.
        days: Of that month.
        days_after: From the end of that month to the day of the question.
    """
    is_some = sales > 0
    payer, sales, days, days_after = (
        each[is_some] for each in (payer, sales, days, days_after)
    )
    order = in_order(payer, days_after)
    payer, sales, days, days_after = (
        each[order] for each in (payer, sales, days, days_after)
    )
    running = np.cumsum(sales)
    starts = np.flatnonzero(np.diff(payer, prepend=-1))
    lengths = np.diff(np.append(starts, payer.size))
    taken = running - np.repeat(running[starts] - sales[starts], lengths)
    left = owed[payer] - (taken - sales)
    # The first month whose sales reach what is left; all before it are taken whole.
    is_last = (left > 0) & (left <= sales)
    found = np.where(owed > 0, np.nan, 0.0)
    part = left[is_last] / sales[is_last] * days[is_last]
    found[payer[is_last]] = days_after[is_last] + part
    return found
