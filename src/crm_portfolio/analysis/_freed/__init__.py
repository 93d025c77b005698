"""What is freed, who could have it, and what is the best of it?"""

from __future__ import annotations

from crm_portfolio.analysis._freed._candidates import Candidates
from crm_portfolio.analysis._freed._hours import Freed
from crm_portfolio.analysis._freed._plan import Plan
from crm_portfolio.analysis._freed._reasons import (
    of_account,
    of_candidate,
    of_plan,
    warnings,
)
from crm_portfolio.analysis._freed._settings import FreedCapacitySettings
from crm_portfolio.analysis._freed._tables import (
    account_table,
    candidate_table,
    role_table,
    summary_of,
)

__all__ = [
    "Candidates",
    "Freed",
    "FreedCapacitySettings",
    "Plan",
    "account_table",
    "candidate_table",
    "of_account",
    "of_candidate",
    "of_plan",
    "role_table",
    "summary_of",
    "warnings",
]
