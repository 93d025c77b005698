"""What is each account worth, in revenue and, where costs are known, in margin?"""

from __future__ import annotations

from typing import Final

import attrs
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio._methods._digits import twelve_digits
from crm_portfolio._methods._indices import Floats
from crm_portfolio.analysis._facts import RevenueFacts, of_accounts
from crm_portfolio.analysis._life._model import Model
from crm_portfolio.analysis._life._settings import LifetimeValueSettings
from crm_portfolio.analysis._life._steady import Steady
from crm_portfolio.results import Result

__all__ = ["BY_CONTRACT", "BY_PURCHASES", "BY_TIER", "Worth"]

BY_PURCHASES: Final = "purchases"
BY_CONTRACT: Final = "contract"
BY_TIER: Final = "retention"


@attrs.frozen(eq=False)
class Worth:
    """By account; NaN where unknown, amounts to the minor unit.

    Attributes:
        method: Which of the three ways it was found by; empty where it never bought.
        revenue, for_ever: Expected revenue, discounted: within the horizon, and without
            end where a retention says so.
        margin_share: Of that revenue; 1 everywhere where ``is_margin`` is false.
        value: What stays of it.
    """

    method: npt.NDArray[np.str_]
    revenue: Floats
    for_ever: Floats
    margin_share: Floats
    value: Floats
    is_margin: bool

    @classmethod
    def of(
        cls,
        facts: RevenueFacts,
        model: Model,
        steady: Steady,
        settings: LifetimeValueSettings,
        *,
        profitability: Result | None,
    ) -> Worth:
        method = np.full(steady.is_in.size, "", dtype="<U9")
        method[steady.is_in] = BY_TIER
        method[steady.is_signed] = BY_CONTRACT
        method[model.speaks] = BY_PURCHASES
        bought = model.discounted * model.value_each
        revenue = np.where(model.speaks, bought, steady.within)
        shares = _shares(facts, settings, profitability)
        is_margin = shares is not None
        share = np.ones(revenue.size) if shares is None else shares
        rounded = _to_minor(facts, revenue)
        return cls(
            method,
            rounded,
            _to_minor(facts, steady.for_ever),
            twelve_digits(share),
            _to_minor(facts, rounded * share),
            is_margin,
        )

    def total(self, facts: RevenueFacts) -> float | None:
        """Of those whose value is known; None where it is of nobody."""
        known = self.value[~np.isnan(self.value)]
        minor = np.round(known * 10**facts.digits).astype(np.int64)
        return facts.amount(int(minor.sum())) if known.size else None


def _to_minor(facts: RevenueFacts, values: Floats) -> Floats:
    """Twelve digits first, so that half a cent falls the same way everywhere."""
    found: Floats = np.round(twelve_digits(values), facts.digits) + 0.0
    return found


def _shares(
    facts: RevenueFacts, settings: LifetimeValueSettings, profitability: Result | None
) -> Floats | None:
    """What stays of revenue by account; None where nobody says it of any."""
    cost = settings.variable_cost_share
    count = len(facts.by_account.ids)
    share = np.full(count, np.nan if cost is None else 1 - cost)
    if profitability is not None:
        names = ("avoidable_contribution", "net_revenue")
        told = of_accounts(profitability, facts.by_account.ids, *names)
        own = [_floats(told[name]) for name in names]
        is_known = ~np.isnan(own[0]) & (own[1] > 0)
        share[is_known] = own[0][is_known] / own[1][is_known]
    return None if cost is None and profitability is None else share


def _floats(column: pa.Array) -> Floats:
    found: Floats = pc.fill_null(column.cast(pa.float64()), np.nan).to_numpy()
    return found
