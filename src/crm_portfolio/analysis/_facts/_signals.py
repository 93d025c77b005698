"""On how many days, in how many products, and how often of its own accord does it come?"""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from typing import Any, TypeAlias
from zoneinfo import ZoneInfo

import attrs
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from crm_portfolio._frames import NativeFrame, nw
from crm_portfolio._methods._cuts import Groups
from crm_portfolio.analysis._facts._days import account_days, bought
from crm_portfolio.analysis._facts._inwards import came_inwards, inwards
from crm_portfolio.analysis._facts._lines import (
    TABLE_OF,
    Measure,
    collected,
    completed,
    found_at,
    placed,
)
from crm_portfolio.analysis._facts._once import once_per_portfolio
from crm_portfolio.analysis._facts._revenue import RevenueFacts
from crm_portfolio.analysis._facts._sold import NO_PRODUCT, sold
from crm_portfolio.portfolio import Portfolio

__all__ = ["Purchases", "Twice", "inbound", "products", "purchases"]

Twice: TypeAlias = tuple[Groups, Groups]
"""By account: what a span of time holds, and what the span before it held."""
Edges: TypeAlias = tuple[Any, ...]
"""Where the span before begins, where it ends and the span begins, and where that ends."""
Days: TypeAlias = tuple[date, date, date]

_TEXT = pa.string()


@attrs.frozen(eq=False)
class Purchases:
    """When each account bought, up to a day.

    Attributes:
        days: On how many different days its lines add up to more than nothing, or one
            of them lacks its amount: what is sold for an unknown sum is sold.
        first_on, last_on: NaT where it never did.
    """

    days: Groups
    first_on: npt.NDArray[np.datetime64]
    last_on: npt.NDArray[np.datetime64]


def purchases(
    portfolio: Portfolio, facts: RevenueFacts, *, end: date | None = None
) -> Purchases:
    """The days on which each account bought, before ``end`` or that of the period."""
    until = end or facts.period.end
    assert until is not None
    found = _purchases_until(portfolio, facts.measure, until)
    at = found_at(found["account_id"], facts.by_account.ids)
    return Purchases(
        placed(found["days"], at),
        placed(found["first_on"], at).astype("datetime64[D]"),
        placed(found["last_on"], at).astype("datetime64[D]"),
    )


@once_per_portfolio
def _purchases_until(portfolio: Portfolio, measure: Measure, until: date) -> pa.Table:
    return purchase_days(account_days(portfolio, measure), until)


def products(portfolio: Portfolio, facts: RevenueFacts, days: Days) -> Twice | None:
    """How many different products each bought; None where no line names one."""
    frame = portfolio[TABLE_OF[facts.measure]]
    if "product_id" not in nw.from_native(frame).collect_schema().names():
        return None
    lines = sold(portfolio, facts.measure).lines
    named = lines.filter(nw.col("product") != NO_PRODUCT)
    return _placed(facts, product_counts(named, days))


def inbound(portfolio: Portfolio, facts: RevenueFacts, days: Days) -> Twice | None:
    """How often each came to us: activities inwards and enquiries; None without either."""
    zone = ZoneInfo(portfolio.calendar.time_zone)
    edges = tuple(_moment(day, zone) for day in days)
    found = []
    if "activity" in portfolio:
        found += [_placed(facts, activities_in(came_inwards(portfolio), edges))]
    if "enquiry" in portfolio:
        found += [_placed(facts, enquiries(portfolio["enquiry"], edges))]
    if not found:
        return None
    now, before = zip(*found, strict=True)
    return np.sum(now, axis=0), np.sum(before, axis=0)


def purchase_days(days: Any, end: date) -> pa.Table:
    """By account: on how many days it bought, as `Purchases` counts, first and last.

    Args:
        days: Revenue `by_day`.
    """
    day = nw.col("day")
    return collected(
        bought(days.filter(day < end))
        .select("account_id", "day", days=nw.lit(1, dtype=nw.Int64))
        .group_by("account_id")
        .agg(nw.col("days").sum(), first_on=day.min(), last_on=day.max())
    )


def product_counts(lines: Any, days: Days) -> pa.Table:
    """By account: different products sold to it, in each of two spans.

    Args:
        lines: Those that name a ``product``.
    """
    named = lines.select("account_id", "product", at=nw.col("day"))
    return _twice(named, days, by=("account_id", "product"))


def activities_in(frame: NativeFrame, edges: Edges) -> pa.Table:
    """By account: how often it called, wrote or came, in each of two spans.

    Args:
        frame: Activities, or those of them that are kept as `inwards`.
    """
    came = inwards(frame)
    return _twice(came.select("account_id", at=nw.col("occurred_at")), edges)


def enquiries(frame: NativeFrame, edges: Edges) -> pa.Table:
    """By account: its enquiries, in each of two spans."""
    rows = _rows(frame, {"account_id": _TEXT})
    return _twice(rows.select("account_id", at=nw.col("created_at")), edges)


def _rows(frame: NativeFrame, kinds: dict[str, pa.DataType]) -> Any:
    return nw.from_native(completed(frame, kinds))


def _moment(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time(), zone).astimezone(UTC)


def _twice(
    rows: Any, edges: Edges, *, by: tuple[str, ...] = ("account_id",)
) -> pa.Table:
    """By account: how many rows, or different products, in each of two spans."""
    start, middle, end = edges
    at = nw.col("at")
    grouped = (
        rows.filter(~nw.col("account_id").is_null() & (at >= start) & (at < end))
        .with_columns(
            now=(at >= middle).cast(nw.Int64), before=(at < middle).cast(nw.Int64)
        )
        .select(*by, "now", "before")
    )
    if len(by) > 1:
        grouped = grouped.group_by(*by).agg(nw.col("now", "before").max())
    return collected(grouped.group_by("account_id").agg(nw.col("now", "before").sum()))


def _placed(facts: RevenueFacts, found: pa.Table) -> Twice:
    at = found_at(found["account_id"], facts.by_account.ids)
    return placed(found["now"], at), placed(found["before"], at)
