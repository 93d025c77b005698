"""Who would get the hours if they went where an hour brings most?

Beside the policy, not instead of it: equal hours per group say what we owe, this what an
hour earns (sheet 2.6 and 4.4).
"""

from __future__ import annotations

from collections.abc import Mapping

import attrs
import numpy as np

from crm_portfolio._methods._allocation import by_value
from crm_portfolio._methods._cuts import Groups
from crm_portfolio._methods._indices import Floats
from crm_portfolio._methods._ranking import Flags
from crm_portfolio.analysis._alloc._shares import UNKNOWN, Shares
from crm_portfolio.analysis._alloc._use import Use

__all__ = ["ByValue"]


@attrs.frozen(eq=False)
class ByValue:
    """Hours by expected value, by the place of the account in the facts.

    Attributes:
        expected: What an account may bring in as long a time, in minor units: its revenue
            times the odds that it stays. NaN where revenue or odds are not known.
        minutes: UNKNOWN where that, or the time it takes, is; or where nobody says how
            many hours there are.
        left: Minutes that nobody takes for whom they would bring anything.
    """

    expected: Floats
    minutes: Groups
    left: int | None

    @classmethod
    def of(
        cls, use: Use, shares: Shares, leaving: Mapping[str, float] | None
    ) -> ByValue:
        """Each gets no more than it took.

        Args:
            leaving: By tier, the odds that an account of it is lost within a year; None:
                all are taken to stay.
        """
        of, given = use.facts.by_account, use.given
        expected = np.where(of.is_known, of.revenue, np.nan) * _stays(shares, leaving)
        minutes = np.full(expected.size, UNKNOWN, dtype=np.int64)
        total = shares.total.minutes
        if total is None:
            return cls(expected, minutes, None)
        is_weighed = ~np.isnan(expected) & given.is_known & (shares.group >= 0)
        spent = (given.seconds + 30) // 60
        minutes[is_weighed] = by_value(total, expected[is_weighed], spent[is_weighed])
        return cls(expected, minutes, total - int(minutes[is_weighed].sum()))

    def of_tier(self, members: Flags) -> int | None:
        """Minutes of those of whom it is known; None where it is of nobody."""
        known = members & (self.minutes != UNKNOWN)
        return int(self.minutes[known].sum()) if known.any() else None


def _stays(shares: Shares, leaving: Mapping[str, float] | None) -> Floats:
    if leaving is None:
        return np.ones(shares.group.size)
    odds = [1 - leaving.get(label, np.nan) for label in shares.labels]
    found: Floats = np.array([*odds, np.nan], dtype=np.float64)[shares.group]
    return found
