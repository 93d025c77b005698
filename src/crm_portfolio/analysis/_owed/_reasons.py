"""What is told of one account: how it pays, what it owes, what that costs?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from crm_portfolio._wording import Reason, ReasonValue
from crm_portfolio.results import Row

__all__ = ["of_account"]

Values = Mapping[str, ReasonValue]
_OPEN: Final = {
    "disputed_amount": "receivables_disputed_open",
    "undated_amount": "receivables_undated_open",
    "credit_amount": "receivables_credit_open",
}
_PARTS: Final = {
    "financing_cost": ("receivables_financing", "receivables_financing_unknown"),
    "administration_cost": (
        *("receivables_administration", "receivables_administration_unknown"),
    ),
    "bad_debt_cost": ("receivables_bad_debt", "receivables_bad_debt_unknown"),
}


def of_account(row: Row, params: Mapping[str, Any], money: Values) -> Iterator[Reason]:
    settings = params["settings"]
    if row["invoice_count"]:
        yield from _paying(row)
    else:
        yield Reason("receivables_pays_unknown")
    if n := row["disputed_count"]:
        yield Reason("receivables_disputed", {"n": n})
    yield from _owing(row, money)
    yield from _sales_days(row, settings["dso_min_months"])
    if row["has_other_payer"]:
        yield Reason("receivables_other_payer")
    if row["pays_for_others"]:
        yield Reason("receivables_pays_for_others")
    yield from _costs(row, money)
    if settings["regime"] != "none":
        yield from _claim(row, settings["regime"], money)


def _paying(row: Row) -> Iterator[Reason]:
    n = row["invoice_count"]
    if not row["late_count"]:
        yield Reason(
            "receivables_on_time", {"n": n, "days": _days(row["days_late_signed"])}
        )
    else:
        means = {
            "days": _days(row["days_late"]),
            "signed": _days(row["days_late_signed"]),
        }
        yield Reason("receivables_late", {"n": n, "late": row["late_count"], **means})
        share, worst = row["late_share"], row["worst_days_late"]
        yield Reason("receivables_late_share", {"share": share, "days": worst})
    if row["days_late_before"] is not None:
        yield Reason("receivables_before", {"days": _days(row["days_late_before"])})


def _owing(row: Row, money: Values) -> Iterator[Reason]:
    if not row["open_amount"]:
        yield Reason("receivables_nothing_open")
    else:
        names = ("open_amount", "not_due_amount", "overdue_amount")
        yield Reason("receivables_open", {**{n: row[n] for n in names}, **money})
    if row["unpaid_since_on"] is not None:
        yield Reason("receivables_unpaid_since", {"on": row["unpaid_since_on"]})
    for name, code in _OPEN.items():
        if row[name]:
            yield Reason(code, {"amount": row[name], **money})


def _sales_days(row: Row, min_months: int) -> Iterator[Reason]:
    if row["billed_months"] < min_months:
        months = row["billed_months"]
        if months:
            yield Reason("receivables_few_months", {"n": months, "min": min_months})
        return
    if row["dso_days"] is not None:
        yield Reason("receivables_dso", {"days": _days(row["dso_days"])})
    if row["dso_best_days"] is not None:
        values = {
            "days": _days(row["dso_best_days"]),
            "late": _days(row["delinquent_days"]),
        }
        yield Reason("receivables_dso_best", values)
    if row["dso_count_back_days"] is not None:
        values = {"days": _days(row["dso_count_back_days"])}
        yield Reason("receivables_dso_count_back", values)
    elif row["dso_more_than_days"] is not None:
        values = {"days": row["dso_more_than_days"]}
        yield Reason("receivables_dso_exhausted", values)


def _costs(row: Row, money: Values) -> Iterator[Reason]:
    if row["cost_of_lateness"] is None:
        yield Reason("receivables_cost_unknown")
        return
    if not row["cost_of_lateness"] and not row["cost_unknown_parts"]:
        return
    code = "receivables_cost"
    if row["cost_unknown_parts"]:
        code = "receivables_cost_at_least"
    yield Reason(code, {"amount": row["cost_of_lateness"], **money})
    for name, (known, unknown) in _PARTS.items():
        if row[name]:
            yield Reason(known, {"amount": row[name], **money})
        elif row[name] is None:
            yield Reason(unknown)


def _claim(row: Row, regime: str, money: Values) -> Iterator[Reason]:
    if row["is_claim_out"]:
        yield Reason("receivables_no_claim")
    elif row["claim_amount"] is None:
        yield Reason("receivables_claim_unknown")
    elif row["claim_amount"]:
        values = {
            "interest": row["claim_interest"],
            "sums": row["claim_sums"],
            "regime": regime,
        }
        yield Reason("receivables_claim", {**values, **money})


def _days(value: float) -> float:
    """In tenths: nobody pays by the hour."""
    return round(value, 1) + 0.0
