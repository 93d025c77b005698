"""Who comes, who stays, who goes, and who is to take their place?"""

from __future__ import annotations

from crm_portfolio.analysis._tomorrow._history import History
from crm_portfolio.analysis._tomorrow._kept import cohort_table, retention
from crm_portfolio.analysis._tomorrow._list import Shortlist, back_test
from crm_portfolio.analysis._tomorrow._moves import Moves
from crm_portfolio.analysis._tomorrow._reasons import of_account, warnings
from crm_portfolio.analysis._tomorrow._settings import SuccessionSettings
from crm_portfolio.analysis._tomorrow._summary import summary_of
from crm_portfolio.analysis._tomorrow._tables import account_table

__all__ = [
    "History",
    "Moves",
    "Shortlist",
    "SuccessionSettings",
    "account_table",
    "back_test",
    "cohort_table",
    "of_account",
    "retention",
    "summary_of",
    "warnings",
]
