"""What would a loss bring if it were won, what would it take, and what is an hour worth?"""

from __future__ import annotations

from datetime import timedelta
from math import nan
from typing import Any, Final, Literal

import attrs
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio._frames import NativeFrame, to_arrow
from crm_portfolio._methods._cuts import Groups
from crm_portfolio._methods._indices import Floats
from crm_portfolio._methods._pursuit_value import contribution, last_that_fits
from crm_portfolio._methods._ranking import Flags
from crm_portfolio.analysis._again._candidates import Candidates
from crm_portfolio.analysis._again._past import reasons_of
from crm_portfolio.analysis._again._settings import WinBackSettings
from crm_portfolio.analysis._facts import (
    RevenueFacts,
    SaleTime,
    costs_of_lines,
    found_at,
    open_business,
    placed,
    sale_time,
)
from crm_portfolio.portfolio import Portfolio

__all__ = ["Hour", "Worth"]

_SECONDS_AN_HOUR: Final = 3600
_UNRATED: Final = -1.0

HourSource = Literal["settings", "pipeline", "idle", "unknown"]


@attrs.frozen(eq=False)
class Hour:
    """What an hour costs, and what it would bring elsewhere; minor units, NaN unknown.

    Attributes:
        available: Hours for selling in the horizon; NaN unknown.
        open_count: Open opportunities; ``unvalued`` of them nobody knows the value of.
    """

    cost: float
    value: float
    source: HourSource
    available: float
    needed: float
    open_count: int
    unvalued: int

    @classmethod
    def of(
        cls,
        portfolio: Portfolio,
        margins: Margins,
        sale: SaleTime | None,
        settings: WinBackSettings,
        digits: int,
    ) -> Hour:
        unit = 10.0**digits
        roles = settings.roles or _roles(sale)
        cost, hours = _capacity(portfolio, roles, settings.horizon_days)
        if settings.cost_per_hour is not None:
            cost = settings.cost_per_hour
        if settings.hours_available is not None:
            hours = settings.hours_available
        each = hours_of_sale(sale, settings)
        values, unvalued = _open_values(portfolio, margins)
        needed = each * (values.size + unvalued)
        value, source = _value(values, unvalued, each=each, room=hours)
        if settings.hour_value is not None:
            value, source = settings.hour_value * unit, "settings"
        return cls(
            cost=cost * unit,
            value=value,
            source=source,
            available=hours,
            needed=needed,
            open_count=int(values.size) + unvalued,
            unvalued=unvalued,
        )


def _value(
    values: Floats, unvalued: int, *, each: float, room: float
) -> tuple[float, HourSource]:
    """λ: of the open opportunities whose value is known, the last that fits.

    Hours are idle only where those of unknown value fit too.
    """
    if not values.size and not unvalued:
        return 0.0, "idle"
    if np.isnan(each) or np.isnan(room):
        return nan, "unknown"
    if each * (values.size + unvalued) <= room:
        return 0.0, "idle"
    if not values.size:
        return nan, "unknown"
    found = last_that_fits(values, np.full(values.size, each), room)
    if not found and unvalued:
        return nan, "unknown"
    return found, "pipeline" if found else "idle"


def _open_values(portfolio: Portfolio, margins: Margins) -> tuple[Floats, int]:
    """Odds by contribution of each open opportunity of new business; how many unknown."""
    found = open_business(portfolio)
    found = found.filter(pc.not_equal(found["kind"], "renewal"))
    odds = found["odds"].to_numpy()
    minor = pc.fill_null(found["minor"].cast(pa.float64()), np.nan).to_numpy()
    values = np.where(odds == _UNRATED, np.nan, odds) * minor
    values = values * margins.at(found["account_id"])
    known = ~np.isnan(values)
    return values[known], int((~known).sum())


def _roles(sale: SaleTime | None) -> tuple[str, ...]:
    return () if sale is None else tuple(sorted(role for role in sale.seconds if role))


def _capacity(
    portfolio: Portfolio, roles: tuple[str, ...], horizon_days: int
) -> tuple[float, float]:
    """Cost of an hour of these roles, and their hours in the days to come; NaN unknown."""
    if "capacity" not in portfolio or not roles:
        return nan, nan
    first = portfolio.as_of + timedelta(days=1)
    last = portfolio.as_of + timedelta(days=horizon_days)
    found, costs = list[float](), list[tuple[float, float]]()
    for row in _spans(portfolio["capacity"]):
        inside = (min(row["to_on"], last) - max(row["from_on"], first)).days + 1
        if row["role"] not in roles or inside <= 0:
            continue
        own = row["hours"] * inside / ((row["to_on"] - row["from_on"]).days + 1)
        found.append(own)
        if (cost := row.get("cost_per_hour")) is not None:
            costs.append((own, cost))
    # None at all is known, too; a time of which no row tells is not.
    return _mean(costs), sum(found) if found else nan


def _mean(costs: list[tuple[float, float]]) -> float:
    """By hours; of roles that have none, one as good as the other."""
    hours = sum(own for own, _ in costs)
    if not hours:
        return sum(cost for _, cost in costs) / len(costs) if costs else nan
    return sum(own * cost for own, cost in costs) / hours


def _spans(frame: NativeFrame) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = to_arrow(frame).to_pylist()
    return found


def hours_of_sale(sale: SaleTime | None, settings: WinBackSettings) -> float:
    """What a whole pursuit takes; NaN where nobody says."""
    if settings.hours is not None:
        return settings.hours
    return nan if sale is None else sum(sale.seconds.values()) / _SECONDS_AN_HOUR


@attrs.frozen(eq=False)
class Margins:
    """Contribution for revenue of each account, and of one that tells none; NaN unknown."""

    ids: pa.Array
    own: Floats
    mix: float

    @classmethod
    def of(
        cls, portfolio: Portfolio, facts: RevenueFacts, settings: WinBackSettings
    ) -> Margins:
        of, share = facts.by_account, settings.variable_cost_share
        mix = nan if share is None else 1 - share
        own = np.full(len(of.ids), nan)
        if facts.measure == "net_revenue":
            found = costs_of_lines(portfolio, facts.period)
            at = found_at(found["account_id"], of.ids)
            cost, sold, costed = (
                placed(found[name], at) for name in ("line_cost", "sold", "costed")
            )
            is_own: Flags = (sold > 0) & (sold == costed) & (of.revenue > 0)
            revenue = int(of.revenue[is_own].sum())
            own[is_own] = 1 - cost[is_own] / of.revenue[is_own]
            if share is None and revenue:
                mix = 1 - int(cost[is_own].sum()) / revenue
        return cls(of.ids, np.where(np.isnan(own), mix, own), mix)

    def at(self, account: pa.ChunkedArray | pa.Array) -> Floats:
        at = pc.fill_null(pc.index_in(account, self.ids), -1)
        return self.at_places(at.to_numpy().astype(np.int64))

    def at_places(self, place: Groups) -> Floats:
        """Of the accounts at these places; -1 is one that tells none."""
        found: Floats = np.append(self.own, self.mix)[place]
        return found


@attrs.frozen(eq=False)
class Worth:
    """What each candidate would contribute, and what is left to do for it.

    Attributes:
        value: M, in minor units; NaN unknown.
        hours: Still to come, if all attempts that are left are made; NaN unknown.
        hours_of_one: Of one attempt.
        concession: Off the price: only for those who left for it.
        unit: Minor units of one.
    """

    value: Floats
    hours: Floats
    hours_of_one: float
    concession: Floats
    hour: Hour
    unit: float

    @classmethod
    def of(
        cls,
        portfolio: Portfolio,
        facts: RevenueFacts,
        found: Candidates,
        settings: WinBackSettings,
    ) -> Worth:
        sale = sale_time(portfolio)
        margins = Margins.of(portfolio, facts, settings)
        concession = _conceded(found, settings)
        value = contribution(
            found.amount,
            margins.at_places(found.place),
            concession=concession,
            years=settings.years,
            discount=settings.discount_share,
        )
        value = value - _spillover(facts, found, concession, settings)
        whole = hours_of_sale(sale, settings)
        left = np.maximum(settings.max_attempts - found.attempts, 0)
        one = whole / settings.max_attempts
        return cls(
            value=np.rint(value),
            hours=one * left,
            hours_of_one=one,
            concession=concession,
            hour=Hour.of(portfolio, margins, sale, settings, facts.digits),
            unit=10.0**facts.digits,
        )


def _conceded(found: Candidates, settings: WinBackSettings) -> Floats:
    """No better price without a reason: only who left for the price is offered one."""
    reason = reasons_of(found.table["loss_reason"])
    asked = pc.is_in(reason, value_set=pa.array(settings.price_reasons, pa.string()))
    is_price = asked.to_numpy(zero_copy_only=False).astype(bool)
    conceded: Floats = np.where(is_price, settings.concession_share, 0.0)
    return conceded


def _spillover(
    facts: RevenueFacts,
    found: Candidates,
    concession: Floats,
    settings: WinBackSettings,
) -> Floats:
    """What the others cost who ask for the same price; of a year, in minor units."""
    total = float(np.maximum(facts.by_account.revenue, 0).sum())
    own = np.append(np.maximum(facts.by_account.revenue, 0), 0)[found.place]
    asked: Floats = concession * settings.spillover_share * (total - own)
    return asked
