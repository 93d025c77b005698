"""How much could we lose within a year, and at which odds?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, cast

import attrs
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio import _plots
from crm_portfolio._frames import NativeFrame, from_arrow
from crm_portfolio._places import told_at
from crm_portfolio._unread import reading
from crm_portfolio._wording import Lang, Reason, sentence
from crm_portfolio.analysis._at_risk import (
    Clients,
    Odds,
    Outlook,
    Past,
    RevenueAtRiskSettings,
    account_table,
    client_table,
    of_account,
    of_firm,
    of_year,
    order_of,
    summary_of,
    warnings,
)
from crm_portfolio.analysis._facts import (
    RevenueFacts,
    attached,
    echo,
    made_by,
    of_same,
    revenue_facts,
)
from crm_portfolio.analysis._loss import months_in, yearly
from crm_portfolio.analysis._risk import RiskResult
from crm_portfolio.analysis._succession import SuccessionResult, SuccessionSettings
from crm_portfolio.analysis._succession import succession as made
from crm_portfolio.portfolio import Portfolio
from crm_portfolio.results import Result, Row, json_rows, significant

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["RevenueAtRiskResult", "RevenueAtRiskSettings", "revenue_at_risk"]

_DEFAULTS = RevenueAtRiskSettings()
_SHOWN_BARS = 60


@reading()
def revenue_at_risk(
    portfolio: Portfolio,
    settings: RevenueAtRiskSettings = _DEFAULTS,
    *,
    odds: Mapping[str, float | None] | None = None,
    risk: RiskResult | None = None,
    succession: SuccessionResult | None = None,
) -> RevenueAtRiskResult:
    """What a year may cost when accounts leave: what to expect, and the bad years.

    Told twice: every client for itself, exactly; and with a factor that all have in
    common, by draws. Groups stay or leave as one.

    Args:
        odds: By account, that it leaves within a year, as somebody says.
        risk: Whose odds count for the others, where a model was found to hold, and who
            is gone already; where it has none, the rate at which accounts of its tier
            left stands in, and is flagged.
        succession: Where those rates come from; None: made with its default settings.

    Example:
        >>> from crm_portfolio import analysis, samples
        >>> odds = {f"A{at:02}": 0.1 for at in range(1, 14)}
        >>> result = analysis.revenue_at_risk(samples.firm(), odds=odds)
        >>> result.summary["independent"]["mean"]
        101000.0
    """
    of_same(portfolio, succession)
    of_same(portfolio, risk)
    found = revenue_facts(
        portfolio, settings.period, settings.measure, needed_by="revenue_at_risk"
    )
    facts, with_it = yearly(found, attached(portfolio, found))
    given, learned, departed = odds or {}, {}, {}
    if risk is not None:
        learned, departed = risk.leaving_odds, risk.departed
    told = {**learned, **given} | dict.fromkeys(departed, 1.0)
    past = _past(portfolio, settings, facts, told, succession)
    own = Odds.of(
        *(facts.by_account.ids, past.tier, given, past.rates),
        learned=learned,
        departed=departed,
    )
    clients = Clients.made(facts, own, settings)
    outlook = Outlook.of(clients, with_it, settings)
    summary = summary_of(clients, outlook, settings, past=past, months=months_in(facts))
    table, by_client = account_table(clients, settings), client_table(clients)
    return RevenueAtRiskResult(
        table=told_at(table, order_of(table)),
        rejected=facts.rejected_table(),
        backend=portfolio.backend,
        summary=summary,
        params=echo(portfolio, facts, settings, population="with_lines")
        | {"risk": made_by(risk) if risk else None, "succession": past.made},
        coverage=significant(facts.coverage),
        warnings=tuple(warnings(portfolio, clients, settings, summary, past)),
        clients=told_at(by_client, order_of(by_client)),
        distribution=outlook.curve() if outlook else _NO_CURVE,
    )


def _past(
    portfolio: Portfolio,
    settings: RevenueAtRiskSettings,
    facts: RevenueFacts,
    odds: Mapping[str, float | None],
    succession: SuccessionResult | None,
) -> Past:
    """What each tier loses; nothing where all that can be lost has odds."""
    ids = facts.by_account.ids
    has_odds = [key for key, value in odds.items() if value is not None]
    is_given = pc.is_in(ids, pa.array([*map(str, has_odds)], pa.string()))
    is_open = ~is_given.to_numpy(zero_copy_only=False)
    if not (facts.by_account.revenue[is_open] > 0).any():
        return Past(pa.nulls(len(ids), pa.string()))
    own = SuccessionSettings(period=settings.period, measure=settings.measure)
    return Past.of(succession or made(portfolio, own), ids)


_NO_CURVE = pa.table(
    {
        name: pa.array([], pa.float64())
        for name in ("loss", "independent", "common_factor")
    }
)


@attrs.frozen(slots=False, eq=False, repr=False)
class RevenueAtRiskResult(Result):
    """What each account may cost, and the laws of the whole year's loss.

    Attributes:
        summary: ``independent`` and ``common_factor`` hold the same figures side by side;
            ``odds_from`` says how much of the revenue each source of odds speaks for,
            and ``gone`` what brought those who have left already.
    """

    name: ClassVar[str] = "revenue_at_risk"
    title: ClassVar[str] = "heading_revenue_at_risk"
    compared: ClassVar[str] = "client_odds"
    further: ClassVar[tuple[str, ...]] = ("clients", "distribution")

    _clients: pa.Table
    _distribution: pa.Table

    @property
    def clients(self) -> NativeFrame:
        """Who stays or leaves as one: groups, or the accounts themselves."""
        return from_arrow(self._clients, self._backend)

    @property
    def distribution(self) -> NativeFrame:
        """By loss, the odds that a year costs no more: without and with the factor."""
        return from_arrow(self._distribution, self._backend)

    def outlook(self, *, lang: Lang = "en") -> str:
        """What the year may cost the firm as a whole, in sentences, one a line."""
        settings = cast("dict[str, Any]", self.params["settings"])
        money = self._money()
        said = (*of_firm(self.summary, settings, money), *self._measured())
        return "\n".join(sentence(reason, lang) for reason in said)

    def to_dict(self) -> dict[str, Any]:
        more = {"clients": self._clients, "distribution": self._distribution}
        return super().to_dict() | {key: json_rows(each) for key, each in more.items()}

    def plot(self, *, ax: Axes | None = None, lang: Lang = "en") -> Axes:
        edges, chances = self._bars()
        return _plots.distribution(
            _plots.axes(ax),
            edges=edges,
            series={
                sentence(Reason(_CURVES[name], self._factor()), lang): each
                for name, each in chances.items()
            },
            marks=self._marks(lang),
            words=self._words("title_revenue_at_risk", "label_var_years", lang),
        )

    def plot_odds(self, *, ax: Axes | None = None, lang: Lang = "en") -> Axes:
        """The odds that a year costs more than so much, without and with the factor."""
        table = self._distribution
        return _plots.falling(
            _plots.axes(ax),
            places=table["loss"].to_pylist(),
            series={
                sentence(Reason(code, self._factor()), lang): [
                    100 * (1 - each) for each in table[name].to_pylist()
                ]
                for name, code in _CURVES.items()
                if table.num_rows
            },
            marks=self._marks(lang),
            words=self._words("title_var_odds", "label_var_more", lang),
        )

    def _bars(self) -> tuple[list[float], dict[str, list[float]]]:
        """Edges of the bars and, in per cent of the years, what falls between them."""
        table = self._distribution
        step = max(1, (table.num_rows - 1) // _SHOWN_BARS)
        shown = table.take(pa.array(range(0, table.num_rows, step), pa.int64()))
        names = [*_CURVES] if table.num_rows else []
        return shown["loss"].to_pylist(), {
            name: [100 * each for each in np.diff(shown[name], prepend=0.0).tolist()]
            for name in names
        }

    def _marks(self, lang: Lang) -> dict[str, float]:
        """The losses that only so many years exceed, with the common factor."""
        figures = cast("dict[str, float] | None", self.summary["common_factor"])
        settings = cast("dict[str, Sequence[float]]", self.params["settings"])
        if figures is None:
            return {}
        return {
            sentence(Reason("label_var_level", {"level": level}), lang): figures[
                f"var_{100 * level:g}"
            ]
            for level in settings["levels"]
        }

    def _words(self, title: str, odds: str, lang: Lang) -> _plots.Words:
        said = (
            Reason(title),
            Reason("label_var_loss", self._money()),
            Reason(odds),
            Reason(odds),
            Reason("label_nothing"),
        )
        return _plots.Words(*(sentence(each, lang) for each in said), lang=lang)

    def _factor(self) -> dict[str, float]:
        settings = cast("dict[str, float]", self.params["settings"])
        return {"factor": settings["common_factor"]}

    def _reasons(self, row: Row) -> tuple[Reason, ...]:
        money = self._money()
        return (*of_account(row, self.summary, money), *of_year(self.summary, money))


_CURVES = {
    "independent": "label_var_independent",
    "common_factor": "label_var_common_factor",
}
