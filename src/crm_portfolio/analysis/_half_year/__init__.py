"""What is held against what, and what moved between them?"""

from __future__ import annotations

from crm_portfolio.analysis._half_year._halves import Halves
from crm_portfolio.analysis._half_year._reasons import of_account, of_whole, warnings
from crm_portfolio.analysis._half_year._settings import ReviewSettings
from crm_portfolio.analysis._half_year._shown import paths_of, spans_of
from crm_portfolio.analysis._half_year._story import of_events, of_slope
from crm_portfolio.analysis._half_year._summary import summary_of, tables_of
from crm_portfolio.analysis._half_year._tables import account_table, rejected_table

__all__ = [
    "Halves",
    "ReviewSettings",
    "account_table",
    "of_account",
    "of_events",
    "of_slope",
    "of_whole",
    "paths_of",
    "rejected_table",
    "spans_of",
    "summary_of",
    "tables_of",
    "warnings",
]
