"""What is left after a loss, how near is the edge, and how long is the way back?

Formulas: sheet 4.1 to 4.3 and, for the shares, 1.4. Each answers None where its measure is
not defined.
"""

from __future__ import annotations

from math import ceil, log

import numpy as np

from crm_portfolio._methods._indices import Amounts, part
from crm_portfolio._methods._ranking import Flags

__all__ = [
    "are_critical",
    "break_even",
    "growth_elsewhere",
    "lost_in",
    "lost_part",
    "margin_of_safety",
    "months_compound",
    "months_linear",
    "operating_leverage",
    "ratio_of",
    "revenue_elsewhere",
    "runway",
    "scaled",
]


def ratio_of(contribution: float | None, revenue: float) -> float | None:
    """The contribution ratio m of a mix."""
    return None if contribution is None or revenue <= 0 else contribution / revenue


def break_even(fixed: float | None, ratio: float | None) -> float | None:
    """R* = F/m: the revenue that just pays the fixed costs; none where m ≤ 0."""
    return None if fixed is None or ratio is None or ratio <= 0 else fixed / ratio


def margin_of_safety(revenue: float, edge: float | None) -> float | None:
    """(R − R*)/R: the part of revenue that can go before the firm loses money."""
    return None if edge is None or revenue <= 0 else (revenue - edge) / revenue


def operating_leverage(contribution: float, fixed: float) -> float | None:
    """Contribution over profit, which is 1/MoS: none at a profit of zero."""
    profit = contribution - fixed
    return None if profit == 0 else contribution / profit


def are_critical(contributions: Amounts, profit: int) -> Flags:
    """Whose loss alone turns the profit into a loss.

    share·(m_i/m) > MoS is contribution > profit, which minor units decide exactly. Who
    contributes nothing breaks no firm, even one that is under its break-even already.
    """
    critical: Flags = (contributions > profit) & (contributions > 0)
    return critical


def lost_part(month: int, ramp_months: int) -> float:
    """How much of the loss has come in that month after the start (1 is the first)."""
    return 1.0 if ramp_months == 0 else min(1.0, month / ramp_months)


def lost_in(months: float, ramp_months: int) -> float:
    """How many full months' worth is lost in that many months after the start."""
    whole = int(months)
    parts = [lost_part(month, ramp_months) for month in range(1, whole + 1)]
    return sum(parts) + (months - whole) * lost_part(whole + 1, ramp_months)


def months_compound(remaining: float, target: float, growth: float) -> float | None:
    """ln(target/remaining)/ln(1 + g) months of growth; none where that never comes."""
    if remaining >= target:
        return 0.0
    if remaining <= 0 or growth <= 0:
        return None
    return log(target / remaining) / log(1 + growth)


def months_linear(missing: float, won_per_month: float) -> float | None:
    """Months until new yearly revenue, won at that pace, fills the gap."""
    if missing <= 0:
        return 0.0
    return None if won_per_month <= 0 else missing / won_per_month


def revenue_elsewhere(amount: int, total: int, share: float) -> int:
    """How much more the others must bring for the amount to be that share at most."""
    return max(0, ceil(amount / part(1, share)) - total)


def growth_elsewhere(amount: int, total: int, share: float) -> float | None:
    """The same as growth of the others; none where there are no others to grow."""
    others = total - amount
    missing = revenue_elsewhere(amount, total, share)
    if missing == 0:
        return 0.0
    return None if others <= 0 else missing / others


def runway(cash: float | None, profit: float | None) -> float | None:
    """Months that the cash lasts at that yearly profit; none while there is no loss."""
    if cash is None or profit is None or profit >= 0:
        return None
    return cash / (-profit / 12)


def scaled(amounts: Amounts, factor: float) -> Amounts:
    """Minor units times a factor, half-even to whole ones."""
    whole: Amounts = np.rint(amounts * factor).astype(np.int64)
    return whole
