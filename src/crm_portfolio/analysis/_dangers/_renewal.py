"""Whose contract runs out, with no renewal under way?"""

from __future__ import annotations

import attrs
import numpy as np
import pyarrow as pa

from crm_portfolio._methods._cuts import Groups
from crm_portfolio._methods._ranking import Flags
from crm_portfolio._methods._risk import UNKNOWN, under_threshold
from crm_portfolio.analysis._dangers._danger import (
    Danger,
    Days,
    by_place,
    days_between,
    days_of,
)
from crm_portfolio.analysis._dangers._settings import RiskSettings
from crm_portfolio.analysis._facts import (
    RevenueFacts,
    contracts,
    open_renewals,
    won_renewals,
)
from crm_portfolio.portfolio import Portfolio

__all__ = ["Contracts", "renewal_of"]


@attrs.frozen(eq=False)
class Contracts:
    """What runs, and what ends next with nothing behind it.

    Attributes:
        ending_on: NaT where nothing ends.
        overlapped_on: The next end that another contract overlaps, which may follow it.
        begun_on: The last day on which one began.
    """

    is_running: Flags
    ending_on: Days
    overlapped_on: Days
    begun_on: Days

    @classmethod
    def of(
        cls, portfolio: Portfolio, facts: RevenueFacts, settings: RiskSettings
    ) -> Contracts:
        """None runs where the portfolio has no contracts."""
        count = len(facts.by_account.ids)
        if "contract" not in portfolio:
            never = np.full(count, np.datetime64("NaT", "D"))
            return cls(np.zeros(count, dtype=bool), never, never, never)
        found = contracts(
            portfolio["contract"],
            as_of=portfolio.as_of,
            lapsed_days=settings.lapsed_days,
            early_days=settings.days_to_end[0],
        )
        days = ("ending_on", "overlapped_on", "begun_on")
        running, *ends = by_place(facts, found, ("running", *days))
        return cls(running > 0, *ends)


def renewal_of(
    portfolio: Portfolio,
    facts: RevenueFacts,
    settings: RiskSettings,
    agreed: Contracts,
) -> Danger:
    """What may be the renewal, and does not say so, leaves it unknown."""
    count = len(facts.by_account.ids)
    renewals, unsorted = _open(portfolio, facts, count)
    as_of = np.full(count, np.datetime64(portfolio.as_of, "D"))
    ends_on, overlaps = _next_end(agreed, as_of, settings)
    won_on = _won(portfolio, facts, agreed, ends_on, settings)
    is_ending, is_renewed = ~np.isnat(ends_on), (renewals > 0) | ~np.isnat(won_on)
    left = days_between(as_of, ends_on)
    level = under_threshold(
        left.astype(np.float64),
        settings.days_to_end,
        is_ending & ~is_renewed,
        reached=False,
    )
    is_doubtful = (level > 0) & ((unsorted != 0) | overlaps)
    level[is_doubtful] = UNKNOWN
    is_safe = (is_ending & is_renewed) | (agreed.is_running & ~is_ending)
    level[is_safe] = 0
    columns = {
        "contract_runs": pa.array(agreed.is_running),
        "contract_ends_on": days_of(ends_on),
        "days_to_end": pa.array(left, mask=~is_ending),
        "open_renewal_count": _counted(renewals, renewals < 0),
        "unsorted_sale_count": _counted(unsorted, renewals < 0),
        "renewal_won_on": days_of(won_on),
        "contract_overlaps": pa.array(overlaps),
    }
    return Danger.made(
        "renewal",
        level,
        told_as="risk_renewal",
        told_on=columns["contract_ends_on"],
        columns=columns,
    )


def _next_end(
    agreed: Contracts, as_of: Days, settings: RiskSettings
) -> tuple[Days, Flags]:
    """The end that counts, and where another contract that overlaps it may follow it.

    An end that is near and that nothing overlaps is the danger, whatever ends before.
    """
    sure, overlapped = agreed.ending_on, agreed.overlapped_on
    left = days_between(as_of, sure)
    is_near = ~np.isnat(sure) & (left < settings.days_to_end[0])
    # Where one of the two is NaT, to be earlier is false.
    overlaps = ~is_near & (
        (overlapped <= sure) | (np.isnat(sure) & ~np.isnat(overlapped))
    )
    return np.where(overlaps, overlapped, sure), overlaps


def _won(
    portfolio: Portfolio,
    facts: RevenueFacts,
    agreed: Contracts,
    ends_on: Days,
    settings: RiskSettings,
) -> Days:
    """When a renewal was won as the end drew near; what was won before began the last."""
    never = np.full(ends_on.size, np.datetime64("NaT", "D"))
    if "opportunity" not in portfolio:
        return never
    (won_on,) = by_place(facts, won_renewals(portfolio["opportunity"]), ("won_on",))
    early = np.timedelta64(int(settings.days_to_end[0]), "D")
    is_of_it = (won_on > agreed.begun_on) & (won_on >= ends_on - early)
    return np.where(is_of_it, won_on, never)


def _open(
    portfolio: Portfolio, facts: RevenueFacts, count: int
) -> tuple[Groups, Groups]:
    """Open renewals, and open sales of an unknown kind; −1 without opportunities."""
    if "opportunity" not in portfolio:
        unknown = np.full(count, -1, dtype=np.int64)
        return unknown, unknown
    found = open_renewals(portfolio["opportunity"])
    renewals, unsorted = by_place(facts, found, ("renewals", "unsorted"))
    return renewals, unsorted


def _counted(counts: Groups, mask: Flags) -> pa.Array:
    return pa.array(counts, mask=mask)
