"""What is left of the list price, and who pays less of it than accounts of their size?

Rules: sheet 7.7. A list price nobody knows is taken to be the median of what was paid.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt

from crm_portfolio._methods._indices import Amounts, Floats
from crm_portfolio._methods._ranking import Flags

__all__ = ["Discounts", "pocket_price", "rates_of", "unexplained"]

Discounts = Literal["multiplicative", "additive"]
"""Each discount on what the ones before it left, or each on the list price."""
_FENCE = 1.5
_FEWEST = 4


def pocket_price(listed: float, discounts: Sequence[float], how: Discounts) -> float:
    """What is paid of a list price after these discounts, in their order."""
    if how == "additive":
        return listed * (1 - sum(discounts))
    for each in discounts:
        listed *= 1 - each
    return listed


def rates_of(
    listed: int, given: Sequence[int], how: Discounts
) -> tuple[float | None, ...]:
    """The discounts that take these amounts off a list price: `pocket_price` backwards."""
    found: list[float | None] = []
    left = listed
    for amount in given:
        base = listed if how == "additive" else left
        found.append(amount / base if base > 0 else None)
        left -= amount
    return tuple(found)


def unexplained(
    shares: Floats, volumes: Amounts, bands: int
) -> tuple[Floats, Flags, npt.NDArray[np.int64]]:
    """The median discount of accounts of a like volume, and who stands far above it.

    Bands hold equally many accounts, smallest volume first, equal volumes together. Far
    above: by more than 1.5 times the range between the quartiles, over the upper one. A
    band of fewer than four accounts finds nobody far above.

    Args:
        shares: Of the list price; NaN where unknown.

    Returns:
        By account: the median of its band (NaN where its discount is unknown), whether it
        is far above, and its band (−1 where unknown).
    """
    is_known = ~np.isnan(shares)
    band = np.full(shares.size, -1, dtype=np.int64)
    held = volumes[is_known]
    rank = np.searchsorted(np.sort(held), held)
    band[is_known] = rank * bands // max(held.size, 1)
    usual = np.full(shares.size, np.nan)
    is_far = np.zeros(shares.size, dtype=bool)
    for each in np.unique(band[is_known]):
        mine = band == each
        low, middle, high = np.quantile(shares[mine], (0.25, 0.5, 0.75))
        usual[mine] = middle
        if mine.sum() >= _FEWEST:
            # Equal discounts have no range: a rounding above them is not far above.
            is_far[mine] = shares[mine] > high + _FENCE * (high - low) + 1e-9
    return usual, is_far, band
