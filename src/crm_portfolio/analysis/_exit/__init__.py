"""What is weighed before a relationship is changed or ended?"""

from __future__ import annotations

from crm_portfolio.analysis._exit._aftermath import Aftermath
from crm_portfolio.analysis._exit._ask_sheet import ask_sheet
from crm_portfolio.analysis._exit._decisions import Decisions, of_signed
from crm_portfolio.analysis._exit._fairness import fairness_of
from crm_portfolio.analysis._exit._ladder import STEPS, Ladder
from crm_portfolio.analysis._exit._measures import measures
from crm_portfolio.analysis._exit._pictures import dial, made_of
from crm_portfolio.analysis._exit._questions import nearness, question_table
from crm_portfolio.analysis._exit._reasons import of_account
from crm_portfolio.analysis._exit._recorded import with_decisions, with_ratings
from crm_portfolio.analysis._exit._rules import MeasureRules
from crm_portfolio.analysis._exit._scores import Scores
from crm_portfolio.analysis._exit._settings import Anchors, ExitReviewSettings
from crm_portfolio.analysis._exit._stands_on import with_missing_made
from crm_portfolio.analysis._exit._summary import summary_of
from crm_portfolio.analysis._exit._tables import (
    Dossier,
    account_table,
    criteria_table,
    gravest_first,
)
from crm_portfolio.analysis._exit._warnings import warnings

__all__ = [
    "STEPS",
    "Aftermath",
    "Anchors",
    "Decisions",
    "Dossier",
    "ExitReviewSettings",
    "Ladder",
    "MeasureRules",
    "Scores",
    "account_table",
    "ask_sheet",
    "criteria_table",
    "dial",
    "fairness_of",
    "gravest_first",
    "made_of",
    "measures",
    "nearness",
    "of_account",
    "of_signed",
    "question_table",
    "summary_of",
    "warnings",
    "with_decisions",
    "with_missing_made",
    "with_ratings",
]
