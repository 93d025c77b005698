"""What is the rate of a group of few, when there are other groups like it?

A group's rate is drawn towards what groups of its kind have in common, the more so the
fewer tries it had. Rules: sheet 6.4 with amendment 21.
"""

from __future__ import annotations

from math import inf, nan
from typing import Final, Literal, TypeAlias

import attrs
import numpy as np
import numpy.typing as npt

from crm_portfolio._methods._indices import Floats
from crm_portfolio._methods._rates import jeffreys

__all__ = ["LEVEL", "Kind", "Prior", "Shrunk", "beta_binomial", "moments", "prior_of"]

LEVEL: Final = 0.90

Kind: TypeAlias = Literal[
    "likelihood",
    "moments",
    "fixed",
    "jeffreys",
    "pooled",
    "never",
    "always",
    "unknown",
]
"""Whence a prior: fitted; of set strength; the weakest, where rates differ more than any
beta allows; or no beta at all, where nothing tells groups apart, where it never happened,
always happened or was never tried."""

_LEAST_TRIES: Final = 5
_LEAST_GROUPS: Final = 10
_STRENGTH: Final = 20.0
_POOLED: Final = 1e5
_WEAKEST: Final = 1e-4
_THREE: Final = 3.0


@attrs.frozen
class Prior:
    """What groups of a kind have in common: a rate, and how many tries it is worth.

    Attributes:
        strength: a + b; infinite where all groups have the one rate of all.
        groups: How many groups had tries enough to enter the fit.
        wins: Of all groups together, as ``tries``.
    """

    mean: float
    strength: float
    kind: Kind
    groups: int = 0
    wins: int = 0
    tries: int = 0

    @property
    def a(self) -> float:
        return self.mean * self.strength

    @property
    def b(self) -> float:
        return (1 - self.mean) * self.strength

    def shrunk(
        self, wins: npt.ArrayLike, tries: npt.ArrayLike, *, level: float = LEVEL
    ) -> Shrunk:
        """The rates of these groups, whether or not they entered the fit."""
        won, tried = _counts(wins), _counts(tries)
        if self.strength < inf:
            pairs, which = np.unique([won, tried], axis=1, return_inverse=True)
            found = self._posterior(pairs[0], pairs[1], level)
            return Shrunk(self, *(each[which.reshape(-1)] for each in found))
        return Shrunk(self, *self._alike(tried, level))

    def _posterior(
        self, wins: Floats, tries: Floats, level: float
    ) -> tuple[Floats, Floats, Floats, Floats]:
        from scipy.special import betaincinv

        a, b = self.a + wins, self.b + tries - wins
        rate = a / (a + b)
        deviation = np.sqrt(rate * (1 - rate) / (a + b + 1))
        low, high = (betaincinv(a, b, q) for q in ((1 - level) / 2, (1 + level) / 2))
        return rate, low, high, deviation

    def _alike(
        self, tries: Floats, level: float
    ) -> tuple[Floats, Floats, Floats, Floats]:
        """One rate for all: of all together, or 0 or 1 by the rule of three."""
        rate, unknown = np.full(tries.shape, self.mean), np.full(tries.shape, nan)
        if self.kind == "pooled":
            bounds = jeffreys(self.wins, self.tries, level) or (nan, nan)
            return rate, rate * 0 + bounds[0], rate * 0 + bounds[1], unknown
        reach = np.minimum(1.0, _THREE / np.maximum(tries, _THREE))
        if self.kind == "never":
            return rate, 0 * reach, reach, unknown
        if self.kind == "always":
            return rate, 1 - reach, 0 * reach + 1, unknown
        return unknown, unknown, unknown, unknown


@attrs.frozen(eq=False)
class Shrunk:
    """The rates of groups, drawn towards their prior; in the order they came.

    Attributes:
        low: Where the interval begins, and ``high`` where it ends.
        deviations: Of the posterior; NaN where there is none.
    """

    prior: Prior
    rates: Floats
    low: Floats
    high: Floats
    deviations: Floats


def beta_binomial(
    wins: npt.ArrayLike, tries: npt.ArrayLike, *, level: float = LEVEL
) -> Shrunk:
    """Each group's rate, with its interval, and the prior all of them gave."""
    return prior_of(wins, tries).shrunk(wins, tries, level=level)


def prior_of(wins: npt.ArrayLike, tries: npt.ArrayLike) -> Prior:
    """The likeliest beta of ten groups or more; with fewer, their rate worth 20 tries."""
    won, tried = _counts(wins), _counts(tries)
    total, of = int(won.sum()), int(tried.sum())
    is_enough = tried >= _LEAST_TRIES
    groups = int(is_enough.sum())

    def prior(mean: float, strength: float, kind: Kind) -> Prior:
        return Prior(mean, strength, kind, groups, total, of)

    if not of:
        return prior(nan, inf, "unknown")
    if total in (0, of):
        return prior(total / of, inf, "always" if total else "never")
    if groups < _LEAST_GROUPS:
        return prior(total / of, _STRENGTH, "fixed")
    mean, strength = _likeliest(won[is_enough], tried[is_enough])
    if strength > _POOLED:
        return prior(total / of, inf, "pooled")
    if strength <= 0:
        return prior(0.5, 1.0, "jeffreys")
    return prior(mean, strength, "likelihood")


def moments(wins: npt.ArrayLike, tries: npt.ArrayLike) -> Prior:
    """The beta with the mean and the variance of the raw rates of these groups.

    Its strength is 0 or less where they vary more than those of any beta, and infinite
    where they do not vary.
    """
    won, tried = _counts(wins), _counts(tries)
    rates = np.sort(won / tried)
    mean, variance = float(rates.mean()), float(rates.var(ddof=1))
    strength = mean * (1 - mean) / variance - 1 if variance else inf
    size = int(tried.size)
    return Prior(mean, strength, "moments", size, int(won.sum()), int(tried.sum()))


def _likeliest(wins: Floats, tries: Floats) -> tuple[float, float]:
    """Mean and strength of the beta under which these counts are likeliest.

    A strength of 0: rates vary too much for any; beyond 10⁵: no more than by chance.
    """
    from scipy.optimize import minimize
    from scipy.special import betaln, psi

    start = moments(wins, tries)
    if start.strength <= 0:
        return start.mean, 0.0
    pairs, times = np.unique([wins, tries], axis=1, return_counts=True)
    won, lost = pairs[0], pairs[1] - pairs[0]

    def unlikely(point: Floats) -> tuple[float, Floats]:
        a, b = np.exp(point)
        found = betaln(a + won, b + lost) - betaln(a, b)
        of_both = psi(a + b + won + lost) - psi(a + b)
        slopes = [psi(a + won) - psi(a) - of_both, psi(b + lost) - psi(b) - of_both]
        steepness = np.array([a, b]) * (np.array(slopes) @ times)
        return -float(found @ times), np.negative(steepness)

    strength = min(start.strength, _POOLED / 2)
    middle = np.log([start.mean * strength, (1 - start.mean) * strength])
    edges = [(np.log(_WEAKEST), np.log(10 * _POOLED))] * 2
    options = {"ftol": 1e-15, "gtol": 1e-9, "maxiter": 500}
    found = minimize(
        unlikely, middle, jac=True, method="L-BFGS-B", bounds=edges, options=options
    )
    a, b = np.exp(found.x)
    return float(a / (a + b)), float(a + b)


def _counts(values: npt.ArrayLike) -> Floats:
    return np.asarray(values, dtype=np.float64).reshape(-1)
