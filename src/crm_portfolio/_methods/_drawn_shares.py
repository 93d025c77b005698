"""How sure is each group's share of a sum, if others had come as well as these?

Those that make up the sum are drawn again with replacement, as often as there are; the
interval is that of the percentiles. They come as cells of a group and about one amount,
so that as many of them as there may be are drawn at once: how many come from each cell is
multinomial. Rules: sheet 6.3.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from crm_portfolio._methods._cuts import Groups
from crm_portfolio._methods._indices import Amounts, Floats

__all__ = ["FEW", "share_intervals"]

FEW: Final = 10
"""Under so many an interval would say nothing."""

_AT_ONCE: Final = 100


def share_intervals(
    groups: Groups,
    counts: Groups,
    sums: Amounts,
    *,
    seed: int,
    draws: int,
    level: float = 0.95,
) -> tuple[Floats, Floats]:
    """Lower and upper end of each group's share of all; NaN where nothing is known.

    Args:
        groups: Of each cell, from 0; every group has one cell at least.
        counts: How many are in each cell, and ``sums`` what they come to, in minor units.
    """
    of = int(groups.max()) + 1 if groups.size else 0
    n = int(counts.sum())
    unknown = np.full(of, np.nan)
    if n < FEW or not sums.any():
        return unknown, unknown
    # One order of cells for each, so that the same draws come whoever counted them.
    order = np.lexsort((counts, sums, groups))
    group, count, total = (each[order] for each in (groups, counts, sums))
    mean = np.divide(total, count, out=np.zeros(count.size), where=count > 0)
    starts = np.searchsorted(group, np.arange(of))
    generator = np.random.default_rng(seed)
    found = []
    for at in range(0, draws, _AT_ONCE):
        size = min(_AT_ONCE, draws - at)
        drawn = generator.multinomial(n, count / n, size=size) * mean
        found.append(np.add.reduceat(drawn, starts, axis=1))
    held = np.concatenate(found)
    whole = held.sum(axis=1, keepdims=True)
    share = np.divide(held, whole, out=np.full(held.shape, np.nan), where=whole > 0)
    edges = [(1 - level) / 2, (1 + level) / 2]
    low, high = np.nanquantile(share, edges, axis=0)
    return low.astype(np.float64), high.astype(np.float64)
