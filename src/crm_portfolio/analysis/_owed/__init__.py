"""What do our accounts owe, how late do they pay, and what does that cost?"""

from __future__ import annotations

from crm_portfolio.analysis._owed._costs import Claim, Costs
from crm_portfolio.analysis._owed._ledger import Ledger
from crm_portfolio.analysis._owed._reasons import of_account
from crm_portfolio.analysis._owed._sales_days import SalesDays
from crm_portfolio.analysis._owed._settings import DatedRate, ReceivablesSettings
from crm_portfolio.analysis._owed._summary import summary_of, warnings
from crm_portfolio.analysis._owed._tables import (
    account_table,
    aged_table,
    ageing_table,
    month_table,
    order_of,
)

__all__ = [
    "Claim",
    "Costs",
    "DatedRate",
    "Ledger",
    "ReceivablesSettings",
    "SalesDays",
    "account_table",
    "aged_table",
    "ageing_table",
    "month_table",
    "of_account",
    "order_of",
    "summary_of",
    "warnings",
]
