"""What does an analysis hand back, and how is it kept, shown and compared?"""

from __future__ import annotations

from crm_portfolio.results._comparison import Comparison
from crm_portfolio.results._result import Result
from crm_portfolio.results._values import Json, Row, json_rows, significant

__all__ = ["Comparison", "Json", "Result", "Row", "json_rows", "significant"]
