"""Which accounts earn their keep after what they cost?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Final, cast

import attrs
import pyarrow as pa

from crm_portfolio import _plots
from crm_portfolio._frames import NativeFrame, from_arrow
from crm_portfolio._unread import reading
from crm_portfolio._wording import Lang, Reason, sentence
from crm_portfolio.analysis._facts import echo, made_by, of_same, revenue_facts
from crm_portfolio.analysis._profit import (
    Leak,
    ProfitabilitySettings,
    Served,
    Statement,
    UnitTime,
    Won,
    account_table,
    channel_table,
    curve_table,
    of_account,
    of_firm,
    rate_table,
    summary_of,
    warnings,
)
from crm_portfolio.analysis._profit._won import is_won_in
from crm_portfolio.analysis._receivables import (
    ReceivablesResult,
    ReceivablesSettings,
)
from crm_portfolio.analysis._receivables import receivables as receivables_of
from crm_portfolio.portfolio import Portfolio
from crm_portfolio.results import Result, Row, significant

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = [
    "ProfitabilityResult",
    "ProfitabilitySettings",
    "UnitTime",
    "profitability",
]

_USUAL: Final = ProfitabilitySettings()


@reading()
def profitability(
    portfolio: Portfolio,
    settings: ProfitabilitySettings = _USUAL,
    *,
    receivables: ReceivablesResult | None = None,
) -> ProfitabilityResult:
    """See what is left of each account's revenue after all it costs, step by step.

    A step nobody can tell is unknown, and so is what stands below it. Hours nobody used
    are no account's; where too few hours are on record a margin is a range. Two results
    stand side by side: the avoidable contribution, which goes if the account does, and
    the full margin, which prices must earn.

    Args:
        receivables: What late payment costs; computed with its usual settings where there
            are invoices and it is not given. No rate is known before it is set.

    Example:
        >>> from crm_portfolio import analysis, samples
        >>> result = analysis.profitability(samples.firm())
        >>> result.summary["whale"]["curve"]
        'gross_margin'
    """
    of_same(portfolio, receivables)
    facts = revenue_facts(
        portfolio, settings.period, settings.measure, needed_by="profitability"
    )
    if receivables is None and "invoice" in portfolio:
        receivables = _usual_receivables(portfolio, settings)
    found = Statement.of(
        portfolio,
        facts,
        settings,
        served=Served.of(portfolio, facts, settings, is_won_in(facts)),
        won=Won.of(portfolio, facts, settings),
        lateness=None
        if receivables is None
        else receivables.columns("account_id", "cost_of_lateness"),
    )
    leak = Leak.of(portfolio, facts, settings)
    summary, money = summary_of(found, leak), {"currency": portfolio.currency}
    return ProfitabilityResult(
        table=account_table(found, leak),
        rejected=facts.rejected_table(),
        backend=portfolio.backend,
        summary=summary,
        params=echo(portfolio, facts, settings, population="with_lines_or_costs")
        | {"receivables": made_by(receivables) if receivables else None},
        coverage=significant(facts.coverage),
        warnings=tuple(warnings(found, leak, summary, money)),
        rates=rate_table(found),
        curve=curve_table(found),
        channels=channel_table(found),
    )


def _usual_receivables(
    portfolio: Portfolio, settings: ProfitabilitySettings
) -> ReceivablesResult:
    return receivables_of(portfolio, ReceivablesSettings(period=settings.period))


@attrs.frozen(slots=False, eq=False, repr=False)
class ProfitabilityResult(Result):
    """What is left of each account, and what no account owes.

    Attributes:
        summary: ``statement`` of all accounts, ``known_counts`` of its steps, the
            ``whale`` curve in figures, ``hours`` and how many are explained,
            ``acquisition`` of an account in the mean, ``overhead``, and ``discounts``
            from list to pocket price.
    """

    name: ClassVar[str] = "profitability"
    title: ClassVar[str] = "heading_profitability"
    compared: ClassVar[str] = "standing"
    summed: ClassVar[Mapping[str, int]] = {"net_revenue": 10_000}
    further: ClassVar[tuple[str, ...]] = ("rates", "curve", "channels")

    _rates: pa.Table
    _curve: pa.Table
    _channels: pa.Table

    @property
    def rates(self) -> NativeFrame:
        """By role: what an hour costs, what it can give, gave, and what is left."""
        return from_arrow(self._rates, self._backend)

    @property
    def curve(self) -> NativeFrame:
        """The whale curve, one row an account, from the most profitable one."""
        return from_arrow(self._curve, self._backend)

    @property
    def channels(self) -> NativeFrame:
        """What winning accounts cost: all together, and by channel where it is traced."""
        return from_arrow(self._channels, self._backend)

    def in_words(self, *, lang: Lang = "en") -> str:
        """Where the profit is made and eaten, in sentences, one a line."""
        said = (*of_firm(self.summary, self._money()), *self._measured())
        return "\n".join(sentence(reason, lang) for reason in said)

    def plot(self, *, ax: Axes | None = None, lang: Lang = "en") -> Axes:
        """The whale curve: in per cent of the profit, in money where there is none."""
        whale = cast("Mapping[str, Any]", self.summary["whale"])
        is_ratio = whale["peak_ratio"] is not None
        values = self._curve["profit_share" if is_ratio else "cum_margin"].to_pylist()
        heights = [100 * each if is_ratio else each for each in values]
        size = len(heights)
        words = self._words("title_whale", "label_accounts_share", lang)
        said = "label_profit_share" if is_ratio else "label_cum_margin"
        words = attrs.evolve(words, amounts=sentence(Reason(said, self._money()), lang))
        at = whale["peak_count"] or 0
        peak = (100 * at / size, heights[at - 1]) if at else (0.0, 0.0)
        return _plots.whale(
            _plots.axes(ax),
            places=[100 * each / size for each in range(size + 1)] if size else [],
            heights=[0.0, *heights],
            peak=peak,
            words=words,
        )

    def plot_statement(
        self,
        account_id: str | None = None,
        *,
        ax: Axes | None = None,
        lang: Lang = "en",
    ) -> Axes:
        """From revenue to the last margin that is known: of an account, or of all."""
        every = cast("Mapping[str, Any]", self.summary["statement"])
        told = every if account_id is None else self._row(account_id)
        known = [name for name in _STEPS if told[name] is not None]
        last = known[-1] if known else None
        steps = [*_STEPS][: [*_STEPS].index(last) + 1] if last else []
        names = [name for step in steps for name in _STEPS[step]]
        words = self._words("title_statement_of_all", "label_statement", lang)
        if account_id is not None:
            title = Reason("title_statement", {"account_id": account_id})
            said = sentence(title, lang, names=self._names([title]))
            words = attrs.evolve(words, title=said)
        ends = (told["net_revenue"], told[last]) if last else None
        return _plots.waterfall(
            _plots.axes(ax),
            names=[sentence(Reason(_LABELS[name]), lang) for name in names],
            steps=[0.0 - told[name] for name in names],
            ends=ends,
            end_names=[
                sentence(Reason(code), lang)
                for code in (
                    "label_net_revenue",
                    _ENDS[last] if last else "label_net_revenue",
                )
            ],
            level=None,
            words=words,
        )

    def _words(self, title: str, places: str, lang: Lang) -> _plots.Words:
        words = _plots.Words.of(
            Reason(title),
            places=places,
            others="label_nothing",
            currency=self.params["currency"],
            lang=lang,
        )
        nothing = sentence(Reason("label_no_margin"), lang)
        amounts = sentence(Reason("label_margin_amount", self._money()), lang)
        return attrs.evolve(words, nothing=nothing, amounts=amounts)

    def _reasons(self, row: Row) -> tuple[Reason, ...]:
        return tuple(of_account(row, self._money()))


_STEPS: Final = {
    "gross_margin": ("delivery_cost",),
    "margin_after_service": ("cost_to_serve",),
    "account_margin": ("late_cost", "acquisition_cost"),
    "full_margin": ("overhead",),
}
_ENDS: Final = {
    "gross_margin": "label_gross_margin",
    "margin_after_service": "label_margin_after_service",
    "account_margin": "label_account_margin",
    "full_margin": "label_full_margin",
}
_LABELS: Final = {
    "delivery_cost": "label_delivery_cost",
    "cost_to_serve": "label_cost_to_serve",
    "late_cost": "label_late_cost",
    "acquisition_cost": "label_acquisition_cost",
    "overhead": "label_overhead",
}
