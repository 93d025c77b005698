"""What is left of each account's revenue after all it costs us?"""

from __future__ import annotations

from crm_portfolio.analysis._profit._discounts import Leak
from crm_portfolio.analysis._profit._reasons import of_account, of_firm, warnings
from crm_portfolio.analysis._profit._served import Served
from crm_portfolio.analysis._profit._settings import ProfitabilitySettings, UnitTime
from crm_portfolio.analysis._profit._statement import Statement
from crm_portfolio.analysis._profit._tables import (
    account_table,
    channel_table,
    curve_table,
    rate_table,
    summary_of,
)
from crm_portfolio.analysis._profit._won import Won

__all__ = [
    "Leak",
    "ProfitabilitySettings",
    "Served",
    "Statement",
    "UnitTime",
    "Won",
    "account_table",
    "channel_table",
    "curve_table",
    "of_account",
    "of_firm",
    "rate_table",
    "summary_of",
    "warnings",
]
