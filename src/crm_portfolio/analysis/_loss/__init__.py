"""What is supposed, what does it take, and what brings it back?"""

from __future__ import annotations

from crm_portfolio.analysis._loss._case import Case, yearly
from crm_portfolio.analysis._loss._reasons import of_account, of_scenario, warnings
from crm_portfolio.analysis._loss._recovery import Recovery
from crm_portfolio.analysis._loss._scenario import LossScenarioSettings, Scenario
from crm_portfolio.analysis._loss._summary import summary_of
from crm_portfolio.analysis._loss._tables import account_table, group_table

__all__ = [
    "Case",
    "LossScenarioSettings",
    "Recovery",
    "Scenario",
    "account_table",
    "group_table",
    "of_account",
    "of_scenario",
    "summary_of",
    "warnings",
    "yearly",
]
