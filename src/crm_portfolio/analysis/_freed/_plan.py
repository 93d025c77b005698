"""Which candidates get the freed hours, and how sure is that?"""

from __future__ import annotations

from typing import Final

import attrs
import numpy as np
import numpy.typing as npt

from crm_portfolio._methods._cuts import Groups
from crm_portfolio._methods._indices import Amounts, Floats
from crm_portfolio._methods._knapsack import Choice, best_choice, greedy_choice
from crm_portfolio._methods._outcomes import LEVELS, Laws, Outcomes, outcomes
from crm_portfolio._methods._ranking import Flags
from crm_portfolio.analysis._freed._candidates import Candidates
from crm_portfolio.analysis._freed._hours import Freed

__all__ = ["STATUSES", "Plan"]

_APART: Final = (
    *("overdue", "hours_missing", "value_missing"),
    *("not_weighed", "skill_gap"),
)
STATUSES: Final = ("chosen", "left", *_APART)


@attrs.frozen(eq=False)
class Plan:
    """What is proposed for each candidate, in their order.

    Attributes:
        status: ``chosen``; ``left`` was weighed and is not; the others are listed apart:
            ``hours_missing``, ``value_missing``, ``overdue``, ``skill_gap``, and
            ``not_weighed`` where the freed hours are unknown.
        rank: By expected value for time among those weighed; 0 for the others.
        room: Minutes to give out, by role of the candidates; ``has_role`` whether any
            were freed.
        by_rate_alone: What choosing by rank would come to.
    """

    candidates: Candidates
    status: npt.NDArray[np.str_]
    weighed: npt.NDArray[np.int64]
    rank: Groups
    room: Groups
    has_role: Flags
    choice: Choice
    by_rate_alone: int
    drawn: Outcomes | Laws

    @classmethod
    def of(cls, candidates: Candidates, freed: Freed) -> Plan:
        room = freed.on(candidates.roles, freed.room)
        has_role = freed.on(candidates.roles, freed.by_role) > 0
        status = _status(candidates, has_role, is_known=freed.is_known)
        weighed = np.flatnonzero(status == "left")
        values, minutes = candidates.expected[weighed], candidates.minutes[weighed]
        settings = freed.settings
        choice = best_choice(values, minutes, room, exact_up_to=settings.exact_count)
        status[weighed[choice.is_chosen]] = "chosen"
        rank = np.zeros(candidates.size, dtype=np.int64)
        rank[weighed[_by_rate(values, minutes.sum(axis=1))]] = np.arange(
            1, weighed.size + 1
        )
        drawn = outcomes(
            candidates.full[weighed],
            candidates.odds[weighed],
            minutes.sum(axis=1),
            spread=settings.spread_share,
            seed=settings.seed,
            draws=settings.draws,
        )
        by_rate = greedy_choice(values, minutes, room).value
        return cls(
            candidates, status, weighed, rank, room, has_role, choice, by_rate, drawn
        )

    @property
    def is_chosen(self) -> Flags:
        chosen: Flags = self.status == "chosen"
        return chosen

    @property
    def used(self) -> Groups:
        """Minutes by role."""
        minutes: Groups = self.candidates.minutes[self.is_chosen].sum(axis=0)
        return minutes

    @property
    def wanted(self) -> Groups:
        """Minutes by role of all that were weighed, and of those that lack a role."""
        asks = np.isin(self.status, ["chosen", "left", "skill_gap"])
        minutes: Groups = self.candidates.minutes[asks].sum(axis=0)
        return minutes

    def range_of_each(self) -> tuple[Floats, Floats]:
        """Of every candidate, weighed or not: NaN for those that are not."""
        low, high = (np.full(self.candidates.size, np.nan) for _ in range(2))
        for each, level in ((low, LEVELS[0]), (high, LEVELS[-1])):
            each[self.weighed] = self.drawn.of_each(level)
        return low, high

    def together(self, level: float) -> int:
        """What all that is chosen comes to in that share of the draws, at the most."""
        return self.drawn.together(self.choice.is_chosen, level)

    def ranks(self) -> tuple[Groups, Groups] | None:
        """Between which places each stays; 0 for those not weighed."""
        if self.drawn.rank_low is None or self.drawn.rank_high is None:
            return None
        low, high = (np.zeros(self.candidates.size, dtype=np.int64) for _ in range(2))
        low[self.weighed], high[self.weighed] = (
            self.drawn.rank_low,
            self.drawn.rank_high,
        )
        return low, high


def _status(
    candidates: Candidates, has_role: Flags, *, is_known: bool
) -> npt.NDArray[np.str_]:
    lacks_role = (candidates.minutes > 0) & ~has_role
    return np.select(
        [
            candidates.is_overdue,
            ~candidates.is_timed,
            ~candidates.is_valued,
            np.full(candidates.size, not is_known),
            lacks_role.any(axis=1),
        ],
        _APART,
        default="left",
    ).astype("U13")


def _by_rate(values: Amounts, minutes: Groups) -> npt.NDArray[np.int64]:
    """Best value for time first; what takes none before all else; equal ones by id."""
    with np.errstate(divide="ignore", invalid="ignore"):
        rate = values / minutes
    rate = np.where(minutes == 0, np.where(values > 0, np.inf, 0.0), rate)
    return np.argsort(-rate, kind="stable")
