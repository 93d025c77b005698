"""Which accounts have been silent for longer than their rhythm explains?"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio._methods._indices import Floats
from crm_portfolio._methods._ranking import Flags
from crm_portfolio._methods._risk import UNKNOWN, silence, under_threshold
from crm_portfolio.analysis._dangers._danger import (
    Danger,
    by_place,
    days_between,
    days_of,
)
from crm_portfolio.analysis._dangers._settings import RiskSettings
from crm_portfolio.analysis._facts import (
    Purchases,
    RevenueFacts,
    account_days,
    bought_again,
    purchases,
)
from crm_portfolio.portfolio import Portfolio

__all__ = ["silence_of"]

# Whole weeks, so that a Monday is held against a Monday.
_A_YEAR_BEFORE: Final = 364
_OWN, _TIER, _SEASON, _CONTRACT, _GONE = "own", "tier", "season", "contract", "gone"


def silence_of(
    portfolio: Portfolio,
    facts: RevenueFacts,
    settings: RiskSettings,
    tier: pa.Array,
    has_contract: Flags,
) -> Danger:
    """Sheet 9.1: by its own rhythm, else by that of its tier, the same season respected.

    Args:
        tier: Of each account, in the order of the facts.
        has_contract: Where a contract runs, its end counts and not the silence.
    """
    bought = purchases(portfolio, facts, end=portfolio.as_of + timedelta(days=1))
    as_of = np.full(bought.days.size, np.datetime64(portfolio.as_of, "D"))
    silent_days = days_between(bought.last_on, as_of)
    gaps, span, rhythm = _rhythms(bought, tier, settings)
    is_measured = (rhythm == _OWN) | (rhythm == _TIER)
    is_gone = (bought.days > 0) & (silent_days > settings.gone_days)
    rhythm[is_gone], rhythm[has_contract] = _GONE, _CONTRACT
    is_measured &= ~is_gone & ~has_contract
    index = np.full(bought.days.size, np.nan)
    index[is_measured] = silence(
        gaps[is_measured], span[is_measured], silent_days[is_measured]
    )
    level = under_threshold(index, settings.silence, is_measured, reached=False)
    if settings.same_season:
        is_season = _as_a_year_before(portfolio, facts, bought, level > 0)
        level[is_season], rhythm[is_season] = 0, _SEASON
    nothing = bought.days == 0
    columns = {
        "silent_since_on": days_of(bought.last_on),
        "silent_days": pa.array(silent_days, mask=nothing),
        "purchase_days": pa.array(bought.days),
        "gap_days": pa.array(_mean_gap(gaps, span), mask=~is_measured),
        "silence_rhythm": pa.array(rhythm, pa.string()),
        "silence_index": pa.array(index, mask=~is_measured),
    }
    return Danger.made(
        "silence",
        level,
        told_as="risk_silence",
        told_on=columns["silent_since_on"],
        columns=columns,
        is_open=(level != UNKNOWN) | ~has_contract,
    )


def _mean_gap(gaps: Floats, span: Floats) -> Floats:
    mean = np.full(gaps.size, np.nan)
    np.divide(span, gaps, out=mean, where=gaps > 0)
    return np.round(mean, 1)


def _rhythms(
    bought: Purchases, tier: pa.Array, settings: RiskSettings
) -> tuple[Floats, Floats, npt.NDArray[np.object_]]:
    """Gaps, days from first to last, and whose rhythm that is."""
    own_gaps = np.maximum(bought.days - 1, 0)
    gaps = own_gaps.astype(np.float64)
    span = days_between(bought.first_on, bought.last_on).astype(np.float64)
    is_own = own_gaps >= settings.own_rhythm_gaps
    rhythm = np.full(own_gaps.size, None, dtype=object)
    rhythm[is_own] = _OWN
    for name in pc.unique(tier.drop_null()).to_pylist():
        is_in = pc.fill_null(pc.equal(tier, name), fill_value=False)
        is_in = is_in.to_numpy(zero_copy_only=False)
        shown = is_in & is_own
        if shown.sum() < settings.tier_rhythm_accounts:
            continue
        # The account in the middle of its tier: as many gaps, as long.
        middle_gaps = float(np.floor(np.median(gaps[shown])))
        middle_gap = float(np.median(span[shown] / gaps[shown]))
        borrows = is_in & ~is_own & (bought.days > 0)
        gaps[borrows], span[borrows] = middle_gaps, middle_gaps * middle_gap
        rhythm[borrows] = _TIER
    return gaps, span, rhythm


def _as_a_year_before(
    portfolio: Portfolio, facts: RevenueFacts, bought: Purchases, asked: Flags
) -> Flags:
    """Who was there a year before, and bought nothing in the same weeks either."""
    until = portfolio.as_of - timedelta(days=_A_YEAR_BEFORE)
    since_on = bought.last_on - np.timedelta64(_A_YEAR_BEFORE, "D")
    asked = asked & (bought.first_on <= since_on)
    asked &= bought.last_on > np.datetime64(until, "D")
    if not asked.any():
        return asked
    since = pa.table(
        {
            "account_id": pa.array(np.flatnonzero(asked), pa.int32()),
            "since_on": pa.array(since_on[asked], pa.date32()),
        }
    )
    found = bought_again(account_days(portfolio, facts.measure), since, until=until)
    (again,) = by_place(facts, found, ("days",))
    season: Flags = asked & (again == 0)
    return season
