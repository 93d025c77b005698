"""How long does one stay, when some have not left yet?

Rules: sheet 3.4.
"""

from __future__ import annotations

from math import log

import attrs
import numpy as np
import numpy.typing as npt

from crm_portfolio._methods._cuts import Groups
from crm_portfolio._methods._indices import Floats
from crm_portfolio._methods._ranking import Flags

__all__ = ["Curve", "half_life_of", "survival"]


@attrs.frozen(eq=False)
class Curve:
    """Kaplan and Meier's share of those still there, at each time somebody left.

    Attributes:
        at_risk: How many had been there until then; ``left`` of them went.
    """

    times: npt.NDArray[np.float64]
    shares: Floats
    at_risk: Groups
    left: Groups

    @property
    def half_life(self) -> float | None:
        """The first time at which half are left or fewer; None: not reached."""
        # A product of fractions may miss a half that is meant.
        reached = np.flatnonzero(self.shares <= 0.5 + 1e-12)
        return float(self.times[reached[0]]) if reached.size else None

    @property
    def last(self) -> float:
        """The share still there at the last time somebody left."""
        return float(self.shares[-1]) if self.shares.size else 1.0


def survival(durations: npt.ArrayLike, has_left: Flags) -> Curve:
    """The curve of these spells; one that has not ended was only watched so long."""
    lengths = np.asarray(durations, dtype=np.float64)
    times, left = np.unique(lengths[has_left], return_counts=True)
    ordered = np.sort(lengths)
    at_risk = lengths.size - np.searchsorted(ordered, times, side="left")
    shares: Floats = np.cumprod(1.0 - left / np.maximum(at_risk, 1), dtype=np.float64)
    return Curve(times, shares, at_risk, left)


def half_life_of(kept_share: float | None) -> float | None:
    """Years until half are left, when so many stay each year; None: never, or nobody."""
    if kept_share is None or not 0 < kept_share < 1:
        return None
    return log(0.5) / log(kept_share)
