"""Which accounts pay late?"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio._methods._indices import Floats
from crm_portfolio._methods._risk import Levels, risen
from crm_portfolio.analysis._dangers._danger import Danger, days_between, days_of
from crm_portfolio.analysis._dangers._settings import RiskSettings
from crm_portfolio.analysis._facts import RevenueFacts, named, of_accounts
from crm_portfolio.analysis._receivables import ReceivablesResult
from crm_portfolio.portfolio import Portfolio

__all__ = ["payment_of"]

_LAST, _OPEN = "risk_payment_last", "risk_payment_open"
_FORMS: Final = {"floored": "days_late", "signed": "days_late_signed"}
_TOLD: Final = pa.schema(
    [
        ("account_id", pa.string()),
        ("days_late", pa.float64()),
        ("days_late_signed", pa.float64()),
        ("late_share", pa.float64()),
        ("worst_days_late", pa.int64()),
        ("invoice_count", pa.int64()),
        ("disputed_count", pa.int64()),
        ("paid_late_on", pa.date32()),
        ("unpaid_since_on", pa.date32()),
    ]
)


def payment_of(
    portfolio: Portfolio,
    facts: RevenueFacts,
    settings: RiskSettings,
    receivables: ReceivablesResult | None,
) -> Danger:
    """Days late by amount, as ``receivables`` tells them; unknown without it."""
    ids, names = facts.by_account.ids, _TOLD.names[1:]
    told = {name: pa.nulls(len(ids), _TOLD.field(name).type) for name in names}
    if receivables is not None:
        told = of_accounts(receivables, ids, *names)
    level = _levels(told[_FORMS[settings.days_late_form]], settings)
    paid_late_on, unpaid_since_on = (
        told[name].to_numpy(zero_copy_only=False).astype("datetime64[D]")
        for name in ("paid_late_on", "unpaid_since_on")
    )
    # Where all that is open is late by less, it is what was paid late that weighs.
    as_of = np.full_like(unpaid_since_on, portfolio.as_of)
    open_days = days_between(unpaid_since_on, as_of)
    is_open = ~np.isnat(unpaid_since_on) & (open_days >= settings.days_late[0])
    is_open |= np.isnat(paid_late_on)
    columns = {name: told[name] for name in _TOLD.names[1:5]}
    columns |= {
        "due_invoice_count": pc.fill_null(told["invoice_count"], 0),
        "disputed_invoice_count": pc.fill_null(told["disputed_count"], 0),
        "paid_late_on": told["paid_late_on"],
        "unpaid_since_on": told["unpaid_since_on"],
    }
    return Danger.made(
        "payment",
        level,
        told_as=named(is_open.astype(np.int64), (_LAST, _OPEN)),
        told_on=days_of(np.where(is_open, unpaid_since_on, paid_late_on)),
        columns=columns,
    )


def _levels(days: Any, settings: RiskSettings) -> Levels:
    known: Floats = days.to_numpy(zero_copy_only=False).astype(np.float64)
    return risen(known, settings.days_late)
