"""How is the worth of a relationship told, and what must be borne in mind of it?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from crm_portfolio._methods._rfm import LEAST
from crm_portfolio._wording import Reason, ReasonValue
from crm_portfolio.analysis._facts import partly_unknown
from crm_portfolio.analysis._life._history import History
from crm_portfolio.analysis._life._model import Model
from crm_portfolio.analysis._life._scores import FEW, NO_PURCHASE
from crm_portfolio.analysis._life._settings import LifetimeValueSettings
from crm_portfolio.analysis._life._steady import CONTRACTS, GIVEN
from crm_portfolio.analysis._life._study import Study
from crm_portfolio.analysis._life._worth import BY_CONTRACT, BY_PURCHASES
from crm_portfolio.results import Row

__all__ = ["of_account", "warnings"]


def of_account(row: Row, value_is: str, settings: Any) -> Iterator[Reason]:
    """What it is worth, how that was found, and its score.

    Args:
        settings: As the parameters of the result echo them.
    """
    money: dict[str, ReasonValue] = {"currency": row["currency"]}
    ahead = {"years": settings["horizon_years"], "discount": settings["discount_share"]}
    if row["value"] is None:
        yield Reason("ltv_unknown")
    else:
        code = "ltv_margin" if value_is == "margin" else "ltv_revenue"
        yield Reason(code, {"value": row["value"], **ahead, **money})
    if row["expected_revenue"] is not None and value_is == "margin":
        if row["margin_share"] is None:
            values = {"revenue": row["expected_revenue"], **money}
            yield Reason("ltv_margin_unknown", values)
        else:
            yield Reason("ltv_margin_share", {"share": row["margin_share"]})
    if row["method"] is None:
        yield Reason("ltv_never_bought")
    elif row["method"] == BY_PURCHASES:
        yield from _by_purchases(row, money)
    else:
        yield from _by_retention(row, money)
    yield from _scored(row, money)
    yield from partly_unknown(row)


def _by_purchases(row: Row, money: dict[str, ReasonValue]) -> Iterator[Reason]:
    times = {"times": round(row["expected_purchases"], 2)}
    if row["purchase_value"] is None:
        yield Reason("ltv_times", times)
    else:
        each = round(row["purchase_value"], 2)
        yield Reason("ltv_times_each", {**times, "each": each, **money})
    last: dict[str, ReasonValue] = {"on": row["last_on"]}
    if row["repeat_purchases"]:
        n = row["repeat_purchases"]
        yield Reason("ltv_alive", {**last, "n": n, "alive": row["alive"]})
    else:
        yield Reason("ltv_once", last)


def _by_retention(row: Row, money: dict[str, ReasonValue]) -> Iterator[Reason]:
    is_signed = row["method"] == BY_CONTRACT
    if is_signed:
        yield Reason("ltv_contract", {"n": row["contracts_running"]})
    if row["yearly_revenue"] is None:
        yield Reason("ltv_yearly_unknown")
    else:
        yield Reason("ltv_yearly", {"revenue": row["yearly_revenue"], **money})
    if row["retention"] is None:
        yield Reason("ltv_retention_unknown")
        return
    codes = {GIVEN: "ltv_stays_given", CONTRACTS: "ltv_stays_contracts"}
    code = codes.get(row["retention_from"], "ltv_stays_tier")
    yield Reason(code, {"share": row["retention"], "tier": row["tier"]})
    if row["expected_years"] is not None:
        yield Reason("ltv_years", {"years": round(row["expected_years"], 1)})
    if row["value_for_ever"] is not None:
        yield Reason("ltv_for_ever", {"value": row["value_for_ever"], **money})


def _scored(row: Row, money: dict[str, ReasonValue]) -> Iterator[Reason]:
    if row["rfm"] is None:
        codes = {NO_PURCHASE: "ltv_no_rfm_purchase", FEW: "ltv_no_rfm_few"}
        yield Reason(codes.get(row["no_rfm"], "ltv_no_rfm_amounts"), {"least": LEAST})
        return
    values = {"code": row["rfm"], "days": row["recency_days"]}
    values |= {"times": row["purchase_days"], "revenue": row["revenue"], **money}
    yield Reason("ltv_rfm", values)
    if row["is_new"]:
        yield Reason("ltv_new", {"on": row["first_on"]})


def warnings(study: Study, settings: LifetimeValueSettings) -> Iterator[Reason]:
    """What a reader would take for more, or for less, than it is."""
    history, model, steady = study.history, study.model, study.steady
    worth, scores = study.worth, study.scores
    yield from history.facts.warnings()
    yield from _of_the_model(history, model, settings)
    if not worth.is_margin:
        yield Reason("ltv_in_revenue")
    has_revenue = ~np.isnan(worth.revenue)
    counts = {
        "ltv_margins_unknown": has_revenue & np.isnan(worth.margin_share),
        "ltv_retentions_unknown": steady.is_in & np.isnan(steady.retention),
        "ltv_bought_once": model.speaks & (history.repeats == 0),
    }
    for code, flags in counts.items():
        if n := int(flags.sum()):
            yield Reason(code, {"n": n})
    if steady.ran and steady.still == steady.ran:
        yield Reason("ltv_nothing_ended", {"n": steady.ran})
    if n := int((scores.why_not == FEW).sum()):
        yield Reason("ltv_few_scores", {"n": n, "least": LEAST})


def _of_the_model(
    history: History, model: Model, settings: LifetimeValueSettings
) -> Iterator[Reason]:
    if not history.is_modelled.any():
        return
    least = settings.min_repeat_accounts
    if model.purchases is None:
        values: dict[str, ReasonValue] = {"n": model.repeat_count, "least": least}
        is_little = model.repeat_count < least
        yield Reason("few_repeat_clients" if is_little else "ltv_not_fitted", values)
        return
    if model.is_weak:
        yield Reason("ltv_weak_fit", {"a": float(f"{model.purchases.a:.3g}")})
    if model.values is None:
        values = {"n": model.valued_count, "least": least}
        yield Reason("ltv_values_not_fitted", values)
    found = model.correlation
    if found is not None and abs(found) >= settings.max_correlation:
        values = {"correlation": round(found, 3), "most": settings.max_correlation}
        yield Reason("value_correlated", values)
