"""What did each month bring, all accounts together, and what happened to the firm?"""

from __future__ import annotations

from collections.abc import Collection
from datetime import date
from typing import Final

import pyarrow as pa

from crm_portfolio._frames import NativeFrame, nw
from crm_portfolio.analysis._facts._lines import collected, completed, revenue_lines
from crm_portfolio.analysis._facts._revenue import RevenueFacts
from crm_portfolio.portfolio import Portfolio

__all__ = ["firm_events", "revenue_by_month"]

_SUMS: Final = ("minor", "lines", "known_lines", "accounts")
_EVENT: Final = ("event_id", "from_on", "to_on", "label", "kind", "account_id")


def revenue_by_month(portfolio: Portfolio, facts: RevenueFacts) -> pa.Table:
    """A row a month with a line before the end of the period, the oldest first.

    Months are counted from January of the year 0; ``accounts`` have a line in it. Lines
    without a day are in none.
    """
    day, minor = nw.col("day"), nw.col("minor")
    month = day.dt.year().cast(nw.Int64) * 12 + day.dt.month().cast(nw.Int64) - 1
    by_account = (
        revenue_lines(portfolio, facts.measure, "")
        .filter(
            ~nw.col("account_id").is_null() & ~day.is_null() & (day < facts.period.end)
        )
        .with_columns(
            month=month,
            minor=minor.fill_null(0),
            known_lines=(~minor.is_null()).cast(nw.Int64),
            lines=nw.lit(1, dtype=nw.Int64),
        )
        .group_by("account_id", "month")
        .agg(nw.col("minor", "lines", "known_lines").sum())
        .with_columns(accounts=nw.lit(1, dtype=nw.Int64))
    )
    found = collected(by_account.group_by("month").agg(nw.col(*_SUMS).sum()))
    names = ("month", *_SUMS)
    whole = {name: found[name].cast(pa.int64()) for name in names}
    return pa.table(whole).sort_by("month")


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
