"""Does a series rise or fall beyond chance, and how fast?

Rows are accounts, columns equal steps of time, the oldest first; each row counts from its
own start. All rows of one start go together, pair of columns by pair of columns. Rules:
sheet 3.1 with its amendments.
"""

from __future__ import annotations

from math import erfc, factorial, sqrt
from statistics import NormalDist
from typing import Final

import attrs
import numpy as np

from crm_portfolio._methods._cuts import Groups
from crm_portfolio._methods._indices import Amounts, Floats
from crm_portfolio._methods._ranking import Flags

__all__ = ["FEWEST", "Trends", "adjusted", "trends"]

FEWEST: Final = 5
"""Under so many points nothing is said."""
_EXACT_BELOW: Final = 8
_AT_ONCE: Final = 65_536


@attrs.frozen(eq=False)
class Trends:
    """Mann-Kendall and Theil-Sen of each row; NaN where it has too few points.

    Attributes:
        points: From the start of the row on.
        s: Pairs that rise less pairs that fall; ``variance`` allows for ties.
        p: Two-sided; exact under 8 points without ties, else of the normal law.
        slope: Per step, with its ``low`` and ``high`` ends.
        is_approximate: Under 8 points and with ties: the normal law is rough there.
    """

    points: Groups
    s: Floats
    variance: Floats
    z: Floats
    p: Floats
    slope: Floats
    low: Floats
    high: Floats
    median: Floats
    is_approximate: Flags


_FIGURES: Final = ("s", "variance", "z", "p", "slope", "low", "high", "median")


def trends(
    values: Amounts | Floats,
    start: Groups,
    *,
    times: Floats | None = None,
    level: float = 0.95,
) -> Trends:
    """The trend of each row from its column ``start`` on.

    Args:
        times: Of the columns, where their steps are not equal.
        level: Of the interval of the slope.
    """
    count, columns = values.shape
    at = np.arange(columns, dtype=np.float64) if times is None else times
    found = Trends(
        points=np.maximum(columns - start, 0),
        is_approximate=np.zeros(count, dtype=bool),
        **{name: np.full(count, np.nan) for name in _FIGURES},
    )
    for first in range(max(columns - FEWEST + 1, 0)):
        rows = np.flatnonzero(start == first)
        for some in (
            rows[low : low + _AT_ONCE] for low in range(0, rows.size, _AT_ONCE)
        ):
            _fill(found, some, values[some, first:], at[first:], level)
    return found


def _fill(
    into: Trends, rows: Groups, values: Amounts | Floats, times: Floats, level: float
) -> None:
    points = values.shape[1]
    earlier, later = np.triu_indices(points, 1)
    change = values[:, later] - values[:, earlier]
    s = np.sign(change).sum(axis=1).astype(np.float64)
    equals = _equals(change == 0, earlier, later, points)
    ties = ((equals - 1) * (2 * equals + 5)).sum(axis=1)
    variance = (points * (points - 1) * (2 * points + 5) - ties) / 18
    z = np.divide(
        s - np.sign(s), np.sqrt(variance), out=np.zeros_like(s), where=variance > 0
    )
    has_ties = ties > 0
    p = _normal(z)
    if points < _EXACT_BELOW:
        p = np.where(has_ties, p, _exact(points)[np.abs(s).astype(np.int64)])
        into.is_approximate[rows] = has_ties
    slopes = np.sort(change / (times[later] - times[earlier]), axis=1)
    low, high = _interval(slopes, variance, level)
    into.s[rows], into.variance[rows], into.z[rows], into.p[rows] = s, variance, z, p
    into.slope[rows], into.low[rows], into.high[rows] = _middle(slopes), low, high
    into.median[rows] = _middle(np.sort(values.astype(np.float64), axis=1))


def _equals(is_equal: Flags, earlier: Groups, later: Groups, points: int) -> Groups:
    """How many points of its row each point equals, itself among them."""
    equals = np.ones((is_equal.shape[0], points), dtype=np.int64)
    for pair, (one, other) in enumerate(zip(earlier, later, strict=True)):
        equals[:, one] += is_equal[:, pair]
        equals[:, other] += is_equal[:, pair]
    return equals


def _normal(z: Floats) -> Floats:
    """Two-sided p of the normal law; there are few different z."""
    each, at = np.unique(z, return_inverse=True)
    p: Floats = np.array([erfc(abs(value) / sqrt(2)) for value in each])[at]
    return p


def _exact(points: int) -> Floats:
    """Two-sided p of Kendall's S without ties, by its absolute value."""
    orders = np.array([1], dtype=np.int64)
    for size in range(2, points + 1):
        orders = np.convolve(orders, np.ones(size, dtype=np.int64))
    most = points * (points - 1) // 2
    under = np.cumsum(orders)
    falling = (most - np.arange(most + 1)) // 2
    p: Floats = np.minimum(2 * under[falling] / factorial(points), 1.0)
    return p


def _middle(ordered: Amounts | Floats) -> Floats:
    count = ordered.shape[1]
    middle: Floats = (ordered[:, (count - 1) // 2] + ordered[:, count // 2]) / 2
    return middle


def _interval(slopes: Floats, variance: Floats, level: float) -> tuple[Floats, Floats]:
    """The order statistics of the slopes that Sen's interval ends at."""
    count = slopes.shape[1]
    reach = NormalDist().inv_cdf((1 + level) / 2) * np.sqrt(variance)
    high = np.minimum(np.round((count + reach) / 2).astype(np.int64), count - 1)
    low = np.maximum(np.round((count - reach) / 2).astype(np.int64) - 1, 0)
    rows = np.arange(slopes.shape[0])
    return slopes[rows, low], slopes[rows, high]


def adjusted(p: Floats) -> Floats:
    """Benjamini and Hochberg's p: the share of false finds if all up to it are taken."""
    found = np.full(p.size, np.nan)
    tested = np.flatnonzero(~np.isnan(p))
    falling = tested[np.argsort(-p[tested], kind="stable")]
    ranks = np.arange(falling.size, 0, -1)
    found[falling] = np.minimum(
        np.minimum.accumulate(p[falling] * falling.size / np.maximum(ranks, 1)), 1.0
    )
    return found
