"""What is a relationship worth, by which of three ways, and what is its score?"""

from __future__ import annotations

from crm_portfolio.analysis._life._reasons import of_account, warnings
from crm_portfolio.analysis._life._settings import LifetimeValueSettings
from crm_portfolio.analysis._life._study import Study
from crm_portfolio.analysis._life._tables import account_table, order_of, summary_of

__all__ = [
    "LifetimeValueSettings",
    "Study",
    "account_table",
    "of_account",
    "order_of",
    "summary_of",
    "warnings",
]
