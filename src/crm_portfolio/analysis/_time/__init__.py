"""Where does our time go, who buys what, and what was begun?"""

from __future__ import annotations

from crm_portfolio.analysis._time._reasons import (
    of_firm,
    of_line,
    of_project,
    warnings,
)
from crm_portfolio.analysis._time._settings import FocusSettings
from crm_portfolio.analysis._time._summary import Whole, summary_of
from crm_portfolio.analysis._time._tables import line_table

__all__ = [
    "FocusSettings",
    "Whole",
    "line_table",
    "of_firm",
    "of_line",
    "of_project",
    "summary_of",
    "warnings",
]
