"""What is left of this account, what of all, and what must be borne in mind?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import numpy as np

from crm_portfolio._wording import Reason, ReasonValue
from crm_portfolio.analysis._facts import partly_unknown
from crm_portfolio.analysis._profit._discounts import Leak
from crm_portfolio.analysis._profit._statement import Statement
from crm_portfolio.results import Row

__all__ = ["of_account", "of_firm", "warnings"]

Summary = Mapping[str, Any]
Values = Mapping[str, ReasonValue]

_STANDINGS: Final = {
    "profitable": "profit_profitable",
    "break_even": "profit_break_even",
    "loss_making": "profit_loss_making",
}
_MARGINS: Final = {
    "gross_margin": "profit_margin_gross",
    "margin_after_service": "profit_margin_served",
    "account_margin": "profit_margin_account",
    "full_margin": "profit_margin_full",
}
# What else than the margin of the account the curve may be of.
_CURVES: Final = {
    "gross_margin": "label_curve_gross_margin",
    "margin_after_service": "label_curve_margin_after_service",
    "full_margin": "label_curve_full_margin",
}
_UNKNOWN: Final = {
    "delivery_cost": "profit_no_delivery",
    "cost_to_serve": "profit_no_service",
    "late_cost": "profit_no_late",
    "acquisition_cost": "profit_no_acquisition",
    "overhead": "profit_no_overhead",
}


def of_account(row: Row, money: Values) -> Iterator[Reason]:
    """Its margins, what they lack, and what it buys at."""
    if row["net_revenue"] is not None:
        yield Reason("profit_revenue", {"revenue": row["net_revenue"], **money})
    yield from partly_unknown(row)
    yield from (
        Reason(code, {"margin": row[name], **money})
        for name, code in _MARGINS.items()
        if row[name] is not None
    )
    if row["standing"] is not None:
        yield Reason(_STANDINGS[row["standing"]])
    ends = row["margin_low"], row["margin_high"]
    if row["account_margin"] is None and None not in ends:
        yield Reason("profit_range", {"low": ends[0], "high": ends[1], **money})
    if row["avoidable_contribution"] is not None:
        yield from _avoidable(row, money)
    for name, code in _UNKNOWN.items():
        if row[name] is None:
            yield Reason(code)
    yield from _discounts(row, money)


def _discounts(row: Row, money: Values) -> Iterator[Reason]:
    """What it buys at, and how often it was offered less than the list price."""
    if row["discount_share"] is not None:
        told = {"share": row["discount_share"], "usual": row["usual_discount_share"]}
        amount = {"amount": row["unexplained_leakage"], **money}
        if row["is_leaking"]:
            yield Reason("profit_leaking", told | amount)
        else:
            yield Reason("profit_discount", told)
    if row["discounted_offer_share"]:
        share = {"share": row["discounted_offer_share"], "n": row["offer_count"]}
        yield Reason("profit_offers", share)


def _avoidable(row: Row, money: Values) -> Iterator[Reason]:
    amount = row["avoidable_contribution"]
    full = row["full_margin"]
    if full is not None and full < 0 < amount:
        # What a full cost calls a loss may be what pays a part of the overhead.
        yield Reason("profit_spiral", {"full": full, "amount": amount, **money})
    else:
        yield Reason("profit_avoidable", {"amount": amount, **money})


def of_firm(summary: Summary, money: Values) -> Iterator[Reason]:
    """The curve, the hours nobody used, and what winning an account costs."""
    whale = summary["whale"]
    if whale["peak_ratio"] is not None:
        names = ("peak_count", "account_count", "peak_ratio", "eaten")
        told = {name: whale[name] for name in names}
        yield Reason("profit_whale", {**told, **money})
    elif whale["account_count"]:
        told = {name: whale[name] for name in ("profit", "peak", "eaten")}
        yield Reason("profit_whale_without_profit", {**told, **money})
    if whale["account_count"]:
        counts = {
            name: whale[f"{name}_count"]
            for name in ("profitable", "break_even", "loss_making", "losing")
        }
        yield Reason("profit_standings", {**counts, "lost": whale["lost"], **money})
    unused = summary["hours"]["unused_cost"]
    if unused:
        yield Reason("profit_unused", {"amount": unused, **money})
    won = summary["acquisition"]
    if won["cost_of_one"] is not None:
        told = {"n": won["new_count"], "cost": won["cost_of_one"]}
        yield Reason("profit_won", {**told, **money})
    if won["payback_months"] is not None:
        yield Reason("profit_payback", {"months": won["payback_months"]})


def warnings(
    found: Statement, leak: Leak, summary: Summary, money: Values
) -> Iterator[Reason]:
    """What limits the answer."""
    yield from found.facts.warnings()
    if not found.is_in.any():
        yield Reason("profit_nobody")
        return
    yield from _of_hours(found)
    yield from _of_costs(found, money)
    whale = summary["whale"]
    if whale["unknown_count"]:
        told = {"n": whale["unknown_count"], "accounts": summary["account_count"]}
        yield Reason("profit_curve_partial", told)
    if whale["account_count"] and whale["curve"] in _CURVES:
        yield Reason("profit_curve_of", {"curve": whale["curve"]})
    if whale["account_count"] and whale["peak_ratio"] is None:
        yield Reason("profit_no_ratio")
    if leak.reference_lines:
        yield Reason("list_price_missing", {"n": leak.reference_lines})
    if leak.unpriced_lines:
        yield Reason("profit_unpriced", {"n": leak.unpriced_lines})


def _of_hours(found: Statement) -> Iterator[Reason]:
    served = found.served
    if served.source is None:
        yield Reason("profit_without_hours")
        return
    if served.source == "activity":
        yield Reason("profit_from_activities")
    if served.source == "unit_times":
        yield Reason("profit_from_unit_times")
    if served.overloaded:
        roles = ", ".join(role for role in served.overloaded if role)
        yield Reason("overload", {"n": len(served.overloaded), "roles": roles})
    if not served.is_enough and served.coverage is not None:
        limit = {"limit": found.settings.coverage_share}
        yield Reason("cost_coverage_low", {"share": served.coverage, **limit})
    unpriced = [
        role
        for role, each in served.capacity.items()
        if each.used and each.cost_per_hour is None
    ]
    if unpriced:
        named = ", ".join(unpriced) if all(unpriced) else ""
        yield Reason("profit_without_rate", {"n": len(unpriced), "roles": named})
    if served.rates.get("") == "mean":
        yield Reason("profit_mean_rate")
    if served.negative_count:
        yield Reason("effort_negative", {"n": served.negative_count})


def _of_costs(found: Statement, money: Values) -> Iterator[Reason]:
    amount, is_in = found.facts.amount, found.is_in
    parts = {
        "profit_delivery_missing": found.delivery,
        "profit_late_missing": found.late,
        "profit_acquisition_missing": found.acquisition,
    }
    for code, each in parts.items():
        lacking = int((is_in & ~each[1]).sum())
        if lacking:
            yield Reason(code, {"n": lacking, "accounts": int(is_in.sum())})
    if found.overhead_total is None:
        yield Reason("profit_overhead_missing")
    if found.unsplit:
        yield Reason("profit_unsplit", {"amount": amount(found.unsplit), **money})
    if found.unshared:
        yield Reason("profit_unshared", {"amount": amount(found.unshared), **money})
    if found.unsaid_count:
        yield Reason("profit_unsaid", {"n": found.unsaid_count})
    if not found.won.has_past and found.won.channels:
        yield Reason("profit_no_past")
    elif found.won.channels and not np.any(found.won.is_new):
        spent = found.won.channels[0]["spent"]
        yield Reason("no_new_clients", {"amount": amount(spent), **money})
