"""Where is a ranking cut into groups, so that equals stay together?

Amounts come largest first, in minor units; the answer is the group of each, 0 for the
best. All comparisons are between integers. Rules: sheet 2.1 and 2.2.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from typing import Any

import numpy as np
import numpy.typing as npt

from crm_portfolio._methods._in_order import in_order
from crm_portfolio._methods._indices import Amounts, part

__all__ = [
    "Groups",
    "bands",
    "by_rank",
    "by_share",
    "competition_ranks",
    "largest_first",
    "slices",
]

Groups = npt.NDArray[np.int64]


def competition_ranks(descending: npt.NDArray[np.generic]) -> Groups:
    """Ranks from 1, equal amounts sharing the best one: 1, 2, 2, 4."""
    return _block_starts(descending)[_block_of(descending)] + 1


def slices(descending: Amounts, k: int) -> Groups:
    """Up to ``k`` groups of about equal total, rebalanced after each one.

    A slice takes the next block of equals while that brings it no further from an equal
    part of what remains; it always takes one and leaves one to each slice after it.
    """
    block = _block_of(descending)
    count = int(block[-1]) + 1 if block.size else 0
    sums = _block_sums(descending, block, count)
    until = np.concatenate([[0], np.cumsum(sums)])
    middles = until[:-1] + until[1:]
    group_of_block = np.zeros(count, dtype=np.int64)
    start = 0
    for group in range(min(k, count)):
        after = k - group - 1
        end = count if after == 0 else _slice_end(until, middles, start, after + 1)
        # Many equals may weigh more than the block before them, so that its slice would
        # take what the slices after it need.
        end = max(start + 1, min(end, count - after))
        group_of_block[start:end] = group
        start = end
    return group_of_block[block]


def _slice_end(until: Amounts, middles: Amounts, start: int, slices_left: int) -> int:
    # |S + x − t| ≤ |S − t| for growing S says: before + after ≤ 2 t, and the sums
    # before + after only grow, so the last block that fits is found by bisection.
    base, total = int(until[start]), int(until[-1])
    limit = 2 * (total - base) // slices_left + 2 * base
    return int(np.searchsorted(middles, limit, side="right"))


def by_share(descending: Amounts, cuts: Sequence[float]) -> Groups:
    """By the share held before each: 0 under the first cut, 1 under the second, and so on."""
    if not descending.size:
        return np.zeros(0, dtype=np.int64)
    until = np.concatenate([[0], np.cumsum(descending)])
    before = until[_block_starts(descending)][_block_of(descending)]
    total = int(until[-1])
    # An integer is below a fraction exactly when it is below its ceiling.
    limits = np.array([ceil(part(total, cut)) for cut in cuts], dtype=np.int64)
    return np.searchsorted(limits, before, side="right").astype(np.int64)


def largest_first(amounts: Amounts, kind: npt.NDArray[Any]) -> Groups:
    """The places by kind, small ones first, then the largest amount, then as they stand."""
    return in_order(kind.astype(np.int16), -amounts)


def by_rank(descending: Amounts, k: int) -> Groups:
    """``k`` groups of about equal number; equals go to the better one."""
    n = max(descending.size, 1)
    return (competition_ranks(descending) - 1) * k // n


def bands(descending: Amounts, edges: Sequence[int]) -> Groups:
    """By fixed lower edges, highest first; an amount on an edge is in the upper band."""
    rising = np.array(sorted(edges), dtype=np.int64)
    reached: Groups = np.searchsorted(rising, descending, side="right")
    return (rising.size - reached).astype(np.int64)


def _block_of(descending: npt.NDArray[np.generic]) -> Groups:
    """The number of the block of equals each amount is in."""
    is_first = np.ones(descending.size, dtype=np.int64)
    is_first[1:] = descending[1:] != descending[:-1]
    return np.cumsum(is_first) - 1


def _block_starts(descending: npt.NDArray[np.generic]) -> Groups:
    is_first = np.ones(descending.size, dtype=bool)
    is_first[1:] = descending[1:] != descending[:-1]
    return np.flatnonzero(is_first).astype(np.int64)


def _block_sums(descending: Amounts, block: Groups, count: int) -> Amounts:
    sums = np.zeros(count, dtype=np.int64)
    np.add.at(sums, block, descending)
    return sums
