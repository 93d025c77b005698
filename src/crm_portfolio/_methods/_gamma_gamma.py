"""What is a purchase of a client worth, where some show few and some show many?

The Gamma-Gamma model of Fader and Hardie (2013), sheet 7.8: what a client spends varies
around a mean of its own, and those means vary between clients. The fewer purchases are
seen, the more its mean is drawn towards that of all.
"""

from __future__ import annotations

from typing import Any, Final

import attrs
import numpy as np

from crm_portfolio._methods._indices import Floats

__all__ = ["GammaGamma", "correlation", "expected_value", "fitted_values"]

_BOUND: Final = 12.0
_DIGITS: Final = 8


@attrs.frozen
class GammaGamma:
    """Its three parameters; ``v`` is in the unit of the values."""

    p: float
    q: float
    v: float

    @property
    def mean(self) -> float | None:
        """Of a client nothing is known of; None where the law has no mean."""
        return self.p * self.v / (self.q - 1) if self.q > 1 else None


def expected_value(model: GammaGamma, x: Floats, mean: Floats) -> Floats:
    """E(M | x, m) = p (v + x m) / (p x + q − 1); NaN where there is none."""
    below = model.p * x + model.q - 1
    seen = np.where(x > 0, x * mean, 0.0)
    found = np.full(x.shape, np.nan)
    np.divide(model.p * (model.v + seen), below, out=found, where=below > 0)
    return found


def correlation(x: Floats, mean: Floats) -> float | None:
    """Of how often and how much, which the model takes for none; None where it has none."""
    if x.size < 2 or np.ptp(x) == 0 or np.ptp(mean) == 0:
        return None
    return float(np.corrcoef(x, mean)[0, 1])


def fitted_values(x: Floats, mean: Floats) -> GammaGamma | None:
    """By maximum likelihood; None where the optimum is not found.

    Args:
        x: How many purchases of each client are known, 1 or more.
        mean: What they were worth on average, above 0.
    """
    from scipy.optimize import minimize

    if x.size == 0 or (x < 1).any() or (mean <= 0).any():
        return None
    order = np.lexsort((mean, x))
    scale = float(np.median(mean))
    lost = _Lost(x[order], mean[order] / scale)
    found = min(
        (
            minimize(
                lost,
                np.log(start),
                jac=True,
                method="L-BFGS-B",
                bounds=[(-_BOUND, _BOUND)] * 3,
                options={"maxiter": 1000, "ftol": 1e-15, "gtol": 1e-9},
            )
            for start in ((2.0, 2.0, 1.0), (6.0, 4.0, 0.5))
        ),
        key=lambda each: round(float(each.fun), 9),
    )
    if np.abs(found.jac).max() > 1e-4 or np.abs(found.x).max() >= _BOUND:
        return None
    p, q, v = np.exp(found.x)
    return GammaGamma(*(float(f"{each:.{_DIGITS}g}") for each in (p, q, v * scale)))


class _Lost:
    """Minus the mean log-likelihood and its slope, by the logs of the parameters."""

    def __init__(self, x: Floats, mean: Floats) -> None:
        self._x, self._mean, self._log_mean = x, mean, np.log(mean)
        self._counts, self._at = np.unique(x, return_inverse=True)

    def __call__(self, logs: Floats) -> tuple[float, Any]:
        from scipy.special import gammaln, psi

        p, q, v = np.exp(logs)
        x, log_mean, n, at = self._x, self._log_mean, self._counts, self._at
        px, pn, total = p * x, p * n, x * self._mean + v
        log_total = np.log(total)
        # What depends on how often they came alone is found once for each number of times.
        of_n = gammaln(pn + q) - gammaln(pn) + pn * np.log(n)
        each = of_n[at] - gammaln(q) + q * np.log(v)
        each += (px - 1) * log_mean - (px + q) * log_total
        both = psi(pn + q)
        slopes = (
            x * ((both - psi(pn) + np.log(n))[at] + log_mean - log_total) * p,
            (both[at] - psi(q) + np.log(v) - log_total) * q,
            (q / v - (px + q) / total) * v,
        )
        return -float(each.mean()), np.array([-slope.mean() for slope in slopes])
