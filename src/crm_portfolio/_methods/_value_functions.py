"""What is a measure worth between 0 and 1, and what do the worths come to together?

A value function is a line through anchors that the firm sets, never through the least and
the most of the accounts at hand: one account more changes no other's worth. What is not
known is NaN and enters nothing. Formulas: sheet 8.2 and, for what is missing, 8.5.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from crm_portfolio._methods._indices import Floats

__all__ = [
    "contributions",
    "coverage",
    "score_interval",
    "shares_of",
    "utility",
    "weighted",
]


def utility(values: Floats, anchors: Sequence[float]) -> Floats:
    """Worth of each value: 0 at the first anchor and before, 1 at the last and beyond.

    Anchors rise or fall; those between the ends share the way from 0 to 1 evenly.
    """
    worths = np.linspace(0.0, 1.0, len(anchors))
    points = np.asarray(anchors, dtype=np.float64)
    if points[0] > points[-1]:
        points, worths = points[::-1], worths[::-1]
    found: Floats = np.interp(values, points, worths)
    return np.where(np.isnan(values), np.nan, found)


def shares_of(utilities: Floats, weights: Floats) -> Floats:
    """The weights among what is known of each account; NaN where that weighs nothing."""
    held = np.where(np.isnan(utilities), 0.0, weights)
    total = held.sum(axis=1, keepdims=True)
    shares: Floats = np.divide(
        held, total, out=np.full(held.shape, np.nan), where=total > 0
    )
    return shares


def weighted(utilities: Floats, weights: Floats) -> Floats:
    """The weighted sum of what is known, by weights that are renormalised to it."""
    known = np.nan_to_num(utilities)
    score: Floats = (known * shares_of(utilities, weights)).sum(axis=1)
    return score


def contributions(utilities: Floats, weights: Floats, reference: Floats) -> Floats:
    """w_j(u_ij − reference_j) of what is known: a row adds up to score − reference score.

    The reference is scored by the same weights: those of what is known of the account.
    """
    apart = np.nan_to_num(utilities - reference)
    found: Floats = shares_of(utilities, weights) * apart
    return found


def score_interval(utilities: Floats, weights: Floats) -> tuple[Floats, Floats]:
    """The score if all that is missing were the worst, and if it were the best."""
    total = weights.sum()
    low = (np.nan_to_num(utilities) * weights).sum(axis=1)
    high = (np.nan_to_num(utilities, nan=1.0) * weights).sum(axis=1)
    return low / total, high / total


def coverage(utilities: Floats, weights: Floats) -> Floats:
    """How much of the weight is on what is known."""
    held = np.where(np.isnan(utilities), 0.0, weights).sum(axis=1)
    found: Floats = held / weights.sum()
    return found
