"""Which tier is each account in, and by which rule?"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, cast

import attrs
import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio import _plots
from crm_portfolio._frames import NativeFrame, from_arrow
from crm_portfolio._methods._rules import (
    LETTERS,
    Abc,
    Bands,
    NaturalBreaks,
    Quantiles,
    Slices,
    cut,
)
from crm_portfolio._unread import reading
from crm_portfolio._wording import Lang, Reason, sentence
from crm_portfolio.analysis._facts import (
    RevenueFacts,
    echo,
    partly_unknown,
    revenue_facts,
    worked,
)
from crm_portfolio.analysis._stable import Stable
from crm_portfolio.analysis._stable import under_rule as descending
from crm_portfolio.analysis._tier import (
    Potential,
    PotentialWeights,
    Promise,
    TiersSettings,
    Why,
    account_table,
    by_rule,
    since,
    summary_of,
    tier_table,
    told,
    warnings,
)
from crm_portfolio.portfolio import Portfolio
from crm_portfolio.results import Result, Row, significant

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = [
    "Abc",
    "Bands",
    "NaturalBreaks",
    "Potential",
    "PotentialWeights",
    "Quantiles",
    "Slices",
    "TiersResult",
    "TiersSettings",
    "tiers",
]


_FOUR_SLICES = TiersSettings()


@reading()
def tiers(
    portfolio: Portfolio,
    settings: TiersSettings = _FOUR_SLICES,
    *,
    growth: Mapping[str, float] | None = None,
) -> TiersResult:
    """Put each account into a tier by its revenue.

    Accounts whose first revenue came less than three months before the end of the period
    are ``new``, those without net revenue ``none``; both stay outside the rule. Where no
    amount is known the tier is null. A tier pinned by a person stands.

    Args:
        growth: How likely each account is to move up within a year, by id: a part of the
            potential. Accounts it does not name are unknown.

    Example:
        >>> from crm_portfolio import analysis, samples
        >>> result = analysis.tiers(samples.firm())
        >>> [(tier["tier"], tier["revenue"]) for tier in result.summary["tiers"]][:4]
        [('A', 260000.0), ('B', 194000.0), ('C', 264000.0), ('D', 230000.0)]
    """
    facts = revenue_facts(
        portfolio, settings.period, settings.measure, needed_by="tiers"
    )
    of, hours = facts.by_account, worked(portfolio, facts)
    under_rule = descending(of.revenue, of.is_known, facts.is_young)
    found = cut(settings.method, of.revenue[under_rule], facts.digits)
    raw = by_rule(facts, found, under_rule)
    stable = _stable(portfolio, facts, raw, settings)
    more = told(portfolio, facts, raw, stable)
    if settings.potential is not None:
        promise = Promise.of(portfolio, facts, settings.potential, growth)
        last = LETTERS[found.made - 1] if found.made else None
        more |= promise.columns(more["tier"], last)
    table = account_table(facts, found, under_rule, hours, more)
    by_tier = tier_table(facts, found, table, raw, hours)
    return TiersResult(
        table=table,
        rejected=facts.rejected_table(),
        backend=portfolio.backend,
        summary=summary_of(
            facts,
            found,
            table,
            by_tier,
            worked=hours,
            stable=stable,
            settings=settings,
        ),
        params=echo(portfolio, facts, settings),
        coverage=significant(facts.coverage),
        warnings=tuple(warnings(facts, found, table, settings)),
        tiers=by_tier,
        settings=settings,
    )


def _stable(
    portfolio: Portfolio, facts: RevenueFacts, raw: pa.Array, settings: TiersSettings
) -> Stable | None:
    if settings.stability is None:
        return None
    return Stable.of(
        portfolio, facts, raw, method=settings.method, settings=settings.stability
    )


# The reasons that say how near an edge is, and which of their values is its tier.
_NEAR = (
    ("above", {"tier_margin", "tier_smallest"}, "tier"),
    ("below", {"tier_next"}, "better"),
)


@attrs.frozen(slots=False, eq=False, repr=False)
class TiersResult(Result):
    """The tier of each account, the tiers themselves, and who stands near an edge.

    Attributes:
        summary: ``tiers`` as the rule makes them, ``borders`` the accounts nearest to each
            edge, ``imbalance`` the furthest slice's distance from an equal part,
            ``hours`` what is known of the time they took, ``potential`` how many of each
            tier have which, if that was asked.
    """

    name: ClassVar[str] = "tiers"
    title: ClassVar[str] = "heading_tiers"
    compared: ClassVar[str] = "tier"
    further: ClassVar[tuple[str, ...]] = ("tiers",)
    summed: ClassVar[Mapping[str, int]] = {"revenue": 10_000, "hours": 3600}

    _tiers: pa.Table
    _settings: TiersSettings

    @property
    def tiers(self) -> NativeFrame:
        """One row per tier: accounts, revenue, share, lower edge, hours."""
        return from_arrow(self._tiers, self._backend)

    def assignments(self) -> pa.Table:
        """The tier of each account and since when; both null where it is unknown."""
        return self.columns("account_id", "tier", "tier_since_on")

    def borders(self) -> tuple[tuple[str, Reason], ...]:
        """The accounts of ``summary["borders"]``, those above an edge and those below."""
        return tuple(
            (near["account_id"], reason)
            for border in cast("list[dict[str, Any]]", self.summary["borders"])
            for side, codes, tier in _NEAR
            for near in border[side]
            for reason in self.reasons(near["account_id"])
            if reason.code in codes and reason.values[tier] == border["tier"]
        )

    def plot(self, *, ax: Axes | None = None, lang: Lang = "en") -> Axes:
        """Revenue and hours of each tier; where no hours are known, it says so."""
        shown = self._tiers.filter(pc.greater(self._tiers["account_count"], 0))
        hours = shown["hours"].to_pylist()
        is_known = shown["hours"].null_count < shown.num_rows
        return _plots.paired_bars(
            _plots.axes(ax),
            names=shown["tier"].to_pylist(),
            notes=[_noted(row, lang) for row in shown.to_pylist()],
            amounts=shown["revenue"].to_pylist(),
            others=hours if is_known else None,
            words=_plots.Words.of(
                Reason("title_tiers" if is_known else "title_tiers_without_hours"),
                places="label_tier",
                others="label_hours" if is_known else "label_hours_unknown",
                currency=self.params["currency"],
                lang=lang,
            ),
        )

    def _reasons(self, row: Row) -> tuple[Reason, ...]:
        return (*self._why.of(row), *partly_unknown(row), *since(row))

    @cached_property
    def _why(self) -> Why:
        names, counts = (self._tiers[c].to_pylist() for c in ("tier", "account_count"))
        return Why(
            self._settings,
            sizes=dict(zip(names, counts, strict=True)),
            tiered_count=cast("int", self.summary["tiered_count"]),
            money=self._money(),
        )


def _noted(tier: Row, lang: Lang) -> str:
    """How many accounts a tier has, and of how many the hours are known, if not of all."""
    counts = {"n": tier["account_count"], "known": tier["hours_known_count"]}
    said = sentence(Reason("label_accounts", {"n": counts["n"]}), lang)
    if not 0 < counts["known"] < counts["n"]:
        return said
    return f"{said}\n{sentence(Reason('label_hours_of', counts), lang)}"
