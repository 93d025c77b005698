"""How recent, how frequent and how large, in fifths?

Rules: sheet 7.9; 5 is best. The code names three groups and is no number: 5-1-1 is not
worth more than 4-5-5.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from crm_portfolio._methods._cuts import Groups

__all__ = ["LEAST", "codes", "fifths"]

LEAST: Final = 5
"""With fewer accounts there are no fifths."""


def fifths(values: npt.NDArray[Any]) -> Groups:
    """1 to 5 by average rank: the same for ties, 5 for the largest; 0 where too few.

    >>> fifths(np.array([10, 20, 20, 30, 40])).tolist()
    [1, 3, 3, 4, 5]
    """
    n = values.size
    if n < LEAST:
        return np.zeros(n, dtype=np.int64)
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    # Twice the average of the ranks of a tie, so that nothing is a fraction.
    twice = (2 * last - counts + 1)[place]
    found: Groups = -(-5 * twice // (2 * n))
    return found


def codes(recency: Groups, frequency: Groups, monetary: Groups) -> list[str]:
    """As they are told, such as 5-4-3."""
    # Each score is one digit, and few of them occur together.
    found, place = np.unique(
        100 * recency + 10 * frequency + monetary, return_inverse=True
    )
    told = np.array(["-".join(str(each)) for each in found.tolist()], dtype=object)
    names: list[str] = told[place].tolist()
    return names
