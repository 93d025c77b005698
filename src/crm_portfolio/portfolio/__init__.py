"""What do we know of all accounts at one date, and over which days do we look?"""

from __future__ import annotations

from crm_portfolio.portfolio._period import Calendar, Period
from crm_portfolio.portfolio._portfolio import Portfolio

__all__ = ["Calendar", "Period", "Portfolio"]
