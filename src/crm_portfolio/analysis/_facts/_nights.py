"""Since which midnight is each opportunity lost, and until when do we look?"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio._frames import NativeFrame, kept, nw, same_kind
from crm_portfolio.analysis._facts._attached import midnight
from crm_portfolio.analysis._facts._lines import collected, completed

__all__ = ["dated_losses", "nights_after", "nights_of", "spans_of_losses"]

_MOMENT: Final = pa.timestamp("us", "UTC")


def spans_of_losses(
    frame: NativeFrame, zone: str, *, until: date, key: str = "opportunity_id"
) -> Any:
    """Lost opportunities, to be joined: ``since_at`` is the midnight after the day."""
    lost = dated_losses(frame).select(key, "closed_on")
    nights = nights_of(frame, zone, until=until)
    # An engine that is told lazily may lay the log beside the few moments first: each
    # contact beside each night before it, before it asks which opportunity it is about.
    return kept(lost.join(nights, on="closed_on", how="inner"))


def dated_losses(frame: NativeFrame) -> Any:
    """Lost opportunities that say on which day; none where no day is told at all."""
    rows = nw.from_native(completed(frame, {"closed_on": pa.date32()})).lazy()
    lost = rows.filter(nw.col("status") == "lost")
    return lost.filter(~nw.col("closed_on").is_null())


def nights_of(frame: NativeFrame, zone: str, *, until: date) -> Any:
    """The span after each of the days on which opportunities were lost."""
    counted = dated_losses(frame).select("closed_on", n=nw.lit(1, dtype=nw.Int64))
    days = collected(counted.group_by("closed_on").agg(nw.col("n").sum()))["closed_on"]
    # Beside it, not as a literal: pandas before 3 compares no moment of Arrow with its own.
    ends = pa.array([midnight(until, zone)] * len(days), _MOMENT)
    moments = pa.table(
        {"closed_on": days, "since_at": nights_after(days, zone), "until_at": ends}
    )
    return nw.from_native(same_kind(moments, frame)).lazy()


def nights_after(days: pa.ChunkedArray | pa.Array, zone: str) -> pa.Array:
    """The midnight after each of these days, where the clocks stand."""
    each = pc.unique(days)
    nights = [midnight(day + timedelta(days=1), zone) for day in each.to_pylist()]
    at = pc.index_in(days, each)
    at = at.combine_chunks() if isinstance(at, pa.ChunkedArray) else at
    return pa.array(nights, _MOMENT).take(at)
