"""What stands in the frame: one row per line of products."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import pyarrow as pa

from crm_portfolio._methods._digits import twelve_digits
from crm_portfolio._methods._indices import Floats
from crm_portfolio.analysis._facts import RevenueFacts
from crm_portfolio.analysis._time._hours import Hours
from crm_portfolio.analysis._time._lines import UNCLASSIFIED, Lines
from crm_portfolio.analysis._time._space import Space

__all__ = ["core_per_hour", "line_table"]

_HOUR: Final = 3600
_SPACE: Final = {
    "applicable_count": pa.int64(),
    "bought_count": pa.int64(),
    "bought_share": pa.float64(),
    "buyer_count": pa.int64(),
    "open_count": pa.int64(),
    "open_value": pa.float64(),
}


def line_table(
    facts: RevenueFacts, lines: Lines, hours: Hours, space: Space
) -> pa.Table:
    """Every line that sells or takes time, the largest first; what is in none is last.

    A line that nobody noted time for has unknown hours, not none.
    """
    count = len(lines.names)
    seconds = hours.by_place(count)
    worked = np.full(count + 1, np.nan)
    if seconds is not None:
        worked = np.where(seconds > 0, seconds / _HOUR, np.nan)
    margin = np.where(lines.is_costed, facts.money(lines.margin), np.nan)
    revenue = facts.money(lines.revenue)
    is_known = (lines.known_lines > 0) | (lines.lines == 0)
    rate, core = _over(margin, worked), core_per_hour(facts, lines, hours)
    total = int(lines.revenue.sum())
    columns: dict[str, Any] = {
        "line": pa.array([*lines.names, UNCLASSIFIED], pa.string()),
        "core": pa.array(lines.core, pa.string()),
        "worth": pa.array(_worth(lines, rate, core), pa.string()),
        "revenue": _figures(np.where(is_known, revenue, np.nan)),
        "revenue_share": _figures(
            np.where(is_known, lines.revenue / total, np.nan)
            if total > 0
            else np.full(count + 1, np.nan)
        ),
        "margin": _figures(margin),
        "cost_known_share": _figures(
            _over(lines.costed.astype(np.float64), lines.sold.astype(np.float64))
        ),
        "hours": _figures(worked),
        "hours_share": _figures(_over(worked, _named(worked))),
        "margin_per_hour": _figures(rate),
        "margin_per_hour_to_core": _figures(
            np.full(count + 1, np.nan) if core is None or core <= 0 else rate / core
        ),
    }
    told = space.by_line()
    for name, kind in _SPACE.items():
        columns[name] = pa.array(
            [told.get(at, {}).get(name) for at in range(count + 1)], kind
        )
    columns["line_count"] = pa.array(lines.lines)
    columns["known_line_count"] = pa.array(lines.known_lines)
    has_any = (lines.lines > 0) | ~np.isnan(worked)
    order = np.append(np.argsort(-lines.revenue[:-1], kind="stable"), count)
    return pa.table(columns).take(pa.array(order[has_any[order]]))


def core_per_hour(facts: RevenueFacts, lines: Lines, hours: Hours) -> float | None:
    """The margin that an hour on core products brings; None where either is unknown."""
    margin = lines.margin_of("core")
    if margin is None or hours.notes is None:
        return None
    seconds = hours.core_seconds()
    return facts.amount(margin) * _HOUR / seconds if seconds > 0 else None


def _worth(lines: Lines, rate: Floats, core: float | None) -> list[str]:
    """What an hour of each line brings against one of core business."""
    found = []
    for name, each in zip(lines.core, twelve_digits(rate), strict=True):
        if name in ("core", UNCLASSIFIED):
            found.append(name)
        elif core is None or np.isnan(each):
            found.append("unknown")
        else:
            mean = float(twelve_digits(np.array([core]))[0])
            found.append("above_core" if each >= mean else "below_core")
    return found


def _named(worked: Floats) -> Floats:
    """All hours that name a line; what names none is no part of them."""
    whole = np.full(worked.shape, np.nansum(worked[:-1]))
    whole[-1] = np.nan
    return whole


def _over(parts: Floats, wholes: Floats) -> Floats:
    """NaN where either is unknown, or the whole is not above zero."""
    is_known = ~np.isnan(parts) & (wholes > 0)
    found: Floats = np.divide(
        parts, wholes, where=is_known, out=np.full(parts.shape, np.nan)
    )
    return found


def _figures(values: Floats) -> pa.Array:
    return pa.array(twelve_digits(values), mask=np.isnan(values))
