"""What does each line of revenue say, whatever it is measured by?"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import date
from typing import Any, Final, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio._frames import Backend, NativeFrame, nw, to_arrow, with_nulls
from crm_portfolio._places import in_one, places_of, rows_of
from crm_portfolio.errors import MissingTableError
from crm_portfolio.portfolio import Portfolio
from crm_portfolio.schema import TableName

__all__ = [
    "TABLE_OF",
    "Measure",
    "as_lines",
    "collected",
    "completed",
    "day_number",
    "floor_div",
    "found_at",
    "minor_of",
    "nearest",
    "one_of",
    "placed",
    "places",
    "revenue_lines",
    "seconds_given",
]

Measure = Literal["net_revenue", "booked"]
"""Invoiced revenue net of concessions, or the amount of opportunities won."""
TABLE_OF: Mapping[Measure, TableName] = {
    "net_revenue": "revenue_line",
    "booked": "opportunity",
}

_EPOCH: Final = date(1970, 1, 1)
_MICROSECONDS_A_DAY: Final = 86_400_000_000
_LAST_DIGITS: Final = 1e-15
_A_BIT: Final = 1e-9


def revenue_lines(portfolio: Portfolio, measure: Measure, needed_by: str) -> Any:
    """The long table of the measure, to be scanned, or the error that names it."""
    table = TABLE_OF[measure]
    if table not in portfolio:
        raise MissingTableError(table, needed_by)
    return as_lines(portfolio[table], measure, portfolio.minor_digits).lazy()


def as_lines(frame: NativeFrame, measure: Measure, digits: int) -> Any:
    """Revenue as record_id, account_id, day and minor, whatever it is measured by."""
    key, day, table = "line_id", "booked_on", "revenue_line"
    if measure == "booked":
        key, day, table = "opportunity_id", "closed_on", "opportunity"
    kinds = {"account_id": pa.string(), day: pa.date32(), "amount": pa.float64()}
    lines = nw.from_native(completed(frame, kinds))
    if measure == "booked":
        lines = lines.filter(nw.col("status") == "won")
    return lines.select(
        nw.col(key).alias("record_id"),
        nw.lit(table).alias("table"),
        nw.col("account_id"),
        nw.col(day).alias("day"),
        (nw.col("amount") * float(10**digits)).round(0).cast(nw.Int64).alias("minor"),
    )


def completed(frame: NativeFrame, kinds: Mapping[str, pa.DataType]) -> NativeFrame:
    """The frame with a null column for each that the source cannot give."""
    names = set(nw.from_native(frame).collect_schema().names())
    if names.issuperset(kinds):
        return frame
    lacking = {name: kind for name, kind in kinds.items() if name not in names}
    return with_nulls(frame, lacking)


def collected(frame: Any) -> pa.Table:
    return to_arrow(nw.to_native(frame))


def minor_of(column: str, digits: int) -> Any:
    """An amount in whole minor units."""
    return (nw.col(column) * float(10**digits)).round(0).cast(nw.Int64)


def day_number(day: Any, backend: Backend) -> Any:
    """Days since 1970, as the engine tells them fastest."""
    if backend == "duckdb":
        return day - nw.lit(_EPOCH)
    if backend == "pyspark":
        return (day - nw.lit(_EPOCH)).cast(nw.Int64)
    if backend == "ibis":  # of which narwhals cannot ask how long a span of time is
        return _by_calendar(day)
    # Not as a span of time: of no rows, Polars 1 would lay a literal beside another's length.
    return day.cast(nw.Datetime("us")).dt.timestamp("us") // _MICROSECONDS_A_DAY


def _by_calendar(day: Any) -> Any:
    """Without spans of time: by the year, its leap days and the day in it."""
    before = day.dt.year().cast(nw.Int64) - 1
    leap_days = before // 4 - before // 100 + before // 400
    in_year = day.dt.ordinal_day().cast(nw.Int64)
    return (before * 365 + leap_days + in_year - _EPOCH.toordinal()).cast(nw.Int64)


def floor_div(number: Any, size: int) -> Any:
    """``number // size`` of whole numbers below 2**53, such as days of seconds.

    Several times as fast as ``//`` where an engine has no division that rounds down.
    """
    # pandas casts no null to a whole number.
    found = (number.fill_null(0) / size).floor().cast(nw.Int64)
    return nw.when(~number.is_null()).then(found)


def nearest(values: Any) -> Any:
    """To the nearest whole number, a half to the even one.

    Engines differ in where a half goes. What misses it by the last digits of a float is
    one, as when 2.675 is told in cents; what is whole but for these is the same in all.
    """
    below = values.floor()
    above_half, half = values - below - 0.5, below * 0.5
    is_half = above_half.abs() <= below.abs() * _LAST_DIGITS + _A_BIT
    is_up = nw.when(is_half).then(half != half.floor()).otherwise(above_half > 0)
    return nw.when(is_up).then(below + 1.0).otherwise(below).cast(nw.Int64)


def seconds_given() -> Any:
    """What ``minutes`` say: whole, so that sums do not depend on their order."""
    return nearest(nw.col("minutes") * 60.0)


def one_of(texts: Any, meant: Collection[str]) -> Any:
    """Whether each is one of these; not every engine takes an empty list of them."""
    return texts.is_in(list(meant)) if meant else texts.is_null() & ~texts.is_null()


def places(column: pa.ChunkedArray, ids: pa.Array) -> pa.Array:
    """Where each account stands among these; one told by its place stands there."""
    whose = in_one(column)
    return whose if pa.types.is_integer(whose.type) else places_of(whose, ids)


def found_at(column: pa.ChunkedArray, ids: pa.Array) -> pa.Array:
    """The row of each of these accounts in what a scan found; null where it has none."""
    if not pa.types.is_integer(column.type):
        return rows_of(ids, column)
    at = np.full(len(ids), -1, dtype=np.int64)
    at[column.to_numpy()] = np.arange(len(column))
    return pa.array(at, mask=at < 0)


def placed(column: pa.ChunkedArray, at: pa.Array) -> Any:
    """A column of the scan in the order of the accounts; 0 (or NaT) where it has none."""
    placed = column.take(at)
    if pa.types.is_date(column.type):
        return placed.to_numpy()
    return pc.fill_null(placed.cast(pa.int64()), 0).to_numpy()
