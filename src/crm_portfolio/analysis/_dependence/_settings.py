"""What counts, and where are the lines drawn?"""

from __future__ import annotations

from typing import Literal

import attrs

from crm_portfolio._takes import is_count, is_part
from crm_portfolio.analysis._facts import Measure
from crm_portfolio.portfolio import Period

__all__ = ["ConcentrationSettings"]


_LAST_YEAR = Period.last_months(12)


@attrs.frozen
class ConcentrationSettings:
    """What counts, and where the lines are drawn.

    Attributes:
        period: Whose revenue counts.
        measure: None: revenue lines where the portfolio has them, else won opportunities.
        population: ``with_lines`` counts accounts with a line in the period, ``all`` the
            others too, at zero.
        top_share: The "20" of 80/20; rounded up to whole accounts.
        target: The "80" of 80/20.
        major_share: From this share of revenue on (inclusive) a client is major.
        dependent_share: Above this share (exclusive) we depend on it.
        negatives: The form of the Gini index to read where revenue is negative.
        seed: Of the resampling behind the interval of the Gini index.
        draws: How many resamples.
    """

    period: Period = _LAST_YEAR
    measure: Measure | None = None
    population: Literal["with_lines", "all"] = "with_lines"
    top_share: float = attrs.field(default=0.2, validator=is_part)
    target: float = attrs.field(default=0.8, validator=is_part)
    major_share: float = attrs.field(default=0.1, validator=is_part)
    dependent_share: float = attrs.field(default=0.2, validator=is_part)
    negatives: Literal["rsv", "ctr", "plain"] = "rsv"
    seed: int = 2026
    draws: int = attrs.field(default=500, validator=is_count)
