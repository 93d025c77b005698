"""Which work is due when, and which part of a target does it stand for?"""

from __future__ import annotations

from datetime import date
from typing import Any, Final

import numpy as np
import pyarrow as pa

from crm_portfolio.analysis._ahead._series import Series, worth_of
from crm_portfolio.analysis._ahead._stages import Stages
from crm_portfolio.results import Json, significant

__all__ = ["coverage_share", "due_table", "due_within"]

_DUE: Final = pa.schema(
    [
        ("due_on", pa.date32()),
        ("live_count", pa.int64()),
        ("weighted_minor", pa.float64()),
        ("unweighted_count", pa.int64()),
        ("default_weighted_minor", pa.float64()),
        ("default_unweighted_count", pa.int64()),
    ]
)


def due_table(series: Series, stages: Stages) -> pa.Table:
    """The work that is open at the last day and not stale, by the day it is expected."""
    table, last = series.known.due, series.grid.count - 1
    groups: dict[str, Any] = {
        name: table[name].to_pylist() for name in ("pipeline", "stage", "due")
    }
    groups |= {
        name: table[name].to_numpy()
        for name in ("is_quiet", "count", "unpriced", "minor")
    }
    groups["place"] = np.full(len(table), last)
    worth = worth_of(groups, series.rates, stages)
    days = np.array(groups["due"], dtype=object)
    is_live = days >= series.grid.days[last].isoformat()
    is_live &= ~(series.is_judged[last] & (groups["is_quiet"] == 1))
    rows = []
    for day in sorted(set(days[is_live].tolist())):
        its = is_live & (days == day)
        weighted, unweighted = worth.weighted(its, groups["count"], worth.observed)
        usual, without = worth.weighted(its, groups["count"], worth.usual)
        count = int(groups["count"][its].sum())
        own, other = significant(weighted), significant(usual)
        figures = (count, own, unweighted, other, without)
        rows.append((date.fromisoformat(day), *figures))
    return pa.Table.from_pylist(
        [dict(zip(_DUE.names, row, strict=True)) for row in rows], schema=_DUE
    )


def due_within(table: pa.Table, start: date, end: date, digits: int) -> dict[str, Json]:
    """Work due from ``start`` to before ``end``, weighted by our own and the CRM's rates."""
    its = [row for row in table.to_pylist() if start <= row["due_on"] < end]
    found: dict[str, Json] = {"live_count": sum(row["live_count"] for row in its)}
    for name in ("weighted", "default_weighted"):
        known = [row[f"{name}_minor"] for row in its]
        minor = [each for each in known if each is not None]
        # Of work of which nothing is known, the weight is not known; of none, it is 0.
        is_known = bool(minor) or not its
        found[f"{name}_amount"] = round(sum(minor)) / 10**digits if is_known else None
        missing = "unweighted" if name == "weighted" else "default_unweighted"
        found[f"{missing}_count"] = sum(row[f"{missing}_count"] for row in its)
    return found


def coverage_share(
    weighted: float | None, *, target: float, achieved: float
) -> float | None:
    """Weighted work due over what the target still lacks; None where it lacks nothing."""
    missing = target - achieved
    return None if weighted is None or missing <= 0 else weighted / missing
