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
_MOST_KEYS: Final = 2**62
_MANY, _FEW = 100_000, 20_000  # streams; clients among whom the optimum is sought first
_AT_ONCE: Final = 16_384  # so many stay in the nearest memory of the machine
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
        rows = [np.asarray(each, np.float64) for each in (x, tx, age)]
        # One whole number for all three sorts much more quickly than three columns.
        key, most = np.zeros(rows[0].size, np.int64), 1
        for values in rows:
            distinct, at = np.unique(values, return_inverse=True)
            if most * distinct.size > _MOST_KEYS:
                key = np.unique(key, return_inverse=True)[1]
                most = int(key.max()) + 1
            key, most = key * distinct.size + at, most * distinct.size
        _, first, place, weight = np.unique(
            key, return_index=True, return_inverse=True, return_counts=True
        )
        of_x, of_tx, of_age = (values[first] for values in rows)
        return cls(of_x, of_tx, of_age, weight.astype(np.float64), place)

    def few(self, count: int) -> Streams:
        """Of about so many clients, as far from each other as can be in their order."""
        until = np.cumsum(self.weight)
        step = max(1.0, until[-1] / count)
        at = np.searchsorted(until, np.arange(step / 2, until[-1], step))
        chosen, weight = np.unique(at, return_counts=True)
        x, tx, age = (each[chosen] for each in (self.x, self.tx, self.T))
        own = np.arange(chosen.size)
        return Streams(x, tx, age, weight.astype(np.float64), own)


def log_likelihood(model: BgNbd, streams: Streams) -> float:
    """Of all clients together."""
    return _Likelihood(streams).at(model)[0]


def fitted(streams: Streams) -> BgNbd | None:
    """By maximum likelihood, to eight digits; None where the optimum is not found."""
    if not (streams.x > 0).any() or streams.T.max() <= 0:
        return None
    scale = float(streams.T.max())
    scaled = attrs.evolve(streams, tx=streams.tx / scale, T=streams.T / scale)
    lost, found = _Lost(scaled), None
    if streams.x.size > _MANY:
        # The best for few of them is near; what is not, is searched for among all.
        found = _polished(_searched(_Lost(scaled.few(_FEW))), lost)
    if found is None or not _is_best(*found):
        found = _polished(_searched(lost), lost)
    if not _is_best(*found):
        return None
    r, alpha, a, b = np.exp(found[0])
    return BgNbd(*(float(f"{each:.{_DIGITS}g}") for each in (r, alpha * scale, a, b)))


class _Lost:
    """Minus the mean log-likelihood and its slope, by the logs of the parameters."""

    def __init__(self, streams: Streams) -> None:
        self._likelihood, self._count = _Likelihood(streams), streams.weight.sum()

    def __call__(self, logs: Floats) -> tuple[float, _Gradient]:
        value, slope = self._likelihood.at(BgNbd(*np.exp(logs)))
        return -value / self._count, -slope * np.exp(logs) / self._count


def _searched(lost: _Lost) -> Floats:
    from scipy.optimize import minimize

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
    logs: Floats = found.x
    return logs


def _is_best(logs: Floats, slope: _Gradient) -> bool:
    # At a bound of r or alpha there is no law of the rates: all buy as by clockwork.
    has_law = np.abs(logs[:2]).max() < _BOUND - 1e-6
    return bool(has_law and np.abs(slope).max() <= 1e-4)


# The second is where hardly anyone leaves.
_STARTS: Final = ((0.5, 0.5, 0.5, 1.0), (1.0, 0.2, 0.1, 5.0))


def _polished(logs: Floats, lost: _Lost) -> tuple[Floats, _Gradient]:
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
        self._ages, age = np.unique(streams.T, return_inverse=True)
        self._lasts, last = np.unique(streams.tx, return_inverse=True)
        self._of_age, self._times_of_age = (
            np.bincount(age, each, self._ages.size)
            for each in (streams.weight, streams.weight * streams.x)
        )
        own = np.flatnonzero(streams.x > 0)
        self._parts = [
            _Part(streams.x[each], streams.weight[each], age[each], last[each])
            for each in np.split(own, range(_AT_ONCE, own.size, _AT_ONCE))
        ]

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
        """ln(e^A3 + e^A4): A3 of all, by age, and ln(1 + e^(A4 - A3)) where there is A4."""
        of_ages, of_lasts = (
            _Waits(np.log(model.alpha + each), 1 / (model.alpha + each))
            for each in (self._ages, self._lasts)
        )
        times = model.r * self._of_age + self._times_of_age
        value = -float((times * of_ages.logs).sum())
        slope = np.zeros(4)
        slope[0] = -(self._of_age * of_ages.logs).sum()
        slope[1] = -(times * of_ages.inverse).sum()
        for part in self._parts:
            of_part, its_slope = part.left(model, of_ages, of_lasts)
            value, slope = value + of_part, slope + its_slope
        return value, slope


@attrs.frozen(eq=False)
class _Waits:
    """ln(alpha + t) and 1/(alpha + t), by distinct t."""

    logs: Floats
    inverse: Floats


@attrs.frozen(eq=False)
class _Part:
    """Some of those who came back: ``age`` and ``last`` are places among the distinct."""

    x: Floats
    weight: Floats
    age: npt.NDArray[np.int64]
    last: npt.NDArray[np.int64]

    def left(
        self, model: BgNbd, of_ages: _Waits, of_lasts: _Waits
    ) -> tuple[float, _Gradient]:
        """That they may have left after the last purchase: ln(1 + e^(A4 - A3))."""
        after, times = model.b + self.x - 1, model.r + self.x
        waits = of_ages.logs[self.age] - of_lasts.logs[self.last]
        odds = times * waits - np.log(after) + np.log(model.a)
        less = np.exp(-np.abs(odds))
        value = (self.weight * (np.maximum(odds, 0) + np.log1p(less))).sum()
        gone = self.weight * np.where(odds > 0, 1.0, less) / (1 + less)
        bend = of_ages.inverse[self.age] - of_lasts.inverse[self.last]
        slopes = (
            (gone * waits).sum(),
            (gone * times * bend).sum(),
            gone.sum() / model.a,
            -(gone / after).sum(),
        )
        return float(value), np.array(slopes)


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
    if not x.size:
        return np.zeros(0)
    from scipy.special import gammaln, xlogy
    from scipy.stats import nbinom  # takes a second to import, and is seldom needed

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
