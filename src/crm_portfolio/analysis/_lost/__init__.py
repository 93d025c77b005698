"""How is a lost opportunity judged, what does its class stand on, and what is learnt?"""

from __future__ import annotations

from crm_portfolio.analysis._lost._ends import let_go
from crm_portfolio.analysis._lost._learning import Learning
from crm_portfolio.analysis._lost._learnt import Learnt
from crm_portfolio.analysis._lost._lessons import cautions
from crm_portfolio.analysis._lost._losses import Losses
from crm_portfolio.analysis._lost._overrides import Overrides
from crm_portfolio.analysis._lost._reasons import of_class, of_record
from crm_portfolio.analysis._lost._rules import (
    CLASSES,
    DUPLICATE,
    MISSED,
    LostClass,
)
from crm_portfolio.analysis._lost._settings import LostOpportunitiesSettings
from crm_portfolio.analysis._lost._summary import coverage, summary_of, warnings
from crm_portfolio.analysis._lost._tables import (
    assigned_table,
    class_table,
    totals,
)
from crm_portfolio.analysis._lost._triage import Triage

__all__ = [
    "CLASSES",
    "DUPLICATE",
    "MISSED",
    "Learning",
    "Learnt",
    "Losses",
    "LostClass",
    "LostOpportunitiesSettings",
    "Overrides",
    "Triage",
    "assigned_table",
    "cautions",
    "class_table",
    "coverage",
    "let_go",
    "of_class",
    "of_record",
    "summary_of",
    "totals",
    "warnings",
]
