"""How many hours are there, and who says so?"""

from __future__ import annotations

from datetime import date, timedelta
from fractions import Fraction
from typing import Literal, TypeAlias

import attrs
import numpy as np

from crm_portfolio.analysis._facts import RevenueFacts, Worked
from crm_portfolio.portfolio import Portfolio

__all__ = ["Total"]

TotalSource: TypeAlias = Literal["settings", "capacity", "spent"]
_DAY = timedelta(days=1)


@attrs.frozen
class Total:
    """Whole minutes for all accounts in the period.

    Attributes:
        minutes: None where nobody says; never a number of our own.
        source: The settings, the table ``capacity``, or the hours spent.
        covered_share: The part of the period's days of which ``capacity`` speaks.
    """

    minutes: int | None
    source: TotalSource | None
    covered_share: float | None = None

    @classmethod
    def of(
        cls,
        portfolio: Portfolio,
        facts: RevenueFacts,
        given: Worked,
        hours: float | None,
    ) -> Total:
        """What was set, else what ``capacity`` says of the period, else what was spent."""
        if hours is not None:
            return cls(round(Fraction(str(hours)) * 60), "settings")
        if "capacity" in portfolio:
            start, end = _days(facts)
            found, covered = _capacity(portfolio, start, end)
            if covered:
                return cls(round(found * 60), "capacity", covered)
        if given.is_known.any():
            return cls(round(Fraction(int(given.seconds.sum()), 60)), "spent")
        return cls(None, None)


def _days(facts: RevenueFacts) -> tuple[date, date]:
    """The period; of one without a beginning, from the first line on."""
    start, end = facts.period.start, facts.period.end
    assert start is not None
    assert end is not None
    first = facts.by_account.first_on
    first = first[~np.isnat(first)]
    begins: date = first.min().item() if first.size else start
    return (begins if start == date.min else start), end


def _capacity(
    portfolio: Portfolio, start: date, end: date
) -> tuple[Fraction, float | None]:
    """Hours of all roles, by the days of each span that lie in the period."""
    total, covered = Fraction(0), np.zeros(max((end - start).days, 0), dtype=bool)
    for row in portfolio.arrow("capacity").to_pylist():
        first, last = row["from_on"], row["to_on"]
        days = (min(last + _DAY, end) - max(first, start)).days
        if days <= 0 or last < first or row["hours"] is None:
            continue
        length = (last - first).days + 1
        total += Fraction(str(row["hours"])) * days / length
        at = (max(first, start) - start).days
        covered[at : at + days] = True
    return total, float(covered.mean()) if covered.size else None
