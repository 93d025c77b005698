"""How many minor units is an amount?

Half-even, as on the decimal text of the value: 1.015 is 1.02 although the float nearest
to it lies below the tie. Whole columns are rounded at once; only cells so near to a tie
that their binary form could turn it are read as decimals.
"""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal, localcontext

import numpy as np
import numpy.typing as npt

__all__ = [
    "EXACT",
    "Floats",
    "Integers",
    "exact_sum",
    "minor_units",
    "nearest",
    "residue",
    "rounded",
]

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

EXACT = 2.0**53  # up to here every whole number is a float
_PLENTY = 80  # digits, more than any sum of amounts has


def rounded(values: Floats, digits: int, rates: Floats | None = None) -> Floats:
    """Amounts, times their rates, to the minor unit.

    Beyond 2**53 minor units a float has no minor unit left, and stays as it is.

    Example:
        >>> rounded(np.array([1.015, 2.675, 0.125]), 2).tolist()
        [1.02, 2.68, 0.12]
    """
    worth = values if rates is None else values * rates
    scaled = worth * 10.0**digits
    nearest = np.rint(scaled)
    doubt = np.abs(scaled) * 2.0**-50
    tie = np.abs(scaled - np.floor(scaled) - 0.5) <= doubt
    for place in np.flatnonzero(tie & (np.abs(scaled) < EXACT)):
        rate = 1.0 if rates is None else float(rates[place])
        nearest[place] = _on_text(float(values[place]), rate, digits)
    near = np.where(np.abs(scaled) < EXACT, nearest / 10.0**digits, worth)
    return near + 0.0  # -0.0 becomes 0.0, which has the same bytes everywhere


def minor_units(values: Floats, digits: int) -> Integers:
    """Amounts as whole minor units."""
    return np.rint(rounded(values, digits) * 10.0**digits).astype(np.int64)


def residue(values: Floats, digits: int) -> Decimal:
    """What rounding took away from all of them together, in minor units, exactly."""
    exact = values[rounded(values, digits) != values]
    with localcontext() as context:
        context.prec = _PLENTY
        total = sum((_scaled(float(value), 1.0, digits) for value in exact), Decimal())
        return total - int(minor_units(exact, digits).sum())


def exact_sum(one: Decimal, other: Decimal) -> Decimal:
    """Both together, to the last digit."""
    with localcontext() as context:
        context.prec = _PLENTY
        return one + other


def nearest(amount: Decimal) -> int:
    """The whole number nearest to it."""
    return int(amount.to_integral_value(ROUND_HALF_EVEN))


def _on_text(value: float, rate: float, digits: int) -> int:
    with localcontext() as context:
        context.prec = _PLENTY
        return int(_scaled(value, rate, digits).to_integral_value(ROUND_HALF_EVEN))


def _scaled(value: float, rate: float, digits: int) -> Decimal:
    return (Decimal(repr(value)) * Decimal(repr(rate))).scaleb(digits)
