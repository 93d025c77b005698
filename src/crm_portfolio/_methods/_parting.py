"""What does it take to set a relationship right, and what follows if it ends?

Formulas: sheet 8.6 with 4.1 and 4.2. All amounts in the same unit; NaN where unknown.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from crm_portfolio._methods._indices import Floats

__all__ = [
    "dilution",
    "hhi_without",
    "price_rise",
    "safety_without",
    "volume_at_stake",
    "worth_an_hour",
]


def price_rise(revenue: Floats, contribution: Floats, target_share: float) -> Floats:
    """By how much prices must rise for the contribution to be that share of revenue.

    (c + p·R)/(R·(1 + p)) = t, with volumes and costs as they are; NaN where nothing sells.
    """
    short = target_share * revenue - contribution
    is_known = (revenue > 0) & ~np.isnan(contribution)
    return _quotient(short, revenue * (1 - target_share), is_known)


def volume_at_stake(ratio: Floats, rise: Floats) -> Floats:
    """d/(m + d): the share of the volume that may go before the contribution falls.

    All of it where each unit is sold at a loss that the rise does not make up for: then
    less volume loses less.
    """
    return _quotient(rise, ratio + rise, ratio + rise > 0).clip(max=1.0)


def dilution(revenue: Floats, total: float, share: float) -> Floats:
    """How much more the others must bring for that revenue to be this share at most."""
    more: Floats = revenue * (1 - share) / share - (total - revenue)
    return np.maximum(more, 0.0)


def worth_an_hour(contribution: Floats, hours: Floats) -> Floats:
    """What an hour freed must bring elsewhere for parting to cost nothing."""
    return _quotient(np.maximum(contribution, 0.0), hours, hours > 0)


def safety_without(contribution: Floats, of_all: float, fixed: float) -> Floats:
    """The margin of safety without each account: 1 − F/(C − c); NaN where C − c ≤ 0.

    R* = F·R/C, so (R − R*)/R is 1 − F/C, whatever the revenue is.
    """
    left = of_all - contribution
    return 1 - _quotient(np.full(left.shape, fixed), left, left > 0)


def hhi_without(own: Floats, of_group: Floats, squares: float, total: float) -> Floats:
    """Concentration of what is left when an account leaves its group.

    Args:
        of_group: What its group brings, the account within; ``squares`` of all groups.
    """
    left = total - own
    held = squares - of_group**2 + (of_group - own) ** 2
    return _quotient(held, left**2, left > 0)


def _quotient(part: Floats, whole: Floats, is_known: npt.NDArray[np.bool_]) -> Floats:
    found = np.full(whole.shape, np.nan)
    np.divide(part, whole, out=found, where=is_known)
    return found
