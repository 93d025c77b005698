"""What did each month bring, all accounts together, and what happened to the firm?"""

from __future__ import annotations

from collections.abc import Collection
from datetime import date
from typing import Final

import numpy as np
import pyarrow as pa

from crm_portfolio._frames import NativeFrame, nw
from crm_portfolio.analysis._facts._lines import collected, completed
from crm_portfolio.analysis._facts._months import monthly_revenue
from crm_portfolio.analysis._facts._revenue import RevenueFacts
from crm_portfolio.portfolio import Portfolio

__all__ = ["firm_events", "revenue_by_month"]

_EVENT: Final = ("event_id", "from_on", "to_on", "label", "kind", "account_id")


def revenue_by_month(portfolio: Portfolio, facts: RevenueFacts) -> pa.Table:
    """A row a month with a line before the end of the period, the oldest first.

    Months are counted from January of the year 0; ``accounts`` have a line in it. Lines
    without a day are in none.
    """
    known = monthly_revenue(portfolio, facts)
    months, starts, accounts = np.unique(
        known.month, return_index=True, return_counts=True
    )
    sums = {
        name: np.add.reduceat(values, starts) if starts.size else values
        for name, values in (
            ("minor", known.minor),
            ("lines", known.lines),
            ("known_lines", known.known_lines),
        )
    }
    return pa.table({"month": months, **sums, "accounts": accounts})


def firm_events(
    frame: NativeFrame, end: date, kinds: Collection[str]
) -> tuple[pa.Table, int]:
    """Events that began before a day, by day and id, and how many are set aside.

    Args:
        kinds: Of these kinds, whomever they befell; none: those that name no account.
    """
    types = {"to_on": pa.date32(), "kind": pa.string(), "account_id": pa.string()}
    begun = (
        nw.from_native(completed(frame, types))
        .lazy()
        .filter(nw.col("from_on") < end)
        .select(*_EVENT)
    )
    is_meant = (
        nw.col("kind").is_in(list(kinds)) if kinds else nw.col("account_id").is_null()
    )
    meant = collected(begun.filter(is_meant)).select(_EVENT)
    (row,) = collected(begun.select(n=nw.col("event_id").len())).to_pylist()
    ordered = meant.sort_by([("from_on", "ascending"), ("event_id", "ascending")])
    return ordered, int(row["n"]) - len(ordered)
