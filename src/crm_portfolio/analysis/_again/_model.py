"""Does a model that learns foresee better than the plain rates, on a later year?"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Final, Literal

import attrs
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio._methods._indices import Floats
from crm_portfolio._methods._logistic import (
    Logistic,
    log_loss,
    logistic,
    most_coefficients,
)
from crm_portfolio._methods._ranking import Flags
from crm_portfolio._methods._shrinkage import beta_binomial
from crm_portfolio.analysis._again._past import Past, group_of
from crm_portfolio.analysis._again._settings import WinBackSettings

__all__ = ["FEATURES", "Trial", "Verdict", "features", "trial"]

FEATURES: Final = ("months", "price", "client", "missed", "amount")
"""In the order in which they are taken, as far as the events carry them."""
_FEWEST_EVENTS: Final = 50

Verdict = Literal["not_asked", "few_events", "no_later_year", "not_better", "better"]


@attrs.frozen(eq=False)
class Trial:
    """Two ways to foresee, each made from earlier attempts and held against later ones.

    Attributes:
        events: Won among the tried; ``trained`` and ``tested`` count the tried.
        log_loss_rates, log_loss_logistic: On the later year; None where not tried.
        model: Fitted to all attempts, where it was the better one.
        split_on: The day between the two.
    """

    verdict: Verdict
    events: int
    coefficients: int = 0
    trained: int = 0
    tested: int = 0
    log_loss_rates: float | None = None
    log_loss_logistic: float | None = None
    split_on: date | None = None
    model: Logistic | None = None


def features(
    family: pa.Array,
    reason: pa.Array,
    minor: Floats,
    months: Floats,
    settings: WinBackSettings,
) -> Floats:
    """What was known of each before it was tried: nothing that came after the attempt."""

    def is_(array: pa.Array, *values: str) -> Floats:
        found = pc.is_in(array, value_set=pa.array(values, pa.string()))
        flags: Floats = found.to_numpy(zero_copy_only=False).astype(np.float64)
        return flags

    size = np.log1p(np.maximum(np.nan_to_num(minor), 0.0))
    columns = {
        "months": np.nan_to_num(months),
        "price": is_(reason, *settings.price_reasons),
        "client": is_(family, "client"),
        "missed": is_(family, "missed"),
        "amount": size,
    }
    return np.column_stack([columns[name] for name in FEATURES])


def trial(past: Past, settings: WinBackSettings) -> Trial:
    """Fit to what was known before the last year whose outcomes are; test on that year.

    Nothing is learned from an attempt whose outcome was not known by the split.
    """
    won = past.is_won[past.is_known]
    events = int(min(won.sum(), won.size - won.sum()))
    if settings.model == "rates":
        return Trial("not_asked", events)
    if events < _FEWEST_EVENTS:
        return Trial("few_events", events)
    first_on = past.first_on[past.is_known]
    within = np.timedelta64(settings.within_days, "D")
    last = first_on.max()
    split = last - within
    early, late = first_on + within <= split, first_on > split
    # Without its history the amount of then may be that of today: it comes last.
    told = len(FEATURES) - (not past.knows_amounts)
    most = min(told, most_coefficients(won[early]))
    values = _features_of(past, settings)
    if not most:
        return Trial("no_later_year", events)
    fitted = logistic(values[early, :most], won[early])
    by_model = log_loss(fitted.odds(values[late, :most]), won[late])
    by_rates = log_loss(_rates(past, early, late), won[late])
    is_better = by_model < by_rates
    whole = logistic(values[:, :most], won) if is_better else None
    return Trial(
        verdict="better" if is_better else "not_better",
        events=events,
        coefficients=most,
        trained=int(early.sum()),
        tested=int(late.sum()),
        log_loss_rates=by_rates,
        log_loss_logistic=by_model,
        split_on=_as_day(split),
        model=whole,
    )


def _as_day(day: np.datetime64) -> date:
    return date(1970, 1, 1) + timedelta(days=int(day.astype(np.int64)))


def _features_of(past: Past, settings: WinBackSettings) -> Floats:
    known = pa.array(past.is_known)
    return features(
        past.family.filter(known),
        past.reason.filter(known),
        past.minor[past.is_known],
        past.months[past.is_known],
        settings,
    )


def _rates(past: Past, early: Flags, late: Flags) -> Floats:
    """What the shrunken rates of the earlier attempts say of the later ones."""
    known = pa.array(past.is_known)
    names = group_of(past.family.filter(known), past.reason.filter(known))
    codes = names.dictionary_encode().indices.to_numpy().astype(np.int64)
    count = int(codes.max()) + 1
    won = past.is_won[past.is_known]
    tries = np.bincount(codes[early], minlength=count)
    wins = np.bincount(codes[early & won], minlength=count)
    rates: Floats = beta_binomial(wins, tries).rates[codes[late]]
    return rates
