"""Which result is made of which others, and with what settings?"""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import cached_property, wraps
from typing import Any, Final, TypeVar

import attrs
import pyarrow.compute as pc

from crm_portfolio import analysis
from crm_portfolio._places import in_one
from crm_portfolio.analysis._facts import let_go as let_go_of_ordinals
from crm_portfolio.analysis._facts._sold_lines import let_go_of_lines
from crm_portfolio.analysis._lost import let_go
from crm_portfolio.analysis._win_back import win_back_by
from crm_portfolio.errors import MissingTableError
from crm_portfolio.portfolio import Portfolio
from crm_portfolio.results import Result
from crm_portfolio.results._packed import Known
from crm_portfolio.settings import Settings

__all__ = ["NOUNS", "Book", "in_turn"]

NOUNS: Final = (
    *("concentration", "tiers", "allocation", "succession", "loss_scenario"),
    *("freed_capacity", "revenue_at_risk", "receivables", "profitability", "risk"),
    *("lifetime_value", "lost_opportunities", "win_back", "focus", "review"),
    *("pipeline", "exit_review"),
)
"""The analyses, in the order in which they are told."""

_FIRST: Final = ("lost_opportunities", "win_back", "pipeline")
_OF_LINES: Final = ("opportunity", "revenue_line", "activity")
_LONG: Final = 1_000_000
"""So many opportunities that what is kept of each takes more room than all results."""

_Own = TypeVar("_Own", bound=attrs.AttrsInstance)
_Made = TypeVar("_Made", bound=Result)


def in_turn(names: Collection[str]) -> list[str]:
    """The order in which they are made: least is held when most is needed.

    What the long tables of sales, changes and activities are asked for takes an engine
    more room than all results together; so it is asked before there are any.
    """
    first = [name for name in _FIRST if name in names]
    return first + [name for name in names if name not in first]


def _held(make: Callable[[Book], _Made]) -> cached_property[_Made]:
    """A result that is made once, and takes little room until the last one is made."""

    @wraps(make)
    def held(book: Book) -> _Made:
        return make(book)._packed(book._known)  # noqa: SLF001 - of its results

    return cached_property(held)


@attrs.frozen(slots=False, eq=False)
class Book:
    """All that is said of one portfolio under one set of settings.

    Each analysis is a property: its own settings with what is said once for all, and the
    results it takes. It is made when it is first asked for, and once. One that lacks a
    table raises ``MissingTableError``.
    """

    portfolio: Portfolio
    settings: Settings

    @_held
    def concentration(self) -> analysis.ConcentrationResult:
        own = self._said_once(self.settings.concentration)
        return analysis.concentration(self.portfolio, own)

    @_held
    def tiers(self) -> analysis.TiersResult:
        return analysis.tiers(self.portfolio, self._said_once(self.settings.tiers))

    @_held
    def allocation(self) -> analysis.AllocationResult:
        own = self._said_once(self.settings.allocation)
        return analysis.allocation(self.portfolio, own, tiers=self.tiers)

    @_held
    def succession(self) -> analysis.SuccessionResult:
        # Tiers have one rule, wherever they are told of.
        rule = self.settings.tiers.method
        own = attrs.evolve(self.settings.succession, method=rule)
        return analysis.succession(self.portfolio, self._said_once(own))

    @_held
    def loss_scenario(self) -> analysis.LossScenarioResult:
        own = self._said_once(self.settings.loss_scenario)
        return analysis.loss_scenario(self.portfolio, own)

    @_held
    def freed_capacity(self) -> analysis.FreedCapacityResult:
        has_both = "opportunity" in self.portfolio and "activity" in self.portfolio
        return analysis.freed_capacity(
            self.portfolio,
            self._said_once(self.settings.freed_capacity),
            succession=self.succession,
            win_back=self.win_back if has_both else None,
        )

    @_held
    def revenue_at_risk(self) -> analysis.RevenueAtRiskResult:
        own = self._said_once(self.settings.revenue_at_risk)
        return analysis.revenue_at_risk(
            self.portfolio,
            own,
            risk=self.risk,
            succession=self.succession,
        )

    @_held
    def receivables(self) -> analysis.ReceivablesResult:
        own = self._said_once(self.settings.receivables)
        return analysis.receivables(self.portfolio, own)

    @_held
    def profitability(self) -> analysis.ProfitabilityResult:
        own = self._said_once(self.settings.profitability)
        return analysis.profitability(self.portfolio, own, receivables=self._late)

    @_held
    def risk(self) -> analysis.RiskResult:
        own = self._said_once(self.settings.risk)
        late = self._late
        return analysis.risk(self.portfolio, own, tiers=self.tiers, receivables=late)

    @_held
    def lifetime_value(self) -> analysis.LifetimeValueResult:
        earned = self.profitability
        frame = earned.columns("avoidable_contribution", "net_revenue")
        # Where it knows of no revenue what stays of it, values are in revenue.
        knows = pc.any(
            pc.and_(
                pc.is_valid(frame["avoidable_contribution"]),
                pc.greater(frame["net_revenue"], 0),
            )
        ).as_py()
        return analysis.lifetime_value(
            self.portfolio,
            self._said_once(self.settings.lifetime_value),
            profitability=earned if knows else None,
            succession=self.succession,
        )

    @_held
    def lost_opportunities(self) -> analysis.LostOpportunitiesResult:
        own = self._said_once(self.settings.lost_opportunities)
        return analysis.lost_opportunities(self.portfolio, own)

    @_held
    def win_back(self) -> analysis.WinBackResult:
        own = self._said_once(self.settings.win_back)
        # What was lost is judged by one set of rules, as far back as it may be tried again.
        reach = own.reach(self.portfolio.as_of)
        rules = attrs.evolve(self.settings.lost_opportunities, period=reach)
        return win_back_by(self.portfolio, own, rules)

    @_held
    def focus(self) -> analysis.FocusResult:
        own = self._said_once(self.settings.focus)
        return analysis.focus(self.portfolio, own, tiers=self.tiers)

    @_held
    def review(self) -> analysis.ReviewResult:
        own = self._said_once(self.settings.review)
        has_slope = own.target is not None and "opportunity" in self.portfolio
        ahead = self.pipeline if has_slope else None
        return analysis.review(self.portfolio, own, ahead=ahead)

    @_held
    def pipeline(self) -> analysis.PipelineResult:
        return analysis.pipeline(self.portfolio, self.settings.pipeline)

    @_held
    def exit_review(self) -> analysis.ExitReviewResult:
        has_both = "opportunity" in self.portfolio and "activity" in self.portfolio
        return analysis.exit_review(
            self.portfolio,
            self._said_once(self.settings.exit_review),
            profitability=self.profitability,
            receivables=self._late,
            concentration=self.concentration,
            tiers=self.tiers,
            succession=self.succession,
            win_back=self.win_back if has_both else None,
            freed_capacity=self._freed,
            risk=self.risk,
        )

    def let_go(self, still: Collection[str]) -> None:
        """Keep no longer what is large and none of the analyses still to be made asks for.

        Single records of a shorter book are soon asked for, and then found at once.
        """
        # Nothing but what was found of them is asked for by the last one.
        if (
            not set(NOUNS[:-1]).intersection(still)
            and max(self.portfolio.row_counts.get(name, 0) for name in _OF_LINES)
            >= _LONG
        ):
            let_go_of_lines(self.portfolio)
        if self.portfolio.row_counts.get("opportunity", 0) < _LONG:
            return
        if not {"lost_opportunities", "win_back"}.intersection(still):
            let_go(self.portfolio, self.settings.lost_opportunities)
        if not set(_FIRST).intersection(still):
            let_go_of_ordinals(self.portfolio)

    @cached_property
    def _known(self) -> Known:
        accounts = self.portfolio.arrow("account")
        has_names = "name" in accounts.column_names
        return Known(
            in_one(accounts["account_id"]),
            in_one(accounts["name"]) if has_names else None,
        )

    @property
    def _freed(self) -> analysis.FreedCapacityResult | None:
        try:
            return self.freed_capacity
        except MissingTableError:  # nothing tells of any hours
            return None

    @property
    def _late(self) -> analysis.ReceivablesResult | None:
        return self.receivables if "invoice" in self.portfolio else None

    def _said_once(self, own: _Own) -> _Own:
        """The settings of one analysis; what it leaves open is as it is for all."""
        loss = self.settings.loss_scenario
        common: dict[str, Any] = {
            "period": self.settings.period,
            "language": self.settings.language,
            # Who is supposed to be lost, and what the firm costs, stands with the loss.
            "scenario": loss.scenario,
            "fixed_costs": loss.fixed_costs,
            "variable_cost_share": loss.variable_cost_share,
        }
        chosen = attrs.asdict(own, recurse=False)
        usual = attrs.asdict(type(own)(), recurse=False)
        is_open = {name for name, value in chosen.items() if value == usual[name]}
        return type(own)(
            **chosen
            | {name: common[name] for name in is_open if common.get(name) is not None}
        )
