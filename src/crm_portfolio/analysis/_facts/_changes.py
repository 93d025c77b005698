"""What was each field changed to, from which place to which was it so, and what before?"""

from __future__ import annotations

from typing import Final

import pyarrow as pa

from crm_portfolio._frames import NativeFrame, backend_of, nw
from crm_portfolio.analysis._facts._clock import seconds
from crm_portfolio.analysis._facts._grid import Frame, Grid, places, status_of
from crm_portfolio.analysis._facts._lines import completed

__all__ = ["FIELDS", "field_changes", "spans_of"]

_TEXT = pa.string()
_ID: Final = "opportunity_id"
_MOMENT: Final = (_ID, "field", "changed_at")
FIELDS: Final = (
    *("stage", "pipeline", "owner_id", "expected_close_on"),
    *("amount", "original_amount"),
)


def field_changes(frame: NativeFrame, grid: Grid) -> Frame:
    """The changes we ask for, with what they mean and at which places they stand."""
    rows = nw.from_native(completed(frame, {"old": _TEXT, "new": _TEXT})).lazy()
    at, until_at = (
        seconds(nw.col(name), backend_of(frame)) for name in ("changed_at", "until_at")
    )
    until = places(until_at, grid.edges).fill_null(grid.count)
    rows = rows.filter(nw.col("field").is_in(FIELDS)).select(
        _ID,
        *("field", "old", "new", "changed_at", "until_at"),
        at=at,
        first=places(at, grid.edges),
        end=until,
    )
    # Between two that contradict each other one is missing: nobody knows what stood then.
    following = _moments(rows).select(*_MOMENT, "least", "most")
    rows = rows.join(
        following,
        left_on=[_ID, "field", "until_at"],
        right_on=[*_MOMENT],
        how="left",
    )
    said = nw.col("new").fill_null("")
    is_gap = (nw.col("least") == nw.col("most")) & (nw.col("least") != said)
    is_stage = nw.col("field") == "stage"
    return rows.with_columns(
        is_gap=nw.when(is_gap.fill_null(value=False)).then(1).otherwise(0),
        was=nw.when(is_stage)
        .then(status_of(nw.col("old"), grid))
        .otherwise(nw.lit("")),
        now=nw.when(is_stage)
        .then(status_of(nw.col("new"), grid))
        .otherwise(nw.lit("")),
    )


def spans_of(told: Frame, grid: Grid) -> Frame:
    """What each field said, from one place to before another.

    Of a field that was ever changed every place has its span; where nobody knows what
    it said then, ``has`` is 0.
    """
    start = nw.when(nw.col("is_gap") == 0)
    said = told.select(
        *(_ID, "field", "first", "end"), value=start.then(nw.col("new")), has=nw.lit(1)
    )
    earliest = told.group_by(_ID, "field").agg(nw.col("changed_at").min())
    opening = _moments(told).join(earliest, on=[*_MOMENT], how="inner")
    dark = nw.lit(grid.dark, dtype=nw.Int64)
    before = opening.select(
        *(_ID, "field"), first=dark, end="first", value="value", has=nw.lit(1)
    )
    unknown = opening.select(
        *(_ID, "field"),
        first=nw.lit(0, dtype=nw.Int64),
        end=nw.when(nw.col("first") < dark).then(nw.col("first")).otherwise(dark),
        value=nw.lit(None, dtype=nw.String),
        has=nw.lit(0),
    )
    rows = nw.concat([said, before, unknown])
    return rows.filter(nw.col("first") < nw.col("end"))


def _moments(rows: Frame) -> Frame:
    """A row for each moment of a field: the least and the most that stood before it.

    Texts are compared only where several changes share a moment, which few do: pandas
    would walk through all groups one by one.
    """
    rows = rows.select(
        *_MOMENT, "first", "old", said=nw.col("old").fill_null(""), count=nw.lit(1)
    )
    counts = rows.group_by(*_MOMENT).agg(nw.col("count").sum())
    its = rows.drop("count").join(counts, on=[*_MOMENT], how="inner")
    alone = its.filter(nw.col("count") == 1).select(
        *_MOMENT, "first", value="old", least="said", most="said"
    )
    several = (
        its.filter(nw.col("count") > 1)
        .group_by(*_MOMENT)
        .agg(
            nw.col("first").min(),
            value=nw.col("old").min(),
            least=nw.col("said").min(),
            most=nw.col("said").max(),
        )
    )
    return nw.concat([alone, several])
