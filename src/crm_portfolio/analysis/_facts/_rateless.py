"""Which revenue was left out because no exchange rate of its day was known?

The portfolio does not hold it: of each such line only its fault says whose it was, and when.
"""

from __future__ import annotations

import json
from datetime import date
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio._frames import to_arrow
from crm_portfolio.analysis._facts._lines import TABLE_OF, Measure, places
from crm_portfolio.portfolio import Period, Portfolio

__all__ = ["counted", "rateless"]

_ROWS: Final = pa.schema(
    [
        ("record_id", pa.string()),
        ("table", pa.string()),
        ("account_id", pa.string()),
        ("day", pa.date32()),
        ("minor", pa.int64()),
        ("fault", pa.string()),
    ]
)
_KEYS: Final = {
    "revenue_line": ("line_id", "booked_on"),
    "opportunity": ("opportunity_id", "closed_on"),
}


def rateless(portfolio: Portfolio, measure: Measure) -> pa.Table:
    """The lines, or the opportunities won, that have no rate: whose, and of which day."""
    table = TABLE_OF[measure]
    faults = to_arrow(portfolio.faults).select(["table", "fault", "said"])
    mine = pc.and_(pc.equal(faults["table"], table), pc.equal(faults["fault"], _CODE))
    key, day = _KEYS[table]
    rows = [
        {"record_id": said.get(key), "table": table, "fault": "without_rate"}
        | {"account_id": said.get("account_id"), "day": _day(said.get(day))}
        for said in map(_said, faults.filter(mine)["said"].to_pylist())
        if measure == "net_revenue" or said.get("status") == "won"
    ]
    return pa.Table.from_pylist(rows, schema=_ROWS).sort_by("record_id")


def counted(found: pa.Table, ids: pa.Array, period: Period) -> npt.NDArray[np.int64]:
    """How many of them each account has in the period; one without a day is in any."""
    start, end = (pa.scalar(day, pa.date32()) for day in (period.start, period.end))
    is_in = pc.and_(pc.greater_equal(found["day"], start), pc.less(found["day"], end))
    mine = found.filter(pc.fill_null(is_in, fill_value=True))
    at = pc.drop_null(places(mine["account_id"], ids))
    return np.bincount(at.to_numpy(), minlength=len(ids)).astype(np.int64)


_CODE: Final = "no_rate"


def _said(row: str | None) -> dict[str, Any]:
    """What the row said; nothing in books of an older version."""
    said: dict[str, Any] = json.loads(row) if row else {}
    return said


def _day(said: str | None) -> date | None:
    return None if said is None else date.fromisoformat(said)
