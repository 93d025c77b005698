"""After how many attempts is it time to stop?

Rules: sheet 6.7. The odds of an attempt are those given that all before it failed; made
never to rise, so that with one cost for each the first attempt that does not pay is the
one to stop before.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from crm_portfolio._methods._cuts import Groups
from crm_portfolio._methods._indices import Floats

__all__ = ["never_rising", "odds_left", "paying"]


def never_rising(rates: npt.ArrayLike, weights: npt.ArrayLike) -> Floats:
    """The nearest rates that never rise: neighbours that do share their weighted mean.

    Pool adjacent violators, the isotonic regression by least squares.
    """
    means: list[float] = []
    held: list[float] = []
    sizes: list[int] = []
    for rate, weight in zip(np.asarray(rates), np.asarray(weights), strict=True):
        means.append(float(rate))
        held.append(float(weight))
        sizes.append(1)
        while len(means) > 1 and means[-1] > means[-2]:
            rate_, weight_, size = means.pop(), held.pop(), sizes.pop()
            both = held[-1] + weight_
            share = weight_ / both if both else 0.5
            means[-1] += (rate_ - means[-1]) * share
            held[-1], sizes[-1] = both, sizes[-1] + size
    pooled: Floats = np.repeat(np.array(means, dtype=np.float64), sizes)
    return pooled


def paying(hazards: Floats, worth: Floats, cost: Floats) -> Groups:
    """How many attempts pay, one after the other, of each pursuit; sums of minor units.

    Go on while the next one pays by itself: optimal where hazards never rise.
    """
    pays = np.rint(hazards[None, :] * worth[:, None] - cost[:, None]) > 0
    # Once one does not pay, none after it is come to.
    come_to = np.logical_and.accumulate(pays, axis=1)
    counts: Groups = come_to.sum(axis=1).astype(np.int64)
    return counts


def odds_left(hazards: Floats, made: Groups) -> Floats:
    """Of the odds all attempts together have, what is left when so many have failed."""
    # None of the attempts from here on succeeds; after the last of them that is certain.
    fails = np.append(np.cumprod((1 - hazards)[::-1])[::-1], 1.0)
    whole = 1 - fails[0]
    if not whole > 0:
        return np.where(made == 0, 1.0, 0.0)
    left: Floats = (1 - fails[np.minimum(made, hazards.size)]) / whole
    return left
