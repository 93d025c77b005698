"""How often will each account come back, and for how much, where a model can tell?"""

from __future__ import annotations

from math import ceil
from typing import Final

import attrs
import numpy as np

from crm_portfolio._methods._bg_nbd import (
    LEAST_A,
    BgNbd,
    Streams,
    expected_purchases,
    fitted,
    is_alive,
    log_likelihood,
)
from crm_portfolio._methods._digits import twelve_digits
from crm_portfolio._methods._gamma_gamma import (
    GammaGamma,
    correlation,
    expected_value,
    fitted_values,
)
from crm_portfolio._methods._indices import Floats
from crm_portfolio._methods._ranking import Flags
from crm_portfolio.analysis._life._history import DAYS_A_YEAR, History
from crm_portfolio.analysis._life._settings import LifetimeValueSettings
from crm_portfolio.results import Json, significant

__all__ = ["WEEK", "Model"]

WEEK: Final = 7


@attrs.frozen(eq=False)
class Model:
    """What is fitted, and on how many; a part that could not be fitted is None.

    Attributes:
        repeat_count: Accounts without a contract that came back.
        valued_count: Those of them whose amounts are known on some day after the first.
        purchases: By the week. ``values``: in the currency.
        alive, expected, discounted, value_each: By account: the odds that it still
            buys, its purchases within the horizon, the same with waiting discounted,
            and what one is worth. NaN where no model speaks.
    """

    repeat_count: int
    account_count: int
    valued_count: int
    correlation: float | None
    log_likelihood: float | None
    purchases: BgNbd | None
    values: GammaGamma | None
    alive: Floats
    expected: Floats
    discounted: Floats
    value_each: Floats

    @classmethod
    def of(cls, history: History, settings: LifetimeValueSettings) -> Model:
        """It refuses to fit on too little; what stands instead is not its business."""
        is_in = history.is_modelled
        x = history.repeats[is_in].astype(np.float64)
        streams = Streams.of(
            x, history.age_at_last[is_in] / WEEK, history.age[is_in] / WEEK
        )
        repeats = int((x > 0).sum())
        is_enough = repeats >= settings.min_repeat_accounts
        purchases = fitted(streams) if is_enough else None
        told = _Told.by(purchases, streams, settings)
        is_valued, known, mean = _means(history)
        count = int(is_valued.sum())
        values = None
        if purchases and count >= settings.min_repeat_accounts:
            values = fitted_values(known[is_valued], mean[is_valued])
        each = np.full(is_in.size, np.nan)
        if values:
            each[is_in] = expected_value(values, known, mean)[is_in]
        return cls(
            repeat_count=repeats,
            account_count=int(is_in.sum()),
            valued_count=count,
            correlation=correlation(known[is_valued], mean[is_valued]),
            log_likelihood=log_likelihood(purchases, streams) if purchases else None,
            purchases=purchases,
            values=values,
            alive=told.placed(is_in, told.alive),
            expected=told.placed(is_in, told.expected),
            discounted=told.placed(is_in, told.discounted),
            value_each=twelve_digits(each),
        )

    @property
    def speaks(self) -> Flags:
        """Whom the model of the purchases speaks of."""
        return ~np.isnan(self.alive)

    @property
    def is_weak(self) -> bool:
        """Only r, alpha and a/(a+b) are identified."""
        return self.purchases is not None and self.purchases.a < LEAST_A

    def told(self) -> dict[str, Json]:
        """Parameters and what they were fitted on."""
        fit: dict[str, Json] = {
            "account_count": self.account_count,
            "repeat_count": self.repeat_count,
        }
        own = self.purchases
        fit |= {name: getattr(own, name, None) for name in ("r", "alpha", "a", "b")}
        fit |= {
            "log_likelihood": significant(self.log_likelihood),
            "expected_purchases": _summed(self.expected) if own else None,
            "valued_count": self.valued_count,
        }
        worth = self.values
        fit |= {name: getattr(worth, name, None) for name in ("p", "q", "v")}
        return fit | {
            "mean_value": significant(worth.mean) if worth else None,
            "correlation": significant(self.correlation),
        }


def _summed(values: Floats) -> float | None:
    return significant(float(np.nansum(values)))


def _means(history: History) -> tuple[Flags, Floats, Floats]:
    """Who shows what a purchase after the first is worth, on how many days, and how much."""
    known = np.where(history.is_modelled, history.known_days, 0).astype(np.float64)
    sums = history.facts.money(history.known_minor)
    is_valued = (known > 0) & (sums > 0)
    mean = np.zeros(known.size)
    np.divide(sums, known, out=mean, where=is_valued)
    return is_valued, np.where(is_valued, known, 0.0), mean


@attrs.frozen(eq=False)
class _Told:
    """What the model says of each stream; NaN without a model."""

    streams: Streams
    alive: Floats
    expected: Floats
    discounted: Floats

    @classmethod
    def by(
        cls, model: BgNbd | None, streams: Streams, settings: LifetimeValueSettings
    ) -> _Told:
        if model is None:
            nothing = np.full(streams.x.size, np.nan)
            return cls(streams, nothing, nothing, nothing)
        of = (streams.x, streams.tx, streams.T)
        before, discounted = np.zeros(streams.x.size), np.zeros(streams.x.size)
        for year in range(ceil(settings.horizon_years)):
            until = min(year + 1.0, settings.horizon_years)
            found = expected_purchases(model, *of, until * DAYS_A_YEAR / WEEK)
            # What a year brings comes in its middle.
            waits = (1 + settings.discount_share) ** -((year + until) / 2)
            discounted += (found - before) * waits
            before = found
        alive = is_alive(model, *of)
        return cls(streams, alive, before, discounted)

    def placed(self, is_in: Flags, values: Floats) -> Floats:
        found = np.full(is_in.size, np.nan)
        found[is_in] = twelve_digits(values)[self.streams.place]
        return found
