"""Who are the major clients, since when, and does more and more hang on them?"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import TypeAlias

import numpy as np
import pyarrow as pa

from crm_portfolio._methods._cuts import Groups
from crm_portfolio._methods._ranking import League
from crm_portfolio.analysis._facts import RevenueFacts, quarterly_revenue
from crm_portfolio.portfolio import Portfolio
from crm_portfolio.results import Json, significant

__all__ = ["majors_of"]

_Amounts: TypeAlias = Sequence[int | None]

_QUARTERS = 8
_A_YEAR = 4


def majors_of(
    portfolio: Portfolio, facts: RevenueFacts, groups: League, group_of: Groups
) -> dict[str, Json]:
    """The groups from the major share on, and the quarters their trend is seen in."""
    is_major = np.isin(groups.dependence, ("major", "dependent"))
    places = groups.order[is_major[groups.order]]
    members: dict[str, str] = {}
    found: list[dict[str, Json]] = []
    for at in places:  # each holds the major share or more: few, however many accounts
        group_id = groups.of.ids[at].as_py()
        own = facts.by_account.ids.take(pa.array(np.flatnonzero(group_of == at)))
        members |= dict.fromkeys(own.to_pylist(), group_id)
        found.append(
            _major(portfolio, facts, groups, int(at)) | {"members": own.to_pylist()}
        )
    each, totals = quarterly_revenue(portfolio, facts, members, quarters=_QUARTERS)
    for major in found:
        major.update(_trend(each[str(major["ultimate_parent_id"])], totals))
    edges = [facts.period.months_before_end(3 * q) for q in range(_QUARTERS, -1, -1)]
    last_days = [edge - timedelta(days=1) for edge in edges[1:]]
    return {
        "majors": [*found],
        "quarters": [
            {"from_on": first.isoformat(), "to_on": last.isoformat()}
            for first, last in zip(edges, last_days, strict=False)
        ],
    }


def _major(
    portfolio: Portfolio, facts: RevenueFacts, groups: League, at: int
) -> dict[str, Json]:
    first_on = groups.of.first_on[at].item()
    years = (portfolio.as_of - first_on).days / 365.25
    return {
        "ultimate_parent_id": groups.of.ids[at].as_py(),
        "revenue": facts.amount(int(groups.of.revenue[at])),
        "share": significant(groups.share(groups.of.revenue[at])),
        "dependence": str(groups.dependence[at]),
        "first_revenue_on": first_on.isoformat(),
        "years_of_relationship": round(years, 1),
    }


def _trend(own: _Amounts, totals: _Amounts) -> dict[str, Json]:
    """Its share by quarter, in the last four of them, and in the four before.

    Unknown where an amount is: of its own, or of others, which are the rest of the whole.
    """
    before, last = (
        _share(_sum(own[part]), _sum(totals[part]))
        for part in (slice(0, _A_YEAR), slice(_A_YEAR, _QUARTERS))
    )
    change = None if before is None or last is None else last - before
    return {
        "share_by_quarter": [
            _share(minor, total) for minor, total in zip(own, totals, strict=True)
        ],
        "share_year_before": before,
        "share_last_year": last,
        "share_change": significant(change),
    }


def _sum(quarters: _Amounts) -> int | None:
    known = [minor for minor in quarters if minor is not None]
    return sum(known) if len(known) == len(quarters) else None


def _share(minor: int | None, total: int | None) -> float | None:
    if minor is None or total is None or total <= 0:
        return None
    return significant(minor / total)
