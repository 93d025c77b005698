"""What may be lost within a year, and at which odds?

Each client is lost whole or not at all, independently of the others: the law of the sum
is found exactly. Amounts are in minor units. Formulas: sheet 4.5 and amendment 17.
"""

from __future__ import annotations

from math import ceil
from typing import Final

import attrs
import numpy as np

from crm_portfolio._methods import _normal as normal
from crm_portfolio._methods._indices import Amounts, Floats

__all__ = ["GRID_STEPS", "Law", "convolved", "enumerated", "grid_of"]

GRID_STEPS: Final = 20_000
"""Into how many steps the sum of all amounts is cut, at the most."""

_VERY_MANY: Final = 1_000
_REACH: Final = 9.0  # of a normal sum, in standard deviations
_ROUNDING = 1e-12
_HALF_A_MINOR_UNIT = 0.5


@attrs.frozen(eq=False)
class Law:
    """Every loss that can come, the smallest first, and its probability."""

    losses: Amounts
    chance: Floats

    @classmethod
    def of(cls, losses: Amounts, chance: Floats) -> Law:
        """The same with equal losses together, and without those that cannot come."""
        unique, place = np.unique(losses, return_inverse=True)
        summed = np.bincount(place, weights=chance, minlength=unique.size)
        can_be = summed > 0
        return cls(unique[can_be], summed[can_be] / summed.sum())

    @classmethod
    def of_draws(cls, losses: Amounts) -> Law:
        """Each draw as likely as any other."""
        unique, count = np.unique(losses, return_counts=True)
        return cls(unique, count / losses.size)

    @property
    def mean(self) -> float:
        return float(self.losses @ self.chance)

    @property
    def sd(self) -> float:
        return float(((self.losses - self.mean) ** 2 @ self.chance) ** 0.5)

    def at_most(self, loss: float) -> float:
        """P(L ≤ loss), half a minor unit of tolerance included."""
        return float(self.chance[self.losses <= loss + _HALF_A_MINOR_UNIT].sum())

    def more_than(self, loss: float) -> float:
        """P(L > loss), beyond half a minor unit."""
        return float(self.chance[self.losses > loss + _HALF_A_MINOR_UNIT].sum())

    def value_at_risk(self, level: float) -> int:
        """inf{x : P(L ≤ x) ≥ level}."""
        reached = np.cumsum(self.chance) >= level - _ROUNDING
        # Rounded sums may stop short of one: the largest loss is never exceeded.
        return int(self.losses[int(np.argmax(reached)) if reached.any() else -1])

    def expected_shortfall(self, level: float) -> float:
        """The mean of the worst years, right on discrete laws too.

        Acerbi and Tasche 2002: [E(L; L > VaR) + VaR·(P(L ≤ VaR) − a)]/(1 − a). The naive
        mean of the losses from VaR on counts the mass at VaR beyond its part.
        """
        edge = self.value_at_risk(level)
        is_beyond = self.losses > edge
        beyond = float(self.losses[is_beyond] @ self.chance[is_beyond])
        mass = float(self.chance[is_beyond].sum())
        return (beyond + edge * (1 - level - mass)) / (1 - level)


def enumerated(amounts: Amounts, odds: Floats) -> Law:
    """Every one of the 2ⁿ outcomes: for twenty clients or fewer."""
    losses, chance = np.zeros(1, dtype=np.int64), np.ones(1)
    for amount, p in zip(amounts, odds, strict=True):
        losses = np.concatenate([losses, losses + amount])
        chance = np.concatenate([chance * (1 - p), chance * p])
    return Law.of(losses, chance)


def grid_of(amounts: Amounts) -> int:
    """Minor units a step: one, or as many as keep the sum within the steps there are."""
    return max(1, ceil(int(amounts.sum()) / GRID_STEPS))


def convolved(amounts: Amounts, odds: Floats) -> Law:
    """The law on a grid, whatever the number of clients; exact at a step of one.

    An amount between two steps is one or the other, at odds that keep its mean. Clients
    of less than a step each, where they are very many, lose a normal sum of their own
    mean and variance: it is no further off than a step.
    """
    step = grid_of(amounts)
    in_steps = amounts / step
    is_small = amounts < step
    chance = np.ones(1)
    if int(is_small.sum()) >= _VERY_MANY:
        chance = _normal_sum(in_steps[is_small], odds[is_small])
        in_steps, odds = in_steps[~is_small], odds[~is_small]
    # No more of them than steps and the few small ones, however many clients there are;
    # the least ones first keep the law short for long.
    for at in np.argsort(in_steps, kind="stable"):
        k, upper = int(in_steps[at]), odds[at] * (in_steps[at] % 1)
        wider = np.zeros(chance.size + k + 1)
        wider[: chance.size] += (1 - odds[at]) * chance
        wider[k : k + chance.size] += (odds[at] - upper) * chance
        wider[k + 1 :] += upper * chance
        chance = wider
    losses = np.arange(chance.size, dtype=np.int64) * step
    return Law.of(np.minimum(losses, int(amounts.sum())), chance)


def _normal_sum(amounts: Floats, odds: Floats) -> Floats:
    """A normal law on the whole numbers from 0, at odds that keep its mean."""
    mean = float(odds @ amounts)
    sd = float((odds * (1 - odds)) @ amounts**2) ** 0.5 or 1e-9
    first, last = int(mean - _REACH * sd) - 2, int(mean + _REACH * sd) + 2
    places = np.arange(first, last + 1)
    z = (places - mean) / sd
    # What falls on a whole number is the second difference of ∫Φ: its neighbours' share
    # of all that lies between.
    below = sd * (z * normal.below(z) + normal.density(z))
    chance = np.zeros(max(1, last))
    np.add.at(chance, np.maximum(places[1:-1], 0), np.diff(below, 2))
    return np.maximum(chance, 0.0)
