"""What stands on the line of each account, and on that of each tier?"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio._methods._cuts import Groups, largest_first
from crm_portfolio._methods._held import tier_that_stands
from crm_portfolio._methods._rules import LETTERS, Cut, standing
from crm_portfolio._places import rows_at
from crm_portfolio.analysis._facts import RevenueFacts, Worked
from crm_portfolio.analysis._stable import Stable
from crm_portfolio.portfolio import Portfolio
from crm_portfolio.results import significant

__all__ = ["account_table", "by_rule", "count_of", "tier_table", "told"]


def by_rule(facts: RevenueFacts, found: Cut, under_rule: Groups) -> pa.Array:
    """The tier of each account as the rule says, before any pin."""
    names = pa.array([*LETTERS, "new", "none"], pa.string())
    new, none = len(LETTERS), len(LETTERS) + 1
    tier = np.where(facts.is_young, new, none)
    tier[under_rule] = found.group
    is_unknown = ~facts.by_account.is_known & ~facts.is_young
    is_unknown[under_rule] = False
    return names.take(pa.array(tier, mask=is_unknown))


def told(
    portfolio: Portfolio, facts: RevenueFacts, raw: pa.Array, stable: Stable | None
) -> dict[str, pa.Array]:
    """The tier that stands, what the rule alone would say, and what is on its way."""
    held = tier_that_stands(
        facts.account,
        stable.tier if stable else raw,
        as_of=portfolio.as_of,
        close=facts.period.last_day,
        came_on=stable.since_on if stable else None,
    )
    moves = (stable or Stable.without(len(raw))).columns()
    return {"tier": held.pop("tier"), "tier_raw": raw, **held, **moves}


def account_table(
    facts: RevenueFacts,
    found: Cut,
    under_rule: Groups,
    worked: Worked,
    more: dict[str, pa.Array],
) -> pa.Table:
    """Those under the rule largest first, then the new, those without revenue, the unknown.

    Args:
        more: What else is told of each account; the tier first.
    """
    of, is_known = facts.by_account, facts.by_account.is_known
    columns = {"account_id": of.ids} | facts.names(of.ids) | more
    columns |= {
        "revenue": pa.array(facts.money(of.revenue), mask=~is_known),
        **standing(found, under_rule, len(of.ids), facts.digits),
        "hours": pa.array(worked.hours(), from_pandas=True),
        "line_count": pa.array(of.lines),
        "known_line_count": pa.array(of.known_lines),
        "first_revenue_on": pa.array(of.first_on),
        "is_dormant": pa.array(~of.has_lines),
    }
    kind = np.where(is_known, 2, 3)
    kind[facts.is_young] = 1
    kind[under_rule] = 0
    return rows_at(pa.table(columns), largest_first(of.revenue, kind))


def tier_table(
    facts: RevenueFacts, found: Cut, table: pa.Table, raw: pa.Array, worked: Worked
) -> pa.Table:
    """One row per tier of the rule, then ``new`` and ``none``."""
    rows: list[dict[str, Any]] = []
    for group, (minor, size) in enumerate(
        zip(found.sums(), found.sizes(), strict=True)
    ):
        share = int(minor) / found.total if found.total else None
        edge = found.edge[group]
        off = None if share is None else significant(share - 1 / found.made)
        rows.append(
            {
                "tier": LETTERS[group],
                "account_count": int(size),
                "revenue": facts.amount(int(minor)),
                "share": significant(share),
                "lower_edge": None if edge is None else facts.amount(edge),
                "off_even_share": off,
            }
        )
    for tier in ("new", "none"):
        outside = table["revenue"].filter(pc.equal(table["tier_raw"], tier))
        revenue = round(pc.sum(outside).as_py() or 0.0, facts.digits)
        rows.append({"tier": tier, "account_count": len(outside), "revenue": revenue})
    for row in rows:
        row["count_after_pins"] = count_of(pc.equal(table["tier"], row["tier"]))
        row.update(_hours(worked, pc.equal(raw, row["tier"])))
    return pa.Table.from_pylist(rows, schema=_BY_TIER)


def _hours(worked: Worked, here: pa.Array) -> dict[str, float | int | None]:
    """Of the accounts whose hours are known; null where those of none are."""
    mine = pc.fill_null(here, fill_value=False).to_numpy(zero_copy_only=False)
    known = int((worked.is_known & mine).sum())
    hours = int(worked.seconds[worked.is_known & mine].sum()) / 3600
    return {"hours": significant(hours) if known else None, "hours_known_count": known}


_BY_TIER = pa.schema(
    {
        "tier": pa.string(),
        "account_count": pa.int64(),
        "count_after_pins": pa.int64(),
        "revenue": pa.float64(),
        "share": pa.float64(),
        "lower_edge": pa.float64(),
        "off_even_share": pa.float64(),
        "hours": pa.float64(),
        "hours_known_count": pa.int64(),
    }
)


def count_of(flags: pa.ChunkedArray) -> int:
    """How many are true."""
    return int(pc.sum(flags).as_py() or 0)
