"""What does a late payment cost, and what may be claimed for it?

Rules: sheet 7.6. Interest is simple; day 1 is the day after the due day. No rate stands
here: all of them come from whoever asks.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import numpy as np
import numpy.typing as npt

from crm_portfolio._methods._indices import Floats

__all__ = ["half_years", "interest", "rates_on", "reminding"]

_FIRST_MONTHS = (1, 7)


def half_years(start: date, end: date) -> tuple[date, ...]:
    """The first days of the half-years from that of ``start`` to that of ``end``."""
    first = start.year * 2 + (start.month > 6)
    last = end.year * 2 + (end.month > 6)
    return tuple(
        date(at // 2, _FIRST_MONTHS[at % 2], 1) for at in range(first, last + 1)
    )


def rates_on(days: Sequence[date], table: Sequence[tuple[date, float]]) -> Floats:
    """The rate in force on each day: that of the newest entry by then; NaN before any."""
    known = sorted(table)
    return np.array(
        [
            next((rate for since, rate in reversed(known) if since <= day), np.nan)
            for day in days
        ],
        dtype=np.float64,
    )


def interest(
    amount_days: npt.NDArray[np.int64], rates: Floats, *, year_days: int = 365
) -> Floats:
    """Σ amount · days · rate / 365, over the spans of one rate each.

    Args:
        amount_days: By row and span: amounts times the days late in that span.
        rates: By span. A row is NaN where it has days in a span without a rate.
    """
    is_unknown = np.isnan(rates)
    parts = amount_days * np.where(is_unknown, 0.0, rates)
    found: Floats = parts.sum(axis=1) / year_days
    found[(amount_days[:, is_unknown] != 0).any(axis=1)] = np.nan
    return found


def reminding(reminders: Floats, minutes: float, cost_per_hour: float) -> Floats:
    """What it costs to remind so often, so many minutes each."""
    cost: Floats = reminders * minutes / 60 * cost_per_hour
    return cost
