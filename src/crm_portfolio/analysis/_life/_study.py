"""What is known of all relationships, from the purchases to the scores?"""

from __future__ import annotations

import attrs

from crm_portfolio.analysis._facts import RevenueFacts
from crm_portfolio.analysis._life._history import History
from crm_portfolio.analysis._life._model import Model
from crm_portfolio.analysis._life._scores import Scores
from crm_portfolio.analysis._life._settings import LifetimeValueSettings
from crm_portfolio.analysis._life._steady import Steady
from crm_portfolio.analysis._life._worth import Worth
from crm_portfolio.analysis._succession import SuccessionResult
from crm_portfolio.portfolio import Portfolio
from crm_portfolio.results import Result

__all__ = ["Study"]


@attrs.frozen(eq=False)
class Study:
    """The past, two ways to look ahead from it, and what both come to."""

    history: History
    model: Model
    steady: Steady
    worth: Worth
    scores: Scores

    @classmethod
    def of(
        cls,
        portfolio: Portfolio,
        facts: RevenueFacts,
        settings: LifetimeValueSettings,
        *,
        profitability: Result | None,
        succession: SuccessionResult | None,
    ) -> Study:
        history = History.of(portfolio, facts)
        model = Model.of(history, settings)
        steady = Steady.of(portfolio, history, model, settings, succession=succession)
        worth = Worth.of(facts, model, steady, settings, profitability=profitability)
        return cls(history, model, steady, worth, Scores.of(history))
