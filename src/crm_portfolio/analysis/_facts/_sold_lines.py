"""When does nobody ask for single lines any more?"""

from __future__ import annotations

from crm_portfolio.analysis._facts._concessions import concessions
from crm_portfolio.analysis._facts._days import account_days
from crm_portfolio.analysis._facts._inwards import came_inwards
from crm_portfolio.analysis._facts._months import revenue_until
from crm_portfolio.analysis._facts._once import forget
from crm_portfolio.analysis._facts._sold import sold
from crm_portfolio.portfolio import Portfolio

__all__ = ["let_go_of_lines"]


def let_go_of_lines(portfolio: Portfolio) -> None:
    """Keep no longer what is as long as the table of revenue lines, or of activities."""
    forget(portfolio, account_days, came_inwards, concessions, revenue_until, sold)
