"""Are two things bought together more often than by chance?

Sheet 5.6: lift = P(A and B)/(P(A)·P(B)), with an interval on its logarithm: the delta
method on the four cells of the table of two by two.
"""

from __future__ import annotations

from statistics import NormalDist

import attrs
import numpy as np
import numpy.typing as npt

from crm_portfolio._methods._indices import Floats

__all__ = ["Lift", "lift", "together"]

Counts = npt.NDArray[np.int64]
_ROWS_AT_ONCE = 100_000


@attrs.frozen(eq=False)
class Lift:
    """Of each pair; NaN where nobody has the one or the other."""

    values: Floats
    low: Floats
    high: Floats


def lift(
    both: Counts, first: Counts, second: Counts, of: Counts, *, level: float = 0.90
) -> Lift:
    """How much likelier one is where the other is: 1 is chance.

    Where nobody has both the lift is 0, and the interval ends where Wilson's of that rate
    does, seen from the rarer of the two.

    Args:
        both: How many have both; ``first`` and ``second``: the one, the other.
        of: How many there are.
    """
    counts = (both, first, second, of)
    pair, a, b, n = (np.asarray(each, dtype=np.float64) for each in counts)
    z = NormalDist().inv_cdf((1 + level) / 2)
    with np.errstate(divide="ignore", invalid="ignore"):
        value = pair * n / (a * b)
        variance = 1 / pair - 1 / a - 1 / b + (2 * value - 1) / n
        # Where all have one of them there is nothing to vary, but for rounding.
        reach = np.exp(z * np.sqrt(np.maximum(variance, 0.0)))
        few = np.minimum(a, b)
        never = z * z / (few + z * z) * n / np.maximum(a, b)
        low = np.where(pair > 0, value / reach, value)
        high = np.where(pair > 0, value * reach, never)
    return Lift(*(np.where(a * b > 0, each, np.nan) for each in (value, low, high)))


def together(bought: npt.NDArray[np.bool_]) -> Counts:
    """How many have both, for each two columns; the diagonal has how many have each."""
    count = bought.shape[1]
    found = np.zeros((count, count), dtype=np.int64)
    for start in range(0, bought.shape[0], _ROWS_AT_ONCE):
        part = bought[start : start + _ROWS_AT_ONCE].astype(np.float32)
        found += np.rint(part.T @ part).astype(np.int64)
    return found
