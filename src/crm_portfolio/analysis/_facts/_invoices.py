"""What was billed, what is still owed and since when, and how late was the rest paid?"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any, Final

import numpy as np
import pyarrow as pa

from crm_portfolio._frames import NativeFrame, from_arrow, kept, nw
from crm_portfolio.analysis._facts._bills import as_bills
from crm_portfolio.analysis._facts._lines import collected, completed
from crm_portfolio.portfolio import Portfolio

__all__ = [
    "billed",
    "bills",
    "dated",
    "due_by_month",
    "first_days",
    "late_spans",
    "owed",
    "payments",
    "placed_invoices",
    "undated",
]

_DAY = pa.date32()
_LATENESS: Final = (
    *("invoices", "late_invoices", "weight", "signed", "floored", "late"),
    *("days", "late_days"),
)


def bills(frame: NativeFrame, *, as_of: date, digits: int) -> Any:
    """The invoices, made ready once for all that is asked of them below."""
    rows = as_bills(frame, as_of, digits, with_credits=True)
    return kept(
        rows.select(
            *("invoice_id", "account_id", "payer_id", "issued_on", "due_on", "paid_on"),
            *("is_disputed", "is_paid", "minor", "net", "owed", "days"),
            *("due_number", "last_number"),
        )
    )


def placed_invoices(portfolio: Portfolio) -> NativeFrame:
    """The invoices, with the places of accounts and payers instead of their ids.

    Engines group whole numbers several times as fast, and they need not be looked up.
    """
    ids = portfolio.arrow("account")["account_id"]
    rows = nw.from_native(portfolio["invoice"]).lazy()
    for key in ("payer_id", "account_id"):
        if key not in rows.collect_schema().names():
            continue
        named = {
            f"named_{key}": ids,
            f"placed_{key}": np.arange(len(ids), dtype=np.int32),
        }
        places = nw.from_native(from_arrow(pa.table(named), portfolio.backend)).lazy()
        placed = rows.join(places, left_on=key, right_on=f"named_{key}", how="left")
        rows = placed.with_columns(nw.col(f"placed_{key}").alias(key))
        rows = rows.drop(f"placed_{key}")
    if "payer_id" not in rows.collect_schema().names():
        rows = rows.with_columns(payer_id=nw.col("account_id"))
    return nw.to_native(rows)


def payments(
    frame: NativeFrame, *, start: date, as_of: date, digits: int, is_past: bool = False
) -> pa.Table:
    """By payer, contested or not: how late its invoices due since ``start`` were or are.

    An unpaid one counts whatever its age, with what is still open, and not before it is
    due. Credit notes reduce the invoice they name. Cancelled invoices are left out.

    Args:
        is_past: As it was known at the end of ``as_of``: what was paid since is open.
    """
    due = _due(
        as_bills(frame, as_of, digits, is_past=is_past),
        start,
        as_of,
        worst_days=_late_days(),
        paid_late_on=nw.when(_is_late() & nw.col("is_paid")).then(nw.col("paid_on")),
        unpaid_since_on=nw.when(~nw.col("is_paid")).then(nw.col("due_on")),
    )
    return collected(
        due.group_by("payer_id", "is_disputed").agg(
            *(nw.col(name).sum() for name in _LATENESS),
            nw.col("worst_days").max(),
            nw.col("paid_late_on").max(),
            nw.col("unpaid_since_on").min(),
        )
    )


def due_by_month(
    frame: NativeFrame, *, start: date, as_of: date, digits: int
) -> pa.Table:
    """By month (twelve times the year and the month) in which they were due, the same.

    Of what is due after ``as_of`` only those are known that paid early: it is left out.
    """
    due = _due(as_bills(frame, as_of, digits), start, as_of)
    day = nw.col("due_on")
    return collected(
        due.filter((day >= start) & (day <= as_of))
        .with_columns(month=_month(day))
        .group_by("month", "is_disputed")
        .agg(*(nw.col(name).sum() for name in _LATENESS))
    )


def _due(bills: Any, start: date, as_of: date, **more: Any) -> Any:
    """Invoices that may be late, what weighs of each, and how many days late it is."""
    due_on, is_paid, weight = nw.col("due_on"), nw.col("is_paid"), nw.col("weight")
    return (
        bills.with_columns(
            weight=nw.when(is_paid).then(nw.col("net")).otherwise(nw.col("owed"))
        )
        .filter(
            (weight > 0)
            & ~due_on.is_null()
            & (is_paid | (due_on < as_of))
            & (~is_paid | (due_on >= start))
        )
        .with_columns(
            invoices=nw.lit(1, dtype=nw.Int64),
            late_invoices=_is_late().cast(nw.Int64),
            signed=weight * nw.col("days"),
            floored=weight * _late_days(),
            late=nw.when(_is_late()).then(weight).otherwise(0),
            late_days=_late_days(),
            **more,
        )
    )


def _is_late() -> Any:
    return nw.col("days") > 0


def _late_days() -> Any:
    return nw.when(_is_late()).then(nw.col("days")).otherwise(0)


def owed(
    frame: NativeFrame, *, as_of: date, digits: int, edges: Sequence[int]
) -> pa.Table:
    """By account, payer, bucket of age, contested or not: what is open, and how many.

    Bucket 0 is not yet due, 1 to n + 1 are late by days up to each edge and beyond the
    last, −1 has no due day. A credit note that names no invoice here is of bucket −2.
    """
    bills = as_bills(frame, as_of, digits, with_credits=True).filter(
        nw.col("owed") != 0
    )
    days = nw.col("days")
    bucket: Any = nw.lit(len(edges) + 1)
    for at in range(len(edges), 0, -1):
        bucket = nw.when(days <= edges[at - 1]).then(at).otherwise(bucket)
    bucket = nw.when(days <= 0).then(0).otherwise(bucket)
    bucket = nw.when(nw.col("due_on").is_null()).then(-1).otherwise(bucket)
    bucket = nw.when(nw.col("owed") < 0).then(-2).otherwise(bucket)
    return collected(
        bills.with_columns(bucket=bucket.cast(nw.Int64), count=nw.lit(1, nw.Int64))
        .group_by("account_id", "payer_id", "bucket", "is_disputed")
        .agg(nw.col("count", "owed").sum())
    )


def late_spans(
    frame: NativeFrame,
    *,
    start: date,
    as_of: date,
    digits: int,
    spans: Sequence[date],
) -> pa.Table:
    """By account, payer, contested or not: amount times days late, by span of one rate.

    Day 1 is the day after the due day. Days before ``start`` are of another period.

    Args:
        spans: Their first days, from that of ``start`` or of the first due day on.
    """
    bills = as_bills(frame, as_of, digits).with_columns(
        weight=nw.when(nw.col("is_paid")).then(nw.col("net")).otherwise(nw.col("owed"))
    )
    due, last = nw.col("due_number"), nw.col("last_number")
    # An invoice became late in the period where its first late day is in it.
    is_new = (due + 1 >= _number(start)) & (last > due)
    late = bills.filter(
        (nw.col("weight") > 0)
        & ~nw.col("due_on").is_null()
        & (last > due)
        & (last >= _number(start))
    )
    ends = [each - timedelta(days=1) for each in spans[1:]] + [as_of]
    names = {}
    for at, (first, end) in enumerate(zip(spans, ends, strict=True)):
        before = _number(max(first, start)) - 1
        low = nw.when(due > before).then(due).otherwise(before)
        high = nw.when(last < _number(end)).then(last).otherwise(_number(end))
        overlap = nw.when(high > low).then(high - low).otherwise(0)
        names[f"span_{at}"] = nw.col("weight") * overlap
    return collected(
        late.with_columns(
            late_count=nw.lit(1, dtype=nw.Int64),
            new_count=is_new.cast(nw.Int64),
            **names,
        )
        .group_by("account_id", "payer_id", "is_disputed")
        .agg(nw.col("late_count", "new_count", *names).sum())
    )


def billed(frame: NativeFrame, *, as_of: date, digits: int) -> pa.Table:
    """By payer and month: what was invoiced with tax, and how many invoices.

    A credit note counts in the month of the invoice it names, else in its own.
    """
    bills = as_bills(frame, as_of, digits, with_credits=True)
    return collected(
        bills.with_columns(
            month=_month(nw.col("issued_on")),
            count=(nw.col("minor") > 0).cast(nw.Int64),
        )
        .group_by("payer_id", "month")
        .agg(nw.col("net", "count").sum())
    )


def first_days(frame: NativeFrame) -> tuple[date | None, date | None]:
    """When the first invoice was sent, and the first one was due."""
    known = nw.from_native(completed(frame, {"due_on": _DAY})).lazy()
    found = collected(known.select(nw.col("issued_on", "due_on").min()))
    issued, due = (found[name][0].as_py() for name in ("issued_on", "due_on"))
    return issued, due


def dated(frame: NativeFrame, *, as_of: date, digits: int) -> pa.Table:
    """By account and payer: how many invoices there are, and how many lack a due day.

    ``unsaid`` are due and settled, and nobody noted on which day.
    """
    is_undated = nw.col("due_on").is_null()
    is_settled = (nw.col("owed") == 0) & (nw.col("net") > 0) & ~nw.col("is_paid")
    return collected(
        as_bills(frame, as_of, digits)
        .with_columns(
            invoices=nw.lit(1, dtype=nw.Int64),
            undated=is_undated.cast(nw.Int64),
            unsaid=(is_settled & ~is_undated).cast(nw.Int64),
        )
        .group_by("account_id", "payer_id")
        .agg(nw.col("invoices", "undated", "unsaid").sum())
    )


def undated(frame: NativeFrame, *, as_of: date, digits: int) -> pa.Table:
    """Invoices without a due day: nobody can say whether they are late."""
    bills = as_bills(frame, as_of, digits)
    return collected(
        bills.filter(nw.col("due_on").is_null()).select(
            "account_id", "issued_on", "minor", record_id=nw.col("invoice_id")
        )
    ).sort_by("record_id")


def _month(day: Any) -> Any:
    return day.dt.year().cast(nw.Int64) * 12 + day.dt.month().cast(nw.Int64) - 1


def _number(day: date) -> int:
    return (day - date(1970, 1, 1)).days
