"""What may be lost where a bad year takes many clients at once?

One-factor Gaussian copula: a client of odds p is lost where √ρ·Z + √(1−ρ)·e < Φ⁻¹(p), with
Z common to all and e its own. Sheet 4.5.
"""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Final

import numpy as np
from numpy.polynomial import chebyshev

from crm_portfolio._methods import _normal as normal
from crm_portfolio._methods._indices import Amounts, Floats

__all__ = ["drawn_losses", "odds_given", "one_leaves"]

_MOST: Final = 1_000_000_000
"""Clients times draws that are drawn singly: some nanoseconds each."""
_AT_ONCE: Final = 200_000  # so many stay in the nearest memory of the machine
_WAITING: Final = 4  # of these may wait to be weighed
_SERVES: Final = 8  # draws of one value of the factor
_REACH: Final = 9.0  # of the factor, in standard deviations
_BENDS: Final = 128  # that a curve over the factor may have


def odds_given(odds: Floats, factor: Floats, rho: float) -> Floats:
    """By value of the factor, and by client: the odds once the factor is known."""
    return _given(normal.quantile(odds), factor, rho)


def _given(edges: Floats, factor: Floats, rho: float) -> Floats:
    drifted = edges - (rho**0.5 * factor[:, None]).astype(edges.dtype)
    given: Floats = normal.below(drifted / (1 - rho) ** 0.5)
    return given


def drawn_losses(
    amounts: Amounts,
    odds: Floats,
    *,
    rho: float,
    seed: int,
    draws: int,
    most: int = _MOST,
) -> Amounts:
    """The loss of each draw, in minor units.

    Values of the factor are spread evenly over its law and each serves up to eight
    draws, in which every client is lost or not by chances of its own. Beyond the
    most clients times draws only the largest clients are drawn singly; the others
    lose, given the factor, a normal sum of their own mean and variance.
    """
    singly = max(1_000, most // draws)
    order = np.argsort(-amounts, kind="stable")
    first, others = order[:singly], order[singly:]
    generator = np.random.default_rng(seed)
    factor = _spread(generator, -(-draws // _SERVES))
    # Mixed, so that a part of the draws is as good as any other.
    generator.shuffle(factor)
    losses = _one_by_one(generator, amounts[first], odds[first], factor, rho)
    if others.size:
        given = np.repeat(factor, _SERVES)
        losses += _together(generator, amounts[others], odds[others], given, rho)
    return losses[:draws]


def _spread(generator: np.random.Generator, count: int) -> Floats:
    """Standard normal values, one from each of as many parts of equal odds."""
    places = (np.arange(count) + generator.random(count)) / count
    values: Floats = np.clip(normal.quantile(places), -_REACH, _REACH)
    return values


def _one_by_one(
    generator: np.random.Generator,
    amounts: Amounts,
    odds: Floats,
    factor: Floats,
    rho: float,
) -> Amounts:
    edges = normal.quantile(odds)
    edges = edges.astype(np.float32)  # as fine as the chances it is held against
    weights = amounts.astype(np.float64)  # sums below 2⁵³ are exact in any order
    losses = np.zeros((factor.size, _SERVES))
    rows = max(1, _AT_ONCE // max(1, amounts.size * _SERVES))
    serves = min(_SERVES, max(1, _AT_ONCE // max(1, amounts.size)))

    def lose(draws: Floats, chances: Any, given: Future[Floats]) -> None:
        below = chances < given.result()[:, None, :]
        draws[:] = below.astype(np.float64) @ weights

    with ThreadPoolExecutor(2) as others:
        # One thread draws the next chances while others weigh the last ones.
        weighed: deque[Future[None]] = deque()
        for start in range(0, factor.size, rows):
            given = others.submit(_given, edges, factor[start : start + rows], rho)
            for first in range(0, _SERVES, serves):
                draws = losses[start : start + rows, first : first + serves]
                shape = (*draws.shape, amounts.size)
                chances = generator.random(shape, dtype=np.float32)
                weighed.append(others.submit(lose, draws, chances, given))
                if len(weighed) > _WAITING:
                    weighed.popleft().result()
        for each in weighed:
            each.result()
    return losses.ravel().astype(np.int64)


def _together(
    generator: np.random.Generator,
    amounts: Amounts,
    odds: Floats,
    factor: Floats,
    rho: float,
) -> Amounts:
    """Many small clients: their sum, whose mean and spread are smooth in the factor."""
    # Clients of one odds stay or go by one law: there are few odds and many clients.
    levels, level_of = np.unique(odds, return_inverse=True)
    edges, weights = normal.quantile(levels), amounts.astype(np.float64)
    sums, squares = (
        np.bincount(level_of, each, levels.size) for each in (weights, weights**2)
    )

    def moments(places: Floats) -> Floats:
        def told(place: float) -> tuple[float, float]:  # a row may have all clients
            given = _given(edges, np.array([place]), rho)[0]
            return given @ sums, (given * (1 - given)) @ squares

        with ThreadPoolExecutor(2) as pool:
            return np.array([*pool.map(told, _REACH * places)])

    curve: Floats = chebyshev.chebinterpolate(moments, _BENDS)  # type: ignore[arg-type]
    mean, variance = chebyshev.chebval(factor / _REACH, curve)
    drawn = mean + np.sqrt(np.maximum(variance, 0)) * generator.standard_normal(
        factor.size
    )
    whole: Amounts = np.rint(np.clip(drawn, 0, weights.sum())).astype(np.int64)
    return whole


def one_leaves(odds: Floats, rho: float) -> float:
    """The odds that at least one of these leaves; by quadrature over the factor."""
    if rho == 0:
        return float(1 - np.prod(1 - odds))
    nodes = np.linspace(-_REACH, _REACH, 2001)
    weights = np.exp(-(nodes**2) / 2)
    nobody = np.prod(1 - odds_given(odds, nodes, rho), axis=1)
    return float(1 - nobody @ weights / weights.sum())
