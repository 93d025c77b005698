"""From which tier to which do accounts move in a year, and where does that lead?

Tiers are numbered from 0, the best; after the last stands what is lost. Matrices have one
row per tier and one column more. Rules: sheet 3.2 with its amendments.
"""

from __future__ import annotations

from math import erfc, exp, lgamma, log, sqrt
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from crm_portfolio._methods._cuts import Groups
from crm_portfolio._methods._indices import Floats

__all__ = [
    "counted",
    "mobility",
    "present_value",
    "projected",
    "replaced",
    "shares",
    "smoothed",
    "unlike",
    "years_to_loss",
]

Codes: TypeAlias = npt.NDArray[np.signedinteger[Any]]


def counted(was: Codes, now: Codes, tiers: int) -> Groups:
    """Moves from each tier to each, and to none; whoever is in neither is passed over."""
    is_row = (was >= 0) & (was < tiers) & (now >= 0) & (now <= tiers)
    flat = was[is_row].astype(np.int64) * (tiers + 1) + now[is_row]
    return np.bincount(flat, minlength=tiers * (tiers + 1)).reshape(tiers, tiers + 1)


def shares(counts: Groups) -> Floats:
    """Each row as shares of its own; NaN where it is empty."""
    sizes = counts.sum(axis=1, keepdims=True)
    found: Floats = np.divide(
        counts, sizes, out=np.full(counts.shape, np.nan), where=sizes > 0
    )
    return found


def smoothed(counts: Groups, weight: float) -> Floats | None:
    """Shares drawn towards those of all rows together, which count like ``weight`` moves.

    An empty row is as all together; without any move nothing is known.
    """
    total = counts.sum()
    if not total:
        return None
    pooled = counts.sum(axis=0) / total
    sizes = counts.sum(axis=1, keepdims=True)
    if weight == 0:
        return np.where(sizes > 0, np.nan_to_num(shares(counts)), pooled)
    drawn: Floats = (counts + weight * pooled) / (sizes + weight)
    return drawn


def projected(matrix: Floats, sizes: Floats, years: int) -> Floats:
    """How many are in each tier, and lost, after 0, 1, … years; nobody comes back."""
    tiers = matrix.shape[0]
    whole = np.vstack([matrix, np.eye(tiers + 1)[-1]])
    found = [np.append(sizes, 0.0)]
    for _ in range(years):
        found.append(found[-1] @ whole)
    return np.array(found)


def years_to_loss(matrix: Floats) -> Floats:
    """Expected years until an account of each tier is lost; NaN where it never need be."""
    stays = matrix[:, :-1]
    is_mortal = matrix[:, -1] > 0
    for _ in range(len(stays)):
        is_mortal = is_mortal | ((stays > 0) @ is_mortal)
    if not is_mortal.all():
        return np.full(len(stays), np.nan)
    return _solved(np.eye(len(stays)) - stays, np.ones(len(stays)))


def mobility(matrix: Floats) -> float | None:
    """Shorrocks' index among the tiers: 0 where nobody moves."""
    tiers = matrix.shape[0]
    if tiers < 2:
        return None
    return float((tiers - np.trace(matrix[:, :tiers])) / (tiers - 1))


def present_value(stays: Floats, yearly: Floats, discount: float) -> Floats:
    """What an account of each state brings from now on, a year's worth at once."""
    return _solved(np.eye(len(stays)) - stays / (1 + discount), yearly)


def _solved(matrix: Floats, right: Floats) -> Floats:
    return np.linalg.solve(matrix, right).astype(np.float64)


def replaced(matrix: Floats, sizes: Floats) -> tuple[float, float]:
    """How many a year are to come into the best tier, and how many to leave it."""
    comes = float(sizes[1:] @ matrix[1:, 0])
    return comes, float(sizes[0] * (1 - matrix[0, 0]))


def unlike(one: Groups, other: Groups) -> tuple[float, int, float] | None:
    """Chi-square of two years' moves, row by row: statistic, degrees of freedom, p.

    None where no row has moves in both years and more than one way to go.
    """
    statistic, freedom = 0.0, 0
    for pair in np.stack([one, other], axis=1):
        seen = pair[:, pair.sum(axis=0) > 0]
        if not pair.sum(axis=1).all() or seen.shape[1] < 2:
            continue
        expected = np.outer(seen.sum(axis=1), seen.sum(axis=0)) / seen.sum()
        statistic += float(((seen - expected) ** 2 / expected).sum())
        freedom += seen.shape[1] - 1
    return (statistic, freedom, _beyond(statistic, freedom)) if freedom else None


def _beyond(statistic: float, freedom: int) -> float:
    """The upper tail of chi-square, by its finite sums."""
    if statistic <= 0:
        return 1.0
    half, odd = statistic / 2, freedom % 2 / 2
    powers = (k + odd for k in range(freedom // 2))
    terms = (exp(k * log(half) - half - lgamma(k + 1)) for k in powers)
    return (erfc(sqrt(half)) if odd else 0.0) + sum(terms)
