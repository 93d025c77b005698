"""What would have been said on past days, and what came of it?

Each day is replayed with what was known then and nothing else; what came of it is looked
up as it was known when its horizon was over, and before that it is not yet known.
"""

from __future__ import annotations

from crm_portfolio._backtest._days import Every, closes_between
from crm_portfolio._backtest._result import BacktestResult
from crm_portfolio._backtest._run import backtest

__all__ = ["BacktestResult", "Every", "backtest", "closes_between"]
