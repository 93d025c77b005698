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
    has_both = "opportunity" in portfolio and "activity" in portfolio
    again = _won_back(portfolio, settings) if has_both else None
    return analysis.freed_capacity(portfolio, own, succession=rising, win_back=again)


def _risk(portfolio: Portfolio, settings: Settings) -> Result:
    own = _with_period(settings.risk, settings.period)
    own = attrs.evolve(own, language=own.language or settings.language)
    tiered = analysis.tiers(portfolio, _with_period(settings.tiers, settings.period))
    return analysis.risk(portfolio, own, tiers=tiered)


def _lifetime_value(portfolio: Portfolio, settings: Settings) -> Result:
    own = _with_period(settings.lifetime_value, settings.period)
    # What the firm costs is said once, with the loss scenario.
    if own.variable_cost_share is None:
        costs = settings.loss_scenario.variable_cost_share
        own = attrs.evolve(own, variable_cost_share=costs)
    rule = attrs.evolve(settings.succession, method=settings.tiers.method)
    rates = analysis.succession(portfolio, _with_period(rule, settings.period))
    return analysis.lifetime_value(portfolio, own, succession=rates)


def _review(portfolio: Portfolio, settings: Settings) -> Result:
    own = _with_period(settings.review, settings.period)
    has_slope = own.target is not None and "opportunity" in portfolio
    ahead = analysis.pipeline(portfolio, settings.pipeline) if has_slope else None
    return analysis.review(portfolio, own, ahead=ahead)


def _pipeline(portfolio: Portfolio, settings: Settings) -> Result:
    # Its months are a series to look at, not the period that revenue is measured in.
    return analysis.pipeline(portfolio, settings.pipeline)


def _focus(portfolio: Portfolio, settings: Settings) -> Result:
    own, costs = settings.focus, settings.loss_scenario
    # What the firm costs is said once, with the loss scenario.
    if own.fixed_costs is None:
        own = attrs.evolve(own, fixed_costs=costs.fixed_costs)
    if own.variable_cost_share is None:
        own = attrs.evolve(own, variable_cost_share=costs.variable_cost_share)
    tiered = analysis.tiers(portfolio, _with_period(settings.tiers, settings.period))
    return analysis.focus(portfolio, _with_period(own, settings.period), tiers=tiered)


def _profitability(portfolio: Portfolio, settings: Settings) -> Result:
    own, costs = settings.profitability, settings.loss_scenario
    # What the firm costs is said once, with the loss scenario.
    if own.fixed_costs is None:
        own = attrs.evolve(own, fixed_costs=costs.fixed_costs)
    if own.variable_cost_share is None:
        own = attrs.evolve(own, variable_cost_share=costs.variable_cost_share)
    own = _with_period(own, settings.period)
    late = None
    if "invoice" in portfolio:
        rates = _with_period(settings.receivables, settings.period)
        late = analysis.receivables(portfolio, rates)
    return analysis.profitability(portfolio, own, receivables=late)


def _receivables(portfolio: Portfolio, settings: Settings) -> Result:
    return analysis.receivables(
        portfolio, _with_period(settings.receivables, settings.period)
    )


def _lost_opportunities(portfolio: Portfolio, settings: Settings) -> Result:
    own = _with_period(settings.lost_opportunities, settings.period)
    return analysis.lost_opportunities(portfolio, own)


def _win_back(portfolio: Portfolio, settings: Settings) -> Result:
    return _won_back(portfolio, settings)


def _won_back(portfolio: Portfolio, settings: Settings) -> analysis.WinBackResult:
    own = _with_period(settings.win_back, settings.period)
    # What the firm costs is said once, with the loss scenario.
    if own.variable_cost_share is None:
        costs = settings.loss_scenario.variable_cost_share
        own = attrs.evolve(own, variable_cost_share=costs)
    # What was lost is judged by one set of rules, as far back as it may be tried again.
    reach = own.reach(portfolio.as_of)
    rules = attrs.evolve(settings.lost_opportunities, period=reach)
    lost = analysis.lost_opportunities(portfolio, rules)
    return analysis.win_back(portfolio, own, lost=lost)


_NOUNS: Final[Mapping[str, Callable[[Portfolio, Settings], Result]]] = {
    "concentration": _concentration,
    "tiers": _tiers,
    "allocation": _allocation,
    "succession": _succession,
    "loss_scenario": _loss_scenario,
    "freed_capacity": _freed_capacity,
    "revenue_at_risk": _revenue_at_risk,
    "receivables": _receivables,
    "profitability": _profitability,
    "risk": _risk,
    "lifetime_value": _lifetime_value,
    "lost_opportunities": _lost_opportunities,
    "win_back": _win_back,
    "focus": _focus,
    "review": _review,
    "pipeline": _pipeline,
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
    analysis.ReceivablesSettings,
    analysis.ProfitabilitySettings,
    analysis.RiskSettings,
    analysis.LifetimeValueSettings,
    analysis.LostOpportunitiesSettings,
    analysis.WinBackSettings,
    analysis.FocusSettings,
    analysis.ReviewSettings,
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
