"""What was lost and might be tried again: what is known, what is it worth, what is enough?"""

from __future__ import annotations

from crm_portfolio.analysis._again._candidates import Candidates
from crm_portfolio.analysis._again._odds import Odds
from crm_portfolio.analysis._again._owners import owner_sheets
from crm_portfolio.analysis._again._past import Past
from crm_portfolio.analysis._again._reasons import (
    of_opportunity,
    sheet_of,
    warnings,
)
from crm_portfolio.analysis._again._settings import WinBackSettings
from crm_portfolio.analysis._again._tables import (
    assigned_table,
    attempt_table,
    candidate_table,
    owner_names,
    rate_table,
    reopening_table,
    summary_of,
)
from crm_portfolio.analysis._again._verdict import Verdict
from crm_portfolio.analysis._again._worth import Worth

__all__ = [
    "Candidates",
    "Odds",
    "Past",
    "Verdict",
    "WinBackSettings",
    "Worth",
    "assigned_table",
    "attempt_table",
    "candidate_table",
    "of_opportunity",
    "owner_names",
    "owner_sheets",
    "rate_table",
    "reopening_table",
    "sheet_of",
    "summary_of",
    "warnings",
]
