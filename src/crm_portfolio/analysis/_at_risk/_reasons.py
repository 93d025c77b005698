"""What does it mean for this account and for the firm, and what must be borne in mind?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from crm_portfolio._wording import Reason, ReasonValue
from crm_portfolio.analysis._at_risk._clients import Clients
from crm_portfolio.analysis._at_risk._odds import (
    BASE_RATE,
    GIVEN,
    GONE,
    POOLED_RATE,
    RISK,
)
from crm_portfolio.analysis._at_risk._past import Past
from crm_portfolio.analysis._at_risk._settings import RevenueAtRiskSettings
from crm_portfolio.analysis._facts import parent_loops, partly_unknown
from crm_portfolio.portfolio import Portfolio
from crm_portfolio.results import Row

__all__ = ["of_account", "of_firm", "of_year", "warnings"]

Summary = Mapping[str, Any]
Values = Mapping[str, ReasonValue]


def of_account(row: Row, summary: Summary, money: Values) -> Iterator[Reason]:
    """What it brings, at which odds it leaves, with whom, and what that costs us."""
    if row["revenue"] is None:
        yield Reason("revenue_unknown", {"lines": row["line_count"]})
        return
    if row["odds_source"] == GONE:
        values = {"left_on": row["left_on"], "revenue": row["revenue"]}
        yield Reason("var_gone", {**values, **money})
        return
    if row["client_revenue"] is not None and row["client_revenue"] <= 0:
        values = {"group_id": row["client_id"], "revenue": row["client_revenue"]}
        yield Reason("var_excluded", {**values, **money})
        return
    yield _odds(row, summary, money)
    if row["odds_source"] is None and summary["none_left"]:
        yield Reason("var_none_left", summary["none_left"])
    yield from partly_unknown(row)
    if row["client_member_count"] > 1:
        yield _together(row, money)
    if row["expected_loss"] is not None:
        values = {"expected": _about(row["expected_loss"]), "odds": row["client_odds"]}
        yield Reason("var_expected", {**values, "loss": row["loss"], **money})


def _odds(row: Row, summary: Summary, money: Values) -> Reason:
    code = _SOURCES[row["odds_source"]]
    counts = summary["base_rate_counts"]
    values = {"revenue": row["revenue"], "odds": row["odds"]}
    if code == "var_odds_base_rate":
        values |= {"tier": row["tier"], "n": counts[row["tier"]]}
    if code == "var_odds_pooled_rate":
        values |= {"n": sum(counts.values())}
    if row["odds_source"] is None:
        del values["odds"]
    return Reason(code, {**values, **money})


_SOURCES = {
    GIVEN: "var_odds_given",
    RISK: "var_odds_risk",
    BASE_RATE: "var_odds_base_rate",
    POOLED_RATE: "var_odds_pooled_rate",
    None: "var_odds_unknown",
}


def _together(row: Row, money: Values) -> Reason:
    values = {
        "group_id": row["client_id"],
        "members": row["client_member_count"],
        "revenue": row["client_revenue"],
    }
    if row["client_odds"] is None:
        return Reason("var_group_unknown", {**values, **money})
    return Reason("var_group", {**values, "odds": row["client_odds"], **money})


def _about(amount: float) -> float:
    """What is expected, without the cents that nobody can expect."""
    return round(amount, 0 if amount >= 100 else 2)


def of_year(summary: Summary, money: Values) -> Iterator[Reason]:
    """What the firm must expect to lose."""
    alone, revenue = summary["independent"], summary["revenue"]
    if alone is not None and revenue > 0:
        values = {"expected": _about(alone["mean"]), "revenue": revenue}
        share = {"share": alone["mean"] / revenue}
        yield Reason("var_firm", {**values, **share, **money})


def of_firm(
    summary: Summary, settings: Mapping[str, Any], money: Values
) -> Iterator[Reason]:
    """What the year may cost as a whole: each answer without and with the factor."""
    alone, common = summary["independent"], summary["common_factor"]
    yield from of_year(summary, money)
    if alone is None and summary["can_be_lost"]:
        yield Reason("var_unknown")
        if summary["none_left"]:
            yield Reason("var_none_left", summary["none_left"])
    if alone is None or not summary["can_be_lost"]:
        return
    rho = {"factor": settings["common_factor"]}
    for level in settings["levels"]:
        name = f"{100 * level:g}"
        values = {
            "level": level,
            "beyond": round(1 - level, 6),
            "alone": alone[f"var_{name}"],
            "common": common[f"var_{name}"],
            "worst": _about(common[f"es_{name}"]),
        }
        yield Reason("var_level", {**values, **rho, **money})
    for key, code, more in (
        ("one_of_top_probability", "var_top", {"n": len(summary["largest"])}),
        ("loss_year_probability", "var_loss_year", {"edge": summary["safety"]}),
    ):
        if alone[key] is not None and all(value is not None for value in more.values()):
            values = {"alone": alone[key], "common": common[key], **more}
            yield Reason(code, {**values, **rho, **money})


def warnings(
    portfolio: Portfolio,
    clients: Clients,
    settings: RevenueAtRiskSettings,
    summary: Summary,
    past: Past,
) -> Iterator[Reason]:
    """What limits the answer."""
    facts = clients.facts
    if facts.total is not None and facts.total <= 0:
        total = facts.amount(facts.total)
        yield Reason("non_positive_total", {"total": total, "currency": facts.currency})
    yield from facts.warnings()
    if loops := parent_loops(portfolio):
        yield Reason("cycle_in_parents", {"n": loops})
    if summary["period_months"] != 12:
        yield Reason("loss_annualised", {"months": summary["period_months"]})
    yield from _of_odds(clients)
    if summary["none_left"]:
        yield Reason("var_none_left", summary["none_left"])
    yield from past.warnings
    if excluded := int(clients.is_excluded.sum()):
        yield Reason("var_negative_excluded", {"n": excluded})
    if unknown := int((~clients.of.is_known).sum()):
        yield Reason("var_partly_unknown", {"n": unknown})
    if summary["independent"] is not None and summary["safety"] is None:
        known = settings.fixed_costs is not None
        yield Reason("var_margin_missing" if known else "var_fixed_costs_unknown")


def _of_odds(clients: Clients) -> Iterator[Reason]:
    """Who is gone, for whom rates stand in, and of whom nothing is known."""
    facts = clients.facts
    if gone := int(clients.own.is_gone.sum()):
        values = {"n": gone, "revenue": facts.amount(clients.gone)}
        yield Reason("var_gone_left_out", {**values, "currency": facts.currency})
    rated = clients.is_drawn & np.isin(clients.source, (BASE_RATE, POOLED_RATE))
    for code, has in (
        ("base_rate_used", rated),
        ("var_without_odds", clients.is_unrated),
    ):
        if has.any():
            share = int(clients.losses[has].sum()) / int(clients.losses.sum())
            yield Reason(code, {"n": int(has.sum()), "share": share})
