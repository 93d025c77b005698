"""What do the long tables say about each account?

The only scans of them: group-by, join and conditional sums, in the engine that holds the
frame, lazily where it can. What comes back has one row per account and is sorted by id;
money is in integer minor units, so that every engine and row order gives the same bytes.
"""

from __future__ import annotations

from crm_portfolio.analysis._facts._attached import (
    Attached,
    Sales,
    attached,
    sales,
)
from crm_portfolio.analysis._facts._echo import echo
from crm_portfolio.analysis._facts._lines import Measure
from crm_portfolio.analysis._facts._months import (
    MonthlyRevenue,
    monthly_revenue,
    quarterly_revenue,
)
from crm_portfolio.analysis._facts._revenue import (
    RevenueFacts,
    parent_loops,
    partly_unknown,
    revenue_facts,
)

__all__ = [
    "Attached",
    "Measure",
    "MonthlyRevenue",
    "RevenueFacts",
    "Sales",
    "attached",
    "echo",
    "monthly_revenue",
    "parent_loops",
    "partly_unknown",
    "quarterly_revenue",
    "revenue_facts",
    "sales",
]
