"""What speaks for an account, at one close, and how strongly?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Final

import attrs
import numpy as np
import pyarrow as pa

from crm_portfolio._methods._cuts import Groups
from crm_portfolio._methods._indices import Floats
from crm_portfolio._methods._potential import mean_known, percentiles
from crm_portfolio._methods._ranking import Flags
from crm_portfolio.analysis._facts import Twice, inbound, products
from crm_portfolio.analysis._tomorrow._history import NEW, History, first_day
from crm_portfolio.analysis._tomorrow._moves import Moves
from crm_portfolio.analysis._tomorrow._trends import Trend
from crm_portfolio.portfolio import Portfolio

__all__ = ["SIGNALS", "Signals"]

SIGNALS: Final = ("trend", "odds", "potential", "breadth", "interest")
_SIZES: Final = ("account_turnover", "employee_count")


@attrs.frozen(eq=False)
class Signals:
    """The signals of each account at one close.

    Attributes:
        values: How strong each is, NaN where it is unknown.
        holds: Whether it speaks for the account; never where it is unknown.
        is_lower: Who is in the lower half of the tiers.
        is_young: Who came less than three months before, and brings no more than they do.
    """

    values: Mapping[str, Floats]
    holds: Mapping[str, Flags]
    is_lower: Flags
    is_young: Flags

    @classmethod
    def at(
        cls, portfolio: Portfolio, history: History, moves: Moves, trend: Trend
    ) -> Signals:
        """What was known at the close that the moves lead to."""
        now = moves.now
        is_lower = (now.code >= moves.lower) & (now.code < moves.tiers)
        most = int(now.revenue[is_lower].max()) if is_lower.any() else 0
        is_here = history.first_month() < now.month
        is_young = (now.code == NEW) & is_here & (now.revenue <= most)
        found = dict(_each(portfolio, history, moves, trend))
        return cls(
            {name: value for name, (value, _) in found.items()},
            {name: holds & ~np.isnan(value) for name, (value, holds) in found.items()},
            is_lower,
            is_young,
        )

    @property
    def count(self) -> Groups:
        """How many speak for each."""
        held = np.stack([self.holds[name] for name in SIGNALS])
        count: Groups = held.sum(axis=0, dtype=np.int64)
        return count

    def parts(self) -> Mapping[str, Floats]:
        """Each signal in its own spread among the lower half; NaN where it is unknown."""
        return {name: self._standardised(self.values[name]) for name in SIGNALS}

    def _standardised(self, value: Floats) -> Floats:
        among = value[self.is_lower & ~np.isnan(value)]
        # A spread within the noise of floats is none.
        if not among.size or np.ptp(among) <= 1e-12 * max(1.0, np.abs(among).max()):
            return np.where(np.isnan(value), np.nan, 0.0)
        parts: Floats = (value - among.mean()) / among.std()
        return parts

    def columns(self) -> Mapping[str, pa.Array]:
        """Whether each holds; null where it is unknown."""
        return {
            f"has_{name}": pa.array(self.holds[name], mask=np.isnan(self.values[name]))
            for name in SIGNALS
        } | {"signal_count": pa.array(self.count)}


def _each(
    portfolio: Portfolio, history: History, moves: Moves, trend: Trend
) -> Iterator[tuple[str, tuple[Floats, Flags]]]:
    is_rising = trend.label == "rising"
    yield "trend", (np.where(trend.is_known, trend.found.z, np.nan), is_rising)
    yield "odds", _odds(moves)
    yield "potential", _potential(history, moves)
    end, settings = moves.now.month, history.settings
    year = _days(end, 12, 12)
    was_there = history.first_month() < end - 12
    bought = products(portfolio, history.facts, year)
    yield "breadth", _growth(bought, was_there & _some(bought), 1.0)
    recent = _days(end, settings.interest_months, 12)
    came = inbound(portfolio, history.facts, recent)
    share = settings.interest_months / 12
    yield "interest", _growth(came, np.ones(was_there.size, dtype=bool), share)


def _odds(moves: Moves) -> tuple[Floats, Flags]:
    """The chance to move up within a year, against that of the whole lower half."""
    rates, base, code = moves.rising(), moves.base_rate(), moves.now.code
    value = np.full(code.size, np.nan)
    if rates is None or base is None:
        return value, np.zeros(code.size, dtype=bool)
    is_in = (code >= 0) & (code < moves.tiers)
    value[is_in] = rates[code[is_in]]
    # A rate that only smoothing set apart by the noise of floats is the same one.
    return value, value > base * (1 + 1e-9)


def _potential(history: History, moves: Moves) -> tuple[Floats, Flags]:
    """Its place by size, turnover and head count, among all whose size is known.

    A CRM knows the sizes of today only: nothing is known at an earlier close.
    """
    account = history.facts.account
    places = [
        percentiles(account[name].to_numpy(zero_copy_only=False).astype(np.float64))
        for name in _SIZES
        if name in account.column_names and moves.now.month == history.end
    ]
    value = mean_known(places) if places else np.full(account.num_rows, np.nan)
    return value, value >= history.settings.potential_share


def _growth(found: Twice | None, is_known: Flags, share: float) -> tuple[Floats, Flags]:
    """How much more than the span before, brought to the same length."""
    if found is None:
        return np.full(is_known.size, np.nan), np.zeros(is_known.size, dtype=bool)
    now, before = found
    value = np.where(is_known, now - before * share, np.nan)
    return value, value > 0


def _some(found: Twice | None) -> Flags:
    """Who bought any product that has a name, in either year."""
    return np.zeros(1, dtype=bool) if found is None else (found[0] + found[1]) > 0


def _days(end: int, recent: int, before: int) -> tuple[date, date, date]:
    return first_day(end - recent - before), first_day(end - recent), first_day(end)
