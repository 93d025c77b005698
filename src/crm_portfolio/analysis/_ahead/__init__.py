"""What work lay ahead at the end of each month, as it was known then?"""

from __future__ import annotations

from crm_portfolio.analysis._ahead._cohorts import cohort_table
from crm_portfolio.analysis._ahead._due import coverage_share, due_table, due_within
from crm_portfolio.analysis._ahead._growth import answer
from crm_portfolio.analysis._ahead._reasons import of_month, of_trend, warnings
from crm_portfolio.analysis._ahead._series import Series
from crm_portfolio.analysis._ahead._settings import PipelineSettings
from crm_portfolio.analysis._ahead._stages import Stages, grid_of
from crm_portfolio.analysis._ahead._tables import (
    month_table,
    now_of,
    owner_table,
    stage_table,
)

__all__ = [
    "PipelineSettings",
    "Series",
    "Stages",
    "answer",
    "cohort_table",
    "coverage_share",
    "due_table",
    "due_within",
    "grid_of",
    "month_table",
    "now_of",
    "of_month",
    "of_trend",
    "owner_table",
    "stage_table",
    "warnings",
]
