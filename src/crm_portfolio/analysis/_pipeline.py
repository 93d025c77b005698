"""Is the work ahead growing, as it was known at each date?"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar, cast

import attrs
import pyarrow as pa

from crm_portfolio import _plots
from crm_portfolio._frames import NativeFrame, from_arrow
from crm_portfolio._unread import reading
from crm_portfolio._wording import Lang, Reason, sentence
from crm_portfolio.analysis._ahead import (
    PipelineSettings,
    Series,
    Stages,
    answer,
    cohort_table,
    coverage_share,
    due_table,
    due_within,
    grid_of,
    month_table,
    now_of,
    of_month,
    of_trend,
    owner_table,
    stage_table,
    warnings,
)
from crm_portfolio.analysis._facts import Grid, as_known, changed, noted
from crm_portfolio.errors import MissingTableError
from crm_portfolio.portfolio import Period, Portfolio
from crm_portfolio.results import Json, Result, Row, significant
from crm_portfolio.schema import TableName

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["PipelineResult", "PipelineSettings", "pipeline"]

_USUAL = PipelineSettings()


@reading()
def pipeline(
    portfolio: Portfolio, settings: PipelineSettings = _USUAL
) -> PipelineResult:
    """Rebuild the open opportunities as they were known at the end of each month.

    At a date means before its first moment: what was closed or changed on that day is
    not known yet. Stage, amount, expected day and owner are those of that date, from
    the change history; stale work stands apart; amounts are weighted by how often work
    at its stage had been won by then. Without the history there are only counts.

    Raises:
        MissingTableError: There are no opportunities.

    Example:
        >>> from crm_portfolio import analysis, samples
        >>> ahead = analysis.pipeline(samples.firm())
        >>> ahead.params["measure"]
        'current_value'
    """
    if "opportunity" not in portfolio:
        raise MissingTableError("opportunity", "pipeline")
    stages = Stages.of(portfolio)
    grid, months = grid_of(portfolio, settings, stages)
    changes = _table(portfolio, "opportunity_change")
    known = as_known(
        portfolio["opportunity"],
        changes,
        _table(portfolio, "activity"),
        grid,
        changed=None if changes is None else changed(portfolio),
        log=noted(portfolio),
    )
    series = Series.of(known, grid, settings, stages)
    has_history = changes is not None
    table, now = month_table(series, months, has_history=has_history), now_of(series)
    trend = answer(table, settings.alpha, has_history=has_history)
    return PipelineResult(
        table=table,
        rejected=_NOTHING,
        backend=portfolio.backend,
        summary={
            "now": now,
            "trend": trend,
            "undated_count": known.undated,
            "entered_closed_count": known.entered_closed,
        },
        params=_params(portfolio, settings, grid, months, has_history=has_history),
        coverage=_coverage(now),
        warnings=tuple(
            warnings(known, now, settings, has_history=has_history, stages=stages)
        ),
        stages=stage_table(series, stages),
        cohorts=cohort_table(known, grid, settings.level),
        owners=owner_table(series, months),
        expected=due_table(series, stages),
        digits=portfolio.minor_digits,
    )


def _table(portfolio: Portfolio, name: TableName) -> NativeFrame | None:
    if name not in portfolio or not portfolio.row_counts[name]:
        return None
    return portfolio[name]


def _coverage(now: Mapping[str, Any]) -> float | None:
    """The part of the open opportunities whose amount is known."""
    count = now["open_count"]
    return significant(1 - now["unknown_amount_count"] / count) if count else None


def _params(
    portfolio: Portfolio,
    settings: PipelineSettings,
    grid: Grid,
    months: int,
    *,
    has_history: bool,
) -> dict[str, Json]:
    start, end = grid.days[0], grid.days[months]
    own = attrs.asdict(settings)
    since = settings.history_from
    return {
        "portfolio": portfolio.id,
        "as_of": portfolio.as_of.isoformat(),
        "org": portfolio.org,
        "currency": portfolio.currency,
        "measure": "as_known" if has_history else "current_value",
        "population": "all",
        "period": {
            "name": f"last_{months}_months",
            "start": start.isoformat(),
            "end": end.isoformat(),
            "last_day": (end - timedelta(days=1)).isoformat(),
        },
        "settings": own | {"history_from": since.isoformat() if since else None},
    }


@attrs.frozen(slots=False, eq=False, repr=False)
class PipelineResult(Result):
    """The work ahead month by month, and whether it grows.

    Attributes:
        summary: ``now`` is what is open at the end of the as-of date, ``trend`` the
            label with the slopes of four series and what it is told ``of``.
    """

    name: ClassVar[str] = "pipeline"
    title: ClassVar[str] = "heading_pipeline"
    key: ClassVar[str] = "month"
    compared: ClassVar[str] = "weighted_amount"
    summed: ClassVar[Mapping[str, int]] = {}
    rows: ClassVar[str] = "months"
    further: ClassVar[tuple[str, ...]] = ("stages", "cohorts", "owners")

    _stages: pa.Table
    _cohorts: pa.Table
    _owners: pa.Table
    _expected: pa.Table
    _digits: int

    @property
    def stages(self) -> NativeFrame:
        """Today's live work by stage: the rate seen so far beside the CRM's own odds."""
        return from_arrow(self._stages, self._backend)

    @property
    def cohorts(self) -> NativeFrame:
        """By quarter of entry: the share won by now, those still open allowed for."""
        return from_arrow(self._cohorts, self._backend)

    @property
    def owners(self) -> NativeFrame:
        """Whose work it was at the end of each month."""
        return from_arrow(self._owners, self._backend)

    def due(self, period: Period) -> dict[str, Json]:
        """Today's live work that is expected in a period, weighted both ways."""
        start, end = period.start, period.end
        assert start is not None
        assert end is not None
        return due_within(self._expected, start, end, self._digits)

    def coverage_of(
        self, target: float, *, achieved: float, period: Period
    ) -> float | None:
        """Weighted work due in a period over what its target still lacks; None: unknown."""
        weighted = cast("float | None", self.due(period)["weighted_amount"])
        return coverage_share(weighted, target=target, achieved=achieved)

    def answer(self, *, lang: Lang = "en") -> str:
        """Whether the work ahead is growing, in sentences, one a line."""
        trend = cast("Mapping[str, Any]", self.summary["trend"])
        said = of_trend(trend, self._money())
        return "\n".join(sentence(each, lang) for each in said)

    def plot(self, *, ax: Axes | None = None, lang: Lang = "en") -> Axes:
        shown, measure = self._table, str(self.params["measure"])
        words = self._words(_TITLES[measure], "label_month", lang)
        return _plots.layers(
            _plots.axes(ax),
            names=shown["month"].to_pylist(),
            parts={
                sentence(Reason(code), lang): shown[name].to_pylist()
                for name, code in _PARTS[measure].items()
            },
            line=(
                sentence(Reason("label_pipeline_weighted"), lang),
                shown["weighted_amount"].to_pylist(),
            ),
            words=words,
        )

    def plot_cohorts(self, *, ax: Axes | None = None, lang: Lang = "en") -> Axes:
        """The share won of what was entered in each quarter, with its interval."""
        its = [row for row in self._cohorts.to_pylist() if row["won_share"] is not None]
        words = self._words("title_pipeline_cohorts", "label_pipeline_cohort", lang)
        share = sentence(Reason("label_won_share"), lang)
        return _plots.ranges(
            _plots.axes(ax),
            names=[f"{row['cohort']} (n={row['created_count']})" for row in its],
            middles=[100 * row["won_share"] for row in its],
            lows=[100 * row["won_low_share"] for row in its],
            highs=[100 * row["won_high_share"] for row in its],
            words=attrs.evolve(words, amounts=share),
        )

    def _words(self, title: str, places: str, lang: Lang) -> _plots.Words:
        words = _plots.Words.of(
            Reason(title, {"at_on": str(self.params["as_of"])}),
            places=places,
            others="label_nothing",
            currency=self.params["currency"],
            lang=lang,
        )
        amounts = sentence(Reason("label_pipeline_amount", self._money()), lang)
        return attrs.evolve(words, amounts=amounts)

    def _reasons(self, row: Row) -> tuple[Reason, ...]:
        settings = cast("Mapping[str, Any]", self.params["settings"])
        return tuple(of_month(row, self._money(), settings["level"]))

    def _measured(self) -> tuple[Reason, ...]:
        return (Reason(_MEASURED[str(self.params["measure"])]),)


_MEASURED = {
    "as_known": "pipeline_as_known",
    "current_value": "pipeline_current_value",
}
_TITLES = {"as_known": "title_pipeline", "current_value": "title_pipeline_today"}
_PARTS = {
    "as_known": {
        "amount": "label_pipeline_live",
        "stale_amount": "label_pipeline_stale",
    },
    "current_value": {"amount": "label_pipeline_open"},
}
_NOTHING = pa.table(
    {name: pa.array([], pa.string()) for name in ("table", "record_id", "fault")}
)
