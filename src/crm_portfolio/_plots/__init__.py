"""Which few chart shapes do the results need, readable in grey and on paper?"""

from __future__ import annotations

from crm_portfolio._plots._axes import Words, as_svg, axes, shortened
from crm_portfolio._plots._bars import (
    paired_bars,
    pareto,
    side_by_side,
    stacked,
    waterfall,
)
from crm_portfolio._plots._curves import (
    curves,
    distribution,
    falling,
    layers,
    matrix,
    ranges,
)
from crm_portfolio._plots._dial import dial
from crm_portfolio._plots._months import climb, timeline
from crm_portfolio._plots._parts import parts
from crm_portfolio._plots._rates import paired_ranges
from crm_portfolio._plots._reliability import reliability
from crm_portfolio._plots._whale import whale

__all__ = [
    "Words",
    "as_svg",
    "axes",
    "climb",
    "curves",
    "dial",
    "distribution",
    "falling",
    "layers",
    "matrix",
    "paired_bars",
    "paired_ranges",
    "pareto",
    "parts",
    "ranges",
    "reliability",
    "shortened",
    "side_by_side",
    "stacked",
    "timeline",
    "waterfall",
    "whale",
]
