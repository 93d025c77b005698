"""Which other analyses does the review stand on, and of which period and measure?"""

from __future__ import annotations

from typing import Any

from crm_portfolio.analysis._concentration import (
    ConcentrationResult,
    ConcentrationSettings,
)
from crm_portfolio.analysis._concentration import concentration as concentration_of
from crm_portfolio.analysis._exit._settings import ExitReviewSettings
from crm_portfolio.analysis._profitability import (
    ProfitabilityResult,
    ProfitabilitySettings,
)
from crm_portfolio.analysis._profitability import profitability as profitability_of
from crm_portfolio.analysis._receivables import (
    ReceivablesResult,
    ReceivablesSettings,
)
from crm_portfolio.analysis._receivables import receivables as receivables_of
from crm_portfolio.analysis._tiers import TiersResult, TiersSettings
from crm_portfolio.analysis._tiers import tiers as tiers_of
from crm_portfolio.portfolio import Portfolio

__all__ = ["with_missing_made"]


def with_missing_made(
    portfolio: Portfolio,
    settings: ExitReviewSettings,
    *,
    profitability: ProfitabilityResult | None,
    receivables: ReceivablesResult | None,
    concentration: ConcentrationResult | None,
    tiers: TiersResult | None,
    **others: Any,
) -> dict[str, Any]:
    """The results by name; those of these four that are not given are made.

    Receivables only where there are invoices; the others may be None.
    """
    if receivables is None and "invoice" in portfolio:
        own = ReceivablesSettings(period=settings.period)
        receivables = receivables_of(portfolio, own)
    return {
        "profitability": profitability
        or _profitability(portfolio, settings, receivables),
        "receivables": receivables,
        "concentration": concentration or _concentration(portfolio, settings),
        "tiers": tiers or _tiers(portfolio, settings),
        **others,
    }


def _profitability(
    portfolio: Portfolio,
    settings: ExitReviewSettings,
    receivables: ReceivablesResult | None,
) -> ProfitabilityResult:
    own = ProfitabilitySettings(
        period=settings.period,
        measure=settings.measure,
        variable_cost_share=settings.variable_cost_share,
        fixed_costs=settings.fixed_costs,
    )
    return profitability_of(portfolio, own, receivables=receivables)


def _concentration(
    portfolio: Portfolio, settings: ExitReviewSettings
) -> ConcentrationResult:
    own = ConcentrationSettings(period=settings.period, measure=settings.measure)
    return concentration_of(portfolio, own)


def _tiers(portfolio: Portfolio, settings: ExitReviewSettings) -> TiersResult:
    own = TiersSettings(period=settings.period, measure=settings.measure)
    return tiers_of(portfolio, own)
