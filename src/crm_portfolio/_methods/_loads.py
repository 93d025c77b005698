"""Who has about as much on the desk, without pointing at anyone?"""

from __future__ import annotations

import numpy as np

from crm_portfolio._methods._cuts import Groups

__all__ = ["FEWEST", "load_groups"]

FEWEST = 3
"""A group of fewer people would speak of single ones."""


def load_groups(loads: Groups, most: int = 4) -> Groups:
    """The group of each, 0 for the least load; equal loads together; -1 if too few.

    Up to ``most`` groups of about as many people, of three at the least.
    """
    groups = np.full(loads.size, -1, dtype=np.int64)
    if loads.size < FEWEST:
        return groups
    enough = loads.size / min(most, loads.size // FEWEST)
    group = size = 0
    values, counts = np.unique(loads, return_counts=True)
    for value, count in zip(values, counts, strict=True):
        groups[loads == value] = group
        size += int(count)
        if size >= enough:
            group, size = group + 1, 0
    if 0 < size < FEWEST and group:
        groups[groups == group] = group - 1
    return groups
