"""What do the numbers say? Each noun is one question about a portfolio.

Pure functions of a portfolio and their settings: nothing is read, nothing is written.
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
from crm_portfolio.analysis._freed_capacity import (
    FreedCapacityResult,
    FreedCapacitySettings,
    freed_capacity,
)
from crm_portfolio.analysis._loss_scenario import (
    LossScenarioResult,
    LossScenarioSettings,
    Scenario,
    loss_scenario,
)
from crm_portfolio.analysis._revenue_at_risk import (
    RevenueAtRiskResult,
    RevenueAtRiskSettings,
    revenue_at_risk,
)
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

__all__ = [
    "Abc",
    "AllocationResult",
    "AllocationSettings",
    "Bands",
    "ConcentrationResult",
    "ConcentrationSettings",
    "FreedCapacityResult",
    "FreedCapacitySettings",
    "LossScenarioResult",
    "LossScenarioSettings",
    "NaturalBreaks",
    "Potential",
    "PotentialWeights",
    "Quantiles",
    "RevenueAtRiskResult",
    "RevenueAtRiskSettings",
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
    "allocation",
    "concentration",
    "freed_capacity",
    "loss_scenario",
    "revenue_at_risk",
    "risk",
    "succession",
    "tiers",
]
