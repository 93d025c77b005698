"""What is the ratio of an account that we know too few hours of?"""

from __future__ import annotations

import numpy as np

from crm_portfolio._methods._cuts import Groups
from crm_portfolio._methods._indices import Floats

__all__ = ["drawn_to_mean"]


def drawn_to_mean(
    top: Floats,
    bottom: Floats,
    weights: Floats,
    group: Groups,
    *,
    enough: float,
) -> Floats:
    """A ratio, drawn towards that of its group where its weight is below enough.

    It is top over bottom; the group's is the sum of its tops over the sum of its bottoms; of a weight h the
    account's own counts h / enough. Rules: sheet 8.8.

    Args:
        group: Of each, by number from 0.
        bottom: Where it is not above 0, and where anything is NaN, the ratio is NaN.
    """
    is_known = ~np.isnan(top) & ~np.isnan(weights) & (np.nan_to_num(bottom) > 0)
    own = np.full(top.size, np.nan)
    own[is_known] = top[is_known] / bottom[is_known]
    count = int(group.max(initial=-1)) + 1
    sums = [
        np.bincount(group[is_known], each[is_known], minlength=count)
        for each in (top, bottom)
    ]
    mean = np.divide(sums[0], sums[1], out=np.zeros(count), where=sums[1] > 0)[group]
    if enough <= 0:
        return own
    part = np.clip(weights / enough, 0.0, 1.0)
    return np.where(part < 1, part * own + (1 - part) * mean, own)
