"""What do all analyses say about a portfolio, and which could not be made?"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Final, TypeVar

import attrs

from crm_portfolio import analysis
from crm_portfolio.errors import MissingTableError, SettingsError, did_you_mean
from crm_portfolio.settings import Settings

if TYPE_CHECKING:
    from crm_portfolio.portfolio import Period, Portfolio
    from crm_portfolio.results import Result

__all__ = ["ASSIGNING", "Findings", "analyse"]


@attrs.frozen(eq=False, repr=False)
class Findings(Mapping[str, "Result"]):
    """Results by the name of their analysis.

    Attributes:
        skipped: Analyses that could not be made, and the table each one lacks.
    """

    _results: Mapping[str, Result]
    skipped: Mapping[str, str]

    def __getitem__(self, name: str) -> Result:
        return self._results[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._results)

    def __len__(self) -> int:
        return len(self._results)

    def __repr__(self) -> str:
        skipped = f", skipped: {', '.join(self.skipped)}" if self.skipped else ""
        return f"<Findings: {', '.join(self) or 'none'}{skipped}>"


_DEFAULTS: Final = Settings()


def analyse(
    portfolio: Portfolio, settings: Settings = _DEFAULTS, *, only: Iterable[str] = ()
) -> Findings:
    """Make every analysis the portfolio has the tables for, or only those named.

    An analysis that was asked for by name and lacks a table is skipped like any other;
    a name nobody knows is an error.

    Example:
        >>> from crm_portfolio import analyse, samples
        >>> analyse(samples.firm(), only=["tiers", "concentration"])
        <Findings: concentration, tiers>
    """
    results: dict[str, Result] = {}
    skipped: dict[str, str] = {}
    for name in _chosen(only):
        try:
            results[name] = _NOUNS[name](portfolio, settings)
        except MissingTableError as error:
            skipped[name] = error.table
    return Findings(results, skipped)


def _concentration(portfolio: Portfolio, settings: Settings) -> Result:
    return analysis.concentration(
        portfolio, _with_period(settings.concentration, settings.period)
    )


def _tiers(portfolio: Portfolio, settings: Settings) -> Result:
    return analysis.tiers(portfolio, _with_period(settings.tiers, settings.period))


def _succession(portfolio: Portfolio, settings: Settings) -> Result:
    # Tiers have one rule, wherever they are told of.
    own = attrs.evolve(settings.succession, method=settings.tiers.method)
    return analysis.succession(portfolio, _with_period(own, settings.period))


def _allocation(portfolio: Portfolio, settings: Settings) -> Result:
    own = _with_period(settings.allocation, settings.period)
    tiered = analysis.tiers(portfolio, _with_period(settings.tiers, settings.period))
    return analysis.allocation(portfolio, own, tiers=tiered)


def _loss_scenario(portfolio: Portfolio, settings: Settings) -> Result:
    return analysis.loss_scenario(
        portfolio, _with_period(settings.loss_scenario, settings.period)
    )


def _revenue_at_risk(portfolio: Portfolio, settings: Settings) -> Result:
    own, costs = settings.revenue_at_risk, settings.loss_scenario
    # What the firm costs is said once, with the loss scenario.
    if own.fixed_costs is None:
        own = attrs.evolve(own, fixed_costs=costs.fixed_costs)
    if own.variable_cost_share is None:
        own = attrs.evolve(own, variable_cost_share=costs.variable_cost_share)
    rule = attrs.evolve(settings.succession, method=settings.tiers.method)
    rates = analysis.succession(portfolio, _with_period(rule, settings.period))
    own = _with_period(own, settings.period)
    return analysis.revenue_at_risk(portfolio, own, succession=rates)


def _freed_capacity(portfolio: Portfolio, settings: Settings) -> Result:
    own, loss = settings.freed_capacity, settings.loss_scenario
    # Who is supposed to be lost, and what the firm costs, is said once.
    if own.scenario == type(own)().scenario:
        own = attrs.evolve(own, scenario=loss.scenario)
    if own.variable_cost_share is None:
        own = attrs.evolve(own, variable_cost_share=loss.variable_cost_share)
    rule = attrs.evolve(settings.succession, method=settings.tiers.method)
    rising = analysis.succession(portfolio, _with_period(rule, settings.period))
    own = _with_period(own, settings.period)
    return analysis.freed_capacity(portfolio, own, succession=rising)


def _risk(portfolio: Portfolio, settings: Settings) -> Result:
    own = _with_period(settings.risk, settings.period)
    own = attrs.evolve(own, language=own.language or settings.language)
    tiered = analysis.tiers(portfolio, _with_period(settings.tiers, settings.period))
    return analysis.risk(portfolio, own, tiers=tiered)


_NOUNS: Final[Mapping[str, Callable[[Portfolio, Settings], Result]]] = {
    "concentration": _concentration,
    "tiers": _tiers,
    "allocation": _allocation,
    "succession": _succession,
    "loss_scenario": _loss_scenario,
    "freed_capacity": _freed_capacity,
    "revenue_at_risk": _revenue_at_risk,
    "risk": _risk,
}

ASSIGNING: Final = ("concentration", "tiers", "succession", "risk")
"""Those whose results say what should stand in the CRM."""

_Own = TypeVar(
    "_Own",
    analysis.AllocationSettings,
    analysis.ConcentrationSettings,
    analysis.TiersSettings,
    analysis.SuccessionSettings,
    analysis.LossScenarioSettings,
    analysis.FreedCapacitySettings,
    analysis.RevenueAtRiskSettings,
    analysis.RiskSettings,
)


def _with_period(own: _Own, period: Period | None) -> _Own:
    """The common period, unless the analysis was given its own."""
    is_own = own.period != type(own)().period
    return own if period is None or is_own else attrs.evolve(own, period=period)


def _chosen(only: Iterable[str]) -> list[str]:
    asked = [only] if isinstance(only, str) else list(only)
    for name in asked:
        if name not in _NOUNS:
            raise SettingsError(
                f"there is no analysis {name!r}"
                + (did_you_mean(name, _NOUNS) or f"; there are {', '.join(_NOUNS)}")
            )
    return [name for name in _NOUNS if not asked or name in asked]
