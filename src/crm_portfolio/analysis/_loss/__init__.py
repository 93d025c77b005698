"""What is supposed, what does it take, and what brings it back?"""

from __future__ import annotations

from crm_portfolio.analysis._loss._case import FINE, Case, months_in, yearly
from crm_portfolio.analysis._loss._reasons import of_account, of_scenario, warnings
from crm_portfolio.analysis._loss._recovery import (
    Recovery,
    has_whole_previous,
    odds_of,
    starts_on,
)
from crm_portfolio.analysis._loss._scenario import LossScenarioSettings, Scenario
from crm_portfolio.analysis._loss._summary import summary_of
from crm_portfolio.analysis._loss._tables import account_table, group_table

__all__ = [
    "FINE",
    "Case",
    "LossScenarioSettings",
    "Recovery",
    "Scenario",
    "account_table",
    "group_table",
    "has_whole_previous",
    "months_in",
    "odds_of",
    "of_account",
    "of_scenario",
    "starts_on",
    "summary_of",
    "warnings",
    "yearly",
]
