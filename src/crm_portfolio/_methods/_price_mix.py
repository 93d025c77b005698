"""Did revenue change by price, by volume, or by what was sold?

Items are products, or products of an account; revenue is in minor units, quantities in any
whole parts of a unit. All sums are exact: a cumulated sum is rounded, half up, and an item
takes its step, so that items add up to their effect and effects to the change. Rules: sheet
5.3 with its amendments.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from crm_portfolio._methods._indices import Amounts

__all__ = ["Effects", "price_and_quantity", "price_quantity_joint", "price_volume_mix"]

Whole = npt.NDArray[Any]
"""Python's integers, which do not overflow: a tiny quantity has a huge price."""
Effects = dict[str, Whole]
"""By the name of the effect: minor units of each item."""

_PARTS: Final = 10**30


def price_volume_mix(
    before: Amounts, quantity_before: Amounts, now: Amounts, quantity: Amounts
) -> Effects:
    """Price at the new quantity; volume as if all grew alike; mix is the rest of it.

    Quantities are positive: items that have one in only one period are no part of it.
    """
    r0, q0, q1 = (_whole(each) for each in (before, quantity_before, quantity))
    at_old_prices = _steps(_shares(r0 * q1, q0))
    evenly = _steps_of(r0, q1.sum(), q0.sum()) if r0.size else at_old_prices
    return {
        "price": now - at_old_prices,
        "volume": evenly - before,
        "mix": at_old_prices - evenly,
    }


def price_and_quantity(
    before: Amounts, quantity_before: Amounts, now: Amounts, quantity: Amounts
) -> Effects:
    """Where units do not compare there is no volume of all, and so no mix."""
    r0, q0, q1 = (_whole(each) for each in (before, quantity_before, quantity))
    at_old_prices = _steps(_shares(r0 * q1, q0))
    return {"price": now - at_old_prices, "quantity": at_old_prices - before}


def price_quantity_joint(
    before: Amounts, quantity_before: Amounts, now: Amounts, quantity: Amounts
) -> Effects:
    """The other convention: each effect alone, and what both do together."""
    r0, q0 = _whole(before), _whole(quantity_before)
    r1, q1 = _whole(now), _whole(quantity)
    at_old_prices = _steps(_shares(r0 * q1, q0))
    at_old_quantities = _steps(_shares(r1 * q0, q1))
    return {
        "price": at_old_quantities - before,
        "quantity": at_old_prices - before,
        "joint": now - at_old_prices - at_old_quantities + before,
    }


def _whole(values: Amounts) -> Whole:
    return values.astype(object)


def _shares(above: Whole, below: Whole) -> Whole:
    """Quotients in tiny parts, rounded down."""
    quotients: Whole = above * _PARTS // below if above.size else above
    return quotients


def _steps(parts: Whole) -> Whole:
    """What each item adds to the rounded sum of those up to it.

    Every quotient lacks less than one part: that many more make an exact half a half again.
    """
    sums = np.cumsum(parts) + np.arange(1, parts.size + 1) if parts.size else parts
    return _differences((sums + _PARTS // 2) // _PARTS)


def _steps_of(values: Whole, above: int, below: int) -> Whole:
    """The same of every value times one fraction."""
    return _differences((2 * np.cumsum(values) * above + below) // (2 * below))


def _differences(sums: Whole) -> Whole:
    found: Whole = np.diff(sums, prepend=0)
    return found
