"""How sure is a rate of so few?

Rules: sheet 6.3. Both intervals are for arrays of any size, NaN where nothing was tried.
"""

from __future__ import annotations

from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from crm_portfolio._methods._indices import Floats

__all__ = [
    "difference_bounds",
    "jeffreys",
    "jeffreys_bounds",
    "wilson",
    "wilson_bounds",
]


def wilson(count: int, of: int, level: float = 0.95) -> tuple[float, float] | None:
    """Wilson's interval of a rate; None of nothing."""
    if not of:
        return None
    low, high = wilson_bounds([count], [of], level)
    return float(low[0]), float(high[0])


def jeffreys(count: int, of: int, level: float = 0.95) -> tuple[float, float] | None:
    """Jeffreys' interval of a rate; None of nothing."""
    if not of:
        return None
    low, high = jeffreys_bounds([count], [of], level)
    return float(low[0]), float(high[0])


def wilson_bounds(
    counts: npt.ArrayLike, of: npt.ArrayLike, level: float = 0.95
) -> tuple[Floats, Floats]:
    """Wilson's intervals; each lies within [0, 1] and holds the raw rate."""
    count, n = _known(counts, of)
    z = NormalDist().inv_cdf((1 + level) / 2)
    rate, weight = count / n, z * z / n
    middle = (rate + weight / 2) / (1 + weight)
    reach = z / (1 + weight) * np.sqrt(rate * (1 - rate) / n + weight / n / 4)
    low: Floats = np.maximum(0.0, np.minimum(rate, middle - reach))
    high: Floats = np.minimum(1.0, np.maximum(rate, middle + reach))
    return low, high


def jeffreys_bounds(
    counts: npt.ArrayLike, of: npt.ArrayLike, level: float = 0.95
) -> tuple[Floats, Floats]:
    """Quantiles of Beta(k + ½, n − k + ½); from 0 where k = 0, up to 1 where k = n."""
    from scipy.special import betaincinv

    count, n = _known(counts, of)
    a, b = count + 0.5, n - count + 0.5
    low: Floats = np.where(count == 0, 0.0, betaincinv(a, b, (1 - level) / 2))
    high: Floats = np.where(count == n, 1.0, betaincinv(a, b, (1 + level) / 2))
    return low, high


def difference_bounds(
    counts: tuple[npt.ArrayLike, npt.ArrayLike],
    of: tuple[npt.ArrayLike, npt.ArrayLike],
    level: float = 0.95,
) -> tuple[Floats, Floats]:
    """Newcombe's intervals of the first rates less the second: Wilson's, squared up."""
    (one, n), (other, m) = (_known(k, size) for k, size in zip(counts, of, strict=True))
    (low, high), (lower, higher) = (
        wilson_bounds(k, size, level) for k, size in ((one, n), (other, m))
    )
    first, second = one / n, other / m
    least = first - second - np.hypot(first - low, higher - second)
    most = first - second + np.hypot(high - first, second - lower)
    return least, most


def _known(counts: npt.ArrayLike, of: npt.ArrayLike) -> tuple[Floats, Floats]:
    n = np.asarray(of, dtype=np.float64)
    n = np.where(n > 0, n, np.nan)
    return np.asarray(counts, dtype=np.float64) + 0 * n, n
