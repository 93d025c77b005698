"""What is there to share out, who gets how much of it, and who takes it?"""

from __future__ import annotations

from crm_portfolio.analysis._alloc._growth import Growth
from crm_portfolio.analysis._alloc._reasons import of_account, of_firm, warnings
from crm_portfolio.analysis._alloc._settings import AllocationSettings, ServiceLevel
from crm_portfolio.analysis._alloc._shares import Shares
from crm_portfolio.analysis._alloc._tables import account_table, tier_table
from crm_portfolio.analysis._alloc._total import Total
from crm_portfolio.analysis._alloc._use import Use
from crm_portfolio.analysis._alloc._value import ByValue

__all__ = [
    "AllocationSettings",
    "ByValue",
    "Growth",
    "ServiceLevel",
    "Shares",
    "Total",
    "Use",
    "account_table",
    "of_account",
    "of_firm",
    "tier_table",
    "warnings",
]
