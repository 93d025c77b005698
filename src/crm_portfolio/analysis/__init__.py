"""What do the numbers say? Each noun is one question about a portfolio.

Pure functions of a portfolio and their settings: nothing is read, nothing is written.
Beside them stand the ways in for what people judge and decide.
"""

from __future__ import annotations

from crm_portfolio.analysis._allocation import (
    AllocationResult,
    AllocationSettings,
    ServiceLevel,
    allocation,
)
from crm_portfolio.analysis._concentration import (
    ConcentrationResult,
    ConcentrationSettings,
    concentration,
)
from crm_portfolio.analysis._exit import with_decisions, with_ratings
from crm_portfolio.analysis._exit_review import (
    Anchors,
    ExitReviewResult,
    ExitReviewSettings,
    MeasureRules,
    exit_review,
)
from crm_portfolio.analysis._focus import FocusResult, FocusSettings, focus
from crm_portfolio.analysis._freed_capacity import (
    FreedCapacityResult,
    FreedCapacitySettings,
    freed_capacity,
)
from crm_portfolio.analysis._lifetime_value import (
    LifetimeValueResult,
    LifetimeValueSettings,
    lifetime_value,
)
from crm_portfolio.analysis._loss_scenario import (
    LossScenarioResult,
    LossScenarioSettings,
    Scenario,
    loss_scenario,
)
from crm_portfolio.analysis._lost_opportunities import (
    LostOpportunitiesResult,
    LostOpportunitiesSettings,
    lost_opportunities,
)
from crm_portfolio.analysis._pipeline import (
    PipelineResult,
    PipelineSettings,
    pipeline,
)
from crm_portfolio.analysis._profitability import (
    ProfitabilityResult,
    ProfitabilitySettings,
    UnitTime,
    profitability,
)
from crm_portfolio.analysis._receivables import (
    DatedRate,
    ReceivablesResult,
    ReceivablesSettings,
    receivables,
)
from crm_portfolio.analysis._revenue_at_risk import (
    RevenueAtRiskResult,
    RevenueAtRiskSettings,
    revenue_at_risk,
)
from crm_portfolio.analysis._review import ReviewResult, ReviewSettings, review
from crm_portfolio.analysis._risk import RiskResult, RiskSettings, risk
from crm_portfolio.analysis._stable import Stability
from crm_portfolio.analysis._succession import (
    SuccessionResult,
    SuccessionSettings,
    succession,
)
from crm_portfolio.analysis._tiers import (
    Abc,
    Bands,
    NaturalBreaks,
    Potential,
    PotentialWeights,
    Quantiles,
    Slices,
    TiersResult,
    TiersSettings,
    tiers,
)
from crm_portfolio.analysis._win_back import WinBackResult, WinBackSettings, win_back

__all__ = [
    "Abc",
    "AllocationResult",
    "AllocationSettings",
    "Anchors",
    "Bands",
    "ConcentrationResult",
    "ConcentrationSettings",
    "DatedRate",
    "ExitReviewResult",
    "ExitReviewSettings",
    "FocusResult",
    "FocusSettings",
    "FreedCapacityResult",
    "FreedCapacitySettings",
    "LifetimeValueResult",
    "LifetimeValueSettings",
    "LossScenarioResult",
    "LossScenarioSettings",
    "LostOpportunitiesResult",
    "LostOpportunitiesSettings",
    "MeasureRules",
    "NaturalBreaks",
    "PipelineResult",
    "PipelineSettings",
    "Potential",
    "PotentialWeights",
    "ProfitabilityResult",
    "ProfitabilitySettings",
    "Quantiles",
    "ReceivablesResult",
    "ReceivablesSettings",
    "RevenueAtRiskResult",
    "RevenueAtRiskSettings",
    "ReviewResult",
    "ReviewSettings",
    "RiskResult",
    "RiskSettings",
    "Scenario",
    "ServiceLevel",
    "Slices",
    "Stability",
    "SuccessionResult",
    "SuccessionSettings",
    "TiersResult",
    "TiersSettings",
    "UnitTime",
    "WinBackResult",
    "WinBackSettings",
    "allocation",
    "concentration",
    "exit_review",
    "focus",
    "freed_capacity",
    "lifetime_value",
    "loss_scenario",
    "lost_opportunities",
    "pipeline",
    "profitability",
    "receivables",
    "revenue_at_risk",
    "review",
    "risk",
    "succession",
    "tiers",
    "win_back",
    "with_decisions",
    "with_ratings",
]
