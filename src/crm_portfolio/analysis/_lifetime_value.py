"""What is a relationship worth over its life?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final, cast

import attrs
import numpy as np
import pyarrow.compute as pc

from crm_portfolio import _plots
from crm_portfolio._methods._bg_nbd import BgNbd, is_alive
from crm_portfolio._places import told_at
from crm_portfolio._unread import reading
from crm_portfolio._wording import Lang, Reason, number, sentence
from crm_portfolio.analysis._facts import echo, made_by, of_same, revenue_facts
from crm_portfolio.analysis._life import (
    LifetimeValueSettings,
    Study,
    account_table,
    of_account,
    order_of,
    summary_of,
    warnings,
)
from crm_portfolio.analysis._succession import SuccessionResult
from crm_portfolio.portfolio import Portfolio
from crm_portfolio.results import Result, Row, significant

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["LifetimeValueResult", "LifetimeValueSettings", "lifetime_value"]

_USUAL: Final = LifetimeValueSettings()
_SHOWN: Final = 20
_TIMES: Final = (1, 2, 3, 5, 8, 12, 20)
_WEEKS: Final = (0, 2, 4, 8, 13, 20, 26, 39, 52, 78, 104, 156)


@reading()
def lifetime_value(
    portfolio: Portfolio,
    settings: LifetimeValueSettings = _USUAL,
    *,
    profitability: Result | None = None,
    succession: SuccessionResult | None = None,
) -> LifetimeValueResult:
    """Value each account over the years ahead, by the way its past allows.

    Where a contract runs, by what it brings a year and how many contracts stay; else by
    a model of purchases, fitted on accounts that came back; where too few did, by what
    their tier keeps. Each account says which. Without costs values are in revenue.

    Args:
        profitability: What stays of each account's revenue; where it does not know, the
            value is unknown, unless the settings name a share of costs.
        succession: Whose tiers and rates are taken; None: those of the default rule.

    Example:
        >>> from crm_portfolio import analysis, samples
        >>> result = analysis.lifetime_value(samples.firm())
        >>> [warning.code for warning in result.warnings][:2]
        ['few_repeat_clients', 'ltv_in_revenue']
    """
    of_same(portfolio, profitability)
    of_same(portfolio, succession)
    facts = revenue_facts(
        portfolio, settings.period, settings.measure, needed_by="lifetime_value"
    )
    study = Study.of(
        portfolio, facts, settings, profitability=profitability, succession=succession
    )
    table = account_table(study)
    made = {"profitability": profitability, "succession": study.steady.made}
    return LifetimeValueResult(
        table=told_at(table, order_of(table)),
        rejected=facts.rejected_table(),
        backend=portfolio.backend,
        summary=summary_of(study),
        params=echo(portfolio, facts, settings)
        | {name: made_by(each) if each else None for name, each in made.items()},
        coverage=significant(facts.coverage),
        warnings=tuple(warnings(study, settings)),
    )


@attrs.frozen(slots=False, eq=False, repr=False)
class LifetimeValueResult(Result):
    """What each account is worth, how that was found, and its score.

    Attributes:
        summary: ``methods`` says how many accounts each way speaks for, ``model`` the
            parameters and what they were fitted on (by the week), ``retention`` what
            stayed a year, ``rfm`` how many have a score.
    """

    name: ClassVar[str] = "lifetime_value"
    title: ClassVar[str] = "heading_lifetime_value"
    compared: ClassVar[str] = "rfm"

    def plot(self, *, ax: Axes | None = None, lang: Lang = "en") -> Axes:
        """What the most valuable accounts are worth, and together with those before."""
        known = self._table.filter(pc.is_valid(self._table["value"]))
        values = known["value"].to_numpy()
        total = values[values > 0].sum()
        rows = known.slice(0, _SHOWN)
        shares = 100 * np.cumsum(np.maximum(values, 0)) / total if total else values
        is_margin = self.summary["value_is"] == "margin"
        years = cast("dict[str, Any]", self.params["settings"])["horizon_years"]
        told = {"n": rows.num_rows, "all": known.num_rows, "years": years}
        words = _plots.Words.of(
            Reason("title_lifetime_value", told),
            places="label_ltv_account",
            others="label_ltv_share",
            currency=self.params["currency"],
            lang=lang,
        )
        code = "label_ltv_margin" if is_margin else "label_ltv_revenue"
        amounts = sentence(Reason(code, self._money()), lang)
        return _plots.pareto(
            _plots.axes(ax),
            names=self._called(rows) if total else [],
            amounts=rows["value"].to_pylist(),
            cum_percent=shares[:_SHOWN].tolist(),
            target_percent=80.0,
            words=attrs.evolve(words, amounts=amounts),
        )

    def plot_alive(self, *, ax: Axes | None = None, lang: Lang = "en") -> Axes:
        """The odds that a client still buys, by how often and how lately it did."""
        told = cast("dict[str, Any]", self.summary["model"])
        ages = pc.drop_null(self._table["age_days"]).to_numpy() / 7
        shares, weeks, age = None, [], 0.0
        if told["r"] is not None and ages.size:
            model = BgNbd(*(told[name] for name in ("r", "alpha", "a", "b")))
            age = float(np.quantile(ages, 0.9))
            weeks = [each for each in _WEEKS if each <= age]
            shares = [_alive(model, x, weeks, age) for x in _TIMES]
        times = [number(each, lang) for each in _TIMES]
        return _plots.matrix(
            _plots.axes(ax),
            rows=times,
            columns=[number(each, lang) for each in weeks],
            shares=shares,
            words=_plots.Words.of(
                Reason("title_ltv_alive", {"weeks": round(age)}),
                places="label_ltv_silent_weeks",
                others="label_ltv_times",
                currency=self.params["currency"],
                lang=lang,
            ),
        )

    def _reasons(self, row: Row) -> tuple[Reason, ...]:
        value_is, settings = str(self.summary["value_is"]), self.params["settings"]
        return tuple(of_account({**row, **self._money()}, value_is, settings))


def _alive(model: BgNbd, x: int, weeks: list[int], age: float) -> list[float]:
    """After so many weeks of silence, for one who came back x times."""
    silent = np.array(weeks, dtype=np.float64)
    odds = is_alive(
        model, np.full(silent.size, float(x)), age - silent, np.full(silent.size, age)
    )
    alive: list[float] = odds.tolist()
    return alive
