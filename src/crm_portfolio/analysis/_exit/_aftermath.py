"""What follows if the relationship ends?

Of every account, so that nobody has to ask for it: what is lost and what the freed hours
must bring, how near the edge the firm is then, who is in the same group, what is still
owed. It is no proposal, and it knows no law: how much notice is due is for counsel.
"""

from __future__ import annotations

import attrs
import numpy as np

from crm_portfolio._methods._cuts import Groups
from crm_portfolio._methods._digits import twelve_digits
from crm_portfolio._methods._indices import Floats
from crm_portfolio._methods._parting import hhi_without, safety_without, worth_an_hour
from crm_portfolio._methods._ranking import Flags
from crm_portfolio.analysis._exit._measures import Measures
from crm_portfolio.analysis._exit._settings import ExitReviewSettings

__all__ = ["Aftermath"]


@attrs.frozen(eq=False)
class Aftermath:
    """What follows if each account leaves alone; NaN where it is not known.

    Attributes:
        lost: The avoidable contribution that goes with it, of the period.
        hours: That come free; ``freed`` is what they bring elsewhere.
        least_hour_value: What an hour must bring elsewhere for parting to cost nothing.
        balance: What the freed hours bring over what is lost.
        fixed: Costs of the period that stay; None where nobody says.
        safety, safety_now: The margin of safety without it, and with all.
        hhi, hhi_now: Concentration by group, of the positive part; without one whose
            revenue is unknown it is not known either.
        largest, largest_now: The share of the largest group.
        members: How many accounts its group has, itself among them.
        others: What the others of its group bring; unknown where that of one is.
    """

    lost: Floats
    hours: Floats
    freed: Floats
    least_hour_value: Floats
    balance: Floats
    fixed: float | None
    safety: Floats
    safety_now: float
    hhi: Floats
    hhi_now: float
    largest: Floats
    largest_now: float
    members: Groups
    others: Floats

    @classmethod
    def of(
        cls, measures: Measures, settings: ExitReviewSettings, *, months: float
    ) -> Aftermath:
        of = measures.of
        lost = of.avoidable_contribution
        freed = of.hours * measures.hour_value
        fixed = settings.fixed_costs
        costs = None if fixed is None else fixed * months / 12
        nobody = np.full(lost.size, np.nan)
        # Of all of them or of none: a part of the contribution bears no firm.
        is_whole = bool((~np.isnan(lost) | (of.net_revenue == 0)).all())
        total = float(np.nansum(lost)) if is_whole and lost.size else float("nan")
        has_edge = costs is not None and not np.isnan(total)
        safety = safety_without(lost, total, costs or 0.0) if has_edge else nobody
        is_open = np.isnan(of.net_revenue)
        own = np.maximum(np.nan_to_num(of.net_revenue), 0.0)
        groups = np.bincount(of.group_of, weights=own).astype(np.float64)
        held = _Held.of(own, groups, of.group_of)
        in_group = np.bincount(of.group_of, weights=of.net_revenue)[of.group_of]
        return cls(
            lost=lost,
            hours=of.hours,
            freed=twelve_digits(freed),
            least_hour_value=twelve_digits(worth_an_hour(lost, of.hours)),
            balance=twelve_digits(freed - lost),
            fixed=costs,
            safety=twelve_digits(safety),
            safety_now=1 - (costs or 0.0) / total
            if has_edge and total > 0
            else float("nan"),
            hhi=twelve_digits(np.where(is_open, np.nan, held.hhi)),
            hhi_now=held.hhi_now,
            largest=twelve_digits(np.where(is_open, np.nan, held.largest)),
            largest_now=held.largest_now,
            members=np.bincount(of.group_of)[of.group_of],
            others=twelve_digits(in_group - of.net_revenue),
        )

    @property
    def is_foreseen(self) -> Flags:
        """Whether the loss, the hours that come free and what is left are all known."""
        is_open = np.isnan(self.lost) | np.isnan(self.hours) | np.isnan(self.hhi)
        foreseen: Flags = ~is_open
        return foreseen


@attrs.frozen(eq=False)
class _Held:
    """What the groups hold with each account and without it."""

    hhi: Floats
    hhi_now: float
    largest: Floats
    largest_now: float

    @classmethod
    def of(cls, own: Floats, groups: Floats, group_of: Groups) -> _Held:
        total = float(groups.sum())
        if total <= 0:
            nobody, nan = np.full(own.size, np.nan), float("nan")
            return cls(nobody, nan, nobody, nan)
        squares = float((groups**2).sum())
        order = np.sort(groups)
        first = order[-1]
        second = order[-2] if order.size > 1 else 0.0
        mine = groups[group_of]
        beside = np.where(mine == first, second, first)
        most = np.maximum(beside, mine - own)
        left = total - own
        largest = np.divide(most, left, out=np.full(own.size, np.nan), where=left > 0)
        return cls(
            hhi_without(own, mine, squares, total),
            squares / total**2,
            largest,
            float(first / total),
        )
