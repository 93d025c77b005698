"""Which accounts are about to leave or hurt, and from what?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any, ClassVar, Final, cast

import attrs
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio import _plots
from crm_portfolio._frames import NativeFrame, from_arrow
from crm_portfolio._methods._cuts import Groups
from crm_portfolio._methods._in_order import in_order
from crm_portfolio._methods._risk import LEVELS, UNKNOWN, Levels, worst
from crm_portfolio._places import told_at
from crm_portfolio._unread import reading
from crm_portfolio._wording import Lang, Reason, sentence
from crm_portfolio.analysis._dangers import (
    COMPONENTS,
    MODEL,
    Contracts,
    Danger,
    History,
    Leaving,
    RiskSettings,
    erosion_of,
    odds_columns,
    odds_summary,
    odds_warnings,
    of_account,
    of_odds,
    payment_of,
    relationship_of,
    reliability_table,
    renewal_of,
    silence_of,
    summary_of,
    told,
    warnings,
    written,
)
from crm_portfolio.analysis._facts import (
    RevenueFacts,
    echo,
    listed,
    made_by,
    named,
    of_accounts,
    of_same,
    revenue_facts,
)
from crm_portfolio.analysis._receivables import (
    ReceivablesResult,
    ReceivablesSettings,
)
from crm_portfolio.analysis._receivables import receivables as receivables_of
from crm_portfolio.analysis._tiers import TiersResult, TiersSettings
from crm_portfolio.analysis._tiers import tiers as tiers_of
from crm_portfolio.portfolio import Portfolio
from crm_portfolio.results import Result, Row, significant

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["RiskResult", "RiskSettings", "risk"]

_USUAL: Final = RiskSettings()
_ROWS: Final = {
    "overall": "label_risk_overall",
    "silence": "label_risk_silence",
    "erosion": "label_risk_erosion",
    "payment": "label_risk_payment",
    "relationship": "label_risk_relationship",
    "renewal": "label_risk_renewal",
}
_COLUMNS: Final = {
    "low": "label_level_low",
    "medium": "label_level_medium",
    "high": "label_level_high",
    "critical": "label_level_critical",
    "unknown": "label_level_unknown",
}
_SPAN: Final = ("left_share_low", "left_share_high")
_MARKS: Final = ("label_risk_bins", "label_risk_true")


@reading()
def risk(
    portfolio: Portfolio,
    settings: RiskSettings = _USUAL,
    *,
    tiers: TiersResult | None = None,
    receivables: ReceivablesResult | None = None,
    departures: NativeFrame | None = None,
) -> RiskResult:
    """Take the worst known of five dangers: silence, erosion, payment, relationship, renewal.

    Nothing is averaged: one grave danger is not made up for by four that are none. A
    danger whose table the portfolio lacks is unknown, and so is the level of an account
    of which none is known. All of it is an index, no probability.

    Beside it stand the odds that an account leaves: those of a model that learned from
    who left before, if it did better on a later window than the rates of the tiers, and
    these rates if not. They make no level.

    Args:
        tiers: Whose rhythm an account borrows that has bought too seldom for its own;
            None: those of the default rule.
        receivables: How late each account pays; None: made with its default settings.
        departures: Who left when, as the firm knows it: a frame with ``account_id`` and
            ``left_on``. None: as the settings say what it is to have left.

    Example:
        >>> from crm_portfolio import analysis, samples
        >>> result = analysis.risk(samples.firm())
        >>> result.summary["levels"]["critical"]["account_count"]
        2
        >>> [reason.code for reason in result.reasons("A13")][:2]
        ['risk_is_critical', 'risk_erosion']
    """
    of_same(portfolio, tiers)
    of_same(portfolio, receivables)
    facts = revenue_facts(
        portfolio, settings.period, settings.measure, needed_by="risk"
    )
    if receivables is None and "invoice" in portfolio:
        receivables = receivables_of(
            portfolio, ReceivablesSettings(period=settings.period)
        )
    if tiers is None:
        same = TiersSettings(period=settings.period, measure=settings.measure)
        tiers = tiers_of(portfolio, same)
    agreed = Contracts.of(portfolio, facts, settings)
    dangers = (
        silence_of(portfolio, facts, settings, _tier(facts, tiers), agreed.is_running),
        erosion_of(portfolio, facts, settings),
        payment_of(portfolio, facts, settings, receivables),
        relationship_of(portfolio, facts, settings),
        renewal_of(portfolio, facts, settings, agreed),
    )
    level = worst([each.level for each in dangers])
    order = _order(facts, level, dangers)
    history = History.of(portfolio, facts, settings, departures)
    leaving = Leaving.of(history, settings, level.size)
    own = odds_columns(leaving, history)
    table = _table(facts, level, dangers, written(dangers, settings), own)
    return RiskResult(
        table=told_at(table, order),
        rejected=facts.rejected_table(),
        backend=portfolio.backend,
        summary=summary_of(facts, level, dangers)
        | {"odds": odds_summary(leaving, settings)},
        params=echo(portfolio, facts, settings)
        | {
            "tiers": made_by(tiers),
            "receivables": made_by(receivables) if receivables else None,
            "label": "departures" if departures is not None else "settings",
        },
        coverage=significant(facts.coverage),
        warnings=(
            *warnings(portfolio, facts, dangers),
            *odds_warnings(leaving, history, settings),
        ),
        told=told_at(pa.table(told(dangers)), order),
        reliability=reliability_table(leaving),
    )


def _tier(facts: RevenueFacts, tiers: TiersResult) -> pa.Array:
    return of_accounts(tiers, facts.by_account.ids, "tier")["tier"]


def _order(facts: RevenueFacts, level: Levels, dangers: Sequence[Danger]) -> Groups:
    """The gravest first, then who has more such dangers, then the larger account."""
    of = facts.by_account
    many = sum((each.level == level).astype(np.int64) for each in dangers)
    many = np.where(level == UNKNOWN, 0, many)
    size = np.maximum(of.revenue, of.revenue_previous)
    return in_order(-level.astype(np.int64), -many, -size)


def _table(
    facts: RevenueFacts,
    level: Levels,
    dangers: Sequence[Danger],
    texts: pa.Array,
    odds: Mapping[str, pa.Array],
) -> pa.Table:
    of = facts.by_account
    columns = {"account_id": of.ids} | facts.names(of.ids)
    columns |= {
        "risk_level": named(
            np.where(level < 0, len(LEVELS), level), [*LEVELS, "unknown"]
        ),
        "risk_reasons": texts,
        "worst_component": _worst(level, dangers),
        "unknown_components": _unknown(dangers, level.size),
    }
    for each in dangers:
        columns[f"{each.name}_level"] = named(each.level, LEVELS)
        columns |= each.columns
    columns |= odds
    columns["line_count"] = pa.array(of.lines)
    columns["known_line_count"] = pa.array(of.known_lines)
    return pa.table(columns)


def _worst(level: Levels, dangers: Sequence[Danger]) -> pa.Array:
    """The first component that makes the level; null where there is no danger."""
    makes = np.stack([each.level == level for each in dangers])
    return named(np.where(level <= 0, -1, np.argmax(makes, axis=0)), COMPONENTS)


def _unknown(dangers: Sequence[Danger], size: int) -> pa.Array:
    """The components that are not known, by name; empty where all are."""
    return listed({each.name: each.is_unknown for each in dangers}, size)


@attrs.frozen(slots=False, eq=False, repr=False)
class RiskResult(Result):
    """The danger of each account, its components, and what each stands on.

    Attributes:
        summary: ``levels`` counts the accounts of each level and their revenue,
            ``components`` the accounts of each level by component, ``known_share`` is
            the part of the revenue whose accounts are known in it; ``odds`` tells what
            was learned from who left, how well it did, and what is used.
    """

    name: ClassVar[str] = "risk"
    title: ClassVar[str] = "heading_risk"
    compared: ClassVar[str] = "risk_level"
    further: ClassVar[tuple[str, ...]] = ("reliability",)

    _told: pa.Table
    _reliability: pa.Table

    @property
    def reliability(self) -> NativeFrame:
        """The odds the model gave on a later window, by size, and how many then left."""
        return from_arrow(self._reliability, self._backend)

    @property
    def leaving_odds(self) -> dict[str, float]:
        """By account, that it leaves within a year: what ``revenue_at_risk`` takes.

        Only where a model gave them that proved better than rates, on a later window;
        else none, and rates stand in there. Over another horizon than a year they are
        taken to be the same every month.
        """
        odds = cast("dict[str, Any]", self.summary["odds"])
        table = self.columns("account_id", "leave_odds", "odds_source")
        rows = table.filter(pc.equal(table["odds_source"], MODEL))
        own = rows["leave_odds"].to_numpy()
        yearly = 1 - (1 - own) ** (12 / odds["horizon_months"])
        ids = rows["account_id"].to_pylist()
        return dict(zip(ids, yearly.tolist(), strict=True))

    @property
    def departed(self) -> dict[str, date]:
        """By account that is said to have left and has not come back: since when."""
        rows = self.columns("account_id", "left_on").drop_null()
        ids, days = (rows[name].to_pylist() for name in ("account_id", "left_on"))
        return dict(zip(ids, days, strict=True))

    def assignments(self) -> pa.Table:
        """The level, and the reasons in the words of the settings' language."""
        return self.columns("account_id", "risk_level", "risk_reasons")

    def plot(self, *, ax: Axes | None = None, lang: Lang = "en") -> Axes:
        components = cast("dict[str, dict[str, int]]", self.summary["components"])
        levels = cast("dict[str, dict[str, int]]", self.summary["levels"])
        n = cast("int", self.summary["account_count"])
        rows = {"overall": {name: levels[name]["account_count"] for name in _COLUMNS}}
        rows |= components
        counts = [[row[name] for name in _COLUMNS] for row in rows.values()]
        return _plots.matrix(
            _plots.axes(ax),
            rows=[sentence(Reason(_ROWS[name]), lang) for name in rows],
            columns=[sentence(Reason(_COLUMNS[name]), lang) for name in _COLUMNS],
            shares=[[each / n for each in row] for row in counts] if n else None,
            counts=counts,
            words=_plots.Words.of(
                Reason("title_risk", {"n": n}),
                places="label_risk_level",
                others="label_risk_component",
                currency=self.params["currency"],
                lang=lang,
            ),
        )

    def plot_reliability(self, *, ax: Axes | None = None, lang: Lang = "en") -> Axes:
        """Of the later window: the odds the model gave, and how many then left."""
        odds = cast("dict[str, Any]", self.summary["odds"])
        shown = self._reliability
        title = Reason("label_risk_no_model")
        if odds["model"] is not None:
            values = {"n": odds["tested_count"], "split": odds["split_on"]}
            title = Reason("title_risk_reliability", values)
        words = _plots.Words.of(
            title,
            places="label_risk_said",
            others="label_nothing",
            currency=self.params["currency"],
            lang=lang,
        )
        said, came, low, high = (
            [100 * each for each in shown[name].to_pylist()]
            for name in ("said_odds", "left_share", *_SPAN)
        )
        marks, diagonal = (sentence(Reason(code), lang) for code in _MARKS)
        return _plots.reliability(
            _plots.axes(ax),
            said=said,
            came=came,
            lows=low,
            highs=high,
            labels=(marks, diagonal),
            words=attrs.evolve(
                words,
                amounts=sentence(Reason("label_risk_came"), lang),
                nothing=sentence(Reason("label_risk_no_model"), lang),
            ),
        )

    def _reasons(self, row: Row) -> tuple[Reason, ...]:
        said = self._told.slice(self._row_of[row["account_id"]], 1).to_pylist()[0]
        settings = self.params["settings"]
        odds = cast("dict[str, Any]", self.summary["odds"])
        return (
            *of_account({**row, **self._money()}, said, settings),
            *of_odds(row, odds, str(self.params["label"])),
        )
