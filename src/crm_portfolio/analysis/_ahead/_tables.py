"""Which rows does the result have: months, stages, owners?"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

import numpy as np
import pyarrow as pa

from crm_portfolio.analysis._ahead._series import Series
from crm_portfolio.analysis._ahead._stages import Stages
from crm_portfolio.results import significant

__all__ = ["amounts_of", "month_table", "now_of", "owner_table", "stage_table"]

_AMOUNTS: Final = (
    *("amount", "stale_amount", "weighted_amount", "default_weighted_amount"),
)
_OF_THEN: Final = (
    *("live_count", "stale_count", "stale_amount"),
    *("weighted_amount", "unweighted_count"),
    *("default_weighted_amount", "default_unweighted_count"),
)
_WHOLE, _SHARE = pa.int64(), pa.float64()
_MONTHS: Final = pa.schema(
    [
        ("month", pa.string()),
        ("at_on", pa.date32()),
        ("open_count", _WHOLE),
        ("live_count", _WHOLE),
        ("stale_count", _WHOLE),
        ("amount", _SHARE),
        ("stale_amount", _SHARE),
        ("unknown_amount_count", _WHOLE),
        ("weighted_amount", _SHARE),
        ("unweighted_count", _WHOLE),
        ("default_weighted_amount", _SHARE),
        ("default_unweighted_count", _WHOLE),
        ("amount_basis", pa.string()),
        ("is_silence_known", pa.bool_()),
        ("mean_age_days", _SHARE),
        ("created_count", _WHOLE),
        ("won_count", _WHOLE),
        ("lost_count", _WHOLE),
        ("win_rate_share", _SHARE),
        ("win_rate_low_share", _SHARE),
        ("win_rate_high_share", _SHARE),
        ("median_cycle_days", _SHARE),
    ]
)


def month_table(series: Series, months: int, *, has_history: bool) -> pa.Table:
    """One row for each month, as known at its end."""
    rows = []
    for place in range(1, months + 1):
        day = series.grid.days[place]
        row = {
            "month": f"{day - timedelta(days=1):%Y-%m}",
            "at_on": day,
            "amount_basis": "as_known" if has_history else "current_value",
            "is_silence_known": bool(series.is_judged[place]),
            **amounts_of(series.at(place), series.grid.digits),
            **({} if has_history else _blank(series, place)),
            **series.flow(place),
        }
        rows.append({name: _told(value) for name, value in row.items()})
    return pa.Table.from_pylist(rows, schema=_MONTHS)


def _blank(series: Series, place: int) -> dict[str, Any]:
    """Without a history: what is open can be counted, and no more is of that date."""
    amount = series.amount(series.groups["place"] == place)
    return {
        **dict.fromkeys(_OF_THEN),
        "amount": _rounded(amount, series.grid.digits),
    }


def now_of(series: Series) -> dict[str, Any]:
    """What is open at the end of the as-of date."""
    found = amounts_of(series.at(series.grid.count - 1), series.grid.digits)
    return {name: _told(value) for name, value in found.items()}


def amounts_of(row: Mapping[str, Any], digits: int) -> dict[str, Any]:
    """The row with its amounts in the currency, to the minor unit."""
    told = dict(row)
    for name in _AMOUNTS:
        value = told[name]
        told[name] = None if value is None else _rounded(value, digits)
    return told


def stage_table(series: Series, stages: Stages) -> pa.Table:
    """The live work of today by stage: our own rate beside the CRM's."""
    last = series.grid.count - 1
    mine = (series.groups["place"] == last) & ~series.is_stale
    pairs = zip(series.groups["pipeline"], series.groups["stage"], strict=True)
    keys: dict[tuple[str, str], list[int]] = {}
    for at, pair in enumerate(pairs):
        if mine[at]:
            keys.setdefault(pair, []).append(at)
    rows = [
        _stage(series, stages, *pair, np.array(keys[pair])) for pair in sorted(keys)
    ]
    return pa.Table.from_pylist(rows, schema=_STAGES)


def _stage(
    series: Series, stages: Stages, pipeline: str, stage: str, at: Any
) -> dict[str, Any]:
    seen = series.rates[-1]
    row = seen.at.get(stage)
    shrunk = None if row is None else seen.shrunk
    rows = np.zeros(len(series.is_stale), dtype=bool)
    rows[at] = True
    many, digits = series.groups["count"], series.grid.digits
    weighted, _ = series.worth.weighted(rows, many, series.worth.observed)
    usual, _ = series.worth.weighted(rows, many, series.worth.usual)
    priced = int(series.worth.priced[at].sum())
    amount = int(series.worth.minor[at].sum()) if priced else None
    told = {
        "pipeline": pipeline or None,
        "stage": stage or None,
        "live_count": int(many[at].sum()),
        "unknown_amount_count": int(many[at].sum()) - priced,
        "amount": _rounded(amount, digits),
        "won_before_count": None if row is None else int(seen.wins[row]),
        "closed_before_count": None if row is None else int(seen.tries[row]),
        "win_rate_share": None if shrunk is None else shrunk.rates[row],
        "win_rate_low_share": None if shrunk is None else shrunk.low[row],
        "win_rate_high_share": None if shrunk is None else shrunk.high[row],
        "default_probability_share": stages.odds_of(pipeline, stage),
        "weighted_amount": _rounded(weighted, digits),
        "default_weighted_amount": _rounded(usual, digits),
    }
    return {name: _told(value) for name, value in told.items()}


def owner_table(series: Series, months: int) -> pa.Table:
    """Whose work it was at the end of each month."""
    known, digits = series.known.open, series.grid.digits
    place = series.groups["place"]
    owners = np.array(known["owner_id"].to_pylist(), dtype=object)
    rows = []
    for at in range(1, months + 1):
        day = series.grid.days[at]
        for owner in sorted(set(owners[place == at].tolist())):
            its = (place == at) & (owners == owner)
            live, priced = its & ~series.is_stale, series.worth.priced
            amount = int(series.worth.minor[live].sum())
            has_some = priced[live].sum() or not live.any()
            rows.append(
                {
                    "month": f"{day - timedelta(days=1):%Y-%m}",
                    "owner_id": owner or None,
                    "open_count": int(series.groups["count"][its].sum()),
                    "stale_count": int(
                        series.groups["count"][its & series.is_stale].sum()
                    ),
                    "amount": _rounded(amount, digits) if has_some else None,
                    "unknown_amount_count": int(series.groups["unpriced"][its].sum()),
                }
            )
    return pa.Table.from_pylist(rows, schema=_OWNERS)


def _rounded(minor: float | None, digits: int) -> float | None:
    """In the currency; half a minor unit goes to the even one."""
    if minor is None:
        return None
    whole: int = round(significant(float(minor)) or 0.0)
    return whole / float(10**digits)


def _told(value: Any) -> Any:
    if isinstance(value, float | np.floating):
        return significant(float(value))
    return value


_STAGES: Final = pa.schema(
    [
        ("pipeline", pa.string()),
        ("stage", pa.string()),
        ("live_count", _WHOLE),
        ("unknown_amount_count", _WHOLE),
        ("amount", _SHARE),
        ("won_before_count", _WHOLE),
        ("closed_before_count", _WHOLE),
        ("win_rate_share", _SHARE),
        ("win_rate_low_share", _SHARE),
        ("win_rate_high_share", _SHARE),
        ("default_probability_share", _SHARE),
        ("weighted_amount", _SHARE),
        ("default_weighted_amount", _SHARE),
    ]
)
_OWNERS: Final = pa.schema(
    [
        ("month", pa.string()),
        ("owner_id", pa.string()),
        ("open_count", _WHOLE),
        ("stale_count", _WHOLE),
        ("amount", _SHARE),
        ("unknown_amount_count", _WHOLE),
    ]
)
