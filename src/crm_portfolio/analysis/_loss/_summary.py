"""What does the supposed loss come to, all in all?"""

from __future__ import annotations

from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio._methods import _indices as indices
from crm_portfolio._methods import _loss as formulas
from crm_portfolio._methods._indices import Amounts
from crm_portfolio._methods._ranking import League
from crm_portfolio.analysis._facts import Attached
from crm_portfolio.analysis._loss._case import FINE, Case, months_in
from crm_portfolio.analysis._loss._recovery import Recovery, starts_on
from crm_portfolio.analysis._loss._scenario import LossScenarioSettings
from crm_portfolio.analysis._loss._tables import hours_freed
from crm_portfolio.portfolio import Calendar
from crm_portfolio.results import Json, json_rows, significant

__all__ = ["summary_of"]


def summary_of(
    case: Case, with_it: Attached, back: Recovery, groups: pa.Table, calendar: Calendar
) -> dict[str, Json]:
    """All figures of the whole; ``groups`` are those of `group_table`."""
    now, later = case.leagues(after=False), case.leagues(after=True)
    return {
        "loss": _loss(calendar, case, with_it),
        "before": case.figures(after=False),
        "after": case.figures(after=True),
        "margins": _margins(case),
        "critical": _critical(groups),
        "tail": _tail(case, now[1]),
        "concentration_before": _concentration(now, case),
        "concentration_after": _concentration(later, case),
        "dependence": _dependence(groups),
        "recovery": [*back.rows()],
        "recovery_from": back.told(),
    }


def _loss(calendar: Calendar, case: Case, with_it: Attached) -> dict[str, Json]:
    """What goes: in a full year, in the first one, in the rest of the firm's year."""
    facts, scenario = case.facts, case.settings.scenario
    begins, lost, total = starts_on(case), int(case.lost.sum()), case.total or 0
    contribution = int(case.lost_contribution.sum())
    is_costed = not (case.is_lost & ~case.is_costed).any()
    left = _months_left(begins, calendar.year_starts)
    parts = {
        "full_year": 1.0,
        "first_year": formulas.lost_in(12, scenario.ramp_months) / 12,
        "this_year": formulas.lost_in(left, scenario.ramp_months) / 12,
    }
    told: dict[str, Json] = {
        "account_count": int(case.is_lost.sum()),
        "group_count": int(np.unique(case.group_of[case.is_lost]).size),
        "excluded": facts.by_account.ids.filter(pa.array(case.is_excluded)).to_pylist(),
        "starts_on": begins.isoformat(),
        "period_months": significant(months_in(facts)),
        "months_left_this_year": significant(left),
        "share": significant(lost / total) if total > 0 else None,
    }
    for name, share in parts.items():
        told[name] = significant(round(lost * share) / 10**facts.digits)
        told[f"contribution_{name}"] = (
            significant(round(contribution * share / FINE) / 10**facts.digits)
            if is_costed
            else None
        )
    hours = hours_freed(case, with_it)
    is_noted = bool((case.is_lost & with_it.has_effort).any())
    told["hours_freed"] = (
        None if hours is None or not is_noted else significant(float(np.nansum(hours)))
    )
    owed = with_it.receivable
    told["receivable"] = (
        None if owed is None else facts.amount(int(owed[case.is_lost].sum()))
    )
    return told


def _months_left(day: date, year_starts: int) -> float:
    """From that day to the end of the firm's year; a broken month by its days."""
    whole = (year_starts - day.month - 1) % 12 + 1
    following = date(day.year + day.month // 12, day.month % 12 + 1, 1)
    days = (following - day.replace(day=1)).days
    return whole - (day.day - 1) / days


def _margins(case: Case) -> dict[str, Json]:
    """How much of the positive revenue has a margin, and what tells it."""
    revenue = np.maximum(case.facts.by_account.revenue, 0)
    total = int(revenue.sum())
    shares = {
        f"from_{source}_share": int(revenue[case.source == source].sum()) / total
        if total
        else None
        for source in ("lines", "settings")
    }
    return {name: significant(share) for name, share in shares.items()}


def _critical(groups: pa.Table) -> dict[str, Json]:
    """The groups without which the firm makes a loss."""
    if groups["is_critical"].null_count:
        return {"count": None, "groups": None}
    found = groups.filter(groups["is_critical"]).sort_by([("revenue", "descending")])
    return {"count": found.num_rows, "groups": found["ultimate_parent_id"].to_pylist()}


def _tail(case: Case, groups: League) -> dict[str, Json]:
    """Article 3's sentence: is what the small ones bring all that keeps us in profit?"""
    tail = case.settings.tail_share
    keep = groups.counted.size - int(indices.part(groups.counted.size, tail))
    share = groups.share(int(groups.counted[keep:].sum()))
    safety = case.figures(after=False)["margin_of_safety"]
    is_known = share is not None and isinstance(safety, float)
    return {
        "tail_share": tail,
        "group_count": groups.counted.size - keep,
        "revenue_share": significant(share),
        "margin_of_safety": safety,
        "exceeds_margin_of_safety": share > safety  # type: ignore[operator]
        if is_known
        else None,
    }


def _concentration(leagues: tuple[League, League], case: Case) -> dict[str, Json]:
    by_account, by_group = leagues
    return {
        "by_account": _figures(by_account, case.settings),
        "by_group": _figures(by_group, case.settings),
    }


def _figures(league: League, settings: LossScenarioSettings) -> dict[str, Json]:
    """Sheet 1.2 to 1.4, on one league table."""
    amounts: Amounts = league.counted
    major = settings.major_share
    shares = {
        "major_share": league.share(int(indices.majors(amounts, major).sum())),
        "customer_concentration": indices.customer_concentration(amounts, major),
        **indices.all_indices(amounts),
    }
    plain = {key: significant(value) for key, value in shares.items()}
    return {"n": amounts.size, **league.kinds, **plain}


def _dependence(groups: pa.Table) -> list[Json]:
    """The groups whose dependence changes, or that growth elsewhere must dilute."""
    columns = [
        *("ultimate_parent_id", "share", "dependence"),
        *("revenue_elsewhere", "growth_elsewhere_share"),
        *("share_after", "dependence_after"),
        *("revenue_elsewhere_after", "growth_elsewhere_share_after"),
    ]
    changes = pc.and_(
        pc.not_equal(groups["dependence"], groups["dependence_after"]),
        pc.not_equal(groups["dependence_after"], "unknown"),
    )
    hangs = pc.or_(
        pc.fill_null(pc.greater(groups["revenue_elsewhere"], 0.0), fill_value=False),
        pc.fill_null(
            pc.greater(groups["revenue_elsewhere_after"], 0.0), fill_value=False
        ),
    )
    found = groups.filter(pc.or_(changes, hangs)).select(columns)
    order = [("share", "descending"), ("ultimate_parent_id", "ascending")]
    return [
        {
            key: significant(value) if isinstance(value, float) else value
            for key, value in row.items()
        }
        for row in json_rows(found.sort_by(order))
    ]
