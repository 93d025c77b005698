"""Where do amounts fall apart by themselves?

Fisher's exact partition, known as Jenks' natural breaks (sheet 2.3): of all ways to cut a
ranking into k groups of neighbours, the one that leaves the least scatter within them. The
best start of a group never moves back as its end moves on, so each row of the dynamic
programme is searched between the answers of its neighbours: about n·log n steps a group
instead of n², and no need to thin the amounts out, however many there are.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from crm_portfolio._methods._cuts import Groups
from crm_portfolio._methods._indices import Floats

__all__ = ["goodness_of_fit", "natural_breaks"]

_TOLERANCE: Final = 1e-12
"""Two partitions whose scatter differs by less, as a part of all scatter, are as good."""


def natural_breaks(descending: Floats, k: int) -> Groups:
    """Up to ``k`` groups with the least scatter; equals stay together.

    Of two that are as good, the one whose better groups are larger.
    """
    values, block, counts = _blocks(descending)
    count = values.size
    groups = min(k, count)
    if groups <= 1:
        return np.zeros(descending.size, dtype=np.int64)
    scatter = _Scatter.of(values, counts)
    starts, cost = [], scatter.between(np.zeros(count, np.int64), np.arange(count))
    for first in range(1, groups):
        # The last group only has to be known where it ends: at the end.
        rows = range(first, count) if first < groups - 1 else range(count - 1, count)
        start, cost = _extended(scatter, cost, first, rows)
        starts.append(start)
    group_of_block, end = np.zeros(count, dtype=np.int64), count
    for group, start in zip(range(groups - 1, 0, -1), reversed(starts), strict=True):
        begins = int(start[end - 1])
        group_of_block[begins:end], end = group, begins
    return group_of_block[block]


def goodness_of_fit(descending: Floats, group: Groups) -> float | None:
    """1 − SDCM/SDAM: the part of all scatter that lies between the groups, not within."""
    values = _centred(descending)
    total = float((values**2).sum())
    if not total > 0:
        return None
    sizes = np.maximum(np.bincount(group), 1)
    means = np.bincount(group, values) / sizes
    return 1 - float(((values - means[group]) ** 2).sum()) / total


class _Scatter:
    """Sums of squares about the mean, of any run of blocks, in steps of the tolerance."""

    def __init__(self, weight: Floats, first: Floats, second: Floats) -> None:
        self._weight, self._first, self._second = weight, first, second
        total = float(second[-1] - first[-1] ** 2 / weight[-1])
        # Values that differ in the last bit only may leave no scatter at all.
        self._step = 1 / (total * _TOLERANCE) if total > 0 else 0.0

    @classmethod
    def of(cls, values: Floats, counts: Groups) -> _Scatter:
        centred = values - np.average(values, weights=counts)
        sums = (counts, counts * centred, counts * centred**2)
        return cls(*(np.concatenate([[0.0], np.cumsum(each)]) for each in sums))

    def between(self, start: Groups, last: Groups) -> Floats:
        end = last + 1
        weight = self._weight[end] - self._weight[start]
        first = self._first[end] - self._first[start]
        second = self._second[end] - self._second[start]
        steps: Floats = np.rint((second - first * first / weight) * self._step)
        return steps


def _extended(
    scatter: _Scatter, cost: Floats, first: int, rows: range
) -> tuple[Groups, Floats]:
    """One group more: where it best starts if it ends at each row, and what that costs."""
    count = cost.size
    start = np.full(count, first, dtype=np.int64)
    found = np.full(count, np.inf)
    width = 1 << (len(rows) - 1).bit_length()
    while width:
        # Every other row of this width; those between them were found before.
        here = np.arange(rows.start + width - 1, rows.stop, 2 * width)
        if here.size:
            before = here - width
            least = np.where(before < rows.start, first, start[np.maximum(before, 0)])
            after = here + width
            most = np.where(
                after < rows.stop, start[np.minimum(after, count - 1)], here
            )
            best, value = _searched(scatter, cost, here, least, np.minimum(most, here))
            start[here], found[here] = best, value
        width //= 2
    return start, found


def _searched(
    scatter: _Scatter, cost: Floats, rows: Groups, least: Groups, most: Groups
) -> tuple[Groups, Floats]:
    """The best start for each row among its own candidates; the last of equally good."""
    sizes = most - least + 1
    begins = np.cumsum(sizes) - sizes
    candidate = np.arange(int(sizes.sum())) + np.repeat(least - begins, sizes)
    total = cost[candidate - 1] + scatter.between(candidate, np.repeat(rows, sizes))
    lowest = np.minimum.reduceat(total, begins)
    is_best = total == np.repeat(lowest, sizes)
    best = np.maximum.reduceat(np.where(is_best, candidate, -1), begins)
    return best, lowest


def _blocks(descending: Floats) -> tuple[Floats, Groups, Groups]:
    """Distinct values, the block each amount is in, and how many are in each."""
    is_first = np.ones(descending.size, dtype=bool)
    is_first[1:] = descending[1:] != descending[:-1]
    block = np.cumsum(is_first) - 1
    return descending[is_first], block, np.bincount(block).astype(np.int64)


def _centred(values: Floats) -> Floats:
    return values - values.mean() if values.size else values
