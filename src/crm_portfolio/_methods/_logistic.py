"""How likely is it, by a few things that were known beforehand?

Rules: sheet 6.5 (b). The fit is scikit-learn's.
"""

from __future__ import annotations

from math import inf
from typing import Final

import attrs
import numpy as np

from crm_portfolio._methods._digits import twelve_digits
from crm_portfolio._methods._indices import Floats
from crm_portfolio._methods._ranking import Flags
from crm_portfolio.errors import MissingExtraError

__all__ = ["Logistic", "log_loss", "logistic", "most_coefficients", "surprises"]

_EVENTS_A_COEFFICIENT: Final = 10
_SURE: Final = 1e-6
"""No odds are taken to be nearer to 0 or 1: one surprise would count without end."""


@attrs.frozen(eq=False)
class Logistic:
    """Odds by features: 1 / (1 + e^−(intercept + slopes · features)).

    Attributes:
        slopes: By one unit of each feature, not by one standard deviation.
    """

    intercept: float
    slopes: Floats

    def odds(self, features: Floats) -> Floats:
        """Of each row of features."""
        found: Floats = 1 / (1 + np.exp(-(self.intercept + features @ self.slopes)))
        return twelve_digits(found)


def logistic(features: Floats, happened: Flags, *, strength: float = inf) -> Logistic:
    """The likeliest odds, features standardised; the smaller ``strength``, the calmer.

    Args:
        features: A row a case, a column a feature, nothing unknown.
        strength: The inverse of the L2 penalty; infinite: none.

    Raises:
        MissingExtraError: scikit-learn is not there.
    """
    try:
        from sklearn.linear_model import LogisticRegression
    except ImportError as error:
        raise MissingExtraError("scikit-learn", "ml") from error
    middle, spread = features.mean(axis=0), features.std(axis=0)
    spread = np.where(spread > 0, spread, 1.0)
    # Whole steps of Newton are few and exact, but need a penalty to stand on.
    solver = "newton-cholesky" if strength < inf else "lbfgs"
    model = LogisticRegression(C=strength, solver=solver, tol=1e-10, max_iter=10_000)
    model.fit((features - middle) / spread, happened.astype(np.int64))
    slopes = model.coef_[0] / spread
    intercept = float(model.intercept_[0] - slopes @ middle)
    return Logistic(intercept, slopes)


def log_loss(odds: Floats, happened: Flags) -> float:
    """−mean ln of the odds given to what came; lower is better; NaN of nothing."""
    return float(surprises(odds, happened).mean()) if odds.size else float("nan")


def surprises(odds: Floats, happened: Flags) -> Floats:
    """−ln of the odds given to what came, case by case."""
    sure = np.clip(odds, _SURE, 1 - _SURE)
    surprise: Floats = -np.log(np.where(happened, sure, 1 - sure))
    return surprise


def most_coefficients(happened: Flags) -> int:
    """One for each ten events, and as many that it did not happen."""
    events = int(min(happened.sum(), (~happened).sum()))
    return events // _EVENTS_A_COEFFICIENT
