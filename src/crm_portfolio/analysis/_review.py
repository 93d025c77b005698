"""What moved between two periods, net of concessions, and how steep is the slope?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Final, cast

import attrs
import pyarrow as pa

from crm_portfolio import _plots
from crm_portfolio._frames import NativeFrame, from_arrow
from crm_portfolio._unread import reading
from crm_portfolio._wording import Lang, Reason, sentence
from crm_portfolio.analysis._facts import CONCESSIONS, echo, made_by, of_same
from crm_portfolio.analysis._half_year import (
    Halves,
    ReviewSettings,
    account_table,
    of_account,
    of_events,
    of_slope,
    of_whole,
    paths_of,
    rejected_table,
    spans_of,
    summary_of,
    tables_of,
    warnings,
)
from crm_portfolio.analysis._pipeline import PipelineResult, pipeline
from crm_portfolio.portfolio import Portfolio
from crm_portfolio.results import Result, Row, significant

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["ReviewResult", "ReviewSettings", "review"]

_LAST_HALF_YEAR: Final = ReviewSettings()


@reading()
def review(
    portfolio: Portfolio,
    settings: ReviewSettings = _LAST_HALF_YEAR,
    *,
    ahead: PipelineResult | None = None,
) -> ReviewResult:
    """Hold a period against the one a year before: who, at what price, net of gestures.

    Gross less all that was conceded is net; what carried revenue from the one period to
    the other are bars that add up to the cent, by account and by price, volume and mix.
    Exceptional items stand under the operating profit and in no account. With a target
    of the year there is the slope that is left to it; months are shown with what happened
    to the firm in them.

    Args:
        ahead: The work ahead, of the same portfolio; computed with its usual settings
            where there is a target and it is not given.

    Example:
        >>> from crm_portfolio import analysis, samples
        >>> result = analysis.review(samples.firm())
        >>> bridge = result.summary["bridge"]
        >>> bridge["revenue_before"], bridge["revenue"]
        (468000.0, 538000.0)
        >>> {bar: amount for bar, amount in bridge["bars"].items() if amount}
        {'new': 62000.0, 'expansion': 52000.0, 'contraction': -40000.0, 'lost': -4000.0}
    """
    of_same(portfolio, ahead)
    if ahead is None and settings.target is not None and "opportunity" in portfolio:
        ahead = pipeline(portfolio)
    halves = Halves.of(portfolio, settings, ahead)
    facts = halves.facts
    has_before = halves.days.has_before
    return ReviewResult(
        table=account_table(
            halves.moves, halves.given, halves.beside.left_on, has_before=has_before
        ),
        rejected=rejected_table(halves.moves, halves.days.span),
        backend=portfolio.backend,
        summary=summary_of(halves),
        params=echo(portfolio, facts, settings)
        | halves.days.told
        | {"pipeline": made_by(ahead) if ahead else None},
        coverage=significant(facts.coverage),
        warnings=tuple(warnings(halves)),
        **tables_of(halves),
    )


@attrs.frozen(slots=False, eq=False, repr=False)
class ReviewResult(Result):
    """What moved between two periods, account by account, and the bars of the whole.

    Attributes:
        summary: ``bridge`` from the one revenue to the other and what is left of those who
            were there, ``price_mix`` the same by price, volume and mix, ``gross_to_net``,
            ``retention`` of accounts that were conceded something and of others,
            ``operating`` profit with what is exceptional below it, ``rates``, the
            ``slope`` to the target (None without one), the ``timeline``.
    """

    name: ClassVar[str] = "review"
    title: ClassVar[str] = "heading_review"
    compared: ClassVar[str] = "movement"
    further: ClassVar[tuple[str, ...]] = (
        *("bridge", "price_mix", "products", "gross_to_net"),
        *("concessions", "exceptional", "slope", "timeline", "events"),
    )

    _bridge: pa.Table
    _price_mix: pa.Table
    _products: pa.Table
    _gross_to_net: pa.Table
    _concessions: pa.Table
    _exceptional: pa.Table
    _slope: pa.Table
    _timeline: pa.Table
    _events: pa.Table

    @property
    def bridge(self) -> NativeFrame:
        """From the revenue before to that of the period, one row a bar."""
        return from_arrow(self._bridge, self._backend)

    @property
    def price_mix(self) -> NativeFrame:
        """The same way by price, volume and mix."""
        return from_arrow(self._price_mix, self._backend)

    @property
    def products(self) -> NativeFrame:
        """Price, volume and mix of each product, or of each product of an account."""
        return from_arrow(self._products, self._backend)

    @property
    def gross_to_net(self) -> NativeFrame:
        """From gross to net in both periods and both datings, and to what lines say."""
        return from_arrow(self._gross_to_net, self._backend)

    @property
    def concessions(self) -> NativeFrame:
        """What was conceded by kind, by reason, and by the person who granted it."""
        return from_arrow(self._concessions, self._backend)

    @property
    def exceptional(self) -> NativeFrame:
        """Exceptional costs and events, by day; in no account's revenue."""
        return from_arrow(self._exceptional, self._backend)

    @property
    def slope(self) -> NativeFrame:
        """Month by month to the target; empty without one."""
        return from_arrow(self._slope, self._backend)

    @property
    def timeline(self) -> NativeFrame:
        """The full months up to the end of the period, and the events in each."""
        return from_arrow(self._timeline, self._backend)

    @property
    def events(self) -> NativeFrame:
        """What happened to the firm: the months before, during and after each event."""
        return from_arrow(self._events, self._backend)

    def in_words(self, *, lang: Lang = "en") -> str:
        """What moved as a whole, in sentences, one a line."""
        money = self._money()
        slope = cast("Mapping[str, Any] | None", self.summary["slope"])
        said = (*of_whole(self.summary, money), *of_slope(slope, money))
        return self._said((*said, *self._measured()), lang)

    def events_in_words(self, *, lang: Lang = "en") -> str:
        """What was before, during and after each event, in sentences, one a line."""
        return self._said(of_events(self._events.to_pylist(), self._money()), lang)

    @staticmethod
    def _said(reasons: Iterable[Reason], lang: Lang) -> str:
        return "\n".join(sentence(reason, lang) for reason in reasons)

    def plot(self, *, ax: Axes | None = None, lang: Lang = "en") -> Axes:
        return self._drawn(
            "title_review", self._amounts(self._bridge), ax=ax, lang=lang
        )

    def plot_price_mix(self, *, ax: Axes | None = None, lang: Lang = "en") -> Axes:
        """The same way by price, volume and mix."""
        amounts = self._amounts(self._price_mix)
        return self._drawn("title_price_mix", amounts, ax=ax, lang=lang)

    def plot_gross_to_net(self, *, ax: Axes | None = None, lang: Lang = "en") -> Axes:
        """From gross to net: what was conceded in the period."""
        told = cast("dict[str, dict[str, float]] | None", self.summary["gross_to_net"])
        now = told["now"] if told else {}
        amounts = {name: now[name] for name in ("gross", *CONCESSIONS, "net") if now}
        return self._drawn("title_gross_to_net", amounts, ax=ax, lang=lang)

    def plot_slope(self, *, ax: Axes | None = None, lang: Lang = "en") -> Axes:
        """What is reached, what usually is by then, and what is left to the target."""
        slope = cast("Mapping[str, Any] | None", self.summary["slope"])
        words = self._monthly("title_slope", lang)
        lacking = sentence(Reason("slope_without_target"), lang)
        return _plots.climb(
            _plots.axes(ax),
            names=self._slope["month"].to_pylist() if slope else (),
            series={
                sentence(Reason(code), lang): values
                for code, values in paths_of(self._slope).items()
            },
            target=(sentence(Reason("label_target"), lang), slope["target"])
            if slope
            else None,
            words=attrs.evolve(words, nothing=lacking),
        )

    def plot_timeline(self, *, ax: Axes | None = None, lang: Lang = "en") -> Axes:
        """Month by month, with what happened to the firm."""
        months = self._timeline["month"].to_pylist()
        return _plots.timeline(
            _plots.axes(ax),
            names=months,
            amounts=self._timeline["revenue"].to_pylist(),
            spans=spans_of(self._events, months),
            words=self._monthly("title_timeline", lang),
        )

    def _monthly(self, title: str, lang: Lang) -> _plots.Words:
        return _plots.Words.of(
            Reason(title),
            places="label_month",
            others="label_nothing",
            currency=self.params["currency"],
            lang=lang,
        )

    @staticmethod
    def _amounts(table: pa.Table) -> dict[str, float]:
        """The bars of a way from one revenue to the other, those that are nothing apart."""
        rows = zip(table["bar"].to_pylist(), table["amount"].to_pylist(), strict=True)
        return {bar: amount for bar, amount in rows if amount or bar in _ENDS}

    def _drawn(
        self,
        title: str,
        amounts: Mapping[str, float],
        *,
        ax: Axes | None,
        lang: Lang,
    ) -> Axes:
        """A waterfall from the first amount to the last."""
        names = [sentence(Reason(_BARS[name]), lang) for name in amounts]
        each = [*amounts.values()]
        return _plots.waterfall(
            _plots.axes(ax),
            names=names[1:-1],
            steps=each[1:-1],
            ends=(each[0], each[-1]) if each else None,
            end_names=[*names[:1], *names[-1:]],
            level=None,
            words=_plots.Words.of(
                Reason(title),
                places="label_review_bars",
                others="label_nothing",
                currency=self.params["currency"],
                lang=lang,
            ),
        )

    def _measured(self) -> tuple[Reason, ...]:
        before = cast("dict[str, str] | None", self.params["before"])
        if before is None:
            return super()._measured()
        first, *rest = super()._measured()
        return (first, Reason("review_against", before), *rest)

    def _reasons(self, row: Row) -> tuple[Reason, ...]:
        settings = cast("dict[str, str]", self.params["settings"])
        return tuple(of_account(row, self._money(), level=settings["level"]))


_ENDS: Final = ("revenue_before", "revenue")
_BARS: Final = {
    "revenue_before": "label_bar_revenue_before",
    "revenue": "label_bar_revenue",
    "new": "label_bar_new",
    "returned": "label_bar_returned",
    "expansion": "label_bar_expansion",
    "contraction": "label_bar_contraction",
    "lost": "label_bar_lost",
    "fx": "label_bar_fx",
    "perimeter": "label_bar_perimeter",
    "unknown": "label_bar_unknown",
    "price": "label_bar_price",
    "volume": "label_bar_volume",
    "mix": "label_bar_mix",
    "quantity": "label_bar_quantity",
    "joint": "label_bar_joint",
    "new_products": "label_bar_new_products",
    "dropped_products": "label_bar_dropped_products",
    "concessions": "label_bar_concessions",
    "unmeasured": "label_bar_unmeasured",
    "gross": "label_bar_gross",
    "net": "label_bar_net",
    "discount": "label_bar_discount",
    "credit_note": "label_bar_credit_note",
    "refund": "label_bar_refund",
    "goodwill": "label_bar_goodwill",
    "rebate": "label_bar_rebate",
}
