"""What are the five dangers, each by itself?"""

from __future__ import annotations

from crm_portfolio.analysis._dangers._danger import COMPONENTS, Danger, by_place
from crm_portfolio.analysis._dangers._erosion import erosion_of
from crm_portfolio.analysis._dangers._learned import MODEL, Leaving
from crm_portfolio.analysis._dangers._leaving import History
from crm_portfolio.analysis._dangers._odds import (
    odds_columns,
    odds_summary,
    odds_warnings,
    of_odds,
    reliability_table,
)
from crm_portfolio.analysis._dangers._payment import payment_of
from crm_portfolio.analysis._dangers._reasons import of_account, told, written
from crm_portfolio.analysis._dangers._relationship import relationship_of
from crm_portfolio.analysis._dangers._renewal import Contracts, renewal_of
from crm_portfolio.analysis._dangers._settings import RiskSettings
from crm_portfolio.analysis._dangers._silence import silence_of
from crm_portfolio.analysis._dangers._summary import summary_of, warnings

__all__ = [
    "COMPONENTS",
    "MODEL",
    "Contracts",
    "Danger",
    "History",
    "Leaving",
    "RiskSettings",
    "by_place",
    "erosion_of",
    "odds_columns",
    "odds_summary",
    "odds_warnings",
    "of_account",
    "of_odds",
    "payment_of",
    "relationship_of",
    "reliability_table",
    "renewal_of",
    "silence_of",
    "summary_of",
    "told",
    "warnings",
    "written",
]
