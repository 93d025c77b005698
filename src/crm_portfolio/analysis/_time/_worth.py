"""What does an hour bring elsewhere?"""

from __future__ import annotations

import attrs
import numpy as np
import pyarrow.compute as pc

from crm_portfolio._methods._pursuit_value import last_that_fits
from crm_portfolio.analysis._facts import RevenueFacts, open_business, sale_time
from crm_portfolio.analysis._loss import odds_of
from crm_portfolio.analysis._time._hours import Hours
from crm_portfolio.analysis._time._lines import Lines
from crm_portfolio.analysis._time._settings import FocusSettings
from crm_portfolio.portfolio import Portfolio

__all__ = ["Worth"]


@attrs.frozen
class Worth:
    """The value of an hour, in minor units; None where nobody knows.

    Attributes:
        source: ``settings``, or ``open_sales``: the last one that the hours given to sales
            in the period suffice for, at the hours that won ones took. Zero where they
            suffice for all.
        sale_count: How many open sales were weighed; ``unvalued_count`` say too little.
    """

    value: float | None = None
    source: str | None = None
    sale_count: int = 0
    unvalued_count: int = 0

    @classmethod
    def of(
        cls,
        portfolio: Portfolio,
        facts: RevenueFacts,
        settings: FocusSettings,
        hours: Hours,
        lines: Lines,
    ) -> Worth:
        if settings.value_per_hour is not None:
            return cls(settings.value_per_hour * 10**facts.digits, "settings")
        sale, margin = sale_time(portfolio), lines.margin_share(settings)
        if sale is None or margin is None or hours.notes is None:
            return cls()
        found = open_business(portfolio)
        found = found.filter(pc.not_equal(found["kind"], "renewal"))
        minor = pc.fill_null(found["minor"].cast("float64"), np.nan).to_numpy()
        worth = minor * odds_of(portfolio, found) * margin
        is_known = ~np.isnan(worth)
        each = sum(sale.seconds.values()) / 3600
        room = hours.sale_seconds() / 3600
        counts = int(is_known.sum()), int((~is_known).sum())
        if each <= 0 or (counts[1] and not counts[0]):
            return cls(None, None, *counts)
        worth = worth[is_known]
        value = last_that_fits(worth, np.full(worth.size, each), room)
        return cls(value, "open_sales", *counts)
