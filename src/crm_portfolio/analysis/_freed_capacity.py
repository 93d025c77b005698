"""What should the hours go to that a loss frees?"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, cast

import attrs
import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio import _plots
from crm_portfolio._frames import NativeFrame, from_arrow
from crm_portfolio._inert import inert
from crm_portfolio._unread import reading
from crm_portfolio._wording import Lang, Reason, sentence
from crm_portfolio.analysis._facts import (
    attached,
    echo,
    made_by,
    of_same,
    revenue_facts,
    role_time,
    sale_time,
)
from crm_portfolio.analysis._freed import (
    Candidates,
    Freed,
    FreedCapacitySettings,
    Plan,
    account_table,
    candidate_table,
    of_account,
    of_candidate,
    of_plan,
    role_table,
    summary_of,
    warnings,
)
from crm_portfolio.analysis._loss import (
    Case,
    LossScenarioSettings,
    Scenario,
    months_in,
    yearly,
)
from crm_portfolio.analysis._succession import (
    SuccessionResult,
    SuccessionSettings,
)
from crm_portfolio.analysis._succession import succession as succession_of
from crm_portfolio.analysis._win_back import WinBackResult, WinBackSettings
from crm_portfolio.analysis._win_back import win_back as win_back_of
from crm_portfolio.errors import MissingTableError, SettingsError, did_you_mean
from crm_portfolio.portfolio import Portfolio
from crm_portfolio.results import Result, Row, significant

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

__all__ = ["FreedCapacityResult", "FreedCapacitySettings", "freed_capacity"]

_SHOWN_RANGES = 12
_THE_LARGEST = FreedCapacitySettings()


@reading()
def freed_capacity(
    portfolio: Portfolio,
    settings: FreedCapacitySettings = _THE_LARGEST,
    *,
    scenario: Scenario | None = None,
    succession: SuccessionResult | None = None,
    win_back: WinBackResult | None = None,
    candidates: NativeFrame | None = None,
) -> FreedCapacityResult:
    """Suppose some accounts are lost: what could their hours go to, and what best?

    Candidates are the open sales, the rising accounts, the parked projects and the lost
    opportunities worth another try. What is proposed is worth the most within the hours of each role, a reserve apart; what nobody
    knows the hours or the value of is listed, not counted. People decide.

    Args:
        scenario: Who is lost; None: as the settings say, by default the largest group.
        succession: Who is rising; None: as ``analysis.succession`` says by default.
        win_back: What was lost and is worth another try; None: as ``analysis.win_back``
            says by default, where there are opportunities and activities.
        candidates: More of them, from any source: a frame of ``candidate_id``, ``kind``, ``account_id``, ``name``, ``role``,
            ``hours``, ``value``, ``odds``, ``deadline_on``; several roles, several rows.

    Raises:
        MissingTableError: Neither effort nor activities tell of any hours.
    """
    if scenario is not None:
        settings = attrs.evolve(settings, scenario=scenario)
    found = revenue_facts(
        portfolio, settings.period, settings.measure, needed_by="freed_capacity"
    )
    time, months = role_time(portfolio, found), months_in(found)
    if time.given.source is None:
        raise MissingTableError("effort", "freed_capacity")
    facts, with_it = yearly(found, attached(portfolio, found))
    case = Case.of(facts, with_it, _loss(settings))
    freed = Freed.of(time, case.is_taken, settings, months=months)
    rising = _same_portfolio(succession, portfolio) or succession_of(
        portfolio, SuccessionSettings(period=settings.period, measure=settings.measure)
    )
    again, sale = _again(portfolio, settings, win_back), sale_time(portfolio)
    weighed = Candidates.of(
        portfolio, case, freed, rising, sale=sale, win_back=again, given=candidates
    )
    plan = Plan.of(weighed, freed)
    return FreedCapacityResult(
        table=account_table(case, freed, plan),
        rejected=facts.rejected_table(),
        backend=portfolio.backend,
        summary=summary_of(case, freed, plan, sale),
        params=echo(portfolio, facts, settings, population="with_lines")
        | {
            "succession": made_by(rising),
            "win_back": made_by(again) if again else None,
        },
        coverage=significant(facts.coverage),
        warnings=tuple(warnings(portfolio, case, freed, plan, months)),
        candidates=candidate_table(case, plan),
        roles=role_table(_capacity(portfolio), case, freed, plan),
    )


def _capacity(portfolio: Portfolio) -> NativeFrame | None:
    if "capacity" not in portfolio:
        return None
    return portfolio["capacity"]


def _loss(settings: FreedCapacitySettings) -> LossScenarioSettings:
    """The same loss as that of the loss scenario."""
    return LossScenarioSettings(
        period=settings.period,
        measure=settings.measure,
        scenario=settings.scenario,
        variable_cost_share=settings.variable_cost_share,
    )


def _again(
    portfolio: Portfolio,
    settings: FreedCapacitySettings,
    found: WinBackResult | None,
) -> WinBackResult | None:
    """None where nothing says what was lost, or what was tried since."""
    if found is not None:
        of_same(portfolio, found)
        return found
    if "opportunity" not in portfolio or "activity" not in portfolio:
        return None
    own = WinBackSettings(
        period=settings.period,
        measure=settings.measure,
        variable_cost_share=settings.variable_cost_share,
    )
    return win_back_of(portfolio, own)


def _same_portfolio(
    succession: SuccessionResult | None, portfolio: Portfolio
) -> SuccessionResult | None:
    if succession is not None and succession.params["portfolio"] != portfolio.id:
        raise SettingsError(
            "the rising accounts are of another portfolio than the hours"
        )
    return succession


@attrs.frozen(slots=False, eq=False, repr=False)
class FreedCapacityResult(Result):
    """The hours that come free, and what they are proposed for.

    Attributes:
        summary: ``freed`` the hours, ``plan`` what is proposed and what it may bring,
            ``candidates`` how many of which status, ``left_out`` what is no candidate and
            why, ``hours_per_sale`` what the hours of open sales stand on.
    """

    name: ClassVar[str] = "freed_capacity"
    title: ClassVar[str] = "heading_freed_capacity"
    compared: ClassVar[str] = "status"
    further: ClassVar[tuple[str, ...]] = ("candidates", "roles")

    _candidates: pa.Table
    _roles: pa.Table

    @property
    def candidates(self) -> NativeFrame:
        """What could have the hours: by rank, then those listed apart."""
        return from_arrow(self._candidates, self._backend)

    @property
    def roles(self) -> NativeFrame:
        """Hours by role: freed, kept free, given out, left."""
        return from_arrow(self._roles, self._backend)

    def proposal(self, *, lang: Lang = "en") -> str:
        """What is proposed for the hours, and why, in sentences, one a line."""
        chosen = self._candidates.filter(pc.equal(self._candidates["status"], "chosen"))
        reasons = [*of_plan(self.summary, self._money())]
        for row in chosen.to_pylist():
            reasons += of_candidate(row, self.summary, self._money())
        return self._said(reasons, lang)

    def explain_candidate(self, candidate_id: str, *, lang: Lang = "en") -> str:
        """Why a candidate is proposed, left, or listed apart."""
        ids = self._candidates["candidate_id"].to_pylist()
        if candidate_id not in ids:
            raise SettingsError(
                f"{self.name} knows no candidate {candidate_id!r}"
                + did_you_mean(candidate_id, ids)
            )
        row = self._candidates.slice(ids.index(candidate_id), 1).to_pylist()[0]
        return self._said([*of_candidate(row, self.summary, self._money())], lang)

    def plot(self, *, ax: Axes | None = None, lang: Lang = "en") -> Axes:
        shown = self._roles.filter(pc.is_valid(self._roles["hours_freed"]))
        shown = shown.filter(
            pc.or_(
                pc.greater(shown["hours_freed"], 0.0),
                pc.greater(shown["hours_wanted"], 0.0),
            )
        )
        any_role = sentence(Reason("label_any_role"), lang)
        return _plots.stacked(
            _plots.axes(ax),
            names=[role or any_role for role in shown["role"].to_pylist()],
            series={
                sentence(Reason(code), lang): shown[name].to_pylist()
                for name, code in _PARTS.items()
            },
            words=self._words(
                "title_freed_capacity", "label_role", "label_hours", lang
            ),
        )

    def plot_value(self, *, ax: Axes | None = None, lang: Lang = "en") -> Axes:
        """What each proposed candidate may bring: expected, and in 80 % of the draws."""
        chosen = self._candidates.filter(pc.equal(self._candidates["status"], "chosen"))
        shown = chosen.slice(0, _SHOWN_RANGES)
        names = (
            shown["name"].to_pylist()
            if "name" in shown.column_names
            else [None] * len(shown)
        )
        ids = shown["candidate_id"].to_pylist()
        return _plots.ranges(
            _plots.axes(ax),
            names=[str(n or i) for n, i in zip(names, ids, strict=True)],
            middles=shown["value"].to_pylist(),
            lows=shown["value_p10"].to_pylist(),
            highs=shown["value_p90"].to_pylist(),
            words=self._words(
                "title_freed_value", "label_proposed", "label_value", lang
            ),
        )

    def _words(self, title: str, places: str, amounts: str, lang: Lang) -> _plots.Words:
        words = _plots.Words.of(
            Reason(title),
            places=places,
            others="label_nothing",
            currency=self.params["currency"],
            lang=lang,
        )
        said = sentence(Reason(amounts, self._money()), lang)
        nothing = sentence(Reason("label_no_hours"), lang)
        return attrs.evolve(words, amounts=said, nothing=nothing)

    def _reasons(self, row: Row) -> tuple[Reason, ...]:
        mine = pc.equal(self._candidates["account_id"], row["account_id"])
        rows = self._candidates.filter(mine).to_pylist()
        return tuple(of_account(row, rows, self.summary, self._money()))

    def _said(self, reasons: Sequence[Reason], lang: Lang) -> str:
        names = self._names(reasons)
        return "\n".join(sentence(each, lang, names=names) for each in reasons)

    def _names(self, reasons: Sequence[Reason]) -> dict[str, str]:
        """Candidates have names too."""
        found = super()._names(reasons)
        if "name" not in self._candidates.column_names:
            return found
        spoken = {str(each.values.get("candidate")) for each in reasons}
        table = self._candidates.select(["candidate_id", "name"])
        own = table.filter(pc.is_in(table["candidate_id"], pa.array([*sorted(spoken)])))
        return found | {
            row["candidate_id"]: inert(cast("str", row["name"]))
            for row in own.to_pylist()
            if row["name"]
        }


_PARTS = {
    "hours_used": "label_hours_used",
    "hours_left": "label_hours_left",
    "hours_reserve": "label_hours_reserve",
}
