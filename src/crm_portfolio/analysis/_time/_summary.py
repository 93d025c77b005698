"""What is there to say of all of it?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs
import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio._methods._buffer import runway_months
from crm_portfolio.analysis._facts import RevenueFacts
from crm_portfolio.analysis._tiers import TiersResult
from crm_portfolio.analysis._time._hours import Hours, steps_of
from crm_portfolio.analysis._time._lines import Lines
from crm_portfolio.analysis._time._load import load_table, work_in_progress
from crm_portfolio.analysis._time._projects import DROPPED, PARKED, Projects, summed_up
from crm_portfolio.analysis._time._settings import FocusSettings
from crm_portfolio.analysis._time._space import Space
from crm_portfolio.analysis._time._tables import core_per_hour
from crm_portfolio.analysis._time._worth import Worth
from crm_portfolio.portfolio import Portfolio
from crm_portfolio.results import Json, significant

__all__ = ["Whole", "summary_of"]


@attrs.frozen(eq=False)
class Whole:
    """All that was found, before it is told."""

    facts: RevenueFacts
    settings: FocusSettings
    lines: Lines
    hours: Hours
    projects: Projects
    worth: Worth
    space: Space
    listed: pa.Table
    load: pa.Table
    unfinished: pa.Table
    associations: pa.Table

    @classmethod
    def of(
        cls,
        portfolio: Portfolio,
        facts: RevenueFacts,
        tiers: TiersResult,
        settings: FocusSettings,
    ) -> Whole:
        lines = Lines.of(portfolio, facts)
        projects = Projects.of(portfolio, facts, settings)
        hours = Hours.of(portfolio, facts, settings, lines, projects)
        space = Space.of(portfolio, facts, tiers, lines, settings)
        worth = Worth.of(portfolio, facts, settings, hours, lines)
        return cls(
            facts,
            settings,
            lines,
            hours,
            projects,
            worth,
            space,
            listed=space.listed(),
            load=load_table(portfolio, projects, steps_of(facts, settings)),
            unfinished=projects.unfinished(worth.value),
            associations=space.associations(),
        )


def summary_of(whole: Whole) -> dict[str, Json]:
    """The figures of the firm, of the period where nothing else is said."""
    facts, lines, hours = whole.facts, whole.lines, whole.hours
    settings, associations = whole.settings, whole.associations
    main = None if hours.notes is None else hours.is_main
    told = associations.filter(associations["is_told"])
    return {
        "core": {
            **lines.shares(),
            "hours": hours.shares(),
            "margin_per_hour": significant(core_per_hour(facts, lines, hours)),
            "lines_are": lines.source,
        },
        "focus_index": {
            by: hours.index(main, by) if main is not None else None
            for by in ("kind", "line")
        },
        "work_in_progress": work_in_progress(whole.load, steps_of(facts, settings)),
        "innovation": _innovation(settings, hours),
        "buffer": _buffer(settings, hours, whole.projects),
        "hours": hours.spent(main) if main is not None else None,
        "unfinished": _unfinished(whole),
        "whitespace": whole.space.told(whole.listed),
        "associations": {
            "pair_count": associations.num_rows,
            "told_count": told.num_rows,
            "above_chance_count": _count(pc.greater(told["lift_low"], 1.0)),
            "below_chance_count": _count(pc.less(told["lift_high"], 1.0)),
        },
    }


def _count(which: pa.ChunkedArray) -> int:
    return int(pc.sum(which).as_py() or 0)


def _innovation(settings: FocusSettings, hours: Hours) -> dict[str, Json]:
    """The share of the period, and of how many last steps it is under the target."""
    spent: Mapping[str, Json] = {}
    if hours.notes is not None:
        spent = hours.spent(hours.is_main)
    run = hours.under_count
    last = hours.table.slice(max(hours.table.num_rows - run, 0))
    since = last["starts_on"][0].as_py().isoformat() if run else None
    return {
        "kinds": list(hours.kinds),
        "share": spent.get("innovation_share"),
        "unsorted_share": spent.get("unsorted_share"),
        "target_share": settings.innovation_target_share,
        "under_count": run,
        "under_since_on": since,
        "is_alert": run >= settings.alert_steps,
    }


def _buffer(
    settings: FocusSettings, hours: Hours, projects: Projects
) -> dict[str, Json]:
    """How long the firm lasts, how young its revenue is, what was looked at again."""
    costs = settings.fixed_costs
    monthly = None if costs is None else costs / 12
    young = hours.table["young_revenue_share"].to_pylist()
    return {
        "runway_months": significant(
            runway_months(settings.cash, settings.backlog_contribution, monthly)
        ),
        "runway_months_at_least": significant(
            runway_months(settings.cash, settings.backlog_contribution or 0.0, monthly)
        ),
        "young_revenue_share": young[-1] if young else None,
        "parked_count": projects.count(PARKED),
        # As with the new: where nobody ever notes such work, it is unknown, not none.
        "reviewed_count": None
        if set(hours.kinds_noted).isdisjoint(settings.review_kinds)
        else projects.reviewed_count(),
    }


def _unfinished(whole: Whole) -> dict[str, Json]:
    table, worth = whole.unfinished, whole.worth
    unit = 10**whole.facts.digits
    sunk = significant(sum(table["hours_sunk"].drop_null().to_pylist()))
    unknown = table["hours_sunk"].null_count
    return {
        "project_count": table.num_rows,
        "dropped_count": whole.projects.count(DROPPED),
        "hours_sunk": None if unknown else sunk,
        "hours_sunk_at_least": sunk,
        "hours_sunk_unknown_count": unknown,
        "value_per_hour": significant(
            None if worth.value is None else worth.value / unit
        ),
        "value_per_hour_from": worth.source,
        "weighed_sale_count": worth.sale_count,
        "choices": summed_up(table),
        "stalled_by": _stalled(table),
    }


def _stalled(table: pa.Table) -> dict[str, Json]:
    """How many are held up by what; what nobody says is unknown."""
    counts: dict[str, Any] = {}
    for each in table["stalled_by"].to_pylist():
        counts[each or "unknown"] = counts.get(each or "unknown", 0) + 1
    return dict(sorted(counts.items()))
