"""What did each account do in each of several spans of days that follow each other?

Spans are told by the days they end on, the newest first: span 0 goes from the day after
the second of them to the first, and the last one is all that came before.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import Any

import attrs
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from crm_portfolio._frames import NativeFrame, backend_of, nw
from crm_portfolio.analysis._facts._attached import midnight
from crm_portfolio.analysis._facts._days import bought
from crm_portfolio.analysis._facts._inwards import inwards
from crm_portfolio.analysis._facts._lines import (
    collected,
    completed,
    day_number,
    minor_of,
    places,
)

__all__ = [
    "Spans",
    "bought_in",
    "came_in",
    "lateness_at",
    "opened_in",
    "ran_on",
]

_TEXT, _DAY, _FLAG = pa.string(), pa.date32(), pa.bool_()
_EPOCH = date(1970, 1, 1)


@attrs.frozen(eq=False)
class Spans:
    """A table by account and span, as arrays of spans by accounts.

    Attributes:
        shape: How many spans, the one of all that came before with them, and accounts.
        at: Where each row belongs, span by span and in each of them account by account.
    """

    table: pa.Table
    shape: tuple[int, int]
    at: npt.NDArray[np.int64]

    @classmethod
    def of(cls, found: pa.Table, ids: pa.Array, count: int) -> Spans:
        """Of so many spans, in the order of these accounts; rows of others tell nothing."""
        place = places(found["account_id"], ids)
        if place.null_count:
            found, place = found.filter(place.is_valid()), place.drop_null()
        span, whose = (
            each.to_numpy().astype(np.int64) for each in (found["span"], place)
        )
        return cls(found, (count, len(ids)), span * len(ids) + whose)

    def numbers(self, name: str) -> npt.NDArray[np.int64]:
        """0 where there is nothing."""
        found = np.zeros(self.shape, dtype=np.int64)
        found.reshape(-1)[self.at] = self.table[name].cast(pa.int64()).to_numpy()
        return found

    def days(self, name: str) -> npt.NDArray[np.datetime64]:
        """NaT where there is none."""
        found = np.full(self.shape, np.datetime64("NaT", "D"))
        days = self.table[name].to_numpy().astype("datetime64[D]")
        found.reshape(-1)[self.at] = days
        return found


def bought_in(days: Any, ends: Sequence[date]) -> pa.Table:
    """By account and span: on how many days it bought, for how much, first and last.

    ``unknown`` are lines of those days without an amount.

    Args:
        days: Revenue `by_day`.
    """
    day = nw.col("day")
    return collected(
        bought(days.filter(day <= ends[0]))
        .with_columns(span=_span(day, ends), days=nw.lit(1, dtype=nw.Int64))
        .group_by("account_id", "span")
        .agg(
            nw.col("days", "minor", "unknown").sum(),
            first_on=day.min(),
            last_on=day.max(),
        )
    )


def came_in(frame: NativeFrame, ends: Sequence[date], zone: str) -> pa.Table:
    """By account and span: how often it called, wrote or came.

    Args:
        frame: Activities, or those of them that are kept as `inwards`.
    """
    return _counted(inwards(frame), "occurred_at", ends, zone)


def opened_in(frame: NativeFrame, ends: Sequence[date], zone: str) -> pa.Table:
    """By account and span: how many tickets it opened."""
    rows = nw.from_native(completed(frame, {"account_id": _TEXT})).lazy()
    return _counted(rows, "opened_at", ends, zone)


def ran_on(frame: NativeFrame, days: Sequence[date]) -> pa.Table:
    """By account and day, told as a span: how many contracts ran on, and had ended.

    ``running`` is what was known that day, when an end ahead was none yet; ``still`` is
    what turned out: one that goes on by itself had no end.
    """
    kinds = {"ends_on": _DAY, "auto_renews": _FLAG}
    ends, starts = nw.col("ends_on"), nw.col("starts_on")
    goes_on = nw.col("auto_renews").fill_null(value=False) | ends.is_null()
    known = nw.from_native(completed(frame, kinds)).lazy()
    found = []
    for at, day in enumerate(days):
        is_ahead = ends.is_null() | (ends > day).fill_null(value=False)
        rows = known.filter(starts <= day).select(
            "account_id",
            running=is_ahead.cast(nw.Int64),
            still=(is_ahead | goes_on).cast(nw.Int64),
            ended=(~is_ahead).cast(nw.Int64),
        )
        own = collected(
            rows.group_by("account_id").agg(nw.col("running", "still", "ended").sum())
        )
        span = pa.array(np.full(own.num_rows, at, dtype=np.int64))
        found.append(own.append_column("span", span))
    return pa.concat_tables(found)


def lateness_at(frame: NativeFrame, days: Sequence[date], *, digits: int) -> pa.Table:
    """By account that pays: how late it was as of each day, in one scan.

    ``weight_i`` and ``floored_i`` are sums as `payments` makes them, of what was known at
    the end of day i: what was paid since was open, and nobody knows when anything was
    contested or cancelled.

    Args:
        days: The newest first; what is due counts from the day after the next one on.
    """
    columns = {"payer_id": _TEXT, "due_on": _DAY, "paid_on": _DAY}
    columns |= {"origin_invoice_id": _TEXT}
    backend, minor = backend_of(frame), nw.col("minor")
    rows = nw.from_native(completed(frame, columns)).lazy()
    known = rows.with_columns(minor=minor_of("amount", digits)).filter(
        ~minor.is_null() & (nw.col("issued_on") <= days[0])
    )
    taken = {f"credit_{at}": _issued(minor, day) for at, day in enumerate(days[:-1])}
    returned = (
        known.filter((minor < 0) & ~nw.col("origin_invoice_id").is_null())
        .select(invoice_id=nw.col("origin_invoice_id"), **taken)
        .group_by("invoice_id")
        .agg(nw.col(*taken).sum())
    )
    bills = (
        known.filter((minor > 0) & ~nw.col("due_on").is_null())
        .join(returned, on="invoice_id", how="left")
        .with_columns(
            account_id=nw.coalesce(nw.col("payer_id"), nw.col("account_id")),
            due=day_number(nw.col("due_on"), backend),
            paid=day_number(nw.col("paid_on"), backend),
        )
    )
    sums: dict[str, Any] = {}
    for at, (day, before) in enumerate(pairwise(days)):
        weight, late_days = _late(f"credit_{at}", day, before)
        sums |= {f"weight_{at}": weight, f"floored_{at}": weight * late_days}
    return collected(
        bills.select("account_id", **sums)
        .group_by("account_id")
        .agg(nw.col(*sums).sum())
    )


def _issued(minor: Any, day: date) -> Any:
    return nw.when(nw.col("issued_on") <= day).then(minor).otherwise(0)


def _late(credit: str, day: date, before: date) -> tuple[Any, Any]:
    """What weighs of an invoice as of a day, and by how many days it was late then."""
    due_on, paid_on = nw.col("due_on"), nw.col("paid_on")
    is_paid = (paid_on <= day).fill_null(value=False)
    net = _issued(nw.col("minor") + nw.col(credit).fill_null(0), day)
    counts = (is_paid & (due_on > before)) | (~is_paid & (due_on < day))
    until = nw.when(is_paid).then(nw.col("paid")).otherwise((day - _EPOCH).days)
    late_days = until - nw.col("due")
    return (
        nw.when(counts & (net > 0)).then(net).otherwise(0),
        nw.when(late_days > 0).then(late_days).otherwise(0),
    )


def _counted(rows: Any, moment: str, ends: Sequence[date], zone: str) -> pa.Table:
    at = nw.col("at")
    edges = [midnight(day + timedelta(days=1), zone) for day in ends]
    return collected(
        rows.select("account_id", at=nw.col(moment))
        .filter(~nw.col("account_id").is_null() & (at < edges[0]))
        .select("account_id", span=_before(at, edges), n=nw.lit(1, dtype=nw.Int64))
        .group_by("account_id", "span")
        .agg(nw.col("n").sum())
    )


def _span(day: Any, ends: Sequence[date]) -> Any:
    """The span of each day: how many of the later ends it does not go beyond."""
    found = (day <= ends[0]).cast(nw.Int64) - 1
    for end in ends[1:]:
        found = found + (day <= end).cast(nw.Int64)
    return found


def _before(at: Any, edges: Sequence[datetime]) -> Any:
    found = (at < edges[0]).cast(nw.Int64) - 1
    for edge in edges[1:]:
        found = found + (at < edge).cast(nw.Int64)
    return found
