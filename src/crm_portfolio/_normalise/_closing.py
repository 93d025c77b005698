"""What did the books look like at the end of the as-of date?"""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio._normalise._rows import (
    leave_out,
    null,
    report,
    set_column,
)
from crm_portfolio.schema import Table

__all__ = ["close_rows", "is_after", "is_later", "without_later"]


def close_rows(
    table: pa.Table, spec: Table, as_of: date, time_zone: str
) -> tuple[pa.Table, list[pa.Table]]:
    """Rows born later left out, later closings undone; accounts have their own rule."""
    later = is_later(table, spec, as_of, time_zone)
    kept, gone = without_later(table, spec, later)
    closed, reopened = _reopened(kept, spec, as_of, time_zone)
    return closed, [*gone, *reopened]


def is_later(
    table: pa.Table, spec: Table, as_of: date, time_zone: str
) -> pa.ChunkedArray:
    """Rows that came after the as-of date.

    A row that was closed by then was there, whenever its record was entered: records
    moved from another CRM are all born on the day of the move.
    """
    if spec.born is None or spec.born not in table.column_names:
        return pa.chunked_array([pa.repeat(pa.scalar(value=False), len(table))])
    later = is_after(table[spec.born], as_of, time_zone)
    if spec.closes is None or spec.closes not in table.column_names:
        return later
    closing = table[spec.closes]
    open_then = pc.or_(closing.is_null(), is_after(closing, as_of, time_zone))
    return pc.and_(later, open_then)


def is_after(values: pa.ChunkedArray, as_of: date, time_zone: str) -> pa.ChunkedArray:
    """Whether each day or moment lies after the as-of date; null does not."""
    after = as_of + timedelta(days=1)
    if pa.types.is_date(values.type):
        later = pc.greater_equal(values, pa.scalar(after, values.type))
    else:
        midnight = datetime.combine(after, time.min, tzinfo=ZoneInfo(time_zone))
        later = pc.greater_equal(values, pa.scalar(midnight, values.type))
    return pc.fill_null(later, fill_value=False)


def without_later(
    table: pa.Table, spec: Table, later: pa.ChunkedArray
) -> tuple[pa.Table, list[pa.Table]]:
    """The rows that had come by then, and a word on each of the others."""
    if not pc.any(later).as_py():
        return table, []
    found = report(table, spec, spec.born or "", "after_as_of", later)
    return leave_out(table, later), [found]


def _reopened(
    table: pa.Table, spec: Table, as_of: date, time_zone: str
) -> tuple[pa.Table, list[pa.Table]]:
    if spec.closes is None or spec.closes not in table.column_names:
        return table, []
    later = is_after(table[spec.closes], as_of, time_zone)
    if not pc.any(later).as_py():
        return table, []
    found = report(table, spec, spec.closes, "reopened_after_as_of", later)
    if spec.name == "opportunity":
        table = _expected_again(table, later)
    for column in spec.columns:
        if column.dated_by == spec.closes and column.name in table.column_names:
            values = table[column.name]
            before = "open" if column.name == "status" else None
            undone = pc.if_else(later, pa.scalar(before, values.type), values)
            table = set_column(table, column.name, undone)
    return table, [found]


def _expected_again(table: pa.Table, later: pa.ChunkedArray) -> pa.Table:
    """The day it was to be closed is the best that was then expected of it."""
    day = pc.if_else(later, table["closed_on"], null(pa.date32()))
    if "expected_close_on" in table.column_names:
        day = pc.coalesce(table["expected_close_on"], day)
    return set_column(table, "expected_close_on", day)
