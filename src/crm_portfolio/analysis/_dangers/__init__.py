"""What are the five dangers, each by itself?"""

from __future__ import annotations

from crm_portfolio.analysis._dangers._danger import COMPONENTS, Danger, by_place
from crm_portfolio.analysis._dangers._erosion import erosion_of
from crm_portfolio.analysis._dangers._payment import payment_of
from crm_portfolio.analysis._dangers._reasons import of_account, told, written
from crm_portfolio.analysis._dangers._relationship import relationship_of
from crm_portfolio.analysis._dangers._renewal import Contracts, renewal_of
from crm_portfolio.analysis._dangers._settings import RiskSettings
from crm_portfolio.analysis._dangers._silence import silence_of

__all__ = [
    "COMPONENTS",
    "Contracts",
    "Danger",
    "RiskSettings",
    "by_place",
    "erosion_of",
    "of_account",
    "payment_of",
    "relationship_of",
    "renewal_of",
    "silence_of",
    "told",
    "written",
]
