"""Who are tomorrow's clients, and do they replace the erosion at the top?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, cast

import attrs
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio import _plots
from crm_portfolio._frames import NativeFrame, from_arrow
from crm_portfolio._unread import reading
from crm_portfolio._wording import Lang, Reason, number, sentence
from crm_portfolio.analysis._facts import echo, purchases
from crm_portfolio.analysis._tomorrow import (
    History,
    Shortlist,
    SuccessionSettings,
    account_table,
    cohort_table,
    of_account,
    summary_of,
    warnings,
)
from crm_portfolio.portfolio import Portfolio
from crm_portfolio.results import Result, Row, json_rows, significant

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["SuccessionResult", "SuccessionSettings", "succession"]

_YEAR = 12
_BY_DEFAULT = SuccessionSettings()


@reading()
def succession(
    portfolio: Portfolio, settings: SuccessionSettings = _BY_DEFAULT
) -> SuccessionResult:
    """See how accounts move between tiers, and list the small ones that may rise.

    Everything is as of the last close, the end of the last full month: a list does not
    change between two closes. Tiers here are those of the rule alone, made anew at each
    close; whoever brings nothing in a year is lost, unless its group goes on.

    Example:
        >>> from crm_portfolio import analysis, samples
        >>> result = analysis.succession(samples.firm())
        >>> result.summary["retention"]["group_count"]
        10
    """
    history = History.of(portfolio, settings)
    now = Shortlist.at(portfolio, history, history.end)
    then = Shortlist.at(portfolio, history, history.end - _YEAR)
    summary = summary_of(history, now, then, purchases(portfolio, history.facts))
    return SuccessionResult(
        table=account_table(history, now, then),
        rejected=history.facts.rejected_table(),
        backend=portfolio.backend,
        summary=summary,
        params=echo(portfolio, history.facts, settings)
        | {"matrix": "smoothed", "first_close_on": history.first_close_on},
        coverage=significant(history.facts.coverage),
        warnings=tuple(warnings(portfolio, history, now, summary)),
        cohorts=cohort_table(history),
        leaving_rates=now.moves.leaving(),
    )


@attrs.frozen(slots=False, eq=False, repr=False)
class SuccessionResult(Result):
    """Who rises, who leaves, and what replaces them.

    Attributes:
        summary: ``transitions`` between the tiers, ``projection`` of them, ``retention``
            of last year's clients, ``top_tier`` how long one stays in it, ``replacement``
            of what leaves it, ``list`` and ``back_test`` of the rising accounts.
        leaving_rates: By tier: the chance that an account of it is lost within a year;
            empty where no year before is known.
    """

    name: ClassVar[str] = "succession"
    title: ClassVar[str] = "heading_succession"
    compared: ClassVar[str] = "rising"
    further: ClassVar[tuple[str, ...]] = ("cohorts",)

    _cohorts: pa.Table
    leaving_rates: Mapping[str, float]

    @property
    def rising(self) -> tuple[str, ...]:
        """The accounts on the list, the best first, then those drawn by chance."""
        rows = self.columns("account_id", "place")
        listed = rows.filter(pc.is_valid(rows["place"]))
        return tuple(listed.sort_by("place")["account_id"].to_pylist())

    @property
    def cohorts(self) -> NativeFrame:
        """One row per cohort and age: how many still bring revenue, and how much."""
        return from_arrow(self._cohorts, self._backend)

    def assignments(self) -> pa.Table:
        """Whether each account is one of tomorrow's clients."""
        return self.columns("account_id", "rising")

    def to_dict(self) -> dict[str, Any]:
        return super().to_dict() | {
            "cohorts": json_rows(self._cohorts),
            "leaving_rates": dict(self.leaving_rates),
        }

    def plot(self, *, ax: Axes | None = None, lang: Lang = "en") -> Axes:
        told = cast("dict[str, Any]", self.summary["transitions"])
        states = [*told["states"][:-1], sentence(Reason("label_lost"), lang)]
        counts = dict(zip(told["states"], told["row_counts"], strict=False))
        return _plots.matrix(
            _plots.axes(ax),
            rows=[f"{tier} (n = {number(n, lang)})" for tier, n in counts.items()],
            columns=states,
            shares=told["smoothed"],
            words=self._words(
                "title_succession", "label_tier_now", "label_tier_then", lang
            ),
        )

    def plot_replacement(self, *, ax: Axes | None = None, lang: Lang = "en") -> Axes:
        """Revenue that came into the top tier and that left it, year by year."""
        years = cast("dict[str, Any]", self.summary["replacement"])["years"]
        return _plots.side_by_side(
            _plots.axes(ax),
            names=[each["close_on"][:4] for each in years],
            series={
                sentence(Reason(code), lang): [each[name] for each in years]
                for code, name in _SIDES.items()
            },
            words=self._words(
                "title_replacement", "label_year_to", "label_nothing", lang
            ),
        )

    def plot_cohorts(self, *, ax: Axes | None = None, lang: Lang = "en") -> Axes:
        """Of each cohort, how many are left at each age."""
        ages = max(self._cohorts["age"].to_pylist(), default=-1) + 1
        rows: dict[str, list[float]] = {}
        for row in self._cohorts.to_pylist():
            name = f"{row['cohort']} (n = {number(row['group_count'], lang)})"
            share = row["kept_share"]
            share = np.nan if share is None else share
            rows.setdefault(name, [np.nan] * ages)[row["age"]] = share
        return _plots.matrix(
            _plots.axes(ax),
            rows=list(rows),
            columns=[str(age) for age in range(ages)],
            shares=list(rows.values()),
            words=self._words("title_cohorts", "label_age", "label_cohort", lang),
        )

    def _words(self, title: str, places: str, others: str, lang: Lang) -> _plots.Words:
        return _plots.Words.of(
            Reason(title),
            places=places,
            others=others,
            currency=self.params["currency"],
            lang=lang,
        )

    def _reasons(self, row: Row) -> tuple[Reason, ...]:
        settings = cast("dict[str, Any]", self.params["settings"])
        return tuple(of_account(row, self.summary, settings, self._money()))


_SIDES = {
    "label_entering": "entering_revenue",
    "label_leaving": "leaving_revenue",
}
