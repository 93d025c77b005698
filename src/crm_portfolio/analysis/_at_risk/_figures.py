"""What may the firm lose within a year: without, and with, something in common?"""

from __future__ import annotations

from typing import Any, Final

import attrs
import numpy as np
import pyarrow as pa

from crm_portfolio._methods import _common_factor as common
from crm_portfolio._methods import _law as laws
from crm_portfolio._methods import _loss as formulas
from crm_portfolio._methods._law import Law
from crm_portfolio.analysis._at_risk._clients import Clients
from crm_portfolio.analysis._at_risk._settings import RevenueAtRiskSettings
from crm_portfolio.analysis._facts import Attached
from crm_portfolio.analysis._loss import Case, LossScenarioSettings
from crm_portfolio.results import Json, significant

__all__ = ["Outlook", "safety_of"]

ENUMERATED: Final = 20
"""Up to so many clients, every outcome is enumerated."""
_CURVE_POINTS: Final = 240


def safety_of(
    clients: Clients, with_it: Attached, settings: RevenueAtRiskSettings
) -> float | None:
    """MoS·R, the loss that just leaves no profit, in minor units; None if unknown.

    What those brought that are gone is lost beforehand.
    """
    own = LossScenarioSettings(
        fixed_costs=settings.fixed_costs,
        variable_cost_share=settings.variable_cost_share,
    )
    case = Case.of(clients.facts, with_it, own)
    fixed, fine = case.fixed, case.total_contribution
    if case.total is None or case.total <= 0 or fixed is None:
        return None
    edge = formulas.break_even(fixed, formulas.ratio_of(fine, case.total))
    return None if edge is None else case.total - clients.gone - edge


@attrs.frozen(eq=False)
class Outlook:
    """Both laws of the year's loss, and what they are held against.

    Attributes:
        alone: Every client for itself, exactly.
        common: With the common factor, drawn.
        safety: The loss that just leaves no profit; None where it is unknown.
    """

    clients: Clients
    settings: RevenueAtRiskSettings
    alone: Law
    common: Law
    safety: float | None

    @classmethod
    def of(
        cls, clients: Clients, with_it: Attached, settings: RevenueAtRiskSettings
    ) -> Outlook | None:
        """None where there is something to lose and nobody knows any odds."""
        losses, odds = clients.drawn
        if clients.facts.total is None:
            return None
        if not losses.size and clients.is_unrated.any():
            return None
        exact = laws.enumerated if losses.size <= ENUMERATED else laws.convolved
        drawn = common.drawn_losses(
            losses,
            odds,
            rho=settings.common_factor,
            seed=settings.seed,
            draws=settings.draws,
        )
        safety = safety_of(clients, with_it, settings)
        return cls(clients, settings, exact(losses, odds), Law.of_draws(drawn), safety)

    def figures(self) -> dict[str, Json]:
        """The two answers side by side."""
        losses, odds = self.clients.drawn
        is_exact = losses.size <= ENUMERATED
        variance = float((odds * (1 - odds)) @ losses.astype(np.float64) ** 2)
        step = None if is_exact else self._amount(laws.grid_of(losses))
        spread = self._amount(self.common.sd)
        alone: dict[str, Json] = {
            "method": "enumeration" if is_exact else "convolution",
            "grid": step,
            "mean": self._amount(float(losses @ odds)),
            "sd": self._amount(variance**0.5),
            **self._read(self.alone, 0.0),
            # The grid may round a small loss away; that nobody leaves is known exactly.
            "no_loss_probability": significant(float(np.prod(1 - odds))),
        }
        drawn: dict[str, Json] = {
            "method": "draws",
            "common_factor": self.settings.common_factor,
            "draws": self.settings.draws,
            "seed": self.settings.seed,
            "mean": self._amount(self.common.mean),
            "sd": spread,
            "standard_error": significant((spread or 0) / self.settings.draws**0.5),
            **self._read(self.common, self.settings.common_factor),
        }
        return {"independent": alone, "common_factor": drawn}

    def _read(self, law: Law, rho: float) -> dict[str, Json]:
        total = self.clients.facts.total or 0
        found: dict[str, Json] = {"no_loss_probability": significant(law.at_most(0))}
        for level in self.settings.levels:
            name, edge = f"{100 * level:g}", law.value_at_risk(level)
            share = edge / total if total > 0 else None
            found[f"var_{name}"] = self._amount(edge)
            found[f"var_{name}_share"] = significant(share)
            found[f"es_{name}"] = self._amount(law.expected_shortfall(level))
        top = self.clients.largest(self.settings.top_count)
        odds = self.clients.odds[top]
        leaves = None if np.isnan(odds).any() else common.one_leaves(odds, rho)
        year = None if self.safety is None else law.more_than(self.safety)
        found["one_of_top_probability"] = significant(leaves)
        found["loss_year_probability"] = significant(year)
        return found

    def curve(self) -> pa.Table:
        """P(L ≤ loss) in even steps, up to where hardly any year goes."""
        top = max(law.value_at_risk(0.9995) for law in (self.alone, self.common))
        losses = np.linspace(0, top, _CURVE_POINTS + 1 if top else 1)
        columns = {"loss": [self._amount(each) for each in losses]}
        for name, law in (("independent", self.alone), ("common_factor", self.common)):
            columns[name] = [significant(law.at_most(each)) for each in losses]
        return pa.table(
            {name: pa.array(each, pa.float64()) for name, each in columns.items()}
        )

    def _amount(self, minor: Any) -> float | None:
        return significant(float(minor) / 10**self.clients.facts.digits)
