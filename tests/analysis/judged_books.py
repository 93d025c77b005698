"""Books whose accounts people judged, from best to worst."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

import pyarrow as pa

from crm_portfolio import Portfolio, analysis
from crm_portfolio.analysis import MeasureRules

AS_OF = date(2026, 6, 30)
JUDGED = (
    *("profitability", "service_cost", "payment", "discounts", "reputation", "ethics"),
    *("complexity", "relationship", "innovation", "vision", "displacement"),
    "potential",
)
FIXED = MeasureRules(reference_contribution=0.5)
WAY_BACK = date(2019, 1, 2)

Ratings = Mapping[str, float]


def book(
    ratings: Mapping[str, Ratings],
    *,
    revenue: Mapping[str, float] | None = None,
    cost_share: float | None = None,
    **tables: Any,
) -> Portfolio:
    """Accounts that somebody judged; what is not named is judged as ``rest`` says."""
    ids = [*ratings]
    lines = []
    for each in ids:
        amount = (revenue or {}).get(each, 1000.0)
        cost = None if cost_share is None else amount * cost_share
        lines.append((f"{each}-1", each, date(2026, 3, 2), amount, cost))
        lines.append((f"{each}-0", each, WAY_BACK, 1.0, None))
    said = []
    for each, given_ in ratings.items():
        rest = given_.get("rest")
        for name in JUDGED:
            value = given_.get(name, rest)
            if value is not None:
                said.append((each, name, value, "U1", date(2026, 5, 4)))
        for name in set(given_) - {*JUDGED, "rest"}:
            said.append((each, name, given_[name], "U1", date(2026, 5, 4)))
    columns = ("line_id", "account_id", "booked_on", "amount", "cost")
    frames = {
        "account": pa.table({"account_id": ids, "name": [f"Firm {i}" for i in ids]}),
        "revenue_line": _table(lines, columns),
    }
    if said:
        names = ("account_id", "criterion", "value", "rated_by", "rated_on")
        frames["rating"] = _table(said, names)
    return Portfolio.from_frames(as_of=AS_OF, currency="EUR", **frames | tables)


def _table(rows: list[tuple[Any, ...]], names: tuple[str, ...]) -> pa.Table:
    return pa.table(dict(zip(names, map(list, zip(*rows, strict=True)), strict=True)))


def others(count: int, value: float = 7.0) -> dict[str, Ratings]:
    return {f"Z{at:02d}": {"rest": value} for at in range(count)}


def rows_of(result: analysis.ExitReviewResult) -> dict[str, dict[str, Any]]:
    return {row["account_id"]: row for row in result.arrow.to_pylist()}


def decided(*steps: str, account_id: str = "A") -> pa.Table:
    return pa.table(
        {
            "account_id": [account_id] * len(steps),
            "action": [*steps],
            "decided_by": ["U1"] * len(steps),
            "decided_on": [date(2026, 1, 10 + at) for at in range(len(steps))],
            "reason": ["They were asked."] * len(steps),
        }
    )
