"""What do we know of all accounts at one date, and over which days do we look?"""

from __future__ import annotations

from crm_portfolio.portfolio._period import Calendar, Period
from crm_portfolio.portfolio._portfolio import Portfolio
from crm_portfolio.portfolio._saved import Draft, Header, read_header

__all__ = ["Calendar", "Draft", "Header", "Period", "Portfolio", "read_header"]
