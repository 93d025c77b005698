"""What is the work ahead at each of the days, added up from what was known then?"""

from __future__ import annotations

from typing import Any

import attrs
import numpy as np

from crm_portfolio._methods._cuts import Groups
from crm_portfolio._methods._indices import Floats
from crm_portfolio._methods._ranking import Flags
from crm_portfolio._methods._rates import jeffreys_bounds
from crm_portfolio.analysis._ahead._rates import Observed, observed
from crm_portfolio.analysis._ahead._settings import PipelineSettings
from crm_portfolio.analysis._ahead._stages import Stages
from crm_portfolio.analysis._facts import AsKnown, Grid

__all__ = ["Series", "Worth", "worth_of"]


@attrs.frozen(eq=False)
class Worth:
    """Amounts of groups of opportunities: rows as given, in minor units.

    Attributes:
        observed: Weighted by the rates seen so far; NaN where there is none.
        usual: Weighted by the CRM's own odds; NaN where it has none.
    """

    minor: Groups
    priced: Groups
    observed: Floats
    usual: Floats

    def weighted(self, rows: Flags, many: Groups, which: Floats) -> tuple[Any, int]:
        """Their sum, and how many of them it does not hold; None: it holds none."""
        knows = rows & ~np.isnan(which)
        held = int(self.priced[knows].sum())
        count = int(many[rows].sum())
        if count and not held:
            return None, count
        return float(which[knows].sum()), count - held


@attrs.frozen(eq=False)
class Series:
    """A figure a place, from the place after the first on; NaN where nobody knows.

    Attributes:
        groups: The open opportunities, group by group, with the ``place`` of each.
        is_stale: Which groups are.
        is_judged: At which places silence can be told.
    """

    known: AsKnown
    grid: Grid
    settings: PipelineSettings
    groups: dict[str, Any]
    is_stale: Flags
    is_judged: Flags
    worth: Worth
    rates: tuple[Observed, ...]

    @classmethod
    def of(
        cls, known: AsKnown, grid: Grid, settings: PipelineSettings, stages: Stages
    ) -> Series:
        table = known.open
        groups = {name: table[name].to_pylist() for name in ("pipeline", "stage")}
        groups |= {
            name: table[name].to_numpy()
            for name in ("place", "is_overdue", "is_quiet", "count", "unpriced")
        }
        groups |= {name: table[name].to_numpy() for name in ("minor", "age")}
        names = {*known.visits["stage"].to_pylist(), *groups["stage"]} - {""}
        rates = tuple(
            observed(
                known.visits,
                sorted(names),
                place,
                fewest=settings.min_closed,
                level=settings.level,
            )
            for place in range(grid.count)
        )
        start = grid.count if known.judged_from is None else known.judged_from
        is_judged = np.arange(grid.count) >= start
        is_stale = (groups["is_overdue"] == 1) | (
            (groups["is_quiet"] == 1) & is_judged[groups["place"]]
        )
        return cls(
            known,
            grid,
            settings,
            groups,
            is_stale,
            is_judged,
            worth_of(groups, rates, stages),
            rates,
        )

    def at(self, place: int) -> dict[str, Any]:
        """What is open at a place; amounts in minor units."""
        mine = self.groups["place"] == place
        many = self.groups["count"]
        live, stale = mine & ~self.is_stale, mine & self.is_stale
        weighted, unweighted = self.worth.weighted(live, many, self.worth.observed)
        usual, without = self.worth.weighted(live, many, self.worth.usual)
        count = int(many[mine].sum())
        return {
            "open_count": count,
            "live_count": int(many[live].sum()),
            "stale_count": int(many[stale].sum()),
            "amount": self.amount(live),
            "stale_amount": self.amount(stale),
            "unknown_amount_count": int(self.groups["unpriced"][mine].sum()),
            "weighted_amount": weighted,
            "unweighted_count": unweighted,
            "default_weighted_amount": usual,
            "default_unweighted_count": without,
            "mean_age_days": int(self.groups["age"][mine].sum()) / count
            if count
            else None,
        }

    def flow(self, place: int) -> dict[str, Any]:
        """What was entered, won and lost since the place before."""
        created, closed = self.known.created, self.known.closed
        entered = created["count"].to_numpy()[created["place"].to_numpy() == place]
        mine = closed["place"].to_numpy() == place
        is_won = mine & np.array(
            [each == "won" for each in closed["status"].to_pylist()], dtype=bool
        )
        many, days = closed["count"].to_numpy(), closed["days"].to_numpy()
        won, all_closed = int(many[is_won].sum()), int(many[mine].sum())
        low, high = jeffreys_bounds([won], [all_closed], self.settings.level)
        return {
            "created_count": int(entered.sum()),
            "won_count": won,
            "lost_count": all_closed - won,
            "win_rate_share": won / all_closed if all_closed else None,
            "win_rate_low_share": float(low[0]),
            "win_rate_high_share": float(high[0]),
            "median_cycle_days": _median(days[is_won], many[is_won]),
        }

    def amount(self, rows: Flags) -> int | None:
        """The sum of what is known; None where nothing of something is."""
        priced = int(self.worth.priced[rows].sum())
        is_unknown = not priced and int(self.groups["count"][rows].sum()) > 0
        return None if is_unknown else int(self.worth.minor[rows].sum())


def worth_of(
    groups: dict[str, Any], rates: tuple[Observed, ...], stages: Stages
) -> Worth:
    """What the groups are worth, each by the rates of its own place."""
    minor = groups["minor"]
    where = zip(groups["place"], groups["pipeline"], groups["stage"], strict=True)
    pairs = [
        (rates[place].rate(stage), stages.odds_of(pipeline, stage))
        for place, pipeline, stage in where
    ]
    own, usual = (
        np.array([np.nan if each is None else each for each in side], dtype=np.float64)
        for side in (zip(*pairs, strict=True) if pairs else ((), ()))
    )
    return Worth(
        minor, groups["count"] - groups["unpriced"], own * minor, usual * minor
    )


def _median(days: Groups, many: Groups) -> float | None:
    """The middle one of so many of each."""
    if not many.sum():
        return None
    order = np.argsort(days, kind="stable")
    upto = np.cumsum(many[order])
    total = int(upto[-1])
    low, high = (
        days[order][np.searchsorted(upto, rank, side="left")]
        for rank in ((total + 1) // 2, total // 2 + 1)
    )
    return float(low + high) / 2
