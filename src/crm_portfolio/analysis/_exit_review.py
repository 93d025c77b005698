"""Where should a human weigh changing or ending the relationship?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final, cast

import attrs
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio import _plots
from crm_portfolio._frames import NativeFrame, from_arrow
from crm_portfolio._storage import write_atomically
from crm_portfolio._unread import reading
from crm_portfolio._wording import Lang, Reason, sentence
from crm_portfolio.analysis._concentration import (
    ConcentrationResult,
)
from crm_portfolio.analysis._exit import (
    STEPS,
    Aftermath,
    Anchors,
    Decisions,
    Dossier,
    ExitReviewSettings,
    Ladder,
    MeasureRules,
    Scores,
    account_table,
    ask_sheet,
    criteria_table,
    dial,
    fairness_of,
    gravest_first,
    made_of,
    measures,
    nearness,
    of_account,
    of_signed,
    question_table,
    summary_of,
    warnings,
    with_missing_made,
)
from crm_portfolio.analysis._facts import (
    RevenueFacts,
    echo,
    made_by,
    of_accounts,
    of_same,
    revenue_facts,
)
from crm_portfolio.analysis._freed_capacity import FreedCapacityResult
from crm_portfolio.analysis._loss import months_in
from crm_portfolio.analysis._profitability import (
    ProfitabilityResult,
)
from crm_portfolio.analysis._receivables import (
    ReceivablesResult,
)
from crm_portfolio.analysis._risk import RiskResult
from crm_portfolio.analysis._succession import SuccessionResult
from crm_portfolio.analysis._tiers import TiersResult
from crm_portfolio.analysis._win_back import WinBackResult
from crm_portfolio.errors import SettingsError
from crm_portfolio.portfolio import Portfolio
from crm_portfolio.results import Result, Row, significant

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = [
    "Anchors",
    "ExitReviewResult",
    "ExitReviewSettings",
    "MeasureRules",
    "exit_review",
]

_USUAL: Final = ExitReviewSettings()
_SHOWN: Final = 12


@reading()
def exit_review(
    portfolio: Portfolio,
    settings: ExitReviewSettings = _USUAL,
    *,
    profitability: ProfitabilityResult | None = None,
    receivables: ReceivablesResult | None = None,
    concentration: ConcentrationResult | None = None,
    tiers: TiersResult | None = None,
    succession: SuccessionResult | None = None,
    win_back: WinBackResult | None = None,
    freed_capacity: FreedCapacityResult | None = None,
    risk: RiskResult | None = None,
) -> ExitReviewResult:
    """Weigh thirteen criteria of each account, and name the mildest step that fits.

    Each is worth 0 to 1 between anchors that the firm sets, weighed by what matters to
    it; what nobody knows is asked for, never guessed. Nothing is decided, nothing is written:
    parting is the last step, after the others were tried, and is never named without
    what follows from it.

    Args:
        profitability, receivables, concentration, tiers: As computed with their usual
            settings where they are not given; receivables where there are invoices.
        succession: Who is rising; not given: unknown.
        win_back, freed_capacity: What an hour brings elsewhere; not given, and not in the
            settings: unknown.
        risk: Shown beside the proposal; it has no part in it.

    Example:
        >>> from crm_portfolio import analysis, samples
        >>> result = analysis.exit_review(samples.firm())
        >>> result.summary["actions"]["phase_out"]
        0
    """
    for each in (risk, succession):
        of_same(portfolio, each)
    facts = revenue_facts(
        portfolio, settings.period, settings.measure, needed_by="exit_review"
    )
    made = with_missing_made(
        portfolio,
        settings,
        profitability=profitability,
        receivables=receivables,
        concentration=concentration,
        tiers=tiers,
        succession=succession,
        win_back=win_back,
        freed_capacity=freed_capacity,
    )
    scores = Scores.of(measures(portfolio, facts, settings.rules, **made), settings)
    decisions = Decisions.of(portfolio, facts.by_account.ids)
    after = Aftermath.of(scores.measures, settings, months=months_in(facts))
    found = Dossier(
        scores,
        Ladder.of(
            scores,
            decisions,
            is_rising=_flags(facts, succession, "rising", "yes"),
            is_foreseen=after.is_foreseen,
        ),
        after,
        decisions,
        risk_level=_texts(facts, risk, "risk_level"),
    )
    order = gravest_first(found)
    return ExitReviewResult(
        table=account_table(found, order),
        rejected=facts.rejected_table(),
        backend=portfolio.backend,
        summary=summary_of(found),
        params=echo(portfolio, facts, settings)
        | {
            name: made_by(each) if each else None
            for name, each in (made | {"risk": risk}).items()
        },
        coverage=significant(facts.coverage),
        warnings=tuple(warnings(found)),
        found=found,
        order=order,
    )


def _texts(
    facts: RevenueFacts, result: Result | None, column: str
) -> npt.NDArray[np.object_]:
    ids = facts.by_account.ids
    if result is None:
        return np.full(len(ids), None, dtype=object)
    own = of_accounts(result, ids, column)[column]
    found: npt.NDArray[np.object_] = own.to_numpy(zero_copy_only=False)
    return found


def _flags(
    facts: RevenueFacts, result: Result | None, column: str, value: str
) -> npt.NDArray[np.bool_]:
    flags: npt.NDArray[np.bool_] = _texts(facts, result, column) == value
    return flags


@attrs.frozen(slots=False, eq=False, repr=False)
class ExitReviewResult(Result):
    """A dossier of each account: the step that fits, and all that it stands on.

    Attributes:
        summary: ``actions`` and ``standings`` count the accounts, ``criteria`` says of each
            its weight, of how many it is known, and whose weakest it is; ``now`` is how
            near the edge the firm is with all its accounts.
    """

    name: ClassVar[str] = "exit_review"
    title: ClassVar[str] = "heading_exit_review"
    compared: ClassVar[str] = "action"
    summed: ClassVar[Mapping[str, int]] = {"net_revenue": 10_000}
    further: ClassVar[tuple[str, ...]] = ("criteria", "learned", "fairness")

    _found: Dossier
    _order: npt.NDArray[np.int64]

    @property
    def criteria(self) -> NativeFrame:
        """A row an account and criterion: value, source, day, or unknown and whom to ask.

        ``worth`` is 0 to 1, ``contribution`` what it adds to the score over that of the
        reference, ``weight_low`` to ``weight_high`` where its weight alone can move with
        the standing as it is.
        """
        return from_arrow(self._criteria, self._backend)

    @cached_property
    def _criteria(self) -> pa.Table:
        return criteria_table(self._found, self._order)

    def criteria_of(self, account_id: str) -> NativeFrame:
        """The thirteen rows of one account."""
        return from_arrow(self._criteria_of(account_id), self._backend)

    def questions(self, *, lang: Lang = "en") -> NativeFrame:
        """What nobody knows, who could say it, and what matters most to the proposals."""
        return from_arrow(self._questions(lang), self._backend)

    def _questions(self, lang: Lang) -> pa.Table:
        scores = self._found.scores
        edges = scores.settings.low_below, scores.settings.high_from
        near = nearness(scores.score, scores.low, scores.high, edges)
        return question_table(scores.measures, scores.weights, near, lang=lang)

    def save_questions(
        self, path: Path | str, *, accounts: int | None = 20, lang: Lang = "en"
    ) -> None:
        """Write the questions as a workbook to fill in; ``read_answers`` reads it back.

        Args:
            accounts: So many, those first of whom answers matter most; None: all.
        """
        path = Path(path)
        if path.suffix.lower() != ".xlsx":
            raise SettingsError(f"questions are saved as .xlsx, not as {path.suffix!r}")
        people = self._found.scores.measures.people
        table = self._questions(lang)
        told = ask_sheet(table, people, file=path.name, accounts=accounts, lang=lang)
        write_atomically(path, told)

    @property
    def fairness(self) -> NativeFrame:
        """By tier, segment and age: how often a step is proposed, against the base."""
        return from_arrow(self._fairness, self._backend)

    @cached_property
    def _fairness(self) -> pa.Table:
        return fairness_of(self._found.ladder)

    @property
    def learned(self) -> NativeFrame:
        """What people made of each proposal: how often overruled, and by what."""
        return from_arrow(self._learned, self._backend)

    @cached_property
    def _learned(self) -> pa.Table:
        steps = np.array(STEPS, dtype=object)[self._found.ladder.step]
        return self._found.decisions.learned(steps)

    def assignments(self) -> pa.Table | None:
        """What people decided and signed, and not by whom or why; no proposal of ours.

        An account of which that is in doubt is not in it: what the CRM holds stays.
        """
        signed = self._found.decisions.signed
        if signed is None:
            return None
        signed = signed.filter(pa.array(~self._found.decisions.is_in_doubt))
        names = {"action": "decision", "review_on": "decision_review_on"}
        return signed.drop_columns("decided_by").rename_columns(
            [
                names.get(name, name)
                for name in signed.column_names
                if name != "decided_by"
            ]
        )

    def assigned_because(self, ids: Sequence[str]) -> dict[str, tuple[Reason, ...]]:
        """The decision alone: neither the dossier nor the proposal goes into a plan."""
        signed = self._found.decisions.signed
        if signed is None:
            return dict.fromkeys(ids, ())
        mine = signed.filter(pc.is_in(signed["account_id"], pa.array(ids, pa.string())))
        return {row["account_id"]: tuple(of_signed(row)) for row in mine.to_pylist()}

    def plot(self, *, ax: Axes | None = None, lang: Lang = "en") -> Axes:
        """The dial: under what share of all weightings each account is where it is."""
        known = self._table.filter(pc.is_valid(self._table["acceptability"]))
        shown = known.slice(0, _SHOWN)
        counts = {"shown": shown.num_rows, "n": self._table.num_rows}
        words = self._words(Reason("title_exit_dial", counts), lang)
        called = self._called(shown)
        return dial(shown, called, ax=_plots.axes(ax), words=words, lang=lang)

    def plot_contributions(
        self,
        account_id: str | None = None,
        *,
        ax: Axes | None = None,
        lang: Lang = "en",
    ) -> Axes:
        """What each criterion adds to the score of an account, or takes from it.

        Args:
            account_id: None: the first of the frame.
        """
        if account_id is None and self._table.num_rows:
            account_id = self._table["account_id"][0].as_py()
        row, rows = None, []
        if account_id is not None:
            row = self._row(account_id)
            rows = self._criteria_of(account_id).to_pylist()
        title = Reason("title_exit_contributions", {"account_id": account_id})
        words = self._words(title, lang)
        return made_of(row, rows, ax=_plots.axes(ax), words=words, lang=lang)

    def _words(self, title: Reason, lang: Lang) -> _plots.Words:
        words = _plots.Words.of(
            title,
            places="label_exit_account",
            others="label_nothing",
            currency=self.params["currency"],
            lang=lang,
        )
        return attrs.evolve(
            words,
            title=sentence(title, lang, names=self._names([title])),
            amounts=sentence(Reason("label_exit_weightings"), lang),
            nothing=sentence(Reason("label_exit_nobody"), lang),
        )

    def _criteria_of(self, account_id: str) -> pa.Table:
        place = self._order[self._row_of[self._row(account_id)["account_id"]]]
        return criteria_table(self._found, np.array([place]))

    def every_reason(self) -> Iterator[tuple[str, tuple[Reason, ...]]]:
        criteria = self._criteria.to_pylist()
        each = len(criteria) // max(1, self._table.num_rows)
        for at, row in enumerate(self._table.to_pylist()):
            own = criteria[at * each : (at + 1) * each]
            yield row["account_id"], self._reasons_from(row, own)

    def _reasons(self, row: Row) -> tuple[Reason, ...]:
        return self._reasons_from(row, self._criteria_of(row["account_id"]).to_pylist())

    def _reasons_from(
        self, row: Row, criteria: list[dict[str, Any]]
    ) -> tuple[Reason, ...]:
        params = cast("Mapping[str, Any]", self.params)
        summary = cast("Mapping[str, Any]", self.summary)
        return tuple(
            of_account(row, criteria, summary, params["settings"], self._money())
        )
