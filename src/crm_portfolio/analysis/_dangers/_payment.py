"""Which accounts pay late?"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio._methods._lateness import mean_days
from crm_portfolio._methods._risk import from_threshold
from crm_portfolio.analysis._dangers._danger import (
    Danger,
    by_place,
    days_between,
    days_of,
)
from crm_portfolio.analysis._dangers._settings import RiskSettings
from crm_portfolio.analysis._facts import RevenueFacts, payments
from crm_portfolio.portfolio import Portfolio

__all__ = ["payment_of"]

_LAST, _OPEN = "risk_payment_last", "risk_payment_open"


def payment_of(
    portfolio: Portfolio, facts: RevenueFacts, settings: RiskSettings
) -> Danger:
    """Sheet 7.5: days late by amount, floored at 0 unless the settings say otherwise."""
    start = facts.period.start
    assert start is not None
    sums = dict.fromkeys((*_SUMS, "worst_days"), np.zeros(len(facts.account), np.int64))
    days = dict.fromkeys(_DAYS, np.full(len(facts.account), np.datetime64("NaT", "D")))
    if "invoice" in portfolio:
        found = payments(
            portfolio["invoice"],
            start=start,
            as_of=portfolio.as_of,
            digits=facts.digits,
        )
        contested = found["is_disputed"]
        fair = found.filter(pc.invert(contested)).rename_columns(_AS_ACCOUNT)
        apart = found.filter(contested).rename_columns(_AS_ACCOUNT)
        names = tuple(name for name in (*sums, *days) if name != "disputed")
        placed = dict(zip(names, by_place(facts, fair, names), strict=True))
        (placed["disputed"],) = by_place(facts, apart, ("invoices",))
        sums, days = ({name: placed[name] for name in each} for each in (sums, days))
    weight = sums["weight"]
    is_known = weight > 0
    level = from_threshold(
        sums[settings.days_late_form], weight, settings.days_late, is_known
    )
    paid_late_on, unpaid_since_on = days["paid_late_on"], days["unpaid_since_on"]
    # Where all that is open is late by less, it is what was paid late that weighs.
    open_days = days_between(
        unpaid_since_on, np.full_like(unpaid_since_on, portfolio.as_of)
    )
    is_open = ~np.isnat(unpaid_since_on) & (open_days >= settings.days_late[0])
    is_open |= np.isnat(paid_late_on)
    told_on = np.where(is_open, unpaid_since_on, paid_late_on)
    means = {
        "days_late": mean_days(sums["floored"], weight),
        "days_late_signed": mean_days(sums["signed"], weight),
        "late_share": mean_days(sums["late"], weight),
    }
    unknown = ~is_known
    columns = {name: pa.array(each, mask=unknown) for name, each in means.items()}
    columns |= {
        "worst_days_late": pa.array(sums["worst_days"], mask=unknown),
        "due_invoice_count": pa.array(sums["invoices"]),
        "disputed_invoice_count": pa.array(sums["disputed"]),
        "paid_late_on": days_of(paid_late_on),
        "unpaid_since_on": days_of(unpaid_since_on),
    }
    return Danger.made(
        "payment",
        level,
        told_as=pa.array(np.where(is_open, _OPEN, _LAST).tolist(), pa.string()),
        told_on=days_of(told_on),
        columns=columns,
    )


_SUMS = ("invoices", "disputed", "weight", "signed", "floored", "late")
_DAYS = ("paid_late_on", "unpaid_since_on")
_AS_ACCOUNT = {"payer_id": "account_id"}
