"""How does each account, and each group, stand before and after the loss?"""

from __future__ import annotations

from math import floor

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from crm_portfolio._methods import _loss as formulas
from crm_portfolio._methods._indices import Amounts, part
from crm_portfolio._methods._ranking import League
from crm_portfolio._places import told_at
from crm_portfolio.analysis._facts import Attached, in_words
from crm_portfolio.analysis._loss._case import FINE, Case

__all__ = ["account_table", "group_table", "hours_freed"]

_SECONDS_AN_HOUR = 3600


def account_table(
    case: Case, with_it: Attached, now: League, later: League, groups: pa.Table
) -> pa.Table:
    """By place in the facts."""
    facts, of = case.facts, case.facts.by_account
    unknown = ~of.is_known
    uncosted = unknown | ~case.is_costed
    hours = hours_freed(case, with_it)
    group, critical = told_at(groups, case.group_of), case.critical

    def money(minor: Amounts, mask: npt.NDArray[np.bool_]) -> pa.Array:
        return pa.array(facts.money(minor), mask=mask)

    columns = {"account_id": of.ids} | facts.names(of.ids)
    columns |= {
        "is_lost": pa.array(case.is_lost),
        "revenue": money(of.revenue, unknown),
        "share": now.shares(),
        "revenue_lost": money(case.lost, unknown),
        "revenue_after": money(case.after, unknown),
        "share_after": later.shares(),
        "contribution": money(formulas.scaled(case.contribution, 1 / FINE), uncosted),
        "contribution_lost": money(
            formulas.scaled(case.lost_contribution, 1 / FINE), uncosted
        ),
        "margin_source": in_words(case.source),
        "is_critical": _flags(None if critical is None else critical[0], of.ids),
        "hours_freed": pa.nulls(len(of.ids), pa.float64())
        if hours is None
        else pa.array(hours, mask=np.isnan(hours)),
        "receivable": pa.nulls(len(of.ids), pa.float64())
        if with_it.receivable is None
        else pa.array(facts.money(with_it.receivable)),
        "line_count": pa.array(of.lines),
        "known_line_count": pa.array(of.known_lines),
        "is_taken": pa.array(case.is_taken),
        "ultimate_parent_id": group["ultimate_parent_id"],
        "is_group_critical": group["is_critical"],
    }
    renamed = {"share": "group_share", "share_after": "group_share_after"}
    for name in (*renamed, "dependence", "dependence_after", *_ELSEWHERE):
        columns[renamed.get(name, name)] = group[name]
    return pa.table(columns)


_ELSEWHERE = (
    *("revenue_elsewhere", "growth_elsewhere_share"),
    *("revenue_elsewhere_after", "growth_elsewhere_share_after"),
)


def _flags(flags: npt.NDArray[np.bool_] | None, ids: pa.Array) -> pa.Array:
    return pa.nulls(len(ids), pa.bool_()) if flags is None else pa.array(flags)


def group_table(case: Case, now: League, later: League) -> pa.Table:
    """By place of the groups; what growth elsewhere dilutes them, now and afterwards."""
    facts, of = case.facts, now.of
    unknown, critical = ~of.is_known, case.critical
    columns = {"ultimate_parent_id": of.ids} | facts.names(of.ids)
    columns |= {
        "member_count": pa.array(np.bincount(case.group_of, minlength=len(of.ids))),
        "revenue": pa.array(facts.money(of.revenue), mask=unknown),
        "share": now.shares(),
        "dependence": in_words(now.dependence),
        "is_critical": _flags(None if critical is None else critical[1], of.ids),
        "revenue_after": pa.array(facts.money(later.of.revenue), mask=unknown),
        "share_after": later.shares(),
        "dependence_after": in_words(later.dependence),
    }
    for when, league in (("", now), ("_after", later)):
        missing, growth = _elsewhere(league, case)
        columns[f"revenue_elsewhere{when}"] = missing
        columns[f"growth_elsewhere_share{when}"] = growth
    return pa.table(columns)


def _elsewhere(league: League, case: Case) -> tuple[pa.Array, pa.Array]:
    """What the others must bring for each to come down to the line of dependence."""
    of, total, share = league.of, league.total, case.settings.dependent_share
    if total is None or total <= 0:
        nothing = pa.nulls(of.revenue.size, pa.float64())
        return nothing, nothing
    missing = np.zeros(of.revenue.size)
    growth = np.zeros(of.revenue.size)
    # No more than 1/share of them can stand above the line.
    for at in np.flatnonzero(of.revenue > floor(part(total, share))):
        amount = int(of.revenue[at])
        more = formulas.revenue_elsewhere(amount, total, share)
        missing[at] = case.facts.amount(more)
        grown = formulas.growth_elsewhere(amount, total, share)
        growth[at] = np.nan if grown is None else float(f"{grown:.12g}")
    return (
        pa.array(missing, mask=~of.is_known),
        pa.array(growth, mask=~of.is_known | np.isnan(growth)),
    )


def hours_freed(case: Case, with_it: Attached) -> npt.NDArray[np.float64] | None:
    """Hours a year that each lost account frees; NaN where none were ever noted."""
    if with_it.seconds is None:
        return None
    hours = with_it.seconds * case.settings.scenario.lost_share / _SECONDS_AN_HOUR
    freed: npt.NDArray[np.float64] = np.where(
        case.is_lost, np.where(with_it.has_effort, hours, np.nan), 0.0
    )
    return freed
