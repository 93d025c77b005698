"""What is said of the firm as a whole?"""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa

from crm_portfolio._methods._ranking import Flags
from crm_portfolio.analysis._at_risk._clients import Clients
from crm_portfolio.analysis._at_risk._figures import Outlook
from crm_portfolio.analysis._at_risk._odds import BASE_RATE, GIVEN, POOLED_RATE, RISK
from crm_portfolio.analysis._at_risk._past import Past
from crm_portfolio.analysis._at_risk._settings import RevenueAtRiskSettings
from crm_portfolio.results import Json, significant

__all__ = ["summary_of"]


def summary_of(
    clients: Clients,
    outlook: Outlook | None,
    settings: RevenueAtRiskSettings,
    *,
    past: Past,
    months: float,
) -> dict[str, Json]:
    """The whole, where the odds come from, and the two answers side by side."""
    facts, is_drawn = clients.facts, clients.is_drawn
    safety = outlook.safety if outlook else None
    largest = clients.largest(settings.top_count)
    can_be_lost = int(clients.losses.sum())
    figures = outlook.figures() if outlook else _NOTHING
    return {
        "revenue": None if facts.total is None else facts.amount(facts.total),
        "period_months": months,
        "client_count": int(is_drawn.sum()),
        "can_be_lost": facts.amount(can_be_lost),
        "odds_from": {
            name: _part(clients, is_drawn & (clients.source == name))
            for name in (GIVEN, RISK, BASE_RATE, POOLED_RATE)
        }
        | {"unknown": _part(clients, clients.is_unrated)},
        "gone": {
            "account_count": int(clients.own.is_gone.sum()),
            "revenue": facts.amount(clients.gone),
        },
        **past.told(),
        "safety": None if safety is None else significant(safety / 10**facts.digits),
        "safety_share": significant(safety / facts.total)
        if safety is not None and facts.total
        else None,
        "largest": clients.of.ids.take(pa.array(largest)).to_pylist(),
        **figures,
    }


_NOTHING: Mapping[str, Json] = {"independent": None, "common_factor": None}


def _part(clients: Clients, has: Flags) -> dict[str, Json]:
    """How many, and how much of what can be lost they are."""
    whole = int(clients.losses.sum())
    minor = int(clients.losses[has].sum())
    return {
        "n": int(has.sum()),
        "revenue_share": significant(minor / whole) if whole else None,
    }
