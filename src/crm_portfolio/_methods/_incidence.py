"""Which share comes to a good end within a time, when some have come to none yet?

Winning and losing exclude each other: whoever is lost will not be won later, so that to
take the lost for merely unseen would overstate the share. Aalen and Johansen's estimate.
"""

from __future__ import annotations

from statistics import NormalDist
from typing import Final

import attrs
import numpy as np
import numpy.typing as npt

from crm_portfolio._methods._indices import Floats
from crm_portfolio._methods._ranking import Flags
from crm_portfolio._methods._survival import survival

__all__ = ["Incidence", "incidence"]

_CLOSE: Final = 1e-12


@attrs.frozen(eq=False)
class Incidence:
    """The share that has come to the good end by each time at which any end came.

    Attributes:
        deviations: The standard error of each share.
        still: The share that has come to no end by then.
    """

    times: npt.NDArray[np.float64]
    shares: Floats
    deviations: Floats
    still: Floats

    def last(self, level: float = 0.9) -> tuple[float, float, float] | None:
        """The share by the last time, with its interval; None: no end came yet."""
        if not self.times.size:
            return None
        share, deviation = float(self.shares[-1]), float(self.deviations[-1])
        if not 0 < share < 1 - _CLOSE:
            return share, share, share
        # On the scale of log(-log), where the interval stays within 0 and 1.
        z = NormalDist().inv_cdf((1 + level) / 2)
        reach = z * deviation / (share * abs(np.log(share)))
        low, high = (share ** np.exp(sign * reach) for sign in (1, -1))
        return share, float(low), float(high)


def incidence(durations: npt.ArrayLike, has_ended: Flags, is_good: Flags) -> Incidence:
    """The shares of these; one that has not ended was only watched so long."""
    lengths = np.asarray(durations, dtype=np.float64)
    curve = survival(lengths, has_ended)
    good = np.searchsorted(curve.times, lengths[has_ended & is_good])
    wins = np.bincount(good, minlength=curve.times.size).astype(np.float64)
    before = np.concatenate([[1.0], curve.shares[:-1]])[: curve.times.size]
    risk, ends = curve.at_risk.astype(np.float64), curve.left.astype(np.float64)
    # A sum of fractions may overstep the one that is meant.
    shares: Floats = np.minimum(np.cumsum(before * wins / np.maximum(risk, 1)), 1.0)
    return Incidence(
        curve.times, shares, _deviations(shares, before, wins, ends, risk), curve.shares
    )


def _deviations(
    shares: Floats, before: Floats, wins: Floats, ends: Floats, risk: Floats
) -> Floats:
    """By the delta method, at each time over all times up to it."""
    gap = np.maximum(risk - ends, 1)
    found = np.empty_like(shares)
    for at in range(shares.size):
        to = slice(0, at + 1)
        rest = shares[at] - shares[to]
        hazard = ends[to] / (risk[to] * gap[to])
        own = before[to] ** 2 * (risk[to] - wins[to]) * wins[to] / risk[to] ** 3
        both = rest * before[to] * wins[to] / risk[to] ** 2
        found[at] = (rest**2 * hazard + own - 2 * both).sum()
    deviations: Floats = np.sqrt(np.maximum(found, 0.0))
    return deviations
