"""Why is this proposed for the freed hours, why is that not, and what limits the answer?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from crm_portfolio._wording import Reason, ReasonValue
from crm_portfolio.analysis._facts import parent_loops, partly_unknown
from crm_portfolio.analysis._freed._hours import Freed
from crm_portfolio.analysis._freed._kinds import ASK_FIRST
from crm_portfolio.analysis._freed._plan import Plan
from crm_portfolio.analysis._loss import Case
from crm_portfolio.portfolio import Portfolio
from crm_portfolio.results import Row

__all__ = ["of_account", "of_candidate", "of_plan", "warnings"]

Summary = Mapping[str, Any]
Values = Mapping[str, ReasonValue]
_SHOWN = 5


def of_account(
    row: Row, candidates: Sequence[Row], summary: Summary, money: Values
) -> Iterator[Reason]:
    """What it frees, or what of it asks for the hours of others."""
    if row["status"] == "lost":
        hours = row["hours_freed"]
        known = {} if hours is None else {"hours": _plain(hours)}
        yield Reason("freed_account" if known else "freed_account_unknown", known)
    elif not candidates:
        yield Reason("freed_none")
    for each in candidates[:_SHOWN]:
        yield from of_candidate(each, summary, money)
    if len(candidates) > _SHOWN:
        yield Reason("freed_more", {"n": len(candidates) - _SHOWN})
    yield from partly_unknown(row)
    yield from of_plan(summary, money)


def of_candidate(row: Row, summary: Summary, money: Values) -> Iterator[Reason]:
    """Chosen, left, or listed apart; and how far its place holds."""
    who = {"candidate": row["candidate_id"]}
    if row["status"] in _APART:
        day = {"deadline_on": row["deadline_on"]} if row["status"] == "overdue" else {}
        yield Reason(_APART[row["status"]], who | day)
        return
    values = {**who, "value": row["value"], "hours": _plain(row["hours"])}
    values |= money
    if row["value"] <= 0:
        yield Reason("freed_worthless", values)
        return
    yield Reason(_WEIGHED[row["status"]], values)
    if row["kind"] == ASK_FIRST:
        yield Reason("freed_win_back_ask")
    if row["value_per_hour"] is None:
        return
    n = summary["plan"]["weighed_count"]
    rate = {
        "rate": round(row["value_per_hour"], 2),
        "rank": row["rank"],
        "n": n,
        **money,
    }
    if row["rank_p10"] is None:
        yield Reason("freed_rank", rate)
    else:
        places = {"best": row["rank_p10"], "worst": row["rank_p90"]}
        yield Reason("freed_rank_range", rate | places)


_WEIGHED = {"chosen": "freed_chosen", "left": "freed_left"}
_APART = {
    "overdue": "freed_overdue",
    "hours_missing": "freed_without_hours",
    "value_missing": "freed_without_value",
    "skill_gap": "freed_without_role",
    "not_weighed": "freed_not_weighed",
}


def _plain(hours: float) -> float:
    """Whole hours without decimals."""
    return int(hours) if hours == int(hours) else hours


def of_plan(summary: Summary, money: Values) -> Iterator[Reason]:
    """The freed hours and the proposal as a whole."""
    freed, plan = summary["freed"], summary["plan"]
    if plan is None:
        return
    names = {"hours": "hours", "reserve": "hours_reserve", "used": "hours_given_out"}
    hours = {short: _plain(freed[name]) for short, name in names.items()}
    yield Reason("freed_whole", {**hours, "accounts": freed["account_count"]})
    if plan["chosen_count"]:
        values = {name: plan[f"value{name}"] for name in ("", "_p10", "_p90")}
        yield Reason(
            "freed_plan",
            {
                "n": plan["chosen_count"],
                "value": values[""],
                "low": values["_p10"],
                "high": values["_p90"],
                **money,
            },
        )
        yield Reason("freed_people_decide")


def warnings(
    portfolio: Portfolio, case: Case, freed: Freed, plan: Plan, months: float
) -> Iterator[Reason]:
    """What limits the answer."""
    yield from case.facts.warnings()
    if loops := parent_loops(portfolio):
        yield Reason("cycle_in_parents", {"n": loops})
    if months != 12:
        yield Reason("loss_annualised", {"months": months})
    if freed.unknown_count:
        yield Reason("hours_missing", {"n": freed.unknown_count})
    if freed.time.given.negative_count:
        yield Reason("effort_negative", {"n": freed.time.given.negative_count})
    if freed.time.given.source == "activity":
        yield Reason("freed_from_activities")
    if freed.is_pooled:
        yield Reason("freed_without_roles")
    elif "" in freed.roles and freed.by_role[freed.roles.index("")]:
        hours = int(freed.by_role[freed.roles.index("")]) / 60
        yield Reason("freed_partly_without_roles", {"hours": _plain(hours)})
    yield from _of_candidates(case, plan)


def _of_candidates(case: Case, plan: Plan) -> Iterator[Reason]:
    counts = {
        str(key): int(n)
        for key, n in zip(*np.unique(plan.status, return_counts=True), strict=True)
    }
    if "skill_gap" in counts:
        found = plan.candidates
        lacking = found.minutes[plan.status == "skill_gap"].sum(axis=0) > 0
        lacking &= ~plan.has_role
        roles = [r for r, lacks in zip(found.roles, lacking, strict=True) if lacks]
        told = Reason(
            "skill_gap", {"n": counts["skill_gap"], "roles": ", ".join(roles)}
        )
        yield told
    for status, code in (
        ("hours_missing", "freed_hours_missing"),
        ("value_missing", "freed_value_missing"),
        ("overdue", "freed_candidates_overdue"),
    ):
        if status in counts:
            yield Reason(code, {"n": counts[status]})
    choice = plan.choice
    if not choice.is_best:
        gap = case.facts.amount(choice.bound - choice.value)
        currency = {"currency": case.facts.currency}
        yield Reason(
            "freed_not_proved", {"n": int(plan.weighed.size), "gap": gap, **currency}
        )
