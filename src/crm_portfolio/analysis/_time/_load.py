"""How much is open at once, for each role and each person?"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any, Final

import pyarrow as pa

from crm_portfolio.analysis._facts import open_by_owner
from crm_portfolio.analysis._time._projects import Projects
from crm_portfolio.portfolio import Period, Portfolio
from crm_portfolio.results import Json, significant

__all__ = ["load_table", "work_in_progress"]

_LOAD: Final = pa.schema(
    {
        "before_on": pa.date32(),
        "kind": pa.string(),
        "who": pa.string(),
        "open_count": pa.int64(),
    }
)


def load_table(
    portfolio: Portfolio, projects: Projects, steps: Sequence[Period]
) -> pa.Table:
    """Projects by role and sales by owner that were open as each step ended.

    ``who`` is null where nobody says; ids and roles, never names.
    """
    days = [step.end for step in steps if step.end is not None]
    rows = [*_projects(projects, days), *_sales(portfolio, days)]
    return pa.Table.from_pylist(rows, schema=_LOAD).sort_by(
        [(name, "ascending") for name in ("kind", "before_on", "who")]
    )


def _projects(projects: Projects, days: Sequence[date]) -> list[dict[str, Any]]:
    counts: dict[tuple[date, str], int] = {}
    for roles, first, last in projects.spans():
        for day in days:
            if first < day and (last is None or last >= day):
                for role in roles:
                    counts[day, role] = counts.get((day, role), 0) + 1
    return [
        {"before_on": day, "kind": "projects", "who": role or None, "open_count": n}
        for (day, role), n in counts.items()
    ]


def _sales(portfolio: Portfolio, days: Sequence[date]) -> list[dict[str, Any]]:
    if "opportunity" not in portfolio:
        return []
    found = open_by_owner(portfolio, days).to_pylist()
    return [
        {
            "before_on": day,
            "kind": "opportunities",
            "who": row["owner_id"] or None,
            "open_count": row[f"at_{at}"],
        }
        for row in found
        for at, day in enumerate(days)
        if row["dated"] and row[f"at_{at}"]
    ]


def work_in_progress(load: pa.Table, steps: Sequence[Period]) -> dict[str, Json]:
    """How many each role and person had at once as the last step ended."""
    rows, day = load.to_pylist(), steps[-1].end
    assert day is not None
    return {
        kind: _at_once([r for r in rows if r["kind"] == kind], day) for kind in _WHO
    }


_WHO: Final = ("projects", "opportunities")


def _at_once(rows: Sequence[dict[str, Any]], day: date) -> dict[str, Json]:
    """How many have any, the most and the mean; null where nothing was ever open."""
    if not rows:
        return dict.fromkeys(("before_on", "who_count", "most", "mean"))
    # What nobody is named for is no load of a person.
    now = [row["open_count"] for row in rows if row["before_on"] == day and row["who"]]
    return {
        "before_on": day.isoformat(),
        "who_count": len(now),
        "most": max(now, default=0),
        "mean": significant(sum(now) / len(now)) if now else None,
    }
