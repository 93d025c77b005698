"""What do people judge, who contradicts whom, and which criteria does nobody know?"""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from crm_portfolio._frames import NativeFrame, nw
from crm_portfolio.analysis._facts._lines import collected, completed

__all__ = ["contradictions", "criteria_rated"]

_TEXT, _DAY = pa.string(), pa.date32()


def contradictions(frame: NativeFrame, criteria: Sequence[str]) -> pa.Table:
    """Where one rater judged one account twice on a day, and not alike.

    By account, criterion, rater and day: the ``lowest`` and the ``highest``. Those that
    nobody signed, or dated, are taken for one rater's, or one day's, as in `ratings`.
    """
    by = ["account_id", "criterion", "rated_by", "rated_on"]
    value = nw.col("value")
    found = (
        nw.from_native(completed(frame, {"rated_by": _TEXT, "rated_on": _DAY}))
        .filter(nw.col("criterion").is_in(list(criteria)))
        .group_by(*by)
        .agg(lowest=value.min(), highest=value.max())
        .filter(nw.col("lowest") < nw.col("highest"))
    )
    return collected(found).sort_by([(name, "ascending") for name in by])


def criteria_rated(frame: NativeFrame) -> pa.Table:
    """Each criterion that anything was judged by, with how often."""
    found = (
        nw.from_native(frame)
        .select("criterion", ratings=nw.lit(1, dtype=nw.Int64))
        .group_by("criterion")
        .agg(nw.col("ratings").sum())
    )
    return collected(found).sort_by("criterion")
