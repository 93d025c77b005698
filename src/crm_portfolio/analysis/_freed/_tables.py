"""What stands in the frames: by account, by candidate, by role, and all in all?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio._frames import NativeFrame, to_arrow
from crm_portfolio._methods._cuts import Groups
from crm_portfolio._methods._ranking import Flags
from crm_portfolio._places import places_of, told_at
from crm_portfolio.analysis._facts import SaleTime, in_words
from crm_portfolio.analysis._freed._hours import Freed
from crm_portfolio.analysis._freed._plan import STATUSES, Plan
from crm_portfolio.analysis._loss import Case, starts_on
from crm_portfolio.portfolio import Period
from crm_portfolio.results import Json, significant

__all__ = ["account_table", "candidate_table", "role_table", "summary_of"]


def candidate_table(case: Case, plan: Plan) -> pa.Table:
    """All candidates: first those weighed, by rank, then those listed apart, by id."""
    found, unit = plan.candidates, 10**case.facts.digits
    is_weighed = plan.rank > 0
    minutes = found.minutes.sum(axis=1)
    expected = found.expected / unit
    rate = np.divide(
        60 * expected, minutes, where=minutes > 0, out=np.zeros(found.size)
    )
    low, high = plan.range_of_each()
    columns: dict[str, Any] = {
        name: found.table[name] for name in found.table.column_names
    }
    if columns["name"].null_count == found.size:
        del columns["name"]
    columns |= {
        "status": in_words(plan.status),
        "rank": pa.array(plan.rank, mask=~is_weighed),
        "hours": pa.array(minutes / 60, mask=~found.is_timed),
        "value": pa.array(expected, mask=~found.is_valued),
        "odds": pa.array(found.odds, mask=np.isnan(found.odds) | ~found.is_valued),
        "value_per_hour": pa.array(
            rate, mask=~(found.is_timed & found.is_valued & (minutes > 0))
        ),
        "value_p10": pa.array(low / unit, mask=np.isnan(low)),
        "value_p90": pa.array(high / unit, mask=np.isnan(high)),
    }
    ranks = plan.ranks() or (np.zeros(found.size, np.int64),) * 2
    for name, each in zip(("rank_p10", "rank_p90"), ranks, strict=True):
        columns[name] = pa.array(each, mask=each == 0)
    for at, role in enumerate(found.roles):
        columns[f"hours_{role or 'any_role'}"] = pa.array(
            found.minutes[:, at] / 60, mask=~found.is_timed
        )
    order = np.lexsort((plan.rank, ~is_weighed))
    return told_at(pa.table(columns), order)


def role_table(
    portfolio_capacity: NativeFrame | None, case: Case, freed: Freed, plan: Plan
) -> pa.Table:
    """Hours by role: freed, kept free, given out, left, and what they are held against."""
    roles = plan.candidates.roles
    by_role, reserve = (
        freed.on(roles, each) for each in (freed.by_role, freed.reserve)
    )
    seconds = freed.time.seconds.sum(axis=0, dtype=np.int64)
    is_open = np.full(len(roles), not freed.is_known)
    whole = {
        "hours_freed": by_role,
        "hours_reserve": reserve,
        "hours_used": plan.used,
        "hours_left": plan.room - plan.used,
    }
    columns: dict[str, Any] = {
        "role": pa.array([role or None for role in roles], pa.string())
    }
    columns |= {name: pa.array(each / 60, mask=is_open) for name, each in whole.items()}
    columns["hours_wanted"] = pa.array(plan.wanted / 60)
    worked = freed.on(roles, seconds) / 3600
    columns["hours_worked"] = pa.array(worked, mask=worked == 0)
    capacity = _capacity(portfolio_capacity, case.facts.period)
    columns["hours_capacity"] = pa.array(
        [significant(capacity.get(role)) for role in roles], pa.float64()
    )
    return pa.table(columns)


def _capacity(frame: NativeFrame | None, period: Period) -> Mapping[str, float]:
    """Hours a year that each role can give, by the days of its spans in the period."""
    if frame is None:
        return {}
    hours: dict[str, float] = {}
    days: dict[str, int] = {}
    for row in to_arrow(frame).to_pylist():
        first, last = row["from_on"], row["to_on"]
        assert period.start is not None
        inside = (min(last, period.last_day) - max(first, period.start)).days + 1
        if inside > 0:
            share = inside / ((last - first).days + 1)
            hours[row["role"]] = hours.get(row["role"], 0.0) + row["hours"] * share
            days[row["role"]] = days.get(row["role"], 0) + inside
    return {role: each * 365.2425 / days[role] for role, each in hours.items()}


def account_table(case: Case, freed: Freed, plan: Plan) -> pa.Table:
    """What each account frees, and what of it asks for hours."""
    facts, of = case.facts, case.facts.by_account
    found = plan.candidates
    at = pc.fill_null(places_of(found.table["account_id"], of.ids), -1)
    place = at.to_numpy(zero_copy_only=False).astype(np.int64)

    def counted(which: Flags) -> Groups:
        mine = which & (place >= 0)
        return np.bincount(place[mine], minlength=len(of.ids)).astype(np.int64)

    chosen = counted(plan.is_chosen)
    weighed = counted(plan.rank > 0)
    every = counted(np.ones(found.size, dtype=bool))
    status = np.select(
        [case.is_taken, chosen > 0, weighed > 0, every > 0],
        ["lost", "chosen", "left", "apart"],
        default="none",
    )
    hours = np.where(case.is_taken, freed.by_account / 60, 0.0)
    table = pa.table(
        {
            "account_id": of.ids,
            **facts.names(of.ids),
            "status": in_words(status),
            "revenue": pa.array(facts.money(of.revenue), mask=~of.is_known),
            "hours_freed": pa.array(hours, mask=np.isnan(hours)),
            "candidate_count": pa.array(every),
            "chosen_count": pa.array(chosen),
            "line_count": pa.array(of.lines),
            "known_line_count": pa.array(of.known_lines),
        }
    )
    first = np.lexsort((-np.nan_to_num(hours), -chosen, ~case.is_taken))
    return told_at(table, first)


def summary_of(
    case: Case, freed: Freed, plan: Plan, sale: SaleTime | None
) -> dict[str, Json]:
    """The freed hours, the plan for them, and what the estimates stand on."""
    is_known, unit = freed.is_known, 10**case.facts.digits
    minutes = {
        "hours": freed.by_role,
        "hours_reserve": freed.reserve,
        "hours_given_out": plan.used,
    }
    hours = freed.settings.hours_per_sale
    told = hours is not None or sale is not None
    return {
        "freed": {
            "account_count": int(case.is_taken.sum()),
            "unknown_count": freed.unknown_count,
            "starts_on": starts_on(case).isoformat(),
            "source": freed.time.given.source,
            **{
                name: int(each.sum()) / 60 if is_known else None
                for name, each in minutes.items()
            },
        },
        "plan": _of_plan(plan, unit) if is_known else None,
        "candidates": {each: int((plan.status == each).sum()) for each in STATUSES},
        "left_out": dict(plan.candidates.left_out),
        "hours_per_sale": {
            "source": ("settings" if hours is not None else "books") if told else None,
            "sale_count": None if sale is None or hours is not None else sale.count,
            "by_role": {
                role: significant(each)
                for role, each in (hours or _hours(sale) if told else {}).items()
            },
        },
    }


def _hours(sale: SaleTime | None) -> dict[str, float]:
    return {} if sale is None else {r: s / 3600 for r, s in sale.seconds.items()}


def _of_plan(plan: Plan, unit: int) -> dict[str, Json]:
    choice = plan.choice
    gap = choice.bound - choice.value
    return {
        "weighed_count": int(plan.weighed.size),
        "chosen_count": int(plan.is_chosen.sum()),
        "value": choice.value / unit,
        **{
            f"value_p{round(100 * x)}": plan.together(x) / unit for x in (0.1, 0.5, 0.9)
        },
        "value_by_rate_alone": plan.by_rate_alone / unit,
        "is_best": choice.is_best,
        "at_most": choice.bound / unit,
        "gap_share": significant(gap / choice.bound) if choice.bound else 0.0,
        "draws": plan.drawn.draws,
    }
