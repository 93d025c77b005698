"""What do counts of the lost and the missed come to?

Functions of the few rows that a scan brings back.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import nan
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio._methods._cuts import Groups
from crm_portfolio._methods._loads import load_groups
from crm_portfolio._methods._rates import difference_bounds, wilson
from crm_portfolio._methods._waits import Waits
from crm_portfolio.analysis._lost._rules import MISSED
from crm_portfolio.results import Json, significant

__all__ = [
    "NO_COUNTS",
    "RESPONSES",
    "by_month",
    "load_names",
    "months_of",
    "named_months",
    "rate_counts",
    "response",
    "told_loads",
    "trends",
]

RESPONSES: Final = pa.schema(
    {
        "record": pa.string(),
        "answered_count": pa.int64(),
        "unanswered_count": pa.int64(),
        "overdue_count": pa.int64(),
        "median_hours": pa.float64(),
        "p90_hours": pa.float64(),
        "limit_hours": pa.float64(),
        **{
            f"within_{name}_{part}": pa.float64()
            for name in ("1h", "24h", "limit")
            for part in ("share", "low", "high")
        },
        "unanswered_share": pa.float64(),
    }
)
"""How soon we answered: hours are working hours, quantiles those of the answered."""

_NAMED: Final = {
    "owner_id": "owner_load",
    "day": "month",
    "created_day": "month",
    "position": "stage_position",
}
_RATE_COUNTS: Final = pa.schema(
    {
        "rate": pa.string(),
        "by": pa.string(),
        "group": pa.string(),
        "count": pa.int64(),
        "of_count": pa.int64(),
    }
)
NO_COUNTS: Final = _RATE_COUNTS.empty_table()


def response(record: str, counted: pa.Table, limit_hours: float) -> dict[str, Json]:
    """One row of `RESPONSES`, from what `answers` counted."""
    is_answered = counted["is_answered"].to_numpy() == 1
    minutes, count = counted["minutes"].to_numpy(), counted["count"].to_numpy()
    waits = Waits(
        minutes[is_answered],
        count[is_answered],
        minutes[~is_answered],
        count[~is_answered],
    )
    still = int(waits.open_count.sum())
    middle, late = (waits.quantile(share) for share in (0.5, 0.9))
    told: dict[str, Json] = {
        "record": record,
        "answered_count": waits.answers,
        "unanswered_count": still,
        "overdue_count": waits.beyond(round(limit_hours * 60)),
        "median_hours": None if middle is None else significant(middle / 60),
        "p90_hours": None if late is None else significant(late / 60),
        "limit_hours": float(limit_hours),
        "unanswered_share": (
            significant(still / (waits.answers + still))
            if waits.answers + still
            else None
        ),
    }
    for name, hours in (("1h", 1), ("24h", 24), ("limit", limit_hours)):
        by_then, of = waits.within(round(hours * 60))
        low, high = wilson(by_then, of) or (None, None)
        told[f"within_{name}_share"] = significant(by_then / of) if of else None
        told[f"within_{name}_low"] = significant(low)
        told[f"within_{name}_high"] = significant(high)
    return told


def months_of(days: pa.ChunkedArray) -> Groups:
    """The month of each day, both counted from 1970; -1 where there is none."""
    known = pc.if_else(pc.equal(days, ""), None, days).cast(pa.int32())
    stamps = pc.fill_null(known, -40_000).cast(pa.date32()).to_numpy()
    months = stamps.astype("datetime64[M]").astype(np.int64)
    return np.where(pc.is_valid(known).to_numpy(), months, -1)


def named_months(months: Groups) -> pa.Array:
    """Such as 2026-06."""
    names = np.datetime_as_string(months.astype("datetime64[M]"))
    return pa.array(names.astype(object), pa.string(), mask=months == -1)


def load_names(owners: Sequence[str], loads: Groups) -> dict[str, str]:
    """Of each owner: from how many to how many open opportunities the like have."""
    groups = load_groups(loads)
    named = {}
    for group in range(int(groups.max(initial=-1)) + 1):
        own = loads[groups == group]
        low, high = int(own.min()), int(own.max())
        named[group] = str(low) if low == high else f"{low}-{high}"
    pairs = zip(owners, groups.tolist(), strict=True)
    return {owner: named[group] for owner, group in pairs if group >= 0}


def told_loads(named: Mapping[str, str], owners: Mapping[str, int]) -> Iterator[Json]:
    """Each group of owners with as much to do, the least first."""
    for load in sorted({*named.values()}, key=_first_number):
        own = [owner for owner, name in named.items() if name == load]
        yield {
            "load": load,
            "owner_count": len(own),
            "open_count": sum(owners[owner] for owner in own),
        }


def rate_counts(
    rate: str, counts: pa.Table, by: Sequence[str], loads: Mapping[str, str]
) -> Iterator[pa.Table]:
    """Hits among all by group; owners by the load of the like, days by their month.

    A column that no row has a value of says nothing, and is left out.
    """
    for column in by:
        own = counts.filter(pc.equal(counts["by"], column))
        group = _grouped(column, own["group"], loads)
        if len(own) and pc.any(pc.is_valid(group)).as_py():
            yield _summed(own, group, rate, _NAMED.get(column, column))


def _grouped(
    column: str, group: pa.ChunkedArray, loads: Mapping[str, str]
) -> pa.Array | pa.ChunkedArray:
    if column == "owner_id":
        return pa.array([loads.get(each) for each in group.to_pylist()], pa.string())
    if column in {"day", "created_day"}:
        return named_months(months_of(group))
    return pc.if_else(pc.equal(group, ""), None, group)


def _summed(
    own: pa.Table, group: pa.Array | pa.ChunkedArray, rate: str, name: str
) -> pa.Table:
    hits = pc.if_else(own["is_hit"], own["count"], 0)
    table = pa.table({"group": group, "of": own["count"], "hits": hits})
    sums = table.group_by("group").aggregate([("hits", "sum"), ("of", "sum")])
    rows = sums.to_pylist()
    by_number = name in {"owner_load", "stage_position"}
    rows.sort(
        key=lambda row: (
            row["group"] is None,
            _first_number(row["group"]) if by_number else 0,
            row["group"] or "",
        )
    )
    columns = {
        "rate": [rate] * len(rows),
        "by": [name] * len(rows),
        "group": [row["group"] for row in rows],
        "count": [row["hits_sum"] for row in rows],
        "of_count": [row["of_sum"] for row in rows],
    }
    return pa.table(columns, schema=_RATE_COUNTS)


def _first_number(name: str | None) -> int:
    return int(name.partition("-")[0]) if name else 0


def by_month(records: pa.Table, digits: int) -> pa.Table:
    """How many were missed in each month, for which cause, and what they would be.

    Args:
        records: ``record``, ``month``, ``class``, ``count``, ``minor``, ``priced_count``
            and ``imputed`` of all that was judged.
    """
    by = ["record", "month", "class"]
    sums = ["count", "minor", "priced_count", "imputed"]
    found = records.group_by(by).aggregate([(name, "sum") for name in sums])
    judged = found.group_by(by[:2]).aggregate([("count_sum", "sum")])
    missed = found.filter(pc.is_in(found["class"], pa.array(MISSED)))
    missed = missed.join(judged, by[:2]).sort_by([(name, "ascending") for name in by])
    missed = missed.combine_chunks()
    amount = pc.divide(missed["minor_sum"].cast(pa.float64()), float(10**digits))
    return pa.table(
        {
            "record": missed["record"],
            "month": named_months(missed["month"].to_numpy()),
            "cause": missed["class"],
            "count": missed["count_sum"],
            "of_count": missed["count_sum_sum"],
            "amount": pc.if_else(
                pc.greater(missed["priced_count_sum"], 0), amount, None
            ),
            "priced_count": missed["priced_count_sum"],
            "imputed_count": missed["imputed_sum"],
        }
    )


def trends(records: pa.Table, end_month: int, span: int) -> Iterator[Json]:
    """Of each cause: is its share lower in the last months than in as many before?

    Args:
        records: ``record``, ``month``, ``class`` and ``count`` of all that was judged.
        end_month: The first month that is not over; months count from 1970.
    """
    month, count = records["month"].to_numpy(), records["count"].to_numpy()
    record, cause = (
        np.array(records[name].to_pylist(), dtype=object)
        for name in ("record", "class")
    )
    is_in = [
        (month >= end_month - back * span) & (month < end_month - (back - 1) * span)
        for back in (2, 1)
    ]
    for kind in ("opportunity", "enquiry"):
        own = record == kind
        of = [int(count[own & each].sum()) for each in is_in]
        for name in MISSED:
            hit = own & (cause == name)
            if hit.any():
                hits = [int(count[hit & each].sum()) for each in is_in]
                told = {"record": kind, "cause": name, "months": span}
                yield told | _change(hits, of)


def _change(hits: Sequence[int], of: Sequence[int]) -> dict[str, Json]:
    """From the months before to the last ones, with the interval of the difference."""
    ends = difference_bounds(([hits[1]], [hits[0]]), ([of[1]], [of[0]]))
    low, high = (float(each[0]) for each in ends)
    before, last = (k / n if n else nan for k, n in zip(hits, of, strict=True))
    trend = "fell" if high < 0 else "rose" if low > 0 else "unproved"
    is_known = all(of)
    return {
        "before_count": hits[0],
        "before_of": of[0],
        "before_share": significant(before),
        "last_count": hits[1],
        "last_of": of[1],
        "last_share": significant(last),
        "change": significant(last - before),
        "change_low": significant(low),
        "change_high": significant(high),
        "trend": trend if is_known else "unknown",
        "is_fixed": trend == "fell" if is_known else None,
    }
