"""What is a tier made of, what is said of it, and what could become of its accounts?"""

from __future__ import annotations

from crm_portfolio.analysis._tier._potential import Promise
from crm_portfolio.analysis._tier._reasons import Why, since
from crm_portfolio.analysis._tier._settings import (
    Potential,
    PotentialWeights,
    TiersSettings,
)
from crm_portfolio.analysis._tier._summary import summary_of, warnings
from crm_portfolio.analysis._tier._tables import (
    account_table,
    by_rule,
    tier_table,
    told,
)

__all__ = [
    "Potential",
    "PotentialWeights",
    "Promise",
    "TiersSettings",
    "Why",
    "account_table",
    "by_rule",
    "since",
    "summary_of",
    "tier_table",
    "told",
    "warnings",
]
