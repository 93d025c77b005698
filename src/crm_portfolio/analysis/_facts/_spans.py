"""What did each account do in each of several spans of days that follow each other?

Spans are told by the days they end on, the newest first: span 0 goes from the day after
the second of them to the first, and the last one is all that came before.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any

import attrs
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio._frames import NativeFrame, nw
from crm_portfolio.analysis._facts._attached import midnight
from crm_portfolio.analysis._facts._invoices import payments
from crm_portfolio.analysis._facts._lines import collected, completed
from crm_portfolio.analysis._facts._signals import sums_bought

__all__ = [
    "Spans",
    "bought_in",
    "came_in",
    "lateness_at",
    "opened_in",
    "ran_on",
]

_TEXT, _DAY, _FLAG = pa.string(), pa.date32(), pa.bool_()
# What may have been said of an invoice since; nobody knows when.
_SAID_LATER = ("is_disputed", "is_cancelled", "open_amount")


@attrs.frozen(eq=False)
class Spans:
    """A table by account and span, as arrays of spans by accounts.

    Attributes:
        ids: The accounts, in the order the arrays are in.
        count: How many spans, the one of all that came before with them.
    """

    table: pa.Table
    ids: pa.Array
    count: int

    def numbers(self, name: str) -> npt.NDArray[np.int64]:
        """0 where there is nothing."""
        found = np.zeros((self.count, len(self.ids)), dtype=np.int64)
        self._place(found, self.table[name].cast(pa.int64()).to_numpy())
        return found

    def days(self, name: str) -> npt.NDArray[np.datetime64]:
        """NaT where there is none."""
        found = np.full((self.count, len(self.ids)), np.datetime64("NaT", "D"))
        self._place(found, self.table[name].to_numpy().astype("datetime64[D]"))
        return found

    def _place(self, found: Any, values: Any) -> None:
        at = pc.index_in(self.table["account_id"].combine_chunks(), self.ids)
        is_known = at.is_valid().to_numpy(zero_copy_only=False)
        place = pc.fill_null(at, 0).to_numpy().astype(np.int64)
        span = self.table["span"].to_numpy().astype(np.int64)
        found[span[is_known], place[is_known]] = values[is_known]


def bought_in(lines: Any, ends: Sequence[date]) -> pa.Table:
    """By account and span: on how many days it bought, for how much, first and last."""
    day = nw.col("day")
    known = lines.filter(~nw.col("account_id").is_null() & (day <= ends[0]))
    return collected(
        sums_bought(known)
        .with_columns(span=_span(day, ends), days=nw.lit(1, dtype=nw.Int64))
        .group_by("account_id", "span")
        .agg(
            nw.col("days", "minor").sum(),
            first_on=day.min(),
            last_on=day.max(),
        )
    )


def came_in(frame: NativeFrame, ends: Sequence[date], zone: str) -> pa.Table:
    """By account and span: how often it called, wrote or came."""
    kinds = {"account_id": _TEXT, "direction": _TEXT, "status": _TEXT}
    rows = nw.from_native(completed(frame, kinds)).lazy()
    took_place = nw.col("status").fill_null("held") == "held"
    came = rows.filter((nw.col("direction") == "in") & took_place)
    return _counted(came, "occurred_at", ends, zone)


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


def lateness_at(frame: NativeFrame, *, start: date, day: date, digits: int) -> pa.Table:
    """By account that pays: ``payments`` as was known at the end of a day, all in one."""
    named = nw.from_native(frame)
    has = set(named.collect_schema().names())
    plain = named.drop(*(name for name in _SAID_LATER if name in has))
    found = payments(
        nw.to_native(plain), start=start, as_of=day, digits=digits, is_past=True
    )
    names = ["payer_id", "weight", "floored"]
    return found.select(names).rename_columns(["account_id", *names[1:]])


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
