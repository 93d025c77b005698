"""What does losing these accounts do, and when are we back?"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, cast

import attrs
import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio import _plots
from crm_portfolio._frames import NativeFrame, from_arrow
from crm_portfolio._places import told_at
from crm_portfolio._unread import reading
from crm_portfolio._wording import Lang, Reason, sentence
from crm_portfolio.analysis._facts import (
    attached,
    echo,
    revenue_facts,
    sales,
)
from crm_portfolio.analysis._loss import (
    Case,
    LossScenarioSettings,
    Recovery,
    Scenario,
    account_table,
    group_table,
    of_account,
    of_scenario,
    summary_of,
    warnings,
    yearly,
)
from crm_portfolio.portfolio import Portfolio
from crm_portfolio.results import Result, Row, significant

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = [
    "LossScenarioResult",
    "LossScenarioSettings",
    "Scenario",
    "loss_scenario",
]

_SHOWN_LOSSES = 6
_THE_LARGEST = LossScenarioSettings()


@reading()
def loss_scenario(
    portfolio: Portfolio, settings: LossScenarioSettings = _THE_LARGEST
) -> LossScenarioResult:
    """Suppose some accounts are lost: what is left, and how long is the way back?

    Without a scenario it is the largest group that goes. Margins are known where revenue
    lines say their cost or the settings a share; profit and break-even also need the fixed
    costs of the settings. What is not known stays null.

    Example:
        >>> from crm_portfolio import analysis, samples
        >>> chosen = analysis.LossScenarioSettings(
        ...     fixed_costs=320_000, variable_cost_share=0.6
        ... )
        >>> result = analysis.loss_scenario(samples.firm(), chosen)
        >>> result.summary["before"]["profit"], result.summary["after"]["profit"]
        (80000.0, -24000.0)
    """
    found = revenue_facts(
        portfolio, settings.period, settings.measure, needed_by="loss_scenario"
    )
    facts, with_it = yearly(found, attached(portfolio, found))
    case = Case.of(facts, with_it, settings)
    back = Recovery.of(portfolio, case, sales(portfolio, facts))
    now, later = case.leagues(after=False), case.leagues(after=True)
    (by_account, by_group), (later_account, later_group) = now, later
    groups = group_table(case, by_group, later_group)
    table = account_table(case, with_it, by_account, later_account, groups)
    summary = summary_of(case, with_it, back, groups, portfolio.calendar)
    return LossScenarioResult(
        table=told_at(table, by_account.order),
        rejected=facts.rejected_table(),
        backend=portfolio.backend,
        summary=summary,
        params=echo(portfolio, facts, settings, population="with_lines"),
        coverage=significant(facts.coverage),
        warnings=tuple(warnings(portfolio, case, with_it, back, summary)),
        groups=told_at(groups, by_group.order),
        recovery=back.curve(),
    )


@attrs.frozen(slots=False, eq=False, repr=False)
class LossScenarioResult(Result):
    """What is left after the loss, account by account, and the ways back.

    Attributes:
        summary: ``loss``, ``before`` and ``after`` the firm's figures, ``critical`` the
            groups that would break it, ``recovery`` how many months back, ``dependence``
            the groups we depend on and what growth elsewhere would end that.
    """

    name: ClassVar[str] = "loss_scenario"
    title: ClassVar[str] = "heading_loss_scenario"
    compared: ClassVar[str] = "dependence_after"
    further: ClassVar[tuple[str, ...]] = ("groups", "recovery")

    _groups: pa.Table
    _recovery: pa.Table

    @property
    def groups(self) -> NativeFrame:
        """Before and after by ultimate parent."""
        return from_arrow(self._groups, self._backend)

    @property
    def recovery(self) -> NativeFrame:
        """Yearly revenue by month after the start of the loss."""
        return from_arrow(self._recovery, self._backend)

    def effect(self, *, lang: Lang = "en") -> str:
        """What the loss does to the firm as a whole, in sentences, one a line."""
        said = (*of_scenario(self.summary, self._money()), *self._measured())
        return "\n".join(sentence(reason, lang) for reason in said)

    def plot(self, *, ax: Axes | None = None, lang: Lang = "en") -> Axes:
        lost = self._table.filter(self._table["is_lost"])
        shown = lost.slice(0, _SHOWN_LOSSES)
        names, steps = self._called(shown), shown["revenue_lost"].to_pylist()
        others = lost.slice(_SHOWN_LOSSES)
        if others.num_rows:
            rest = Reason("label_other_losses", {"n": others.num_rows})
            names.append(sentence(rest, lang))
            steps.append(pc.sum(others["revenue_lost"]).as_py())
        ends = [self._figure(when, "revenue") for when in ("before", "after")]
        edge = self._figure("after", "break_even_revenue")
        return _plots.waterfall(
            _plots.axes(ax),
            names=names,
            steps=[-each for each in steps],
            ends=None if None in ends else cast("tuple[float, float]", tuple(ends)),
            end_names=[
                sentence(Reason(code), lang) for code in ("label_before", "label_after")
            ],
            level=edge,
            words=self._words("title_loss_scenario", "label_lost_accounts", lang),
        )

    def plot_recovery(self, *, ax: Axes | None = None, lang: Lang = "en") -> Axes:
        """Yearly revenue after the loss, month by month, with what open sales bring."""
        curve = self._recovery
        drawn = {k: v for k, v in _CURVES.items() if not curve[k].null_count}
        levels = {
            "label_target": self._target(),
            "label_break_even": self._figure("after", "break_even_revenue"),
        }
        return _plots.curves(
            _plots.axes(ax),
            places=curve["month"].to_pylist(),
            series={
                sentence(Reason(code), lang): curve[name].to_pylist()
                for name, code in drawn.items()
            },
            levels={
                sentence(Reason(code), lang): level
                for code, level in levels.items()
                if level is not None
            },
            words=self._words("title_recovery", "label_months_after", lang),
        )

    def _words(self, title: str, places: str, lang: Lang) -> _plots.Words:
        return _plots.Words.of(
            Reason(title),
            places=places,
            others="label_break_even",
            currency=self.params["currency"],
            lang=lang,
        )

    def _figure(self, when: str, name: str) -> float | None:
        return cast("dict[str, dict[str, float | None]]", self.summary)[when][name]

    def _target(self) -> float | None:
        rows = cast("list[dict[str, float | None]]", self.summary["recovery"])
        return rows[0]["target"]

    def _reasons(self, row: Row) -> tuple[Reason, ...]:
        settings = cast("dict[str, float]", self.params["settings"])
        money = self._money()
        return (
            *of_account(row, self.summary, money, settings["dependent_share"]),
            *of_scenario(self.summary, money),
        )


_CURVES = {
    "remaining": "label_curve_remaining",
    "expected": "label_curve_expected",
    "reached_p50": "label_curve_reached_p50",
    "reached_p80": "label_curve_reached_p80",
}
