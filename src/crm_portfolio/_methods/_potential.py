"""What speaks for an account beyond what it brings? Sheet 2.4.

Parts lie between 0 and 1, NaN where nobody knows. Nothing unknown counts as low: it only
takes its weight out of the mean, and out of the coverage.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from crm_portfolio._methods._indices import Floats
from crm_portfolio._methods._ranking import Flags

__all__ = ["CLASSES", "classes", "headroom", "mean_known", "percentiles", "weighted"]

CLASSES: Final = ("low", "medium", "high", "unknown")
_DIGITS: Final = 12  # so that sums of weights meet a threshold they equal


def percentiles(values: Floats) -> Floats:
    """Of each known value: the part of the known ones below it, and half of its equals."""
    known = ~np.isnan(values)
    _, place, counts = np.unique(values[known], return_inverse=True, return_counts=True)
    middle = np.cumsum(counts) - counts / 2
    found = np.full(values.size, np.nan)
    found[known] = middle[place] / max(int(counts.sum()), 1)
    return found


def headroom(revenue: Floats, wallet: Floats) -> Floats:
    """1 − revenue/wallet, no less than 0 and no more than 1; NaN without a wallet."""
    with np.errstate(divide="ignore", invalid="ignore"):
        left: Floats = np.where(wallet > 0, 1 - revenue / wallet, np.nan)
    return np.clip(left, 0.0, 1.0)


def mean_known(parts: Sequence[Floats]) -> Floats:
    """The mean of the known ones; NaN where none is."""
    return weighted(parts, [1.0] * len(parts))[0]


def weighted(
    parts: Sequence[Floats], weights: Sequence[float]
) -> tuple[Floats, Floats]:
    """The mean by weight of what is known, and how much of the weight that is."""
    values, weight = np.array(parts), np.array(weights)[:, None]
    has_weight = ~np.isnan(values) * weight
    known = has_weight.sum(axis=0)
    total = (np.nan_to_num(values) * has_weight).sum(axis=0)
    score = np.divide(total, known, out=np.full(known.shape, np.nan), where=known > 0)
    return np.round(score, _DIGITS), np.round(known / weight.sum(), _DIGITS)


def classes(
    score: Floats,
    coverage: Floats,
    *,
    least_coverage: float,
    edges: tuple[float, float],
) -> tuple[Floats, Flags]:
    """The place of each in `CLASSES`, and whether it is known at all.

    Args:
        edges: From where on a score is medium, and from where on it is high.
    """
    rising = np.round(np.array(edges), _DIGITS)
    is_known = (coverage >= round(least_coverage, _DIGITS)) & ~np.isnan(score)
    known = np.round(np.nan_to_num(score), _DIGITS)
    place = np.searchsorted(rising, known, side="right")
    return np.where(is_known, place, CLASSES.index("unknown")), is_known
