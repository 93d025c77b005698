"""How concentrated are these amounts?

All functions take amounts in any order and unit (minor units, so that they are exact)
and answer None where the measure is not defined. Formulas: sheet 1.2 to 1.4.
"""

from __future__ import annotations

from fractions import Fraction
from math import ceil
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

__all__ = [
    "Amounts",
    "Floats",
    "all_indices",
    "area_below",
    "concentration_ratio",
    "customer_concentration",
    "effective_number",
    "entropy",
    "evenness",
    "gini",
    "gini_ctr",
    "gini_normalised",
    "gini_rsv",
    "hhi",
    "hhi_normalised",
    "lorenz",
    "majors",
    "negative_mass",
    "part",
    "rising",
    "theil",
]

Amounts: TypeAlias = npt.NDArray[np.int64]
Floats: TypeAlias = npt.NDArray[np.float64]


def lorenz(amounts: Amounts) -> tuple[Floats, Floats] | None:
    """Share of accounts, smallest first, and the share of the total they hold."""
    total = int(amounts.sum())
    if total <= 0:
        return None
    held = np.concatenate([[0], np.cumsum(rising(amounts))]) / total
    return np.arange(held.size) / amounts.size, held


def gini(amounts: Amounts) -> float | None:
    """The plain index; above 1 is possible where amounts are negative."""
    total = int(amounts.sum())
    if total <= 0:
        return None
    n = amounts.size
    return 2 * _ranked_sum(amounts) / (n * total) - (n + 1) / n


def gini_normalised(amounts: Amounts) -> float | None:
    """G·n/(n − 1): comparable between portfolios of different size."""
    plain, n = gini(amounts), amounts.size
    return None if plain is None or n < 2 else plain * n / (n - 1)


def gini_rsv(amounts: Amounts) -> float | None:
    """Raffinetti, Siletti and Vernizzi 2015: in 0 to 1 whatever the signs."""
    n, mass = amounts.size, int(np.abs(amounts).sum())
    if n < 2 or mass == 0:
        return None
    spread = 2 * _ranked_sum(amounts) - (n + 1) * int(amounts.sum())
    return float(spread / ((n - 1) * mass))


def gini_ctr(amounts: Amounts) -> float | None:
    """Chen, Tsaur and Rhai 1982: area to the diagonal over 1/2 + the area below zero."""
    curve = lorenz(amounts)
    if curve is None:
        return None
    left, right = curve[1][:-1], curve[1][1:]
    between = 0.5 - float(((left + right) / 2).sum()) / amounts.size
    return between / (0.5 + area_below(curve[1]))


def area_below(held: Floats) -> float:
    """The area between the x axis and the part of a Lorenz curve that lies below it."""
    left, right = held[:-1], held[1:]
    # Of a step that crosses the axis only the triangle before the crossing is below it.
    step = np.where(right > left, right - left, 1.0)
    crossing = np.where(left < 0, left**2 / step / 2, 0.0)
    below = np.where(right <= 0, -(left + right) / 2, crossing)
    return float(below.sum()) / left.size


def hhi(amounts: Amounts) -> float | None:
    """Sum of squared shares of the positive part, 0 to 1."""
    shares = _positive_shares(amounts)
    return None if shares is None else float((shares**2).sum())


def effective_number(amounts: Amounts, *, order: int = 2) -> float | None:
    """How many equal accounts would be as concentrated: 1/HHI, or exp(entropy)."""
    index = hhi(amounts) if order == 2 else entropy(amounts)
    if index is None:
        return None
    return 1 / index if order == 2 else float(np.exp(index))


def hhi_normalised(amounts: Amounts) -> float | None:
    """HHI on a scale from 0 (all equal) to 1 (one account)."""
    index, n = hhi(amounts), _index_size(amounts)
    return None if index is None or n < 2 else (index - 1 / n) / (1 - 1 / n)


def entropy(amounts: Amounts) -> float | None:
    """Shannon's, in nats."""
    shares = _positive_shares(amounts)
    return None if shares is None else float(-(shares * np.log(shares)).sum()) + 0.0


def evenness(amounts: Amounts) -> float | None:
    """Entropy over that of equal shares."""
    disorder, n = entropy(amounts), _index_size(amounts)
    return None if disorder is None or n < 2 else disorder / float(np.log(n))


def theil(amounts: Amounts) -> float | None:
    """Of Theil: ln n less the entropy: 0 where all are equal."""
    disorder = entropy(amounts)
    return None if disorder is None else float(np.log(_index_size(amounts))) - disorder


def concentration_ratio(amounts: Amounts, k: int) -> float | None:
    """Share of the positive part that the ``k`` largest hold."""
    shares = _positive_shares(amounts)
    if shares is None:
        return None
    return 1.0 if k >= shares.size else float(shares[:k].sum())


def customer_concentration(amounts: Amounts, major_share: float) -> float | None:
    """Patatoukas 2012: squared shares of total sales, summed over major clients only."""
    total = int(amounts.sum())
    if total <= 0:
        return None
    shares = majors(amounts, major_share) / total
    return float((shares**2).sum())


def majors(amounts: Amounts, major_share: float) -> Amounts:
    """The amounts that reach that share of the (positive) total, largest first."""
    least = ceil(part(int(amounts.sum()), major_share))
    found: Amounts = np.sort(amounts[amounts >= least])[::-1]
    return found


def part(total: int, share: float) -> Fraction:
    """That share of a total, exactly as the share's decimals say."""
    return Fraction(str(share)) * total


def negative_mass(amounts: Amounts) -> float | None:
    """How much the negative amounts weigh, as a share of the positive ones."""
    positive = int(amounts[amounts > 0].sum())
    return None if positive == 0 else -int(amounts[amounts < 0].sum()) / positive + 0.0


def all_indices(amounts: Amounts) -> dict[str, float | None]:
    """Every index of the sheet's 1.2 and 1.3, by name."""
    amounts = rising(amounts)  # once for all of them
    return {
        "gini": gini(amounts),
        "gini_normalised": gini_normalised(amounts),
        "gini_rsv": gini_rsv(amounts),
        "gini_ctr": gini_ctr(amounts),
        "hhi": hhi(amounts),
        "effective_number": effective_number(amounts),
        "hhi_normalised": hhi_normalised(amounts),
        "entropy": entropy(amounts),
        "effective_number_entropy": effective_number(amounts, order=1),
        "evenness": evenness(amounts),
        "theil": theil(amounts),
        **{f"cr{k}": concentration_ratio(amounts, k) for k in (1, 3, 5, 10)},
        "negative_mass": negative_mass(amounts),
    }


def _ranked_sum(amounts: Amounts) -> float:
    ranks = np.arange(1, amounts.size + 1, dtype=np.float64)
    return float((ranks * rising(amounts)).sum())


def rising(amounts: Amounts) -> Amounts:
    """Smallest first; to look whether they are is much quicker than to sort them."""
    if (amounts[1:] >= amounts[:-1]).all():
        return amounts
    if (amounts[1:] <= amounts[:-1]).all():
        return amounts[::-1].copy()
    ordered: Amounts = np.sort(amounts)
    return ordered


def _positive_shares(amounts: Amounts) -> Floats | None:
    """Largest first; None where nothing is positive in sum."""
    positive = rising(amounts[amounts > 0])[::-1]
    return None if amounts.sum() <= 0 else positive / int(positive.sum())


def _index_size(amounts: Amounts) -> int:
    """With negatives only the positive accounts count, else all (sheet, amendment 11)."""
    has_negatives = bool((amounts < 0).any())
    return int((amounts > 0).sum()) if has_negatives else amounts.size
