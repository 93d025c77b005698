"""What may come of candidates that are worth something only if they come off?

Sheet 4.4: an expected value is shown with what it may turn out to be, and a rank with how
far it holds when the estimates are off.
"""

from __future__ import annotations

import attrs
import numpy as np
import numpy.typing as npt

from crm_portfolio._methods._cuts import Groups
from crm_portfolio._methods._indices import Amounts, Floats
from crm_portfolio._methods._ranking import Flags

__all__ = ["LEVELS", "Laws", "Outcomes", "outcomes"]

LEVELS = (0.1, 0.5, 0.9)
_FULL, _LEAST = 20_000_000, 200
_RANKED = 5_000
"""Beyond so many candidates no place is drawn."""
_DRAWN = 100_000
"""Beyond so many each is told by the law that it would be drawn from."""


@attrs.frozen(eq=False)
class Outcomes:
    """What came of each candidate, one row a draw.

    Attributes:
        values: In minor units.
        rank_low, rank_high: Between which places 80 % of the draws see it; None where
            there are too many.
    """

    values: npt.NDArray[np.int64]
    rank_low: Groups | None
    rank_high: Groups | None

    @property
    def draws(self) -> int:
        return len(self.values)

    def of_each(self, level: float) -> Floats:
        """What it is worth in that share of the draws, at the most."""
        if not self.values.size:
            return np.zeros(self.values.shape[1])
        quantile: Floats = np.quantile(self.values, level, axis=0, method="lower")
        return quantile

    def together(self, chosen: Flags, level: float) -> int:
        sums = self.values[:, chosen].sum(axis=1)
        return int(np.quantile(sums, level, method="lower"))


@attrs.frozen(eq=False)
class Laws:
    """What each candidate of a very long list is drawn from: nothing of it is kept.

    Attributes:
        chance: That it comes off; 1 where that is no question.
    """

    full: Amounts
    chance: Floats
    spread: float
    seed: int
    draws: int

    rank_low: None = None
    rank_high: None = None

    def of_each(self, level: float) -> Floats:
        """What it is worth in that share of the cases, at the most.

        Nothing, where it does not come off; else its value within the spread, evenly.
        """
        is_loss = self.full < 0
        # Of what costs something the worst comes first, and nothing last.
        before = np.where(is_loss, 0.0, 1 - self.chance)
        with np.errstate(divide="ignore", invalid="ignore"):
            part = (level - before) / self.chance
        off = 1 - self.spread + 2 * self.spread * np.where(is_loss, 1 - part, part)
        comes = (part > 0) & (part <= 1)
        worth: Floats = np.rint(np.where(comes, self.full * off, 0.0))
        return worth

    def together(self, chosen: Flags, level: float) -> int:
        generator = np.random.default_rng(self.seed)
        sums = np.zeros(self.draws, dtype=np.int64)
        places = np.flatnonzero(chosen)
        for at in range(0, places.size, _DRAWN):
            its = places[at : at + _DRAWN]
            size = self.draws, its.size
            off = generator.uniform(1 - self.spread, 1 + self.spread, size)
            off *= generator.random(size) < self.chance[its]
            sums += np.rint(self.full[its] * off).astype(np.int64).sum(axis=1)
        return int(np.quantile(sums, level, method="lower"))


def outcomes(
    full: Amounts,
    odds: Floats,
    minutes: Groups,
    *,
    spread: float,
    seed: int,
    draws: int,
) -> Outcomes | Laws:
    """Draw what comes of each: its full value, more or less the spread, if it comes off.

    A candidate without odds (NaN) comes off. Places are drawn by expected value for time
    with the same spread, whatever comes off then. Long lists take fewer draws, never
    under 200 of those asked; of the longest only what is chosen is drawn.
    """
    size = max(1, full.size)
    draws = max(min(draws, _LEAST), min(draws, _FULL // size))
    chance = np.where(np.isnan(odds), 1.0, odds)
    if full.size > _DRAWN:
        return Laws(full, chance, spread, seed, draws)
    generator = np.random.default_rng(seed)
    off = generator.uniform(1 - spread, 1 + spread, (draws, full.size))
    comes = generator.random((draws, full.size)) < chance
    values = np.rint(full * off * comes).astype(np.int64)
    if full.size > _RANKED:
        return Outcomes(values, None, None)
    with np.errstate(divide="ignore", invalid="ignore"):
        rate = full * chance * off / minutes
    # No time for something: first of all, whatever else.
    rate = np.where(minutes == 0, np.where(full > 0, np.inf, 0.0), rate)
    places = np.argsort(np.argsort(-rate, axis=1, kind="stable"), axis=1) + 1
    if not places.size:
        return Outcomes(values, minutes, minutes)
    low, _, high = np.quantile(places, LEVELS, axis=0, method="lower")
    return Outcomes(values, low.astype(np.int64), high.astype(np.int64))
