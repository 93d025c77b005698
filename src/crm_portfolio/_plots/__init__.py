"""Which few chart shapes do the results need, readable in grey and on paper?"""

from __future__ import annotations

from crm_portfolio._plots._axes import Words, as_svg, axes
from crm_portfolio._plots._bars import (
    paired_bars,
    pareto,
    side_by_side,
    stacked,
    waterfall,
)
from crm_portfolio._plots._curves import curves, distribution, falling, matrix, ranges

__all__ = [
    "Words",
    "as_svg",
    "axes",
    "curves",
    "distribution",
    "falling",
    "matrix",
    "paired_bars",
    "pareto",
    "ranges",
    "side_by_side",
    "stacked",
    "waterfall",
]
