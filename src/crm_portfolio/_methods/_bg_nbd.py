"""Who still buys, and how often will he, where nobody says that he has left?

The BG/NBD model of Fader, Hardie and Lee (2005), sheet 7.8: a client buys at random at
a rate of its own, and after each purchase it may leave for good. Of each client three
numbers count: x repeat purchases, the last of them at age tx, looked at until age T.
"""

from __future__ import annotations

from typing import Any, Final, TypeAlias

import attrs
import numpy as np
import numpy.typing as npt

from crm_portfolio._methods._indices import Floats

__all__ = [
    "LEAST_A",
    "BgNbd",
    "Streams",
    "expected_purchases",
    "fitted",
    "is_alive",
    "log_likelihood",
]

LEAST_A: Final = 0.05
"""Below it only r, alpha and a/(a+b) are identified (amendment 24)."""

_BOUND: Final = 12.0
_NEAR: Final = 1e-4
_DIGITS: Final = 8
_MOST_TERMS: Final = 200_000
_BLOCK: Final = 500
_MOST_REGULAR: Final = 200.0
_Gradient: TypeAlias = npt.NDArray[np.float64]


@attrs.frozen
class BgNbd:
    """The four parameters; rates are by the unit of time of the streams.

    Attributes:
        r, alpha: Of the gamma law of the rates.
        a, b: Of the beta law of the odds to leave after a purchase.
    """

    r: float
    alpha: float
    a: float
    b: float


@attrs.frozen(eq=False)
class Streams:
    """Purchases of clients, equal ones together.

    Attributes:
        x: Repeat purchases; ``tx`` the age at the last one, 0 without any; ``T`` the
            age now.
        weight: How many clients are like this.
        place: Of each client, the stream that is its own.
    """

    x: Floats
    tx: Floats
    T: Floats
    weight: Floats
    place: npt.NDArray[np.int64]

    @classmethod
    def of(cls, x: Any, tx: Any, age: Any) -> Streams:
        """Sorted, so that the order of the clients changes no bit of a sum."""
        rows = np.column_stack([np.asarray(each, np.float64) for each in (x, tx, age)])
        order = np.lexsort(rows.T[::-1])
        ordered = rows[order]
        is_new = np.ones(len(rows), dtype=bool)
        is_new[1:] = (ordered[1:] != ordered[:-1]).any(axis=1)
        place = np.empty(len(rows), dtype=np.int64)
        place[order] = np.cumsum(is_new) - 1
        weight = np.bincount(place, minlength=int(is_new.sum())).astype(np.float64)
        of_x, of_tx, of_age = ordered[is_new].T
        return cls(of_x, of_tx, of_age, weight, place)


def log_likelihood(model: BgNbd, streams: Streams) -> float:
    """Of all clients together."""
    return _Likelihood(streams).at(model)[0]


def fitted(streams: Streams) -> BgNbd | None:
    """By maximum likelihood, to eight digits; None where the optimum is not found."""
    from scipy.optimize import minimize

    if not (streams.x > 0).any() or streams.T.max() <= 0:
        return None
    scale = float(streams.T.max())
    scaled = attrs.evolve(streams, tx=streams.tx / scale, T=streams.T / scale)
    likelihood = _Likelihood(scaled)
    count = streams.weight.sum()

    def lost(logs: Floats) -> tuple[float, _Gradient]:
        value, slope = likelihood.at(BgNbd(*np.exp(logs)))
        return -value / count, -slope * np.exp(logs) / count

    found = None
    for start in _STARTS:
        tried = minimize(
            lost,
            np.log(start),
            jac=True,
            method="L-BFGS-B",
            bounds=[(-_BOUND, _BOUND)] * 4,
            options={"maxiter": 1000, "ftol": 1e-15, "gtol": 1e-9},
        )
        if found is None or tried.fun < found.fun - 1e-9:
            found = tried
    assert found is not None
    logs, slope = _polished(found.x, lost)
    # At a bound of r or alpha there is no law of the rates: all buy as by clockwork.
    has_law = np.abs(logs[:2]).max() < _BOUND - 1e-6
    if not has_law or not np.abs(slope).max() <= 1e-4:
        return None
    r, alpha, a, b = np.exp(logs)
    return BgNbd(*(float(f"{each:.{_DIGITS}g}") for each in (r, alpha * scale, a, b)))


# The second is where hardly anyone leaves.
_STARTS: Final = ((0.5, 0.5, 0.5, 1.0), (1.0, 0.2, 0.1, 5.0))


def _polished(logs: Floats, lost: Any) -> tuple[Floats, _Gradient]:
    """A few steps of Newton's, as long as each lessens the slope and stays in bounds."""
    slope: _Gradient = lost(logs)[1]
    step = 1e-5
    for _ in range(20):
        sides = [
            (lost(logs + step * unit)[1] - lost(logs - step * unit)[1]) / (2 * step)
            for unit in np.eye(4)
        ]
        bend = (np.array(sides) + np.array(sides).T) / 2
        if np.linalg.eigvalsh(bend).min() <= 1e-12:
            break
        after = logs - np.linalg.solve(bend, slope)
        if np.abs(after).max() > _BOUND:
            break
        then: _Gradient = lost(after)[1]
        if np.abs(then).max() >= np.abs(slope).max():
            break
        logs, slope = after, then
    return logs, slope


class _Likelihood:
    """The log-likelihood and its slope; what depends on x alone is found once per x."""

    def __init__(self, streams: Streams) -> None:
        self._x, at = np.unique(streams.x, return_inverse=True)
        self._clients = np.bincount(at, weights=streams.weight)
        self._streams, self._is_repeat = streams, streams.x > 0
        self._ages, self._age = np.unique(streams.T, return_inverse=True)
        self._lasts, self._last = np.unique(streams.tx, return_inverse=True)

    def at(self, model: BgNbd) -> tuple[float, _Gradient]:
        value, slope = self._of_counts(model)
        of_ages, its_slope = self._of_ages(model)
        return value + of_ages, slope + its_slope

    def _of_counts(self, model: BgNbd) -> tuple[float, _Gradient]:
        """A1 and A2 of the sheet."""
        from scipy.special import gammaln, psi

        r, alpha, a, b = model.r, model.alpha, model.a, model.b
        x, n = self._x, self._clients
        each = gammaln(r + x) - gammaln(r) + r * np.log(alpha)
        each += gammaln(a + b) + gammaln(b + x) - gammaln(b) - gammaln(a + b + x)
        both = psi(a + b) - psi(a + b + x)
        slopes = (
            psi(r + x) - psi(r) + np.log(alpha),
            np.full(x.shape, r / alpha),
            both,
            both + psi(b + x) - psi(b),
        )
        return float((n * each).sum()), np.array([(n * s).sum() for s in slopes])

    def _of_ages(self, model: BgNbd) -> tuple[float, _Gradient]:
        """ln(e^A3 + e^A4), the second only of those who came back."""
        of, r, alpha, a, b = self._streams, model.r, model.alpha, model.a, model.b
        times, weight = r + of.x, of.weight
        log_age = np.log(alpha + self._ages)[self._age]
        log_last = np.log(alpha + self._lasts)[self._last]
        stays = -times * log_age
        after = np.where(self._is_repeat, b + of.x - 1, 1.0)
        leaves = np.log(a) - np.log(after) - times * log_last
        leaves = np.where(self._is_repeat, leaves, -np.inf)
        each = np.logaddexp(stays, leaves)
        gone = np.exp(leaves - each)
        there = 1 - gone
        slopes = (
            -there * log_age - gone * log_last,
            -times * (there / (alpha + of.T) + gone / (alpha + of.tx)),
            gone / a,
            -gone / after,
        )
        sums = np.array([(weight * slope).sum() for slope in slopes])
        return float((weight * each).sum()), sums


def is_alive(model: BgNbd, x: Floats, tx: Floats, age: Floats) -> Floats:
    """The odds that the client still buys; 1 without a repeat purchase, by the model."""
    from scipy.special import expit

    is_repeat = x > 0
    after = np.where(is_repeat, model.b + x - 1, 1.0)
    waits = (model.r + x) * np.log((model.alpha + age) / (model.alpha + tx))
    odds = np.log(model.a) - np.log(after) + waits
    alive: Floats = np.where(is_repeat, expit(-odds), 1.0)
    return alive


def expected_purchases(
    model: BgNbd, x: Floats, tx: Floats, age: Floats, ahead: float
) -> Floats:
    """How often each client is expected to buy in the time ``ahead``."""
    alive = is_alive(model, x, tx, age)
    # Many are of one age and came equally often: numbers of two parts are sorted by both.
    pairs, place = np.unique(x + 1j * age, return_inverse=True)
    return alive * _of_the_living(model, pairs.real, pairs.imag, ahead)[place]


def _of_the_living(model: BgNbd, x: Floats, age: Floats, ahead: float) -> Floats:
    """The closed form; near its poles, and where it overflows, the sum it stands for.

    2F1 is taken after Euler's transformation, where no power of the age is left in it.
    """
    from scipy.special import hyp2f1

    a, b, r = model.a, model.b, model.r
    if ahead <= 0:
        return np.zeros(x.shape)
    kept = (model.alpha + age) / (model.alpha + age + ahead)
    z = ahead / (model.alpha + age + ahead)
    found = np.full(x.shape, np.nan)
    if abs(a - 1) > _NEAR and abs(a + b - 1 - r) < _MOST_REGULAR:
        c = a + b + x - 1
        rest = kept ** (a - 1) * hyp2f1(a + b - 1 - r, a - 1, c, z)
        with np.errstate(invalid="ignore"):
            found = c / (a - 1) * (1 - rest)
    is_sound = np.isfinite(found) & (found >= 0) & (np.abs(a + b + x - 1) > _NEAR)
    rest_of_them = np.flatnonzero(~is_sound)
    for at in np.array_split(rest_of_them, -(-rest_of_them.size // _BLOCK) or 1):
        found[at] = _summed(model, x[at], kept[at])
    return found


def _summed(model: BgNbd, x: Floats, kept: Floats) -> Floats:
    """Σ over the purchases N that a client would make which never leaves.

    N is negative binomial. Of n of them it lives to make one, and B (1 − P)/(a − 1) more:
    B = b + x, and P = Π (B + j)/(C + j) for j from 1 to n − 1 with C = B + a − 1; at
    a = 1 they are Σ B/(B + j).
    """
    from scipy.special import gammaln, xlogy
    from scipy.stats import nbinom

    if not x.size:
        return np.zeros(0)
    more, b, times = model.a - 1, (model.b + x)[:, None], (model.r + x)[:, None]
    most = int(nbinom.isf(1e-13, model.r + x, kept).max()) + 2
    n = np.arange(1, min(most, _MOST_TERMS) + 1)[None, :]
    odds = np.exp(
        gammaln(n + times)
        - gammaln(times)
        - gammaln(n + 1)
        + times * np.log(kept[:, None])
        + xlogy(n, 1 - kept[:, None])
    )
    steps = b + more + n[:, :-1]
    if more == 0:
        lived = np.cumsum(1 / steps, axis=1)
    else:
        lived = -np.expm1(np.cumsum(np.log1p(-more / steps), axis=1)) / more
    found: Floats = odds.sum(axis=1) + (odds[:, 1:] * b * lived).sum(axis=1)
    return found
