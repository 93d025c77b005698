"""Who is ranked where, how concentrated is that, and on whom do we depend?"""

from __future__ import annotations

from crm_portfolio.analysis._dependence._figures import figures_of, league_of
from crm_portfolio.analysis._dependence._majors import majors_of
from crm_portfolio.analysis._dependence._reasons import of_account, warnings
from crm_portfolio.analysis._dependence._settings import ConcentrationSettings
from crm_portfolio.analysis._dependence._tables import account_table, group_table

__all__ = [
    "ConcentrationSettings",
    "account_table",
    "figures_of",
    "group_table",
    "league_of",
    "majors_of",
    "of_account",
    "warnings",
]
