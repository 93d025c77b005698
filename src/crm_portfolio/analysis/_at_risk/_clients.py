"""Who stays or leaves as one, what goes with them, and at which odds?"""

from __future__ import annotations

from typing import Final

import attrs
import numpy as np
import numpy.typing as npt

from crm_portfolio._methods._cuts import Groups
from crm_portfolio._methods._indices import Amounts, Floats
from crm_portfolio._methods._loss import scaled
from crm_portfolio._methods._ranking import Flags, Revenue
from crm_portfolio.analysis._at_risk._odds import (
    BASE_RATE,
    GIVEN,
    GONE,
    POOLED_RATE,
    RISK,
    Odds,
)
from crm_portfolio.analysis._at_risk._settings import RevenueAtRiskSettings
from crm_portfolio.analysis._facts import RevenueFacts

__all__ = ["Clients"]

_SOURCES: Final = (POOLED_RATE, BASE_RATE, RISK, GIVEN)


@attrs.frozen(eq=False)
class Clients:
    """Groups of accounts, or single ones, by their place in the groups.

    Attributes:
        of: What those of them brought that are not gone.
        client_of: The place of each account's client.
        odds: NaN where nobody knows.
        losses: What goes with each, in minor units; 0 where there is nothing to lose.
    """

    facts: RevenueFacts
    of: Revenue
    client_of: Groups
    own: Odds
    odds: Floats
    source: npt.NDArray[np.str_]
    losses: Amounts

    @classmethod
    def made(
        cls, facts: RevenueFacts, own: Odds, settings: RevenueAtRiskSettings
    ) -> Clients:
        stay = attrs.evolve(facts, by_account=_without(facts.by_account, own.is_gone))
        of = stay.by_account
        client_of = np.arange(of.revenue.size, dtype=np.int64)
        if settings.level == "group":
            of, client_of = stay.groups()
        odds, source = _spoken_for(facts, own, client_of, len(of.ids))
        losses = scaled(np.maximum(of.revenue, 0), settings.lost_share)
        return cls(facts, of, client_of, own, odds, source, losses)

    @property
    def member_counts(self) -> Groups:
        """By client: how many of its accounts are not gone."""
        return np.bincount(
            self.client_of[~self.own.is_gone], minlength=len(self.of.ids)
        )

    @property
    def gone(self) -> int:
        """What those brought that are gone, in minor units."""
        return int(self.facts.by_account.revenue[self.own.is_gone].sum())

    @property
    def is_drawn(self) -> Flags:
        """Has something to lose, at odds that somebody knows."""
        drawn: Flags = (self.losses > 0) & ~np.isnan(self.odds)
        return drawn

    @property
    def is_unrated(self) -> Flags:
        """Has something to lose, and nobody knows at which odds."""
        unrated: Flags = (self.losses > 0) & np.isnan(self.odds)
        return unrated

    @property
    def is_excluded(self) -> Flags:
        """Losing it would be no loss (sheet 0.4): it brings nothing, or less."""
        of = self.of
        return of.is_known & of.has_lines & (of.revenue <= 0)

    @property
    def drawn(self) -> tuple[Amounts, Floats]:
        """Losses and odds of those that have both."""
        return self.losses[self.is_drawn], self.odds[self.is_drawn]

    @property
    def expected(self) -> Floats:
        """By client, in minor units; NaN where nobody knows."""
        return np.where(self.losses > 0, self.losses * self.odds, 0.0)

    def largest(self, count: int) -> Groups:
        """The places of the largest, by what goes with them; ties by id."""
        order = np.argsort(-self.losses, kind="stable")
        return order[: min(count, int((self.losses > 0).sum()))]


def _spoken_for(
    facts: RevenueFacts, own: Odds, client_of: Groups, count: int
) -> tuple[Floats, npt.NDArray[np.str_]]:
    """The odds of each client, by the best source any of its accounts has.

    Several of that source count by their revenue, so that the loss to expect is the same
    as account by account; where none has any, they count alike.
    """
    odds = np.full(count, np.nan)
    source = np.full(count, "", dtype=own.source.dtype)
    weights = np.maximum(facts.by_account.revenue, 0).astype(np.float64)
    for name in _SOURCES:  # the best one last, over the others
        says = own.source == name
        who = client_of[says]
        for weight in (np.ones(who.size), weights[says]):
            held = np.bincount(who, weights=weight, minlength=count)
            summed = np.bincount(who, weights=weight * own.odds[says], minlength=count)
            has = held > 0
            odds[has], source[has] = summed[has] / held[has], name
    left = np.bincount(client_of[own.is_gone], minlength=count)
    source[(left > 0) & (left == np.bincount(client_of, minlength=count))] = GONE
    return np.clip(odds, 0.0, 1.0), source


def _without(of: Revenue, is_gone: Flags) -> Revenue:
    """The same, as if those that are gone had never brought a thing."""
    kept = ("revenue", "lines", "known_lines")
    return attrs.evolve(
        of, **{name: np.where(is_gone, 0, getattr(of, name)) for name in kept}
    )
