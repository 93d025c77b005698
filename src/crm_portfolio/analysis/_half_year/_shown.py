"""Which lines and spans are drawn of the slope and of the timeline?"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

import pyarrow as pa

from crm_portfolio.analysis._half_year._course import month_name, month_of
from crm_portfolio.analysis._half_year._timeline import last_day

__all__ = ["paths_of", "spans_of"]

Amounts = list[float | None]


def paths_of(slope: pa.Table) -> dict[str, Amounts]:
    """By label: sums by month of what is reached, what usually is, and what is left."""
    if not slope.num_rows:
        return {}
    paths: dict[str, Amounts] = {
        "label_slope_reached": slope["cumulative"].to_pylist(),
        "label_slope_usual": slope["expected_cumulative"].to_pylist(),
        "label_slope_even": _onwards(slope, "required"),
        "label_slope_season": _onwards(slope, "required_by_season"),
    }
    return {
        code: values
        for code, values in paths.items()
        if any(each is not None for each in values)
    }


def _onwards(slope: pa.Table, name: str) -> Amounts:
    """From what is reached on, by what each month that is left requires."""
    needed = slope[name].to_pylist()
    over = sum(slope["is_over"].to_pylist())
    left = needed[over:]
    if None in left or not left:
        return [None] * len(needed)
    reached = slope["cumulative"][over - 1].as_py() if over else 0.0
    path: Amounts = [*accumulate(left, initial=reached)]
    return [*[None] * (over - 1), *path] if over else path[1:]


def spans_of(events: pa.Table, months: Sequence[str]) -> list[tuple[str, int, int]]:
    """Each event's label with the first and the last of its months."""
    place = {name: at for at, name in enumerate(months)}
    last = len(months) - 1
    return [
        (
            row["label"],
            place.get(month_name(month_of(row["from_on"])), 0),
            place.get(month_name(month_of(last_day(row))), last),
        )
        for row in events.to_pylist()
    ]
