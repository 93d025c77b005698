"""Does the firm grow, or only its workload? Formulas: sheet 2.7."""

from __future__ import annotations

from collections.abc import Sequence
from math import cos, log, pi, sin, sqrt, tan

import attrs
import numpy as np

__all__ = [
    "FEWEST_PERIODS",
    "Fit",
    "elasticity",
    "fit",
    "log_change",
    "per",
    "student_t",
]

FEWEST_PERIODS = 8


@attrs.frozen
class Fit:
    """A slope by least squares over n periods, with its interval."""

    slope: float
    low: float
    high: float
    n: int


def per(amount: float | None, count: float | None) -> float | None:
    """So much for each; none where there is nothing to share it among."""
    return None if amount is None or not count or count < 0 else amount / count


def log_change(before: float | None, now: float | None) -> float | None:
    """ln(now/before); none where either is not positive."""
    if before is None or now is None or before <= 0 or now <= 0:
        return None
    return log(now / before)


def elasticity(change: float | None, of_clients: float | None) -> float | None:
    """By how many per cent it changes with one per cent more clients."""
    return None if change is None or not of_clients else change / of_clients


def fit(
    clients: Sequence[float], amounts: Sequence[float], *, level: float = 0.95
) -> Fit | None:
    """Least squares of ln amounts on ln clients over 8 periods or more.

    None under 8 periods in which both are positive, and where the number of clients is
    always the same.
    """
    x, y = np.array(clients, dtype=float), np.array(amounts, dtype=float)
    is_usable = (x > 0) & (y > 0)
    x, y = np.log(x[is_usable]), np.log(y[is_usable])
    if x.size < FEWEST_PERIODS or np.ptp(x) == 0:
        return None
    x, y = x - x.mean(), y - y.mean()
    spread = float(x @ x)
    slope = float(x @ y) / spread
    free = x.size - 2
    error = sqrt(max(float(((y - slope * x) ** 2).sum()), 0.0) / free / spread)
    wide = student_t(level, free) * error
    return Fit(slope, slope - wide, slope + wide, int(x.size))


def student_t(level: float, free: int) -> float:
    """The t that bounds this much of Student's law on both sides of zero."""
    low, high = 0.0, pi / 2
    for _ in range(80):
        middle = (low + high) / 2
        if _between(middle, free) < level:
            low = middle
        else:
            high = middle
    return sqrt(free) * tan(low)


def _between(angle: float, free: int) -> float:
    """P(|T| < t) for t = √free · tan(angle): Abramowitz and Stegun 26.7.3 and 26.7.4."""
    is_odd = free % 2
    if free == 1:
        return 2 * angle / pi
    term = cos(angle) if is_odd else 1.0
    total = term
    for at in range(2 + is_odd, free - 1, 2):
        term *= (at - 1) / at * cos(angle) ** 2
        total += term
    if is_odd:
        return 2 / pi * (angle + sin(angle) * total)
    return sin(angle) * total
