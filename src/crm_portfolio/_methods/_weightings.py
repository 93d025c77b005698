"""Would the same be said if other things mattered more?

Two questions: how far can one weight move before a score crosses a level (the others keep
their proportions), and under what share of all weightings is it on which side. Weights
and worths are taken in steps of 2⁻²⁰, whose sums of products a float holds exactly, so
that no order of adding and no block of accounts changes a count. Rules: sheet 8.4.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Final

import numpy as np
import numpy.typing as npt

from crm_portfolio._methods._indices import Floats
from crm_portfolio._methods._ranking import Flags

__all__ = [
    "below_shares",
    "crossings",
    "drawn_weightings",
    "stable_between",
]

_STEPS: Final = 2.0**20
_CELLS_AT_ONCE: Final = 4_000_000


def drawn_weightings(
    is_active: Flags, *, draws: int, seed: int, around: Floats | None = None
) -> Floats:
    """So many weightings, one a row: uniform on the simplex of what is active.

    Args:
        around: Strengths of a Dirichlet law, above 0 where active; None: 1 each, which
            takes all weightings alike.
    """
    strengths = np.ones(is_active.size) if around is None else around
    generator = np.random.default_rng(seed)
    drawn = np.zeros((draws, is_active.size))
    count = int(is_active.sum())
    if count:
        gammas = generator.standard_gamma(strengths[is_active], size=(draws, count))
        total = gammas.sum(axis=1, keepdims=True)
        even = np.full(gammas.shape, 1 / count)
        drawn[:, is_active] = np.divide(gammas, total, out=even, where=total > 0)
    return _stepped(drawn)


def below_shares(utilities: Floats, weightings: Floats, level: float) -> Floats:
    """Under what share of the weightings each account's score is below the level.

    Weights are renormalised to what is known of an account, so its score is below where
    the weighted sum of its distances from the level is; NaN where nothing is known.
    """
    draws = weightings.shape[0]
    known = ~np.isnan(utilities)
    apart = np.where(known, _stepped(np.nan_to_num(utilities) - level), 0.0)
    weighs = known & (weightings.max(axis=0, initial=0) > 0)
    columns = np.ascontiguousarray(weightings.T)
    is_under, is_over = ((weighs & side).any(1) for side in (apart < 0, apart >= 0))
    # Whose worths are all on one side is there whatever the weights are.
    counts = np.where(is_under & ~is_over, draws, 0)
    torn = np.flatnonzero(is_under & is_over)
    size = max(1, _CELLS_AT_ONCE // max(draws, 1))

    def counted(rows: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        under: npt.NDArray[np.int64] = np.count_nonzero(
            apart[rows] @ columns < 0, axis=1
        )
        return under

    some = [torn[at : at + size] for at in range(0, torn.size, size)]
    with ThreadPoolExecutor(2) as pool:
        for rows, count in zip(some, pool.map(counted, some), strict=True):
            counts[rows] = count
    shares: Floats = np.where(weighs.any(axis=1), counts / max(draws, 1), np.nan)
    return shares


def crossings(apart: Floats, weights: Floats) -> tuple[Floats, Floats, Floats]:
    """Where a score meets its level as one weight goes from 0 to 1, and its ends.

    The other weights are rescaled by (1 − z)/(1 − w_j), so the distance from the level is a
    line in z: A_j at 0, where the criterion counts for nothing, d_j at 1, where nothing
    else does. Where all the weight is on one criterion, the others are taken evenly.

    Args:
        apart: Of each account and criterion: its worth less the level; NaN: unknown, which
            no weight moves. The difference of two accounts says where those two meet.

    Returns:
        The crossing, NaN for parallel lines and where it is outside 0 to 1; A_j; d_j.
    """
    known = np.nan_to_num(apart)
    rest = 1 - weights
    others = np.tile(weights, (weights.size, 1))
    is_all = rest <= 0
    others[is_all] = 1.0
    np.fill_diagonal(others, 0.0)
    scale = np.where(is_all, max(weights.size - 1, 1), rest)
    without = known @ (others / scale[:, None]).T
    alone = np.where(np.isnan(apart), without, known)
    slope = without - alone
    meets = np.divide(
        without, slope, out=np.full(slope.shape, np.nan), where=slope != 0
    )
    is_inside = (meets >= 0) & (meets <= 1)
    return np.where(is_inside, meets, np.nan), without, alone


def stable_between(
    utilities: Floats, weights: Floats, level: float
) -> tuple[Floats, Floats]:
    """From where to where each weight can move with the score on its side of the level."""
    meets, without, alone = crossings(utilities - level, weights)
    now = without + (alone - without) * weights
    is_below = now < 0
    low = np.zeros(meets.shape)
    high = np.ones(meets.shape)
    # The end on the other side of the level is beyond the crossing.
    low = np.where(~np.isnan(meets) & ((without < 0) != is_below), meets, low)
    high = np.where(~np.isnan(meets) & ((alone < 0) != is_below), meets, high)
    return low, high


def _stepped(values: Floats) -> Floats:
    stepped: Floats = np.rint(values * _STEPS) / _STEPS
    return stepped
