"""Which accounts rise and which fall, and which trends are to be believed?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import attrs
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from crm_portfolio._methods import _trend as formulas
from crm_portfolio._methods._indices import Floats
from crm_portfolio._methods._ranking import Flags
from crm_portfolio.analysis._tomorrow._history import History

__all__ = ["Trend"]

_QUARTERS_A_YEAR: Final = 4


@attrs.frozen(eq=False)
class Trend:
    """The trend of each account up to one close.

    Attributes:
        label: ``rising``, ``falling``, ``flat``; ``too_short`` under five quarters since
            the first revenue, ``unknown`` where amounts or days lack, ``none`` without
            any line in these quarters.
        q: The p of its trend, with all trends of the portfolio allowed for.
    """

    label: npt.NDArray[np.object_]
    found: formulas.Trends
    q: Floats

    @classmethod
    def at(cls, history: History, end: int) -> Trend:
        """The trends a close knows of."""
        settings = history.settings
        values, has_lines, is_open = history.quarterly(end, settings.quarters)
        first = end - 3 * settings.quarters
        start = np.clip((history.first_month() - first) // 3, 0, settings.quarters)
        is_tested = has_lines & ~is_open
        # The starts of those who are not tested lie beyond the last quarter.
        start = np.where(is_tested, start, settings.quarters)
        found = formulas.trends(values, start)
        q = formulas.adjusted(found.p)
        is_believed = (found.p < settings.alpha) & (q <= settings.false_discovery_share)
        least = round(settings.min_revenue * 10**history.facts.digits)
        is_enough = history.at(end).revenue > least
        label = np.full(start.size, "flat", dtype=object)
        label[is_believed & (found.slope > 0) & is_enough] = "rising"
        label[is_believed & (found.slope < 0)] = "falling"
        label[np.isnan(found.p)] = "too_short"
        label[~has_lines] = "none"
        label[is_open] = "unknown"
        return cls(label, found, q)

    @property
    def is_known(self) -> Flags:
        known: Flags = ~np.isnan(self.found.p)
        return known

    def columns(self, digits: int) -> Mapping[str, pa.Array]:
        """What the frame shows of it; slopes in the currency a year."""
        unit, found, known = 10**digits, self.found, self.is_known
        a_year = _QUARTERS_A_YEAR / unit
        has_median = known & (found.median > 0)
        relative = np.divide(
            found.slope * _QUARTERS_A_YEAR,
            found.median,
            out=np.zeros_like(found.slope),
            where=has_median,
        )
        shown = {
            "slope_per_year": (found.slope * a_year, known),
            "slope_low": (found.low * a_year, known),
            "slope_high": (found.high * a_year, known),
            "slope_relative": (relative, has_median),
            "trend_p": (found.p, known),
            "trend_q": (self.q, known),
        }
        return {
            "trend": pa.array(self.label, pa.string()),
            "trend_quarters": pa.array(found.points),
            **{
                name: pa.array(values, mask=~mask)
                for name, (values, mask) in shown.items()
            },
        }
