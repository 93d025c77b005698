"""How many hours does each tier and account get, and who eats more than that?"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, cast

import attrs
import pyarrow as pa

from crm_portfolio import _plots
from crm_portfolio._frames import NativeFrame, from_arrow
from crm_portfolio._unread import reading
from crm_portfolio._wording import Lang, Reason, sentence
from crm_portfolio.analysis._alloc import (
    AllocationSettings,
    ByValue,
    Growth,
    ServiceLevel,
    Shares,
    Total,
    Use,
    account_table,
    of_account,
    of_firm,
    tier_table,
    warnings,
)
from crm_portfolio.analysis._facts import (
    RevenueFacts,
    echo,
    made_by,
    of_same,
    revenue_facts,
    worked,
)
from crm_portfolio.analysis._succession import SuccessionResult
from crm_portfolio.analysis._tiers import TiersResult, TiersSettings
from crm_portfolio.analysis._tiers import tiers as tiers_of
from crm_portfolio.errors import SettingsError
from crm_portfolio.portfolio import Portfolio
from crm_portfolio.results import Json, Result, Row, json_rows, significant

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["AllocationResult", "AllocationSettings", "ServiceLevel", "allocation"]

_EQUAL = AllocationSettings()


@reading()
def allocation(
    portfolio: Portfolio,
    settings: AllocationSettings = _EQUAL,
    *,
    tiers: TiersResult | None = None,
    succession: SuccessionResult | None = None,
) -> AllocationResult:
    """Share the hours out: as many to each tier, and in it as many to each account.

    The hours are those of the settings, else of the table ``capacity``, else as many as
    were spent. What was spent comes from ``effort``, without it from the activities that
    say how long they took; where neither does it stays null.

    Args:
        tiers: Who is in which tier; None: as ``analysis.tiers`` says by default.
        succession: How likely an account of each tier is to leave, for what an hour is
            expected to bring; None: all are taken to stay.

    Example:
        >>> from crm_portfolio import analysis, samples
        >>> chosen = analysis.AllocationSettings(hours=800, floor_hours=60)
        >>> result = analysis.allocation(samples.firm(), chosen)
        >>> [tier["hours_per_account"] for tier in result.summary["tiers"]]
        [160.0, 80.0, 60.0, 60.0, 0.0]
    """
    of_same(portfolio, succession)
    facts = revenue_facts(
        portfolio, settings.period, settings.measure, needed_by="allocation"
    )
    tiered = _same_portfolio(tiers, portfolio) or tiers_of(
        portfolio, TiersSettings(period=settings.period, measure=settings.measure)
    )
    given = worked(portfolio, facts)
    use = Use(facts, given)
    total = Total.of(portfolio, facts, given, settings.hours)
    shares = Shares.of(facts, tiered, total, settings)
    growth = Growth.of(portfolio, facts, given, quarters=settings.growth_quarters)
    leaving = None if succession is None else succession.leaving_rates
    by_value = ByValue.of(use, shares, leaving)
    by_tier = tier_table(use, shares, by_value, settings)
    summary = _summary(use, shares, growth, by_tier, settings)
    summary["by_value"] = {
        "hours_left": None if by_value.left is None else by_value.left / 60,
        "odds": "stay" if succession is None else "succession",
    }
    return AllocationResult(
        table=account_table(use, shares, by_value, settings),
        rejected=facts.rejected_table(),
        backend=portfolio.backend,
        summary=summary,
        params=_params(portfolio, facts, settings, tiered)
        | ({} if succession is None else {"succession": made_by(succession)}),
        coverage=significant(facts.coverage),
        warnings=tuple(warnings(use, shares, growth, summary)),
        tiers=by_tier,
        quarters=growth.quarters,
    )


def _same_portfolio(
    tiers: TiersResult | None, portfolio: Portfolio
) -> TiersResult | None:
    if tiers is not None and tiers.params["portfolio"] != portfolio.id:
        raise SettingsError("the tiers are of another portfolio than the hours")
    return tiers


def _params(
    portfolio: Portfolio,
    facts: RevenueFacts,
    settings: AllocationSettings,
    tiered: TiersResult,
) -> dict[str, Json]:
    """Our own settings, and those that the tiers were made by."""
    return echo(portfolio, facts, settings) | {"tiers": made_by(tiered)}


def _summary(
    use: Use,
    shares: Shares,
    growth: Growth,
    by_tier: pa.Table,
    settings: AllocationSettings,
) -> dict[str, Json]:
    total, given = shares.total, use.given
    affordable = None
    if total.minutes is not None and shares.count:
        affordable = significant(total.minutes / shares.count / 60)
    served = shares.group >= 0
    return {
        "hours": {
            "total": None if total.minutes is None else total.minutes / 60,
            "source": total.source,
            "covered_share": significant(total.covered_share),
            "account_count": shares.count,
            "group_count": len(shares.labels),
            "floored_count": sum(shares.is_floored),
            "floor": shares.floor / 60,
            "affordable_floor": affordable,
            "is_affordable": shares.is_affordable,
        },
        "effort": {
            "source": given.source,
            "hours": use.total_seconds / 3600 if given.is_known.any() else None,
            "noted_count": int((served & given.is_known).sum()),
            "noted_revenue_share": significant(use.noted_share(served)),
        },
        "tiers": json_rows(by_tier),
        "tail": use.tail(settings.tail_share, settings.tail_limit_share),
        "growth": growth.told(),
    }


@attrs.frozen(slots=False, eq=False, repr=False)
class AllocationResult(Result):
    """What each tier and account gets and takes, and whether growth is only workload.

    Attributes:
        summary: ``hours`` how many there are and who says so, ``effort`` what is known of
            those spent, ``tiers``, ``tail`` whether the small ones eat the effort,
            ``growth`` the elasticities of hours and revenue to the number of accounts, and
            ``by_value`` what is left where hours go to who brings most for them.
    """

    name: ClassVar[str] = "allocation"
    title: ClassVar[str] = "heading_allocation"
    compared: ClassVar[str] = "served_as"
    further: ClassVar[tuple[str, ...]] = ("tiers", "quarters")
    summed: ClassVar[Mapping[str, int]] = {
        "revenue": 10_000,
        "hours": 60,
        "hours_spent": 3600,
    }

    _tiers: pa.Table
    _quarters: pa.Table

    @property
    def tiers(self) -> NativeFrame:
        """One row per group: accounts, hours, what was spent, and the service level."""
        return from_arrow(self._tiers, self._backend)

    @property
    def quarters(self) -> NativeFrame:
        """Accounts, revenue and hours by quarter, where both are known."""
        return from_arrow(self._quarters, self._backend)

    def workload(self, *, lang: Lang = "en") -> str:
        """Do the small ones eat the effort, and do we grow? In sentences, one a line."""
        said = (*of_firm(self.summary, self._money()), *self._measured())
        return "\n".join(sentence(reason, lang) for reason in said)

    def to_dict(self) -> dict[str, Any]:
        more = {"tiers": self._tiers, "quarters": self._quarters}
        return super().to_dict() | {key: json_rows(each) for key, each in more.items()}

    def plot(self, *, ax: Axes | None = None, lang: Lang = "en") -> Axes:
        return self._drawn(_HOURS, ax, lang)

    def plot_shares(self, *, ax: Axes | None = None, lang: Lang = "en") -> Axes:
        """The share of the hours spent beside the share of revenue, by tier."""
        return self._drawn(_SHARES, ax, lang)

    def _drawn(self, picture: _Picture, ax: Axes | None, lang: Lang) -> Axes:
        codes = {
            "title": picture.title,
            "places": "label_tier",
            "amounts": picture.unit,
            "others": picture.unit,
            "nothing": "label_alloc_nothing",
        }
        said = {key: sentence(Reason(code), lang) for key, code in codes.items()}
        series = {
            sentence(Reason(code), lang): [
                None if each is None else each * picture.factor
                for each in self._tiers[column].to_pylist()
            ]
            for code, column in picture.series.items()
        }
        return _plots.side_by_side(
            _plots.axes(ax),
            names=self._tiers["tier"].to_pylist(),
            series=series,
            words=_plots.Words(**said, lang=lang),
        )

    @cached_property
    def _by_tier(self) -> dict[str, Row]:
        return {row["tier"]: row for row in self._tiers.to_pylist()}

    def _reasons(self, row: Row) -> tuple[Reason, ...]:
        tier = self._by_tier.get(cast("str", row["served_as"]))
        return tuple(of_account(row, tier, self.summary, self._money()))


@attrs.frozen
class _Picture:
    """Two columns of the tiers side by side."""

    title: str
    unit: str
    factor: int
    series: Mapping[str, str]


_HOURS = _Picture(
    "title_allocation",
    "label_alloc_hours",
    1,
    {"label_alloc_allotted": "hours", "label_alloc_spent": "hours_spent"},
)
_SHARES = _Picture(
    "title_effort_shares",
    "label_per_cent",
    100,
    {
        "label_effort_share": "hours_spent_share",
        "label_revenue_share": "revenue_share_of_noted",
    },
)
