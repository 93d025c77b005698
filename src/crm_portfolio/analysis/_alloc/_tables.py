"""What does each account, and each tier, get and take?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio._methods._digits import twelve_digits
from crm_portfolio._methods._indices import Floats
from crm_portfolio._methods._ranking import Flags
from crm_portfolio._methods._workload import per
from crm_portfolio._places import told_at
from crm_portfolio.analysis._alloc._settings import (
    AllocationSettings,
    ServiceLevel,
    service_of,
)
from crm_portfolio.analysis._alloc._shares import NO_TIER, UNKNOWN, Shares
from crm_portfolio.analysis._alloc._use import Use
from crm_portfolio.analysis._alloc._value import ByValue
from crm_portfolio.results import significant

__all__ = ["account_table", "tier_table"]


def account_table(
    use: Use, shares: Shares, by_value: ByValue, settings: AllocationSettings
) -> pa.Table:
    """By group, the largest first; then those of no tier, then the unknown."""
    facts, of = use.facts, use.facts.by_account
    minutes = np.where(shares.minutes == UNKNOWN, np.nan, shares.minutes)
    allotted, spent = minutes / 60, use.given.hours()
    revenue = np.where(of.is_known, facts.money(of.revenue), np.nan)
    brought = np.where(of.is_known, _over(use.brought, use.total_brought), np.nan)
    taken = _over(spent, use.total_seconds / 3600)
    noted = np.where(np.isnan(spent), np.nan, _over(use.brought, use.brought_by_noted))
    noted = np.where(of.is_known, noted, np.nan)
    grouped = shares.group >= 0
    on_floor = np.array([*shares.is_floored, False])[shares.group]
    columns = {"account_id": of.ids} | facts.names(of.ids)
    columns |= {
        "tier": shares.tier,
        "served_as": shares.served_as,
        "revenue": pa.array(facts.money(of.revenue), mask=~of.is_known),
        "revenue_share": _known(brought),
        "minutes": pa.array(shares.minutes, mask=shares.minutes == UNKNOWN),
        "hours": _known(allotted),
        "hours_share": _known(_should(shares)),
        "is_at_floor": pa.array(on_floor & grouped),
        "hours_spent": _known(spent),
        "hours_over": _known(spent - allotted),
        "spent_share": _known(_over(spent, allotted)),
        "hours_spent_share": _known(taken),
        "revenue_share_of_noted": _known(noted),
        "intensity": _known(_over(taken, noted)),
        "revenue_per_hour": _known(_over(revenue, spent)),
        "expected_per_hour": _known(_over(by_value.expected / 10**facts.digits, spent)),
        "hours_by_value": _known(
            np.where(by_value.minutes == UNKNOWN, np.nan, by_value.minutes) / 60
        ),
        "is_tail": pa.array(use.is_tail(settings.tail_share)),
        "line_count": pa.array(of.lines),
        "known_line_count": pa.array(of.known_lines),
    }
    return told_at(pa.table(columns), shares.order)


def _should(shares: Shares) -> Floats:
    """The part of all hours that each account should get; none without a tier."""
    each = np.array([*shares.share_of_each(), np.nan])[shares.group]
    is_none = pc.fill_null(pc.equal(shares.served_as, NO_TIER), fill_value=False)
    should: Floats = np.where(is_none.to_numpy(zero_copy_only=False), 0.0, each)
    return should


def _over(part: Any, whole: Any) -> Floats:
    """A ratio; unknown where the whole is not positive."""
    divisor = np.where(np.asarray(whole) > 0, whole, np.nan)
    ratio: Floats = np.asarray(part) / divisor
    return ratio


def _known(values: Floats) -> pa.Array:
    """To 12 significant digits, as all statistics; NaN is null."""
    return pa.array(twelve_digits(values), mask=np.isnan(values))


def tier_table(
    use: Use, shares: Shares, by_value: ByValue, settings: AllocationSettings
) -> pa.Table:
    """One row per group, then ``none``; with the service that goes with it."""
    rows = [_tier_row(use, shares, settings, at) for at in range(len(shares.labels))]
    for at, row in enumerate(rows):
        minutes = by_value.of_tier(shares.group == at)
        row["hours_by_value"] = None if minutes is None else significant(minutes / 60)
    without = _members(shares, NO_TIER)
    if without.any():
        row = _told(use, without) | {"tier": NO_TIER, "minutes": 0, "hours": 0.0}
        row |= {"hours_share": 0.0, "hours_per_account": 0.0, "is_at_floor": False}
        rows.append(row | _service(NO_TIER, settings.service))
    return pa.Table.from_pylist(rows, schema=_BY_TIER)


def _tier_row(
    use: Use, shares: Shares, settings: AllocationSettings, at: int
) -> dict[str, Any]:
    tier, size = shares.labels[at], int(shares.sizes[at])
    members = shares.group == at
    row = _told(use, members)
    should = float(shares.share_of_each()[at]) * size
    row |= {
        "tier": tier,
        "new_count": int((members & _is_new(shares)).sum()),
        "hours_share": significant(should),
        "is_at_floor": shares.is_floored[at],
        **_service(tier, settings.service),
    }
    if shares.parts is None:
        return row
    minutes = int(shares.minutes[members].sum())
    row |= {
        "minutes": minutes,
        "hours": significant(minutes / 60),
        "hours_per_account": significant(float(shares.parts[at] / size / 60)),
    }
    if row["hours_spent"] is not None and minutes:
        row["spent_share"] = significant(row["hours_spent"] * 60 / minutes)
    return row


def _told(use: Use, members: Flags) -> dict[str, Any]:
    """What they brought and took, whatever they should get."""
    of, spent = use.facts.by_account, use.seconds(members)
    is_unknown = bool((members & ~of.is_known).any())
    revenue = use.facts.amount(int(of.revenue[members & use.given.is_known].sum()))
    hours = None if spent is None else spent / 3600
    return {
        "account_count": int(members.sum()),
        "new_count": 0,
        "noted_count": int((members & use.given.is_known).sum()),
        "revenue": None
        if is_unknown
        else use.facts.amount(int(of.revenue[members].sum())),
        "revenue_share": significant(use.revenue_share(members)),
        "hours_spent": significant(hours),
        "hours_spent_share": significant(use.hours_share(members)),
        "revenue_share_of_noted": significant(use.revenue_share_of_noted(members)),
        "intensity": significant(use.intensity(members)),
        "revenue_per_hour": significant(per(revenue, hours)),
        "noted_revenue_share": significant(use.noted_share(members)),
    }


def _members(shares: Shares, served_as: str) -> Flags:
    found = pc.fill_null(pc.equal(shares.served_as, served_as), fill_value=False)
    members: Flags = found.to_numpy(zero_copy_only=False).astype(bool)
    return members


def _is_new(shares: Shares) -> Flags:
    found = pc.fill_null(pc.equal(shares.tier, "new"), fill_value=False)
    new: Flags = found.to_numpy(zero_copy_only=False).astype(bool)
    return new


def _service(tier: str, own: Mapping[str, ServiceLevel]) -> dict[str, Any]:
    return attrs.asdict(service_of(tier, own))


_TEXT, _COUNT, _FLOAT = pa.string(), pa.int64(), pa.float64()
_BY_TIER = pa.schema(
    {
        "tier": _TEXT,
        **dict.fromkeys(("account_count", "new_count", "noted_count"), _COUNT),
        **dict.fromkeys(("revenue", "revenue_share"), _FLOAT),
        "minutes": _COUNT,
        **dict.fromkeys(("hours", "hours_share", "hours_per_account"), _FLOAT),
        "is_at_floor": pa.bool_(),
        **dict.fromkeys(("hours_spent", "hours_spent_share", "spent_share"), _FLOAT),
        **dict.fromkeys(("revenue_share_of_noted", "intensity"), _FLOAT),
        "revenue_per_hour": _FLOAT,
        "hours_by_value": _FLOAT,
        "noted_revenue_share": _FLOAT,
        **dict.fromkeys(("owner_role", "channel"), _TEXT),
        **dict.fromkeys(("contact_days", "response_hours"), _COUNT),
        **dict.fromkeys(("automation_share", "discount_share"), _FLOAT),
        "review_months": _COUNT,
    }
)
