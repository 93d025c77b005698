"""What does it cost to win an account, how soon is it earned, and which part is this period's?

Rules: sheet 7.4.
"""

from __future__ import annotations

from datetime import date

import numpy as np
import numpy.typing as npt

from crm_portfolio._methods._indices import Amounts, Floats

__all__ = ["amortised", "cost_of_one", "months_on", "payback_months"]

Days = npt.NDArray[np.datetime64]


def cost_of_one(cost: float, count: int) -> float | None:
    """What winning one account cost; None where none was won."""
    return cost / count if count > 0 else None


def payback_months(cost: float | None, per_month: float | None) -> float | None:
    """Months until its contribution has brought its cost; None where it never does."""
    if cost is None or per_month is None or per_month <= 0:
        return None
    return cost / per_month


def months_on(days: Days, months: int) -> Days:
    """The same day so many months later, and the last of the month where it has none."""
    month = days.astype("datetime64[M]")
    later = month + np.timedelta64(months, "M")
    last = (later + np.timedelta64(1, "M")).astype("datetime64[D]")
    moved = later.astype("datetime64[D]") + (days - month.astype("datetime64[D]"))
    found: Days = np.minimum(moved, last - np.timedelta64(1, "D"))
    return found


def amortised(
    cost: Amounts | Floats, won_on: Days, months: int, start: date, end: date
) -> Amounts:
    """The part of each cost that falls on these days, spread evenly over its life.

    The life of an account begins the day it was won and has so many months; the end of
    the days is not one of them.
    """
    until = months_on(won_on, months)
    life = (until - won_on).astype(np.float64)
    first = np.maximum(won_on, np.datetime64(start, "D"))
    last = np.minimum(until, np.datetime64(end, "D"))
    inside = np.maximum((last - first).astype(np.float64), 0.0)
    is_won = ~np.isnat(won_on)
    part = np.divide(inside, life, where=is_won & (life > 0), out=np.zeros(life.size))
    found: Amounts = np.rint(np.where(is_won, cost * part, 0.0)).astype(np.int64)
    return found
