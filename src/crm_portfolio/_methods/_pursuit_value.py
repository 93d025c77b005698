"""What is a pursuit worth, once it pays for its hours and for what they leave undone?

Rules: sheet 6.6. Hours already spent enter nowhere. Worth, cost and hour values are in
one unit of money; NaN is unknown, and so is what is made of it.
"""

from __future__ import annotations

from math import nan

import numpy as np

from crm_portfolio._methods._indices import Floats
from crm_portfolio._methods._ranking import Flags

__all__ = [
    "break_even_hour_value",
    "break_even_hours",
    "break_even_odds",
    "contribution",
    "expected_value",
    "last_that_fits",
]


def expected_value(
    odds: Floats,
    worth: Floats,
    hours: Floats,
    *,
    hour_cost: float,
    hour_value: float,
    outlay: float = 0.0,
) -> Floats:
    """EV = p · M − h · (c + λ) − x.

    Args:
        worth: What it contributes if it is won.
        hour_value: What the last hour brings that is free for something else.
    """
    value: Floats = odds * worth - hours * (hour_cost + hour_value) - outlay
    return value


def break_even_odds(
    worth: Floats,
    hours: Floats,
    *,
    hour_cost: float,
    hour_value: float,
    outlay: float = 0.0,
) -> Floats:
    """p* = (h · (c + λ) + x) / M; above 1 it is never worth it; NaN where M is not above 0."""
    cost = hours * (hour_cost + hour_value) + outlay
    return _ratio(cost, worth)


def break_even_hours(
    odds: Floats,
    worth: Floats,
    *,
    hour_cost: float,
    hour_value: float,
    outlay: float = 0.0,
) -> Floats:
    """The hours it may take at the most; NaN where hours cost nothing."""
    gain = odds * worth - outlay
    return _ratio(gain, np.full(gain.shape, hour_cost + hour_value))


def break_even_hour_value(
    odds: Floats,
    worth: Floats,
    hours: Floats,
    *,
    hour_cost: float,
    outlay: float = 0.0,
) -> Floats:
    """λ*: what an hour may bring elsewhere at the most; below 0 it is never worth it."""
    return _ratio(odds * worth - outlay, hours) - hour_cost


def contribution(
    amount: Floats,
    margin: Floats,
    *,
    concession: Floats,
    years: float,
    discount: float,
) -> Floats:
    """What a sale contributes after the price that was conceded, over its years.

    The concession comes off the price alone: delivering costs what it did. Each year
    after the first is worth less by the discount.
    """
    whole = int(years)
    factor = sum((1 + discount) ** -year for year in range(whole))
    factor += (years - whole) * (1 + discount) ** -whole
    found: Floats = amount * (margin - concession) * factor
    return found


def last_that_fits(values: Floats, hours: Floats, room: float) -> float:
    """λ: the value an hour has in the last pursuit that fits the room; 0 where all do.

    The best for its hours comes first. Where not even that one fits, it is what an hour
    is taken from.
    """
    is_some = values > 0
    worth, needs = values[is_some], hours[is_some]
    if not worth.size or needs.sum() <= room:
        return 0.0
    if np.isnan(needs).any() or not np.isfinite(room):
        return nan
    with np.errstate(divide="ignore"):
        rate = np.where(needs > 0, worth / np.where(needs > 0, needs, 1.0), np.inf)
    order = np.argsort(-rate, kind="stable")
    fits: Flags = np.cumsum(needs[order]) <= room
    timed = np.isfinite(rate[order])
    last = np.flatnonzero(fits & timed)
    found = rate[order][last[-1]] if last.size else rate[order][timed][0]
    return float(found)


def _ratio(part: Floats, whole: Floats) -> Floats:
    found = np.full(np.broadcast(part, whole).shape, nan)
    np.divide(part, whole, out=found, where=whole > 0)
    return found
