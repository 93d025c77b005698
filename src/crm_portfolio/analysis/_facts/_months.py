"""What did each account bring, month by month and quarter by quarter?"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any, Final

import attrs
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio._frames import nw
from crm_portfolio._methods._cuts import Groups
from crm_portfolio._methods._in_order import in_order
from crm_portfolio._methods._indices import Amounts
from crm_portfolio.analysis._facts._days import account_days
from crm_portfolio.analysis._facts._lines import Measure, collected
from crm_portfolio.analysis._facts._once import once_per_portfolio
from crm_portfolio.analysis._facts._revenue import RevenueFacts
from crm_portfolio.portfolio import Portfolio

_UNDATED: Final = -1

__all__ = [
    "MonthlyRevenue",
    "monthly_revenue",
    "quarterly_revenue",
    "revenue_until",
]


def quarterly_revenue(
    portfolio: Portfolio,
    facts: RevenueFacts,
    group_of: Mapping[str, str],
    *,
    quarters: int,
) -> tuple[dict[str, list[int | None]], list[int | None]]:
    """Minor units of some groups, and of all accounts, by quarter; the oldest first.

    Quarters are three months each, counted back from the end of the period. One with a
    line whose amount is unknown has no sum.
    """
    edges = [facts.period.months_before_end(3 * q) for q in range(quarters, -1, -1)]
    each = {group: _Sums.of(quarters) for group in group_of.values()}
    totals = _Sums.of(quarters)
    if not group_of:
        return {}, totals.told()
    day = nw.col("day")
    later = [(day >= edge).cast(nw.Int64) for edge in edges[1:-1]]
    lines = (
        account_days(portfolio, facts.measure)
        .filter((day >= edges[0]) & (day < edges[-1]))
        .with_columns(
            quarter=sum(later, nw.lit(0, dtype=nw.Int64)),
            hidden=nw.col("lines") - nw.col("known_lines"),
        )
    )
    sums = nw.col("minor", "hidden").sum()
    for row in collected(lines.group_by("quarter").agg(sums)).to_pylist():
        totals.add(row)
    named = pa.array(group_of, pa.string())
    at = pc.index_in(named, facts.by_account.ids).to_pylist()
    group_at = dict(zip(at, group_of.values(), strict=True))
    of_some = lines.filter(nw.col("account_id").is_in(at))
    by_account = of_some.group_by("account_id", "quarter").agg(sums)
    for row in collected(by_account).to_pylist():
        each[group_at[row["account_id"]]].add(row)
    return {group: own.told() for group, own in each.items()}, totals.told()


@attrs.frozen
class _Sums:
    """Minor units by quarter, and how many lines hide theirs."""

    minor: list[int]
    hidden: list[int]

    @classmethod
    def of(cls, quarters: int) -> _Sums:
        return cls([0] * quarters, [0] * quarters)

    def add(self, row: Mapping[str, Any]) -> None:
        self.minor[row["quarter"]] += row["minor"]
        self.hidden[row["quarter"]] += row["hidden"]

    def told(self) -> list[int | None]:
        pairs = zip(self.minor, self.hidden, strict=True)
        return [None if hidden else minor for minor, hidden in pairs]


@attrs.frozen(eq=False)
class MonthlyRevenue:
    """What each account brought in each month, in order of the months.

    Attributes:
        count: How many accounts; ``account`` gives their places, sorted by id.
        month: Counted from January of the year 0. Lines without a day are in none.
        minor: In minor units, of the ``known_lines`` among the ``lines``.
        undated_lines: By account: they may belong to any period.
    """

    count: int
    month: Groups
    account: Groups
    minor: Amounts
    lines: Groups
    known_lines: Groups
    undated_lines: Groups

    def between(self, first: int, end: int) -> tuple[Amounts, Groups, Groups]:
        """Revenue, lines and known lines of every account in these months."""
        start, stop = np.searchsorted(self.month, [first, end])
        who = self.account[start:stop]
        sums = [np.zeros(self.count, dtype=np.int64) for _ in range(3)]
        each = (self.minor, self.lines, self.known_lines)
        for into, values in zip(sums, each, strict=True):
            np.add.at(into, who, values[start:stop])
        return sums[0], sums[1] + self.undated_lines, sums[2]


def monthly_revenue(portfolio: Portfolio, facts: RevenueFacts) -> MonthlyRevenue:
    """Revenue by account and month, up to the end of the facts' period."""
    assert facts.period.end is not None
    return revenue_until(portfolio, facts.measure, facts.period.end)


@once_per_portfolio
def revenue_until(portfolio: Portfolio, measure: Measure, end: date) -> MonthlyRevenue:
    """Of every month before that day."""
    day = nw.col("day")
    is_dated = ~day.is_null()
    month = day.dt.year().cast(nw.Int64) * 12 + day.dt.month().cast(nw.Int64) - 1
    found = collected(
        account_days(portfolio, measure)
        .filter(~is_dated | (day < end))
        .with_columns(month=nw.when(is_dated).then(month).otherwise(_UNDATED))
        .group_by("account_id", "month")
        .agg(nw.col("minor", "lines", "known_lines").sum())
    )
    count = len(portfolio.arrow("account"))
    columns = {name: _numbers(found[name]) for name in found.column_names}
    order = in_order(columns["month"], columns["account_id"])
    without, dated = np.split(order, [np.count_nonzero(columns["month"] == _UNDATED)])
    undated = np.zeros(count, dtype=np.int64)
    undated[columns["account_id"][without]] = columns["lines"][without]
    return MonthlyRevenue(
        count,
        month=columns["month"][dated],
        account=columns["account_id"][dated],
        minor=columns["minor"][dated],
        lines=columns["lines"][dated],
        known_lines=columns["known_lines"][dated],
        undated_lines=undated,
    )


def _numbers(column: pa.ChunkedArray) -> Groups:
    numbers: Groups = column.cast(pa.int64()).to_numpy()
    return numbers
