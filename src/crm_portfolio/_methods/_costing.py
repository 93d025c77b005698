"""What does the time given to an account cost, and what does no account owe?

Time-driven costing: a rate is what a role costs by what it can practically give. What was
not used costs too, and is nobody's. Rules: sheet 7.1 and 7.2.
"""

from __future__ import annotations

from collections.abc import Sequence

import attrs
import numpy as np

from crm_portfolio._methods._cuts import Groups
from crm_portfolio._methods._indices import Amounts, Floats
from crm_portfolio._methods._ranking import Flags

__all__ = ["Capacity", "assigned", "rate", "shared_out", "step", "unit_seconds"]

_SECONDS_AN_HOUR = 3600


def rate(cost: float, practical: float) -> float | None:
    """What a unit of practical capacity costs; None without any."""
    return cost / practical if practical > 0 else None


@attrs.frozen
class Capacity:
    """What a role can give, what it gave, and what the rest costs.

    Attributes:
        practical: Hours it can give in the period; None where nobody said.
        used: Hours it gave, whoever had them.
        cost_per_hour: None where nobody said.
    """

    practical: float | None
    used: float
    cost_per_hour: float | None

    @property
    def unused(self) -> float | None:
        """Hours nobody had: never less than none, and never an account's."""
        return None if self.practical is None else max(self.practical - self.used, 0.0)

    @property
    def unused_cost(self) -> float | None:
        if self.unused is None or self.cost_per_hour is None:
            return None
        return self.unused * self.cost_per_hour

    @property
    def used_share(self) -> float | None:
        return self.used / self.practical if self.practical else None

    @property
    def is_overloaded(self) -> bool:
        """Gave more than it can: what was used is not scaled down to fit."""
        return self.practical is not None and self.used > self.practical


def unit_seconds(
    counts: Groups, minutes: float, more: float = 0.0, is_more: Flags | None = None
) -> Groups:
    """Time by a unit-time equation: so many times so long, and longer where it applies."""
    each = np.full(counts.size, minutes)
    if is_more is not None:
        each = each + more * is_more
    seconds: Groups = np.rint(counts * each * 60).astype(np.int64)
    return seconds


def assigned(seconds: Groups, rates: Floats) -> tuple[Amounts, Flags]:
    """Minor units of each row of time, and whether every role that gave some has a rate.

    Args:
        seconds: A row an account and a column a role.
        rates: Minor units an hour, by role; NaN where unknown.
    """
    is_priced = ~((seconds != 0) & np.isnan(rates)).any(axis=1)
    cost = (seconds * np.nan_to_num(rates) / _SECONDS_AN_HOUR).sum(axis=1)
    minor: Amounts = np.rint(cost).astype(np.int64)
    return minor, is_priced


def shared_out(total: int, weights: Sequence[int] | Groups) -> Amounts | None:
    """A cost split by a key, to the minor unit; None where the key is nothing.

    Weights below zero count as none: who brought less than nothing pays no part of it.
    """
    # Products of two amounts outgrow 64 bits: whole numbers without an end do not.
    parts = np.maximum(np.asarray(weights, dtype=np.int64), 0).astype(object)
    summed = int(parts.sum())
    if not summed:
        return None
    wanted = parts * abs(total)
    found = (wanted // summed).astype(np.int64)
    remainder = (wanted % summed).astype(np.int64)
    missing = abs(total) - int(found.sum())
    found[np.argsort(-remainder, kind="stable")[:missing]] += 1
    return found if total >= 0 else -found


def step(
    before: tuple[Amounts, Flags], cost: tuple[Amounts, Flags]
) -> tuple[Amounts, Flags]:
    """What is left after a cost, known where both are."""
    is_known = before[1] & cost[1]
    left: Amounts = np.where(is_known, before[0] - cost[0], 0)
    return left, is_known
