"""How many accounts, how much revenue and how many hours were there, quarter by quarter?"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from itertools import pairwise
from typing import Any, Final

import numpy as np
import pyarrow as pa

from crm_portfolio._frames import nw
from crm_portfolio.analysis._facts._attached import SECONDS_AN_HOUR, held, moment_in
from crm_portfolio.analysis._facts._days import account_days
from crm_portfolio.analysis._facts._lines import collected, seconds_given
from crm_portfolio.analysis._facts._revenue import RevenueFacts
from crm_portfolio.portfolio import Period, Portfolio

__all__ = ["NO_QUARTERS", "begins_before", "hours_in", "quarterly_workload"]

_SLACK: Final = timedelta(days=31)


def quarterly_workload(
    portfolio: Portfolio, facts: RevenueFacts, *, quarters: int
) -> pa.Table:
    """Whole quarters whose revenue and hours are both known, the oldest first.

    Quarters are three months each, counted back from the end of the period. One in which
    the book or the notes of time begin is not whole; one with a line whose amount is
    unknown has no revenue.
    """
    edges = [facts.period.months_before_end(3 * q) for q in range(quarters, -1, -1)]
    spans = [Period.between(start, end) for start, end in pairwise(edges)]
    hours = hours_in(portfolio, [*spans, *(_around(edge) for edge in edges[:-1])])
    found = _revenue_by_quarter(portfolio, facts, edges).to_pylist()
    told = {row["quarter"]: row for row in found}
    first = facts.by_account.first_on[~np.isnat(facts.by_account.first_on)]
    begins = first.min().item() if first.size else date.max
    rows: list[dict[str, Any]] = []
    for at, start in enumerate(edges[:-1]):
        is_begun = begins - start <= _SLACK and hours[quarters + at] is not None
        if not rows and (hours[at] is None or not is_begun):
            continue
        own = told.get(at, {"account_count": 0, "minor": 0, "hidden": 0})
        rows.append(
            {
                "starts_on": start,
                "account_count": own["account_count"],
                "revenue": None if own["hidden"] else facts.amount(own["minor"]),
                "hours": hours[at],
            }
        )
    return pa.Table.from_pylist(rows, schema=_QUARTERS)


_QUARTERS = pa.schema(
    {
        "starts_on": pa.date32(),
        "account_count": pa.int64(),
        "revenue": pa.float64(),
        "hours": pa.float64(),
    }
)
NO_QUARTERS: Final = _QUARTERS.empty_table()
"""Where nobody notes any time."""


def hours_in(portfolio: Portfolio, spans: Sequence[Period]) -> list[float | None]:
    """Hours given to all accounts in each span, in one scan; None where none is noted."""
    if "effort" in portfolio:
        lines = nw.from_native(portfolio["effort"])
        is_in = [_day_in(span) for span in spans]
    elif "activity" in portfolio:
        lines, zone = held(portfolio["activity"]), portfolio.calendar.time_zone
        is_in = [moment_in(span, "occurred_at", zone) for span in spans]
    else:
        return [None] * len(spans)
    seconds = seconds_given()
    flags = [each.cast(nw.Int64) for each in is_in]
    sums = {f"rows_{at}": flag.sum() for at, flag in enumerate(flags)}
    sums |= {f"seconds_{at}": (seconds * flag).sum() for at, flag in enumerate(flags)}
    lines = lines.filter(~nw.col("account_id").is_null())
    (found,) = collected(lines.select(**sums)).to_pylist()
    return [
        found[f"seconds_{at}"] / SECONDS_AN_HOUR if found[f"rows_{at}"] else None
        for at in range(len(spans))
    ]


def begins_before(portfolio: Portfolio, day: date) -> bool:
    """Whether time was noted around that day already, so that what follows is whole."""
    if day - date.min <= _SLACK:
        return False
    return hours_in(portfolio, [_around(day)])[0] is not None


def _around(day: date) -> Period:
    return Period.between(day - _SLACK, day + _SLACK)


def _day_in(span: Period) -> Any:
    return (nw.col("worked_on") >= span.start) & (nw.col("worked_on") < span.end)


def _revenue_by_quarter(
    portfolio: Portfolio, facts: RevenueFacts, edges: list[date]
) -> pa.Table:
    day = nw.col("day")
    later = [(day >= edge).cast(nw.Int64) for edge in edges[1:-1]]
    by_account = (
        account_days(portfolio, facts.measure)
        .filter((day >= edges[0]) & (day < edges[-1]))
        .select(
            nw.col("account_id", "minor"),
            quarter=sum(later, nw.lit(0, dtype=nw.Int64)),
            hidden=nw.col("lines") - nw.col("known_lines"),
        )
        .group_by("account_id", "quarter")
        .agg(nw.col("minor", "hidden").sum())
        .with_columns(account_count=nw.lit(1, dtype=nw.Int64))
    )
    return collected(
        by_account.group_by("quarter").agg(
            nw.col("minor", "hidden", "account_count").sum()
        )
    )
