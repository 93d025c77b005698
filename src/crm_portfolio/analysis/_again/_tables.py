"""What stands in the frames: by opportunity, by attempt, by class and reason?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio._frames import to_arrow
from crm_portfolio._methods._digits import twelve_digits
from crm_portfolio._methods._indices import Floats
from crm_portfolio._methods._ranking import Flags
from crm_portfolio._places import told_at
from crm_portfolio.analysis._again._candidates import Candidates
from crm_portfolio.analysis._again._days import Days
from crm_portfolio.analysis._again._odds import Odds
from crm_portfolio.analysis._again._past import Past
from crm_portfolio.analysis._again._verdict import (
    MISSING,
    RECOMMENDATIONS,
    RULES,
    SIGNS,
    Verdict,
)
from crm_portfolio.analysis._again._worth import Worth
from crm_portfolio.analysis._facts import listed, named
from crm_portfolio.portfolio import Portfolio
from crm_portfolio.results import Json, significant

__all__ = [
    "assigned_table",
    "attempt_table",
    "candidate_table",
    "owner_names",
    "rate_table",
    "reopening_table",
    "summary_of",
]

_SHOWN: Final = (
    *("account_id", "owner_id", "class", "loss_reason", "loss_reason_by"),
    *("competitor", "is_imputed"),
)


def assigned_table(table: pa.Table, held: pa.Table, today: date) -> pa.Table:
    """Place and waiting time of each candidate; empty where one is none any more.

    A day that has come is not told anew: whoever may be asked, may be asked.

    Args:
        held: What the CRM holds in these fields.
    """
    ids, rank, day = "opportunity_id", "win_back_rank", "not_before_on"
    found = table.select([ids, "rank", day]).rename_columns([ids, rank, day])
    key, ours = found[ids].combine_chunks(), held[ids].combine_chunks()
    wanted = found[day].combine_chunks()
    stands = held[day].combine_chunks().take(pc.index_in(key, value_set=ours))
    latest = pc.max_element_wise(stands, wanted, skip_nulls=False)
    has_come = pc.fill_null(pc.less_equal(latest, pa.scalar(today)), fill_value=False)
    found = found.set_column(2, day, pc.if_else(has_come, stands, wanted))
    over = ours.filter(pc.invert(pc.is_in(ours, value_set=key)))
    nothing = {
        name: pa.nulls(len(over), found.schema.field(name).type) for name in (rank, day)
    }
    return pa.concat_tables([found, pa.table({ids: over, **nothing})])


def candidate_table(
    found: Candidates, odds: Odds, worth: Worth, verdict: Verdict
) -> pa.Table:
    """All candidates: those to try first, the best of them before the rest."""
    table, unit = found.table, worth.unit
    is_hidden = ~verdict.is_scored
    columns: dict[str, Any] = {"opportunity_id": table["opportunity_id"]}
    columns |= {name: table[name] for name in _SHOWN}
    columns["lost_on"] = table["closed_on"]
    columns |= {
        "recommendation": named(verdict.recommended, RECOMMENDATIONS),
        "rule": named(verdict.decides, [*RULES]),
        "otherwise": named(verdict.said, RECOMMENDATIONS),
        "rank": pa.array(verdict.rank, mask=verdict.rank == 0),
        "not_before_on": _days(verdict.not_before),
        "amount": _money(found.amount, unit),
        "value": _money(worth.value, unit, is_hidden),
        "concession_share": _number(worth.concession, is_hidden),
        "odds": _number(odds.value, is_hidden),
        "odds_low": _number(odds.low, is_hidden),
        "odds_high": _number(odds.high, is_hidden),
        "tried_count": pa.array(odds.tries),
        "won_back_count": pa.array(odds.wins),
        "hours": _number(worth.hours, is_hidden),
        "value_before": _money(verdict.before, unit, is_hidden),
        "expected_value": _money(verdict.expected, unit, is_hidden),
        "break_even_odds": _number(verdict.break_even_odds, is_hidden),
        "break_even_hours": _number(verdict.break_even_hours, is_hidden),
        "break_even_hour_value": _money(verdict.break_even_hour_value, unit, is_hidden),
        "paying_attempt_count": pa.array(
            verdict.paying, mask=(verdict.paying < 0) | is_hidden
        ),
        "missing": listed(_by_name(MISSING, verdict.missing), found.size),
        **_contact_columns(found),
        "chase_signs": listed(_by_name(SIGNS, verdict.signs), found.size),
    }
    return told_at(pa.table(columns), verdict.order)


def _contact_columns(found: Candidates) -> dict[str, pa.Array]:
    unknown = np.full(found.size, not found.has_activities)
    before, after = found.seconds.before, found.seconds.after
    return {
        "attempt_count": pa.array(found.attempts, mask=unknown),
        "answer_count": pa.array(found.answers, mask=unknown),
        "silent_attempt_count": pa.array(found.silent, mask=unknown),
        "last_attempt_on": _days(found.last_on),
        "account_attempt_count": pa.array(found.pressed, mask=unknown),
        "discount_raise_count": pa.array(found.raises),
        "hours_before": pa.array(before / 3600, mask=(before == 0) & (after == 0)),
        "hours_after": pa.array(after / 3600, mask=(before == 0) & (after == 0)),
        "news": found.news.code,
        "news_on": _days(found.news.on),
        "is_account_known": pa.array(found.is_account_known),
        "is_owner_active": found.is_owner_active,
        "opted_out_on": _days(found.opted_out_on),
        "opted_out_by": found.opted_out_by,
        "refused_on": _days(found.refused_on),
        "refused_elsewhere_on": _days(found.refused_elsewhere_on),
    }


def attempt_table(odds: Odds) -> pa.Table:
    """Of the past: how many came to each attempt, and how many of those were won."""
    numbers = np.arange(1, odds.hazards.size + 1)
    return pa.table(
        {
            "attempt": pa.array(numbers),
            "tried_count": pa.array(odds.hazard_tries.astype(np.int64)),
            "won_count": pa.array(odds.hazard_wins.astype(np.int64)),
            "odds": _number(odds.hazards),
        }
    )


def rate_table(odds: Odds) -> pa.Table:
    """By class and reason: how many were tried and won, and the rate drawn to all."""
    found = odds.groups
    for name in ("rate", "rate_low", "rate_high"):
        at = found.column_names.index(name)
        values = found[name].to_numpy()
        found = found.set_column(at, name, _number(values))
    return found


def reopening_table(past: Past) -> pa.Table:
    """Kaplan and Meier: the share of the tried that is still not opened again, by month."""
    curve = past.reopening()
    return pa.table(
        {
            "month": pa.array(curve.times.astype(np.int64)),
            "at_risk_count": pa.array(curve.at_risk.astype(np.int64)),
            "reopened_count": pa.array(curve.left.astype(np.int64)),
            "still_lost_share": _number(curve.shares),
        }
    )


def summary_of(
    found: Candidates, odds: Odds, worth: Worth, verdict: Verdict, past: Past
) -> dict[str, Json]:
    hour, unit, trial = worth.hour, worth.unit, odds.trial
    of = dict(zip(RECOMMENDATIONS, verdict.counts, strict=True))
    is_now = verdict.recommended == RECOMMENDATIONS.index("try")
    return {
        "candidate_count": found.size,
        "too_old_count": found.old_count,
        "recommendations": of,
        "expected_value_now": float(verdict.expected[is_now].sum()) / unit,
        "hours_now": significant(float(worth.hours[is_now].sum())),
        "has_refusals": found.has_refusals,
        "has_opt_outs": found.has_opt_outs,
        "past": {
            "tried_count": past.tries,
            "won_count": int(past.is_won[past.is_known].sum()),
            "open_count": int((~past.is_known).sum()),
        },
        "odds": {
            "source": odds.source,
            "asked": "rates" if trial.verdict == "not_asked" else "logistic",
            "verdict": trial.verdict,
            "event_count": trial.events,
            "coefficient_count": trial.coefficients,
            "trained_count": trial.trained,
            "tested_count": trial.tested,
            "split_on": trial.split_on.isoformat() if trial.split_on else None,
            "log_loss_rates": significant(trial.log_loss_rates),
            "log_loss_logistic": significant(trial.log_loss_logistic),
        },
        "hour": {
            "cost": significant(hour.cost / unit),
            "value": significant(hour.value / unit),
            "source": hour.source,
            "available": significant(hour.available),
            "needed": significant(hour.needed),
            "open_count": hour.open_count,
            "unvalued_count": hour.unvalued,
        },
        "chase": {
            **{
                name: int(own.sum())
                for name, own in zip(SIGNS, verdict.signs, strict=True)
            },
            "team_share": significant(found.seconds.team_share),
        },
    }


def owner_names(portfolio: Portfolio) -> Mapping[str, str]:
    """What the people are called who look after accounts."""
    if "owner" not in portfolio:
        return {}
    table = to_arrow(portfolio["owner"])
    if "name" not in table.column_names:
        return {}
    ids, names = (table[name].to_pylist() for name in ("owner_id", "name"))
    return {key: name for key, name in zip(ids, names, strict=True) if name}


def _days(days: Days) -> pa.Array:
    return pa.array(days, pa.date32(), mask=np.isnat(days))


def _number(values: Floats, hidden: Flags | None = None) -> pa.Array:
    mask = ~np.isfinite(values)
    if hidden is not None:
        mask |= hidden
    told = twelve_digits(np.where(mask, 0.0, values))
    return pa.array(told, pa.float64(), mask=mask)


def _money(values: Floats, unit: float, hidden: Flags | None = None) -> pa.Array:
    return _number(values / unit, hidden)


def _by_name(names: Sequence[str], flags: Flags) -> dict[str, Flags]:
    return dict(zip(names, flags, strict=True))
