"""How sure is a rate of so few?"""

from __future__ import annotations

from math import sqrt
from statistics import NormalDist

__all__ = ["wilson"]


def wilson(count: int, of: int, level: float = 0.95) -> tuple[float, float] | None:
    """Wilson's interval of a rate; None of nothing."""
    if not of:
        return None
    z = NormalDist().inv_cdf((1 + level) / 2)
    rate, weight = count / of, z * z / of
    middle = (rate + weight / 2) / (1 + weight)
    reach = z / (1 + weight) * sqrt(rate * (1 - rate) / of + weight / of / 4)
    return max(0.0, min(rate, middle - reach)), min(1.0, max(rate, middle + reach))
