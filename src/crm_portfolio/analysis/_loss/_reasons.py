"""What does the supposed loss mean for this account, and what must be borne in mind?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from crm_portfolio._wording import Reason, ReasonValue
from crm_portfolio.analysis._facts import Attached, parent_loops, partly_unknown
from crm_portfolio.analysis._loss._case import Case
from crm_portfolio.analysis._loss._recovery import Recovery
from crm_portfolio.portfolio import Portfolio
from crm_portfolio.results import Row

__all__ = ["of_account", "of_scenario", "warnings"]

Summary = Mapping[str, Any]
Values = Mapping[str, ReasonValue]


def of_account(
    row: Row, summary: Summary, money: Values, threshold: float
) -> Iterator[Reason]:
    """Lost or not, whether it alone would break the firm, and how much hangs on it."""
    yield _what(row, money)
    yield from partly_unknown(row)
    if row["revenue"] is not None and row["is_lost"]:
        yield from _attached(row, money)
    yield from _critical(row, summary, money)
    yield from _dependence(row, money, threshold)


def _what(row: Row, money: Values) -> Reason:
    if row["revenue"] is None:
        code = "loss_unknown" if row["is_taken"] else "revenue_unknown"
        return Reason(code, {"lines": row["line_count"]})
    values = {"revenue": row["revenue"], "share": row["share"], **money}
    if row["is_lost"]:
        return Reason("loss_lost", values | {"lost": row["revenue_lost"]})
    if row["is_taken"]:
        return Reason("loss_excluded", {"revenue": row["revenue"], **money})
    if row["share_after"] is None:
        return Reason("loss_kept_without_share", {"revenue": row["revenue"], **money})
    return Reason("loss_kept", values | {"share_after": row["share_after"]})


def _attached(row: Row, money: Values) -> Iterator[Reason]:
    if row["contribution_lost"] is not None:
        values = {"contribution": row["contribution_lost"], **money}
        yield Reason(_CONTRIBUTION[row["margin_source"]], values)
    if row["hours_freed"]:
        yield Reason("loss_hours", {"hours": row["hours_freed"]})
    if row["receivable"]:
        yield Reason("loss_receivable", {"receivable": row["receivable"], **money})


def _critical(row: Row, summary: Summary, money: Values) -> Iterator[Reason]:
    if row["is_critical"] is None or not row["revenue"]:
        return
    profit = summary["before"]["profit"]
    values = {"contribution": row["contribution"], "profit": profit, **money}
    if row["is_critical"]:
        yield Reason("loss_critical", values)
    elif row["is_group_critical"]:
        group = {"group_id": row["ultimate_parent_id"]}
        yield Reason("loss_critical_group", values | group)
    else:
        yield Reason("loss_not_critical", values)


def _dependence(row: Row, money: Values, threshold: float) -> Iterator[Reason]:
    """How its group stands afterwards, and what growth elsewhere would change it."""
    group = {"group_id": row["ultimate_parent_id"]}
    before, after = row["dependence"], row["dependence_after"]
    if before != after and after in _BECOMES:
        share = {"share": row["group_share_after"]}
        yield Reason(_BECOMES[after], group | share)
    if row["revenue_elsewhere"]:
        yield _elsewhere("loss_reverse", row, "", {**group, **money}, threshold)
    if row["revenue_elsewhere_after"]:
        yield _elsewhere(
            "loss_reverse_after", row, "_after", {**group, **money}, threshold
        )


def _elsewhere(
    code: str, row: Row, when: str, values: Values, threshold: float
) -> Reason:
    missing = row[f"revenue_elsewhere{when}"]
    growth = row[f"growth_elsewhere_share{when}"]
    values = {**values, "missing": missing, "limit": threshold}
    if growth is None:
        return Reason(_ALONE[code], values)
    return Reason(code, {**values, "growth": growth})


_CONTRIBUTION = {
    "lines": "loss_contribution_lines",
    "settings": "loss_contribution_settings",
}
_BECOMES = {"major": "loss_becomes_major", "dependent": "loss_becomes_dependent"}
_ALONE = {
    "loss_reverse": "loss_reverse_alone",
    "loss_reverse_after": "loss_reverse_after_alone",
}


def of_scenario(summary: Summary, money: Values) -> Iterator[Reason]:
    """What it does to the firm as a whole."""
    before, after, loss = summary["before"], summary["after"], summary["loss"]
    if before["revenue"] is None:
        return
    values = {"before": before["revenue"], "after": after["revenue"], **money}
    values |= {"accounts": loss["account_count"], "starts_on": loss["starts_on"]}
    yield Reason("loss_whole", values)
    if before["profit"] is not None:
        profits = {"before": before["profit"], "after": after["profit"]}
        yield Reason("loss_profit", {**profits, **money})
    if before["margin_of_safety"] is not None:
        safety = {"safety": before["margin_of_safety"]}
        edge = {"edge": before["break_even_revenue"]}
        yield Reason("loss_safety", {**safety, **edge, **money})
    months = summary["recovery"][0]
    if months["months_p50"] is not None and loss["full_year"]:
        p80 = months["months_p80"]
        code = "loss_recovery_p50" if p80 is None else "loss_recovery"
        found = {"p50": months["months_p50"]} | ({} if p80 is None else {"p80": p80})
        yield Reason(code, found)


def warnings(
    portfolio: Portfolio,
    case: Case,
    with_it: Attached,
    back: Recovery,
    summary: Summary,
) -> Iterator[Reason]:
    """What limits the answer."""
    facts, settings = case.facts, case.settings
    if case.total is not None and case.total <= 0:
        total = facts.amount(case.total)
        yield Reason("non_positive_total", {"total": total, "currency": facts.currency})
    yield from facts.warnings()
    if loops := parent_loops(portfolio):
        yield Reason("cycle_in_parents", {"n": loops})
    months = summary["loss"]["period_months"]
    if months != 12:
        yield Reason("loss_annualised", {"months": months})
    missing = int((facts.by_account.has_lines & facts.by_account.is_known).sum())
    missing -= int((case.is_costed & facts.by_account.has_lines).sum())
    if missing:
        yield Reason("margin_missing", {"n": missing})
    if settings.fixed_costs is None:
        yield Reason("fixed_costs_unknown")
    if case.profit is not None and case.profit < 0:
        profit = facts.amount(case.profit)
        yield Reason("under_break_even", {"profit": profit, "currency": facts.currency})
    excluded = int(case.is_excluded.sum())
    if excluded:
        yield Reason("loss_negative_excluded", {"n": excluded})
    unknown = int((case.is_taken & ~facts.by_account.is_known).sum())
    if unknown:
        yield Reason("loss_partly_unknown", {"n": unknown})
    if case.total and case.total_after == 0:
        yield Reason("loss_of_everything")
    yield from _of_effort(with_it)
    yield from _of_recovery(back, summary)


def _of_effort(with_it: Attached) -> Iterator[Reason]:
    if with_it.negative_effort_count:
        yield Reason("effort_negative", {"n": with_it.negative_effort_count})


def _of_recovery(back: Recovery, summary: Summary) -> Iterator[Reason]:
    lacking = ("overdue", "without_day", "without_amount", "without_odds")
    left_out = {name: back.left_out.get(name, 0) for name in lacking}
    if sum(left_out.values()):
        yield Reason("loss_sales_left_out", {"n": sum(left_out.values()), **left_out})
    if back.unsorted:
        yield Reason("loss_kind_unknown", {"n": back.unsorted})
    revenue = summary["recovery"][0]
    if summary["loss"]["full_year"] and revenue["target"] is not None:
        horizon = back.case.settings.horizon_months
        if revenue["months_p50"] is None:
            yield Reason("not_reached", {"months": horizon})
