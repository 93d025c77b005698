"""What stays from year to year, where a contract runs or no model can be fitted?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import attrs
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio._methods._contractual import (
    expected_life,
    worth_after_one,
    worth_from_now,
    worth_within,
)
from crm_portfolio._methods._digits import twelve_digits
from crm_portfolio._methods._indices import Floats
from crm_portfolio._methods._ranking import Flags
from crm_portfolio._methods._rates import wilson
from crm_portfolio.analysis._facts import RevenueFacts, of_accounts
from crm_portfolio.analysis._life._history import History
from crm_portfolio.analysis._life._model import Model
from crm_portfolio.analysis._life._settings import LifetimeValueSettings
from crm_portfolio.analysis._succession import SuccessionResult, SuccessionSettings
from crm_portfolio.analysis._succession import succession as succession_of
from crm_portfolio.portfolio import Portfolio
from crm_portfolio.results import Json, significant

__all__ = ["CONTRACTS", "GIVEN", "TIER", "Steady"]

GIVEN: Final = "given"
CONTRACTS: Final = "contracts"
TIER: Final = "tier"


@attrs.frozen(eq=False)
class Steady:
    """By account: what a year brings and the odds that it stays one; NaN where unknown.

    Attributes:
        is_in: Whom it speaks of: under contract, or no model does.
        is_signed: Where a contract runs, this year's money is sure.
        retention_from: ``given``, ``contracts`` or ``tier``; empty where unknown.
        tier: Null where nobody asked for it.
        ran, still: Of the contracts that ran a year ago, how many run, by account and
            growth left out.
        within: Revenue within the horizon, ``for_ever`` without end, both discounted.
    """

    is_in: Flags
    is_signed: Flags
    yearly: Floats
    retention: Floats
    retention_from: npt.NDArray[np.str_]
    tier: pa.Array
    ran: int
    still: int
    within: Floats
    for_ever: Floats
    life: Floats
    made: SuccessionResult | None

    @classmethod
    def of(
        cls,
        portfolio: Portfolio,
        history: History,
        model: Model,
        settings: LifetimeValueSettings,
        *,
        succession: SuccessionResult | None,
    ) -> Steady:
        is_signed = history.running > 0
        is_in = is_signed | ((history.bought.days > 0) & ~model.speaks)
        ran = int(history.ran.sum())
        still = int(np.minimum(history.running, history.ran).sum())
        retention = np.full(is_in.size, np.nan)
        source = np.full(is_in.size, "", dtype="<U9")
        if settings.retention is not None:
            retention[is_in], source[is_in] = settings.retention, GIVEN
        elif ran >= settings.min_contracts:
            retention[is_signed], source[is_signed] = still / ran, CONTRACTS
        tier = pa.nulls(is_in.size, pa.string())
        asks = is_in & (source == "")
        if asks.any():
            succession = succession or _made(portfolio, settings)
            tier = _tiers(history.facts, succession)
            stays = _by_tier(tier, succession.leaving_rates)
            is_told = asks & ~np.isnan(stays)
            retention[is_told], source[is_told] = stays[is_told], TIER
        else:
            succession = None
        yearly = np.where(is_in, _yearly(history), np.nan)
        worth = _worth(yearly, retention, is_signed, settings)
        return cls(
            is_in,
            is_signed,
            twelve_digits(yearly),
            twelve_digits(retention),
            source,
            tier,
            ran,
            still,
            *worth,
            twelve_digits(expected_life(retention)),
            succession,
        )

    def told(self) -> dict[str, Json]:
        """What stayed of the contracts, and what each tier keeps."""
        interval = wilson(self.still, self.ran)
        rates: Mapping[str, float] = self.made.leaving_rates if self.made else {}
        return {
            "contract_count": self.ran,
            "kept_count": self.still,
            "share": significant(self.still / self.ran) if self.ran else None,
            "share_low": significant(interval[0]) if interval else None,
            "share_high": significant(interval[1]) if interval else None,
            "tiers": {
                tier: significant(1 - rate) for tier, rate in sorted(rates.items())
            },
        }


def _made(portfolio: Portfolio, settings: LifetimeValueSettings) -> SuccessionResult:
    own = SuccessionSettings(period=settings.period, measure=settings.measure)
    return succession_of(portfolio, own)


def _tiers(facts: RevenueFacts, succession: SuccessionResult) -> pa.Array:
    return of_accounts(succession, facts.by_account.ids, "tier")["tier"]


def _by_tier(tier: pa.Array, leaving: Mapping[str, float]) -> Floats:
    """That nobody left among so few does not say that nobody can: then it is unknown."""
    stays = np.full(len(tier), np.nan)
    names = np.asarray(pc.fill_null(tier, "").to_pylist(), dtype=np.str_)
    for name, rate in leaving.items():
        if rate > 0:
            stays[names == name] = 1 - rate
    return stays


def _yearly(history: History) -> Floats:
    """What the contracts say; where one does not, what the period brought."""
    says = (history.running > 0) & (history.unsaid == 0)
    return np.where(says, history.facts.money(history.signed), history.yearly())


def _worth(
    yearly: Floats, retention: Floats, is_signed: Flags, settings: LifetimeValueSettings
) -> tuple[Floats, Floats]:
    """Within the horizon and for ever; without a contract the first year is not sure."""
    discount, years = settings.discount_share, settings.horizon_years
    within = worth_within(yearly, retention, discount, years)
    later = within * retention / (1 + discount)
    ever = np.where(
        is_signed,
        worth_from_now(yearly, retention, discount),
        worth_after_one(yearly, retention, discount),
    )
    return np.where(is_signed, within, later), ever
