"""Which hours did each account have, what did they cost, and how many are explained?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import attrs
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio._methods._costing import Capacity, assigned, unit_seconds
from crm_portfolio._methods._cuts import Groups
from crm_portfolio._methods._indices import Amounts, Floats
from crm_portfolio._methods._ranking import Flags
from crm_portfolio._places import places_of
from crm_portfolio.analysis._facts import (
    RevenueFacts,
    RoleTime,
    capacity_in,
    counted_activities,
    role_time,
    seconds_of_kinds,
)
from crm_portfolio.analysis._profit._settings import ProfitabilitySettings
from crm_portfolio.portfolio import Portfolio

__all__ = ["Served"]

Source = Literal["effort", "activity", "unit_times"]
_HOUR = 3600


@attrs.frozen(eq=False)
class Served:
    """The time given to each account, in the order of the facts, and what it cost.

    Attributes:
        source: Where hours come from; None where nothing tells of any.
        roles: Sorted; an empty name holds the time that no role was noted for.
        seconds: Charged to the account: a row an account and a column a role.
        is_known: Where somebody noted time; that nobody did is not zero.
        minor: What they cost; ``is_priced`` where every role that gave some has a rate.
        capacity: By role, those that gave nothing too: what it can give, and gave.
        rates: Of each role: the source of its cost, ``settings`` or ``capacity``, or, of
            time without a role, their ``mean``; None where nothing tells it.
        coverage: Hours on record of those that our people can give; where nobody says how
            many that are, the revenue of the accounts that hours are noted of.
    """

    source: Source | None
    roles: tuple[str, ...]
    seconds: Groups
    is_known: Flags
    negative_count: int
    minor: Amounts
    is_priced: Flags
    capacity: Mapping[str, Capacity]
    rates: Mapping[str, str | None]
    coverage: float | None
    is_enough: bool
    digits: int

    @classmethod
    def of(
        cls,
        portfolio: Portfolio,
        facts: RevenueFacts,
        settings: ProfitabilitySettings,
        is_new: Flags,
    ) -> Served:
        time = role_time(portfolio, facts)
        given = (
            {}
            if "capacity" not in portfolio
            else capacity_in(portfolio.arrow("capacity"), facts.period)
        )
        source: Source | None = time.given.source
        coverage = _coverage(facts, time, given)
        if _is_too_little(source, coverage, settings) and "activity" in portfolio:
            time = _by_units(portfolio, facts, settings, is_new)
            source, coverage = "unit_times", _coverage(facts, time, given)
        charged = time.seconds
        if source == "effort":
            charged = _without(portfolio, facts, time, settings)
        rates, told = _rates(time.roles, given, settings)
        minor, is_priced = assigned(charged, rates * 10**facts.digits)
        used = dict(zip(time.roles, time.seconds.sum(axis=0).tolist(), strict=True))
        each = dict(zip(time.roles, rates.tolist(), strict=True))
        every = {
            role: Capacity(
                given[role][0] if role in given else None,
                used.get(role, 0) / _HOUR,
                _or_none(each[role]) if role in each else _rate(role, given, settings),
            )
            for role in sorted({*time.roles, *given})
        }
        return cls(
            source,
            time.roles,
            seconds=charged,
            is_known=time.given.is_known,
            negative_count=time.given.negative_count,
            minor=minor,
            is_priced=is_priced,
            capacity=every,
            rates={role: told.get(role, "capacity") for role in every},
            coverage=coverage,
            is_enough=coverage is None or coverage >= settings.coverage_share,
            digits=facts.digits,
        )

    @property
    def cost(self) -> tuple[Amounts, Flags]:
        return self.minor, self.is_known & self.is_priced & (self.source is not None)

    def hours(self) -> Floats:
        """Charged to each account; NaN where unknown."""
        found: Floats = np.where(
            self.is_known, self.seconds.sum(axis=1) / _HOUR, np.nan
        )
        return found

    @property
    def unexplained(self) -> int | None:
        """Minor units of the hours nobody noted; None where they cannot be told.

        Hours without a role are of some role, so they explain as many.
        """
        known = [each for role, each in self.capacity.items() if role]
        costs = [each.unused_cost for each in known if each.practical is not None]
        if not costs or None in costs:
            return None
        any_role = self.capacity.get("")
        explained = 0.0
        if any_role is not None and any_role.used:
            if any_role.cost_per_hour is None:
                return None
            explained = any_role.used * any_role.cost_per_hour
        total = sum(each for each in costs if each is not None) - explained
        return max(round(float(total * 10**self.digits)), 0)

    @property
    def overloaded(self) -> tuple[str, ...]:
        return tuple(role for role, each in self.capacity.items() if each.is_overloaded)


def _or_none(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def _is_too_little(
    source: Source | None, coverage: float | None, settings: ProfitabilitySettings
) -> bool:
    """Minutes on record stand before unit times, where there are enough of them."""
    if not settings.unit_times:
        return False
    return source != "effort" or (coverage or 0.0) < settings.coverage_share


def _coverage(
    facts: RevenueFacts,
    time: RoleTime,
    given: Mapping[str, tuple[float, float | None]],
) -> float | None:
    if time.given.source is None:
        return None
    practical = sum(hours for hours, _ in given.values())
    if practical > 0:
        used = time.seconds.sum(axis=0) / _HOUR
        counted = [
            hours
            for role, hours in zip(time.roles, used.tolist(), strict=True)
            if role in given or not role
        ]
        return float(min(sum(counted) / practical, 1.0))
    positive = np.maximum(facts.by_account.revenue, 0)
    total = int(positive.sum())
    return int(positive[time.given.is_known].sum()) / total if total else None


def _by_units(
    portfolio: Portfolio,
    facts: RevenueFacts,
    settings: ProfitabilitySettings,
    is_new: Flags,
) -> RoleTime:
    """So many activities of a kind, so long each; none of any is no time."""
    units, ids = settings.unit_times, facts.by_account.ids
    found = counted_activities(
        portfolio["activity"],
        facts.period,
        portfolio.calendar.time_zone,
        sorted(units),
    )
    roles = sorted({each.role for each in units.values()})
    seconds = np.zeros((len(ids), len(roles)), dtype=np.int64)
    for kind, each in sorted(units.items()):
        rows = found.filter(pc.equal(found["kind"], kind))
        at = places_of(rows["account_id"], ids).to_numpy()
        counts = np.zeros(len(ids), dtype=np.int64)
        counts[at] = rows["count"].to_numpy()
        seconds[:, roles.index(each.role)] += unit_seconds(
            counts, each.minutes, each.more_if_new, is_new
        )
    base = role_time(portfolio, facts).given
    every = np.ones(len(ids), dtype=bool)
    worked = attrs.evolve(
        base,
        source="activity",
        seconds=seconds.sum(axis=1),
        is_known=every,
        negative_count=0,
    )
    return RoleTime(worked, tuple(roles), seconds)


def _without(
    portfolio: Portfolio,
    facts: RevenueFacts,
    time: RoleTime,
    settings: ProfitabilitySettings,
) -> Groups:
    """Time less what is no account's, and what the cost of the lines holds."""
    kinds = sorted({*settings.internal_kinds, *settings.delivered_kinds})
    if not kinds:
        return time.seconds
    found = seconds_of_kinds(portfolio["effort"], facts.period, kinds)
    left = time.seconds.copy()
    at = places_of(found["account_id"], facts.by_account.ids).to_numpy()
    column = pc.index_in(found["role"], pa.array(time.roles, pa.string())).to_numpy()
    left[at, column] -= found["seconds"].to_numpy()
    kept: Groups = np.maximum(left, 0)
    return kept


def _rates(
    roles: tuple[str, ...],
    given: Mapping[str, tuple[float, float | None]],
    settings: ProfitabilitySettings,
) -> tuple[Floats, dict[str, str | None]]:
    """What an hour of each role costs, and what says so."""
    found = [_rate(role, given, settings) for role in roles]
    told: dict[str, str | None] = {}
    for role, each in zip(roles, found, strict=True):
        source = "settings" if role in settings.rates else "capacity"
        if not role and source == "capacity":
            source = "mean"
        told[role] = None if each is None else source
    rates = np.array([np.nan if each is None else each for each in found], dtype=float)
    return rates, told


def _rate(
    role: str,
    given: Mapping[str, tuple[float, float | None]],
    settings: ProfitabilitySettings,
) -> float | None:
    if role in settings.rates:
        return settings.rates[role]
    if role:
        return given[role][1] if role in given else None
    own = [(each, settings.rates.get(r, given[r][1])) for r, (each, _) in given.items()]
    priced = [(hours, rate) for hours, rate in own if rate is not None and hours > 0]
    total = sum(hours for hours, _ in priced)
    return sum(hours * rate for hours, rate in priced) / total if total else None
