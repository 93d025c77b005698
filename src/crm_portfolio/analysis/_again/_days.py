"""On which days, and in which order, do the rows of a scan stand?"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

__all__ = [
    "NEVER",
    "Days",
    "at_ids",
    "at_numbers",
    "days_at",
    "days_in",
    "in_order",
    "local_days",
]

Days = npt.NDArray[np.datetime64]
NEVER: Final = np.datetime64("NaT", "D")

_DAY: Final = pa.date32()


def local_days(moments: pa.ChunkedArray, zone: str) -> Days:
    """The days of these moments where the clocks stand; NaT where there is none."""
    there = pc.local_timestamp(moments.cast(pa.timestamp("us", zone)))
    return days_in(pc.floor_temporal(there, unit="day").cast(_DAY))


def days_in(column: pa.ChunkedArray | pa.Array) -> Days:
    """A column of days; NaT where it has none."""
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    found: Days = array.cast(_DAY).to_numpy(zero_copy_only=False)
    return found.astype("datetime64[D]")


def in_order(rows: pa.Table, *then: str) -> pa.Table:
    """Rows of opportunities by their ids, told by numbers too.

    The numbers are in the order of the ids, but where a table is a file for each year.
    """
    by_number = [(name, "ascending") for name in ("ordinal", *then)]
    rows = rows.sort_by(by_number).combine_chunks()
    ids = rows["opportunity_id"]
    descends = pc.less(ids.slice(1), ids.slice(0, max(len(ids) - 1, 0)))
    if not pc.any(descends).as_py():
        return rows
    by_id = [(name, "ascending") for name in ("opportunity_id", *then)]
    return rows.sort_by(by_id).combine_chunks()


def at_ids(ids: pa.Array | pa.ChunkedArray, found: pa.Table, key: str) -> pa.Array:
    """Where each id stands in what a scan found; null where it does not."""
    at = pc.index_in(ids, found[key].combine_chunks())
    return at.combine_chunks() if isinstance(at, pa.ChunkedArray) else at


def at_numbers(numbers: Any, found: Any) -> pa.Array:
    """Where each of these whole numbers stands in what was found; null where it does not.

    As `at_ids`; a number below 0 is none.
    """
    own, known = (_whole(each) for each in (numbers, found))
    most = max(own.max(initial=-1), known.max(initial=-1))
    place = np.full(most + 2, -1, dtype=np.int64)
    place[known] = np.arange(known.size)
    at = place[np.maximum(own, -1)]
    return pa.array(at, mask=at < 0)


def _whole(numbers: Any) -> npt.NDArray[np.int64]:
    if isinstance(numbers, pa.Array | pa.ChunkedArray):
        numbers = pc.fill_null(numbers, -1).to_numpy()
    found: npt.NDArray[np.int64] = numbers.astype(np.int64)
    return found


def days_at(days: Days, at: pa.Array) -> Days:
    """Days of a scan in another order; NaT where it has none."""
    place = pc.fill_null(at, -1).to_numpy(zero_copy_only=False).astype(np.int64)
    found: Days = np.append(days, NEVER)[place]
    return found
