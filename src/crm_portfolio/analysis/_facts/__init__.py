"""What do the long tables say about each account?

The only scans of them: group-by, join and conditional sums, in the engine that holds the
frame, lazily where it can. What comes back has one row per account and is sorted by id;
money is in integer minor units, so that every engine and row order gives the same bytes.
"""

from __future__ import annotations

from crm_portfolio.analysis._facts._attached import (
    Attached,
    Sales,
    Worked,
    attached,
    sales,
    worked,
)
from crm_portfolio.analysis._facts._candidates import (
    RoleTime,
    SaleTime,
    open_business,
    parked_projects,
    role_time,
    sale_time,
)
from crm_portfolio.analysis._facts._dangers import (
    bought_again,
    contracts,
    open_renewals,
    payments,
    ratings,
    won_renewals,
)
from crm_portfolio.analysis._facts._echo import echo, made_by, of_same
from crm_portfolio.analysis._facts._lines import Measure, placed, revenue_lines
from crm_portfolio.analysis._facts._months import (
    MonthlyRevenue,
    monthly_revenue,
    quarterly_revenue,
)
from crm_portfolio.analysis._facts._revenue import (
    RevenueFacts,
    parent_loops,
    partly_unknown,
    previous,
    revenue_facts,
)
from crm_portfolio.analysis._facts._signals import (
    Purchases,
    Twice,
    inbound,
    products,
    purchases,
)
from crm_portfolio.analysis._facts._workload import (
    begins_before,
    hours_in,
    quarterly_workload,
)

__all__ = [
    "Attached",
    "Measure",
    "MonthlyRevenue",
    "Purchases",
    "RevenueFacts",
    "RoleTime",
    "SaleTime",
    "Sales",
    "Twice",
    "Worked",
    "attached",
    "begins_before",
    "bought_again",
    "contracts",
    "echo",
    "hours_in",
    "inbound",
    "made_by",
    "monthly_revenue",
    "of_same",
    "open_business",
    "open_renewals",
    "parent_loops",
    "parked_projects",
    "partly_unknown",
    "payments",
    "placed",
    "previous",
    "products",
    "purchases",
    "quarterly_revenue",
    "quarterly_workload",
    "ratings",
    "revenue_facts",
    "revenue_lines",
    "role_time",
    "sale_time",
    "sales",
    "won_renewals",
    "worked",
]
