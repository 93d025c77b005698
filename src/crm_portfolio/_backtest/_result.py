"""What did looking back show, and how is it told?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Final, cast

import attrs
import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio import _plots
from crm_portfolio._backtest._reasons import (
    measured,
    of_forecast,
    of_peace,
    of_stops,
)
from crm_portfolio._backtest._said import HELD, LISTS, ListName
from crm_portfolio._frames import NativeFrame, from_arrow
from crm_portfolio._methods._risk import LEVELS
from crm_portfolio._wording import Lang, Reason, sentence
from crm_portfolio.errors import SettingsError, did_you_mean
from crm_portfolio.results import Result, Row

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["BacktestResult"]


@attrs.frozen(slots=False, eq=False, repr=False)
class BacktestResult(Result):
    """What each list of each day foresaw, and how much moved from day to day.

    A line of the frame is a list of a day, such as ``"risk 2025-06-30"``.

    Attributes:
        summary: ``lists`` tells how often each came true, ``levels`` how often each level
            of risk, ``recommendations`` and ``stop_rules`` what became of losses: of the
            days whose horizons do not overlap, so that nothing is counted twice.
            ``stability`` is of all steps from day to day.
        coverage: Of those named, of how many we know what came; None where nothing is
            over yet.
    """

    name: ClassVar[str] = "backtest"
    title: ClassVar[str] = "heading_backtest"
    key: ClassVar[str] = "forecast"
    rows: ClassVar[str] = "forecasts"
    listing: ClassVar[str] = "heading_forecasts"
    compared: ClassVar[str] = "hit_rate"
    summed: ClassVar[Mapping[str, int]] = {}
    further: ClassVar[tuple[str, ...]] = (
        *("levels", "recommendations", "stop_rules", "stability"),
    )

    _levels: pa.Table
    _recommendations: pa.Table
    _stop_rules: pa.Table
    _stability: pa.Table
    _named: pa.Table

    @property
    def levels(self) -> NativeFrame:
        """By day, component and level of risk: how many were hurt, and how many left."""
        return from_arrow(self._levels, self._backend)

    @property
    def recommendations(self) -> NativeFrame:
        """By day and recommendation: how many losses were opened again, and won."""
        return from_arrow(self._recommendations, self._backend)

    @property
    def stop_rules(self) -> NativeFrame:
        """By day and rule: what it would have dropped that was won, and at what price."""
        return from_arrow(self._stop_rules, self._backend)

    @property
    def stability(self) -> NativeFrame:
        """By what is said, and step from day to day: how much of it stayed the same."""
        return from_arrow(self._stability, self._backend)

    @property
    def named(self) -> NativeFrame:
        """Everyone on a list, and what ``became``: hit, miss, unknown, not_yet_known."""
        return from_arrow(self._named, self._backend)

    def answer(self, *, lang: Lang = "en") -> str:
        """What the stop rules would have cost, in sentences, one a line."""
        told = cast("Mapping[str, Mapping[str, Any]]", self.summary)
        said = (
            *of_stops(told["stop_rules"], self._money()),
            *of_peace(told["recommendations"]),
        )
        return "\n".join(sentence(each, lang) for each in said)

    def plot(
        self, *, ax: Axes | None = None, lang: Lang = "en", of: ListName | None = None
    ) -> Axes:
        """How often one list came true, day by day, against those who were not on it.

        Args:
            of: Which list; None: the first one that named anybody.
        """
        rows = self._shown(of)
        name = rows[0]["list"] if rows else of or LISTS[0]
        words = self._words(_TITLES[name], "label_backtest_day", lang)
        return _plots.paired_ranges(
            _plots.axes(ax),
            names=[f"{row['day_on']} (n={row['named_known_count']})" for row in rows],
            series={
                sentence(Reason(code), lang): [_per_cent(row, rate) for row in rows]
                for rate, code in _SERIES.items()
            },
            words=words,
        )

    def plot_levels(self, *, ax: Axes | None = None, lang: Lang = "en") -> Axes:
        """How often accounts of each level of risk were hurt, with intervals."""
        levels = cast("dict[str, dict[str, Any]]", self.summary["levels"]).get(
            "risk", {}
        )
        shown = {
            level: levels[level]
            for level in LEVELS
            if level in levels and levels[level]["known_count"]
        }
        words = self._words("title_backtest_levels", "label_backtest_level", lang)
        rates = [_per_cent(each, "hurt") for each in shown.values()]
        return _plots.ranges(
            _plots.axes(ax),
            names=[
                f"{sentence(Reason(_LEVELS[level]), lang)} (n={each['known_count']})"
                for level, each in shown.items()
            ],
            middles=[rate for rate, _, _ in rates],
            lows=[low for _, low, _ in rates],
            highs=[high for _, _, high in rates],
            words=words,
        )

    def plot_stability(self, *, ax: Axes | None = None, lang: Lang = "en") -> Axes:
        """How much of what was said on one day was said again on the next."""
        table = self._stability
        days = sorted(set(table["day_on"].to_pylist()))
        rows, shares = [], []
        for what in HELD:
            own = table.filter(pc.equal(table["what"], what)).to_pylist()
            if own:
                rows.append(sentence(Reason(_HELD[what]), lang))
                told = {row["day_on"]: row["same_share"] for row in own}
                shares.append([_or_nan(told.get(day)) for day in days])
        return _plots.matrix(
            _plots.axes(ax),
            rows=rows,
            columns=[str(day) for day in days],
            shares=shares,
            words=self._words("title_backtest_stability", "label_backtest_day", lang),
        )

    def _shown(self, of: ListName | None) -> list[Row]:
        """The lines of one list of which anything is known."""
        if of is not None and of not in LISTS:
            raise SettingsError(
                f"backtest knows no list {of!r}" + did_you_mean(of, LISTS)
            )
        table = self._table.filter(pc.is_valid(self._table["hit_rate"]))
        names = [of] if of else LISTS
        for name in names:
            rows: list[Row] = table.filter(pc.equal(table["list"], name)).to_pylist()
            if rows:
                return rows
        return []

    def _words(self, title: str, places: str, lang: Lang) -> _plots.Words:
        settings = cast("Mapping[str, Any]", self.params["settings"])
        values = {"months": settings["horizon_months"], "lost": settings["lost_share"]}
        words = _plots.Words.of(
            Reason(title, values),
            places=places,
            others="label_backtest_what",
            currency=self.params["currency"],
            lang=lang,
        )
        return attrs.evolve(
            words,
            amounts=sentence(Reason("label_backtest_rate"), lang),
            nothing=sentence(Reason("label_backtest_nothing"), lang),
        )

    def _reasons(self, row: Row) -> tuple[Reason, ...]:
        settings = cast("Mapping[str, Any]", self.params["settings"])
        return tuple(of_forecast(row, settings))

    def _measured(self) -> tuple[Reason, ...]:
        return (*measured(self.params), super()._measured()[1])


def _per_cent(row: Mapping[str, Any], rate: str) -> tuple[float, float, float]:
    ends = (row[f"{rate}_rate{end}"] for end in ("", "_low", "_high"))
    middle, low, high = (100 * _or_nan(each) for each in ends)
    return middle, low, high


def _or_nan(value: float | None) -> float:
    return float("nan") if value is None else value


_TITLES: Final = {
    "rising": "title_backtest_rising",
    "risk": "title_backtest_risk",
    "win_back": "title_backtest_win_back",
}
_SERIES: Final = {"hit": "label_backtest_named", "base": "label_backtest_others"}
_LEVELS: Final = {
    "low": "label_level_low",
    "medium": "label_level_medium",
    "high": "label_level_high",
    "critical": "label_level_critical",
}
_HELD: Final = {
    "tier": "label_backtest_tier",
    "dependence": "label_backtest_dependence",
    "rising": "label_backtest_rising",
    "risk": "label_backtest_level",
    "win_back": "label_backtest_win_back",
}
