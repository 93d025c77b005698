"""What do we know of all accounts at one date, and over which days do we look?"""

from __future__ import annotations

from crm_portfolio.portfolio._draft import Draft
from crm_portfolio.portfolio._header import Header, read_header
from crm_portfolio.portfolio._period import Calendar, Period
from crm_portfolio.portfolio._portfolio import Portfolio

__all__ = ["Calendar", "Draft", "Header", "Period", "Portfolio", "read_header"]
