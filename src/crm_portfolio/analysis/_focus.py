"""Where does our time go: core, new, unfinished, and what is kept free?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar, Final

import attrs
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio import _plots
from crm_portfolio._frames import NativeFrame, from_arrow
from crm_portfolio._inert import inert
from crm_portfolio._unread import reading
from crm_portfolio._wording import Lang, Reason, number, sentence
from crm_portfolio.analysis._facts import echo, made_by, of_same, revenue_facts
from crm_portfolio.analysis._tiers import TiersResult, TiersSettings
from crm_portfolio.analysis._tiers import tiers as tiers_of
from crm_portfolio.analysis._time import (
    FocusSettings,
    Whole,
    line_table,
    of_firm,
    of_line,
    of_project,
    summary_of,
    warnings,
)
from crm_portfolio.portfolio import Portfolio
from crm_portfolio.results import Result, Row, significant

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["FocusResult", "FocusSettings", "focus"]

_USUAL: Final = FocusSettings()
_SHOWN_CELLS, _SHOWN_LINES = 14, 10


@reading()
def focus(
    portfolio: Portfolio,
    settings: FocusSettings = _USUAL,
    *,
    tiers: TiersResult | None = None,
) -> FocusResult:
    """See which lines bring and take what, what is new, and what was left unfinished.

    Products nobody called core or not are unclassified, never the latter; hours, costs and
    values nobody noted are unknown. The alert that too little time is kept for the new
    needs no loss: it is there before one. What a project has cost so far is shown, and
    decides nothing. People decide.

    Args:
        tiers: Whose accounts are alike, with those of their segment; None: those of the
            default rule.

    Example:
        >>> from crm_portfolio import analysis, samples
        >>> result = analysis.focus(samples.firm())
        >>> result.summary["core"]["revenue"]
        {'complementary': None, 'core': None, 'unclassified': 1.0}
    """
    of_same(portfolio, tiers)
    facts = revenue_facts(
        portfolio, settings.period, settings.measure, needed_by="focus"
    )
    if tiers is None:
        same = TiersSettings(period=settings.period, measure=settings.measure)
        tiers = tiers_of(portfolio, same)
    whole = Whole.of(portfolio, facts, tiers, settings)
    summary = summary_of(whole)
    return FocusResult(
        table=line_table(facts, whole.lines, whole.hours, whole.space),
        rejected=facts.rejected_table(),
        backend=portfolio.backend,
        summary=summary,
        params=echo(portfolio, facts, settings, population="with_lines")
        | {"tiers": made_by(tiers), "innovation_kinds": list(whole.hours.kinds)},
        coverage=significant(facts.coverage),
        warnings=tuple(warnings(portfolio, whole, summary)),
        periods=whole.hours.table,
        projects=whole.unfinished,
        whitespace=whole.listed,
        matrix=whole.space.matrix(),
        associations=whole.associations,
        load=whole.load,
    )


@attrs.frozen(slots=False, eq=False, repr=False)
class FocusResult(Result):
    """Lines of products, hours, whitespace and what was begun.

    Attributes:
        summary: ``core`` shares of revenue, hours and margin, ``focus_index`` of the hours
            by kind of work and by line, ``work_in_progress``, ``innovation`` and its
            alert, ``buffer``, ``hours`` of the period by what they were for,
            ``unfinished`` projects, ``whitespace`` and ``associations`` in figures.
    """

    name: ClassVar[str] = "focus"
    title: ClassVar[str] = "heading_focus"
    key: ClassVar[str] = "line"
    rows: ClassVar[str] = "lines"
    listing: ClassVar[str] = "heading_lines"
    compared: ClassVar[str] = "worth"
    summed: ClassVar[Mapping[str, int]] = {"revenue": 10_000, "hours": 3600}
    further: ClassVar[tuple[str, ...]] = (
        "periods",
        "projects",
        "whitespace",
        "matrix",
        "associations",
        "load",
    )

    _periods: pa.Table
    _projects: pa.Table
    _whitespace: pa.Table
    _matrix: pa.Table
    _associations: pa.Table
    _load: pa.Table

    @property
    def periods(self) -> NativeFrame:
        """Hours, revenue and the shares of both, step by step."""
        return from_arrow(self._periods, self._backend)

    @property
    def projects(self) -> NativeFrame:
        """What was begun and not finished, and what to do with it."""
        return from_arrow(self._projects, self._backend)

    @property
    def whitespace(self) -> NativeFrame:
        """Who could buy which line, the most valuable first, as long as was asked."""
        return from_arrow(self._whitespace, self._backend)

    @property
    def matrix(self) -> NativeFrame:
        """Segment and tier by line: bought, not bought, not applicable, and the rate."""
        return from_arrow(self._matrix, self._backend)

    @property
    def associations(self) -> NativeFrame:
        """Two lines each: how much more often both are bought than by chance."""
        return from_arrow(self._associations, self._backend)

    @property
    def load(self) -> NativeFrame:
        """Projects by role and sales by person that were open as each step ended."""
        return from_arrow(self._load, self._backend)

    def attention(self, *, lang: Lang = "en") -> str:
        """Where the time goes, what is kept free and how long we last; one a line."""
        said = (*of_firm(self.summary, self._money()), *self._measured())
        return "\n".join(sentence(reason, lang) for reason in said)

    def unfinished(self, *, lang: Lang = "en") -> str:
        """What to do with each project that was begun, and why; one a line."""
        rows = self._projects.to_pylist()
        names = {
            inert(row["project_id"]): inert(row["name"])
            for row in rows
            if row.get("name")
        }
        reasons = [
            reason
            for row in rows
            for reason in of_project(row, self.summary, self._money())
        ]
        return "\n".join(sentence(each, lang, names=names) for each in reasons)

    def plot(self, *, ax: Axes | None = None, lang: Lang = "en") -> Axes:
        """Of the accounts that are alike, how many buy each line; empty: not for them."""
        cells, lines = self._shown()
        rows = {
            (row["segment"], row["tier"], row["line"]): row
            for row in self._matrix.to_pylist()
        }
        shares = [
            [_or_nan(rows[(*cell, line)]["bought_share"]) for line in lines]
            for cell in cells
        ]
        said = [
            f"{_plots.shortened(segment)} {tier} "
            f"(n = {number(rows[segment, tier, lines[0]]['account_count'], lang)})"
            for segment, tier in cells
            if lines
        ]
        return _plots.matrix(
            _plots.axes(ax),
            rows=said if lines else [],
            columns=[_plots.shortened(line) for line in lines],
            shares=shares,
            words=self._words("title_focus", "label_line", "label_alike", lang),
        )

    def plot_hours(self, *, ax: Axes | None = None, lang: Lang = "en") -> Axes:
        """Hours by what they were for, step by step, and what was kept free."""
        table = self._periods.filter(pc.is_valid(self._periods["hours"]))
        series = {
            sentence(Reason(code), lang): [
                max(each or 0.0, 0.0) for each in table[name].to_pylist()
            ]
            for name, code in _PARTS.items()
        }
        return _plots.stacked(
            _plots.axes(ax),
            names=[_month(each) for each in table["ends_on"].to_pylist()],
            series={name: values for name, values in series.items() if any(values)},
            words=self._words("title_focus_hours", "label_until", "label_hours", lang),
        )

    def _shown(self) -> tuple[Sequence[tuple[str, str]], Sequence[str]]:
        """The cells with the most accounts and the lines with the most revenue."""
        sizes: dict[tuple[str, str], int] = {}
        for row in self._matrix.to_pylist():
            sizes[row["segment"], row["tier"]] = row["account_count"]
        largest = sorted(sizes, key=lambda cell: (-sizes[cell], cell))[:_SHOWN_CELLS]
        inside = set(self._matrix["line"].to_pylist())
        lines = [each for each in self._table["line"].to_pylist() if each in inside]
        return sorted(largest), lines[:_SHOWN_LINES]

    def _words(self, title: str, places: str, others: str, lang: Lang) -> _plots.Words:
        words = _plots.Words.of(
            Reason(title),
            places=places,
            others=others,
            currency=self.params["currency"],
            lang=lang,
        )
        return attrs.evolve(
            words,
            amounts=sentence(Reason("label_hours"), lang),
            nothing=sentence(Reason("label_focus_nothing"), lang),
        )

    def _reasons(self, row: Row) -> tuple[Reason, ...]:
        return tuple(of_line(row, self._associations, self.summary, self._money()))


_PARTS: Final = {
    "hours_core": "label_hours_core",
    "hours_new": "label_hours_new",
    "hours_unfinished": "label_hours_unfinished",
    "hours_other": "label_hours_other",
    "hours_unclassified": "label_hours_unclassified",
    "hours_free": "label_hours_free",
}


def _or_nan(value: float | None) -> float:
    return np.nan if value is None else value


def _month(day: object) -> str:
    return str(day)[:7]
