"""Is the work ahead growing?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import pyarrow as pa

from crm_portfolio._methods._trend import FEWEST, trends
from crm_portfolio.results import Json, significant

__all__ = ["answer", "trend_of"]

_SERIES: Final = (
    "weighted_amount",
    "amount",
    "live_count",
    "open_count",
    "created_count",
)
_COUNTS: Final = ("open_count", "created_count")


def answer(table: pa.Table, alpha: float, *, has_history: bool) -> dict[str, Json]:
    """The trend of each series, and the label of the first that can be told.

    Months before the first opportunity are no data, and amounts of today say nothing of
    then.
    """
    seen = np.flatnonzero(
        np.asarray(table["open_count"].to_numpy() + table["created_count"].to_numpy())
    )
    first = int(seen[0]) if seen.size else len(table)
    found: dict[str, Any] = {
        name: trend_of(
            table[name].slice(first).to_pylist()
            if has_history or name in _COUNTS
            else [],
            alpha,
        )
        for name in _SERIES
    }
    told = [name for name in _SERIES[:4] if found[name]["label"] != "too_short"]
    source = told[0] if told else None
    label = found[source]["label"] if source else "too_short"
    return {"label": label, "of": source, **found}


def trend_of(values: Sequence[float | None], alpha: float) -> dict[str, Json]:
    """Mann-Kendall and Theil-Sen over the months of which the value is known."""
    known = [at for at, each in enumerate(values) if each is not None]
    blank: dict[str, Json] = {"label": "too_short", "points": len(known)}
    names = ("p", "slope", "slope_low", "slope_high", "yearly_share")
    if len(known) < FEWEST:
        return blank | dict.fromkeys(names)
    series = np.array([[float(values[at] or 0) for at in known]])
    start = np.zeros(1, dtype=np.int64)
    found = trends(series, start, times=np.array(known, dtype=np.float64))
    p, slope = float(found.p[0]), float(found.slope[0])
    label = "steady"
    if p < alpha and slope:
        label = "rising" if slope > 0 else "falling"
    median = float(found.median[0])
    figures = (p, slope, float(found.low[0]), float(found.high[0]))
    told = [significant(each) for each in figures]
    told.append(significant(12 * slope / median) if median else None)
    return {"label": label, "points": len(known), **dict(zip(names, told, strict=True))}
