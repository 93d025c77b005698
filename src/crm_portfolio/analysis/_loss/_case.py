"""What does a supposed loss take from each account, and from the whole?"""

from __future__ import annotations

from datetime import date, timedelta
from fractions import Fraction
from typing import Final

import attrs
import numpy as np
import numpy.typing as npt

from crm_portfolio._methods import _loss as formulas
from crm_portfolio._methods._cuts import Groups
from crm_portfolio._methods._indices import Amounts
from crm_portfolio._methods._ranking import Flags, League, Revenue
from crm_portfolio.analysis._facts import Attached, RevenueFacts
from crm_portfolio.analysis._loss._scenario import LossScenarioSettings
from crm_portfolio.portfolio import Period
from crm_portfolio.results import Json, significant

__all__ = ["DAYS_A_MONTH", "FINE", "Case", "months_in", "months_of", "yearly"]

DAYS_A_MONTH: Final = 365.2425 / 12
FINE: Final = 10_000
"""Parts of a minor unit that contributions are kept in, so that a share of revenue is
exact, and so is the comparison of a contribution with the profit."""


@attrs.frozen(eq=False)
class Case:
    """Each account before and after, by its place in the facts; a year, in minor units.

    Attributes:
        is_taken: Who is in the scenario; ``is_excluded`` brings nothing to lose.
        contribution: Revenue less variable and avoidable costs, where ``is_costed``; it
            and all that is made of it is in 1/10,000 of the minor unit.
        source: Where the variable costs come from: ``lines``, ``settings`` or nothing.
        lost, lost_contribution: In a full year after the ramp.
    """

    facts: RevenueFacts
    settings: LossScenarioSettings
    groups: Revenue
    group_of: Groups
    is_taken: Flags
    contribution: Amounts
    source: npt.NDArray[np.str_]
    lost: Amounts = attrs.field(init=False)
    lost_contribution: Amounts = attrs.field(init=False)

    @lost.default
    def _revenue_lost(self) -> Amounts:
        taken = np.where(self.is_lost, self.facts.by_account.revenue, 0)
        return formulas.scaled(taken, self.settings.scenario.lost_share)

    @lost_contribution.default
    def _contribution_lost(self) -> Amounts:
        taken = np.where(self.is_lost & self.is_costed, self.contribution, 0)
        return formulas.scaled(taken, self.settings.scenario.lost_share)

    @classmethod
    def of(
        cls, facts: RevenueFacts, with_it: Attached, settings: LossScenarioSettings
    ) -> Case:
        groups, group_of = facts.groups()
        contribution, source = _contributions(facts, with_it, settings)
        is_taken = settings.scenario.taken(facts, groups, group_of)
        return cls(facts, settings, groups, group_of, is_taken, contribution, source)

    @property
    def is_excluded(self) -> Flags:
        """In the scenario, but losing it would be no loss (sheet 0.4): nothing, or less."""
        of = self.facts.by_account
        return self.is_taken & of.is_known & (of.revenue <= 0) & of.has_lines

    @property
    def is_lost(self) -> Flags:
        return self.is_taken & (self.facts.by_account.revenue > 0)

    @property
    def is_costed(self) -> Flags:
        costed: Flags = self.source != ""
        return costed

    @property
    def after(self) -> Amounts:
        left: Amounts = self.facts.by_account.revenue - self.lost
        return left

    @property
    def total(self) -> int | None:
        return self.facts.total

    @property
    def total_after(self) -> int | None:
        return None if self.total is None else self.total - int(self.lost.sum())

    @property
    def total_contribution(self) -> int | None:
        """None where a margin is missing: a part of the costs is not the costs."""
        is_open = self.facts.by_account.is_known & ~self.is_costed
        if self.total is None or is_open.any():
            return None
        return int(self.contribution[self.is_costed].sum())

    @property
    def contribution_after(self) -> int | None:
        before = self.total_contribution
        return None if before is None else before - int(self.lost_contribution.sum())

    @property
    def fixed(self) -> int | None:
        costs = self.settings.fixed_costs
        return None if costs is None else round(costs * 10**self.facts.digits) * FINE

    @property
    def profit(self) -> int | None:
        """Before the loss."""
        if self.total_contribution is None or self.fixed is None:
            return None
        return self.total_contribution - self.fixed

    @property
    def critical(self) -> tuple[Flags, Flags] | None:
        """Which accounts, and which groups, break the firm; None where it is unknown."""
        ratio = formulas.ratio_of(self.total_contribution, (self.total or 0) * FINE)
        if self.profit is None or formulas.break_even(self.fixed, ratio) is None:
            return None
        of_groups = np.zeros(len(self.groups.ids), dtype=np.int64)
        contribution = np.where(self.is_costed, self.contribution, 0)
        np.add.at(of_groups, self.group_of, contribution)
        return (
            formulas.are_critical(contribution, self.profit),
            formulas.are_critical(of_groups, self.profit),
        )

    def leagues(self, *, after: bool) -> tuple[League, League]:
        """The ranking by account and by group; afterwards without those gone for good."""
        of = self.facts.by_account
        total = self.total
        is_gone = np.zeros(of.revenue.size, dtype=bool)
        if after:
            is_gone = self.is_lost & (self.after == 0)
            of = attrs.evolve(of, revenue=self.after)
            total = self.total_after
        groups = of.grouped(self.groups.ids, self.group_of)
        stays = np.zeros(len(groups.ids), dtype=bool)
        stays[self.group_of[of.has_lines & ~is_gone]] = True
        return (
            self._league(of, of.has_lines & ~is_gone, total),
            self._league(groups, stays, total),
        )

    def _league(self, of: Revenue, is_counted: Flags, total: int | None) -> League:
        return League(
            of,
            is_counted=is_counted,
            has_previous=self.facts.has_previous,
            total=total,
            major_share=self.settings.major_share,
            dependent_share=self.settings.dependent_share,
        )

    def figures(self, *, after: bool) -> dict[str, Json]:
        """Revenue, contribution, profit, and how near the edge is: sheet 4.2."""
        revenue = self.total_after if after else self.total
        contribution = self.contribution_after if after else self.total_contribution
        fixed, unit = self.fixed, FINE * 10**self.facts.digits
        ratio = formulas.ratio_of(contribution, (revenue or 0) * FINE)
        edge = formulas.break_even(fixed, ratio)
        profit = leverage = None
        if contribution is not None and fixed is not None:
            profit = contribution - fixed
            leverage = formulas.operating_leverage(contribution, fixed)
        return {
            "revenue": self._amount(revenue),
            "contribution": self._fine(contribution),
            "contribution_ratio": significant(ratio),
            "fixed_costs": self._fine(fixed),
            "profit": self._fine(profit),
            "break_even_revenue": None if edge is None else significant(edge / unit),
            "margin_of_safety": significant(
                formulas.margin_of_safety((revenue or 0) * FINE, edge)
            ),
            "operating_leverage": significant(leverage),
            "runway_months": significant(
                formulas.runway(
                    self.settings.cash, None if profit is None else profit / unit
                )
            ),
        }

    def _fine(self, fine: int | None) -> float | None:
        """As money, to the minor unit."""
        return None if fine is None else self.facts.amount(round(fine / FINE))

    def _amount(self, minor: int | None) -> float | None:
        return None if minor is None else self.facts.amount(minor)


def _contributions(
    facts: RevenueFacts, with_it: Attached, settings: LossScenarioSettings
) -> tuple[Amounts, npt.NDArray[np.str_]]:
    """Contribution by account, and what its variable costs were taken from."""
    of, share = facts.by_account, settings.variable_cost_share
    is_costed = with_it.is_costed & (of.known_lines == of.lines)
    source = np.where(is_costed, "lines", "" if share is None else "settings")
    # Without a line there is nothing to cost, whatever the costs are.
    source = np.where(of.has_lines | is_costed, source, "no_lines")
    source[~of.is_known] = ""
    by_share = formulas.scaled(of.revenue, FINE * (share or 0.0))
    variable = np.where(source == "lines", FINE * with_it.line_cost, by_share)
    return FINE * (of.revenue - with_it.avoidable) - variable, source


def months_of(period: Period, begins_on: date | None) -> float:
    """How many months the period has.

    One without a beginning has them since its first line, and counts as a year where
    that is less than a year ago.
    """
    if period.months:
        return period.months
    assert period.start is not None
    assert period.end is not None
    if period.start == date.min:
        days = (period.end - begins_on).days if begins_on else 0
        return max(12.0, days / DAYS_A_MONTH)
    months = 12 * (period.end.year - period.start.year)
    months += period.end.month - period.start.month
    if period.months_before_end(max(months, 0)) == period.start:
        return months
    return (period.end - period.start) / timedelta(days=1) / DAYS_A_MONTH


def months_in(facts: RevenueFacts) -> float:
    """How many months the period of these facts has."""
    first = facts.by_account.first_on
    known = first[~np.isnat(first)]
    return months_of(facts.period, known.min().item() if known.size else None)


def yearly(facts: RevenueFacts, with_it: Attached) -> tuple[RevenueFacts, Attached]:
    """The same brought to a year."""
    of, months = facts.by_account, months_in(facts)
    if months == 12:
        return facts, with_it
    factor = float(Fraction(12) / Fraction(months))
    revenue = formulas.scaled(of.revenue, factor)
    before = formulas.scaled(of.revenue_previous, factor)
    return (
        attrs.evolve(
            facts,
            by_account=attrs.evolve(of, revenue=revenue, revenue_previous=before),
        ),
        attrs.evolve(
            with_it,
            line_cost=formulas.scaled(with_it.line_cost, factor),
            avoidable=formulas.scaled(with_it.avoidable, factor),
            seconds=None
            if with_it.seconds is None
            else formulas.scaled(with_it.seconds, factor),
        ),
    )
