"""What do the numbers say? Each noun is one question about a portfolio.

Pure functions of a portfolio and their settings: nothing is read, nothing is written.
"""

from __future__ import annotations

from crm_portfolio.analysis._concentration import (
    ConcentrationResult,
    ConcentrationSettings,
    concentration,
)
from crm_portfolio.analysis._loss_scenario import (
    LossScenarioResult,
    LossScenarioSettings,
    Scenario,
    loss_scenario,
)
from crm_portfolio.analysis._stable import Stability
from crm_portfolio.analysis._tiers import (
    Abc,
    Bands,
    Quantiles,
    Slices,
    TiersResult,
    TiersSettings,
    tiers,
)

__all__ = [
    "Abc",
    "Bands",
    "ConcentrationResult",
    "ConcentrationSettings",
    "LossScenarioResult",
    "LossScenarioSettings",
    "Quantiles",
    "Scenario",
    "Slices",
    "Stability",
    "TiersResult",
    "TiersSettings",
    "concentration",
    "loss_scenario",
    "tiers",
]
