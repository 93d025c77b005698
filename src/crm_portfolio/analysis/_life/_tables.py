"""Which columns and figures say what relationships are worth?"""

from __future__ import annotations

from collections import Counter
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio._methods._cuts import Groups
from crm_portfolio._methods._indices import Floats
from crm_portfolio.analysis._facts import in_words
from crm_portfolio.analysis._life._history import History
from crm_portfolio.analysis._life._study import Study
from crm_portfolio.analysis._life._worth import BY_CONTRACT, BY_PURCHASES, BY_TIER
from crm_portfolio.results import Json

__all__ = ["METHODS", "account_table", "order_of", "summary_of"]

METHODS: Final = (BY_PURCHASES, BY_CONTRACT, BY_TIER)


def account_table(study: Study) -> pa.Table:
    """One row per account, in the order of the facts."""
    history, model, steady = study.history, study.model, study.steady
    worth, scores = study.worth, study.scores
    of, bought = history.facts.by_account, history.bought
    never = bought.days == 0
    columns = {"account_id": of.ids} | history.facts.names(of.ids)
    columns |= {
        "value": _numbers(worth.value),
        "method": in_words(worth.method),
        "expected_revenue": _numbers(worth.revenue),
        "margin_share": _numbers(worth.margin_share if worth.is_margin else _none(of)),
        "value_for_ever": _numbers(worth.for_ever * worth.margin_share, history),
        "alive": _numbers(model.alive),
        "expected_purchases": _numbers(model.expected),
        "purchase_value": _numbers(model.value_each),
        "yearly_revenue": _numbers(steady.yearly, history),
        "retention": _numbers(steady.retention),
        "retention_from": in_words(steady.retention_from),
        "expected_years": _numbers(steady.life),
        "tier": steady.tier,
        "contracts_running": _counts(history.running, not history.has_contracts),
        "first_on": _days(bought.first_on),
        "last_on": _days(bought.last_on),
        "repeat_purchases": _counts(history.repeats, never),
        "age_days": _counts(history.age, never),
        "age_at_last_days": _counts(history.age_at_last, never),
        "rfm": scores.code,
        "no_rfm": in_words(scores.why_not),
        "recency_days": _counts(scores.recency_days, never),
        "purchase_days": pa.array(history.span_days),
        "revenue": pa.array(history.facts.money(of.revenue), mask=~of.is_known),
        "is_new": pa.array(scores.is_new & ~never),
        "line_count": pa.array(of.lines),
        "known_line_count": pa.array(of.known_lines),
    }
    return pa.table(columns)


def order_of(table: pa.Table) -> Groups:
    """The most valuable first, the unknown last, then by id."""
    value = pc.fill_null(table["value"].combine_chunks(), -np.inf).to_numpy()
    return np.argsort(-value, kind="stable")


def summary_of(study: Study) -> dict[str, Json]:
    """What all are worth, by which way, and what was learned on the way."""
    worth, scores, facts = study.worth, study.scores, study.history.facts
    is_known = ~np.isnan(worth.value)
    methods: dict[str, Json] = {}
    for name in METHODS:
        is_own = worth.method == name
        own = worth.value[is_own & is_known]
        minor = int(np.round(own * 10**facts.digits).astype(np.int64).sum())
        methods[name] = {
            "account_count": int(is_own.sum()),
            "unknown_count": int((is_own & ~is_known).sum()),
            "value": facts.amount(minor) if own.size else None,
        }
    why = Counter(scores.why_not.tolist())
    return {
        "account_count": len(facts.by_account.ids),
        "value": worth.total(facts),
        "value_is": "margin" if worth.is_margin else "revenue",
        "unknown_count": int((~is_known).sum()),
        "methods": methods,
        "model": study.model.told(),
        "retention": study.steady.told(),
        "rfm": {
            "scored_count": int(scores.scored.sum()),
            "new_count": int((scores.scored & scores.is_new).sum()),
            **{name: why[name] for name in _NO_SCORE},
        },
    }


_NO_SCORE: Final = ("no_purchase", "unknown_amounts", "few_accounts")


def _none(of: Any) -> Floats:
    return np.full(len(of.ids), np.nan)


def _numbers(values: Floats, money: History | None = None) -> pa.Array:
    if money is not None:
        values = np.round(values, money.facts.digits) + 0.0
    return pa.array(values, mask=np.isnan(values))


def _counts(values: npt.NDArray[np.int64], mask: Any) -> pa.Array:
    hidden = np.broadcast_to(mask, values.shape)
    return pa.array(values, mask=hidden)


def _days(days: npt.NDArray[np.datetime64]) -> pa.Array:
    return pa.array(days, pa.date32(), mask=np.isnat(days))
