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
from crm_portfolio.analysis._facts import RevenueFacts, contracts, open_renewals
from crm_portfolio.portfolio import Portfolio

__all__ = ["Contracts", "renewal_of"]


@attrs.frozen(eq=False)
class Contracts:
    """What runs, and what ends next with nothing behind it.

    Attributes:
        ending_on: NaT where nothing ends.
    """

    is_running: Flags
    ending_on: Days

    @classmethod
    def of(
        cls, portfolio: Portfolio, facts: RevenueFacts, settings: RiskSettings
    ) -> Contracts:
        """None runs where the portfolio has no contracts."""
        count = len(facts.by_account.ids)
        if "contract" not in portfolio:
            never = np.full(count, np.datetime64("NaT", "D"))
            return cls(np.zeros(count, dtype=bool), never)
        found = contracts(
            portfolio["contract"],
            as_of=portfolio.as_of,
            lapsed_days=settings.lapsed_days,
        )
        running, ending_on = by_place(facts, found, ("running", "ending_on"))
        return cls(running > 0, ending_on)


def renewal_of(
    portfolio: Portfolio,
    facts: RevenueFacts,
    settings: RiskSettings,
    agreed: Contracts,
) -> Danger:
    """An open sale that does not say what it is may be the renewal: that is unknown."""
    count = len(facts.by_account.ids)
    renewals, unsorted = _open(portfolio, facts, count)
    is_ending = ~np.isnat(agreed.ending_on)
    as_of = np.full(count, np.datetime64(portfolio.as_of, "D"))
    left = days_between(as_of, agreed.ending_on)
    level = under_threshold(
        left.astype(np.float64),
        settings.days_to_end,
        is_ending & (renewals <= 0),
        reached=False,
    )
    is_doubtful = (level > 0) & (unsorted != 0)
    level[is_doubtful] = UNKNOWN
    is_safe = (is_ending & (renewals > 0)) | (agreed.is_running & ~is_ending)
    level[is_safe] = 0
    columns = {
        "contract_runs": pa.array(agreed.is_running),
        "contract_ends_on": days_of(agreed.ending_on),
        "days_to_end": pa.array(left, mask=~is_ending),
        "open_renewal_count": _counted(renewals, renewals < 0),
        "unsorted_sale_count": _counted(unsorted, renewals < 0),
    }
    return Danger.made(
        "renewal",
        level,
        told_as="risk_renewal",
        told_on=columns["contract_ends_on"],
        columns=columns,
    )


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
