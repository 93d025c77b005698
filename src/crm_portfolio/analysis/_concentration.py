"""How much of the revenue hangs on how few accounts and groups?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, cast

import attrs
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio import _plots
from crm_portfolio._frames import NativeFrame, from_arrow
from crm_portfolio._methods import _indices as indices
from crm_portfolio._unread import reading
from crm_portfolio._wording import Lang, Reason
from crm_portfolio.analysis._dependence import (
    ConcentrationSettings,
    account_table,
    figures_of,
    group_table,
    league_of,
    majors_of,
    of_account,
    warnings,
)
from crm_portfolio.analysis._facts import echo, revenue_facts
from crm_portfolio.portfolio import Portfolio
from crm_portfolio.results import Json, Result, Row, significant

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["ConcentrationResult", "ConcentrationSettings", "concentration"]

_SHOWN_BARS = 25
_DEFAULTS = ConcentrationSettings()


@reading()
def concentration(
    portfolio: Portfolio, settings: ConcentrationSettings = _DEFAULTS
) -> ConcentrationResult:
    """Rank accounts and groups by revenue, and say how much hangs on the largest.

    Shares are of total net revenue; where that is not positive, shares and all that is
    built on them are null. Dependence is judged by ultimate parent.

    Example:
        >>> from crm_portfolio import analysis, samples
        >>> result = analysis.concentration(samples.firm())
        >>> [(major["members"], major["share"]) for major in result.summary["majors"]]
        [(['A01'], 0.26), (['A02', 'A03', 'A04'], 0.15)]
    """
    facts = revenue_facts(
        portfolio, settings.period, settings.measure, needed_by="concentration"
    )
    groups_of, group_of = facts.groups()
    accounts = league_of(facts, facts.by_account, settings)
    groups = league_of(facts, groups_of, settings)
    summary: dict[str, Json] = {
        "by_account": figures_of(accounts, facts, settings),
        "by_group": figures_of(groups, facts, settings),
        **majors_of(portfolio, facts, groups, group_of),
    }
    curve = indices.lorenz(accounts.counted) or (np.zeros(0), np.zeros(0))
    return ConcentrationResult(
        table=account_table(facts, accounts, groups, group_of),
        rejected=facts.rejected_table(),
        backend=portfolio.backend,
        summary=summary,
        params=echo(portfolio, facts, settings, population=settings.population),
        coverage=significant(facts.coverage),
        warnings=tuple(warnings(portfolio, facts, accounts, groups, settings)),
        groups=group_table(facts, groups, group_of),
        lorenz=pa.table({"account_share": curve[0], "revenue_share": curve[1]}),
    )


@attrs.frozen(slots=False, eq=False, repr=False)
class ConcentrationResult(Result):
    """The ranking, by account and by group, and what hangs on whom.

    Attributes:
        summary: ``by_account`` and ``by_group`` hold the same figures side by side;
            ``majors`` lists the groups from the major share on.
    """

    name: ClassVar[str] = "concentration"
    title: ClassVar[str] = "heading_concentration"
    compared: ClassVar[str] = "dependence"
    further: ClassVar[tuple[str, ...]] = ("groups",)

    _groups: pa.Table
    _lorenz: pa.Table

    @property
    def groups(self) -> NativeFrame:
        """The ranking by ultimate parent."""
        return from_arrow(self._groups, self._backend)

    @property
    def lorenz(self) -> NativeFrame:
        """``account_share`` and the ``revenue_share`` they hold, smallest first."""
        return from_arrow(self._lorenz, self._backend)

    def assignments(self) -> pa.Table:
        """Rank, share of total net revenue (6 places) and dependence of each account."""
        table = self.arrow
        return pa.table(
            {
                "account_id": table["account_id"],
                "portfolio_rank": table["rank"],
                "revenue_share": pc.round(table["share"], 6),
                "dependence": table["dependence"],
            }
        )

    def plot(self, *, ax: Axes | None = None, lang: Lang = "en") -> Axes:
        ranked = self._table.filter(pc.is_valid(self._table["cum_share"]))
        ranked = ranked.filter(pc.invert(ranked["is_dormant"]))
        shown = ranked.slice(0, _SHOWN_BARS)
        counts = {"shown": shown.num_rows, "n": ranked.num_rows}
        is_all = shown.num_rows == ranked.num_rows
        title = "title_concentration" if is_all else "title_concentration_first"
        target = cast("Mapping[str, float]", self.params["settings"])["target"]
        return _plots.pareto(
            _plots.axes(ax),
            names=self._called(shown),
            amounts=shown["revenue"].to_pylist(),
            cum_percent=pc.multiply(shown["cum_share"], 100.0).to_pylist(),
            target_percent=100 * target,
            words=_plots.Words.of(
                Reason(title, counts),
                places="label_accounts_by_rank",
                others="label_cum_share",
                currency=self.params["currency"],
                lang=lang,
            ),
        )

    def _reasons(self, row: Row) -> tuple[Reason, ...]:
        return tuple(of_account(row, self.summary, self.params))
