"""Who may leave within a year, at which odds, and what does the firm lose with them?"""

from __future__ import annotations

from crm_portfolio.analysis._at_risk._clients import Clients
from crm_portfolio.analysis._at_risk._figures import Outlook
from crm_portfolio.analysis._at_risk._odds import Odds
from crm_portfolio.analysis._at_risk._past import Past
from crm_portfolio.analysis._at_risk._reasons import (
    of_account,
    of_firm,
    of_year,
    warnings,
)
from crm_portfolio.analysis._at_risk._settings import RevenueAtRiskSettings
from crm_portfolio.analysis._at_risk._summary import summary_of
from crm_portfolio.analysis._at_risk._tables import (
    account_table,
    client_table,
    order_of,
)

__all__ = [
    "Clients",
    "Odds",
    "Outlook",
    "Past",
    "RevenueAtRiskSettings",
    "account_table",
    "client_table",
    "of_account",
    "of_firm",
    "of_year",
    "order_of",
    "summary_of",
    "warnings",
]
